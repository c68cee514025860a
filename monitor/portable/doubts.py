"""Segments that a receiver may not have taken: put aside until something says whether it did.

A doubtful segment counts only if nothing contradicts it: it is acknowledged where acknowledgements are visible, and no
sound segment says otherwise about the same bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Doubt(StrEnum):
    """Why; for some of them also the oddity of a head that is made of the segment all the same."""

    BAD_CHECKSUM = "bad_checksum"
    SYN_DATA = "syn_data"
    NO_ACK = "no_ack"  # no ACK flag, or one for what was never sent: RFC 9293 section 3.10.7.4 drops it
    PROBE = "probe"  # one octet that begins no request: a window or keep-alive probe (section 3.8.6.1)

    @property
    def reason(self) -> str:
        """Of counts.REJECTED."""
        return "bad_checksum" if self is Doubt.BAD_CHECKSUM else "not_accepted"

    @property
    def rejected(self) -> str:
        """The key of counts.py."""
        return f"rejected.{self.reason}"

    @property
    def needs_acknowledgement(self) -> bool:
        """Whether it is not believed where the peer's acknowledgements are visible and leave it out."""
        return self in (Doubt.BAD_CHECKSUM, Doubt.SYN_DATA)


class Doubtful(NamedTuple):
    position: int
    octets: bytes
    missing: int  # behind `octets`, as in Segment
    time_ns: int
    doubt: Doubt
    since_ns: int

    @property
    def stop(self) -> int:
        return self.position + len(self.octets)


class Doubts:
    """Those of one half-stream, the oldest first."""

    __slots__ = ("_aside", "_counts", "held")

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._aside: list[Doubtful] = []
        self.held = 0  # bytes

    def __len__(self) -> int:
        return len(self._aside)

    @property
    def oldest(self) -> Doubtful:
        return self._aside[0]

    def add(self, new: Doubtful) -> bool:
        """Whether it is a new one."""
        if any(new.position == each.position and new.octets == each.octets for each in self._aside):
            self._counts["duplicates"] += 1
            return False
        self._aside.append(new)
        self.held += len(new.octets)
        return True

    def take(self, stop: int | None = None, since_ns: int | None = None, doubt: Doubt | None = None) -> list[Doubtful]:
        """Those that end by position `stop`, are as old as `since_ns`, or of one kind, in the order of their bytes."""
        taken = [
            each
            for each in self._aside
            if (stop is None or each.stop <= stop)
            and (since_ns is None or each.since_ns <= since_ns)
            and (doubt is None or each.doubt is doubt)
        ]
        for each in taken:
            self._remove(each)
        return sorted(taken)

    def contradict(self, position: int, octets: bytes) -> list[tuple[Doubtful, str]]:
        """A sound segment says what was sent: one that agrees is a duplicate, one that does not is rejected.

        Yields those that are out of doubt, each with what it is.
        """
        gone = []
        stop = position + len(octets)
        for each in list(self._aside):
            begin, end = max(position, each.position), min(stop, each.stop)
            if begin >= end:
                continue
            if octets[begin - position : end - position] != each.octets[begin - each.position : end - each.position]:
                self._counts[each.doubt.rejected] += 1
                gone.append((each, each.doubt.reason))
                self._remove(each)
            elif end - begin == len(each.octets):
                self._counts["duplicates"] += 1
                gone.append((each, "duplicate"))
                self._remove(each)
        return gone

    def _remove(self, each: Doubtful) -> None:
        self._aside.remove(each)
        self.held -= len(each.octets)
