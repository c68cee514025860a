//! Any octets as the value of a field: where a number may stand in them, it also may when they are coded or surrounded.
//!
//! `fuzz/seeds && cargo +nightly fuzz run sieve`
#![no_main]

use std::sync::LazyLock;

use _engine::records::{HeadText, Watch};
use _engine::sieve::Sieve;
use libfuzzer_sys::fuzz_target;

static SIEVE: LazyLock<Sieve> = LazyLock::new(|| {
    Sieve::new(&Watch {
        names: vec![b"x-up-calling-line-id".into()],
        stems: vec![b"msisdn".into()],
        rows: vec![(b"77".into(), 4), (Vec::new(), 8)],
        tokens: vec![(b"RHcA".into(), 4)],
        ..Watch::default()
    })
});

fn suspect(target: &[u8], value: &[u8]) -> bool {
    let mut text = HeadText::new(b"GET", target, b"HTTP/1.1");
    text.push(b"x-odd", value);
    SIEVE.is_suspect(&text)
}

fn coded(octets: &[u8]) -> Vec<u8> {
    octets.iter().flat_map(|octet| format!("%{octet:02x}").into_bytes()).collect()
}

fuzz_target!(|octets: &[u8]| {
    if suspect(b"/", octets) {
        assert!(suspect(octets, b""));
        assert!(suspect(b"/", &[b"a=", octets, b"&b"].concat()));
        if !octets.contains(&b'%') {
            let once = coded(octets);
            assert!(suspect(b"/", &once));
            assert!(suspect(b"/", &coded(&once)));
        }
    }
});
