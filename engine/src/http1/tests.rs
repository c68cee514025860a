//! Half-streams: whole, byte by byte, with gaps, with requests behind them.

use super::*;
use crate::counts::Count;
use crate::reassembly::Gap;
use crate::records::{Certainty, RequestHead, Section};
use crate::testing::Random;

const START: i64 = (1 << 32) - 20;
const CLEAN: &[u8] = b"GET /clean HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n";
const LEAK: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: 447700900123\r\n\r\n";
const FIELD: (&[u8], &[u8]) = (b"x-msisdn", b"447700900123");
const CHUNKED: &[u8] = b"POST /p HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n";

enum Part {
    Octets(Vec<u8>),
    Gap(i64),
}

fn parts(segments: &[&[u8]]) -> Vec<Part> {
    segments.iter().map(|segment| Part::Octets(segment.to_vec())).collect()
}

fn bytewise(octets: &[u8]) -> Vec<Part> {
    octets.iter().map(|&octet| Part::Octets(vec![octet])).collect()
}

fn post(lines: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\n\r\n").into_bytes()
}

/// What comes of these segments.
struct Read {
    http1: Http1,
    placed: Vec<PlacedHead>,
    counts: Counts,
}

struct Bench {
    limits: Limits,
    midstream: bool,
    finish: bool,
}

const WHOLE: fn() -> Bench = || Bench { limits: Limits::default(), midstream: false, finish: true };

impl Bench {
    /// Keeps what the reader says that it needs.
    fn read(&self, parts: &[Part]) -> Read {
        let mut counts = Counts::default();
        let flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 0 };
        let mut context = Context { limits: &self.limits, counts: &mut counts, flow, path: &[], early: None };
        let mut http1 = Http1::new(START, self.midstream);
        let (mut kept, mut first, mut placed) = (Vec::new(), START, Vec::new());
        for (time_ns, part) in (0..).zip(parts) {
            match part {
                Part::Octets(octets) => {
                    kept.extend_from_slice(octets);
                    http1.feed(&kept, first, time_ns, &mut context, &mut placed);
                    kept.drain(..(http1.start() - first) as usize);
                    first = http1.start();
                }
                Part::Gap(missing) => {
                    let position = first + kept.len() as i64;
                    let gap = Gap { position, missing: *missing, cut: false };
                    http1.gap(&kept, first, &gap, &mut context, &mut placed);
                    kept.clear();
                    first = position + missing;
                }
            }
        }
        if self.finish {
            http1.finish(&kept, first, &mut context, &mut placed);
        }
        Read { http1, placed, counts }
    }
}

impl Read {
    fn heads(&self) -> impl Iterator<Item = &RequestHead> {
        self.placed.iter().map(|placed| placed.head().unwrap())
    }

    fn targets(&self) -> Vec<String> {
        let targets = self.heads().map(|head| head.text.target());
        targets.map(|target| String::from_utf8_lossy(target).into_owned()).collect()
    }

    /// Of each head with the number: its oddities.
    fn leaks(&self) -> Vec<String> {
        let leaks = self.heads().filter(|head| head.text.fields().any(|it| it == FIELD));
        leaks.map(oddities).collect()
    }

    /// But for the times.
    fn content(&self) -> Vec<PlacedHead> {
        let timeless = |head: &RequestHead| RequestHead { time_ns: 0, ..head.clone() };
        let of = |(placed, head): (&PlacedHead, &RequestHead)| PlacedHead {
            why: placed.why,
            part: placed.part,
            ..PlacedHead::new(
                placed.start,
                placed.end,
                RequestHead { readings: head.readings.iter().map(timeless).collect(), ..timeless(head) },
            )
        };
        self.placed.iter().zip(self.heads()).map(of).collect()
    }
}

fn oddities(head: &RequestHead) -> String {
    head.oddities.iter().map(super::super::records::Oddity::name).collect::<Vec<_>>().join(" ")
}

fn read(parts: &[Part]) -> Read {
    WHOLE().read(parts)
}

/// Whole; byte by byte must say the same.
fn everyhow(octets: &[u8]) -> Read {
    let whole = read(&parts(&[octets]));
    assert_eq!(read(&bytewise(octets)).content(), whole.content(), "{}", octets.escape_ascii());
    whole
}

#[test]
fn heads_stand_where_they_stand() {
    let found = everyhow(&[b"\r\n", CLEAN, LEAK].concat());
    let places: Vec<_> = found.placed.iter().map(|placed| (placed.start - START, placed.end - START)).collect();
    let (one, two) = (2 + CLEAN.len() as i64, 2 + (CLEAN.len() + LEAK.len()) as i64);
    assert_eq!(places, [(2, one), (one, two)]);
    assert_eq!(oddities(found.placed[0].head().unwrap()), "leading_crlf");
    assert_eq!(found.leaks(), [""]);
    assert!(found.http1.idle());
    assert_eq!(found.http1.start(), START + two);
}

#[test]
fn a_proxy_may_speak_first() {
    let two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\r\n0123456789";
    for proxy in [&b"PROXY TCP4 192.0.2.1 203.0.113.9 51000 80\r\n"[..], two] {
        assert_eq!(everyhow(&[proxy, LEAK].concat()).leaks(), ["proxy_protocol"]);
        assert_eq!(everyhow(&[CLEAN, proxy, LEAK].concat()).leaks().join("").matches("not_http").count(), 1);
    }
}

#[test]
fn a_cr_may_end_lines() {
    let head = String::from_utf8_lossy(LEAK).replace("\r\n", "\r").into_bytes();
    assert_eq!(everyhow(&[&head, CLEAN].concat()).leaks(), ["cr not_http"]);
    assert_eq!(everyhow(&head).leaks(), ["cr not_http"]);
    let found = everyhow(b"GET / HTTP/1.1\rX-MSISDN: 447700900123\r\nHost: shop.example\r\n\r\n");
    assert_eq!(found.leaks(), ["cr"]);
    let readings: Vec<_> =
        found.placed[0].head().unwrap().readings.iter().map(|reading| reading.text.field_count()).collect();
    assert_eq!(readings, [1]);
}

#[test]
fn a_refused_line_is_not_found_again() {
    // as a whole it is a request line, up to its CR it is none
    for line in [&b"FROB /\rbar HTTP/1.1\r\n"[..], b"FROB x\r /bar HTTP/1.1\n"] {
        assert_eq!(everyhow(&[line, LEAK].concat()).leaks(), ["not_http"]);
    }
    let bench = Bench { limits: Limits { head_bytes: 2000, ..Limits::default() }, ..WHOLE() };
    for line in [format!("{:20}GET / HTTP/1.1{:5000}\r\n", "", ""), format!("FROB{:5000}/ HTTP/1.1\r\n", "")] {
        assert_eq!(bench.read(&parts(&[line.as_bytes(), LEAK])).leaks(), ["not_http"]);
    }
}

#[test]
fn the_next_request_behind_junk_is_found() {
    let connect = b"CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let upgrade = b"GET /u HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\n\r\n";
    let rows: &[(&[&[u8]], &[&str])] = &[
        (&[b"BAD\r\n\r\n", LEAK], &["not_http"]),
        (&[&[b"\x16garbage\r\n", LEAK, LEAK].concat()], &["not_http", ""]),
        (&[b"HELLO\r\nHost: shop.example\r\n\r\n", LEAK], &["not_http"]),
        (&[CLEAN, b"\x01\x02\x03", LEAK], &["not_http"]),
        (&[connect, LEAK, LEAK], &["in_connect", "in_connect"]),
        (&[connect, b"\x16\x03\x01junk", LEAK], &["in_connect"]),
        (&[connect, b"\x16\x03\x01junk\n", &[b"\n", LEAK].concat()], &["not_http in_connect"]),
        (&[upgrade, b"\x81\x85\x01\x02\x03\x04igohn", LEAK], &[""]),
    ];
    for &(segments, expected) in rows {
        assert_eq!(read(&parts(segments)).leaks(), expected);
    }
}

#[test]
fn reading_begins_in_the_middle_of_a_connection() {
    let midstream = Bench { midstream: true, ..WHOLE() };
    for (segments, expected) in [
        ([&b"=0.5&page=7"[..], LEAK], ""),
        ([&[b"tail: of a head\r\n\r\n", LEAK].concat(), b""], ""),
        ([&[b"some text\r\n", LEAK].concat(), b""], "not_http"),
        ([b"never GET / HTTP/1.1 here", LEAK], ""),
    ] {
        assert_eq!(midstream.read(&parts(&segments)).leaks(), [expected]);
    }
}

#[test]
fn what_never_looks_like_http_is_hopeless() {
    let going_on = Bench { finish: false, ..WHOLE() };
    let prose = b"some prose that goes on and on\r\n".repeat(40);
    assert!(going_on.read(&parts(&[prose.as_slice(); 5])).http1.hopeless());
    assert!(!going_on.read(&parts(&[CLEAN, &prose, &prose, &prose, &prose, &prose])).http1.hopeless());
    assert!(!going_on.read(&parts(&[&LEAK[..LEAK.len() - 20]])).http1.hopeless());
    let all: Vec<u8> = (0..=255).collect();
    assert!(going_on.read(&parts(&[all.as_slice(); 20])).http1.hopeless());
}

#[test]
fn http2_begins_with_its_preface() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n...";
    for parts in [parts(&[preface]), bytewise(preface)] {
        let found = Bench { finish: false, ..WHOLE() }.read(&parts);
        assert!(found.http1.first.frames.is_some());
        assert!(found.placed.is_empty());
    }
}

#[test]
fn a_body_is_skipped_by_count() {
    let chunk = [format!("{:x}\r\n", LEAK.len()).as_bytes(), LEAK, b"\r\n0\r\n\r\n"].concat();
    let length = format!("Content-Length: {}", LEAK.len());
    for (lines, body) in [
        (length.as_str(), LEAK),
        ("Content-Length: 5, 5", b"01234"),
        ("Transfer-Encoding: chunked", &chunk),
        ("Transfer-Encoding: gzip, chunked", b"5;name=\"v\"\r\nhello\r\n0;last\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"5\nhello\n0\n\n"),
        ("Transfer-Encoding: identity\r\nContent-Length: 3", b"abc"),
    ] {
        let found = everyhow(&[&post(lines), body, LEAK].concat());
        assert_eq!(found.placed.len(), 2, "{lines}");
        assert_eq!(found.leaks(), [""], "{lines}");
    }
    let found = read(&parts(&[&post("Content-Length: 3000"), &[0; 1000]]));
    assert!(found.http1.skips(2000) && !found.http1.skips(2001));
    assert_eq!(found.counts[Count::BodyBytes], 1000);
}

#[test]
fn where_framings_clash_the_tail_is_read_every_way() {
    let last = [b"0\r\n\r\n", LEAK].concat();
    for (lines, body) in [
        (format!("Content-Length: 0\r\nContent-Length: {}", LEAK.len()), LEAK),
        (format!("Content-Length: {}\r\nContent-Length: 0", LEAK.len()), LEAK),
        (format!("Content-Length: +{}", LEAK.len()), LEAK),
        ("Content-Length: -1".into(), LEAK),
        (format!("Content-Length: {}\r\nTransfer-Encoding: chunked", last.len()), &last),
        (format!("Content-Length: {}\r\nTransfer-Encoding : chunked", last.len()), &last),
        ("Transfer-Encoding: chunked".into(), &[b"10000000000000005\r\nhello\r\n0\r\n\r\n", LEAK].concat()),
        ("Transfer-Encoding: chunked".into(), &[b"no chunk\r\n", LEAK].concat()),
    ] {
        let octets = [&post(&lines), body].concat();
        for parts in [parts(&[&octets]), bytewise(&octets)] {
            let leaks = read(&parts).leaks();
            assert_eq!(leaks.len(), 1, "{lines}");
            assert!(leaks[0].contains("framing"), "{lines}");
        }
        assert_eq!(read(&parts(&[&octets, CLEAN])).targets().last().unwrap(), "/clean");
    }
    for lines in ["Transfer-Encoding : chunked", "Content-Length: 5\r\nTransfer-Encoding : chunked"] {
        assert_eq!(read(&parts(&[&[&post(lines), last.as_slice()].concat()])).leaks(), [""]);
    }
    assert_eq!(read(&parts(&[&post("Content-Length: -1"), LEAK, LEAK])).leaks(), ["framing", "framing"]);
}

#[test]
fn at_most_four_ways_are_read_and_counted_once() {
    let lines: Vec<String> = (0..900).map(|length| format!("Content-Length: {length}")).collect();
    let mut heads = Vec::new();
    for _ in 0..20 {
        heads.extend(post(&lines.join("\r\n")));
    }
    let found = read(&parts(&[&heads]));
    assert!(found.http1.others.len() < MOST_READINGS);
    let chunked = [CHUNKED, b"5 \nhello\n10000000000000001\nx\r\n0\r\n\r\n"].concat();
    assert_eq!(read(&parts(&[&chunked])).counts[Count::OdditiesChunkOdd], 1);
}

/// Chunks in all spellings, many of them the same, and then perhaps something that is none.
fn random_chunks(random: &mut Random) -> Vec<u8> {
    let mut octets = CHUNKED.to_vec();
    for _ in 0..random.below(6) {
        let size = 1 + random.below(18);
        let zeros = "0".repeat(random.below(8) * random.below(2));
        let behind = random.pick(&["\r\n", "\r\n", "\n", " \r\n", ";\r\n", ";a=\"b\"\n", "\r\r\n"]);
        let begin = random.pick(&["", "", "", " ", "\t "]);
        let line = format!("{begin}{zeros}{size:x}{behind}");
        for _ in 0..=random.below(40) {
            octets.extend(line.as_bytes());
            octets.extend((0..size).map(|_| *random.pick(b"x\r\n01a")));
            octets.extend(random.pick(&[&b"\r\n"[..], b"\r\n", b"\n"]).iter());
        }
        octets.extend(random.pick(&[&b""[..], b"", b"", b"", b"x\r\n", b"\r\n", b"10000000000000001\r\nx\r\n"]).iter());
    }
    [&octets, &b"0\r\n\r\n"[..], LEAK].concat()
}

#[test]
fn chunks_that_are_whole_are_read_as_those_that_come_octet_by_octet() {
    let mut random = Random::new(96);
    let mut confirmed = 0;
    for _ in 0..300 {
        let octets = random_chunks(&mut random);
        let (mut whole, mut bytewise) = (everyhow(&octets), read(&bytewise(&octets)));
        for counts in [&mut whole.counts, &mut bytewise.counts] {
            counts[Count::ShedReadings] = 0; // ways that lead nowhere take room for as long as the octets are not there
        }
        assert_eq!(whole.counts, bytewise.counts, "{}", octets.escape_ascii());
        confirmed += usize::from(whole.leaks() == [""]);
    }
    assert!((60..280).contains(&confirmed), "{confirmed}");
}

#[test]
fn a_trailer_section_is_a_head_of_its_own() {
    let found = everyhow(&[CHUNKED, b"1\r\nx\r\n0\r\nX-MSISDN: 447700900123\r\n\r\n", CLEAN].concat());
    let trailer = found.placed[1].head().unwrap();
    assert_eq!(
        (trailer.section, trailer.text.method(), trailer.text.target()),
        (Section::Trailer, &b"POST"[..], &b"/p"[..])
    );
    assert_eq!(trailer.text.fields().collect::<Vec<_>>(), [(&b"host"[..], &b"shop.example"[..]), FIELD]);
    assert_eq!(found.targets(), ["/p", "/p", "/clean"]);
}

#[test]
fn whole_lines_around_a_gap_are_judged() {
    let cut = |octets: &[u8], less: usize| Part::Octets(octets[..octets.len() - less].to_vec());
    let octets = |octets: &[u8]| Part::Octets(octets.to_vec());
    let body = |lines: &str| octets(&post(lines));
    let rows: Vec<(Vec<Part>, &[&str])> = vec![
        (
            vec![body("Content-Length: 3000"), octets(&[0; 1000]), Part::Gap(1000), octets(&[0; 1000]), octets(LEAK)],
            &[""],
        ),
        (vec![body("Content-Length: 300"), octets(&[0; 100]), Part::Gap(1000), octets(LEAK)], &[""]),
        (vec![octets(CLEAN), Part::Gap(200), octets(LEAK)], &[""]),
        (vec![cut(CLEAN, 7), Part::Gap(9), octets(b"end\r\nX-MSISDN: 447700900123\r\n\r\n")], &["after_gap"]),
        (
            vec![octets(CLEAN), Part::Gap(9), octets(b"html\r\nX-MSISDN: 447700900123\r\n\r\n"), octets(CLEAN)],
            &["host_unknown after_gap"],
        ),
        (vec![cut(CLEAN, 30), Part::Gap(100), octets(LEAK)], &[""]),
        (vec![cut(CLEAN, 30), Part::Gap(100), octets(&[b"a body\n\nof text\n", LEAK].concat())], &["framing"]),
        (vec![cut(CLEAN, 30), Part::Gap(100), octets(&b"\x80\x81".repeat(9000)), octets(LEAK)], &[""]),
        (vec![cut(LEAK, 2), octets(b"Acc"), Part::Gap(100), octets(CLEAN)], &["incomplete"]),
        (vec![cut(LEAK, 8), Part::Gap(100), octets(CLEAN)], &[]),
        (vec![cut(LEAK, 2), octets(b"Accept: te")], &["incomplete"]),
        (vec![cut(LEAK, 4)], &[]),
        (vec![cut(LEAK, 2), Part::Gap(50), octets(b"x\r\nHost: other.example\r\nA: b\r\n\r\n")], &["incomplete"]),
    ];
    for (row, (parts, expected)) in rows.iter().enumerate() {
        assert_eq!(read(parts).leaks(), *expected, "{row}");
    }
}

#[test]
fn the_rest_of_a_cut_line_is_only_another_reading() {
    let behind = Part::Octets(b"MSISDN: 447700900123\r\nHost: shop.example\r\n\r\n".to_vec());
    let found = read(&[Part::Octets(CLEAN.to_vec()), Part::Gap(40), behind]);
    let head = found.placed[1].head().unwrap();
    assert_eq!(head.text.field_count(), 1);
    let torn: Vec<_> = head.readings.iter().flat_map(|reading| reading.text.fields()).collect();
    assert_eq!(torn, [(&b"host"[..], &b"shop.example"[..]), (b"msisdn", b"447700900123")]);
    assert_eq!(head.time_ns, 2);
}

#[test]
fn lines_beyond_the_bound_are_read_in_parts() {
    let small = Bench { limits: Limits { head_bytes: 2000, head_lines: 20, ..Limits::default() }, ..WHOLE() };
    let many: Vec<String> = (0..900).map(|n| format!("X-{n}: v")).collect();
    let leak = "X-MSISDN: 447700900123";
    let target = [b"GET /", b"u".repeat(9000).as_slice(), &LEAK[5..]].concat();
    let trailers = [CHUNKED, b"0\r\n", &b"A: b\r\n".repeat(900), leak.as_bytes(), b"\r\n\r\n"].concat();
    for (octets, count) in [
        (post(&format!("Cookie: a={}\r\n{leak}", "c".repeat(9000))), Count::ShedHeadBytes),
        (post(&format!("Cookie: a={}\r\n{leak}", "c d;".repeat(3000))), Count::ShedHeadBytes),
        (post(&format!("{}\r\n{leak}", many.join("\r\n"))), Count::ShedHeadBytes),
        (post(&format!("{}\r\n{leak}", many[..50].join("\r\n"))), Count::ShedHeadLines),
        (target, Count::ShedHeadBytes),
        (trailers, Count::ShedHeadBytes),
    ] {
        let pieces: Vec<&[u8]> = octets.chunks(100).chain([CLEAN]).collect();
        for parts in [parts(&[&[&octets, CLEAN].concat()]), parts(&pieces)] {
            let found = small.read(&parts);
            assert!(found.counts[count] > 0);
            assert_eq!(found.leaks().len(), 1);
            assert_eq!(found.targets().last().unwrap(), "/clean");
        }
    }
    let found = small.read(&parts(&[&post(&format!("{}\r\nContent-Length: 3", many.join("\r\n"))), b"abc", CLEAN]));
    assert_eq!((found.counts[Count::BodyBytes], oddities(found.heads().last().unwrap())), (3, String::new()));
}

#[test]
fn parts_that_say_much_again_are_fewer() {
    let bench = Bench { limits: Limits { head_lines: 20, ..Limits::default() }, ..WHOLE() };
    let lines = (0..50).map(|n| format!("X-{n}: v\r\n")).collect::<Vec<_>>().concat();
    let long = "h".repeat(4096);
    for (octets, sizes) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"), &[20, 21, 12][..]),
        (format!("GET / HTTP/1.1\r\nHost: {long}\r\n{lines}\r\n"), &[40, 12]),
        (format!("CONNECT {long}:80 HTTP/1.1\r\nHost: a\r\n{lines}\r\n"), &[40, 12]),
        (format!("POST /{long} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{lines}\r\n"), &[1, 40, 10]),
    ] {
        let found = bench.read(&parts(&[octets.as_bytes()]));
        assert_eq!(found.heads().map(|head| head.text.field_count()).collect::<Vec<_>>(), sizes);
    }
}

#[test]
fn a_head_without_end_does_not_fill_the_memory() {
    let small =
        Bench { limits: Limits { head_bytes: 2000, head_lines: 20, ..Limits::default() }, finish: false, ..WHOLE() };
    let hosts = b"Host: a\r\n".repeat(100);
    let found = small
        .read(&(0..50).map(|_| Part::Octets([b"GET / HTTP/1.1\r\n", hosts.as_slice()].concat())).collect::<Vec<_>>());
    assert!(found.heads().all(|head| head.text.field_count() <= 20 + 64));
}

/// Streams of requests, some hostile.
fn stream(random: &mut Random) -> Vec<u8> {
    let pieces: [&[u8]; 24] = [
        LEAK,
        CLEAN,
        CHUNKED,
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"junk",
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Upgrade: x\r\n",
        b"A: b\r\n c\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"PROXY x\r\n",
        b"\0",
        b"FROB /\rx HTTP/1.1\r\n",
        b"ffffffffffffffff\r\n",
        b"hello",
        b"\r\r",
    ];
    (0..random.below(12)).flat_map(|_| random.pick(&pieces).to_vec()).collect()
}

#[test]
fn no_traffic_is_an_error() {
    let mut random = Random::new(5);
    let mut heads = 0;
    for turn in 0..6_000 {
        let octets = stream(&mut random);
        let mut segments = Vec::new();
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            let (segment, behind) = rest.split_at((1 + random.below(80)).min(rest.len()));
            segments.push(if random.below(9) > 0 {
                Part::Octets(segment.to_vec())
            } else {
                Part::Gap(segment.len() as i64)
            });
            rest = behind;
        }
        let limits = if turn % 3 == 0 {
            Limits { head_bytes: 150, head_lines: 3, ..Limits::default() }
        } else {
            Limits::default()
        };
        let found = Bench { limits, midstream: turn % 5 == 0, finish: true }.read(&segments);
        assert!(found.placed.iter().all(|placed| placed.start <= placed.end));
        heads += found.placed.len();
    }
    assert!(heads > 4_000, "{heads}");
}

#[test]
fn segments_may_end_anywhere() {
    let mut random = Random::new(6);
    for _ in 0..300 {
        let pieces = [
            LEAK,
            CLEAN,
            &[CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"].concat(),
            &[&post("Content-Length: 5"), &b"GET /"[..]].concat(),
        ];
        let octets: Vec<u8> = (0..=random.below(5)).flat_map(|_| random.pick(&pieces).to_vec()).collect();
        let found = everyhow(&octets);
        assert_eq!(found.http1.start(), START + octets.len() as i64);
        assert!(found.heads().all(|head| head.certainty == Certainty::Confirmed));
    }
}
