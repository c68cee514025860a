"""The client's half of one connection, while it may speak HTTP: takes its segments, yields heads that are settled.

A head waits until it is settled (docs/decisions/0002-heads-wait-until-settled.md): acknowledged by the peer up to its
end, or `settle_ns` old, or at the end of everything. A copy that differs in the meantime becomes another reading.

Some segments are doubtful: the checksum is bad, they are data of a SYN, they have no ACK flag or acknowledge what was
never sent. Such a segment counts only if nothing contradicts it: it is acknowledged where acknowledgements are visible,
and no sound segment covers the same bytes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from dpkt.tcp import TH_SYN

from monitor.portable.looks import may_begin_request
from monitor.portable.request_head import FieldLines, continuation
from monitor.records import Certainty, Data, Flow, Gap, Limits, PlacedHead, RequestHead, Section, Segment, Version

REORDER_NS = 100_000_000  # mirrors and receive queues deliver out of order by so much
MOST_WAITING = 256  # heads
MOST_DOUBTFUL = 64  # segments
MOST_REWINDS = 64
MOST_LOST = 8  # gaps whose bytes may still come
MOST_READINGS = 4
UNPLACED_BYTES = 64 * 1024  # kept in case that the beginning comes late
PREFACE_HEAD = b"PRI * HTTP/2.0\r\n\r\n"  # what Http1 has read of HTTP/2's preface (RFC 9113 section 3.4)

Octets = bytes | bytearray


class InOrder(Protocol):
    """reassembly.Assembler"""

    next: int
    held: int
    versions: list[Version]

    @property
    def waiting(self) -> bool: ...
    def place(self, seq: int) -> int: ...
    def insert(
        self, position: int, octets: bytes, missing: int, time_ns: int, remembered: Iterable[tuple[int, Octets]]
    ) -> int: ...
    def ready(self) -> Iterator[Data | Gap]: ...
    def skip(self) -> None: ...
    def rewind(self, position: int, octets: bytes, time_ns: int) -> None: ...
    def add_version(self, version: Version) -> None: ...


class Reader(Protocol):
    """http1.Http1"""

    @property
    def start(self) -> int: ...
    @property
    def idle(self) -> bool: ...
    @property
    def hopeless(self) -> bool: ...
    @property
    def over(self) -> bool: ...
    def feed(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]: ...
    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]: ...
    def finish(self, octets: Octets, first: int) -> list[PlacedHead]: ...


class FrameReader(Protocol):
    """http2.Http2"""

    def feed(self, octets: bytes, time_ns: int) -> list[RequestHead]: ...
    def gap(self, missing: int) -> None: ...
    def finish(self) -> list[RequestHead]: ...


class Parts(NamedTuple):
    """What the engine wires in."""

    assembler: Callable[[int], InOrder]
    http1: Callable[[Limits, MutableMapping[str, int], Flow, int, bool], Reader]
    http2: Callable[[Limits, dict[str, int], Flow], FrameReader]


class Doubt(StrEnum):
    """Why a receiver may not have taken a segment; the oddity of a head that is made of it all the same."""

    BAD_CHECKSUM = "bad_checksum"
    SYN_DATA = "syn_data"
    NO_ACK = "no_ack"  # no ACK flag, or one for what was never sent: RFC 9293 section 3.10.7.4 drops it
    PROBE = "probe"  # one octet that begins no request: a window or keep-alive probe (section 3.8.6.1)

    @property
    def rejected(self) -> str:
        """The key of counts.py."""
        return "rejected.bad_checksum" if self is Doubt.BAD_CHECKSUM else "rejected.not_accepted"


REFUSED = (Doubt.BAD_CHECKSUM, Doubt.SYN_DATA)  # where the peer's acknowledgements leave it out


class Doubtful(NamedTuple):
    position: int
    octets: bytes
    missing: int
    time_ns: int
    doubt: Doubt
    since_ns: int


class Waiting(NamedTuple):
    since_ns: int
    placed: PlacedHead


class Mark(NamedTuple):
    """What is to be said of a head made of the bytes [start, stop)."""

    start: int
    stop: int
    oddity: str


def first_byte(segment: Segment) -> int:
    """The sequence number of the first byte of payload: a SYN takes one of its own (RFC 9293 section 3.4)."""
    return segment.seq + 1 & 0xFFFFFFFF if segment.flags & TH_SYN else segment.seq


class Client:
    """`now_ns` is a clock that never goes back; the heads have the time of their segments.

    `position` is where reading begins. When nobody saw the beginning of the connection (`placed` is False), segments
    from before it may still come, and then reading begins anew there.
    """

    __slots__ = (
        "_acked", "_assembler", "_counts", "_doubtful", "_flow", "_heads", "_hole", "_http1", "_http2", "_kept",
        "_kept_from", "_limits", "_lost", "_marks", "_offloaded", "_origin", "_parts", "_past", "_rewinds", "_settled", "_sound",
        "_time_ns", "_used", "awaits", "far", "spoke",
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
        self._rewinds = 0 if placed else MOST_REWINDS
        self._heads: deque[Waiting] = deque()
        self._past: PlacedHead | None = None  # the last head that was let go without an acknowledgement
        self._settled: list[PlacedHead] = []
        self._marks: list[Mark] = []
        self._used: set[Version] = set()
        self._time_ns = 0  # of the newest segment
        self._lost: list[Gap] = []
        self._doubtful: list[Doubtful] = []
        self._offloaded = False  # all checksums of this client are bad, and its peer takes its segments
        self._sound = False  # a segment came that nothing was wrong with
        self._acked: int | None = None
        self._hole: tuple[int, int] | None = None  # where the first hole is, and when it will be given up
        self.awaits = False  # an acknowledgement would change something
        self.spoke = False  # a request was read
        self.far: Segment | None = None  # out of the window: another one that fits it moves the window
        counts["blind.midstream"] += midstream

    def distance(self, seq: int) -> int:
        """How far ahead of the next byte a sequence number is; below 0 when it is behind."""
        return self._assembler.place(seq) - self._assembler.next

    @property
    def held(self) -> int:
        """Bytes that wait behind a hole or a doubt."""
        return self._assembler.held + sum(len(each.octets) for each in self._doubtful)

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
            times.append(self._hole[1])
        if self._doubtful:
            times.append(self._doubtful[0].since_ns + self._limits.gap_ns)
        return min(times, default=None)

    # --- what happens ---------------------------------------------------------------------------------------------

    def take(self, segment: Segment, doubt: Doubt | None, now_ns: int) -> list[PlacedHead]:
        """A segment with payload."""
        octets = segment.payload
        position = self._assembler.place(first_byte(segment))
        if len(octets) == 1 and position == self._assembler.next and self._http1.idle and not may_begin_request(octets):
            doubt = doubt or Doubt.PROBE
        self._time_ns = segment.time_ns
        if doubt and not (self._offloaded and doubt is Doubt.BAD_CHECKSUM):
            self._put_aside(Doubtful(position, octets, segment.missing, segment.time_ns, doubt, now_ns))
            return self._done(now_ns)
        if position < self._origin:
            self._rewind(position, octets, segment.time_ns)
        if self._doubtful:
            self._contradict(position, octets)
        self._sound = True
        marks = [Mark(position, position + len(octets), oddity) for oddity in segment.oddities]
        self._insert(position, octets, segment.missing, segment.time_ns, marks, now_ns)
        if segment.urgent:
            self._read_without_urgent(position, octets, segment.urgent)
        return self._done(now_ns)

    def acknowledge(self, ack: int, now_ns: int) -> list[PlacedHead]:
        """The peer has taken everything before this sequence number."""
        acked = self._assembler.place(ack)
        if self._acked is None or acked > self._acked:
            self._acked = acked
        for each in [each for each in self._doubtful if each.position + len(each.octets) <= self._acked]:
            self._believe(each, now_ns)
        if self._hole and self._acked > self._hole[0]:
            self._hole = (self._hole[0], min(self._hole[1], now_ns + REORDER_NS))
        return self._done(now_ns)

    def expire(self, now_ns: int) -> list[PlacedHead]:
        """What is due by now: doubts, holes, heads."""
        limit_ns = now_ns - self._limits.gap_ns
        for each in [each for each in self._doubtful if each.since_ns <= limit_ns]:
            self._decide(each, now_ns)
        if self._hole and self._hole[1] <= now_ns:
            self._give_up_hole(now_ns)
        return self._done(now_ns)

    def shed(self, now_ns: int) -> list[PlacedHead]:
        """Hold less: give up the first hole, else the oldest doubt."""
        if self._assembler.waiting:
            self._give_up_hole(now_ns)
        else:
            self._decide(self._doubtful[0], now_ns)
        return self._done(now_ns)

    def finish(self, now_ns: int) -> list[PlacedHead]:
        """Nothing follows."""
        for each in list(self._doubtful):
            self._decide(each, now_ns)
        while self._assembler.waiting:
            self._give_up_hole(now_ns)
        if self._http2 is not None:
            self._take_frames(self._http2.finish())
        else:
            self._wait(self._http1.finish(self._kept, self._kept_from), now_ns)
        while self._heads:
            self._let_go()
        self._read_unused_versions(self._assembler.next + 1)
        return self._done(now_ns)

    # --- bytes in order -------------------------------------------------------------------------------------------

    def _insert(self, position: int, octets: bytes, missing: int, time_ns: int, marks: list[Mark], now_ns: int) -> None:
        assembler = self._assembler
        if self._lost and position < assembler.next and self._fill_late(position, octets, time_ns, now_ns):
            return
        known = len(assembler.versions)
        remembered = self._remembered() if position < assembler.next else ()
        if not assembler.insert(position, octets, missing, time_ns, remembered) and len(assembler.versions) == known:
            self._counts["duplicates"] += 1
        if marks and len(self._marks) < MOST_WAITING:
            self._marks += marks
        self._read(now_ns)

    def _give_up_hole(self, now_ns: int) -> None:
        self._assembler.skip()
        self._read(now_ns)

    def _remembered(self) -> list[tuple[int, Octets]]:
        past = [self._past] if self._past else []
        placed = [*past, *(waiting.placed for waiting in self._heads)]
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
        elif self._hole is None or self._hole[0] != self._assembler.next:
            self._hole = (self._assembler.next, now_ns + self._limits.gap_ns)

    def _read_http1(self, item: Data, now_ns: int) -> None:
        octets: Octets = item.octets
        first = item.position
        if self._kept:
            self._kept += octets
            octets, first = self._kept, self._kept_from
        self._wait(self._http1.feed(octets, first, item.time_ns), now_ns)
        start = self._http1.start
        if self._http1.over:
            self._http2 = self._parts.http2(self._limits, self._counts, self._flow)
            frames = PREFACE_HEAD + bytes(octets[start - first :])
            self._kept = bytearray()
            self._take_frames(self._http2.feed(frames, item.time_ns))
            return
        if self._rewinds:
            start = self._origin
            if len(octets) > UNPLACED_BYTES:
                self._rewinds = 0
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
        self._rewinds = 0
        self._kept = bytearray()
        self._kept_from = gap.position + gap.missing

    def _fill_late(self, position: int, octets: bytes, time_ns: int, now_ns: int) -> bool:
        """Bytes that were given up: whole heads in them are read for themselves."""
        stop = position + len(octets)
        for gap in self._lost:
            if gap.position <= position and stop <= gap.position + gap.missing:
                self._lost.remove(gap)
                rests = (
                    gap._replace(missing=position - gap.position),
                    gap._replace(position=stop, missing=gap.position + gap.missing - stop),
                )
                self._lost += [rest for rest in rests if rest.missing]
                if may_begin_request(octets):
                    self._wait(self._new_http1(position).feed(octets, position, time_ns), now_ns)
                return True
        return False

    def _rewind(self, position: int, octets: bytes, time_ns: int) -> None:
        """A segment from before what was thought to be the beginning: begin again with it."""
        if not self._rewinds or self._http2 is not None or not octets:
            return
        self._rewinds -= 1
        self._assembler.rewind(position, bytes(self._kept), time_ns)
        self._heads.clear()
        self._kept = bytearray()
        self._kept_from = self._origin = position
        midstream = not may_begin_request(octets)
        self._http1 = self._parts.http1(self._limits, self._counts, self._flow, position, midstream)

    def _take_frames(self, heads: list[RequestHead]) -> None:
        """HTTP/2: frames cannot be read again in another way, so their heads need not wait."""
        self.spoke = self.spoke or bool(heads)
        at = self._assembler.next
        self._settled += [PlacedHead(at, at, b"", head) for head in heads]

    # --- doubtful segments ----------------------------------------------------------------------------------------

    def _put_aside(self, new: Doubtful) -> None:
        stop = new.position + len(new.octets)
        if any(new[:2] == each[:2] for each in self._doubtful):
            self._counts["duplicates"] += 1
        elif stop <= self._assembler.next:
            self._counts["duplicates" if self._is_remembered(new) else new.doubt.rejected] += 1
        elif self._acked is not None and stop <= self._acked:
            self._believe(new, new.since_ns)
        else:
            self._doubtful.append(new)
            if len(self._doubtful) > MOST_DOUBTFUL:
                self._counts[self._doubtful.pop(0).doubt.rejected] += 1

    def _is_remembered(self, new: Doubtful) -> bool:
        return any(
            first <= new.position and known[new.position - first :].startswith(new.octets)
            for first, known in self._remembered()
        )

    def _contradict(self, position: int, octets: bytes) -> None:
        """A sound segment: what it says is what was sent."""
        stop = position + len(octets)
        left = []
        for each in self._doubtful:
            begin, end = max(position, each.position), min(stop, each.position + len(each.octets))
            if begin >= end:
                left.append(each)
            elif octets[begin - position : end - position] != each.octets[begin - each.position : end - each.position]:
                self._counts[each.doubt.rejected] += 1
            elif end - begin < len(each.octets):
                left.append(each)
            else:
                self._counts["duplicates"] += 1
        self._doubtful = left

    def _decide(self, each: Doubtful, now_ns: int) -> None:
        """Nothing contradicted it in time."""
        if self._acked is not None and self._sound and each.doubt in REFUSED:
            self._counts[each.doubt.rejected] += 1  # acknowledgements are visible, and there is none for it
            self._doubtful.remove(each)
        else:
            self._believe(each, now_ns)

    def _believe(self, each: Doubtful, now_ns: int) -> None:
        if each in self._doubtful:
            self._doubtful.remove(each)
        self._offloaded = self._offloaded or (each.doubt is Doubt.BAD_CHECKSUM and not self._sound)
        mark = Mark(each.position, each.position + len(each.octets), each.doubt)
        marks = [mark] if each.doubt in REFUSED else []
        self._insert(each.position, each.octets, each.missing, each.time_ns, marks, now_ns)

    # --- heads ----------------------------------------------------------------------------------------------------

    def _wait(self, heads: list[PlacedHead], now_ns: int) -> None:
        if heads:
            self.spoke = True
            self._heads += [Waiting(now_ns, placed) for placed in heads]

    def _done(self, now_ns: int) -> list[PlacedHead]:
        """The heads that are settled by now."""
        heads = self._heads
        settled_ns = now_ns - self._limits.settle_ns
        acked = self._acked if self._acked is not None else self._origin
        while heads and (heads[0].placed.end <= acked or heads[0].since_ns <= settled_ns or len(heads) > MOST_WAITING):
            self._counts["shed.settle"] += heads[0].placed.end > acked and heads[0].since_ns > settled_ns
            self._let_go()
        if self._assembler.versions:
            self._read_unused_versions(min(self._kept_from, heads[0].placed.start if heads else self._kept_from))
        self.awaits = bool(heads or self._doubtful or self._hole)
        settled, self._settled = self._settled, []
        return settled

    def _let_go(self) -> None:
        placed = self._heads.popleft().placed
        self._rewinds = 0
        self._past = None if self._acked is not None and placed.end <= self._acked else placed
        self._settled.append(self._with_readings(placed))

    # --- other readings -------------------------------------------------------------------------------------------

    def _read_without_urgent(self, position: int, octets: bytes, urgent: int) -> None:
        """RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is."""
        for at in (position + urgent - 1, position + urgent):
            if position <= at < position + len(octets):
                self._assembler.add_version(Version(at, at + 1, b"", "urgent"))

    def _with_readings(self, placed: PlacedHead) -> PlacedHead:
        """The head with its other readings, where a copy of its bytes differs."""
        versions = [each for each in self._assembler.versions if _overlap(each, placed)]
        marks = [each for each in self._marks if _overlap(each, placed)]
        if not versions and not marks:
            return placed
        self._used.update(versions)
        head = placed.head
        readings = list(head.readings)
        certainty = head.certainty
        choices = [versions, *([each] for each in versions if len(versions) > 1)] if versions else []
        for chosen in choices[:MOST_READINGS]:
            other = self._reread(placed, chosen) if placed.octets else None
            if other is None:
                certainty = Certainty.AMBIGUOUS  # to whoever takes the copy this is no head
            elif not _alike(other, head):
                readings.append(other)
        noted = [each.oddity for each in versions] + [each.oddity for each in marks]
        oddities = dict.fromkeys((*head.oddities, *noted))
        return placed._replace(
            head=head._replace(oddities=tuple(oddities), certainty=certainty, readings=tuple(readings))
        )

    def _reread(self, placed: PlacedHead, versions: list[Version]) -> RequestHead | None:
        """The head at this place when these copies are taken."""
        octets = bytearray(placed.octets)
        for each in sorted(versions, reverse=True):
            begin = max(each.start, placed.start) - placed.start
            octets[begin : each.stop - placed.start] = each.octets[max(0, placed.start - each.start) :]
        heads = self._read_alone(bytes(octets), placed.start, placed.head.time_ns)
        return heads[0].head if heads else None

    def _new_http1(self, position: int) -> Reader:
        """To read something beside the rest; what it counts is not counted."""
        return self._parts.http1(self._limits, Counter(), self._flow, position, False)

    def _read_alone(self, octets: bytes, position: int, time_ns: int) -> list[PlacedHead]:
        reader = self._new_http1(position)
        heads = reader.feed(octets, position, time_ns)
        start = reader.start
        return heads + reader.finish(octets[start - position :], start)

    def _read_unused_versions(self, before: int) -> None:
        """Copies of bytes before this position that are part of no head that waits: what do they show alone?"""
        versions = self._assembler.versions
        for each in [each for each in versions if each.stop <= before]:
            versions.remove(each)
            if each in self._used:
                self._used.remove(each)
            elif self._past is not None and _overlap(each, self._past):
                self._settled += self._late(self._past, each)
            elif may_begin_request(each.octets):
                for placed in self._read_alone(each.octets, each.start, self._time_ns):
                    self._settled.append(placed._replace(octets=b"", head=_ambiguous(placed.head, each.oddity)))
        self._marks = [each for each in self._marks if each.stop > before]

    def _late(self, placed: PlacedHead, version: Version) -> list[PlacedHead]:
        """A copy that came when the head had been let go: what it shows besides is a head of its own."""
        head, other = placed.head, self._reread(placed, [version])
        fields = tuple(field for field in other.fields if field not in head.fields) if other else ()
        if other is None or (not fields and other.target == head.target):
            return []
        found = FieldLines(fields, (version.oddity,))
        more = continuation(head.time_ns, other, found, (), Section.HEAD)
        if other.target != head.target:
            more = more._replace(target=other.target)
        return [PlacedHead(placed.start, placed.end, b"", _ambiguous(more, version.oddity))]


def _overlap(one: Version | Mark, placed: PlacedHead) -> bool:
    return one.start < placed.end and placed.start < one.stop


def _alike(one: RequestHead, other: RequestHead) -> bool:
    return one[2:6] == other[2:6]


def _ambiguous(head: RequestHead, oddity: str) -> RequestHead:
    oddities = dict.fromkeys((*head.oddities, oddity))
    return head._replace(oddities=tuple(oddities), certainty=Certainty.AMBIGUOUS)
