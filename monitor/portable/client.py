"""The client's half of one connection, while it may speak HTTP: takes its segments, yields heads that are settled.

A head waits until it is settled (docs/decisions/0002-heads-wait-until-settled.md): acknowledged by the peer up to its
end, or `settle_ns` old, or at the end of everything. A copy that differs in the meantime becomes another reading.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from dpkt.tcp import TH_SYN

from monitor.portable.copies import Copies
from monitor.portable.doubts import Doubt, Doubtful, Doubts
from monitor.portable.looks import may_begin_request
from monitor.portable.parts import FrameReader, Octets, Parts, Reader
from monitor.records import Data, Flow, Gap, Limits, PlacedHead, RequestHead, Segment

REORDER_NS = 100_000_000  # mirrors and receive queues deliver out of order by so much
MOST_WAITING = 256  # heads
MOST_DOUBTFUL = 64  # segments
MOST_LOST = 8  # gaps whose bytes may still come
UNPLACED_BYTES = 64 * 1024  # kept in case that the beginning comes late
REPLAYED_BYTES = 1024 * 1024  # read again because the beginning came late
PREFACE_HEAD = b"PRI * HTTP/2.0\r\n\r\n"  # what Http1 has read of HTTP/2's preface (RFC 9113 section 3.4)


class Waiting(NamedTuple):
    since_ns: int
    placed: PlacedHead


class Hole(NamedTuple):
    position: int
    until_ns: int  # then it is given up


def first_byte(segment: Segment) -> int:
    """The sequence number of the first byte of payload: a SYN takes one of its own (RFC 9293 section 3.4)."""
    return segment.seq + 1 & 0xFFFFFFFF if segment.flags & TH_SYN else segment.seq


class Client:
    """`now_ns` is a clock that never goes back; the heads have the time of their segments.

    `position` is where reading begins. When nobody saw the beginning of the connection (`placed` is False), segments
    from before it may still come, and then reading begins anew there.
    """

    __slots__ = (
        "_acked", "_assembler", "_copies", "_counts", "_doubts", "_flow", "_heads", "_hole", "_http1", "_http2",
        "_kept", "_kept_from", "_limits", "_lost", "_offloaded", "_origin", "_parts", "_replays", "_settled", "_sound",
        "_time_ns", "_waiting", "awaits", "closed", "far", "spoke",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, counts: dict[str, int], flow: Flow, parts: Parts, position: int, *, placed: bool,
        midstream: bool,
    ) -> None:  # fmt: skip
        self._limits = limits
        self._counts = counts
        self._flow = flow
        self._parts = parts
        self._assembler = parts.assembler(position)
        self._http1 = parts.http1(limits, counts, flow, position, midstream)
        self._http2: FrameReader | None = None
        self._kept = bytearray()  # delivered bytes that are still needed: [_kept_from, next)
        self._kept_from = self._origin = position
        self._replays = 0 if placed else REPLAYED_BYTES  # bytes that may still be read again
        self._heads: list[Waiting] = []  # in the order of their places
        self._waiting = 0  # bytes of these
        self._settled: list[PlacedHead] = []
        self._copies = Copies(self._assembler)
        self._doubts = Doubts(counts)
        self._offloaded = False  # all checksums of this client are bad, and its peer takes its segments
        self._sound = False  # a segment came that nothing was wrong with
        self._acked: int | None = None
        self._hole: Hole | None = None
        self._lost: list[Gap] = []
        self._time_ns = 0  # of the newest segment
        self.awaits = False  # an acknowledgement would change something
        self.spoke = False  # a request was read
        self.closed: int | None = None  # sequence number of the FIN
        self.far: Segment | None = None  # out of the window: another one that fits it moves the window
        counts["blind.midstream"] += midstream

    def distance(self, seq: int) -> int:
        """How far ahead of the next byte a sequence number is; below 0 when it is behind."""
        return self._assembler.place(seq) - self._assembler.next

    def may_begin_at(self, seq: int) -> bool:
        """Whether the first byte may be this one, which has not come yet."""
        return bool(self._replays) and -self._limits.window_bytes <= self.distance(seq) < 0

    @property
    def held(self) -> int:
        """Bytes that wait behind a hole or a doubt."""
        return self._assembler.held + self._doubts.held

    @property
    def hopeless(self) -> bool:
        """Whether this is no HTTP."""
        return self._http1.hopeless and not self.awaits

    @property
    def wake_ns(self) -> int | None:
        """When `expire` has something to do."""
        times = []
        if self._heads:
            times.append(self._heads[0].since_ns + self._limits.settle_ns)
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
        if len(octets) == 1 and position == self._assembler.next and self._http1.idle and not may_begin_request(octets):
            doubt = doubt or Doubt.PROBE
        if doubt and not (self._offloaded and doubt is Doubt.BAD_CHECKSUM):
            self._put_aside(Doubtful(position, octets, missing, segment.time_ns, doubt, now_ns))
            return self._done(now_ns)
        if position < self._origin and self._replays and octets:
            self._rewind(position, octets)
        if self._doubts:
            self._doubts.contradict(position, octets)
        self._sound = True
        for oddity in segment.oddities:
            self._copies.mark(position, position + len(octets), oddity)
        self._insert(position, octets, missing, segment.time_ns, now_ns)
        if segment.urgent:
            self._copies.without_urgent(position, octets, segment.urgent)
        return self._done(now_ns)

    def acknowledge(self, ack: int, now_ns: int) -> list[PlacedHead]:
        """The peer has taken everything before this sequence number."""
        acked = self._assembler.place(ack)
        if self._acked is None or acked > self._acked:
            self._acked = acked
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
        """Hold less: give up the first hole, else the oldest doubt."""
        if self._assembler.waiting:
            self._give_up_hole(now_ns)
        else:
            self._decide_oldest(now_ns)
        return self._done(now_ns)

    def finish(self, now_ns: int) -> list[PlacedHead]:
        """Nothing follows."""
        for each in self._doubts.take():
            self._decide(each, now_ns)
        while self._assembler.waiting:
            self._give_up_hole(now_ns)
        self._count_lost_end()
        if self._http2 is not None:
            self._take_frames(self._http2.finish())
        else:
            self._wait(self._http1.finish(self._kept, self._kept_from), now_ns)
        while self._heads:
            self._let_go()
        self._settled += self._copies.forget(self._assembler.next + 1, self._time_ns, self._new_http1)
        return self._done(now_ns)

    # --- bytes in order -------------------------------------------------------------------------------------------

    def _insert(self, position: int, octets: bytes, missing: int, time_ns: int, now_ns: int) -> None:
        assembler = self._assembler
        if self._lost and position < assembler.next and self._fill_late(position, octets, time_ns, now_ns):
            return
        known = len(assembler.versions)
        remembered = self._remembered() if position < assembler.next else ()
        if not assembler.insert(position, octets, missing, time_ns, remembered) and len(assembler.versions) == known:
            self._counts["duplicates"] += 1
        self._read(now_ns)

    def _give_up_hole(self, now_ns: int) -> None:
        self._assembler.skip()
        self._read(now_ns)

    def _remembered(self) -> list[tuple[int, Octets]]:
        placed = [waiting.placed for waiting in self._heads]
        if self._copies.past:
            placed.append(self._copies.past)
        return [*((each.start, each.octets) for each in placed), (self._kept_from, self._kept)]

    def _read(self, now_ns: int) -> None:
        for item in self._assembler.ready():
            if isinstance(item, Gap):
                self._pass_gap(item, now_ns)
            elif self._http2 is not None:
                self._take_frames(self._http2.feed(item.octets, item.time_ns))
            else:
                self._read_http1(item, now_ns)
        if not self._assembler.waiting:
            self._hole = None
        elif self._hole is None or self._hole.position != self._assembler.next:
            self._hole = Hole(self._assembler.next, now_ns + self._limits.gap_ns)

    def _read_http1(self, item: Data, now_ns: int) -> None:
        octets: Octets = item.octets
        first = item.position
        if self._copies and self._http1.skips(len(octets)):
            self._copies.drop(first, first + len(octets))
        if self._kept:
            self._kept += octets
            octets, first = self._kept, self._kept_from
        self._wait(self._http1.feed(octets, first, item.time_ns), now_ns)
        start = self._http1.start
        if self._http1.over:
            self._http2 = self._parts.http2(self._limits, self._counts, self._flow)
            frames = PREFACE_HEAD + bytes(octets[start - first :])
            self._kept = bytearray()
            self._replays = 0
            self._take_frames(self._http2.feed(frames, item.time_ns))
            return
        if self._replays:
            start = self._origin
            if len(octets) > UNPLACED_BYTES:
                self._replays = 0
        if octets is not self._kept:
            self._kept = bytearray(octets[start - first :])
        else:
            del self._kept[: start - first]
        self._kept_from = start

    def _pass_gap(self, gap: Gap, now_ns: int) -> None:
        self._counts["gap_bytes"] += gap.missing
        self._counts["blind.snaplen" if gap.cut else "blind.gap"] += 1
        if self._http2 is not None:
            self._http2.gap(gap.missing)
            return
        self._lost.append(gap)
        del self._lost[:-MOST_LOST]
        self._wait(self._http1.gap(self._kept, self._kept_from, gap), now_ns)
        self._replays = 0
        self._kept = bytearray()
        self._kept_from = gap.position + gap.missing

    def _fill_late(self, position: int, octets: bytes, time_ns: int, now_ns: int) -> bool:
        """Bytes that were given up: whole heads in them are read for themselves."""
        stop = position + len(octets)
        for gap in self._lost:
            if gap.position <= position and stop <= gap.position + gap.missing:
                self._lost.remove(gap)
                before = gap._replace(missing=position - gap.position)
                behind = gap._replace(position=stop, missing=gap.position + gap.missing - stop)
                self._lost += [rest for rest in (before, behind) if rest.missing]
                del self._lost[:-MOST_LOST]
                if may_begin_request(octets):
                    self._wait(self._new_http1(position).feed(octets, position, time_ns), now_ns)
                return True
        return False

    def _count_lost_end(self) -> None:
        """Bytes that nothing followed: only the FIN or an acknowledgement tells of them."""
        following = self._assembler.next
        acked = (self._acked or 0) - 1  # which may be that of a FIN
        end = acked if self.closed is None else self._assembler.place(self.closed)
        if following < end <= following + self._limits.window_bytes:
            self._counts["gap_bytes"] += end - following
            self._counts["blind.gap"] += 1

    def _rewind(self, position: int, octets: bytes) -> None:
        """A segment from before what was thought to be the beginning: begin again with it."""
        self._replays = max(0, self._replays - len(self._kept) - len(octets))
        self._assembler.rewind(position, bytes(self._kept), self._time_ns)
        self._heads.clear()
        self._waiting = 0
        self._kept = bytearray()
        self._kept_from = self._origin = position
        midstream = not may_begin_request(octets)
        self._http1 = self._parts.http1(self._limits, self._counts, self._flow, position, midstream)

    def _new_http1(self, position: int) -> Reader:
        """To read something beside the rest; what it counts is not counted."""
        return self._parts.http1(self._limits, Counter(), self._flow, position, False)

    # --- doubtful segments ----------------------------------------------------------------------------------------

    def _put_aside(self, new: Doubtful) -> None:
        if new.stop <= self._assembler.next:
            known = any(
                first <= new.position and kept[new.position - first :].startswith(new.octets)
                for first, kept in self._remembered()
            )
            self._counts["duplicates" if known else new.doubt.rejected] += 1
        elif self._acked is not None and new.stop <= self._acked:
            self._believe(new, new.since_ns)
        else:
            self._doubts.add(new)
            if len(self._doubts) > MOST_DOUBTFUL:
                self._decide_oldest(new.since_ns)

    def _decide_oldest(self, now_ns: int) -> None:
        for each in self._doubts.take(since_ns=self._doubts.oldest.since_ns):
            self._decide(each, now_ns)

    def _decide(self, each: Doubtful, now_ns: int) -> None:
        """Nothing contradicted it in time."""
        refusable = self._sound or each.doubt is Doubt.SYN_DATA
        if self._acked is not None and refusable and each.doubt.needs_acknowledgement:
            self._counts[each.doubt.rejected] += 1
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

    # --- heads ----------------------------------------------------------------------------------------------------

    def _wait(self, heads: list[PlacedHead], now_ns: int) -> None:
        if heads:
            self.spoke = True
            self._heads += [Waiting(now_ns, placed) for placed in heads]
            self._waiting += sum(placed.end - placed.start for placed in heads)

    def _take_frames(self, heads: list[RequestHead]) -> None:
        """HTTP/2: frames cannot be read again in another way, so their heads need not wait."""
        self.spoke = self.spoke or bool(heads)
        at = self._assembler.next
        self._settled += [PlacedHead(at, at, b"", head) for head in heads]

    def _done(self, now_ns: int) -> list[PlacedHead]:
        """The heads that are settled by now."""
        heads = self._heads
        settled_ns = now_ns - self._limits.settle_ns
        acked = self._origin if self._acked is None else self._acked
        while heads:
            if heads[0].placed.end > acked and heads[0].since_ns > settled_ns:
                if len(heads) <= MOST_WAITING and self._waiting <= self._limits.hold_bytes_per_half_stream:
                    break
                self._counts["shed.settle"] += 1
            self._let_go()
        if self._copies:
            before = min([self._kept_from, *(waiting.placed.start for waiting in heads)])
            self._settled += self._copies.forget(before, self._time_ns, self._new_http1)
        self.awaits = bool(heads or self._doubts or self._hole or self.far)
        settled, self._settled = self._settled, []
        return settled

    def _let_go(self) -> None:
        placed = self._heads.pop(0).placed
        self._waiting -= placed.end - placed.start
        self._replays = 0
        self._settled += self._copies.with_readings(placed, self._new_http1) if self._copies else [placed]
        self._copies.past = None if self._acked is not None and placed.end <= self._acked else placed
