//! Any octets as a capture: walked in two parts, it has the frames that it has as a whole.
//!
//! `cargo +nightly fuzz run pcap fuzz/corpus/pcap ../pcaps`
#![no_main]

use _engine::pcap::{HEADER_SIZE, Reader, Walked};
use libfuzzer_sys::fuzz_target;

/// Time, link, length on the wire and kept length of each frame, where the walk stopped, and why.
fn walked(octets: &[u8], parts: &[usize]) -> Option<(Vec<(i64, u32, u32, usize)>, usize, Walked)> {
    let (mut reader, mut at) = Reader::recognise(octets.get(..HEADER_SIZE)?)?;
    let (mut frames, mut left) = (Vec::new(), Walked::Hungry);
    for &end in parts {
        left = reader.walk(&octets[..end.max(at)], &mut at, &mut |frame| {
            frames.push((frame.time_ns, frame.link, frame.wire_len, frame.data.len()));
        });
        if left != Walked::Hungry {
            break;
        }
    }
    Some((frames, at, left))
}

fuzz_target!(|octets: &[u8]| {
    let cut = octets.iter().fold(7_usize, |sum, &octet| sum.wrapping_mul(31) + usize::from(octet)) % (octets.len() + 1);
    assert_eq!(walked(octets, &[octets.len()]), walked(octets, &[cut, octets.len()]));
});
