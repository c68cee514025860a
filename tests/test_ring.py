"""The ring without a kernel: blocks as it would fill them, and what an operator is told when there can be no ring.

tests/live/test_ring_live.py has the same on real ports.
"""

from __future__ import annotations

import mmap
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.counts import zeros
from monitor.errors import SourceError
from monitor.portable import ring
from monitor.portable.ring import Blocks, Ring
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


# --- what an operator is told -------------------------------------------------------------------------------------


class Port:
    """A socket of a kind of hardware, of which the kernel grants what it is told to."""

    def __init__(self, hardware: int = 1, refuse: int | None = None) -> None:
        self.hardware, self.refuse, self.closed = hardware, refuse, False

    def __call__(self, *_: object) -> Port:
        return self

    def bind(self, _: object) -> None: ...

    def getsockname(self) -> tuple[object, ...]:
        return ("eth0", 0, 0, self.hardware, b"")

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if option == self.refuse:
            raise OSError(12, "Cannot allocate memory")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def eth0(monkeypatch):
    monkeypatch.setattr(socket, "AF_PACKET", 17, raising=False)
    monkeypatch.setattr(socket, "if_nametoindex", {"eth0": 2}.__getitem__)
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])


def message(name: str = "eth0") -> str:
    with pytest.raises(SourceError) as refused:
        Ring(name, zeros())
    assert refused.value.exit_code == 3
    return str(refused.value)


def test_no_such_interface(monkeypatch, eth0):
    def unknown(_: str) -> int:
        raise OSError(19, "No such device")

    monkeypatch.setattr(socket, "if_nametoindex", unknown)
    assert message("eth1") == "there is no interface eth1; there are: lo, eth0"


def test_no_permission(monkeypatch, eth0):
    def refuse(*_: object) -> Port:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(ring.sys, "executable", "/opt/python3")
    assert message() == (
        "eth0: reading an interface needs CAP_NET_RAW; use sudo, or sudo setcap cap_net_raw+ep /opt/python3,"
        " or AmbientCapabilities=CAP_NET_RAW in the systemd unit"
    )


def test_no_linux(monkeypatch, eth0):
    monkeypatch.delattr(socket, "AF_PACKET")
    assert message() == (
        "eth0: this system has no AF_PACKET, only Linux does;"
        " capture elsewhere: tcpdump -i eth0 -U -w - | msisdn-monitor replay -"
    )


def test_no_memory(monkeypatch, eth0):
    port = Port(refuse=ring.PACKET_RX_RING)
    monkeypatch.setattr(socket, "socket", port)
    assert message() == "eth0: no ring of 64 MiB (Cannot allocate memory); free that much memory"
    assert port.closed


def test_no_ethernet(monkeypatch, eth0):
    port = Port(hardware=280)
    monkeypatch.setattr(socket, "socket", port)
    assert message() == "eth0 carries neither Ethernet nor IP (ARPHRD 280); name a port that does"
    assert port.closed
