"""Where bodies end, as docs/request-head.md has it, and what is read where receivers do not agree on it."""

from __future__ import annotations

import pytest

from monitor.portable.body import odd_chunk_size
from monitor.portable.credit import Credit
from monitor.records import Certainty, Section
from tests.heads import CLEAN, FIELD, FOUND, HOST, LEAK, POST, bytewise, content, everyhow, head, read

CHUNKED = head(b"Transfer-Encoding: chunked", line=POST)
# A chunk that is the end of the body to some, and has the request in it to others.
SWALLOWED = b"%x\r\n0\r\n\r\n%s\r\n0\r\n\r\n" % (len(LEAK) + 5, LEAK)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ([b"Content-Length: %d" % len(LEAK)], LEAK),
        ([b"Content-Length: 5, 5"], b"01234"),
        ([b"Transfer-Encoding: chunked"], b"%x\r\n%s\r\n0\r\n\r\n" % (len(LEAK), LEAK)),
        ([b"Transfer-Encoding: gzip, chunked"], b'5;name="v;\\"x"\r\nhello\r\n0;last\r\n\r\n'),
        ([b"Transfer-Encoding: Chunked"], b"5\nhello\n0\n\n"),
        ([b"Transfer-Encoding: identity", b"Content-Length: 3"], b"abc"),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], b"0\r\n\r\n"),
    ],
)
def test_a_body_is_skipped_by_count(lines: list[bytes], body: bytes) -> None:
    octets = head(*lines, line=POST) + body + LEAK
    found = read(octets)
    assert [each.method for each in found.heads] == [b"POST", b"GET"]
    assert found.heads[1].certainty is Certainty.CONFIRMED
    assert content(read(*bytewise(octets)).placed) == content(found.placed)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ([b"Content-Length: 0", b"Content-Length: %d" % len(LEAK)], LEAK),
        ([b"Content-Length: %d" % len(LEAK), b"Content-Length: 0"], LEAK),
        ([b"Content-Length: +%d" % len(LEAK)], LEAK),
        ([b"Content-Length: %d apples" % len(LEAK)], LEAK),
        ([b"Content-Length : %d" % len(LEAK)], LEAK),
        ([b"Content-Length: -1"], LEAK),
        ([b"Content-Length: 99999999999999999999999"], LEAK),
        ([b"Content-Length: %d" % (5 + len(LEAK)), b"Transfer-Encoding: chunked"], b"0\r\n\r\n" + LEAK),
        ([b"Content-Length: %d" % (5 + len(LEAK)), b"Transfer-Encoding : chunked"], b"0\r\n\r\n" + LEAK),
        ([b"Content-Length: %d" % (5 + len(LEAK)), b"Transfer-Encoding:", b" chunked"], b"0\r\n\r\n" + LEAK),
        ([b"Content-Length: %d" % len(LEAK), b"Transfer-Encoding: x-cow"], LEAK),
        ([b"Transfer-Encoding: chunked, chunked"], b"%x\r\n%s\r\n0\r\n\r\n" % (len(LEAK), LEAK)),
        ([b"Transfer-Encoding: chunked"], b"10000000000000005\r\nhello\r\n0\r\n\r\n" + LEAK),
        ([b"Transfer-Encoding: chunked"], b"no chunk\r\n" + LEAK),
        ([b"Transfer-Encoding: chunked"], b"3\r\nabcdef\r\n" + LEAK),
        ([b"Transfer-Encoding: chunked"], b"2;\nxx\r\n" + SWALLOWED),
        ([b"Transfer-Encoding: chunked"], b"2\nxx\r\n" + SWALLOWED),
        ([b"Transfer-Encoding: chunked"], b"2;\rxx\r\n" + SWALLOWED),
        ([b"Transfer-Encoding: chunked"], b"2;\r.xx\r\n" + SWALLOWED),
        ([b"Transfer-Encoding: chunked"], b"0\r\r" + LEAK),
        ([b"Connection: x, content-length", b"Content-Length: %d" % len(LEAK)], LEAK),
        ([b"Transfer-Encoding: identity, chunked"], b"%x\r\n%s\r\n0\r\n\r\n" % (len(LEAK), LEAK)),
        ([b"X: y", b" Content-Length: %d" % len(LEAK)], LEAK),
        ([b"X: y\rContent-Length: %d" % len(LEAK)], LEAK),
        ([b"Content-Length\0: %d" % len(LEAK)], LEAK),
        ([b"Content-Length: 99", b"Expect: 100-continue"], LEAK),
        ([b"Transfer-Encoding: chunked", b"Expect: 100-continue"], LEAK),
    ],
)
def test_where_framings_clash_the_tail_is_read_every_way(lines: list[bytes], body: bytes) -> None:
    octets = head(*lines, line=POST) + body
    for segments in ([octets], bytewise(octets)):
        (oddities,) = read(*segments).where
        assert "framing" in oddities
    assert read(CLEAN + octets).heads[0].oddities == ()
    assert read(octets + CLEAN).heads[-1].target == b"/clean"


@pytest.mark.parametrize(
    ("line", "body"),
    [
        (b"Content-Length: %d", b""),
        (b"Content-Length: +%d", b""),
        (b"Content-Length: 0%d", b""),
        (b"Transfer-Encoding: chunked", b"%x\r\n"),
    ],
)
@pytest.mark.parametrize("size", [2**32 + 6, 2**33 + 6, 2**64 + 6, 2**64 + 2**32 + 6, 2**200 + 6])
def test_a_length_that_an_integer_cannot_hold_is_read_as_what_is_left_of_it(
    line: bytes, body: bytes, size: int
) -> None:
    end = b"\r\n0\r\n\r\n" if body else b""
    said = head(line % size if b"%" in line else line, line=POST) + (body % size if body else b"") + b"hello\n" + end
    for segments in ([said + LEAK], bytewise(said + LEAK)):
        (oddities,) = read(*segments).where
        assert "framing" in oddities
    if size < 2**63 and b"+" not in line:  # more octets than that were sent indeed
        assert not read(said[: -len(end) or None] + b"{}\n" + LEAK).where


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ([b"Content-Length: 010"], b"a=10&b=1" + LEAK),
        ([b"Content-Length: 0X%x" % len(LEAK)], LEAK),
        ([b"Content_Length: %d" % len(LEAK)], LEAK),
        ([b"Content-Length: %d" % (5 + len(LEAK)), b"transfer_encoding: chunked"], b"0\r\n\r\n" + LEAK),
    ],
)
def test_a_length_that_few_read_so(lines: list[bytes], body: bytes) -> None:
    for segments in ([head(*lines, line=POST) + body + CLEAN], bytewise(head(*lines, line=POST) + body + CLEAN)):
        assert "framing" in next(each for each in read(*segments).heads[1:] if FOUND in each.fields).oddities


@pytest.mark.parametrize("length", [b"08", b"000", b"007"])
def test_noughts_before_a_length_are_odd_and_change_nothing(length: bytes) -> None:
    found = read(head(b"Content-Length: " + length, line=POST) + b"12345678"[: int(length)] + LEAK)
    assert (found.heads[0].oddities, found.where) == (("cl_odd",), [()])


def test_who_waits_for_no_body_is_odd() -> None:
    found = read(head(b"Expect: 100-continue", b"Content-Length: 0", line=POST) + LEAK)
    assert (found.heads[0].oddities, found.where) == (("cl_odd",), [()])


def test_a_trailer_section_that_is_a_request_is_read_as_both() -> None:
    for segments in ([CHUNKED + b"0\r\n" + LEAK], bytewise(CHUNKED + b"0\r\n" + LEAK)):
        _, trailer, request = read(*segments).heads
        assert (trailer.section, request.section) == (Section.TRAILER, Section.HEAD)
        assert "framing" in {*trailer.oddities} & {*request.oddities}


@pytest.mark.parametrize("body", [b"body", b"POST ", b"GET\r\n", b"get / http", b"GET / HTTP/1.1"])
def test_a_body_that_was_waited_for_leaves_no_doubt(body: bytes) -> None:
    said = head(b"Expect: 100-continue", b"Content-Length: %d" % len(body), line=POST)
    for segments in ([said, body, LEAK], bytewise(said + body + LEAK)):
        found = read(*segments)
        assert ([each.method for each in found.heads], found.where) == ([b"POST", b"GET"], [()])


def test_no_more_ways_than_there_is_room_for() -> None:
    lengths = b", ".join(b"%d" % (2**64 + 2**32 * n + n) for n in range(1, 2000))
    found = read(head(b"Content-Length: " + lengths, line=POST) + LEAK)
    assert found.where
    assert found.counts["shed.readings"] > 0
    assert read(head(b"Content-Length: 0x80, 0x81, 0x82, 0x83, 0x84", line=POST) + LEAK).counts["shed.readings"] == 2


def test_framings_that_agree_leave_no_doubt() -> None:
    for lines in ([b"Transfer-Encoding : chunked"], [b"Content-Length: 5", b"Transfer-Encoding : chunked"]):
        assert read(head(*lines, line=POST) + b"0\r\n\r\n" + LEAK).where == [()]


def test_after_an_endless_body_every_request_stays_in_doubt() -> None:
    assert read(head(b"Content-Length: -1", line=POST), LEAK, LEAK).where == [("framing",)] * 2


def test_a_trailer_section_is_a_head_of_its_own() -> None:
    octets = head(b"Transfer-Encoding: chunked", b"A: b", line=b"POST /p HTTP/1.1") + b"1\r\nx\r\n0\r\n" + FIELD
    found = everyhow(octets + b"\r\n\r\n").heads[1]
    assert (found.section, found.method, found.target) == (Section.TRAILER, b"POST", b"/p")
    assert found.fields == (HOST, FOUND)


def test_a_body_costs_no_memory() -> None:
    found = read(head(b"Content-Length: 3000000", line=POST), *[bytes(1000)] * 3000, LEAK)
    assert found.counts["body_bytes"] == 3_000_000
    assert found.where == [()]


@pytest.mark.parametrize(
    ("line", "digits", "number"),
    [
        (b"1f octets\r", 0x1F, 0x1F),
        (b" +0x1f\r", None, 0x1F),
        (b"0x1f", 0, 0x1F),
        (b"0x", 0, 0),
        (b"1_f", 1, 0x1F),
        (b"0_0", 0, 0),
        (b"0x123456789", None, None),
        (b"123456789_1", None, None),
        (b"1_23456789", 1, 1),
        (b"?", None, None),
        (b"", None, None),
    ],
)
def test_some_take_these_sizes_of_chunks(line: bytes, digits: int | None, number: int | None) -> None:
    assert odd_chunk_size(line) == (digits, number)


def test_odd_chunks_are_counted_once_for_a_body() -> None:
    for body in (b"1\na\n1\nb\n0\n\n", b"no chunk\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n"):
        assert read(head(b"Transfer-Encoding: chunked", line=POST) + body).counts["oddities.chunk_odd"] == 1


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> list[Credit]:
    """What each way that parts is paid from."""
    parted = []

    def pay_part(credit: Credit) -> None:
        parted.append(credit)

    monkeypatch.setattr(Credit, "pay_part", pay_part)
    return parted


@pytest.mark.parametrize(
    ("chunk", "receivers"),
    [
        (b"1\nx\r\n", 1),  # who knows CRLF alone: behind the first chunk he has parted, or has closed
        (b"1;\nx\r\n", 1),
        (b"1\r\nx\n", 1),  # who takes any two octets
        (b"1\nx\n", 2),
    ],
)
def test_a_receiver_parts_once_in_a_body(chunk: bytes, receivers: int, parted: list[Credit]) -> None:
    read(*bytewise(CHUNKED + chunk * 50))
    assert len(parted) == receivers


def test_who_reads_a_head_with_lf_alone_parts_at_no_size(parted: list[Credit]) -> None:
    read(*bytewise(CHUNKED.replace(b"\r\n", b"\n") + b"1\nx\r\n" * 9))
    assert not parted


def test_nobody_reads_on_far_for_the_end_of_a_size(parted: list[Credit]) -> None:
    read(CHUNKED + b"12c;\n" + b"x" * 300 + b"\r\n" * 2)
    assert not parted


@pytest.mark.parametrize(("lines", "heads"), [(1, 2), (1000, 1)])
def test_some_empty_lines_may_stand_where_a_body_does_not_come(lines: int, heads: int) -> None:
    found = read(head(b"Expect: 100-continue", b"Content-Length: 9999", line=POST) + b"\r\n" * lines + LEAK)
    assert len(found.heads) == heads
