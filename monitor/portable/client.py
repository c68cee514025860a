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
from monitor.portable.parts import Octets, Parts, Reader
from monitor.portable.settling import Settling
from monitor.portable.trace import Tracer
from monitor.records import Data, Flow, Gap, Limits, PlacedHead, Segment, Version

REORDER_NS = 100_000_000  # mirrors and receive queues deliver out of order by so much
CLIENT_BYTES = 640  # what one takes in the native engine before it holds anything, in round figures
MOST_DOUBTFUL = 64  # segments
MOST_LOST = 8  # gaps whose bytes may still come
LATE_BYTES = 4096  # looked at once more when a copy of them comes, though their head was let go
BODY_BYTES = 64 * 1024  # of a body behind a head that waits, kept for the same reason
EARLY_BYTES = 16 * 1024  # of an admitted connection: shed last of all
UNPLACED_BYTES = 64 * 1024  # kept in case that the beginning comes late
REPLAYED_BYTES = 1024 * 1024  # read again because the beginning came late


class Hole(NamedTuple):
    position: int
    until_ns: int  # then it is given up


def urgent_pointer(segment: Segment) -> int:
    """The sequence number to which it leads (RFC 9293 section 3.8.5)."""
    return first_byte(segment) + segment.urgent & 0xFFFFFFFF


def first_byte(segment: Segment) -> int:
    """The sequence number of the first byte of payload: a SYN takes one of its own (RFC 9293 section 3.4)."""
    return segment.seq + 1 & 0xFFFFFFFF if segment.flags & TH_SYN else segment.seq


class Client:
    """`now_ns` is a clock that never goes back; the heads have the time of their segments.

    `position` is where reading begins, `doubtful`: something that is no request stood before, `frames`: in the
    middle of HTTP/2. When nobody saw the beginning of the connection (`placed` is False), segments from before it may
    still come, and then reading begins anew there.
    """

    __slots__ = (
        "_acked", "_assembler", "_body", "_closed_with_data", "_copies", "_counts", "_doubts", "_flow", "_heads",
        "_hole", "_http1", "_kept", "_kept_from", "_limits", "_lost", "_offloaded", "_origin", "_parts", "_replays",
        "_sound", "_time_ns", "_tracer", "awaits", "closed", "spoke", "traced",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, counts: dict[str, int], flow: Flow, parts: Parts, position: int, *, placed: bool,
        midstream: bool, doubtful: bool = False, frames: bool = False, tracer: Tracer | None = None,
    ) -> None:  # fmt: skip
        self._tracer = tracer
        self.traced = tracer.reading(flow) if tracer is not None else 0
        self._limits = limits
        self._counts = counts
        self._flow = flow
        self._parts = parts
        self._assembler = parts.assembler(position)
        self._http1 = self._reader(position, midstream)
        if doubtful:
            self._http1.distrust()
        if frames:
            self._http1.expect_frames()
        self._kept = bytearray()  # [_kept_from, next): still needed, or a copy is compared with it
        self._kept_from = self._origin = position
        self._body = (position, position)  # bytes that were skipped last
        self._replays = 0 if placed or doubtful or frames else REPLAYED_BYTES  # bytes that may still be read again
        self._copies = Copies(counts)
        self._heads = Settling(limits, counts, self._copies)
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
        self._closed_with_data = False  # it came with data: when it is sent once more, they are
        counts["blind.midstream"] += midstream

    def distance(self, seq: int) -> int:
        """How far ahead of the next byte a sequence number is; below 0 when it is behind."""
        return self._assembler.place(seq) - self._assembler.next

    @property
    def came(self) -> int:
        """Bytes that came in order."""
        return self._assembler.next - self._origin

    def close(self, segment: Segment) -> None:
        """This segment ends the half-stream."""
        self.closed = segment.seq + len(segment.payload) & 0xFFFFFFFF
        self._closed_with_data = bool(segment.payload)

    @property
    def may_come_again(self) -> bool:
        """Whether the last bytes may be sent once more, as far as the peer has shown."""
        return self._closed_with_data or self._acked is None or self._acked < self._assembler.next

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
        if position < self._origin and self._replays and octets:
            self._rewind(position, octets)
        if self._doubts:
            for each, why in self._doubts.contradict(position, octets):
                self._trace(each.position, each.stop, why)
        self._sound = True
        for oddity in segment.oddities:
            self._copies.mark(position, position + len(octets), oddity)
        self._insert(position, octets, missing, segment.time_ns, now_ns)
        if segment.urgent:
            self.leave_urgent_out(urgent_pointer(segment))
            self._read_copies(now_ns)
        return self._done(now_ns)

    def _is_probe(self, octets: bytes, ahead: int) -> bool:
        """Whether one octet at the end of what came, or behind it, asks for an acknowledgement and says nothing."""
        if self._http1.idle:
            return not may_begin_request(octets)
        return ahead < 0 and self._acked is not None and self._acked >= self._assembler.next

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

    def _fate(self, position: int, what: str) -> None:
        if self._tracer is not None:
            self._tracer.fate_at(position, what)

    def _trace(self, start: int, stop: int, what: str) -> None:
        if self._tracer is not None:
            self._tracer.stretch(self.traced, start, stop, what)

    def _reader(self, position: int, midstream: bool) -> Reader:
        """What reads all that comes in order."""
        http1 = self._parts.http1(self._limits, self._counts, self._flow, position, midstream)
        if self.traced:
            http1.tell_to(self._trace)
        return http1

    # --- bytes in order -------------------------------------------------------------------------------------------

    def _insert(self, position: int, octets: bytes, missing: int, time_ns: int, now_ns: int) -> None:
        assembler = self._assembler
        if position < self._kept_from and self._is_old(position, octets, time_ns, now_ns):
            return
        known, following = len(assembler.versions), assembler.next
        fresh = assembler.insert(position, octets, missing, time_ns, self._kept, self._kept_from)
        if assembler.left_out:
            self._counts["shed.copies"] += assembler.left_out
            assembler.left_out = 0
            stop = position + len(octets)
            self._trace(position, min(stop, following) if fresh else stop, "copies")
        elif not fresh and len(assembler.versions) == known:
            self._counts["duplicates"] += 1
            self._fate(position, "duplicate")
        differs = len(assembler.versions) > known
        self._read(now_ns)
        if differs:
            assembler.copied_to = position + len(octets)

    def _is_old(self, position: int, octets: bytes, time_ns: int, now_ns: int) -> bool:
        """Bytes from before all that can be compared: whether that is all there is to them."""
        if self._fill_late(position, octets, time_ns, now_ns):
            return True
        acked = position if self._acked is None else max(position, self._acked)
        begin, end = self._body
        if acked < min(position + len(octets), self._kept_from) and not (begin <= acked and self._kept_from <= end):
            self._counts["shed.copies"] += 1
            self._trace(position, min(position + len(octets), self._kept_from), "copies")
        return False

    def _give_up_hole(self, now_ns: int) -> None:
        self._assembler.skip()
        self._read(now_ns)

    def _read(self, now_ns: int) -> None:
        for item in self._assembler.ready():
            if isinstance(item, Gap):
                self._pass_gap(item, now_ns)
            else:
                self._read_data(item, now_ns)
        if self._assembler.versions:
            self._read_copies(now_ns)
        if not self._assembler.waiting:
            self._hole = None
        elif self._hole is None or self._hole.position != self._assembler.next:
            self._hole = Hole(self._assembler.next, now_ns + self._limits.gap_ns)

    def _read_data(self, item: Data, now_ns: int) -> None:
        octets: Octets = item.octets
        first = item.position
        if self._http1.skips(len(octets)):
            begin, end = self._body
            self._body = begin if end == first else first, first + len(octets)
        if self._kept:
            self._kept += octets
            octets, first = self._kept, self._kept_from
        self._wait(self._http1.feed(octets, first, item.time_ns), now_ns)
        if len(octets) > UNPLACED_BYTES:
            self._replays = 0
        start = self._needed
        if octets is not self._kept:
            self._kept = bytearray(octets[start - first :])
        else:
            del self._kept[: start - first]
        self._kept_from = start

    @property
    def _needed(self) -> int:
        """Position of the first byte that is still needed."""
        if self._replays:
            return self._origin
        start, (begin, end) = self._http1.start, self._body
        if end != self._assembler.next or end - begin <= (BODY_BYTES if self._heads else LATE_BYTES):
            late = self._assembler.next - LATE_BYTES
            late = late if self._acked is None or self._acked < late else min(self._acked, self._assembler.next)
            start = min(start, late, *self._heads.begin)
        return max(self._kept_from, self._http1.keep(start))

    def _keep_from(self, position: int) -> None:
        del self._kept[: position - self._kept_from]
        self._kept_from = position

    def _pass_gap(self, gap: Gap, now_ns: int) -> None:
        self._counts["gap_bytes"] += gap.missing
        self._counts["blind." + gap.reason] += 1
        self._lost.append(gap)
        self._forget_lost()
        self._trace(gap.position, gap.position + gap.missing, gap.reason)
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
                self._forget_lost()
                self._trace(position, stop, "gap")
                self._read_alone(position, octets, time_ns, now_ns)
                return True
        if stop > self._origin:
            return False
        self._trace(position, stop, "midstream")
        self._read_alone(position, octets, time_ns, now_ns)
        return True

    def _forget_lost(self) -> None:
        self._counts["shed.lost_gaps"] += max(0, len(self._lost) - MOST_LOST)
        del self._lost[:-MOST_LOST]

    def _read_alone(self, position: int, octets: bytes, time_ns: int, now_ns: int) -> None:
        """Heads in bytes of which nobody knows what stood around them; what is counted of them is not."""
        if may_begin_request(octets):
            http1 = self._parts.http1(self._limits, Counter(), self._flow, position, False)
            self._wait(http1.feed(octets, position, time_ns), now_ns)
            start = http1.start
            self._wait(http1.finish(octets[start - position :], start), now_ns)

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
        self._kept = bytearray()
        self._kept_from = self._origin = position
        midstream, bodies = not may_begin_request(octets), self._http1.bodies
        self._http1 = self._reader(position, midstream)
        self._http1.begin_anew(bodies)

    # --- copies that differ ---------------------------------------------------------------------------------------

    def leave_urgent_out(self, pointer: int) -> None:
        """RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is: that to
        which the urgent pointer leads, or the one before. It may be announced before it comes."""
        last = self._assembler.place(pointer)
        for at in (last - 1, last):
            self._assembler.add_version(Version(at, at + 1, b"", "urgent"))

    def _read_copies(self, now_ns: int) -> None:
        """Read what was read already once more, with the copies of it that came."""
        for fresh in self._assembler.take_versions():
            if fresh.stop <= self._kept_from:
                self._counts["shed.copies"] += 1
                self._trace(fresh.start, fresh.stop, "copies")
                continue
            shed = self._shed_copies
            version = self._joined(fresh)
            self._assembler.taken.append(version)
            before = [each.start for each in self._heads.whole() if each.start <= version.start]
            for start in self._http1.starts(version.start, before, self._kept_from):
                place = start.position
                octets = self._kept[place - self._kept_from :]
                for text, until in self._copies.texts(
                    version, self._assembler.taken, octets, place, self.came, start.weight
                ):
                    heads = self._http1.reread(text, start, until, version.oddity, self._time_ns)
                    self._heads.compare(heads, place, version, now_ns)
            if self._shed_copies > shed:
                self._trace(version.start, version.stop, "copies")

    @property
    def _shed_copies(self) -> int:
        return self._counts["shed.copies"] + self._counts["shed.readings"]

    def _joined(self, version: Version) -> Version:
        """A copy that comes in many small segments is one copy."""
        taken, behind = self._assembler.taken, self._assembler.copied_to
        if not taken or not (taken[-1].stop == version.start == behind and taken[-1].oddity == version.oddity):
            return version
        last = taken.pop()
        self._http1.supersede(last.stop, version.oddity)
        start = min(max(last.start, self._kept_from), last.stop)
        return version._replace(start=start, octets=last.octets[start - last.start :] + version.octets)

    # --- doubtful segments ----------------------------------------------------------------------------------------

    def _put_aside(self, new: Doubtful) -> None:
        if new.stop <= self._assembler.next:
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
        refusable = self._sound or each.doubt is Doubt.SYN_DATA
        if self._acked is not None and refusable and each.doubt.needs_acknowledgement:
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

    # --- heads ----------------------------------------------------------------------------------------------------

    def _wait(self, heads: list[PlacedHead], now_ns: int) -> None:
        self.spoke = self.spoke or bool(heads)
        for placed in heads:
            self._heads.add(placed, now_ns)

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

    def _let_go(self) -> None:
        self._heads.let_go(self._acked)
        self._replays = 0
