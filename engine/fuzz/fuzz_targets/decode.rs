//! Any octets as a capture, its frames decoded and its datagrams put together: the books must balance.
//!
//! `cargo +nightly fuzz run decode fuzz/corpus/decode ../pcaps`
#![no_main]

use _engine::counts::{Count, Counts};
use _engine::decode::{Decoder, Found};
use _engine::defrag::Defragmenter;
use _engine::limits::Limits;
use _engine::pcap::{HEADER_SIZE, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Some((mut reader, mut at)) = octets.get(..HEADER_SIZE).and_then(Reader::recognise) else { return };
    let limits = Limits::default();
    let (mut decoder, mut defragmenter) = (Decoder::new(&limits), Defragmenter::new(&limits));
    let mut counts = Counts::default();
    reader.walk(octets, &mut at, &mut |frame| {
        counts[Count::Frames] += 1;
        let mut datagrams = Vec::new();
        match decoder.feed(&frame, &mut counts) {
            Found::Segment(segment) => _ = segment.checksum(),
            Found::Fragment(fragment) => defragmenter.feed(&fragment, &mut counts, &mut datagrams),
            Found::Message(_) | Found::Nothing => {}
        }
        while let Some(datagram) = datagrams.pop() {
            if let Found::Fragment(fragment) = decoder.datagram(&datagram, &mut counts) {
                defragmenter.feed(&fragment, &mut counts, &mut datagrams);
            }
        }
    });
    defragmenter.finish(&mut counts);
    let skipped: u64 = counts.iter().filter(|(key, _)| key.starts_with("skipped.")).map(|(_, value)| value).sum();
    assert_eq!(counts[Count::Frames] + counts[Count::SecondReadings], counts[Count::Segments] + skipped);
});
