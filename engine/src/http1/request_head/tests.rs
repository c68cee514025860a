//! Lines as docs/request-head.md has them.

use super::*;
use crate::early::Rooms;
use crate::http1::field_lines::{field_lines, looks_like_field, odd_field_lines};
use crate::http1::octets::word_at_end;
use crate::records::HeadText;
use crate::testing::Random;

fn names(oddities: Oddities) -> Vec<&'static str> {
    oddities.iter().map(Oddity::name).collect()
}

type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

fn fields(text: &HeadText) -> Fields<'_> {
    text.fields().collect()
}

const LINE: RequestLine<'_> =
    RequestLine { method: b"GET", target: b"/", version: b"HTTP/1.1", oddities: Oddities::of(&[]), together: b"" };

fn read(block: &[u8]) -> FieldLines {
    field_lines(&LINE, block)
}

fn head_of(line: &[u8], block: &[u8]) -> RequestHead {
    let flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 0 };
    make_head(7, flow, &[], field_lines(&request_line(line).unwrap(), block), Oddities::default())
}

#[test]
fn a_request_line_has_three_parts() {
    type Parts<'a> = (&'a [u8], [&'a [u8]; 3], &'a [&'a str]);
    let lines: &[Parts<'_>] = &[
        (b"GET / HTTP/1.1", [b"GET", b"/", b"HTTP/1.1"], &[]),
        (b"GET / HTTP/1.1\r", [b"GET", b"/", b"HTTP/1.1"], &[]),
        (b"FROB /a?b HTTP/1.0", [b"FROB", b"/a?b", b"HTTP/1.0"], &[]),
        (b"M-S!E#A$R'C*H x HTTP/1.0", [b"M-S!E#A$R'C*H", b"x", b"HTTP/1.0"], &[]),
        (b"G(T / HTTP/1.1", [b"G(T", b"/", b"HTTP/1.1"], &["odd_method"]),
        (b"GET  /\tHTTP/1.1", [b"GET", b"/", b"HTTP/1.1"], &["request_line_space"]),
        (b" GET / HTTP/1.1", [b"GET", b"/", b"HTTP/1.1"], &["request_line_space"]),
        (b"GET / HTTP/1.1 ", [b"GET", b"/", b"HTTP/1.1"], &["request_line_space"]),
        (b"GET / HTTP/1.1 \r", [b"GET", b"/", b"HTTP/1.1"], &["request_line_space"]),
        (b"GET /my pictures HTTP/1.1", [b"GET", b"/my pictures", b"HTTP/1.1"], &["odd_target"]),
        (b"GET /\xff HTTP/1.1", [b"GET", b"/\xff", b"HTTP/1.1"], &["odd_target"]),
        (b"GET / HTTP/01.1", [b"GET", b"/", b"HTTP/01.1"], &["odd_version"]),
        (b"  GET   /a b\t http/9 ", [b"GET", b"/a b", b"http/9"], &["odd_target", "odd_version", "request_line_space"]),
        (b"GET HTTP/1.1", [b"GET", b"", b"HTTP/1.1"], &[]),
        (b"get /x", [b"get", b"/x", b""], &["not_http"]),
        (b"GET http://shop.example", [b"GET", b"http://shop.example", b""], &["not_http"]),
        (b"GET shop.example:80", [b"GET", b"shop.example:80", b""], &["not_http"]),
        (b"GET / HTTQ/x.y", [b"GET", b"/", b"HTTQ/x.y"], &["not_http", "odd_version"]),
        (b"GET / FTP/1.0 now", [b"GET", b"/ FTP/1.0", b"now"], &["not_http", "odd_target", "odd_version"]),
    ];
    for &(line, parts, oddities) in lines {
        let found = request_line(line).unwrap();
        assert_eq!([found.method, found.target, found.version], parts, "{}", line.escape_ascii());
        assert_eq!(names(found.oddities), oddities, "{}", line.escape_ascii());
    }
}

#[test]
fn what_is_no_request_line_is_none() {
    let long = [b"A".repeat(65).as_slice(), b" / HTTP/1.1"].concat();
    let lines: &[&[u8]] = &[
        b"",
        b" \t\r",
        b"GET",
        b"GET ",
        b"FROB HTTP/1.1",
        b"FROB /",
        b"GET x",
        b"Upgrade: HTTP/2.0",
        b"HTTP/1.1 200 OK",
        b"OPTIONS * RTSP/1.0",
        b"OPTIONS sip:a@shop.example sip/2.0",
        b"EHLO client.example",
        b"\0GET x HTTP/1.1",
        b"\0GET /",
        b"a:GET / HTTP/1.1",
        b"Warning: GET / HTTP/1.1",
        &long,
    ];
    for line in lines {
        assert_eq!(request_line(line), None, "{}", line.escape_ascii());
    }
    assert!(request_line(&long[1..]).is_some());
}

#[test]
fn octets_that_are_none_of_a_method_may_stand_before_it() {
    for junk in [&b"\0"[..], b":", b": ", b"\xef\xbb\xbf", b"\xef\xbb\xbf ", b"G\x01", b"\0 \x7f ", &[0; 64]] {
        let word = junk.rsplit(|&octet| octet == b' ').next().unwrap_or_default();
        for (rest, method) in [(&b"GET /a HTTP/1.1"[..], &b""[..]), (b"frob  / HTTP/1.0", word)] {
            let (line, plain) = ([junk, rest].concat(), request_line(rest).unwrap());
            let found = request_line(&line).unwrap();
            assert_eq!(found.method, [method, plain.method].concat());
            assert_eq!((found.target, found.version), (plain.target, plain.version));
            assert_eq!(found.oddities, plain.oddities.with(Oddities::of(&[Oddity::NotHttp])));
            assert_eq!(surely_request_line(&line), None);
            assert!(begins_behind_junk(&line[..junk.len() + 7]), "{}", line.escape_ascii());
        }
        assert!(begins_behind_junk(&[junk, b"GE"].concat()) != junk.ends_with(b" "));
        assert!(!begins_behind_junk(&[junk, b"XY"].concat()));
    }
    assert_eq!(request_line(&[&[0; 65], &b"GET /a HTTP/1.1"[..]].concat()), None);
    assert!(!begins_behind_junk(b"Referer: http://a.example/"));
}

#[test]
fn prose_is_no_request_line_where_it_may_stand() {
    for line in [&b"GET / HTTP/1.1"[..], b"get * HTTP/1.0", b"FROB /x HTTP/9", b"CONNECT a.example:443 HTTP/1.1"] {
        assert!(surely_request_line(line).is_some(), "{}", line.escape_ascii());
    }
    for line in
        [&b"frob / HTTP/1.1"[..], b"GET /", b"GET x HTTP/1.1", b"GET HTTP/1.1", b"F(B / HTTP/1.1", b"1 / HTTP/1.1"]
    {
        assert_eq!(surely_request_line(line), None, "{}", line.escape_ascii());
    }
}

#[test]
fn the_beginning_of_a_line_tells_what_it_may_become() {
    for text in [&b"GET"[..], b" \tpost ", b"FROB /", b"FROB  /", b"GET\x0b/", b"frob *", b"a https://b"] {
        assert!(begins_request(text), "{}", text.escape_ascii());
    }
    for text in [&b""[..], b"FROB", b"FROB x", b"FROB ://x", b"a:/"] {
        assert!(!begins_request(text), "{}", text.escape_ascii());
    }
    let word = b"w".repeat(64);
    for text in [&b""[..], b"G", b"GET /", b"\t frob\t", &b" ".repeat(16), &word, &[&word, &b" x"[..]].concat()] {
        assert!(may_begin_line(text), "{}", text.escape_ascii());
    }
    for text in [&b":"[..], b"Host: a", b"\x16\x03", b"G\xe9", &b" ".repeat(17), &b"w".repeat(65)] {
        assert!(!may_begin_line(text), "{}", text.escape_ascii());
    }
}

#[test]
fn a_field_line_is_known_by_its_name() {
    for line in
        [&b""[..], b"\r", b" x", b"\tx", b"Host: a", b"Host \t: a", b"\xe9(:", &[&b"n".repeat(256), &b":"[..]].concat()]
    {
        assert!(looks_like_field(line), "{}", line.escape_ascii());
    }
    for line in [&b"prose"[..], b": x", b"a b: c", b"a\0: b", b"\x7f\x01:", &[&b"n".repeat(257), &b":"[..]].concat()] {
        assert!(!looks_like_field(line), "{}", line.escape_ascii());
    }
}

#[test]
fn every_line_becomes_a_field() {
    type Row<'a> = (&'a [u8], &'a [(&'a [u8], &'a [u8])], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        (b"", &[], &[]),
        (b"\r\n", &[], &[]),
        (b"A:b\r\nA: \t c d\t \r\nb-C:\r\n\r\n", &[(b"a", b"b"), (b"a", b"c d"), (b"b-c", b"")], &[]),
        (b"B: \xff\xfe\r\n", &[(b"b", b"\xff\xfe")], &[]),
        (b"A: b\n\n", &[(b"a", b"b")], &["bare_lf"]),
        (b"A: b\r\n\n", &[(b"a", b"b")], &[]),
        (b"A : b\r\n", &[(b"a", b"b")], &["space_before_colon"]),
        (b"A\t: b\r\n", &[(b"a", b"b")], &["space_before_colon"]),
        (b"no field\r\n", &[(b"no field", b"")], &["no_colon", "odd_name"]),
        (b": b\r\n", &[(b"", b"b")], &["empty_name"]),
        (b"X-\xe9: b\r\n", &[(b"x-\xe9", b"b")], &["odd_name"]),
        (b"A: b\0c\r\n", &[(b"a", b"b\0c")], &["nul"]),
        (b"A: b\x1bc\r\n", &[(b"a", b"b\x1bc")], &["control"]),
        (b"A: b\x7f\r\n", &[(b"a", b"b\x7f")], &["control"]),
        (b" A: b\r\n", &[(b"a", b"b")], &["leading_space"]),
        (b" \r\nA: b\r\n", &[(b"", b""), (b"a", b"b")], &["no_colon", "leading_space"]),
        (b"A: b\r\n c\r\n", &[(b"a", b"b c")], &["fold"]),
        (b"A:\r\n \tc \r\nD: e\r\n", &[(b"a", b"c"), (b"d", b"e")], &["fold"]),
        (b"A: b\r\n \r\n c\r\n", &[(b"a", b"b  c")], &["fold"]),
        (b"A: b\rC: d\r\n", &[(b"a", b"b\rC: d")], &["cr"]),
        (b"A: b\r\r\n", &[(b"a", b"b")], &["cr"]),
    ];
    for &(block, expected, oddities) in rows {
        let found = read(block);
        assert_eq!(fields(&found.text), expected, "{}", block.escape_ascii());
        assert_eq!(names(found.oddities), oddities, "{}", block.escape_ascii());
        assert_eq!([found.text.method(), found.text.target(), found.text.version()], [b"GET", &b"/"[..], b"HTTP/1.1"]);
    }
}

#[test]
fn servers_differ_in_folds_and_lone_crs() {
    let others = |block: &[u8]| -> Vec<Vec<Vec<u8>>> {
        let values = |text: &HeadText| text.fields().map(|(_, value)| value.to_vec()).collect();
        read(block).others.iter().map(values).collect()
    };
    assert_eq!(others(b"A: 4477\r\n 00900123\r\n\t x\r\nB: c\r\n"), [[&b"447700900123x"[..], b"c"], [b"4477", b"c"]]);
    assert_eq!(others(b"A: b\r\n c\r\n"), [[b"bc"]]);
    assert_eq!(others(b"A:\r\n b\r\n"), <[Vec<Vec<u8>>; 0]>::default());
    assert_eq!(others(b"A: b\rC: d\r\n"), [[b"b", b"d"]]);
    assert_eq!(others(b"A: b\r 1\r\n"), [[b"b1"]]);
}

#[test]
fn the_fast_way_reads_what_the_slow_way_reads() {
    let pieces: [&[u8]; 18] = [
        b"A: b\r\n",
        b"C:d\r\n",
        b"A",
        b"bc",
        b"-",
        b":",
        b": ",
        b":",
        b" ",
        b"\t",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\xe9",
        b"\x01",
        b"(",
    ];
    let begun = HeadText::new(LINE.method, LINE.target, LINE.version);
    let mut random = Random::new(11);
    let mut clean = 0;
    for _ in 0..20_000 {
        let block: Vec<u8> = (0..random.below(9)).flat_map(|_| random.pick(&pieces).to_vec()).collect();
        let slow = odd_field_lines(&LINE, &block, 0, begun.clone(), &mut Rooms::default(), true);
        assert_eq!(read(&block), slow, "{}", block.escape_ascii());
        clean += u32::from(slow.oddities.is_empty() && slow.text.field_count() > 0);
    }
    assert!(clean > 500, "{clean}");
}

#[test]
fn who_gets_the_request_may_be_in_doubt() {
    type Row<'a> = (&'a [u8], &'a [u8], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        (b"GET / HTTP/1.1", b"Host: shop.example\r\n", &[]),
        (b"GET / HTTP/1.1", b"Host: shop.example\r\nHost: SHOP.example\r\n", &[]),
        (b"GET / HTTP/1.1", b"Host: shop.example\r\nA: b\r\nHost: other.example\r\n", &["host"]),
        (b"GET / HTTP/1.1", b"A: b\r\n", &["host_missing"]),
        (b"CONNECT shop.example:443 HTTP/1.1", b"", &[]),
        (b"GET http://shop.example/ HTTP/1.1", b"", &[]),
        (b"GET http://shop.example:80/ HTTP/1.1", b"Host: Shop.Example.\r\n", &[]),
        (b"GET http://other.example?a HTTP/1.1", b"Host: shop.example\r\n", &["host_mismatch"]),
        (b"GET http://a:b@shop.example HTTP/1.1", b"Host: shop.example:\r\n", &["userinfo"]),
        (b"GET http//shop.example/ HTTP/1.1", b"", &["host_missing"]),
    ];
    for &(line, block, oddities) in rows {
        let head = head_of(line, block);
        assert_eq!(names(head.oddities), oddities, "{}", block.escape_ascii());
        let is_ambiguous = oddities.contains(&"host");
        assert_eq!(head.certainty, if is_ambiguous { Certainty::Ambiguous } else { Certainty::Confirmed });
    }
    let found = field_lines(&LINE, b"A: b\r\n");
    let cut = make_head(0, head_of(b"GET /", b"").flow, &[], found, Oddities::of(&[Oddity::Incomplete]));
    assert_eq!((names(cut.oddities), cut.certainty), (vec!["host_unknown", "incomplete"], Certainty::Ambiguous));
}

#[test]
fn a_continuation_goes_where_its_head_went() {
    type Row<'a> = (&'a [u8], Section, &'a [u8]);
    let rows: &[Row<'_>] = &[
        (b"GET /?n=1 HTTP/1.1", Section::Head, b"/"),
        (b"GET http://shop.example:80/?n=1 HTTP/1.1", Section::Head, b"http://shop.example:80/"),
        (b"CONNECT shop.example:80 HTTP/1.1", Section::Head, b"shop.example:80"),
        (b"GET /?n=1 HTTP/1.1", Section::Trailer, b"/?n=1"),
    ];
    for &(line, section, target) in rows {
        let head = head_of(line, b"Host: shop.example\r\nA: b\r\n");
        let more = field_lines(&RequestLine::default(), b"C: d\r\n e\r\n");
        let found = continuation(9, &head, &more, Oddities::of(&[Oddity::Long]), section);
        assert_eq!((found.time_ns, found.section, found.text.target()), (9, section, target));
        assert_eq!(found.text.method(), head.text.method());
        assert_eq!(fields(&found.text), [(&b"host"[..], &b"shop.example"[..]), (b"c", b"d e")]);
        assert_eq!(names(found.oddities), ["fold", "long"]);
        let readings: Vec<_> = found.readings.iter().map(|reading| fields(&reading.text)).collect();
        assert_eq!(readings, [[(&b"host"[..], &b"shop.example"[..]), (b"c", b"de")]]);
    }
}

#[test]
fn a_continuation_repeats_no_flood_of_hosts() {
    let head = head_of(b"GET / HTTP/1.1", &b"Host: a\r\n".repeat(1000));
    let more = FieldLines::of([(&b"a"[..], &b"b"[..])], Oddities::default());
    let found = continuation(0, &head, &more, Oddities::default(), Section::Head);
    assert_eq!(found.text.field_count(), MOST_NEEDED + 1);
}

#[test]
fn a_long_line_is_cut_through_no_word() {
    for (text, length) in [(&b"a=b"[..], 1), (b"a; ", 0), (b"", 0), (b"x 44%207700", 9), (&b"w".repeat(64), 0)] {
        assert_eq!(word_at_end(text), length, "{}", text.escape_ascii());
    }
}
