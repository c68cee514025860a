"""Reassembly against a slow model: a dictionary from position to the byte that came first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.reassembly import MOST_VERSIONS, PIECE_OVERHEAD, Assembler
from monitor.records import Data, Gap, Version

START = 2**32 - 100  # sequence numbers wrap in every property
SPAN = 300
SENT = bytes(n % 251 for n in range(SPAN))

segments = st.lists(
    st.tuples(st.integers(0, SPAN - 1), st.integers(1, 60)).map(lambda cut: (cut[0], min(SPAN, sum(cut)))), max_size=40
)


def take(
    assembler: Assembler, position: int, octets: bytes, missing: int = 0, known: bytes = b"", known_from: int = 0
) -> list[Data | Gap]:
    assembler.insert(position, octets, missing, 7, known, known_from)
    return list(assembler.ready())


@pytest.mark.parametrize(
    ("seq", "near", "position"),
    [
        (5, 2**32 - 5, 2**32 + 5),
        (2**32 - 5, 2**32 + 5, 2**32 - 5),
        (2**31 + 7, 2**31 - 7, 2**31 + 7),
        (1000, 1000, 1000),
        (0, 5 * 2**32, 5 * 2**32),
        (999, 3 * 2**32 + 1000, 3 * 2**32 + 999),
    ],
)
def test_a_sequence_number_is_placed_near_the_next_byte(seq: int, near: int, position: int) -> None:
    assert Assembler(near).place(seq) == position


@given(segments)
def test_bytes_come_out_in_order_and_once(cuts: list[tuple[int, int]]) -> None:
    assembler = Assembler(START)
    seen: set[int] = set()
    delivered = bytearray()
    for begin, end in cuts:
        before = len(seen)
        seen.update(range(begin, end))
        position = assembler.place((START + begin) % 2**32)
        assert position == START + begin
        assert assembler.insert(position, SENT[begin:end], 0, 0, delivered, START) == len(seen) - before
        for item in assembler.ready():
            assert isinstance(item, Data)
            assert item.position == START + len(delivered)
            delivered += item.octets
        whole = next((n for n in range(SPAN) if n not in seen), SPAN)
        assert delivered == SENT[:whole]
        assert assembler.next == START + whole
        held = len(seen) - whole
        assert assembler.waiting == (held > 0)
        assert held <= assembler.held <= held * (1 + PIECE_OVERHEAD)
    assert not assembler.versions


@given(segments)
def test_what_is_never_filled_is_a_gap(cuts: list[tuple[int, int]]) -> None:
    assembler = Assembler(START)
    items: list[Data | Gap] = []
    for begin, end in cuts:
        items += take(assembler, START + begin, SENT[begin:end])
    while assembler.waiting:
        assembler.skip()
        items += assembler.ready()
    at = START
    for item in items:
        assert item.position == at
        if isinstance(item, Gap):
            at += item.missing
            assert not any(begin < at - START and item.position - START < end for begin, end in cuts)
        else:
            assert item.octets == SENT[at - START : at - START + len(item.octets)]
            at += len(item.octets)
    assert at == START + max((end for _, end in cuts), default=0)
    assert assembler.held == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=12)), max_size=30))
def test_the_first_copy_wins_and_every_other_one_is_kept(copies: list[tuple[int, bytes]]) -> None:
    assembler = Assembler(0)
    first: dict[int, int] = {}
    delivered = bytearray()
    conflicts = 0
    for begin, octets in copies:
        conflicts += any(first.get(begin + n, octet) != octet for n, octet in enumerate(octets))
        for n, octet in enumerate(octets):
            first.setdefault(begin + n, octet)
        for item in take(assembler, begin, octets, known=delivered):
            assert isinstance(item, Data)
            delivered += item.octets
    assert delivered == bytes(first[n] for n in range(len(delivered)))
    assert bool(assembler.versions) == bool(conflicts)
    for version in assembler.versions:
        known = bytes(first[n] for n in range(version.start, version.stop))
        assert known != version.octets
        assert any(begin <= version.start and version.octets in octets for begin, octets in copies)


def test_a_copy_that_differs_says_where() -> None:
    assembler = Assembler(100)
    take(assembler, 100, b"GET /a")
    take(assembler, 104, b"/b HT", known=b"GET /a", known_from=100)
    assert assembler.versions == [Version(104, 106, b"/b", "overlap")]


def test_versions_are_bounded() -> None:
    assembler = Assembler(0)
    take(assembler, 0, bytes(10))
    for n in range(1, 3 * MOST_VERSIONS):
        take(assembler, 0, bytes([n]) * 10, known=bytes(10))
    assert len(assembler.versions) == MOST_VERSIONS
    assert assembler.left_out == 2 * MOST_VERSIONS - 1


def test_a_copy_that_somebody_looked_at_is_known_until_it_is_forgotten() -> None:
    assembler = Assembler(0)
    take(assembler, 0, b"abc")
    for forgotten, found in ((2, 0), (3, 1)):
        take(assembler, 0, b"abx", known=b"abc")
        assembler.taken += assembler.take_versions()
        assembler.forget_versions(forgotten)
        take(assembler, 0, b"abx", known=b"abc")
        assert len(assembler.take_versions()) == found


def test_the_snap_length_leaves_a_gap_behind_the_payload() -> None:
    assembler = Assembler(0)
    assert take(assembler, 0, b"abc", missing=7) == [Data(0, b"abc", 7), Gap(3, 7, cut=True)]
    assert take(assembler, 10, b"d") == [Data(10, b"d", 7)]


def test_a_cut_segment_waits_behind_a_hole_like_any_other() -> None:
    assembler = Assembler(0)
    assert take(assembler, 5, b"fg", missing=3) == []
    assert take(assembler, 0, b"abcde") == [Data(0, b"abcde", 7), Data(5, b"fg", 7), Gap(7, 3, cut=True)]


def test_a_copy_of_a_cut_segment_brings_nothing() -> None:
    assembler = Assembler(0)
    take(assembler, 0, b"abc", missing=7)
    assert assembler.insert(0, b"abc", 7, 0, b"abc", 0) == 0
    assert not list(assembler.ready())


def test_reading_can_begin_anew_at_an_earlier_byte() -> None:
    assembler = Assembler(10)
    assert take(assembler, 10, b"def") == [Data(10, b"def", 7)]
    assembler.rewind(5, b"def", 7)
    assert take(assembler, 5, b"ab") == [Data(5, b"ab", 7)]
    assert take(assembler, 7, b"c--") == [Data(7, b"c--", 7), Data(10, b"def", 7)]
    assert assembler.next == 13
    assert assembler.held == 0


def test_copies_are_looked_at_again_when_reading_begins_anew() -> None:
    assembler = Assembler(10)
    take(assembler, 10, b"def")
    take(assembler, 10, b"dex", known=b"def", known_from=10)
    assembler.taken += assembler.take_versions()
    assembler.rewind(7, b"def", 7)
    assert assembler.take_versions() == []
    take(assembler, 7, b"abc")
    assert assembler.take_versions() == [Version(10, 13, b"dex", "overlap")]
