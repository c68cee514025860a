"""Rows 32 to 36: IP fragments that overlap, and this machine's kernel at the other end: what it took must be read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pcaps.talk import ACK, FIN, PSH, SYN, internet_checksum, tcp
from tests.live.kernel import CLIENT, CLIENT6, DECOY, FIRST, HEAD, NUMBER, OTHER, PLAIN, SERVER, SERVER6, Wire, wired
from tests.live.networks import needs_root
from tests.live.replayed import examine

pytestmark = [pytest.mark.live, needs_root]

HEADER = 20  # of TCP; what follows is HTTP
MIDDLE = 56  # a boundary of eight bytes before the number
WHOLE = HEADER + len(HEAD)


class Piece(NamedTuple):
    """Bytes [start, stop) of the segment that has the number, or of the one that has the other number."""

    start: int
    stop: int = WHOLE
    decoy: bool = False
    more: bool | None = None  # None: as it should be


LEFT, RIGHT, FALSE = Piece(0, MIDDLE), Piece(MIDDLE), Piece(MIDDLE, decoy=True)
CASES: dict[str, tuple[Piece, ...]] = {
    "in order": (LEFT, RIGHT),
    "reverse": (RIGHT, LEFT),
    "eight bytes each": tuple(Piece(at, min(at + 8, WHOLE)) for at in range(0, WHOLE, 8)),
    "each twice": (LEFT, LEFT, RIGHT, RIGHT),
    "the other number first": (FALSE, RIGHT, LEFT),
    "the other number last": (RIGHT, FALSE, LEFT),
    "the other number alone, then all again": (LEFT, FALSE, LEFT, RIGHT),
    "a whole one over a decoy": (FALSE, Piece(0)),
    "a decoy over a whole one": (Piece(0, more=True), FALSE, RIGHT, LEFT),
    "overlap by eight bytes": (LEFT, Piece(MIDDLE - 8)),
    "overlap by eight bytes, other ones": (LEFT, Piece(MIDDLE - 8, decoy=True), RIGHT),
    "overlap from behind": (RIGHT, Piece(0, MIDDLE + 8)),
    "a last one that is too short": (LEFT, Piece(MIDDLE, MIDDLE + 16, more=False), RIGHT),
    "a last one that is too short, late": (RIGHT, Piece(MIDDLE, MIDDLE + 16, more=False), LEFT),
    "a piece in the middle": (LEFT, Piece(64, 80), RIGHT),
    "another piece in the middle": (LEFT, Piece(80, 96, decoy=True), RIGHT),
    "another piece in the middle, first": (Piece(80, 96, decoy=True), RIGHT, LEFT),
}


def fragment(packet: bytes, piece: Piece, ident: int) -> bytes:
    """One fragment of an IPv4 or IPv6 packet (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    more = piece.stop < WHOLE if piece.more is None else piece.more
    if packet[0] >> 4 == 6:
        octets = packet[40 + piece.start : 40 + piece.stop]
        header = struct.pack("!BBHI", packet[6], 0, piece.start | more, ident)
        return packet[:4] + struct.pack("!HB", 8 + len(octets), 44) + packet[7:40] + header + octets
    octets = packet[20 + piece.start : 20 + piece.stop]
    fields = struct.pack("!HHH", 20 + len(octets), ident, more << 13 | piece.start >> 3)
    bare = packet[:2] + fields + packet[8:10] + b"\0\0" + packet[12:20]
    return bare[:10] + struct.pack("!H", internet_checksum(bare)) + bare[12:] + octets


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with wired() as wire:
        yield wire


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["ipv4", "ipv6"])
def test_what_the_kernel_took_of_fragments_was_read(wire: Wire, client: str, server: str, tmp_path: Path) -> None:
    talks = {}
    for ident, (name, pieces) in enumerate(CASES.items(), 100):
        ends = (client, wire.begin(), server, PLAIN)

        def say(*packets: bytes) -> None:
            for packet in packets:
                wire.record(packet)
                wire.send(packet)
            wire.listen()

        say(tcp(*ends, FIRST, 0, SYN))
        say(tcp(*ends, FIRST + 1, wire.ack, ACK))
        sound, decoy = (tcp(*ends, FIRST + 1, wire.ack, PSH | ACK, octets) for octets in (HEAD, DECOY))
        say(*(fragment(decoy if each.decoy else sound, each, ident) for each in pieces))
        say(tcp(*ends, FIRST + 1 + len(HEAD), wire.ack, FIN | ACK))
        talk = wire.heard(PLAIN)
        talks[name] = talk._replace(refused=frozenset((OTHER,)) if talk.taken == {NUMBER} else frozenset())
    assert examine(talks, tmp_path) == []
    taken = [talk.taken for talk in talks.values()]
    assert {frozenset((NUMBER,)), frozenset()} <= set(taken)  # overlaps that differ are dropped: RFC 5722, and in IPv4
