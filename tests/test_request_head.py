"""Request lines and field lines as docs/request-head.md has them: whole, byte by byte, with a request behind them."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.records import Certainty
from tests.heads import CLEAN, FIELD, FOUND, HOST, LEAK, NUMBER, bytewise, content, everyhow, head, read


@pytest.mark.parametrize(
    ("octets", "oddities"),
    [
        (LEAK, ()),
        (head(b"X-MSISDN:" + NUMBER), ()),
        (head(b"x-Msisdn:\t " + NUMBER + b" \t"), ()),
        (head(FIELD, end=b"\n"), ("bare_lf",)),
        (head(b"X-MSISDN : " + NUMBER), ("space_before_colon",)),
        (head(b"X-MSISDN\t: " + NUMBER), ("space_before_colon",)),
        (head(b"this is no field", FIELD), ("no_colon", "odd_name")),
        (head(b": empty", FIELD), ("empty_name",)),
        (head(b"X-\xe9t\xe9: oui", FIELD), ("odd_name",)),
        (head(b"X-A: a\0b", FIELD), ("nul",)),
        (head(b"X-A: a\x1bb", FIELD), ("control",)),
        (head(FIELD).replace(b"\r\nHost", b"\r\n Odd: 1\r\nHost", 1), ("leading_space",)),
        (b"\r\n" * 100 + LEAK, ("leading_crlf",)),
        (head(FIELD, line=b"FROB / HTTP/1.1"), ()),
        (head(FIELD, line=b"get / HTTP/1.1"), ()),
        (head(FIELD, line=b"M-S!E#A$R'C*H / HTTP/1.0"), ()),
        (head(FIELD, line=b"G(T / HTTP/1.1"), ("odd_method",)),
        (head(FIELD, line=b"GET  /\tHTTP/1.1"), ("request_line_space",)),
        (head(FIELD, line=b"GET / HTTP/1.1 "), ("request_line_space",)),
        (head(FIELD, line=b"GET /my pictures HTTP/1.1"), ("odd_target",)),
        (head(FIELD, line=b"GET / HTTP/01.1"), ("odd_version",)),
        (head(FIELD, line=b"GET / http/1.1"), ("odd_version",)),
        (head(FIELD, line=b"GET / HTTP/2.0"), ("odd_version",)),
        (head(FIELD, line=b"GET / HTTQ/x.y"), ("odd_version", "not_http")),
        (head(FIELD, line=b"GET /"), ("not_http",)),
        (head(FIELD, host=False), ("host_missing",)),
        (head(FIELD, line=b"GET http://shop.example:80/ HTTP/1.1"), ()),
        (head(FIELD, line=b"GET http://other.example/ HTTP/1.1"), ("host_mismatch",)),
        (head(FIELD, line=b"GET http://a@shop.example/ HTTP/1.1"), ("userinfo",)),
        (head(b"Host: Shop.Example", FIELD), ()),
        (head(b"Host: other.example", FIELD), ("host",)),
        (b"PROXY TCP4 192.0.2.1 203.0.113.9 51000 80\r\n" + LEAK, ("proxy_protocol",)),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\r\n0123456789" + LEAK, ("proxy_protocol",)),
        (head(b"\x41" * 300_00 + b": b", FIELD), ()),
    ],
)
def test_whatever_some_server_accepts_is_read(octets: bytes, oddities: tuple[str, ...]) -> None:
    found = everyhow(octets).only
    assert found.oddities == oddities
    assert FOUND in found.fields
    assert found.certainty is (
        Certainty.AMBIGUOUS if {"not_http", "host"}.intersection(oddities) else Certainty.CONFIRMED
    )


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"GET / HTTP/1.1", (b"GET", b"/", b"HTTP/1.1")),
        (b"  GET   /a b\t http/9 ", (b"GET", b"/a b", b"http/9")),
        (b"GET HTTP/1.1", (b"GET", b"", b"HTTP/1.1")),
        (b"get /x", (b"get", b"/x", b"")),
        (b"GET / FTP/1.0 now", (b"GET", b"/ FTP/1.0", b"now")),
        (b"CONNECT shop.example:443 HTTP/1.1", (b"CONNECT", b"shop.example:443", b"HTTP/1.1")),
    ],
)
def test_the_request_line_has_three_parts(line: bytes, parts: tuple[bytes, bytes, bytes]) -> None:
    assert everyhow(head(line=line)).only[2:5] == parts


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"OPTIONS sip:a@shop.example SIP/2.0\r\nTo: b\r\n\r\n",
        b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n",
        b"Upgrade: HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
        b"FROB /\r\n\r\n",
    ],
)
def test_what_is_no_request_is_not_read(octets: bytes) -> None:
    assert not read(octets).placed
    assert not read(*bytewise(octets)).placed


@pytest.mark.parametrize("junk", [b"\0", b"\0" * 64, b":", b": ", b"\xef\xbb\xbf", b"\xff\xfe ", b"\x7f \x01"])
@pytest.mark.parametrize("line", [b"GET /a HTTP/1.1", b"post http://shop.example/a HTTP/1.0"])
def test_octets_that_are_none_of_a_method_may_stand_before_it(junk: bytes, line: bytes) -> None:
    octets = junk + head(FIELD, line=line)
    method = len(junk + line.split()[0])
    for segments in ([octets], bytewise(octets), *((octets[:at], octets[at:]) for at in range(1, method + 9))):
        if method - 4 < len(segments[0]) <= method:  # inside the method: a part of it, or what follows, is no method
            continue
        for before in ([], [CLEAN]):
            (*_, last) = read(*before, *segments).heads
            assert (FOUND in last.fields, last.certainty) == (True, Certainty.AMBIGUOUS)
            assert last.oddities.count("not_http") == 1


def test_octets_before_an_unknown_method_belong_to_it() -> None:
    found = read(head(FIELD, line=b"\x1b[31mFROB / HTTP/1.1")).only
    assert (found.method, found.oddities) == (b"\x1b[31mFROB", ("not_http",))


def test_a_field_line_is_no_method_behind_junk() -> None:
    for line in (b"Warning: GET / HTTP/1.1", b"a:GET / HTTP/1.1", b"\0" * 65 + b"GET / HTTP/1.1", b"\0GET x HTTP/1.1"):
        assert not read(line + b"\r\n" + FIELD + b"\r\n\r\n").placed


def test_fields_keep_order_duplicates_and_raw_bytes() -> None:
    assert everyhow(head(b"B: \xff\xfe", b"A: 1", b"b: 2", b"A:")).only.fields == (
        HOST, (b"b", b"\xff\xfe"), (b"a", b"1"), (b"b", b"2"), (b"a", b""),
    )  # fmt: skip


def test_a_folded_value_is_read_with_and_without_space() -> None:
    found = everyhow(head(b"X-MSISDN: 4477", b" 00900123", b"\t x", b"A: b")).only
    assert found.oddities == ("fold",)
    assert found.fields == (HOST, (b"x-msisdn", b"4477 00900123 x"), (b"a", b"b"))
    assert [other.fields[1][1] for other in found.readings] == [b"447700900123x", b"4477"]


def test_a_value_with_nuls_between_two_digits_ends_there_in_one_reading() -> None:
    found = everyhow(head(b"X-MSISDN: \0a\x0044\0\x0077\0")).only
    assert found.fields == (HOST, (b"x-msisdn", b"\0a\x0044\0\x0077\0"))
    assert [other.fields[1][1] for other in found.readings] == [b"\0a\x0044"]
    assert not everyhow(head(b"A: 1" + b"\0" * 99 + b"b")).only.readings


def test_a_value_on_the_next_line_has_one_reading() -> None:
    found = everyhow(head(b"X-MSISDN:", b" " + NUMBER)).only
    assert found.fields == (HOST, FOUND)
    assert not found.readings


def test_a_lone_cr_ends_a_line_in_one_reading() -> None:
    found = everyhow(head(b"A: x\r" + FIELD)).only
    assert found.oddities == ("cr",)
    assert found.fields == (HOST, (b"a", b"x\r" + FIELD))
    assert [other.fields for other in found.readings] == [(HOST, (b"a", b"x"), FOUND)]


def test_a_head_may_end_its_lines_in_cr_alone() -> None:
    found = read(head(FIELD, end=b"\r") + CLEAN)
    assert found.where == [("cr", "not_http")]
    assert content(read(*bytewise(head(FIELD, end=b"\r") + CLEAN)).placed) == content(found.placed)
    assert read(head(FIELD, end=b"\r")).where == [("cr", "not_http")]


def test_a_cr_in_the_request_line_ends_it_in_one_reading() -> None:
    found = everyhow(b"GET / HTTP/1.1\r" + FIELD + b"\r\nHost: shop.example\r\n\r\n").only
    assert found.fields == (FOUND, HOST)
    assert [other.fields for other in found.readings] == [(HOST,)]


@given(
    st.lists(
        st.tuples(
            st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True),
            st.from_regex(rb"([!-~]([ !-~]{0,20}[!-~])?)?", fullmatch=True),
        ),
        max_size=8,
    )
)
def test_a_head_that_h11_takes_is_read_as_h11_reads_it(fields: list[tuple[bytes, bytes]]) -> None:
    framing = {b"content-length", b"transfer-encoding", b"host", b"connection", b"upgrade", b"expect"}
    fields = [(name, value) for name, value in fields if name.lower() not in framing]
    octets = head(*(name + b": " + value for name, value in fields), line=b"POST /a?b HTTP/1.1")
    strict = h11.Connection(h11.SERVER)
    strict.receive_data(octets)
    event = strict.next_event()
    assert isinstance(event, h11.Request)
    found = read(octets).only
    assert (found.method, found.target, list(found.fields)) == (event.method, event.target, list(event.headers))
    assert not found.oddities
    assert not found.readings
