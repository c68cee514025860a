"""Requests that begin in small segments behind something else: takes such segments, yields their first bytes.

A half-stream that began with something else is looked at again where a segment begins like a request. Whoever sends one
byte at a time shows no such segment: so the latest few bytes are joined here for as long as they may begin a request.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from monitor.portable.looks import surely_begins_request
from monitor.portable.request_head import METHODS, SPACE

LONGEST = 32  # bytes: the longest method and where its target begins
MOST = 4096  # half-streams; the one that was begun on first makes room

_BEGUN = re.compile(rb"[\r\n]*[ \t]*([A-Za-z-]{0,16})(?:()[%s]+[!-~]*)?" % SPACE)


class Begun(NamedTuple):
    seq: int
    octets: bytes


class Beginnings:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._begun: OrderedDict[Hashable, Begun] = OrderedDict()

    def join(self, whose: Hashable, seq: int, payload: bytes) -> bool:
        """Whether this payload and what came before it surely begin a request."""
        before = self._begun.get(whose)
        if len(payload) >= LONGEST:
            return False
        if before is not None:
            at = seq - before.seq & 0xFFFFFFFF
            if at < len(before.octets) and before.octets.startswith(payload, at):
                return False  # once more
            joined = before.octets + payload
            follows = at == len(before.octets)
            if follows and surely_begins_request(joined):
                return True
            if follows and _may_begin(joined):
                self._begun[whose] = Begun(before.seq, joined)
                return False
            del self._begun[whose]
        if _may_begin(payload):
            self._begun[whose] = Begun(seq, payload)
            if len(self._begun) > MOST:
                self._begun.popitem(last=False)
                self._counts["shed.beginnings"] += 1
        return False

    def forget(self, whose: Hashable) -> Begun | None:
        """What was joined."""
        return self._begun.pop(whose, None)


def _may_begin(octets: bytes) -> bool:
    """Whether a request line with a method that is known begins so, or may yet."""
    begun = _BEGUN.fullmatch(octets)
    if begun is None or len(octets) > LONGEST:
        return False
    method = begun[1].upper()
    return method in METHODS or (begun[2] is None and any(each.startswith(method) for each in METHODS))
