"""What lies between requests, gaps, long heads, and the laws of the reader as a whole (docs/request-head.md)."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor import counts
from monitor.records import Certainty, Limits, Section
from tests.heads import (
    CLEAN,
    FIELD,
    HOST,
    LEAK,
    NUMBER,
    POST,
    START,
    bytewise,
    content,
    head,
    read,
)

# --- what is no request -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        ([b"BAD\r\n\r\n" + LEAK], [("not_http",)]),
        ([b"BAD\r\n\r\n", LEAK], [("not_http",)]),
        ([b"HELLO\r\nHost: shop.example\r\n\r\n" + LEAK], [("not_http",)]),
        ([b"\x16garbage\r\n" + LEAK + LEAK], [("not_http",), ()]),
        ([CLEAN + b"\x01\x02\x03", LEAK], [("not_http",)]),
        ([head(line=b"CONNECT shop.example:80 HTTP/1.1"), LEAK, LEAK], [("in_connect",), ("in_connect",)]),
        ([head(line=b"CONNECT shop.example:80 HTTP/1.1"), b"\x16\x03\x01junk", LEAK], [("in_connect",)]),
        ([head(b"Upgrade: websocket"), b"\x81\x85\1\2\3\4igohn", LEAK], [()]),
    ],
)
def test_the_next_request_behind_junk_is_found(segments: list[bytes], where: list[tuple[str, ...]]) -> None:
    assert [tuple(sorted(oddities)) for oddities in read(*segments).where] == where


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        ([b"=0.5&page=7", LEAK], [()]),
        ([b"tail: of a head\r\n\r\n" + LEAK], [()]),
        ([b"some text\r\n" + LEAK], [("not_http",)]),
        ([bytes(range(128, 256)) * 40, LEAK], [()]),
        ([b"never GET / HTTP/1.1 here", LEAK], [()]),
    ],
)
def test_reading_begins_in_the_middle_of_a_connection(segments: list[bytes], where: list[tuple[str, ...]]) -> None:
    assert read(*segments, midstream=True).where == where


def test_what_never_looks_like_http_is_hopeless() -> None:
    assert read(*[b"some prose that goes on and on\r\n" * 40] * 5, finish=False).http1.hopeless
    assert read(*[bytes(range(256))] * 20, finish=False).http1.hopeless
    assert not read(CLEAN, *[bytes(range(256))] * 20, finish=False).http1.hopeless
    assert not read(LEAK[:-20], finish=False).http1.hopeless


def test_http2_begins_with_its_preface() -> None:
    for segments in ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n..."], bytewise(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n...")):
        http1 = read(*segments, finish=False).http1
        assert http1.framed


# --- gaps and ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        ([head(b"Content-Length: 3000", line=POST), bytes(1000), 1000, bytes(1000), LEAK], [()]),
        ([head(b"Content-Length: 300", line=POST), bytes(100), 1000, LEAK], [()]),
        ([head(b"Content-Length: 300", line=POST), bytes(100), 100, LEAK], []),
        ([CLEAN, 200, LEAK], [()]),
        ([head(b"Accept: t")[:-4], 100, b"end of a line\r\nX-Kept: 1\r\n" + FIELD + b"\r\n\r\n"], [("after_gap",)]),
        ([CLEAN, 100, b"html\r\nHost: shop.example\r\n" + FIELD + b"\r\n\r\n", CLEAN], [("after_gap",)]),
        ([CLEAN, 100, b"html\r\n" + FIELD + b"\r\n\r\n", CLEAN], [("after_gap", "host_unknown")]),
        ([CLEAN[:30], 100, LEAK], [()]),
        ([CLEAN[:30], 100, b"a body\n\nof text\n" + LEAK], [("framing",)]),
        ([CLEAN[:30], 100, b"\x80\x81" * 9000, LEAK], [()]),
        ([LEAK[:-2] + b"Acc", 100, CLEAN], [("incomplete",)]),
        ([LEAK[:-8], 100, CLEAN], []),
        ([LEAK[:-2] + b"Accept: te"], [("incomplete",)]),
        ([LEAK[:-2]], [("incomplete",)]),
        ([LEAK[:-4]], []),
        ([b"GET / HTTP/1.1\r\n" + FIELD + b"\r\nHos"], [("incomplete", "host_unknown")]),
        ([head(FIELD)[:-2], 50, b"x\r\nHost: other.example\r\nA: b\r\n\r\n"], [("incomplete",)]),
        ([CLEAN, 9, b"x\r\nHost: shop.example\r\n" + FIELD + b"\r\nAcc"], [("incomplete",)]),
    ],
)
def test_whole_lines_around_a_gap_are_judged(segments: list[bytes | int], where: list[tuple[str, ...]]) -> None:
    assert read(*segments).where == where


def test_a_body_may_begin_in_a_hole() -> None:
    cut = head(b"Content-Length: 62", b"A: b", line=POST)
    found = read(cut[:-3], 40, b"end of the body\r\nC: d\r\n\r\n", CLEAN, CLEAN)
    assert [each.target for each in found.heads] == [b"/", b"/clean", b"/clean"]
    assert found.heads[1].oddities == ("framing",)


def test_a_second_hole_forgets_the_ways_that_parted_behind_the_first() -> None:
    cut = head(b"Content-Length: 1", line=POST)
    found = read(CLEAN, 21, cut[21:56], 20, CLEAN)
    assert [each.target for each in found.heads if each.target] == [b"/clean"] * 2
    assert found.heads[-1].oddities == ()


def test_a_number_is_never_reported_in_part() -> None:
    for cut in range(len(LEAK)):
        for found in (read(LEAK[:cut]), read(LEAK[:cut], 40, CLEAN), read(CLEAN, 40, LEAK[cut:])):
            for each in found.heads:
                values = [value for reading in (each, *each.readings) for _, value in reading.fields]
                assert not any(NUMBER[:n] in values or NUMBER[n:] in values for n in range(1, 12))


def test_the_rest_of_a_cut_line_is_only_another_reading() -> None:
    found = read(CLEAN, 40, b"MSISDN: " + NUMBER + b"\r\nHost: shop.example\r\n\r\n").heads[1]
    assert found.fields == (HOST,)
    assert [reading.fields for reading in found.readings] == [(HOST, (b"msisdn", NUMBER))]


def test_the_head_that_a_gap_cut_has_the_time_of_its_last_segment() -> None:
    assert read(CLEAN, LEAK[:-2], 100, CLEAN).heads[1].time_ns == 1


# --- long heads ---------------------------------------------------------------------------------------------------

SMALL = Limits(head_bytes=2000, head_lines=20)


@pytest.mark.parametrize(
    ("octets", "count"),
    [
        (head(b"Cookie: a=" + b"c" * 9000, FIELD), "shed.head_bytes"),
        (head(b"Cookie: a=" + b"c d;" * 3000, FIELD), "shed.head_bytes"),
        (head(*(b"X-%d: v" % n for n in range(900)), FIELD), "shed.head_bytes"),
        (head(*(b"X-%d: v" % n for n in range(50)), FIELD), "shed.head_lines"),
        (head(FIELD, line=b"GET /" + b"u" * 9000 + b" HTTP/1.1"), "shed.head_bytes"),
        (head(b"Transfer-Encoding: chunked") + b"0\r\n" + b"A: b\r\n" * 900 + FIELD + b"\r\n\r\n", "shed.head_bytes"),
    ],
)
def test_lines_beyond_the_bound_are_read_in_parts(octets: bytes, count: str) -> None:
    for segments in ([octets + CLEAN], [octets[i : i + 100] for i in range(0, len(octets), 100)] + [CLEAN]):
        found = read(*segments, limits=SMALL)
        assert found.counts[count]
        assert len(found.where) == 1
        assert "long" in found.heads[0].oddities or found.heads[1].section is Section.TRAILER
        assert found.heads[-1].target == b"/clean"
        assert all(sum(map(len, sum(each.fields, ()))) <= 2100 for each in found.heads)
        names = [name for each in found.heads[:-1] for name, _ in each.fields if name.startswith(b"x-")]
        assert len(names) == len(set(names))


def test_a_value_that_goes_on_keeps_its_name() -> None:
    found = read(head(b"A: b", b"Cookie: " + b"c" * 5000, b"D: e"), limits=SMALL)
    assert [name for each in found.heads for name, _ in each.fields if name != b"host"] == [
        b"a", b"cookie", b"cookie", b"cookie", b"d",
    ]  # fmt: skip


def test_the_body_of_a_long_head_is_skipped() -> None:
    lines = [b"X-%d: v" % n for n in range(900)]
    for fields in ([b"Content-Length: 3", *lines], [*lines, b"Content-Length: 3"]):
        found = read(head(*fields, line=POST) + b"abc" + CLEAN, limits=SMALL)
        assert found.heads[-1].oddities == ()
        assert found.counts["body_bytes"] == 3


LINES = [b"X-%d: v" % n for n in range(50)]


@pytest.mark.parametrize(
    ("octets", "sizes"),
    [
        (head(*LINES), [20, 21, 12]),
        (head(b"Host: " + b"h" * 4096, *LINES), [40, 14]),
        (head(*LINES, line=b"CONNECT " + b"h" * 4096 + b":80 HTTP/1.1"), [40, 12]),
        (
            head(b"Transfer-Encoding: chunked", line=b"POST /" + b"u" * 4096 + b" HTTP/1.1")
            + b"\r\n".join((b"0", *LINES, b"", b"")),
            [2, 40, 12],
        ),
    ],
    ids=["short", "host", "connect", "trailers"],
)
def test_parts_that_say_much_again_are_fewer(octets: bytes, sizes: list[int]) -> None:
    found = read(octets, limits=Limits(head_lines=20))
    assert [len(each.fields) for each in found.heads] == sizes


def test_parts_of_a_long_head_do_not_repeat_its_target() -> None:
    found = read(head(*(b"X-%d: v" % n for n in range(50)), line=b"GET /?n=1 HTTP/1.1"), limits=SMALL)
    assert [each.target for each in found.heads] == [b"/?n=1", b"/", b"/"]
    assert all(HOST in each.fields for each in found.heads)


# --- laws ---------------------------------------------------------------------------------------------------------

bodies = st.one_of(st.just(b""), st.binary(max_size=60), st.just(LEAK))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    body = draw(bodies)
    fields = draw(st.lists(st.sampled_from([b"A: b", b"Cookie: c=d; e", b"X-Empty:"]), max_size=3))
    target = b"/%d" % draw(st.integers(0, 999))
    match draw(st.sampled_from(["none", "length", "chunked"])):
        case "none":
            return head(*fields, line=b"GET " + target + b" HTTP/1.1")
        case "length":
            return head(*fields, b"Content-Length: %d" % len(body), line=b"PUT " + target + b" HTTP/1.1") + body
    parts = [body[:7], body[7:]]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    return head(b"Transfer-Encoding: chunked", *fields, line=b"POST " + target + b" HTTP/1.1") + chunked


@settings(deadline=None)
@given(st.lists(requests(), min_size=1, max_size=6), st.lists(st.integers(1, 50), min_size=1))
@example([head(line=b"GET /0 HTTP/1.1"), head(line=b"GET /1 HTTP/1.1")], [1])
def test_segments_may_end_anywhere(sent: list[bytes], sizes: list[int]) -> None:
    octets = b"".join(sent)
    expected = [each.split(b" ", 2)[1] for each in sent]
    segments, at = [], 0
    while at < len(octets):
        size = sizes[len(segments) % len(sizes)]
        segments.append(octets[at : at + size])
        at += size
    found = read(*segments, finish=False)
    assert [each.target for each in found.heads] == expected
    assert all(each.certainty is Certainty.CONFIRMED for each in found.heads)
    assert content(found.placed) == content(read(octets).placed)
    assert found.http1.start == START + len(octets)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([LEAK, CLEAN, b"\r\n", b"\n\n", LEAK[:30], 5, 900]))))
def test_no_traffic_is_an_error(segments: list[bytes | int]) -> None:
    for midstream in (False, True):
        found = read(*segments, midstream=midstream)
        assert all(placed.start <= placed.end for placed in found.placed)
        assert set(found.counts) == set(counts.zeros())
        assert all(oddity in counts.ODDITIES for each in found.heads for oddity in each.oddities)


@given(st.binary(max_size=200))
def test_junk_before_never_hides_a_request_in_a_segment_of_its_own(junk: bytes) -> None:
    junk = junk.replace(b"\n", b"").replace(b"HTTP/", b"")
    assert read(CLEAN, junk + b"\r\n", LEAK).where


def test_a_line_that_is_a_request_only_without_its_lone_cr_is_passed() -> None:
    assert [each.target for each in read(b"FROB /\rbar HTTP/1.1\r\n", CLEAN).heads][-1:] == [b"/clean"]
