"""Heads that clients let go: counted, and handed on when they are requests that no twin had before.

When two paths carry the same head at the same sequence number it is one connection, mirrored twice, and the head counts
once.
"""

from __future__ import annotations

from monitor.portable.ended import Ended
from monitor.portable.halves import MOST_HEADS, HalfStream, Halves
from monitor.portable.looks import Looks
from monitor.portable.origins import Side
from monitor.portable.trace import Tracer
from monitor.records import Certainty, PlacedHead, RequestHead, Section

TWIN_HEADS = 64  # remembered of a half-stream that has a twin
REQUEST_FIELDS = frozenset(
    (b"host", b"user-agent", b"referer", b"cookie", b"accept", b"accept-language", b"accept-encoding")
)  # that no response has


class Heads:
    def __init__(self, counts: dict[str, int], halves: Halves, ended: Ended, tracer: Tracer | None) -> None:
        self._counts = counts
        self._halves = halves
        self._ended = ended
        self._tracer = tracer

    def publish(self, half: HalfStream, placed: list[PlacedHead], now_ns: int) -> list[RequestHead]:
        """Those of the half-stream's client that are news."""
        heads = []
        counts = self._counts
        for start, end, head, _, part in placed:
            if not head.method and not _is_request(half, head):
                counts["not_requests"] += 1
                self._trace(half, start, end, "response")
                continue
            before = half.last_head
            half.last_head = (start & 0xFFFFFFFF, hash(_text(head)))
            if before is not None and before not in half.heads:
                half.heads = (*half.heads, before)[-MOST_HEADS:]
            if half.last_heads is not None and self._is_of_a_twin(half, half.last_head, half.last_heads):
                counts["twin_heads"] += 1
                self._trace(half, start, end, "twin")
                continue
            if self._is_known(half, half.last_head, now_ns, part=part):
                counts["duplicates"] += 1
                self._trace(half, start, end, "duplicate")
                continue
            self._trace(half, start, end, "head", head)
            if part:
                counts["head_parts"] += 1
            else:
                counts["trailers" if head.section is Section.TRAILER else "requests"] += 1
                counts["ambiguous_requests"] += head.certainty is Certainty.AMBIGUOUS
            for oddity in set(head.oddities):
                counts["oddities." + oddity] += 1
            heads.append(head)
        return heads

    def _is_known(self, half: HalfStream, mark: tuple[int, int], now_ns: int, *, part: bool) -> bool:
        """Whether this head was seen at this place before: here, or in a connection that has ended.

        Of one whose SYN was seen only copies from its first head on are looked for.
        """
        if not half.heads or half.is_copy or half.side is Side.UNKNOWN:
            is_known = self._ended.knows(half.flow, mark, now_ns)
            half.is_copy = half.is_copy or is_known
            if is_known:
                return True
        return mark in half.heads and not part  # parts of one head may be alike

    def _is_of_a_twin(self, half: HalfStream, mark: tuple[int, int], marks: dict[tuple[int, int], bool]) -> bool:
        """Remember this head, and say whether a twin had the same."""
        is_seen = False
        for twin in self._halves.twins(half):
            if twin.last_heads is not None and mark in twin.last_heads:
                twin.last_heads[mark] = is_seen = True
        marks[mark] = marks.get(mark, False) or is_seen  # parts of one head may be alike
        if len(marks) > TWIN_HEADS:
            self._counts["shed.twin_heads"] += not marks.pop(next(iter(marks)))
        return is_seen

    def _trace(self, half: HalfStream, start: int, end: int, what: str, head: RequestHead | None = None) -> None:
        if self._tracer is not None and half.client is not None:
            self._tracer.stretch(half.client.traced, start, end, what, head)


def _is_request(half: HalfStream, head: RequestHead) -> bool:
    """Whether fields without a request line are those of a request: a response has fields as well, and so has mail."""
    is_answered = half.side is Side.CLIENT if half.peer is None else half.peer.looks is Looks.RESPONSE
    asks = half.client is not None and half.client.asks
    has_asked = half.last_head is not None
    return asks or is_answered or has_asked or not REQUEST_FIELDS.isdisjoint(name for name, _ in head.fields)


def _text(head: RequestHead) -> tuple[object, ...]:
    """All that a head says in its readings; the time and what is odd may be another where it was mirrored twice."""
    return (head.method, head.target, head.version, head.fields, *map(_text, head.readings))
