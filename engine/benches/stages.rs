//! Each stage by itself, on traffic made here: `cargo bench`. What the whole engine costs, `make bench` says.

use std::hint::black_box;

use _engine::counts::Counts;
use _engine::decode::{Decoder, Found};
use _engine::hpack::Hpack;
use _engine::limits::Limits;
use _engine::records::{Frame, Watch};
use _engine::sieve::Sieve;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ETHERNET: u32 = 1;
const IPV4: u32 = 228;

/// IPv4, its total length right, without a checksum.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 100, 64, 1, 2, 203, 0, 113, 9];
    [&head, payload].concat()
}

fn tcp(payload: &[u8]) -> Vec<u8> {
    let head = [0x9C, 0x41, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0];
    [&head, payload].concat()
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
    let segment = ipv4(6, &tcp(&[b'x'; 1400]));
    let frames = [
        ("decode/ip", IPV4, segment.clone()),
        ("decode/ethernet", ETHERNET, ethernet(&segment)),
        ("decode/gtpu", ETHERNET, ethernet(&ipv4(17, &gtpu(&segment)))),
        ("decode/no_tcp", ETHERNET, ethernet(&ipv4(1, &[0; 64]))),
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
        rows: vec![(b"7700900".into(), 3), (b"00101".into(), 10), (Vec::new(), 15)],
        tokens: vec![(b"683d0d9".into(), 3), (b"RHcAk".into(), 3), (b"RHcAC".into(), 3), (b"kUR3AA".into(), 4)],
        every_head: false,
        ports: Vec::new(),
        digests: None,
    });
    for (name, (target, fields)) in clean_heads() {
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let octets =
            fields.clone().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + target.len() + 17;
        assert!(!sieve.suspect(target.as_bytes(), fields.clone()));
        let mut group = criterion.benchmark_group("stages");
        group.throughput(Throughput::Bytes(octets as u64)).bench_function(name, |bencher| {
            bencher.iter(|| sieve.suspect(black_box(target.as_bytes()), black_box(fields.clone())));
        });
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
        bencher.iter(|| (decoder.decode(black_box(FIRST)), decoder.decode(black_box(THIRD))));
    });
    group.finish();
}

criterion_group!(stages, decode, sieve, hpack);
criterion_main!(stages);
