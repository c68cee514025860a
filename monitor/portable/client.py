"""The client's half of one connection, while it may speak HTTP: takes its segments, yields heads that are settled.

A head waits until it is settled (docs/decisions/0002-heads-wait-until-settled.md): acknowledged by the peer up to its
end, or `settle_ns` old, or at the end of everything. A copy that differs in the meantime becomes another reading.
"""

from __future__ import annotations

from dpkt.tcp import TH_SYN

from monitor.portable.copied import Copied
from monitor.portable.doubts import Doubt, Doubtful
from monitor.portable.looks import may_begin_request
from monitor.portable.order import REORDER_NS, milliseconds
from monitor.records import PlacedHead, Segment

CLIENT_BYTES = 640  # what one takes in the native engine before it holds anything, in round figures
MOST_DOUBTFUL = 64  # segments
EARLY_BYTES = 16 * 1024  # of an admitted connection: shed last of all
EARLY_HOLD_BYTES = EARLY_BYTES * 161  # that these take while they wait, at worst: an octet a segment, none in order


def urgent_pointer(segment: Segment) -> int:
    """The sequence number to which it leads (RFC 9293 section 3.8.5)."""
    return first_byte(segment) + segment.urgent & 0xFFFFFFFF


def first_byte(segment: Segment) -> int:
    """The sequence number of the first byte of payload: a SYN takes one of its own (RFC 9293 section 3.4)."""
    return segment.seq + 1 & 0xFFFFFFFF if segment.flags & TH_SYN else segment.seq


class Client(Copied):
    """`now_ns` is a clock that never goes back; the heads have the time of their segments."""

    __slots__ = ()

    def distance(self, seq: int) -> int:
        """How far ahead of the next byte a sequence number is; below 0 when it is behind."""
        return self._assembler.place(seq) - self._assembler.next

    def begins_behind(self, ahead: int) -> bool:
        """Whether its first byte, as far as anybody said, stands behind what is so far ahead."""
        return self._assembler.next + ahead < self._origin

    def close(self, segment: Segment) -> None:
        """This segment ends the half-stream."""
        self.closed = segment.seq + len(segment.payload) & 0xFFFFFFFF
        self._closed_with_data = bool(segment.payload)

    @property
    def may_come_again(self) -> bool:
        """Whether the last bytes may be sent once more, as far as the peer has shown."""
        return self._closed_with_data or self._acked is None or self._acked < self._assembler.next

    @property
    def idle(self) -> bool:
        """Whether all that was begun has ended."""
        return self._http1.idle

    def gives_way_to(self, ahead: int, octets: bytes, *, is_first: bool) -> bool:
        """Whether these octets in its window, where another SYN said that a connection begins, may be the first of one.

        Amid a head the SYN does not count: an endpoint only challenges it (RFC 9293 section 3.10.7.4), and who reads on
        loses nothing. Nor where the octets are copies of what came, and can be compared; but before all that it does.
        """
        position = self._assembler.next + ahead
        if position < self._origin:
            return not self._replays  # else reading begins anew there
        if not is_first:
            return False
        if self._kept_from <= position < self._assembler.next:
            return False
        return self.idle or (self._http1.skips(1) and may_begin_request(octets))

    @property
    def standing(self) -> tuple[bool, int]:
        """The higher, the more speaks for it that these bytes arrive where they go to."""
        return self._acked is not None, self.came

    def may_begin_at(self, seq: int) -> bool:
        """Whether the first byte may be this one, which has not come yet."""
        return bool(self._replays) and -self._limits.window_bytes <= self.distance(seq) < 0

    @property
    def held(self) -> int:
        """Bytes that wait behind a hole or a doubt."""
        return self._assembler.held + self._doubts.held

    @property
    def weight(self) -> int:
        """Bytes of memory, about: counted alike by both engines, whatever their allocators take."""
        return CLIENT_BYTES + self._http1.weight + len(self._kept) + self.held + self._heads.weight

    @property
    def asks(self) -> bool:
        """Whether it has shown by HTTP/2 that it is a client, whatever its field blocks say."""
        return self._http1.asks

    @property
    def amid(self) -> bool:
        """Whether it is in the middle of something: a head that waits or has not ended, a doubt, a hole."""
        return bool(self._heads or self._doubts or self._hole) or self.amid_head

    @property
    def hopeless(self) -> bool:
        """Whether this is no HTTP."""
        return self._http1.hopeless and not self.awaits

    @property
    def wake_ns(self) -> int | None:
        """When `expire` has something to do."""
        times = []
        if self._heads:
            times.append(self._heads.oldest.since_ns + self._limits.settle_ns)
        if self._hole:
            times.append(self._hole.until_ns)
        if self._doubts:
            times.append(self._doubts.oldest.since_ns + self._limits.gap_ns)
        return min(times, default=None)

    # --- what happens ---------------------------------------------------------------------------------------------

    def take(self, segment: Segment, doubt: Doubt | None, now_ns: int) -> list[PlacedHead]:
        """A segment with payload."""
        octets, missing = segment.payload, segment.missing
        position = self._assembler.place(first_byte(segment))
        self._time_ns = segment.time_ns
        if self._tracer is not None:
            self._trace(self._origin, min([self._kept_from, self._http1.unsettled, *self._heads.starts]), "settled")
            self._tracer.taken(self.traced, position)
        ahead = position - self._assembler.next
        if len(octets) == 1 and ahead in (-1, 0) and self._is_probe(octets, ahead):
            doubt = doubt or Doubt.PROBE
        if doubt and not (self._offloaded and doubt is Doubt.BAD_CHECKSUM):
            self._put_aside(Doubtful(position, octets, missing, segment.time_ns, doubt, now_ns))
            return self._done(now_ns)
        self._begin_with(position, octets)
        untold = self._doubts.take(doubt=Doubt.SYN_DATA) if self._acked is None else []
        if self._doubts:
            for each, why in self._doubts.contradict(position, octets):
                self._trace(each.position, each.stop, why)
        self._sound = True
        for oddity in segment.oddities:
            self._copies.mark(position, position + len(octets), oddity)
        self._insert(position, octets, missing, segment.time_ns, now_ns)
        for each in untold:
            self._believe(each, now_ns)  # nobody says whether it was taken
        if segment.urgent:
            self.leave_urgent_out(urgent_pointer(segment))
            self._read_copies(now_ns)
        return self._done(now_ns)

    def announce_urgent(self, pointer: int, now_ns: int) -> list[PlacedHead]:
        """A segment without payload says where an urgent byte is, or was: what it says may come late."""
        self.leave_urgent_out(pointer)
        self._read_copies(now_ns)
        return self._done(now_ns)

    def _is_probe(self, octets: bytes, ahead: int) -> bool:
        """Whether one octet at the end of what came, or behind it, asks for an acknowledgement and says nothing."""
        if self._http1.idle:
            return ahead < 0 or not may_begin_request(octets)
        if ahead == 0:
            return self._shut and self._acked == self._assembler.next
        return self._acked is not None and self._acked >= self._assembler.next

    def refuse(self, ack: int) -> None:
        """The peer has acknowledged this much before anything was seen."""
        self._acked = self._assembler.place(ack)

    def acknowledge(self, segment: Segment, now_ns: int) -> list[PlacedHead]:
        """The peer has taken everything before the sequence number that this segment of his acknowledges."""
        acked = self._assembler.place(segment.ack)
        if self._acked is None or acked >= self._acked:
            if acked != self._acked:
                self._acked_whole = min(acked, self._http1.start)
            self._acked = acked
            self._shut = not segment.window
        if self._heads and (first := self._heads.oldest.placed).end <= self._acked:
            self._answered = (first.start & 0xFFFFFFFF, milliseconds(now_ns))
        for each in self._doubts.take(stop=self._acked):
            self._believe(each, now_ns)
        if self._hole and self._acked > self._hole.position:
            self._hole = self._hole._replace(until_ns=min(self._hole.until_ns, now_ns + REORDER_NS))
        return self._done(now_ns)

    def expire(self, now_ns: int) -> list[PlacedHead]:
        """What is due by now: doubts, holes, heads."""
        for each in self._doubts.take(since_ns=now_ns - self._limits.gap_ns):
            self._decide(each, now_ns)
        if self._hole and self._hole.until_ns <= now_ns:
            self._give_up_hole(now_ns)
        return self._done(now_ns)

    def shed(self, now_ns: int) -> list[PlacedHead]:
        """Hold less: give up the first hole, else the oldest doubt; neither wait nor keep anything for late copies."""
        if self._assembler.waiting:
            self._give_up_hole(now_ns)
        else:
            self._decide_oldest(now_ns)
        settled = self._done(now_ns)
        while self._heads:
            self._counts["shed.settle"] += 1
            self._let_go()
        self.keep_least()
        return [*settled, *self._done(now_ns)]

    @property
    def may_hold(self) -> int:
        """Bytes that may wait here: what the first ones wait for has room of its own."""
        return self._limits.hold_bytes_per_half_stream + (EARLY_HOLD_BYTES if self._waits_early else 0)

    @property
    def _waits_early(self) -> bool:
        """Whether a hole is open among the first bytes of the connection."""
        return self._assembler.waiting and self.came < EARLY_BYTES

    def make_room(self, now_ns: int) -> list[PlacedHead]:
        """Hold less than here may wait, but of the first bytes all: what came furthest behind them goes."""
        if not self._waits_early:
            return self.shed(now_ns)
        if self._doubts:
            self._decide_oldest(now_ns)
        else:
            start, stop = self._assembler.drop_last()
            self._trace(start, stop, "hold")
            if not self._assembler.waiting:
                self._hole = None
        return self._done(now_ns)

    @property
    def spare(self) -> int:
        """Bytes that were read and are kept in case that copies of them come."""
        return 0 if self._replays else max(0, self._http1.keep(self._http1.start) - self._kept_from)

    def keep_least(self) -> None:
        """Keep what is read on, and nothing that was read."""
        if not self._replays:
            self._keep_from(max(self._kept_from, self._http1.keep(self._http1.start)))

    @property
    def torn(self) -> bool:
        """Whether forgetting it now would tear a head that has only begun, and that early in its connection."""
        early = self._assembler.next - self._origin < EARLY_BYTES
        return early and (self.amid_head or bool(self._hole or self._doubts))

    @property
    def amid_head(self) -> bool:
        """Whether some lines of a head were read and its end was not."""
        return self._http1.amid_head

    def part(self, now_ns: int) -> list[PlacedHead]:
        """Perhaps nothing follows: judge the lines that are whole, and go on behind them."""
        self._wait(self._http1.part(self._kept, self._kept_from), now_ns)
        while self._heads:
            self._let_go()
        return self._done(now_ns)

    def finish(self, now_ns: int) -> list[PlacedHead]:
        """Nothing follows."""
        for each in self._doubts.take():
            self._decide(each, now_ns)
        while self._assembler.waiting:
            self._give_up_hole(now_ns)
        self._count_lost_end()
        self._wait(self._http1.finish(self._kept, self._kept_from), now_ns)
        while self._heads:
            self._let_go()
        return self._done(now_ns)

    def end(self, why: str) -> None:
        """Nothing is read any more; what was, unless it is said already, was `why`."""
        if why:
            self._trace(self._origin, self._assembler.next, why)
        self._trace(self._origin, self._assembler.next, "end")

    def _done(self, now_ns: int) -> list[PlacedHead]:
        """The heads that are settled by now."""
        acked = self._origin if self._acked is None else self._acked
        while self._heads.is_due(now_ns, acked):
            self._let_go()
        if self._kept:
            self._keep_from(self._needed)
        self._assembler.forget_versions(self._kept_from)
        self._heads.forget(self._kept_from)
        self.awaits = bool(self._heads or self._doubts or self._hole) or self.amid_head
        return self._heads.take()

    # --- doubtful segments ----------------------------------------------------------------------------------------

    def _put_aside(self, new: Doubtful) -> None:
        if new.stop <= self._assembler.next and (self._placed or self.came):
            at = new.position - self._kept_from
            known = at >= 0 and self._kept[at:].startswith(new.octets)
            self._counts["duplicates" if known else new.doubt.rejected] += 1
            self._fate(new.position, "duplicate" if known else new.doubt.reason)
        elif self._acked is not None and new.stop <= self._acked:
            self._believe(new, new.since_ns)
        else:
            if not self._doubts.add(new):
                self._fate(new.position, "duplicate")
            if len(self._doubts) > MOST_DOUBTFUL:
                self._counts["shed.doubts"] += 1
                self._decide_oldest(new.since_ns)

    def _decide_oldest(self, now_ns: int) -> None:
        for each in self._doubts.take(since_ns=self._doubts.oldest.since_ns):
            self._decide(each, now_ns)

    def _decide(self, each: Doubtful, now_ns: int) -> None:
        """Nothing contradicted it in time."""
        refusable = self._acked is not None and (self._sound or each.doubt is Doubt.SYN_DATA)
        if each.doubt is Doubt.PROBE:
            is_left_out = not self._assembler.waiting  # nothing came behind it
        else:
            is_left_out = refusable and each.doubt.needs_acknowledgement
        if is_left_out:
            self._counts[each.doubt.rejected] += 1
            self._trace(each.position, each.stop, each.doubt.reason)
        else:
            self._believe(each, now_ns)

    def _believe(self, each: Doubtful, now_ns: int) -> None:
        if each.doubt.needs_acknowledgement:
            self._copies.mark(each.position, each.stop, each.doubt)
        self._insert(each.position, each.octets, each.missing, each.time_ns, now_ns)
        if each.doubt is Doubt.BAD_CHECKSUM and not self._sound and not self._offloaded:
            self._offloaded = True
            for other in self._doubts.take(doubt=Doubt.BAD_CHECKSUM):
                self._believe(other, now_ns)
