//! Each stage by itself, and all together, on traffic made here: `cargo bench`. What the whole command costs next to
//! others, `make bench` says.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;

use _engine::capture::Capture;
use _engine::counts::{Count, Counts};
use _engine::decode::{Decoder, Found};
use _engine::defrag::Defragmenter;
use _engine::hpack::Hpack;
use _engine::http1::{Context, Http1};
use _engine::http2::{Http2, PREFACE};
use _engine::limits::Limits;
use _engine::reassembly::Assembler;
use _engine::records::{Flow, Fragment, Frame, HeadText, Watch};
use _engine::sieve::Sieve;
use _engine::stream::Streams;
use _engine::worker::Worker;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ETHERNET: u32 = 1;
const IPV4: u32 = 228;
const FLOW: Flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 0 };
/// Requests of one connection.
const REQUESTS: u32 = 100;
/// Connections of one capture.
const CLIENTS: u8 = 100;

/// IPv4 from a client of this number, its total length right, without a checksum of its own.
fn ipv4(client: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 100, 64, 1, client, 203, 0, 113, 9];
    [&head, payload].concat()
}

/// A segment of that client, with its checksum (RFC 9293 section 3.1): a wrong one would cast doubt on it.
fn tcp(client: u8, seq: u32, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = seq.to_be_bytes();
    let head = [0x9C, 0x41, 0, 80, a, b, c, d, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0];
    let mut segment = [&head, payload].concat();
    let [high, low] = (segment.len() as u16).to_be_bytes();
    let pseudo = [100, 64, 1, client, 203, 0, 113, 9, 0, 6, high, low];
    let words = [&pseudo[..], &segment].concat();
    let mut sum: u32 = words.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0))).sum();
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    segment[16..18].copy_from_slice(&(!sum as u16).to_be_bytes());
    segment
}

/// One connection with a request in each segment; nobody answers.
fn talk(client: u8, request: &[u8]) -> Vec<Vec<u8>> {
    let seqs = (0..REQUESTS).map(|n| 1 + n * request.len() as u32);
    seqs.map(|seq| ethernet(&ipv4(client, 6, &tcp(client, seq, request)))).collect()
}

/// A capture in the classic format, micro-seconds.
fn capture_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = [0xA1B2_C3D4_u32, 4 << 16 | 2, 0, 0, 262_144, ETHERNET].map(u32::to_le_bytes).concat();
    for (n, frame) in (0..).zip(frames) {
        let size = frame.len() as u32;
        octets.extend([1_326_196_800, n, size, size].map(u32::to_le_bytes).concat());
        octets.extend_from_slice(frame);
    }
    octets
}

/// The request of a phone, as text.
fn request(head: &Head) -> Vec<u8> {
    let (target, fields) = head;
    let lines = fields.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect::<String>();
    format!("GET {target} HTTP/1.1\r\n{lines}\r\n").into_bytes()
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], packet].concat()
}

/// 3GPP TS 29.281: a G-PDU in UDP.
fn gtpu(packet: &[u8]) -> Vec<u8> {
    let length = packet.len() as u16;
    let [high, low] = length.to_be_bytes();
    let [udp_high, udp_low] = (length + 16).to_be_bytes();
    [&[8, 0x68, 8, 0x68, udp_high, udp_low, 0, 0, 0x30, 255, high, low, 0, 0, 16, 1][..], packet].concat()
}

fn decode(criterion: &mut Criterion) {
    let segment = ipv4(1, 6, &tcp(1, 1, &[b'x'; 1400]));
    let frames = [
        ("decode/ip", IPV4, segment.clone()),
        ("decode/ethernet", ETHERNET, ethernet(&segment)),
        ("decode/gtpu", ETHERNET, ethernet(&ipv4(1, 17, &gtpu(&segment)))),
        ("decode/no_tcp", ETHERNET, ethernet(&ipv4(1, 1, &[0; 64]))),
    ];
    for (name, link, octets) in &frames {
        let (mut decoder, mut counts) = (Decoder::new(&Limits::default()), Counts::default());
        let frame =
            Frame { time_ns: 1, link: *link, wire_len: octets.len() as u32, data: octets, checksum_ready: true };
        let is_segment = matches!(decoder.feed(&frame, &mut counts), Found::Segment(_));
        assert_eq!(is_segment, *name != "decode/no_tcp");
        let mut group = criterion.benchmark_group("stages");
        group.throughput(Throughput::Elements(1)).bench_function(*name, |bencher| {
            bencher.iter(|| matches!(decoder.feed(black_box(&frame), &mut counts), Found::Segment(_)));
        });
        group.finish();
    }
}

type Head = (&'static str, Vec<(&'static str, &'static str)>);

/// A phone of today, and one whose cookies are the worst for the sieve that may still be clean: hexadecimal.
fn clean_heads() -> [(&'static str, Head); 2] {
    let agent = "Mozilla/5.0 (Linux; Android 14; SM-A546B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                 Mobile Safari/537.36";
    let common = [
        ("host", "www.shop.example"),
        ("user-agent", agent),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("connection", "keep-alive"),
        ("if-modified-since", "Wed, 25 Jan 2012 14:00:00 GMT"),
    ];
    let text = [("cookie", "theme=dark; consent=1%3B2%3B3; session=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9; ab=v2.7")];
    let hexadecimal = [(
        "cookie",
        "asid=4255c4fe4c9ff0eb; bsid=e957490a013b50ba; csid=50301ed150c1bc8f; dsid=cf8b5fe916ef5f61; \
         esid=8eb83fed44c70c16; fsid=d5e8a3f0c1b2d3e4; gsid=43cb3fa2ecfad94d; hsid=df80ccb15fbb6968",
    )];
    let with = |more: &[_]| ("/static/app.js?v=3.14", [&common[..], more].concat());
    [("sieve/text", with(&text)), ("sieve/hexadecimal", with(&hexadecimal))]
}

fn sieve(criterion: &mut Criterion) {
    let owned = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let sieve = Sieve::new(&Watch {
        names: owned(&["x-up-calling-line-id", "x-wap-subscriber", "x-nokia-alias", "x-network-info"]),
        stems: owned(&["msisdn", "callinglineid", "subno", "mdn", "mobile", "phone", "imsi", "imei"]),
        rows: vec![(b"7700900".into(), 3), (b"00101".into(), 10), (b"3.3.3.3.3.3.3.3.".into(), 0)],
        named_rows: vec![(Vec::new(), 15)],
        named_by: b"imei".into(),
        tokens: vec![(b"683d0d9".into(), 3), (b"RHcAk".into(), 3), (b"RHcAC".into(), 3), (b"kUR3AA".into(), 4)],
        ..Watch::default()
    });
    for (name, (target, fields)) in clean_heads() {
        let mut text = HeadText::new(b"GET", target.as_bytes(), b"HTTP/1.1");
        for (name, value) in &fields {
            text.push(name.as_bytes(), value.as_bytes());
        }
        assert!(!sieve.is_suspect(&text));
        let mut group = criterion.benchmark_group("stages");
        group
            .throughput(Throughput::Bytes(text.octets().len() as u64))
            .bench_function(name, |bencher| bencher.iter(|| sieve.is_suspect(black_box(&text))));
        group.finish();
    }
}

fn hpack(criterion: &mut Criterion) {
    // RFC 7541 appendix C.4.1 and C.4.3
    const FIRST: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    const THIRD: &[u8] =
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
    let mut decoder = Hpack::new(65536);
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(2)).bench_function("hpack", |bencher| {
        bencher.iter(|| (decoder.decode(black_box(FIRST), 100, &()), decoder.decode(black_box(THIRD), 100, &())));
    });
    group.finish();
}

/// A file in the page cache, read over and over; the whole engine on the same.
fn capture(criterion: &mut Criterion) {
    let path = std::env::temp_dir().join(format!("msisdn-monitor-bench-{}.pcap", std::process::id()));
    let [(_, head), _] = clean_heads();
    let connections: Vec<_> = (0..CLIENTS).map(|client| talk(client, &request(&head))).collect();
    let octets = capture_of(&connections.concat());
    File::create(&path)
        .and_then(|mut file| file.write_all(&octets))
        .expect("the folder of temporary files is writable");
    let open = || File::open(&path).expect("it was written just now");
    let frames = u64::from(REQUESTS) * u64::from(CLIENTS);
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(frames)).bench_function("capture", |bencher| {
        let mut buffer = Vec::new();
        bencher.iter(|| {
            let mut capture = Capture::new(open(), std::mem::take(&mut buffer));
            let mut read = 0;
            while capture.pump(&mut |_| read += 1).is_none() {}
            assert_eq!(read, frames);
            buffer = capture.into_buffer();
        });
    });
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            let mut worker = Worker::new(Limits::default(), &Watch::default());
            worker.open(open());
            while worker.pump().is_none() {}
            worker.finish(usize::MAX);
            assert_eq!(worker.counts()[Count::Requests], frames);
        });
    });
    group.finish();
    std::fs::remove_file(path).expect("it was written just now");
}

fn defrag(criterion: &mut Criterion) {
    let data = [b'x'; 1480];
    let (mut defragmenter, mut counts) = (Defragmenter::new(&Limits::default()), Counts::default());
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(2)).bench_function("defrag", |bencher| {
        let (mut ident, mut out) = (0, Vec::new());
        bencher.iter(|| {
            ident += 1;
            for (offset, more) in [(0, true), (1480, false)] {
                let fragment = Fragment {
                    time_ns: 1,
                    src: FLOW.src,
                    dst: FLOW.dst,
                    v6: false,
                    protocol: 6,
                    ident,
                    offset,
                    more,
                    data: black_box(&data),
                    missing: 0,
                    path: &[],
                    depth: 1,
                };
                defragmenter.feed(&fragment, &mut counts, &mut out);
            }
            assert_eq!(out.len(), 1);
            out.clear();
        });
    });
    group.finish();
}

/// Segments in order, and each two the wrong way round.
fn reassembly(criterion: &mut Criterion) {
    let data = [b'x'; 1400];
    for (name, order) in [("reassembly/in_order", [0, 1]), ("reassembly/swapped", [1, 0])] {
        let mut assembler = Assembler::new(0);
        let mut group = criterion.benchmark_group("stages");
        group.throughput(Throughput::Elements(2)).bench_function(name, |bencher| {
            bencher.iter(|| {
                let begin = assembler.next();
                for at in order {
                    let position = begin + at * data.len() as i64;
                    let mut straight = assembler.insert(position, black_box(&data), 0, 1, &[], 0).straight;
                    while let Some(item) = assembler.ready(&mut straight) {
                        black_box(item);
                    }
                }
                assert_eq!(assembler.next(), begin + 2 * data.len() as i64);
            });
        });
        group.finish();
    }
}

/// From segments to heads: half-streams, reassembly and HTTP/1 together.
fn stream(criterion: &mut Criterion) {
    let [(_, head), _] = clean_heads();
    let frames = talk(1, &request(&head));
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(u64::from(REQUESTS))).bench_function("stream", |bencher| {
        let mut decoder = Decoder::new(&Limits::default());
        bencher.iter_batched_ref(
            || (Streams::new(Limits::default()), Counts::default(), Vec::new()),
            |(streams, counts, heads)| {
                for octets in &frames {
                    let wire_len = octets.len() as u32;
                    let frame = Frame { time_ns: 1, link: ETHERNET, wire_len, data: octets, checksum_ready: true };
                    if let Found::Segment(segment) = decoder.feed(&frame, counts) {
                        streams.feed(&segment, counts, heads);
                    }
                }
                streams.finish(1, usize::MAX, counts, heads);
                assert_eq!(heads.len(), REQUESTS as usize);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn http1(criterion: &mut Criterion) {
    let limits = Limits::default();
    for (name, head) in clean_heads() {
        let octets = request(&head);
        let name = name.replace("sieve", "http1");
        let mut group = criterion.benchmark_group("stages");
        group.throughput(Throughput::Bytes(octets.len() as u64)).bench_function(name, |bencher| {
            let (mut counts, mut heads) = (Counts::default(), Vec::new());
            let (mut http1, mut position) = (Http1::new(0, false), 0);
            bencher.iter(|| {
                let mut context = Context { limits: &limits, counts: &mut counts, flow: FLOW, path: &[], early: None };
                http1.feed(black_box(&octets), position, 1, &mut context, &mut heads);
                position += octets.len() as i64;
                assert_eq!(heads.len(), 1);
                heads.clear();
            });
        });
        group.finish();
    }
}

/// HEADERS of RFC 7541 appendix C.4.1 on one stream after another.
fn http2(criterion: &mut Criterion) {
    const BLOCK: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    const END_STREAM_AND_HEADERS: u8 = 0x05;
    let limits = Limits::default();
    let (mut counts, mut heads) = (Counts::default(), Vec::new());
    let mut http2 = Http2::new(&limits, FLOW, &[], 0);
    http2.feed(PREFACE, 1, &limits, &mut counts, &mut heads);
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(1)).bench_function("http2", |bencher| {
        let mut stream = 1_u32;
        bencher.iter(|| {
            let header = [&[0, 0, BLOCK.len() as u8, 1, END_STREAM_AND_HEADERS], &stream.to_be_bytes()[..]].concat();
            http2.feed(&[&header, BLOCK].concat(), 1, &limits, &mut counts, &mut heads);
            stream = (stream + 2) & 0x7FFF_FFFF;
            assert_eq!(heads.len(), 1);
            heads.clear();
        });
    });
    group.finish();
}

criterion_group!(stages, capture, decode, defrag, reassembly, stream, http1, http2, hpack, sieve);
criterion_main!(stages);
