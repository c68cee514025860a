"""Requests that begin in small segments behind something else: takes such segments, yields their first bytes.

A half-stream that began with something else is looked at again where a segment begins like a request. Whoever sends one
byte at a time shows no such segment: so the latest few bytes are kept here, in whatever order they come, and looked at
together as soon as they touch.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from monitor.portable.looks import surely_begins_request
from monitor.portable.request_head import METHODS, SPACE

LONGEST = 32  # bytes: the longest method and where its target begins; so far from the newest one pieces are kept
TINY = 4  # bytes: a piece so small may be any part of a request line
MOST = 4096  # half-streams; the one that was begun on first makes room

_BEGUN = re.compile(rb"[\r\n]*[ \t]*([A-Za-z-]{0,16})(?:()[%s]+[!-~]*)?" % SPACE)


_TEXT = re.compile(rb"[\t\r\n -~]*")


class Piece(NamedTuple):
    seq: int
    octets: bytes


class Beginnings:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._pieces: OrderedDict[Hashable, list[Piece]] = OrderedDict()

    def join(self, whose: Hashable, seq: int, payload: bytes) -> bool:
        """Whether this payload and what touches it surely begin a request."""
        if not 0 < len(payload) < LONGEST:
            return False
        known = self._pieces.get(whose, [])
        if any(each.octets.startswith(payload, at) for each in known if 0 <= (at := _ahead(seq, each.seq)) < LONGEST):
            return False  # once more
        new = Piece(seq, payload)
        near = [each for each in known if -LONGEST < _ahead(each.seq, seq) < LONGEST and not _overlap(each, new)]
        near = sorted([*near, new], key=lambda each: _ahead(each.seq, seq))
        at = near.index(new)
        first, last = at, at + 1
        while first and _touch(near[first - 1], near[first]):
            first -= 1
        while last < len(near) and _touch(near[last - 1], near[last]):
            last += 1
        for begin in range(first, at + 1):
            if surely_begins_request(b"".join([each.octets for each in near[begin:last]])):
                self._pieces[whose] = [each for each in near[begin:last] if each is not new]
                return True
        if not (len(payload) <= TINY and _TEXT.fullmatch(payload)) and not _may_begin(payload):
            near.remove(new)
        if not near:
            self._pieces.pop(whose, None)
        else:
            self._pieces[whose] = near
            if len(self._pieces) > MOST:
                self._pieces.popitem(last=False)
                self._counts["shed.beginnings"] += 1
        return False

    def forget(self, whose: Hashable) -> list[Piece]:
        """What was joined, in its order."""
        return self._pieces.pop(whose, [])


def _ahead(seq: int, other: int) -> int:
    """How far a sequence number is ahead of another (RFC 1982)."""
    return (seq - other + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def _touch(piece: Piece, following: Piece) -> bool:
    return _ahead(following.seq, piece.seq) == len(piece.octets)


def _overlap(piece: Piece, other: Piece) -> bool:
    ahead = _ahead(other.seq, piece.seq)
    return -len(other.octets) < ahead < len(piece.octets)


def _may_begin(octets: bytes) -> bool:
    """Whether a request line with a method that is known begins so, or may yet."""
    begun = _BEGUN.fullmatch(octets)
    if begun is None or len(octets) > LONGEST:
        return False
    method = begun[1].upper()
    return method in METHODS or (begun[2] is None and any(each.startswith(method) for each in METHODS))
