"""What is known of a client's half, and what comes of it in order: bytes to the reader, heads to those that wait, holes
to what is counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import NamedTuple

from monitor.portable.copies import Copies
from monitor.portable.doubts import Doubts
from monitor.portable.looks import may_begin_request
from monitor.portable.parts import Octets, Parts, Reader
from monitor.portable.settling import Settling
from monitor.portable.trace import Tracer
from monitor.records import Data, Flow, Gap, Limits, PlacedHead

REORDER_NS = 100_000_000  # mirrors and receive queues deliver out of order by so much
MOST_LOST = 8  # gaps whose bytes may still come
LATE_BYTES = 4096  # looked at once more when a copy of them comes, though their head was let go
BODY_BYTES = 64 * 1024  # of a body behind a head that waits, kept for the same reason
UNPLACED_BYTES = 64 * 1024  # kept in case that the beginning comes late
# read again because the beginning came late: 16 kB in full segments, the last one first, need so much
REPLAYED_BYTES = 96 * 1024


def milliseconds(now_ns: int) -> int:
    return now_ns // 1_000_000 & 0xFFFFFFFF


class Hole(NamedTuple):
    position: int
    until_ns: int  # then it is given up


class Order(ABC):
    """`position` is where reading begins, `doubtful`: something that is no request stood before, `frames`: in the
    middle of HTTP/2. When nobody saw the beginning of the connection (`placed` is False), segments from before it may
    still come, and then reading begins anew there.
    """

    __slots__ = (
        "_acked", "_acked_whole", "_answered", "_assembler", "_body", "_closed_with_data", "_copies", "_counts",
        "_doubts", "_flow", "_heads", "_hole", "_http1", "_kept", "_kept_from", "_limits", "_lost", "_offloaded",
        "_origin", "_parts", "_placed", "_replays", "_shut", "_sound", "_time_ns", "_tracer", "awaits", "closed",
        "spoke", "traced",
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
        self._placed = placed and not frames  # a SYN said that its bytes begin here
        self._replays = 0 if placed or doubtful or frames else REPLAYED_BYTES  # bytes that may still be read again
        self._copies = Copies(counts)
        self._heads = Settling(limits, counts, self._copies)
        self._doubts = Doubts(counts)
        self._offloaded = False  # all checksums of this client are bad, and its peer takes its segments
        self._sound = False  # a segment came that nothing was wrong with
        self._acked: int | None = None
        # before it ended, when that was acknowledged, all that was read: no copy changes it
        self._acked_whole = position
        self._answered = (0, 0)  # where the first head began that an acknowledgement let go last, and when, in ms
        self._shut = False  # behind `_acked` the peer takes nothing for now
        self._hole: Hole | None = None
        self._lost: list[Gap] = []
        self._time_ns = 0  # of the newest segment
        self.awaits = False  # an acknowledgement would change something
        self.spoke = False  # a request was read
        self.closed: int | None = None  # sequence number of the FIN
        self._closed_with_data = False  # it came with data: when it is sent once more, they are
        counts["blind.midstream"] += midstream

    @abstractmethod
    def _read_copies(self, now_ns: int) -> None:
        """Read what was read already once more, with the copies of it that came."""

    @property
    def came(self) -> int:
        """Bytes that came in order."""
        return self._assembler.next - self._origin

    def _insert(self, position: int, octets: bytes, missing: int, time_ns: int, now_ns: int) -> None:
        assembler = self._assembler
        self._begin_with(position, octets)
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
        begin, since_ms = self._answered
        is_soon = milliseconds(now_ns) - since_ms & 0xFFFFFFFF <= REORDER_NS // 10**6
        is_late = is_soon and position & 0xFFFFFFFF == begin
        if is_late and self._acked is not None and may_begin_request(octets):
            return self._read_copy(position, octets, time_ns, now_ns)
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
            if self._acked is not None:  # but of a copy that may go on all
                late = min(max(min(self._acked_whole, self._assembler.copied_from), late), self._assembler.next)
            oldest = self._assembler.next - self._limits.window_bytes  # nobody believes a copy that is further behind
            start = min(start, late, *(max(begin, oldest) for begin in self._heads.begin))
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
        self._read_alone(position, octets, time_ns, now_ns, is_sure=not self._placed)
        return True

    def _forget_lost(self) -> None:
        self._counts["shed.lost_gaps"] += max(0, len(self._lost) - MOST_LOST)
        del self._lost[:-MOST_LOST]

    def _read_alone(self, position: int, octets: bytes, time_ns: int, now_ns: int, *, is_sure: bool = True) -> None:
        """Heads in bytes of which nobody knows what stood around them; what is counted of them is not."""
        if may_begin_request(octets):
            http1 = self._parts.http1(self._limits, Counter(), self._flow, position, False)
            if not is_sure:  # what stands before the first byte is of another connection, or a decoy
                http1.distrust()
            self._wait(http1.feed(octets, position, time_ns), now_ns)
            start = http1.start
            self._wait(http1.finish(octets[start - position :], start), now_ns)

    def _read_copy(self, position: int, octets: bytes, time_ns: int, now_ns: int) -> bool:
        """A copy of what was just acknowledged and let go: perhaps the mirror swapped the two. Whether that is all."""
        http1 = self._parts.http1(self._limits, Counter(), self._flow, position, False)
        heads = http1.feed(octets, position, time_ns)
        self._wait([placed._replace(why=placed.why or "overlap") for placed in heads], now_ns)
        return bool(heads) and position + len(octets) <= self._assembler.next

    def _count_lost_end(self) -> None:
        """Bytes that nothing followed: only the FIN or an acknowledgement tells of them."""
        following = self._assembler.next
        acked = (self._acked or 0) - 1  # which may be that of a FIN
        end = acked if self.closed is None else self._assembler.place(self.closed)
        if following < end <= following + self._limits.window_bytes:
            self._counts["gap_bytes"] += end - following
            self._counts["blind.gap"] += 1

    def _begin_with(self, position: int, octets: bytes) -> None:
        """Perhaps these stand before what was thought to be the beginning."""
        if position < self._origin and octets and (self._replays or not self.came):
            self._rewind(position, octets)

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

    def _wait(self, heads: list[PlacedHead], now_ns: int) -> None:
        self.spoke = self.spoke or bool(heads)
        for placed in heads:
            self._heads.add(placed, now_ns)

    def _let_go(self) -> None:
        self._heads.let_go(self._acked)
        self._replays = 0

    def _reader(self, position: int, midstream: bool) -> Reader:
        """What reads all that comes in order."""
        http1 = self._parts.http1(self._limits, self._counts, self._flow, position, midstream)
        if self.traced:
            http1.tell_to(self._trace)
        return http1

    def _fate(self, position: int, what: str) -> None:
        if self._tracer is not None:
            self._tracer.fate_at(position, what)

    def _trace(self, start: int, stop: int, what: str) -> None:
        if self._tracer is not None:
            self._tracer.stretch(self.traced, start, stop, what)
