"""The ring without a kernel: blocks as it would fill them.

tests/live/test_ring_live.py has the same on real ports.
"""

from __future__ import annotations

import mmap
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.ring import Blocks
from monitor.records import Frame

SIZE = 4096
MACS = b"\x02\0\0\0\0\2\x02\0\0\0\0\1"


def block(*frames: tuple[bytes, int, int, int], status: int = 1) -> bytes:
    """tpacket_block_desc with frames (octets, status, TCI, TPID), one second apart, one octet cut off each."""
    out = b""
    for second, (octets, state, tci, tpid) in enumerate(frames):
        mac = 66
        size = -(-(mac + len(octets)) // 16) * 16
        head = struct.pack(
            "=IIIIIIHHIIH", size, second, 7, len(octets), len(octets) + 1, state, mac, mac + 14, 0, tci, tpid
        )
        out += (head.ljust(mac, b"\0") + octets).ljust(size, b"\0")
    return (struct.pack("=IIIIIII", 1, 0, status, len(frames), 48, 0, 0).ljust(48, b"\0") + out).ljust(SIZE, b"\0")


def memory(*blocks: bytes) -> mmap.mmap:
    shared = mmap.mmap(-1, SIZE * len(blocks))
    shared.write(b"".join(blocks))
    return shared


def status(shared: mmap.mmap, number: int) -> int:
    return struct.unpack_from("=I", shared, number * SIZE + 8)[0]


def plain(octets: bytes) -> tuple[bytes, int, int, int]:
    return octets, 0, 0, 0


@given(
    sizes=st.lists(st.lists(st.integers(0, 200), max_size=6), min_size=1, max_size=4),
    limits=st.lists(st.integers(1, 9), min_size=30, max_size=30),
)
def test_every_frame_once_whatever_the_limits_and_every_block_given_back(sizes, limits):
    sent = [[bytes([number]) * size for number, size in enumerate(block_sizes)] for block_sizes in sizes]
    shared = memory(*(block(*map(plain, octets)) for octets in sent))
    blocks = Blocks(shared, SIZE, 1)
    found: list[Frame] = []
    for limit in limits:
        more = blocks.walk(limit)
        assert len(more) <= limit
        found += more
    assert found == [
        Frame(second * 10**9 + 7, 1, len(octets) + 1, octets)
        for block_octets in sent
        for second, octets in enumerate(block_octets)
    ]
    assert {status(shared, number) for number in range(len(sizes))} == {0}


def test_a_block_stays_with_this_process_until_its_last_frame_is_read():
    shared = memory(block(plain(b"a"), plain(b"b")), block(plain(b"c"), status=0))
    blocks = Blocks(shared, SIZE, 1)
    blocks.walk(1)
    assert status(shared, 0) == 1
    assert [frame.data for frame in blocks.walk(9)] == [b"b"]
    assert status(shared, 0) == 0
    assert blocks.walk(9) == []  # the second is still the kernel's
    struct.pack_into("=I", shared, SIZE + 8, 1)
    assert [frame.data for frame in blocks.walk(9)] == [b"c"]


@pytest.mark.parametrize(
    ("state", "tpid", "tag"),
    [(0x50, 0x88A8, b"\x88\xa8\x20\x64"), (0x10, 0, b"\x81\x00\x20\x64"), (0, 0x8100, b"")],
)
def test_a_tag_goes_back_behind_the_addresses(state, tpid, tag):
    shared = memory(block((MACS + b"\x08\0rest", state, 0x2064, tpid)))
    octets = MACS + tag + b"\x08\0rest"
    assert Blocks(shared, SIZE, 1).walk(1) == [Frame(7, 1, len(octets) + 1, octets)]


def test_a_port_without_ethernet_has_no_tag():
    shared = memory(block((b"\x45 packet", 0x50, 0x2064, 0x8100)))
    assert Blocks(shared, SIZE, 101).walk(1)[0].data == b"\x45 packet"


def test_a_checksum_that_was_left_to_the_card():
    shared = memory(block((b"abc", 8, 0, 0), plain(b"abc")))
    assert [frame.checksum_ready for frame in Blocks(shared, SIZE, 1).walk(2)] == [False, True]
