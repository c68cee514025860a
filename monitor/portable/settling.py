"""Heads that wait until they are settled, in the order of their places: takes those of a client, and of copies of it.

A head in a copy may be the same as one that is here, another way to read it, or one of its own. Those that were let go
before their bytes were acknowledged are remembered: a copy of them may still come.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.portable.copies import Copies, alike, in_doubt, late, noted, overlap
from monitor.records import Limits, PlacedHead, Section, Version

MOST_WAITING = 256  # heads
HEAD_BYTES = 384  # of a head that waits or is remembered, besides its bytes


class Waiting(NamedTuple):
    since_ns: int
    placed: PlacedHead


class Settling:
    __slots__ = ("_bytes", "_copies", "_counts", "_limits", "_past", "_settled", "_waiting")

    def __init__(self, limits: Limits, counts: dict[str, int], copies: Copies) -> None:
        self._limits = limits
        self._counts = counts
        self._copies = copies
        self._waiting: list[Waiting] = []
        self._bytes = 0  # of these
        self._past: list[PlacedHead] = []  # let go of late, and a copy may still come
        self._settled: list[PlacedHead] = []

    def __bool__(self) -> bool:
        """Whether one waits."""
        return bool(self._waiting)

    @property
    def oldest(self) -> Waiting:
        return self._waiting[0]

    @property
    def begin(self) -> list[int]:
        """Where the oldest begins, if one waits."""
        return [waiting.placed.start for waiting in self._waiting[:1]]

    @property
    def starts(self) -> list[int]:
        """Where those begin that wait."""
        return [waiting.placed.start for waiting in self._waiting]

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        past = sum(placed.end - placed.start for placed in self._past)
        return HEAD_BYTES * (len(self._waiting) + len(self._past)) + self._bytes + past

    def add(self, placed: PlacedHead, now_ns: int) -> None:
        if placed.why:
            self._join(placed, now_ns)
        else:
            self._waiting.append(Waiting(now_ns, placed))
            self._bytes += placed.end - placed.start

    def whole(self) -> list[PlacedHead]:
        """Those that begin where reading can begin: amid frames it cannot."""
        known = [*self._past, *(waiting.placed for waiting in self._waiting)]
        return [
            placed
            for placed in known
            if placed.head.section is Section.HEAD and not placed.part and placed.head.version != b"HTTP/2"
        ]

    def compare(self, heads: list[PlacedHead], place: int, version: Version, now_ns: int) -> None:
        """These are the heads from `place` on with a copy: what is the same, what more, what is not there?"""
        starts = {placed.start for placed in heads}
        for at, (since_ns, placed) in enumerate(self._waiting):
            if placed.start >= place and placed.start not in starts:
                self._waiting[at] = Waiting(since_ns, in_doubt(placed, version.oddity))
        for placed in heads:
            self._join(placed, now_ns, version)

    def is_due(self, now_ns: int, acked: int) -> bool:
        """Whether the oldest is settled, acknowledged up to here, or there is no room for all that wait."""
        if not self._waiting:
            return False
        since_ns, placed = self._waiting[0]
        if placed.end <= acked or since_ns <= now_ns - self._limits.settle_ns:
            return True
        if len(self._waiting) <= MOST_WAITING and self._bytes <= self._limits.hold_bytes_per_half_stream:
            return False
        self._counts["shed.settle"] += 1
        return True

    def let_go(self, acked: int | None) -> None:
        """The oldest waits no longer."""
        placed = self._waiting.pop(0).placed
        self._bytes -= placed.end - placed.start
        self._settled.append(self._copies.marked(placed))
        if acked is None or acked < placed.end:
            self._past.append(placed)

    def take(self) -> list[PlacedHead]:
        """Those that were let go."""
        settled, self._settled = self._settled, []
        return settled

    def clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0

    def forget(self, kept_from: int) -> None:
        """What no copy is compared with any more: bytes before this position are not kept."""
        if self._past:
            self._past = [placed for placed in self._past if placed.end > kept_from]
        self._copies.forget(min([kept_from, *self.begin]))

    def _join(self, other: PlacedHead, now_ns: int, version: Version | None = None) -> None:
        """A head in a copy: perhaps the same as one that is here, or another way to read it, or one of its own."""
        here = [at for at, (_, placed) in enumerate(self._waiting) if placed.start == other.start]
        same = [at for at in here if alike(self._waiting[at].placed.head, other.head)]
        for at in same[:1] or here[:1]:
            since_ns, placed = self._waiting[at]
            if not same:
                self._waiting[at] = Waiting(since_ns, self._copies.with_reading(placed, other))
            elif version is not None and overlap(version, placed):
                self._waiting[at] = Waiting(since_ns, noted(placed, version.oddity))
            return
        past = [placed for placed in self._past if placed.start == other.start]
        if any(alike(placed.head, other.head) for placed in past):
            return
        new = late(past[0], other) if past else other
        if new is not None:
            behind = [at for at, (_, placed) in enumerate(self._waiting) if placed.start > new.start]
            at = behind[0] if behind else len(self._waiting)
            self._waiting.insert(at, Waiting(now_ns, in_doubt(new, new.why)))
            self._bytes += new.end - new.start
