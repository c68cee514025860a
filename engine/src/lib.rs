//! The native engine of msisdn-monitor: frames in, suspect request heads out.
//!
//! source (capture, pcap) -> decode, defrag -> reassembly, stream -> http1, http2 -> sieve, wired by `worker`. Modules
//! have the names of the stages of `monitor/portable`, which is the readable specification of the same behaviour: a
//! difference is a bug. `python` alone knows Python.

pub mod block;
pub mod capture;
pub mod client;
pub mod copies;
pub mod counts;
pub mod decode;
mod decoded;
pub mod defrag;
pub mod doubts;
pub mod early;
pub mod fault;
pub mod front;
pub mod hashes;
pub mod hpack;
pub mod http1;
pub mod http2;
pub mod identify;
pub mod letters;
pub mod limits;
#[cfg(target_os = "linux")]
pub mod live;
pub mod looks;
mod marks;
pub mod pcap;
mod prefetch;
#[cfg(feature = "python")]
mod python;
pub mod reassembly;
pub mod records;
#[cfg(target_os = "linux")]
pub mod ring;
pub mod sandbox;
pub mod sieve;
pub mod stream;
pub mod tandem;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod worker;
