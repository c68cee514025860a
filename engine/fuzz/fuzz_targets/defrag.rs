//! Any fragments: a datagram holds at every place what some fragment brought there, and the bound holds.
//!
//! Four octets make a fragment: of which datagram and whether more follow, where it begins and ends in units of eight,
//! and what it is filled with.
#![no_main]

use std::collections::HashSet;

use _engine::counts::{Count, Counts};
use _engine::defrag::Defragmenter;
use _engine::limits::Limits;
use _engine::records::Fragment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let limits = Limits { fragments_bytes: 20_000, fragment_ns: 1000, ..Limits::default() };
    let (mut defragmenter, mut counts) = (Defragmenter::new(&limits), Counts::default());
    // datagram, place, octet
    let mut sent: HashSet<(u32, usize, u8)> = HashSet::new();
    let mut fed = 0;
    for (time_ns, part) in (0..).zip(octets.as_chunks::<4>().0) {
        let &[bits, begin, size, fill] = part;
        let (ident, offset) = (u32::from(bits & 3), u32::from(begin) * 8);
        let more = bits & 4 != 0;
        let size = usize::from(size) * if more { 8 } else { 1 };
        let data: Vec<u8> = (0..size).map(|at| fill.wrapping_add((at / 8) as u8)).collect();
        sent.extend(data.iter().enumerate().map(|(at, &octet)| (ident, offset as usize + at, octet)));
        let fragment = Fragment {
            time_ns: time_ns * i64::from(bits >> 4),
            src: [1; 16],
            dst: [2; 16],
            v6: bits & 8 != 0,
            protocol: 6,
            ident,
            offset,
            more,
            data: &data,
            missing: 0,
            path: &[],
            depth: 1,
        };
        let mut whole = Vec::new();
        defragmenter.feed(&fragment, &mut counts, &mut whole);
        fed += 1;
        assert!(whole.len() <= 4, "a datagram has four readings at most");
        for datagram in whole {
            assert_eq!(datagram.missing, 0);
            let known = |(at, &octet): (usize, &u8)| sent.contains(&(ident, at, octet));
            assert!(datagram.data.iter().enumerate().all(known), "nothing is made up");
        }
    }
    defragmenter.finish(&mut counts);
    assert_eq!(counts[Count::Datagrams] + counts[Count::SkippedFragment], fed);
});
