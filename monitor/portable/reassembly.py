"""TCP reassembly of one half-stream (RFC 9293 section 3.4): takes payload with its place, yields Data and Gap in order.

The bytes that came first are the primary reading. A later copy that differs is kept beside it as a Version: receivers
disagree on which one they take, so both are read. Sequence numbers become positions, which count on beyond 2^32: they
are compared as plain integers everywhere else.

Only ranges are kept, and of those only what waits behind a hole. Nothing here knows time: when a hole is to be given
up is for the caller to say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from monitor.records import Data, Gap, Version

PIECE_OVERHEAD = 160  # bytes that one held piece costs besides its payload, so that tiny pieces count as well
MOST_VERSIONS = 64  # of bytes that are still looked at

Octets = bytes | bytearray


class _Piece(NamedTuple):
    start: int
    stop: int
    octets: bytes | None  # None: cut off by the snap length
    time_ns: int


class Assembler:
    """Puts the payload of one half-stream in order, from `position` on.

    Invariants: `_pieces` are sorted, do not overlap and begin behind `next`; `held` is what they cost.
    """

    __slots__ = ("_pieces", "_ready", "copied_to", "held", "left_out", "next", "taken", "versions")

    def __init__(self, position: int) -> None:
        self.next = position  # of the first byte that is not yet in order
        self.held = 0
        self.versions: list[Version] = []  # that nobody has looked at
        self.taken: list[Version] = []  # that somebody has, so that the same ones are known again
        self.left_out = 0  # for which there was no room
        self.copied_to = 0  # behind the latest segment that differed, while anything is known of copies
        self._pieces: list[_Piece] = []
        self._ready: list[Data | Gap] = []

    @property
    def waiting(self) -> bool:
        """Whether something waits behind a hole."""
        return bool(self._pieces)

    @property
    def end(self) -> int:
        """Behind the last byte that was seen."""
        return self._pieces[-1].stop if self._pieces else self.next

    def place(self, seq: int) -> int:
        """The position of a sequence number: the one nearest to `next` (serial number arithmetic, RFC 1982)."""
        return self.next + ((seq - self.next + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def insert(self, position: int, octets: bytes, missing: int, time_ns: int, known: Octets, known_from: int) -> int:
        """Take a segment's payload and, behind it, `missing` bytes that the capture cut off.

        `known` is what the caller still has of the bytes before `next`, to be compared with a copy of them.
        Returns how many bytes were new.
        """
        stop = position + len(octets)
        if position < self.next:
            self._compare(position, octets, known_from, known)
            octets = octets[self.next - position :]
            position = self.next
        fresh = self._fill(position, stop, octets, time_ns) if octets else 0
        if missing and stop + missing > self.next:
            fresh += self._fill(max(stop, self.next), stop + missing, None, time_ns)
        return fresh

    def ready(self) -> Iterator[Data | Gap]:
        """What is in order now."""
        pieces = self._pieces
        taken = 0
        for piece in pieces:
            if piece.start > self.next:
                break
            self._pass(piece)
            self.held -= _cost(piece)
            taken += 1
        if taken:
            del pieces[:taken]
        ready, self._ready = self._ready, []
        return iter(ready)

    @property
    def copied_from(self) -> int:
        """Where the copy begins that the next segment may go on with; where none does, what follows."""
        last = self.taken[-1] if self.taken else None
        return last.start if last is not None and last.stop == self.copied_to else self.next

    def rewind(self, position: int, octets: bytes, time_ns: int) -> None:
        """Begin again at `position`: what was thought to be the beginning was not. `octets` are all up to `next`."""
        if octets:
            piece = _Piece(self.next - len(octets), self.next, octets, time_ns)
            self._pieces.insert(0, piece)
            self.held += _cost(piece)
        self.next = position
        self.versions, self.taken = self.taken + self.versions, []  # all is read anew

    def skip(self) -> None:
        """Give the first hole up: it becomes a Gap."""
        if self._pieces:
            start = self._pieces[0].start
            self._ready.append(Gap(self.next, start - self.next, cut=False))
            self.next = start

    def drop_last(self) -> tuple[int, int]:
        """Hold no longer what came furthest behind the hole, as if it had never come: from where, up to where."""
        piece = self._pieces.pop()
        self.held -= _cost(piece)
        return piece.start, piece.stop

    def add_version(self, version: Version) -> None:
        """Keep another copy, unless it is known or there are too many already."""
        if version in self.versions or any(_holds(known, version) for known in self.taken):
            return
        if len(self.versions) + len(self.taken) < MOST_VERSIONS:
            self.versions.append(version)
        else:
            self.left_out += 1

    def take_versions(self) -> list[Version]:
        """The copies of bytes that are all in order by now, in the order in which they came."""
        ready = [version for version in self.versions if version.stop <= self.next]
        if ready:
            self.versions = [version for version in self.versions if version.stop > self.next]
        return ready

    def forget_versions(self, before: int) -> None:
        """Nobody will look at bytes before this position again."""
        if self.taken:
            self.taken = [version for version in self.taken if version.stop > before]
        if self.copied_to and not (self.taken or self.versions or self.left_out):
            self.copied_to = 0

    def _fill(self, position: int, stop: int, octets: bytes | None, time_ns: int) -> int:
        """Take [position, stop), all of it behind `next`; where pieces are already, they stay."""
        pieces = self._pieces
        if position == self.next and (not pieces or stop <= pieces[0].start):
            self._pass(_Piece(position, stop, octets, time_ns))
            return stop - position
        fresh, at = 0, position
        i = bisect_right(pieces, position, key=attrgetter("stop"))
        while at < stop:
            following = pieces[i] if i < len(pieces) else None
            free = min(stop, following.start) if following else stop
            if at < free:
                part = None if octets is None else octets[at - position : free - position]
                piece = _Piece(at, free, part, time_ns)
                pieces.insert(i, piece)
                self.held += _cost(piece)
                fresh += free - at
                i += 1
            if following is None or following.start >= stop:
                break
            if octets is not None and following.octets is not None:
                self._compare(position, octets, following.start, following.octets)
            at = following.stop
            i += 1
        return fresh

    def _pass(self, piece: _Piece) -> None:
        self.next = piece.stop
        if piece.octets is None:
            self._ready.append(Gap(piece.start, piece.stop - piece.start, cut=True))
        else:
            self._ready.append(Data(piece.start, piece.octets, piece.time_ns))

    def _compare(self, position: int, octets: bytes, start: int, known: Octets) -> None:
        """Keep the part of `octets` that says otherwise than `known` does."""
        first, stop = max(position, start), min(position + len(octets), start + len(known))
        if first < stop and octets[first - position : stop - position] != known[first - start : stop - start]:
            self.add_version(Version(first, stop, octets[first - position : stop - position], "overlap"))


def _holds(known: Version, version: Version) -> bool:
    """Whether a copy says the same, and perhaps more."""
    if known.oddity != version.oddity or len(version.octets) != version.stop - version.start:
        return known == version
    begin, end = version.start - known.start, version.stop - known.start
    return begin >= 0 and end <= len(known.octets) and known.octets[begin:end] == version.octets


def _cost(piece: _Piece) -> int:
    return PIECE_OVERHEAD + (len(piece.octets) if piece.octets else 0)
