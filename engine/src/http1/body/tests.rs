//! The table of docs/request-head.md.

use super::*;
use crate::http1::field_lines::field_lines;
use crate::http1::request_head::request_line;

fn of(line: &[u8], block: &[u8]) -> Lengths {
    let found = field_lines(&request_line(line).unwrap(), block);
    lengths(&found.text, found.oddities, found.hidden.as_deref())
}

const fn octets(size: u64) -> Extent {
    Extent::Octets(size)
}

const CHUNKED: Extent = Extent::Chunked;
const NOTHING: Extent = octets(0);
const WITHOUT_END: Extent = octets(ENDLESS);

#[test]
fn receivers_take_these_lengths() {
    type Row<'a> = (&'a [u8], &'a [Extent], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        (b"A: b\r\n", &[NOTHING], &[]),
        (b"Content-Length: 17\r\n", &[octets(17)], &[]),
        (b"Content-Length: 0\r\n", &[NOTHING], &[]),
        (b"Content-Length: 999999999999999999\r\n", &[octets(999_999_999_999_999_999)], &[]),
        (b"Content-Length: 5, 5\r\n", &[octets(5)], &["cl_twice"]),
        (b"Content-Length: 5\r\ncontent-length: 7\r\n", &[octets(5), octets(7)], &["cl_twice"]),
        (b"Content-Length: +5\r\n", &[octets(5), NOTHING], &["cl_odd"]),
        (b"Content-Length: 5 apples 6\r\n", &[octets(5), NOTHING], &["cl_odd"]),
        (b"Content-Length: apples\r\n", &[NOTHING], &["cl_odd"]),
        (b"Content-Length:\r\n", &[NOTHING], &["cl_odd"]),
        (b"Content-Length: -5\r\n", &[WITHOUT_END, NOTHING], &["cl_odd"]),
        (b"Content-Length: -\r\n", &[NOTHING], &["cl_odd"]),
        (b"Content-Length: 1000000000000000000\r\n", &[WITHOUT_END, NOTHING], &["cl_odd"]),
        (b"Content-Length: 5,\r\n", &[octets(5), NOTHING], &["cl_twice", "cl_odd"]),
        (b"Content-Length: 05\r\n", &[octets(5)], &["cl_odd"]),
        (b"Content-Length: 0\r\nExpect: 100-continue\r\n", &[NOTHING], &["cl_odd"]),
        (b"A : b\r\nContent-Length: 0\r\nExpect: 100-continue\r\n", &[NOTHING], &["cl_odd"]),
        (b"Content-Length: 5\r\nExpect: 100-continue\r\n", &[octets(5)], &[]),
        (b"Content_Length: 5\r\n", &[octets(5), NOTHING], &[]),
        (b"Transfer-Encoding: chunked\r\n", &[CHUNKED], &[]),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: Chun ked\r\n", &[CHUNKED], &[]),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &[CHUNKED, octets(5)], &["cl_and_te"]),
        (b"Transfer-Encoding: identity\r\n", &[NOTHING], &[]),
        (b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", &[octets(5)], &["cl_and_te"]),
        (b"Transfer-Encoding: gzip\r\n", &[CHUNKED, NOTHING], &["te_odd"]),
        (b"Transfer-Encoding: chunked, chunked\r\n", &[CHUNKED, NOTHING], &["te_odd"]),
        (b"Transfer-Encoding: chunked, gzip\r\n", &[CHUNKED, NOTHING], &["te_odd"]),
        (b"Transfer-Encoding:\r\nContent-Length: 5\r\n", &[CHUNKED, octets(5), NOTHING], &["cl_and_te", "te_odd"]),
        (b"Transfer-Encoding : chunked\r\n", &[CHUNKED, NOTHING], &[]),
        (b"Transfer-Encoding: chunked\r\n x\r\n", &[CHUNKED, NOTHING], &["te_odd"]),
        (b"Transfer-Encoding: identity, chunked\r\n", &[CHUNKED, NOTHING], &["te_odd"]),
        (b"A: b\r\n Content_Length: 5\r\n", &[NOTHING, octets(5)], &[]),
        (b"A: b\rTransfer-Encoding: gzip, Chunked\r\n", &[NOTHING, CHUNKED], &[]),
        (b"\x0bContent-Length: 5\r\nTransfer\0-Encoding;: chunked\r\n", &[NOTHING, octets(5), CHUNKED], &[]),
        (b"Content-Length: 1\r\n 0\r\n", &[octets(1), NOTHING, octets(10)], &["cl_odd"]),
        (b"Content-Length: 5\r\nConnection: close, content-length\r\n", &[octets(5), NOTHING], &[]),
        (b"A: b\r\n Host: c\r\n", &[NOTHING], &[]),
        (b"Content-Length: 5\r\nX(: y\r\n", &[octets(5), NOTHING], &[]),
        (b"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", &[CHUNKED, octets(5), NOTHING], &["cl_and_te"]),
    ];
    for &(block, expected, oddities) in rows {
        let found = of(b"POST / HTTP/1.1", block);
        let extents: Vec<_> = [found.first].into_iter().chain(found.others.iter().copied()).collect();
        assert_eq!(extents, expected, "{}", block.escape_ascii());
        let names: Vec<_> = found.oddities.iter().map(Oddity::name).collect();
        assert_eq!(names, oddities, "{}", block.escape_ascii());
        assert_eq!(found.may_be_body(), expected != [NOTHING]);
    }
}

#[test]
fn few_receivers_read_the_digits_otherwise() {
    let rows: &[(&[u8], &[u64])] = &[
        (b"Content-Length: 4294967295\r\n", &[]),
        (b"Content-Length: 4294967301\r\n", &[5]),
        (b"Content-Length: 18446744078004518917\r\n", &[(1 << 32) + 5, 5]),
        (b"Content-Length: -4294967301\r\n", &[]),
        (b"Content-Length: 010, 4294967297\r\n", &[8, 1]),
        (b"Content-Length: 08\r\n", &[]),
        (b"Content-Length: 0x1F\r\n", &[31]),
        (b"Content-Length: 0x\r\n", &[]),
        (b"Content_Length: 0x1234567890abcdef\r\n", &[]),
    ];
    for &(block, misread) in rows {
        assert_eq!(of(b"POST / HTTP/1.1", block).misread.to_vec(), misread, "{}", block.escape_ascii());
    }
}

#[test]
fn method_and_version_have_a_say() {
    let chunked = b"Transfer-Encoding: chunked\r\n";
    assert_eq!(of(b"CONNECT a:1 HTTP/1.1", chunked), NO_BODY);
    let old = of(b"POST / HTTP/1.0", chunked);
    assert_eq!(
        (old.first, old.others.to_vec(), old.oddities),
        (CHUNKED, vec![NOTHING], Oddities::of(&[Oddity::TeOdd]))
    );
    for (line, block, is_odd) in [
        (&b"GET / HTTP/1.1"[..], &chunked[..], true),
        (b"HEAD / HTTP/1.1", b"Content-Length: 5\r\n", true),
        (b"GET / HTTP/1.1", b"Content-Length: 0\r\n", false),
        (b"get / HTTP/1.1", b"Content-Length: 5\r\n", false),
    ] {
        assert_eq!(of(line, block).oddities.contains(Oddity::BodyOfGet), is_odd);
    }
}

#[test]
fn a_chunk_size_line_says_how_long_the_chunk_is() {
    let sizes: &[(&[u8], u64)] = &[
        (b"0\r", 0),
        (b"5", 5),
        (b" \t1a2B \t\r", 0x1A2B),
        (b"5;name=\"v\"\r", 5),
        (b"5 ;\rx", 5),
        (b"ffffffff\r", u64::from(u32::MAX)),
        (b"00000000000000000000000000000000000000000000000000000000000000ff\r", 255),
    ];
    for &(line, size) in sizes {
        let found = chunk_size(line).unwrap();
        assert_eq!((found.size, found.wraps().count()), (size, 0), "{}", line.escape_ascii());
    }
    let too_large: &[(&[u8], u64, &[u64])] = &[
        (b"100000000", 1 << 32, &[0]),
        (b"100000005", (1 << 32) + 5, &[5]),
        (b"7fffffffffffffff\r", ENDLESS - 1, &[u64::from(u32::MAX)]),
        (b"8000000000000000", ENDLESS, &[0]),
        (b"10000000000000005\r", ENDLESS, &[5]),
        (b"10000000100000005\r", ENDLESS, &[(1 << 32) + 5, 5]),
        (b"ffffffffffffffffffff", ENDLESS, &[u64::from(u32::MAX)]),
    ];
    for &(line, size, wrapped) in too_large {
        let found = chunk_size(line).unwrap();
        assert_eq!(
            (found.size, found.wraps().collect::<Vec<_>>()),
            (size, wrapped.to_vec()),
            "{}",
            line.escape_ascii()
        );
    }
    for line in [&b""[..], b"\r", b"x", b"5x", b"5\r\r", b"5 6", b"-5", &b"0".repeat(65)] {
        assert_eq!(chunk_size(line), None, "{}", line.escape_ascii());
    }
}

#[test]
fn no_more_lengths_are_kept_than_there_can_be_ways() {
    let found = of(b"POST / HTTP/1.1", b"Content-Length: 1, 2, 3, 4, 5, 6, 5, 6, 1, 0\r\nA : b\r\n");
    assert_eq!(
        (found.first, found.others.to_vec(), found.left_out),
        (octets(1), vec![octets(2), octets(3), octets(4)], 3)
    );
}

#[test]
fn none_is_one_length_more_and_only_once() {
    let others = |lines: &[u8]| {
        let mut found = of(b"POST / HTTP/1.1", lines);
        found.or_none();
        found.others.to_vec()
    };
    assert_eq!(others(b"Content-Length: 5\r\n"), [NOTHING]);
    assert_eq!(others(b"Content-Length : 5\r\n"), [NOTHING]);
    assert_eq!(others(b"Content-Length: 1, 2, 3, 4, 5, 0\r\n").len(), 3);
    assert_eq!(others(b"A: b\r\n"), []);
}

#[test]
fn what_is_beyond_the_room_for_ways_is_counted() {
    let found = of(b"POST / HTTP/1.1", b"Content-Length: 0x1, 0x2, 0x3, 0x4, 0x5, 0x5\r\n");
    assert_eq!((found.misread.to_vec(), found.left_out), (vec![1, 2, 3], 2));
}

#[test]
fn a_body_that_waits_for_an_answer_may_never_come() {
    let may_stay_away = |block: &[u8]| of(b"POST / HTTP/1.1", block).may_stay_away;
    assert!(may_stay_away(b"Content-Length: 5\r\nExpect: 100-continue\r\n"));
    assert!(may_stay_away(b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"));
    assert!(!may_stay_away(b"Content-Length: 5\r\n"));
    assert!(!may_stay_away(b"Content-Length: 0\r\nExpect: 100-continue\r\n"));
    assert!(!may_stay_away(b"Content-Length: +5\r\nExpect: 100-continue\r\n"));
}

#[test]
fn some_take_these_sizes_of_chunks() {
    let rows: &[(&[u8], Option<u64>, Option<u64>)] = &[
        (b"1f octets\r", Some(0x1f), Some(0x1f)),
        (b" +0x1f\r", None, Some(0x1f)),
        (b"0x1f", Some(0), Some(0x1f)),
        (b"0x", Some(0), Some(0)),
        (b"1_f", Some(1), Some(0x1f)),
        (b"0_0", Some(0), Some(0)),
        (b"0x123456789", None, None),
        (b"123456789_1", None, None),
        (b"1_23456789", Some(1), Some(1)),
        (b"?", None, None),
        (b"", None, None),
    ];
    for (line, digits, number) in rows {
        let found = odd_chunk_size(line);
        assert_eq!(
            (found.0.map(|it| it.size), found.1.map(|it| it.size)),
            (*digits, *number),
            "{}",
            line.escape_ascii()
        );
    }
}
