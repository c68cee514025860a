"""Row 54: odd segments, and the TCP of this machine's kernel at the other end: what it took, the sensor must have read.

A raw socket in one network namespace plays the client, byte by byte as a case says; a server in another one reads from
an ordinary socket. Everything that passed the cable becomes a capture. Whichever copy the kernel delivered must be in a
reading, and where the sensor is sure (`confirmed`) it must have read just that.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.engine import Preference
from monitor.identify import Identify
from monitor.records import Certainty
from monitor.verdicts import NumberPlan
from pcaps.talk import ACK, ETHERNET, FIN, PSH, RST, SYN, URG, Packet, pcap, tcp
from tests.live.cables import PACKET_QDISC_BYPASS, SOL_PACKET
from tests.live.networks import carries, ip, needs_root, own_network
from tests.test_engine import run

pytestmark = [pytest.mark.live, needs_root]

CLIENT, SERVER = "192.0.2.2", "192.0.2.1"
MACS = {"near": "02:00:00:00:00:02", "far": "02:00:00:00:00:01"}
HEADER = bytes.fromhex("020000000001 020000000002 0800")
FRONT = b"GET /long/enough/to/be/cut HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: "
NUMBER, OTHER = b"447700900123", b"447700900999"
HEAD = FRONT + NUMBER + b"\r\nAccept: */*\r\n\r\n"
DECOY = HEAD.replace(NUMBER, OTHER)
AT = len(FRONT)  # of the number
FIRST = 1000  # sequence number of the client's SYN
MD5 = b"\x13\x12" + bytes(16)  # RFC 2385
STAMPED = b"\x01\x01\x08\x0a"  # RFC 7323, behind two NOPs
LATER, EARLIER = struct.pack("!II", 90_000, 0), struct.pack("!II", 80_000, 0)


class Sent(NamedTuple):
    """One segment of the client, `at` bytes behind its first one."""

    at: int
    octets: bytes = b""
    flags: int = PSH | ACK
    ack: int = 0  # relative to the right one
    options: bytes = b""
    urgent: int = 0
    bad_checksum: bool = False


def part(octets: bytes, start: int, stop: int | None = None) -> Sent:
    return Sent(start, octets[start:stop])


WHOLE, FALSE = part(HEAD, 0), part(DECOY, 0)
CASES: dict[str, tuple[Sent, ...]] = {
    "in order": (part(HEAD, 0, 20), part(HEAD, 20)),
    "reverse": tuple(part(HEAD, at, at + 10) for at in reversed(range(0, len(HEAD), 10))),
    "sent again with other bytes": (WHOLE, FALSE),
    "two versions ahead of a hole": (part(HEAD, 20), part(DECOY, 20), part(HEAD, 0, 20)),
    "two versions ahead of a hole, the other first": (part(DECOY, 20), part(HEAD, 20), part(HEAD, 0, 20)),
    "a longer version over a shorter one": (part(DECOY, AT, AT + 12), part(HEAD, 20), part(HEAD, 0, 20)),
    "a shorter version over a longer one": (part(HEAD, 20), part(DECOY, AT, AT + 12), part(HEAD, 0, 20)),
    "overlap from the left": (part(HEAD, AT + 4), part(DECOY, 0, AT + 12)),
    "overlap from the right": (part(HEAD, 0, AT + 4), part(DECOY, AT - 4)),
    "bad checksum": (FALSE._replace(bad_checksum=True), WHOLE),
    "no ACK flag": (FALSE._replace(flags=PSH), WHOLE),
    "acknowledges what was never sent": (FALSE._replace(ack=900_000_000), WHOLE),
    "far ahead": (part(DECOY, 0)._replace(at=900_000), WHOLE),
    "far behind": (part(DECOY, 0)._replace(at=-900_000), WHOLE),
    "MD5 signature": (FALSE._replace(options=MD5), WHOLE),
    "old timestamp": (FALSE._replace(options=STAMPED + EARLIER), WHOLE),
    "RST out of the window": (part(HEAD, 0, 20), Sent(900_000, flags=RST), part(HEAD, 20)),
    "RST with a bad checksum": (part(HEAD, 0, 20), Sent(20, flags=RST, bad_checksum=True), part(HEAD, 20)),
    "FIN with a bad checksum": (part(HEAD, 0, 20), Sent(20, flags=FIN | ACK, bad_checksum=True), part(HEAD, 20)),
    "a SYN amid": (part(HEAD, 0, 20), Sent(20, flags=SYN), part(HEAD, 20)),
    "urgent byte in the number": (WHOLE._replace(flags=PSH | ACK | URG, urgent=AT + 6),),
    "keep-alive with a byte": (part(HEAD, 0, 20), Sent(19, b"x"), part(HEAD, 20)),
}


def dealt(seed: int) -> tuple[Sent, ...]:
    """Random pieces in random order, some of them in two versions; the number lies in one piece."""
    chance = random.Random(seed)
    inside = range(AT + 1, AT + 12)
    cuts = sorted(set(chance.sample([at for at in range(1, len(HEAD)) if at not in inside], chance.randrange(1, 6))))
    pieces = []
    for start, stop in zip([0, *cuts], [*cuts, len(HEAD)], strict=True):
        early, late = max(0, start - chance.randrange(4)), min(len(HEAD), stop + chance.randrange(4))
        if early in inside or late in inside:
            early, late = start, stop
        pieces += [part(chance.choice((HEAD, DECOY)), start, stop) for _ in range(chance.choice((1, 1, 2)))]
        pieces.append(part(chance.choice((HEAD, DECOY)), early, late))
    chance.shuffle(pieces)
    return tuple(pieces)


class Wire:
    """The cable with what passed it; `near` is the client's end, and no kernel listens there."""

    def __init__(self, near: socket.socket, server: socket.socket) -> None:
        self.near, self.server = near, server
        self.frames: list[Packet] = []
        self.port = 20_000

    def send(self, packet: bytes) -> None:
        self.near.send(HEADER + packet)
        self.frames.append((time.time_ns(), HEADER + packet))

    def hear(self) -> bytes:
        """The next TCP segment of the server, from its header on."""
        while True:
            frame = self.near.recv(65535)
            if frame[:6] == HEADER[6:12] and frame[12:14] == b"\x08\0" and frame[23] == 6:
                self.frames.append((time.time_ns(), frame))
                return frame[34:]

    def talk(self, case: tuple[Sent, ...]) -> bytes:
        """One connection, on a port of its own; what the server's kernel delivered of it."""
        self.port += 1
        ends = (CLIENT, self.port, SERVER, 80)
        stamped = any(STAMPED in each.options for each in case)
        options = STAMPED + LATER if stamped else b""
        self.send(tcp(*ends, FIRST, 0, SYN, options=options))
        while (answer := self.hear())[13] & (SYN | ACK) != SYN | ACK or answer[2:4] != self.port.to_bytes(2, "big"):
            pass
        ack = int.from_bytes(answer[4:8], "big") + 1
        self.send(tcp(*ends, FIRST + 1, ack, ACK, options=options))
        taker, _ = self.server.accept()
        with taker:
            taker.settimeout(2)
            for at, octets, flags, other, own, urgent, bad in case:
                self.send(
                    tcp(
                        *ends, FIRST + 1 + at, ack + other if flags & ACK else 0, flags, octets,
                        options=own or options, urgent=urgent, bad_checksum=bad,
                    )
                )  # fmt: skip
            self.send(tcp(*ends, FIRST + 1 + len(HEAD), ack, FIN | ACK, options=options))
            delivered = b""
            while octets := taker.recv(65535):
                delivered += octets
        self.send(tcp(*ends, FIRST + 2 + len(HEAD), ack, RST))
        return delivered


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with own_network():
        ends = ("address", MACS["near"], "type", "veth", "peer", "name", "far", "address", MACS["far"])
        ip("link", "add", "near", *ends)
        for name in ("near", "far"):
            ip("link", "set", name, "addrgenmode", "none", "up")
        ip("addr", "add", f"{SERVER}/24", "dev", "far")
        ip("neigh", "add", CLIENT, "lladdr", MACS["near"], "dev", "far", "nud", "permanent")
        carries("far")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300) as near, socket.socket() as server:
            near.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
            near.bind(("near", 0x0003))
            near.settimeout(2)
            server.bind((SERVER, 80))
            server.listen(64)
            yield Wire(near, server)


def sighted(frames: list[Packet], engine: Preference, folder: Path) -> dict[int, set[tuple[bytes, Certainty]]]:
    """By port, each number that was seen, and how sure that is."""
    (folder / "kernel.pcap").write_bytes(pcap(sorted(frames), link=ETHERNET))
    identify = Identify(NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",)))
    found: dict[int, set[tuple[bytes, Certainty]]] = {}
    for head in run(engine, folder / "kernel.pcap")[0]:
        for each in identify.feed(head):
            found.setdefault(head.flow.sport, set()).add((each.number.digits.encode(), each.certainty))
    return found


def test_what_the_kernel_took_was_read(wire: Wire, engine_name: Preference, tmp_path: Path) -> None:
    cases = CASES | {f"random {seed}": dealt(seed) for seed in range(60)}
    talks = {name: (wire.talk(case), wire.port) for name, case in cases.items()}
    seen = sighted(wire.frames, engine_name, tmp_path)
    taken = []
    for name, (octets, port) in talks.items():
        number = octets.partition(b"X-MSISDN: ")[2].partition(b"\r\n")[0]
        found = seen.get(port, set())
        sure = {each for each, certainty in found if certainty is Certainty.CONFIRMED}
        assert number in {each for each, _ in found}, (name, octets, found)
        assert sure <= {number}, (name, octets, found)
        taken.append(number)
    assert taken.count(NUMBER) > 20 < len(taken) - taken.count(NUMBER)  # the kernel had to choose
