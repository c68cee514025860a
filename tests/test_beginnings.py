"""Requests in small segments behind something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import counts
from monitor.portable import beginnings
from monitor.portable.beginnings import Beginnings


def joined(*segments: bytes, seq: int = 2**32 - 3) -> tuple[bytes, bytes] | None:
    """What was joined, and the segment with which it surely begins a request."""
    known = Beginnings(counts.zeros())
    for segment in segments:
        if known.join("a", seq, segment):
            return b"".join(piece.octets for piece in known.forget("a")), segment
        seq = seq + len(segment) & 0xFFFFFFFF
    return None


def bytewise(octets: bytes) -> list[bytes]:
    return [octets[at : at + 1] for at in range(len(octets))]


@pytest.mark.parametrize(
    ("octets", "begun"),
    [
        (b"GET / HTTP/1.1\r\n", b"GET "),
        (b"get /", b"get "),
        (b"\r\n \tPOST\t/", b"\r\n \tPOST\t"),
        (b"UNSUBSCRIBE http://a.example/", b"UNSUBSCRIBE http:/"),
        (b"PRI * HTTP/2.0", b"PRI "),
        (b"GEGET /", b"GET "),
        (b"\xff\xfe\0GET /", b"GET "),
        (b"PUPUT /", b"PUT "),
        (b"HELLO /", None),
        (b"GET x", None),
        (b"GET" + b" " * 40 + b"/", None),
    ],
)
def test_single_bytes_are_joined_while_they_may_begin_a_request(octets: bytes, begun: bytes | None) -> None:
    found = joined(*bytewise(octets))
    assert (found and found[0]) == begun


def test_segments_of_any_small_size_are_joined() -> None:
    assert joined(b"x" * 31, b"GE", b"T", b" /a HTTP") == (b"GET", b" /a HTTP")
    assert joined(b"GE", b"T /" + b"a" * 40) is None  # a segment of this size is looked at by itself


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_single_bytes_are_joined_in_whatever_order_they_come(order: list[int], seq: int) -> None:
    known = Beginnings(counts.zeros())
    said = [known.join("a", seq + at & 0xFFFFFFFF, b"GET /"[at : at + 1]) for at in order]
    assert said == [False] * 4 + [True]
    before = [(seq + at & 0xFFFFFFFF, b"GET /"[at : at + 1]) for at in range(5) if at != order[-1]]
    assert known.forget("a") == before


def test_a_byte_that_is_another_one_the_second_time_takes_its_place() -> None:
    known = Beginnings(counts.zeros())
    for seq, octets in ((7, b"G"), (8, b"O"), (9, b"T"), (10, b" "), (8, b"E")):
        assert not known.join("a", seq, octets)
    assert known.join("a", 11, b"/")


@pytest.mark.parametrize("small", [b"\x15\x03\x03\0\x02\1\0", b"\0", b"220 ready\r\n", b"x" * 31])
def test_of_what_is_no_part_of_a_request_line_nothing_is_kept(small: bytes) -> None:
    known = Beginnings(counts.zeros())
    assert not known.join("a", 7, small)
    assert known.forget("a") == []


def test_a_segment_that_comes_twice_changes_nothing_and_one_far_away_begins_anew() -> None:
    known = Beginnings(counts.zeros())
    for seq, octets in ((7, b"G"), (8, b"E"), (8, b"E"), (7, b"G"), (9, b"T"), (10, b" ")):
        assert not known.join("a", seq, octets)
    assert known.join("a", 11, b"/")
    assert not known.join("a", 99, b"/")
    assert known.forget("a") == [(99, b"/")]


def test_of_so_many_half_streams_and_then_the_first_one_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "MOST", 2)
    counted = counts.zeros()
    known = Beginnings(counted)
    for whose in ("a", "b", "c"):
        known.join(whose, 0, b"G")
    assert counted["shed.beginnings"] == 1
    assert [known.forget(whose) == [] for whose in ("a", "b", "c")] == [True, False, False]
