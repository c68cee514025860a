"""However many threads read a port, what is found and what is counted is the same, however the frames are wrapped."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from monitor.audit import Audit
from monitor.identify import Identify
from monitor.records import Batch, Interface, Limits, RequestHead
from pcaps.talk import Talk, ethernet
from pcaps.talk import ip as packet_of
from tests.conftest import ENGINES
from tests.conversations import CHANGES, Teller, conversation
from tests.live.cables import cable, cabled, listening, send
from tests.live.networks import ip, needs_root
from tests.test_audit import PLAN

pytestmark = [
    pytest.mark.live,
    needs_root,
    pytest.mark.skipif("native" not in ENGINES, reason="needs the native engine"),
]

UP = socket.inet_aton("100.64.1.2")
# tables of one worker or of several, how often it woke, what waits for a slow reader of this
BY_THE_MACHINE = {"half_streams", "turns", "ring_freezes", "queue_heads", "memory_bytes.queue"}
UNTIL_ASKED = Limits(settle_ns=3600 * 10**9)  # a sender that is held up must not make a head settle by itself


@pytest.fixture
def near() -> Iterator[socket.socket]:
    with cabled() as end:
        yield end


def read(end: socket.socket, frames: list[bytes], workers: int) -> tuple[list[RequestHead], dict[str, int]]:
    """All heads of these frames, and what was counted but for BY_THE_MACHINE."""
    with listening(Interface(("far",), workers=workers), "native", UNTIL_ASKED) as engine:
        send(end, frames)
        found, until = list[RequestHead](), time.monotonic() + 5

        def poll(batch: Batch) -> dict[str, int]:
            found.extend(batch.heads)
            return batch.counts

        while poll(engine.poll(0.02))["frames"] < len(frames) and time.monotonic() < until:
            pass
        counts = poll(engine.drain())
    assert counts["frames"] == counts["kernel_frames"] == len(frames)
    return found, {key: count for key, count in counts.items() if key not in BY_THE_MACHINE}


def gtpu(inner: bytes, teid: int, up: bool) -> bytes:
    """As in life: each direction has a tunnel of its own, between gateways of its own (3GPP TS 29.281 section 5.1)."""
    datagram = b"\x30\xff" + len(inner).to_bytes(2, "big") + teid.to_bytes(4, "big") + inner
    header = b"\x08\x68\x08\x68" + (8 + len(datagram)).to_bytes(2, "big") + b"\0\0"
    ends = ("192.0.2.1", "192.0.2.254") if up else ("198.51.100.7", "198.51.100.9")
    return packet_of(*ends, 17, header + datagram)


def fragments(packet: bytes, ident: int) -> list[bytes]:
    src, dst = (socket.inet_ntoa(packet[at : at + 4]) for at in (12, 16))
    first = packet_of(src, dst, packet[9], packet[20:68], ident=ident, fragment=0x2000)
    return [first, packet_of(src, dst, packet[9], packet[68:], ident=ident, fragment=6)]


def label(packet: bytes) -> bytes:
    return ethernet(packet)[:12] + b"\x88\x47\x00\x01\x01\x40" + packet  # RFC 3032: label 16, the last one


def asymmetric(chance: random.Random, packet: bytes, number: int, ident: int) -> list[bytes]:
    """Frames of one packet of connection `number`: wrapped by its direction, some of them in fragments, some twice."""
    up = packet[12:16] == UP
    if number % 3 == 0:
        packet = gtpu(packet, 1000 + 2 * number + up, up)
    packets = fragments(packet, ident) if len(packet) > 80 and chance.random() < 0.4 else [packet]
    frames = [label(each) if number % 5 == 1 and not up else ethernet(each) for each in packets]
    if number % 5 == 0:
        frames = [each[:12] + (b"\x81\x00\x00\x64" if up else b"\x81\x00\x00\xc8") + each[12:] for each in frames]
    return [frame for frame in frames for _ in range(chance.choice((1, 1, 1, 2)))]


def torn_apart(chance: random.Random) -> list[bytes]:
    """Fragments among whole packets; tags, labels and tunnels by direction; frames twice: to the kernel other flows."""
    tellings = []
    for number in range(60):
        talk = Talk(sport=21_000 + number, mss=chance.choice((9, 60, 700))).open()
        for request, response in conversation(chance, 2).turns:
            talk.client(request).server(response)
        packets = enumerate(talk.close().packets, 1000 * number)
        tellings.append([frame for at, (_, octets) in packets for frame in asymmetric(chance, octets, number, at)])
    frames = []
    while tellings:  # all at once, each in its order
        telling = chance.choice(tellings)
        frames += [telling.pop(0) for _ in range(min(len(telling), chance.randint(1, 5)))]
        tellings = [each for each in tellings if each]
    return frames


def test_connections_torn_apart_are_read_alike_by_any_number_of_workers(near):
    frames = torn_apart(random.Random(29))
    seen = [read(near, frames, workers) for workers in (1, 2, 5)]
    assert len(seen[0][0]) > 150
    assert seen[0][1]["datagrams"] > 200
    for found, counts in seen[1:]:
        assert Counter(map(said, found)) == Counter(map(said, seen[0][0]))
        assert counts == seen[0][1]


def test_the_books_balance_with_any_number_of_workers_while_rules_are_read_again(near):
    frames, identify = torn_apart(random.Random(29)), Identify(PLAN)
    watch, told, size = identify.watch()._replace(audited=1), [], -(-len(frames) // 100)
    for workers in (1, 3):
        books = Audit(PLAN, identify)
        with listening(Interface(("far",), workers=workers), "native", UNTIL_ASKED, watch) as engine:
            for part in range(100):
                send(near, frames[part * size : (part + 1) * size])
                engine.watch_for(watch)
                books.feed(engine.poll(0))
            last = engine.drain()
            books.feed(last)
        assert last.counts["frames"] == len(frames)
        told.append(books.books())
        assert (books.candidates, books.unaccounted) == (sum(books.fates.values()), 0)
    assert told[0] == told[1]
    assert books.fates["confirmed"] > 50


def test_random_talks_are_read_alike_by_any_number_of_workers(near):
    """However they are brought, HTTP/2 too."""
    chance = random.Random(12)
    frames: list[bytes] = []
    for number in range(8):
        teller = Teller(chance, frozenset(chance.sample(sorted({*CHANGES} - {"framed", "shifted", "paused"}), 3)))
        frames += [frame for _, frame in teller.frames(conversation(chance, 3), 21_000 + number)]
    seen = [read(near, frames, workers) for workers in (1, 3)]
    assert len(seen[0][0]) > 20
    assert Counter(map(said, seen[1][0])) == Counter(map(said, seen[0][0]))
    assert seen[1][1] == seen[0][1]


def said(head: RequestHead) -> tuple[object, ...]:
    """What a head says, and of whom; not when it came."""
    return (head.flow, head.method, head.target, head.fields, head.oddities, head.certainty, head.section, head.times)


def test_a_port_that_is_made_anew_is_read_on_by_several_workers(near):
    with listening(Interface(("far",), workers=2), "native") as engine:
        engine.poll(0)
        ip("link", "del", "far")
        with cable() as anew:
            until, found = time.monotonic() + 5, list[RequestHead]()
            packets = Teller(random.Random(1), frozenset()).frames(conversation(random.Random(1), 1))
            while not found and time.monotonic() < until:
                send(anew, [octets for _, octets in packets])
                found = engine.poll(0.05).heads
    assert found
