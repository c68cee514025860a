"""Seeded cases like those of SymTCP: up to three crafted packets before, among or behind a request.

Wang and others, "SymTCP: Eluding Stateful Deep Packet Inspection with Automated Discrepancy Discovery" (NDSS 2020), let
a solver choose three packets of forty bytes (header, and twenty of options and payload) so that each reaches another
place in the kernel's code, and send a request behind them. Here chance chooses, among values near the edges that the
code has: the state of the connection, the flags, the sequence number beside the window, the acknowledgement beside what
was sent, the checksum, the data offset, options, the urgent pointer, and a payload that is garbage or a decoy.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

from pcaps.talk import ACK, FIN, PSH, RST, SYN, URG
from tests.live.attacks import COOKIE, MD5, SACK_PERMITTED, SCALE, USER_TIMEOUT, stamp
from tests.live.kernel import AT, DECOY, HEAD, INLINE, OPEN_FAST, OPENING, PLAIN, Act, Case, Sent, Step, part

FLAGS = (
    ACK, PSH | ACK, PSH | ACK, SYN, SYN | ACK, RST, RST | ACK, FIN, FIN | ACK, FIN | PSH | ACK, 0, PSH, URG | ACK,
    SYN | FIN, SYN | RST, URG | PSH | FIN,
)  # fmt: skip
AROUND = (0, 0, 0, 1, -1, 5, -5, 20, 65_000, 70_000, -70_000, 900_000, -900_000, 2**31, -(2**31) + 1)
ACKS = (0, 0, 0, 0, 1, -1, 1000, -1000, 70_000, -70_000, 300_000, 2**31, -12_345_678)
OPTIONS = (
    b"",
    b"",
    b"",
    MD5,
    SACK_PERMITTED,
    COOKIE,
    SCALE,
    USER_TIMEOUT,
    b"\x08\x0a",
    b"\x02\x04\x00\x00",
    b"\xfe\x28",
)
HEADERS = (None, None, None, None, None, None, 4, 0, 6, 10, 15)  # words
INSIDE = range(AT + 1, AT + 12)


def seeded(number: int) -> Case:
    chance = random.Random(number)
    return chance.choice((crafted, crafted, crafted, dealt))(chance)


def crafted(chance: random.Random) -> Case:
    cuts = sorted({0, len(HEAD), *(chance.choice((0, 4, 20, AT, AT + 12, len(HEAD) - 2)) for _ in range(2))})
    pieces = [part(HEAD, start, stop) for start, stop in pairwise(cuts)]
    stamped = chance.random() < 0.3
    opening: list[Step] = [*OPENING]
    steps: list[Step] = [*pieces]
    for _ in range(chance.randrange(1, 4)):
        if chance.random() < 0.25:
            opening.insert(chance.randrange(len(opening) + 1), _packet(chance, 0, stamped))
        else:
            at = chance.randrange(len(steps) + 1)
            before = [step for step in steps[:at] if step in pieces]
            following = before[-1].at + len(before[-1].octets) if before and isinstance(before[-1], Sent) else 0
            steps.insert(at, _packet(chance, following, stamped))
    if chance.random() < 0.1:
        steps.insert(chance.randrange(len(steps) + 1), Act.CLOSE)
    return Case(
        tuple(steps), tuple(opening), chance.choice((b"", SACK_PERMITTED)), stamp(1_000_000) if stamped else b"",
        chance.choice((PLAIN, PLAIN, PLAIN, OPEN_FAST, INLINE)), ends=chance.random() < 0.8,
    )  # fmt: skip


def _packet(chance: random.Random, following: int, stamped: bool) -> Sent:
    """One packet; `following` is the next byte that the server waits for."""
    flags = chance.choice(FLAGS) if chance.random() < 0.9 else chance.randrange(256)
    at = following + chance.choice(AROUND) - bool(flags & SYN and chance.random() < 0.5)
    options = chance.choice(OPTIONS)
    if stamped:
        options = chance.choice((b"", b"", stamp(1_000_001), stamp(999_000), stamp(2**31 + 1_000_001), MD5))
    payloads: tuple[Callable[[], bytes], ...] = (
        lambda: b"",
        lambda: b"A" * chance.randrange(1, 21),
        lambda: DECOY[max(0, at) :][: chance.randrange(1, len(DECOY))],
        lambda: DECOY[max(0, at) :],
        lambda: DECOY,
    )
    return Sent(
        at, chance.choice(payloads)(), flags, chance.choice(ACKS), options,
        chance.choice((0, 1, 5, AT + 6, 60_000)) if flags & URG else 0, chance.random() < 0.15, chance.choice(HEADERS),
        None, chance.choice((65_535, 65_535, 0, 1)), chance.random() < 0.1,
    )  # fmt: skip


def dealt(chance: random.Random) -> Case:
    """Random pieces in random order, some of them in two versions; the number lies in one piece."""
    cuts = sorted(set(chance.sample([at for at in range(1, len(HEAD)) if at not in INSIDE], chance.randrange(1, 6))))
    pieces = []
    for start, stop in zip([0, *cuts], [*cuts, len(HEAD)], strict=True):
        early, late = max(0, start - chance.randrange(4)), min(len(HEAD), stop + chance.randrange(4))
        if early in INSIDE or late in INSIDE:
            early, late = start, stop
        pieces += [part(chance.choice((HEAD, DECOY)), start, stop) for _ in range(chance.choice((1, 1, 2)))]
        pieces.append(part(chance.choice((HEAD, DECOY)), early, late))
    chance.shuffle(pieces)
    return Case(tuple(pieces))
