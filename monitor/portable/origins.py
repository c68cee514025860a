"""What is remembered of connections that have not sent anything.

Of so many of them, so that a flood of SYNs costs nothing: the one that is longest here makes room. Whatever the hashes
are, a replay finds the same.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum
from typing import NamedTuple

from monitor.portable.client import first_byte, urgent_pointer
from monitor.portable.losses import Sent, missed
from monitor.records import Flow, Segment

REMEMBERED_SYNS = 50_000


class Side(IntEnum):
    """Who a half-stream is of, as far as its SYN tells."""

    UNKNOWN = 0
    CLIENT = 1  # a SYN
    SERVER = 2  # a SYN that acknowledged one, and no other


class Origin(NamedTuple):
    """Where a half-stream began."""

    seq: int = -1  # sequence number behind its SYN; -1: not known
    side: Side = Side.UNKNOWN
    met: bool = False  # payload of it was seen
    missed: int = 0  # bytes that its FIN told of before any payload was seen
    urgent: int = -1  # where an urgent pointer leads that came before any payload; -1: there was none
    answered: bool = False  # the other direction has acknowledged this SYN
    other: int = -1  # sequence number behind another SYN that may be the true one as well; -1: there was none
    other_answered: bool = False

    def beside(self, seq: int) -> tuple[int, bool]:
        """What is remembered beside a SYN that says `seq`, and whether it is acknowledged: rather what is."""
        if self.seq == seq or (self.other_answered and not self.answered and self.other != seq):
            return self.other, self.other_answered
        return self.seq, self.answered

    def nearest(self, seq: int, window: int) -> Origin:
        """The same, with that SYN first which the first payload at `seq` fits."""
        fits = self.seq == seq or (seq - self.seq & 0xFFFFFFFF <= window and self.other != seq)
        if self.other < 0 or fits or seq - self.other & 0xFFFFFFFF > window:
            return self
        return Origin(
            self.other, self.side, self.met,
            answered=self.other_answered, other=self.seq, other_answered=self.answered,
        )  # fmt: skip


UNKNOWN = Origin()


class Origins:
    """Where connections began: the sequence numbers behind the latest two SYNs of a flow, and whose they were."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._table: OrderedDict[int, Origin] = OrderedDict()  # by hash

    def remember(self, flow: Flow, seq: int, side: Side) -> None:
        mark = hash(flow)
        known = self._table.get(mark, UNKNOWN)
        if known.side is Side.CLIENT:
            side = Side.CLIENT
        answered = (seq, True) in ((known.seq, known.answered), (known.other, known.other_answered))
        other, other_answered = known.beside(seq)
        self._table[mark] = Origin(seq, side, answered=answered, other=other, other_answered=other_answered)
        if len(self._table) > REMEMBERED_SYNS:
            self._table.popitem(last=False)
            self._counts["shed.origins"] += 1

    def look(self, flow: Flow) -> Origin:
        return self._table.get(hash(flow), UNKNOWN)

    def forget(self, flow: Flow) -> None:
        self._table.pop(hash(flow), None)

    def answer(self, flow: Flow) -> None:
        """The other direction has acknowledged what is remembered: then no other SYN is believed that was not."""
        known = self.look(flow)
        other = known.other if known.other_answered else -1
        self._table[hash(flow)] = known._replace(answered=True, other=other)

    def met(self, segment: Segment) -> Sent:
        """The first payload of a half-stream: from where on its bytes count."""
        origin = self.look(segment.flow)
        if origin is not UNKNOWN:
            self._table[hash(segment.flow)] = origin._replace(met=True, missed=0)
        return Sent.since(origin.seq, origin.missed, first_byte(segment))

    def announced(self, segment: Segment) -> None:
        """An urgent pointer, and no payload was ever seen: of one SYN, for there is room for one thing more."""
        origin, pointer = self.look(segment.flow), urgent_pointer(segment)
        if origin is not UNKNOWN and origin.other < 0:
            is_near = 0 < pointer - origin.seq & 0xFFFFFFFF <= 0xFFFF
            self._table[hash(segment.flow)] = origin._replace(urgent=pointer if is_near else -1)

    def ended(self, segment: Segment) -> None:
        """A FIN, and no payload was ever seen: it tells how much there was."""
        origin = self.look(segment.flow)
        if origin is not UNKNOWN and not origin.met and not origin.missed:
            lost = missed(first_byte(segment), origin.seq, self._counts)
            self._table[hash(segment.flow)] = origin._replace(missed=lost)
