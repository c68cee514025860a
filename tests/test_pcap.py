"""Classic captures, written by pcaps/talk.py: whole, byte by byte, and with a tail."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.pcap import HEADER_SIZE, RECORD_LIMIT, Pcap
from monitor.records import Frame
from pcaps.talk import pcap

FRAMES = st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(max_size=70)), max_size=8)
VARIANTS = [(order, nano) for order in "<>" for nano in (True, False)]


def walked(octets: bytes, limit: int = 1000) -> tuple[list[Frame], int, str]:
    return Pcap(octets[:HEADER_SIZE]).walk(octets, HEADER_SIZE, limit)


@given(frames=FRAMES, variant=st.sampled_from(VARIANTS), snap=st.integers(1, 80))
def test_every_frame_comes_back(frames, variant, snap):
    order, nano = variant
    octets = pcap(frames, order=order, nano=nano, snap=snap, link=113)
    expected = [Frame(time if nano else time // 1000 * 1000, 113, len(data), data[:snap]) for time, data in frames]
    assert walked(octets) == (expected, len(octets), "")


@given(frames=FRAMES, variant=st.sampled_from(VARIANTS))
def test_byte_by_byte_gives_the_same_as_whole(frames, variant):
    octets = pcap(frames, order=variant[0], nano=variant[1])
    reader, at, found = Pcap(octets[:HEADER_SIZE]), HEADER_SIZE, []
    for end in range(HEADER_SIZE, len(octets) + 1):
        more, at, wrong = reader.walk(octets[:end], at, 1000)
        assert not wrong
        found += more
    assert (found, at) == (walked(octets)[0], len(octets))


@given(frames=FRAMES, limit=st.integers(1, 3))
def test_a_limit_only_interrupts(frames, limit):
    octets = pcap(frames)
    reader, at, found = Pcap(octets[:HEADER_SIZE]), HEADER_SIZE, []
    while at < len(octets):
        more, at, _ = reader.walk(octets, at, limit)
        assert 1 <= len(more) <= limit
        found += more
    assert found == walked(octets)[0]


def test_records_of_the_patched_libpcap_are_eight_octets_longer():
    head = struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 96, 1)
    octets = head + (struct.pack("<IIIIIHBB", 7, 5, 3, 60, 1, 8, 0, 0) + b"abc") * 2
    assert walked(octets) == ([Frame(7_000_005_000, 1, 60, b"abc")] * 2, len(octets), "")


def test_the_link_field_may_tell_the_length_of_a_check_sequence():
    octets = bytearray(pcap([(0, b"abc")]))
    octets[20:24] = struct.pack("<I", 0x5000_0000 | 1)
    assert walked(bytes(octets))[0][0].link == 1


def test_a_frame_is_never_shorter_on_the_wire_than_in_the_capture():
    octets = bytearray(pcap([(0, b"abc")]))
    octets[36:40] = bytes(4)
    assert walked(bytes(octets))[0][0].wire_len == 3


@pytest.mark.parametrize(("kept", "wrong"), [(RECORD_LIMIT, False), (RECORD_LIMIT + 1, True)])
def test_a_length_that_lies_is_wrong_where_its_record_begins(kept, wrong):
    octets = pcap([(0, b"abc")])
    found, at, why = walked(octets + struct.pack("<IIII", 0, 0, kept, kept) + b"tail")
    assert (len(found), at, bool(why)) == (1, len(octets), wrong)
