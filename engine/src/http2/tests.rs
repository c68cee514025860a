//! Cleartext HTTP/2, by talks of frames as an encoder without tables or with one makes them.

use super::frames::{FURTHEST, PADDED, PING, PRIORITISED, SETTINGS};
use super::messages::{Fields, OPEN_STREAMS};
use super::*;
use crate::records::{Certainty, RequestHead, Section};
use crate::testing::Random;

const NUMBER: &str = "447700900123";
const REQUEST: [(&str, &str); 5] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "shop.example"),
    (":path", "/a?b=1"),
    ("x-msisdn", NUMBER),
];
const WHOLE: u8 = END_STREAM | END_HEADERS;

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn known(head: &RequestHead) -> Fields {
    head.text.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// Literals without indexing (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (name, value) in fields {
        octets.push(0);
        for text in [name, value] {
            octets.push(u8::try_from(text.len()).unwrap());
            octets.extend(text.as_bytes());
        }
    }
    octets
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn headers(fields: &[(&str, &str)], flags: u8, stream: u32) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

fn request(stream: u32) -> Vec<u8> {
    headers(&REQUEST, WHOLE, stream)
}

fn from_preface(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, b""), &frames.concat()].concat()
}

/// Http2 with all that is handed to it.
struct Witness {
    http2: Http2,
    limits: Limits,
    counts: Counts,
    /// What a gap cut.
    cut: Vec<PlacedHead>,
}

impl Witness {
    fn new(limits: Limits) -> Witness {
        let flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 3 };
        let path = [Layer { kind: "gtpu", number: 7 }];
        Witness { http2: Http2::new(&limits, flow, &path, 0), limits, counts: Counts::default(), cut: Vec::new() }
    }

    fn feed(&mut self, octets: &[u8], step: usize) -> Vec<RequestHead> {
        let mut heads = mem::take(&mut self.cut);
        for piece in octets.chunks(step) {
            self.http2.feed(piece, 7, &self.limits, &mut self.counts, &mut heads);
        }
        heads.into_iter().filter_map(|placed| placed.head().cloned()).collect()
    }

    fn gap(&mut self, missing: usize) {
        self.http2.gap(missing, &self.limits, &mut self.counts, &mut self.cut);
    }

    fn finish(&mut self) -> Vec<RequestHead> {
        let mut heads = mem::take(&mut self.cut);
        self.http2.finish(&self.limits, &mut self.counts, &mut heads);
        heads.into_iter().filter_map(|placed| placed.head().cloned()).collect()
    }

    fn counted(&self) -> Vec<(&str, u64)> {
        self.counts.iter().filter(|&(_, value)| value != 0).collect()
    }
}

fn witness() -> Witness {
    Witness::new(Limits::default())
}

fn seen(octets: &[u8]) -> Vec<RequestHead> {
    witness().feed(octets, usize::MAX)
}

#[test]
fn a_talk_is_read_whole_however_it_is_cut() {
    let talk = from_preface(&[
        request(1),
        headers(&REQUEST, END_HEADERS, 3),
        frame(0xFA, 0, 77, &[b'?'; 300]),
        frame(DATA, 0, 3, b"GET / HTTP/1.1\r\nx-msisdn: 447700900124\r\n\r\n"),
        frame(PING, 0, 0, b"12345678"),
        headers(&[("x-trailing", NUMBER)], WHOLE, 3),
    ]);
    for step in [1, 2, 7, 24, 25, usize::MAX] {
        let mut witness = witness();
        let heads = witness.feed(&talk, step);
        assert_eq!(heads.len(), 3);
        for head in &heads[..2] {
            assert_eq!((head.text.method(), head.text.target()), (&b"GET"[..], &b"/a?b=1"[..]));
            assert_eq!((head.text.version(), head.section), (&b"HTTP/2"[..], Section::Head));
            assert_eq!((head.time_ns, head.path[0].number), (7, 7));
            assert_eq!(known(head), fields(&REQUEST));
            assert!(head.oddities.is_empty());
        }
        assert_eq!(heads[2].section, Section::Trailer);
        assert_eq!(heads[2].text.target(), b"/a?b=1");
        assert_eq!(known(&heads[2]), fields(&[(":authority", "shop.example"), ("x-trailing", NUMBER)]));
        assert!(witness.counted().is_empty());
        assert_eq!(witness.http2.bodies, 42);
    }
}

#[test]
fn a_block_is_put_together_from_continuations_padding_and_priority() {
    let block = block(&REQUEST);
    let padded = [b"\x05\0\0\0\0\x10", &block[..3], &[0; 5]].concat();
    let talk = from_preface(&[
        frame(HEADERS, END_STREAM | PADDED | PRIORITISED, 1, &padded),
        frame(CONTINUATION, 0, 1, b""),
        frame(CONTINUATION, 0, 1, &block[3..9]),
        frame(CONTINUATION, END_HEADERS, 1, &block[9..]),
    ]);
    for step in [1, 5, usize::MAX] {
        let heads = witness().feed(&talk, step);
        assert_eq!(heads.len(), 1);
        assert_eq!((known(&heads[0]), heads[0].oddities), (fields(&REQUEST), Oddities::default()));
    }
}

#[test]
fn connect_names_its_authority_as_target() {
    let connect = [(":method", "CONNECT"), (":authority", "shop.example:443")];
    let websocket = [&connect[..], &[(":path", "/chat")]].concat();
    let heads = seen(&from_preface(&[headers(&connect, WHOLE, 1), headers(&websocket, WHOLE, 3)]));
    assert_eq!(heads[0].text.target(), b"shop.example:443");
    assert_eq!(heads[1].text.target(), b"/chat");
}

#[test]
fn oddities_are_named() {
    type Sent = [(&'static str, &'static str)];
    let cases: [(&Sent, &[Oddity]); 11] = [
        (&[(":authority", "a.example")], &[]),
        (&[("host", "a.example")], &[]),
        (&[(":authority", "a.example"), ("host", "A.example")], &[]),
        (&[(":authority", "a.example"), ("host", "b.example")], &[Oddity::HostMismatch]),
        (&[(":authority", "a.example"), (":authority", "b.example")], &[Oddity::Host]),
        (&[("host", "a.example"), ("host", "b.example")], &[Oddity::Host]),
        (&[], &[Oddity::HostMissing]),
        (&[("host", "a.example"), ("X-Msisdn", "1")], &[Oddity::OddName]),
        (&[("host", "a.example"), ("x y", "1")], &[Oddity::OddName]),
        (&[("host", "a.example"), ("x", "a\0b\tc")], &[Oddity::Nul]),
        (&[("host", "a.example"), ("x", "a\r\nb")], &[Oddity::Control]),
    ];
    for (sent, oddities) in cases {
        let mut witness = witness();
        let sent = [&[(":method", "GET"), (":path", "/")], sent].concat();
        let heads = witness.feed(&from_preface(&[headers(&sent, WHOLE, 1)]), usize::MAX);
        assert_eq!(heads[0].oddities, Oddities::of(oddities));
        assert_eq!(heads[0].certainty == Certainty::Ambiguous, oddities.contains(&Oddity::Host));
    }
}

#[test]
fn values_lose_the_white_space_around_them() {
    let heads = seen(&from_preface(&[headers(&[(":method", "GET"), ("HOST", " a. b\t "), ("x", " \t")], WHOLE, 1)]));
    assert_eq!(known(&heads[0])[1..], fields(&[("host", "a. b"), ("x", "")]));
}

#[test]
fn midstream_begins_with_the_next_two_frames_that_fit() {
    let talk = [b"the end of a body \0\0\x05 ", request(3).as_slice(), &request(5)].concat();
    for step in [1, 13, usize::MAX] {
        let mut witness = witness();
        assert_eq!(witness.feed(&talk, step).len(), 2);
        assert_eq!(witness.counts[Count::BlindMidstream], 1);
    }
    let far = [(1..=255).cycle().take(100_000).collect(), request(3), request(5)].concat();
    assert_eq!(witness().feed(&far, 1460).len(), 2);
}

#[test]
fn the_last_frame_of_all_is_believed_when_it_ends_where_the_talk_ends() {
    let mut witness = witness();
    assert!(witness.feed(&[b"tail of a body", request(1).as_slice()].concat(), usize::MAX).is_empty());
    assert_eq!(known(&witness.finish()[0]), fields(&REQUEST));
    assert!(witness.finish().is_empty());
}

#[test]
fn looking_is_bounded() {
    let mut witness = witness();
    for _ in 0..300 {
        assert!(witness.feed(&b"\0\x40\0\0\0\0\0\0\x01".repeat(1000), usize::MAX).is_empty());
        let seeker = witness.http2.seeker.as_ref().unwrap();
        assert!(seeker.held.len() <= 2 * FURTHEST + 9000);
        assert!(seeker.candidates.len() <= FURTHEST);
    }
}

#[test]
fn a_gap_inside_a_body_loses_nothing() {
    let mut witness = witness();
    let body = frame(DATA, 0, 1, &[0; 9000]);
    let before = from_preface(&[headers(&REQUEST, END_HEADERS, 1), body[..3000].to_vec()]);
    assert_eq!(witness.feed(&before, usize::MAX).len(), 1);
    witness.gap(9009 - 3000);
    assert_eq!(witness.feed(&request(3), usize::MAX).len(), 1);
    assert!(witness.counted().is_empty());
    assert_eq!(witness.http2.bodies, 2991);
}

#[test]
fn a_gap_inside_a_block_shows_the_fields_before_it() {
    let octets = request(1);
    let mut witness = witness();
    witness.feed(&from_preface(&[octets[..octets.len() - 3].to_vec()]), usize::MAX);
    witness.gap(2);
    let heads = witness.feed(&[&octets[octets.len() - 1..], &request(3)].concat(), usize::MAX);
    assert_eq!(known(&heads[0]), fields(&REQUEST[..4]));
    assert_eq!(heads[0].oddities, Oddities::of(&[Oddity::Incomplete]));
    assert_eq!(known(&heads[1]), fields(&REQUEST));
    assert_eq!(witness.counted(), [("blind.head_incomplete", 1)]);
}

#[test]
fn a_gap_over_frames_forgets_the_table_and_looks_for_the_next() {
    let mut witness = witness();
    let indexed = [&[0x40][..], &block(&[("x-a", "1")])[1..]].concat();
    let short = frame(HEADERS, WHOLE, 3, b"\x82\xBE");
    witness.feed(&from_preface(&[frame(HEADERS, WHOLE, 1, &indexed), short.clone(), request(5)[..5].to_vec()]), 99);
    witness.gap(500);
    let heads = witness.feed(&[b"a body", short.as_slice(), &request(7)].concat(), usize::MAX);
    assert_eq!(known(&heads[0]), fields(&[(":method", "GET")]));
    assert_eq!(heads[0].oddities, Oddities::of(&[Oddity::HpackUnresolved, Oddity::HostUnknown]));
    assert_eq!(known(&heads[1]), fields(&REQUEST));
}

#[test]
fn a_block_beyond_the_bound_is_read_up_to_it() {
    let block = [block(&REQUEST), block(&[("x-long", &"y".repeat(90))]).repeat(100)].concat();
    let mut parts = vec![frame(HEADERS, END_STREAM, 1, b"")];
    parts.extend(block.chunks(100).map(|part| frame(CONTINUATION, 0, 1, part)));
    parts.push(frame(CONTINUATION, END_HEADERS, 1, b""));
    for talk in [vec![frame(HEADERS, WHOLE, 1, &block)], parts] {
        let mut witness = Witness::new(Limits { head_bytes: 2000, ..Limits::default() });
        let heads = witness.feed(&from_preface(&[talk.concat(), request(3)]), 700);
        assert_eq!(known(&heads[0])[..5], fields(&REQUEST));
        assert!((10..30).contains(&known(&heads[0]).len()));
        assert_eq!(heads[0].oddities, Oddities::of(&[Oddity::Long]));
        assert_eq!(known(&heads[1]), fields(&REQUEST));
        assert_eq!(witness.counts[Count::ShedHeadBytes], 1);
    }
}

#[test]
fn many_fields_and_great_ones_are_bounded() {
    let limits = Limits::default();
    let many = frame(HEADERS, WHOLE, 1, &[0x82; 5000]);
    let bomb = [&[0x40, 1, b'x', 0x7F, 0xA1, 0x16][..], &[b'y'; 2976], &[0xBE; 15_000]].concat();
    let bomb = frame(HEADERS, WHOLE, 3, &bomb);
    let mut witness = witness();
    let heads = witness.feed(&from_preface(&[many, bomb]), usize::MAX);
    assert_eq!(known(&heads[0]).len(), limits.head_lines);
    assert!(known(&heads[1]).iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= limits.head_bytes);
    assert!(heads.iter().all(|head| head.oddities.contains(Oddity::Long)));
    assert_eq!((witness.counts[Count::ShedHeadLines], witness.counts[Count::ShedHpack]), (1, 1));
}

#[test]
fn a_continuation_flood_holds_nothing() {
    let mut witness = Witness::new(Limits { head_bytes: 1000, ..Limits::default() });
    witness.feed(&from_preface(&[headers(&REQUEST, 0, 1)]), usize::MAX);
    for _ in 0..300 {
        assert!(witness.feed(&frame(CONTINUATION, 0, 1, &[0x82; 100]), usize::MAX).is_empty());
    }
    assert_eq!(witness.http2.block.as_ref().unwrap().octets.len(), 1000);
}

#[test]
fn open_requests_are_bounded_and_ended_ones_forgotten() {
    let mut witness = witness();
    witness.feed(&from_preface(&[]), usize::MAX);
    let streams: Vec<u32> = (0..OPEN_STREAMS as u32 + 10).map(|turn| 2 * turn + 1).collect();
    for &stream in &streams {
        witness.feed(&headers(&REQUEST, END_HEADERS, stream), usize::MAX);
    }
    assert_eq!(witness.http2.messages.requests.len(), OPEN_STREAMS);
    assert_eq!(witness.counts[Count::ShedHttp2Streams], 10);
    let trailers = [headers(&[("x-a", "1")], WHOLE, 1), headers(&[("x-a", "1")], WHOLE, 21)];
    let heads = witness.feed(&trailers.concat(), usize::MAX);
    assert_eq!(known(&heads[0]), fields(&[("x-a", "1")]));
    assert_eq!(known(&heads[1]), fields(&[(":authority", "shop.example"), ("x-a", "1")]));
    witness.feed(&[frame(RST_STREAM, 0, 23, &[0; 4]), frame(DATA, END_STREAM, 25, b"")].concat(), usize::MAX);
    assert_eq!(witness.http2.messages.requests.len(), OPEN_STREAMS - 3);
}

#[test]
fn a_block_that_is_malformed_or_never_ends_is_read_and_the_talk_goes_on() {
    let malformed = frame(HEADERS, WHOLE, 1, &[block(&REQUEST), vec![0x80]].concat());
    for first in [malformed, headers(&REQUEST, END_STREAM, 1)] {
        let heads = seen(&from_preface(&[first, request(3)]));
        assert_eq!(known(&heads[0]), known(&heads[1]));
        assert_eq!(heads[0].oddities, Oddities::of(&[Oddity::Incomplete]));
        assert!(heads[1].oddities.is_empty());
    }
}

#[test]
fn heads_and_counts_do_not_depend_on_the_cutting_and_nothing_panics() {
    let mut random = Random::new(9113);
    for _ in 0..3000 {
        let mut talk = if random.below(2) == 0 { PREFACE.to_vec() } else { Vec::new() };
        for _ in 0..random.below(12) {
            let stream = *random.pick(&[0, 1, 2, 3, 5, 1 << 31]);
            let flags = *random.pick(&[0, 1, 4, 5, 8, 0x20, 0x2D, 255]);
            talk.extend(match random.below(3) {
                0 => headers(&REQUEST, flags & WHOLE, stream),
                1 => frame(random.below(12) as u8, flags, stream, &random.octets(40)),
                _ => random.octets(40),
            });
        }
        let limits = Limits { head_bytes: *random.pick(&[60, 4096]), ..Limits::default() };
        let (mut whole, mut cut) = (Witness::new(limits.clone()), Witness::new(limits));
        let hole = random.below(2) * random.below(60);
        let place = random.below(talk.len() + 1);
        for part in [&talk[..place], &talk[place..]] {
            assert_eq!(whole.feed(part, usize::MAX), cut.feed(part, 1 + random.below(50)));
            whole.gap(hole);
            cut.gap(hole);
        }
        assert_eq!(whole.finish(), cut.finish());
        assert_eq!(whole.counts, cut.counts);
    }
}

const INSIDE: &[u8] = b"GET /in HTTP/1.1\r\nHost: shop.example\r\n\r\n";

fn connect(more: &[(&str, &str)]) -> Vec<u8> {
    headers(&[&[(":method", "CONNECT"), (":authority", "shop.example:80")], more].concat(), END_HEADERS, 1)
}

fn targets(heads: &[RequestHead]) -> Vec<String> {
    heads.iter().map(|head| head.text.target().escape_ascii().to_string()).collect()
}

#[test]
fn what_a_tunnel_carries_is_read() {
    let padded = [b"\x02", &INSIDE[9..], b"??"].concat();
    let parts = [connect(&[]), frame(DATA, 0, 1, &INSIDE[..9]), request(3), frame(DATA, PADDED, 1, &padded)];
    for step in [1, 7, 10_000] {
        let mut witness = Witness::new(Limits::default());
        let heads = witness.feed(&from_preface(&parts), step);
        assert_eq!(targets(&heads), ["shop.example:80", "/a?b=1", "/in"]);
        assert!(heads[2].oddities.contains(Oddity::InConnect));
        witness.gap(40);
        let behind = [frame(DATA, 0, 1, INSIDE), frame(SETTINGS, 0, 0, b"")].concat();
        assert_eq!(targets(&witness.feed(&behind, step)), ["/in"]);
    }
}

#[test]
fn a_tunnel_goes_on_behind_a_gap_in_a_frame_and_behind_a_frame_too_long_to_be_seen_whole() {
    let mut witness = Witness::new(Limits::default());
    witness.feed(&from_preface(&[connect(&[])]), 10_000);
    witness.feed(&frame(DATA, 0, 1, &[b'x'; 60])[..30], 10_000);
    witness.gap(39);
    let inside = [frame(DATA, 0, 1, INSIDE), frame(SETTINGS, 0, 0, b"")].concat();
    assert_eq!(targets(&witness.feed(&inside, 10_000)), ["/in"]);
    witness.feed(&frame(DATA, 0, 1, &[b'x'; 300_000]), 10_000);
    assert_eq!(targets(&witness.feed(&inside, 10_000)), ["/in"]);
    assert_eq!(witness.counts[Count::ShedHeadBytes], 1);
}

#[test]
fn what_a_tunnel_keeps_does_not_grow() {
    let mut witness = Witness::new(Limits::default());
    witness.feed(&from_preface(&[connect(&[]), frame(DATA, 0, 1, PREFACE)]), 10_000);
    let settings = frame(DATA, 0, 1, &frame(SETTINGS, 0, 0, b"").repeat(100));
    let weights: Vec<_> = (0..300)
        .map(|_| {
            witness.feed(&settings, 10_000);
            witness.http2.weight()
        })
        .collect();
    assert!(weights[30..].iter().max() <= weights[..30].iter().max());
}

#[test]
fn a_tunnel_ends_with_its_stream() {
    for end in [frame(DATA, END_STREAM, 1, b""), frame(RST_STREAM, 0, 1, &[0; 4])] {
        let parts = [connect(&[]), frame(DATA, 0, 1, &INSIDE[..INSIDE.len() - 2]), end, frame(DATA, 0, 1, INSIDE)];
        let heads = Witness::new(Limits::default()).feed(&from_preface(&parts), 10_000);
        assert_eq!(targets(&heads), ["shop.example:80", "/in"]);
        assert!(heads[1].oddities.contains(Oddity::Incomplete));
    }
}

#[test]
fn no_tunnel_is_read_in_another_nor_what_is_a_websocket() {
    let inner = [PREFACE.to_vec(), connect(&[]), frame(DATA, 0, 1, INSIDE)].concat();
    let websocket = connect(&[(":protocol", "websocket"), (":path", "/")]);
    for parts in [[connect(&[]), frame(DATA, 0, 1, &inner)], [websocket, frame(DATA, 0, 1, INSIDE)]] {
        let heads = Witness::new(Limits::default()).feed(&from_preface(&parts), 10_000);
        assert!(heads.iter().all(|head| head.text.method() == b"CONNECT"));
    }
}
