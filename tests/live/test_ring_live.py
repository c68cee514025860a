"""The ring on real ports of a network namespace: what is sent on one end of a veth pair is read at the other."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.counts import zeros
from monitor.errors import SourceError
from monitor.portable.port import RING_BYTES
from monitor.portable.ring import Ring as Rings
from monitor.portable.source import ETHERNET, RAW
from monitor.records import Frame, Interface
from pcaps.talk import ip as packet_of
from tests.live.cables import cable, cabled
from tests.live.networks import ip, needs_root, own_network

pytestmark = [pytest.mark.live, needs_root]

ETHERTYPE = b"\x88\xb5"  # IEEE 802 local experimental: nothing else on the wire has it
MACS = b"\x02\0\0\0\0\2\x02\0\0\0\0\1"
PAYLOAD = bytes(range(50))


def Ring(name: str, counts: dict[str, int]) -> Rings:
    return Rings(Interface((name,)), counts)


@pytest.fixture
def veth() -> Iterator[socket.socket]:
    """What is sent on the socket leaves `near` and reaches `far`."""
    with cabled() as end:
        yield end


def read(ring: Ring, count: int, limit: int = 100, mark: bytes = ETHERTYPE) -> list[Frame]:
    """`count` frames that hold `mark`; fails after five seconds."""
    found: list[Frame] = []
    until = time.monotonic() + 5
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} of {count}"
        found += [frame for frame in ring.read(limit, 0.1) if mark in frame.data]
    return found


def test_frames_are_seen_as_they_were_sent_and_counted(veth):
    counts = zeros()
    ring = Ring("far", counts)
    sent = [MACS + ETHERTYPE + number.to_bytes(2, "big") + PAYLOAD for number in range(500)]
    begun = time.time_ns()
    for frame in sent:
        veth.send(frame)
    found = read(ring, len(sent), limit=7)
    assert [frame.data for frame in found] == sent
    assert {frame.wire_len for frame in found} == {len(sent[0])}
    assert {frame.link for frame in found} == {ETHERNET}
    assert all(begun <= frame.time_ns <= time.time_ns() for frame in found)
    assert counts["frames"] == counts["kernel_frames"] >= 500
    assert counts["kernel_drops"] == 0
    assert ring.bytes_read >= sum(map(len, sent))
    assert (ring.done, ring.faults) == (False, [])
    ring.close()


def test_a_frame_for_another_host_is_seen_and_asked_of_the_card(veth):
    ring = Ring("far", zeros())
    veth.send(b"\x02\0\0\0\0\x99" + MACS[6:] + ETHERTYPE + PAYLOAD)
    assert len(read(ring, 1)) == 1
    assert " promiscuity 1 " in ip("-d", "link", "show", "far")
    ring.close()
    assert " promiscuity 0 " in ip("-d", "link", "show", "far")


@pytest.mark.parametrize("tags", [b"\x81\x00\x20\x64", b"\x88\xa8\x00\x0a\x81\x00\x00\x14"])
def test_the_tag_that_the_kernel_took_off_is_put_back(veth, tags):
    ring = Ring("far", zeros())
    veth.send(MACS + tags + ETHERTYPE + PAYLOAD)
    (frame,) = read(ring, 1)
    assert (frame.data, frame.wire_len) == (MACS + tags + ETHERTYPE + PAYLOAD, 14 + len(tags) + len(PAYLOAD))
    ring.close()


def test_the_largest_frame_is_whole(veth):
    ring = Ring("far", zeros())
    veth.send(MACS + ETHERTYPE + bytes(65521))
    (frame,) = read(ring, 1)
    assert len(frame.data) == frame.wire_len == 65535
    ring.close()


def test_what_the_ring_could_not_hold_is_counted(veth):
    counts = zeros()
    ring = Ring("far", counts)
    sent = RING_BYTES // 60_000 + 200
    for _ in range(sent):
        veth.send(MACS + ETHERTYPE + bytes(60_000))
    kept = 0
    while frames := ring.read(4096, 0.2):
        kept += sum(frame.data[12:14] == ETHERTYPE for frame in frames)
    assert counts["kernel_drops"] > 0
    assert kept + counts["kernel_drops"] >= sent
    assert counts["kernel_frames"] == counts["frames"] + counts["kernel_drops"]
    assert counts["ring_freezes"] >= 1
    veth.send(MACS + ETHERTYPE + PAYLOAD)
    assert len(read(ring, 1)) == 1  # and it goes on
    ring.close()


def test_a_port_that_goes_down_and_comes_back_is_read_on(veth):
    counts = zeros()
    ring = Ring("far", counts)
    ip("link", "set", "far", "down")
    begun = time.monotonic()
    for _ in range(3):
        ring.read(10, 0.05)
    assert time.monotonic() - begun > 0.09  # the error comes once; then it waits as told
    assert counts["blind.source"] == 1
    ip("link", "set", "far", "up")
    veth.send(MACS + ETHERTYPE + PAYLOAD)
    assert len(read(ring, 1)) == 1
    ring.close()


def test_a_port_that_is_made_anew_is_read_on(veth):
    counts = zeros()
    ring = Ring("far", counts)
    ip("link", "del", "far")
    ring.read(10, 0.01)
    ring.read(10, 0.01)
    with cable() as end:
        ring.note()
        end.send(MACS + ETHERTYPE + PAYLOAD)
        assert len(read(ring, 1)) == 1
    assert counts["blind.source"] >= 1
    ring.close()


def test_a_port_that_is_down_can_be_opened_and_read_once_it_is_up(veth):
    ip("link", "set", "far", "down")
    ring = Ring("far", zeros())
    ring.read(10, 0.01)
    ip("link", "set", "far", "up")
    veth.send(MACS + ETHERTYPE + PAYLOAD)
    assert len(read(ring, 1)) == 1
    ring.close()


def test_loopback_shows_each_frame_once_and_its_missing_checksum():
    with own_network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        ring = Ring("lo", zeros())
        sent = [b"only once %d" % number for number in range(20)]
        for payload in sent:
            end.sendto(payload, end.getsockname())
        found: list[Frame] = []
        while frames := ring.read(100, 0.2):
            found += frames
        assert [frame.data[42:] for frame in found] == sent
        assert {(frame.link, frame.checksum_ready) for frame in found} == {(ETHERNET, False)}
        ring.close()


def test_a_checksum_that_is_on_the_wire_is_ready(veth):
    ring = Ring("far", zeros())
    veth.send(MACS + ETHERTYPE + PAYLOAD)
    assert read(ring, 1)[0].checksum_ready
    ring.close()


@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs /dev/net/tun")
def test_a_port_without_ethernet_gives_ip():
    import fcntl

    with own_network():
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
        ip("link", "set", "tun0", "up")
        ring = Ring("tun0", zeros())
        packet = packet_of("192.0.2.1", "192.0.2.2", 253, PAYLOAD)  # RFC 3692: experimental protocol
        os.write(tun, packet)
        (frame,) = read(ring, 1, mark=packet)
        assert (frame.link, frame.data) == (RAW, packet)
        ring.close()
        os.close(tun)


def test_an_interface_that_does_not_exist_is_named_beside_those_that_do(veth):
    with pytest.raises(SourceError, match=r"there is no interface fat, perhaps far; there are: .*far"):
        Ring("fat", zeros())


def test_nothing_is_left_open(veth):
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    Ring("far", zeros()).close()
    assert len(list(descriptors.iterdir())) == before
