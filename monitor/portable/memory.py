"""The share of memory that half-streams have, and who goes first when it is used up (docs/decisions/0013)."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.portable.admission import LIVELY_NS
from monitor.portable.clients import NOTHING
from monitor.portable.halves import HalfStream
from monitor.portable.looks import Looks
from monitor.portable.losses import HOLES_BYTES
from monitor.portable.opening import Opening
from monitor.portable.origins import Side
from monitor.records import RequestHead

HALF_BYTES = 160  # what one takes that has no client, in round figures
FORGETTABLE = 8  # of which one makes room
LOOKS, MOST_LOOKS = 4, 16  # at so many of them, while each is amid something; while the first head of each is
BEGUN_SHARE = 4  # of the memory one part may be heads that have only begun: they will grow
LEAST_SPARE = 4096  # bytes kept for late copies that are worth dropping


class Memory(Opening):
    @property
    def _memory(self) -> int:
        """Bytes of memory, about: counted alike by both engines."""
        return self._used + HALF_BYTES * len(self._halves) + HOLES_BYTES * self._with_holes

    def _make_room(self, *, is_new: bool) -> Sequence[RequestHead]:
        """One goes, unless that would tear it and whoever comes `is_new`, and can be turned away."""
        self._counts["shed.half_streams"] += 1
        first, _ = self._first_to_go()
        if self._is_lively_and_torn(first):
            self._admission.refuse()
            if is_new:
                return NOTHING
        return self._let_go_of(first)

    def _shed_memory(self, at_hand: HalfStream | None) -> Sequence[RequestHead]:
        """What goes first: no HTTP; bodies kept for late copies; clients amid nothing; then one that is amid, but not
        in its first head while it goes on. At last whoever has just come; and if nobody has, the oldest of those."""
        first, among = self._first_to_go(at_hand)
        if first.client is not None:
            for half in among:
                if half.client is not None and half.client.spare > LEAST_SPARE:
                    self._counts["shed.bodies"] += 1
                    half.client.keep_least()
                    self._account(half)
                    return NOTHING
        if self._is_lively_and_torn(first):
            self._admission.refuse()
            if self._is_new and at_hand is not None:
                return self._turn_away(at_hand)
        self._counts["shed.memory"] += 1
        return self._let_go_of(first)

    @property
    def _is_full_of_beginnings(self) -> bool:
        return self._begun > self._limits.memory_bytes // BEGUN_SHARE

    def _admit(self, half: HalfStream) -> Sequence[RequestHead]:
        """A new one is kept, unless there is no place, or it has only begun, as too many have that still go on."""
        if len(self._halves) > self._limits.half_streams:
            return self._turn_away(half)
        if not half.begun:
            return NOTHING
        if not self._admission.admits(half.flow):
            return self._turn_away(half)
        if not self._is_full_of_beginnings:
            self._admission.ease()
            return NOTHING
        silent = next((each for each in self._oldest() if each.begun and not self._is_lively_and_torn(each)), None)
        if silent is None:
            self._admission.refuse()
            return self._turn_away(half)
        self._counts["shed.memory"] += 1
        return self._let_go_of(silent)

    def _turn_away(self, half: HalfStream) -> Sequence[RequestHead]:
        """What its first segment says counts, and nothing of it is kept."""
        self._counts["shed.new_flows"] += 1
        self._counts["not_admitted_permille"] = self._admission.refused_permille
        return self._forget(half)

    def _is_lively_and_torn(self, half: HalfStream) -> bool:
        """Whether it would be torn early if it went, and is not long silent."""
        is_torn = half.client is not None and half.client.torn
        return is_torn and self._now_ns - half.last_ns < LIVELY_NS

    def _first_to_go(self, at_hand: HalfStream | None = None) -> tuple[HalfStream, list[HalfStream]]:
        """Of the one at hand and some of the oldest the one that is to go first, and these; further ones only if all
        are amid something."""
        oldest = [] if at_hand is None else [at_hand]
        for looks in range(1, MOST_LOOKS + 1):
            oldest += self._oldest()
            first = min(oldest, key=self._rank)
            if not first.amid or (looks >= LOOKS and not self._is_lively_and_torn(first)):
                break
        return first, oldest

    def _rank(self, half: HalfStream) -> tuple[bool, bool, bool, int]:
        """The least goes first."""
        return half.client is not None, half.amid, self._is_lively_and_torn(half), half.last_ns

    def _let_go_of(self, half: HalfStream) -> Sequence[RequestHead]:
        self._counts["shed.early"] += half.client is not None and half.client.torn
        return self._forget(half)

    def _oldest(self) -> list[HalfStream]:
        """Some of the oldest, which are the newest now."""
        oldest = [half for half, _ in zip(self._halves, range(FORGETTABLE), strict=False)]
        for half in oldest:
            self._halves.renew(half)
        return oldest

    def _forget(self, half: HalfStream) -> Sequence[RequestHead]:
        heads: Sequence[RequestHead] = NOTHING
        is_owed = half.client is not None and half.client.may_come_again
        spoke = False
        while half.client is not None:
            is_last = half.aside is None
            client, finished = half.client, self._finish(half)
            heads = [*heads, *finished]
            spoke = spoke or client.spoke
            if is_last and not spoke:
                self._count_opaque(half, half.looks)
        if half.closing_ns and half.last_head is not None:
            self._ended.remember(half.flow, half.last_head, self._now_ns, is_owed=is_owed, earlier=half.heads)
        if half.peer is not None and half.peer.side is Side.CLIENT and half.looks is not Looks.RESPONSE:
            half.peer.side = Side.UNKNOWN  # who was answered like that is no client of HTTP
        self._with_holes -= half.sent.holes is not None
        half.wake_ns = 0
        self._beginnings.forget(half)
        self._halves.remove(half)
        return heads
