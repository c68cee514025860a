//! What a half-stream costs, counted by the allocator: the figures of engine/README.md.
//!
//! One test, since an allocator counts for all threads.
#![allow(unsafe_code)] // GlobalAlloc

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use _engine::counts::Counts;
use _engine::decode::{Decoder, Found};
use _engine::limits::Limits;
use _engine::records::{Frame, RequestHead, Watch};
use _engine::sieve::Sieve;
use _engine::stream::Streams;

/// The system's allocator, and what was asked of it.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of GlobalAlloc.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations, and bytes that are still held of them.
fn cost<T>(run: impl FnOnce() -> T) -> (usize, usize, T) {
    let (allocations, live) = (ALLOCATIONS.load(Relaxed), LIVE.load(Relaxed));
    let out = run();
    (ALLOCATIONS.load(Relaxed) - allocations, LIVE.load(Relaxed).saturating_sub(live), out)
}

const SYN: u8 = 0x02;
const DATA: u8 = 0x18;
const MS: i64 = 1_000_000;
const FLOWS: u32 = 1 << 15;

/// One IPv4 packet from a client of its own.
fn packet(client: u32, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = (0x6440_0000 | client).to_be_bytes();
    let [high, low] = (40 + payload.len() as u16).to_be_bytes();
    let [s, e, q, n] = seq.to_be_bytes();
    let ip = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0, a, b, c, d, 203, 0, 113, 9];
    let tcp = [0x9C, 0x41, 0, 80, s, e, q, n, 0, 0, 0, 1, 0x50, flags, 255, 255, 0, 0, 0, 0];
    [&ip[..], &tcp, payload].concat()
}

/// Stages up to the heads.
struct Sensor {
    decoder: Decoder,
    streams: Streams,
    counts: Counts,
    heads: Vec<RequestHead>,
    time_ns: i64,
}

impl Sensor {
    fn new() -> Sensor {
        let limits = Limits::default();
        let (decoder, streams) = (Decoder::new(&limits), Streams::new(limits));
        Sensor { decoder, streams, counts: Counts::default(), heads: Vec::with_capacity(64), time_ns: MS }
    }

    fn feed(&mut self, octets: &[u8]) {
        self.time_ns += 1000;
        let frame = Frame {
            time_ns: self.time_ns,
            link: 228,
            wire_len: octets.len() as u32,
            data: octets,
            checksum_ready: false,
        };
        match self.decoder.feed(&frame, &mut self.counts) {
            Found::Segment(segment) => self.streams.feed(&segment, &mut self.counts, &mut self.heads),
            _ => unreachable!("every packet here is a segment"),
        }
    }

    /// Bytes that each of FLOWS clients costs that sends this.
    fn held_by_each(payload: &[u8]) -> usize {
        let packets: Vec<_> = (0..FLOWS).map(|client| packet(client, 1, DATA, payload)).collect();
        let mut sensor = Sensor::new();
        let (_, live, ()) = cost(|| packets.iter().for_each(|packet| sensor.feed(packet)));
        live / FLOWS as usize
    }
}

fn a_flood_of_syns_costs_a_table_of_bounded_size() {
    let packets: Vec<_> = (0..8 * FLOWS).map(|client| packet(client, client, SYN, b"")).collect();
    let mut sensor = Sensor::new();
    let mut flood = |packets: &[Vec<u8>]| cost(|| packets.iter().for_each(|packet| sensor.feed(packet))).1;
    let (first, second) = packets.split_at(packets.len() / 2);
    let (table, more) = (flood(first), flood(second));
    assert!(table <= 6 << 20, "{table} bytes");
    assert!(more <= 2 << 20, "{more} bytes more for further SYNs");
}

fn a_half_stream_costs_what_the_docs_say() {
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let head = b"GET / HTTP/1.1\r\nHost: shop.example\r\n";
    let longer = [&head[..], b"Cookie: ", &[b'a'; 1000 - 46]].concat();
    for (payload, most) in [(&tls[..], 160), (head, 800), (&longer, 1000 + 800)] {
        let each = Sensor::held_by_each(payload);
        assert!(each <= most, "{each} bytes for {} of payload", payload.len());
    }
}

fn a_clean_head_costs_no_allocation() {
    let watch = Watch {
        names: vec![b"x-up-calling-line-id".into()],
        stems: vec![b"msisdn".into()],
        rows: vec![(b"7700900".into(), 3)],
        ..Watch::default()
    };
    let sieve = Arc::new(Sieve::new(&watch));
    let mut sensor = Sensor::new();
    sensor.streams.sift_with(Arc::clone(&sieve));
    let request =
        b"GET /app.js?v=3.14 HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\nCookie: a=ab12cd34; b=%3B\r\n\r\n";
    sensor.feed(&packet(1, 1, DATA, request));
    let mut seq = 1 + request.len() as u32;
    for _ in 0..64 {
        sensor.feed(&packet(1, seq, DATA, request));
        seq += request.len() as u32;
    }
    sensor.heads.clear();
    let packets: Vec<_> = (0..1000).map(|n| packet(1, seq + n * request.len() as u32, DATA, request)).collect();
    let mut counts = Counts::default();
    let (mut sieved, mut passed) = (0, 0);
    let (all, _, ()) = cost(|| {
        for packet in &packets {
            sensor.feed(packet);
            let (allocations, _, suspects) = cost(|| {
                sensor.heads.iter_mut().filter_map(|head| sieve.passes(head, &mut counts).then_some(())).count()
            });
            (sieved, passed) = (sieved + allocations, passed + suspects);
            sensor.heads.clear();
        }
    });
    assert_eq!((sieved, passed), (0, 0));
    assert!(all <= packets.len() / 4, "{all} allocations of all stages");
}

#[test]
fn memory_is_what_the_docs_say() {
    a_flood_of_syns_costs_a_table_of_bounded_size();
    a_half_stream_costs_what_the_docs_say();
    a_clean_head_costs_no_allocation();
}
