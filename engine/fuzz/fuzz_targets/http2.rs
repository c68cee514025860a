//! Any octets as the client's half of an HTTP/2 connection: heads and counts must not depend on how they are cut.
//!
//! `fuzz/seeds && cargo +nightly fuzz run http2`
#![no_main]

use _engine::counts::Counts;
use _engine::http2::Http2;
use _engine::limits::Limits;
use _engine::records::{Flow, PlacedHead};
use libfuzzer_sys::fuzz_target;

fn read(octets: &[u8], step: usize) -> (Vec<PlacedHead>, Counts) {
    let limits = Limits { head_bytes: 300, head_lines: 20, ..Limits::default() };
    let flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 0 };
    let (mut http2, mut counts, mut heads) = (Http2::new(&limits, flow, &[], 0), Counts::default(), Vec::new());
    // the first octet says where a hole is
    let hole = octets.first().map_or(0, |&octet| usize::from(octet)).min(octets.len());
    for (part, missing) in [(&octets[..hole], hole % 16), (&octets[hole..], 0)] {
        for piece in part.chunks(step) {
            http2.feed(piece, 7, &limits, &mut counts, &mut heads);
        }
        http2.gap(missing, &limits, &mut counts, &mut heads);
    }
    http2.finish(&limits, &mut counts, &mut heads);
    (heads, counts)
}

fuzz_target!(|octets: &[u8]| {
    assert_eq!(read(octets, usize::MAX), read(octets, 1));
});
