"""Both engines on live ports: real frames into one end of a cable, request heads and counts at the other."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.engine import native_is_here, open_engine
from monitor.errors import ConfigError, EngineError, SourceError
from monitor.portable.port import RING_BYTES
from monitor.records import Interface
from pcaps.talk import Talk, ethernet
from pcaps.talk import ip as packet_of
from tests.live.cables import EVERY, LIVE, cable, cabled, counted, heads, listening, request, send
from tests.live.networks import ip, needs_root

pytestmark = [pytest.mark.live, needs_root]

FAR = Interface(("far",))
LARGE = ethernet(packet_of("192.0.2.1", "192.0.2.2", 253, bytes(60_000)))  # RFC 3692: experimental


@pytest.fixture
def near() -> Iterator[socket.socket]:
    with cabled() as end:
        yield end


def targets(found: list) -> list[bytes]:
    return sorted(head.target for head in found)


def test_requests_are_read_and_the_books_balance(near, engine_name):
    frames = [frame for number in range(20) for frame in request(number)]
    with listening(FAR, engine_name) as engine:
        send(near, frames)
        found, _ = heads(engine, 20)
        counts = engine.drain().counts
    assert targets(found) == sorted(b"/%d" % number for number in range(20))
    assert counts["frames"] == counts["kernel_frames"] == counts["segments"] == len(frames)
    assert counts["frame_bytes"] == counts["captured_bytes"] == sum(map(len, frames))
    assert counts["kernel_drops"] == counts["shed.queue"] == counts["shed.new_flows"] == counts["blind.source"] == 0


def test_a_head_that_nobody_acknowledges_comes_while_the_port_is_silent(near, engine_name):
    with listening(FAR, engine_name) as engine:
        send(near, request(acknowledged=False))
        begun = time.monotonic()
        found, _ = heads(engine, 1, timeout=60)  # a poll that waits for the next frame would wait in vain
        assert time.monotonic() - begun < 30
    assert len(found) == 1


@pytest.mark.skipif(not native_is_here(), reason="the portable engine reads when it is asked, and has no queue")
def test_heads_for_which_nobody_has_time_are_let_go_and_counted(near):
    """A hundred in one block of the ring, and room for some."""
    frames = [frame for number in range(100) for frame in request(number)]
    with listening(FAR, "native", LIVE._replace(queue_bytes=1000)) as engine:
        engine.poll(0)
        send(near, frames)
        found, _ = heads(engine, 25)
        last = engine.drain()
    found += last.heads
    assert last.counts["requests"] == 100 == len(found) + last.counts["shed.queue"]
    assert 0 < len(found) < 100


def test_what_the_rings_hold_at_the_end_is_still_read(near, engine_name):
    with listening(FAR, engine_name) as engine:
        engine.poll(0)
        send(near, [*request(), *[LARGE] * 10])  # which fill the block, so that the kernel hands it over
        last = engine.drain()
    assert targets(last.heads) == [b"/0"]
    assert last.counts["kernel_frames"] == len(request()) + 10


@pytest.mark.parametrize("tags", [b"\x81\x00\x20\x64", b"\x88\xa8\x00\x0a\x81\x00\x00\x14"])
def test_a_tag_that_the_kernel_took_off_is_there_again(near, engine_name, tags):
    frames = [frame[:12] + tags + frame[12:] for frame in request()]
    with listening(FAR, engine_name) as engine:
        send(near, frames)
        found, _ = heads(engine, 1)
        counts = engine.drain().counts
    assert targets(found) == [b"/0"]
    assert counts["frame_bytes"] == counts["captured_bytes"] == sum(map(len, frames))


def test_a_frame_of_64_kilobytes_is_read_whole(near, engine_name):
    talk = Talk(mss=65_000)
    talk.open()
    cookie = b"c" * 60_000
    talk.client(b"GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: %b\r\nX-MSISDN: 447700900123\r\n\r\n" % cookie)
    with listening(FAR, engine_name) as engine:
        send(near, [frame for _, frame in talk.frames])
        (head,), _ = heads(engine, 1)
    assert head.fields[-1] == (b"x-msisdn", b"447700900123")


def test_several_ports_are_one_source(near, engine_name):
    """As of two taps, one for each direction: what the client sends on one, what the server sends on the other."""
    with cable("near2", "far2") as near2, listening(Interface(("far", "far2")), engine_name) as engine:
        for number in range(5):
            for frame in request(number):
                (near if frame[26:30] == socket.inet_aton("100.64.1.2") else near2).send(frame)
        found, _ = heads(engine, 5)
        counts = engine.drain().counts
    assert len(found) == 5
    assert counts["frames"] == counts["kernel_frames"] == 5 * len(request())


def test_a_port_that_goes_down_and_comes_back_is_read_on(near, engine_name):
    with listening(FAR, engine_name) as engine:
        engine.poll(0)
        ip("link", "set", "far", "down")
        assert counted(engine, "blind.source", 1)["blind.source"] == 1
        ip("link", "set", "far", "up")
        send(near, request())
        found, batch = heads(engine, 1)
    assert targets(found) == [b"/0"]
    assert batch.counts["blind.source"] == 1  # the error comes once


def test_a_port_that_is_made_anew_is_read_on(near, engine_name):
    with listening(FAR, engine_name) as engine:
        engine.poll(0)
        ip("link", "del", "far")
        counted(engine, "blind.source", 1)
        with cable() as anew:
            until = time.monotonic() + 5
            found = []
            while not found and time.monotonic() < until:
                send(anew, request())
                found = engine.poll(0.05).heads
    assert targets(found)[:1] == [b"/0"]


def test_only_what_the_filter_lets_through_is_seen(near, engine_name):
    with listening(Interface(("far",), filter="tcp port 20001"), engine_name) as engine:
        send(near, [*request(0), *request(1), *request(2)])
        found, _ = heads(engine, 1)
        counts = engine.drain().counts
    assert targets(found) == [b"/1"]
    assert counts["frames"] == len(request(1))


def test_a_filter_sees_the_tag_that_the_kernel_took_off(near, engine_name):
    with listening(Interface(("far",), filter="vlan 100"), engine_name) as engine:
        send(near, request(0))
        send(near, [frame[:12] + b"\x81\x00\x00\x64" + frame[12:] for frame in request(1)])
        found, _ = heads(engine, 1)
    assert targets(found) == [b"/1"]


def test_a_wrong_filter_is_said_with_what_is_wrong(near):
    with pytest.raises(ConfigError, match=r"--filter 'tcp prot 80' is wrong: .*syntax error.*; man pcap-filter"):
        open_engine(Interface(("far",), filter="tcp prot 80"), EVERY)


def test_what_a_ring_cannot_hold_is_counted_and_then_it_goes_on(near, engine_name):
    with listening(FAR, engine_name) as engine:
        send(near, [LARGE] * (RING_BYTES // len(LARGE) + 200))  # before the first poll nobody reads
        counts = counted(engine, "kernel_drops", 1)
        assert counts["kernel_drops"] > 0
        assert counts["ring_freezes"] > 0
        send(near, request())
        found, _ = heads(engine, 1)
        counts = engine.drain().counts
    assert targets(found) == [b"/0"]
    assert counts["kernel_frames"] == counts["frames"] + counts["kernel_drops"]


def gre(inner: bytes) -> bytes:
    return packet_of("192.0.2.1", "192.0.2.2", 47, b"\0\0\x08\0" + inner)


def erspan(inner: bytes) -> bytes:
    return packet_of("192.0.2.1", "192.0.2.2", 47, b"\x10\0\x88\xbe\0\0\0\1" + bytes(8) + ethernet(inner))


def vxlan(inner: bytes) -> bytes:
    datagram = b"\x08\0\0\0\0\0\x07\0" + ethernet(inner)
    header = (4242).to_bytes(2, "big") + (4789).to_bytes(2, "big") + (8 + len(datagram)).to_bytes(2, "big") + b"\0\0"
    return packet_of("192.0.2.1", "192.0.2.2", 17, header + datagram)


@pytest.mark.parametrize("mirror", [gre, erspan, vxlan])
def test_a_mirror_to_the_sensors_own_address_is_read_from_the_port(near, engine_name, mirror):
    ip("address", "add", "192.0.2.2/24", "dev", "far")
    with listening(FAR, engine_name) as engine:
        send(near, [ethernet(mirror(frame[14:])) for frame in request()])
        found, _ = heads(engine, 1)
    assert targets(found) == [b"/0"]


def test_several_workers_need_the_native_engine(near):
    with pytest.raises(EngineError, match="the portable engine reads with one thread"):
        open_engine(Interface(("far",), workers=2), EVERY, prefer="portable")


def test_who_may_not_read_a_port_is_told_what_to_grant(near):
    """As a user without rights, in the same network."""
    told = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from monitor.portable.port import open_ports\nfrom monitor.records import Interface\n"
        "from monitor.errors import SourceError\n"
        "try: open_ports(Interface(('far',)))\nexcept SourceError as error: print(error)"
    )
    line = (sys.executable, "-c", "import monitor.portable.port, monitor.records;" + told)
    said = subprocess.run(line, capture_output=True, text=True, check=True, cwd=Path.cwd()).stdout
    assert "reading an interface needs CAP_NET_RAW" in said
    assert "AmbientCapabilities=CAP_NET_RAW in the systemd unit" in said


def test_nothing_is_left_open(near, engine_name):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    with listening(FAR, engine_name) as engine:
        engine.poll(0)
    del engine
    assert descriptors() == before
    with pytest.raises(SourceError):
        open_engine(Interface(("far", "gone")), EVERY, prefer=engine_name)
    assert descriptors() == before
