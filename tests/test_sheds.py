"""Every bound is reached by some flood, on both engines alike, and nothing beside it is lost.

What test_bounds.py and the captures of pcaps/ reach already is asked of them; the rest is here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import hpack
import pytest

from monitor import counts
from monitor.engine import native_is_here
from monitor.portable.ended import REMEMBERED
from monitor.portable.http2 import PREFACE
from monitor.portable.origins import REMEMBERED_SYNS
from monitor.records import Limits
from pcaps.floods import segment
from pcaps.recipe import FOLDER
from pcaps.talk import ACK, PSH, RST, SYN, Packet, Talk, ip, pcap
from tests import test_bounds
from tests.connections import OK, SECOND
from tests.encapsulations import over
from tests.heads import CLEAN, FOUND, LEAK, POST, head
from tests.test_engine import agree, run
from tests.test_http2 import REQUEST, frame, headers

DATA = PSH | ACK
HELLO = b"\x16\x03\x01\x00\x05"
NOON_NS = 1_700_000_000 * SECOND
Flood = Callable[[], list[Packet]]


def of(*talks: Talk) -> list[Packet]:
    return sorted(frame for talk in talks for frame in talk.frames)


def client(number: int) -> Talk:
    return Talk(src=f"100.65.{number >> 8}.{number & 255}", sport=40_000)


def timed(frames: Iterable[bytes]) -> list[Packet]:
    return [(NOON_NS + 50_000 * place, frame) for place, frame in enumerate(frames)]


def unfinished_datagrams() -> list[Packet]:
    talk = Talk()
    for ident in range(60):
        talk.packets.append((talk.time_ns + ident, ip(talk.src, talk.dst, 6, bytes(64), ident=ident, fragment=0x2000)))
    return of(talk)


def datagrams_in_many_readings() -> list[Packet]:
    """Its second piece comes eight times, and is another each time."""
    talk = Talk().open().client(LEAK, acknowledged=False)
    time_ns, whole = talk.packets.pop()
    payload = whole[20:].ljust(120, b"x")

    def piece(start: int, octets: bytes, more: bool = True) -> bytes:
        return ip(talk.src, talk.dst, 6, octets, ident=7, fragment=more << 13 | start >> 3)

    pieces = [
        piece(96, payload[96:], more=False),
        *(piece(40, bytes([n]) * 56) for n in range(8)),
        piece(0, payload[:40]),
    ]
    talk.packets += [(time_ns + n, octets) for n, octets in enumerate(pieces)]
    return of(talk)


def gaps() -> list[Packet]:
    talk = Talk().open()
    for _ in range(12):
        talk.client(CLEAN).lose(b"x" * 50)
    return of(talk.client(CLEAN).server(OK).close())


def copies() -> list[Packet]:
    talk = Talk().open().client(head(b"A: " + b"a" * 100_000), acknowledged=False)
    for n in range(40):
        talk.segment(DATA, b"%02d" % n, seq=talk.seq - 50_000 + 3 * n)
    return of(talk.server(OK).close())


def lengths() -> list[Packet]:
    request = head(b"Content-Length: 1, 2, 3, 4, 5, 6", line=POST) + b"x" * 6 + CLEAN
    return of(Talk().open().client(request).server(OK).close())


def torn_second_heads() -> list[Packet]:
    """Clients that have all had an answer, and are all in the middle of their second head."""
    talks = [client(number).open().client(CLEAN).server(OK) for number in range(300)]
    for talk in talks:
        talk.time_ns += SECOND
        talk.client(CLEAN[:-2] + b"Cookie: " + b"c" * 300, acknowledged=False)
    return of(*talks)


def segments_in_doubt() -> list[Packet]:
    talk = Talk().open().client(CLEAN)
    for n in range(80):
        talk.segment(DATA, b"x", seq=talk.seq + 10 + 2 * n, bad_checksum=True)
    return of(talk)


def bytes_in_doubt() -> list[Packet]:
    """A head of bytes whose checksums are bad, each acknowledged."""
    talk = Talk(mss=1).open().client(CLEAN)
    for octet in head(b"A: " + b"a" * 300):
        talk.segment(DATA, bytes([octet]), bad_checksum=True)
        talk.seq += 1
        talk.segment(ACK, client=False)
    return of(talk)


def tunnelled(talk: Talk, teid: int) -> list[Packet]:
    def wrapped(packet: bytes) -> bytes:
        inner = struct.pack("!BBHI", 0x30, 0xFF, len(packet), teid) + packet
        return over(struct.pack("!HHHH", 2152, 2152, 8 + len(inner), 0) + inner, 17)

    return of(Talk(packets=[(time_ns, wrapped(packet)) for time_ns, packet in talk.packets]))


def alike_in_tunnels() -> list[Packet]:
    return [packet for teid in range(1, 70) for packet in tunnelled(Talk().open().client(CLEAN), teid)]


def twin_far_behind() -> list[Packet]:
    talk = Talk().open()
    for _ in range(70):
        talk.client(CLEAN)
    ahead, behind = of(talk), tunnelled(talk, 1)
    return [*ahead[:5], *behind[:5], *ahead[5:], *behind[5:]]


def first_bytes() -> list[Packet]:
    """Half-streams that begin with TLS, and then perhaps like a request."""
    return [each for n in range(4100) for each in client(n).client(HELLO, acknowledged=False).client(b"G").frames]


def syns() -> list[Packet]:
    return timed(segment(n, 40_000, 7, SYN) for n in range(REMEMBERED_SYNS + 1))


def ends() -> list[Packet]:
    """Requests that nobody acknowledged before a reset."""
    text, following = CLEAN, 1 + len(CLEAN)
    return timed(
        each
        for n in range(REMEMBERED + 1)
        for each in (segment(n, 40_000, 1, PSH | ACK, text), segment(n, 40_000, following, RST | ACK))
    )


def table() -> list[Packet]:
    """A field of three kilobytes, named fifteen thousand times."""
    encoder = hpack.Encoder()
    bomb = encoder.encode([*REQUEST, (b"x-bomb", b"y" * 3000)]) + b"\xbe" * 15_000
    return of(Talk().open().client(PREFACE + frame(1, bomb, flags=5, stream=1) + headers(stream=3, encoder=encoder)))


def streams() -> list[Packet]:
    opened = b"".join(headers(flags=4, stream=stream) for stream in range(1, 541, 2))
    return of(Talk().open().client(PREFACE + opened))


class Reached(NamedTuple):
    flood: Flood
    limits: Limits | None = None
    native_alone: bool = False  # the portable one would take ten seconds; tests/test_stream.py has its bound


FLOODS = {
    "defrag": Reached(unfinished_datagrams, Limits(fragments_bytes=20_000)),
    "fragment_readings": Reached(datagrams_in_many_readings),
    "lost_gaps": Reached(gaps),
    "copies": Reached(copies),
    "readings": Reached(lengths),
    "early": Reached(torn_second_heads, Limits(memory_bytes=200_000)),
    "doubts": Reached(segments_in_doubt),
    "marks": Reached(bytes_in_doubt),
    "alike": Reached(alike_in_tunnels),
    "twin_heads": Reached(twin_far_behind),
    "beginnings": Reached(first_bytes),
    "origins": Reached(syns),
    "ended": Reached(ends, native_alone=True),
    "hpack": Reached(table),
    "http2_streams": Reached(streams),
}


ELSEWHERE = {  # where the order counts, or no capture reaches it
    "bodies": ("test_bounds.py", "test_bodies_kept_for_late_copies_go_before_clients"),
    "disk": ("test_late_file.py", "test_a_full_disk_costs_lines_and_nothing_else"),
    "queue": ("live/test_capture_live.py", "test_heads_for_which_nobody_has_time_are_let_go_and_counted"),
}
LEAKING = bytes((192, 0, 2, 99))


def with_a_leak(flood: list[Packet]) -> list[Packet]:
    """The flood, and a client who leaks: its connection is there before."""
    talk = Talk(src="192.0.2.99").open().client(CLEAN)
    begun = len(talk.packets)
    talk.time_ns = max(time_ns for time_ns, _ in flood)
    frames = talk.client(LEAK).server(OK).close().frames
    return [*frames[:begun], *flood, *frames[begun:]]


@pytest.mark.parametrize("bound", FLOODS)
def test_a_flood_reaches_the_bound_and_hides_nobody_else(bound: str, tmp_path: Path) -> None:
    reached, capture = FLOODS[bound], tmp_path / "flood.pcap"
    capture.write_bytes(pcap(with_a_leak(reached.flood())))
    if not native_is_here():
        heads, batch = run("portable", capture, limits=reached.limits)
    elif reached.native_alone:
        heads, batch = run("native", capture, limits=reached.limits)
    else:
        heads, batch = agree(capture, limits=reached.limits)
    assert batch.counts[f"shed.{bound}"] > 0
    assert [FOUND in each.fields for each in heads if each.flow.src == LEAKING] == [False, True]


def test_every_bound_is_reached() -> None:
    """By a flood of these, by one of test_bounds.py, or by a capture whose golden says so."""
    goldens = (json.loads(path.read_text())["summary"]["shed"] for path in FOLDER.glob("*.json"))
    by_capture = {bound for shed in goldens for bound in shed}
    by_flood = {name.split()[0] for name in test_bounds.FLOODS}
    assert set(counts.SHED) == FLOODS.keys() | by_flood | by_capture | ELSEWHERE.keys()
    for file, test in ELSEWHERE.values():
        assert f"\ndef {test}(" in (Path(__file__).parent / file).read_text()
