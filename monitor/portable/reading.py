"""One way to read what an HTTP/1 client sends: heads, bodies skipped by count, and whatever else lies between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping

from monitor.portable.bodies import FRAMING, BodyReader, begins_plain_request
from monitor.portable.credit import Credit
from monitor.portable.head_reader import BEGINNING, HOPELESS_BYTES, Known, Octets, State
from monitor.portable.holes import EMPTY, JUNK, LINE, LINE_BYTES, LOST, MIDSTREAM, SEGMENT, TUNNEL
from monitor.portable.http2 import Http2
from monitor.portable.request_head import behind_records
from monitor.portable.trace import Tell
from monitor.records import Flow, Gap, Limits, PlacedHead


class Reading(BodyReader):
    __slots__ = ("asks", "finder", "frames", "joined")

    def __init__(
        self,
        limits: Limits,
        counts: MutableMapping[str, int],
        flow: Flow,
        position: int,
        credit: Credit,
        midstream: bool = False,
    ) -> None:
        super().__init__(limits, counts, flow, position, credit, midstream)
        self.frames: Http2 | None = None  # in State.FRAMES
        self.asks = False  # these were a client's, whatever its field blocks say
        self.finder = 0  # number of this way among those that read the newest segment
        self.joined: tuple[int, int] | None = None  # with which way it goes on as that one did, and from where on

    def distrust(self) -> None:
        self.state, self.doubt = State.SEEK, JUNK

    def enter_tunnel(self) -> None:
        """Behind CONNECT."""
        self.tunnel = self.switching = True
        self.doubt = self.doubt if self.state is State.SEEK else TUNNEL

    def expect_frames(self) -> Http2:
        """These are bytes of HTTP/2, from its middle perhaps."""
        frames = Http2(self.limits, self.counts, self.flow, self.at)
        frames.tell = self.tell
        frames.opens_tunnels = not self.tunnel  # one in the other is enough
        self.state, self.frames = State.FRAMES, frames
        return frames

    def beside(self, octets: bytearray, first: int, until: int, why: str, frames: Http2 | None = None) -> Reading:
        """Another way beside this one: `octets`, from the place `first` on, are a copy up to `until`.

        A head begins there, or it lies amid HTTP/2 that was read up to there by `frames`. A copy that lacks some bytes
        begins so much later and ends at the same place.
        """
        other = Reading(self.limits, Counter(), self.flow, first, self.credit)
        other.spoke, other.tunnel, other.switching = self.spoke, self.tunnel, self.switching
        other.why = why
        other.shift = self.fed - len(octets) - first
        if frames is not None:
            other.state, other.frames = State.FRAMES, frames.beside(first + other.shift)
        other.copied, other.until = octets, until
        other.copied_from = other.at = other.scan = other.fed = other.segment = other.sought = first + other.shift
        return other

    def sees(self, octets: Octets, first: int) -> tuple[Octets, int]:
        """What this way reads where the others read `octets` from position `first` on."""
        return (octets, first) if self.copied is None else (self.copied, self.copied_from)

    def read_on(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]:
        """As `run`, in the bytes of this way."""
        if self.copied is None:
            return self.run(octets, first, time_ns)
        self.copied += octets[self.fed - first :]
        heads = self.run(self.copied, self.copied_from, time_ns)
        del self.copied[: self.at - self.copied_from]
        self.copied_from = self.at
        if self.at >= self.until:
            self.copied = None
        return heads

    def run(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]:
        """Read on until bytes are missing. `octets` begin at position `first`, at or before `at`; what is new in them
        is one segment."""
        self.time_ns = time_ns
        end = first + len(octets)
        if end > self.fed:
            self.segment, self.fed = self.fed, end
        if self.tell is not None:
            self._run_telling(octets, first, self.tell)
            return self._taken()
        while self.at < end and _STEPS[self.state](self, octets, first):
            pass
        return self._taken()

    def _run_telling(self, octets: Octets, first: int, tell: Tell) -> None:
        """The same, and say what became of the bytes that are in no head."""
        end, goes_on = first + len(octets), True
        while self.at < end and goes_on:
            at, placed, what, state = self.at, len(self.heads), self._passes, self.state
            goes_on = _STEPS[state](self, octets, first)
            if self.frames is not None and self.frames.seeks:
                what = "midstream"
            if self.at > at and (state is State.FRAMES or len(self.heads) == placed):
                tell(at, self.at, what)

    @property
    def _passes(self) -> str:
        """What bytes are that are passed now and are in no head."""
        if self.frames is not None:
            return "midstream" if self.frames.seeks else "frames"
        if self.state is State.SEEK and self.doubt in (MIDSTREAM, LOST):
            return "midstream" if self.doubt is MIDSTREAM else "gap"
        if self.unread and self.state is not State.HOLE:
            return "readings"
        return _PASSED.get(self.state, "not_http")

    @property
    def _is_first(self) -> bool:
        return self.why is None

    def _joins(self) -> bool:
        known = self.known.get(self.at) if self.finder and self.at >= self.until else None
        if known is not None and known[1:] == (self.tunnel, FRAMING in self.oddities, self.refuses):
            self.joined = known.finder, self.at
        return self.joined is not None

    def _note_start(self, start: int) -> None:
        if start >= self.until:
            self.known.setdefault(start, Known(self.finder, self.tunnel, FRAMING in self.oddities, self.refuses))

    @property
    def unsettled(self) -> int:
        """Before this position stands no head that is not handed out yet."""
        waiting = [self.at if not self.shift else min(self.at, self.origin)]
        if self.before is not None:
            waiting.append(self.before.start)
        if self.frames is not None:
            waiting.append(self.frames.unsettled)
        return min(waiting)

    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]:
        """Bytes are missing behind `octets`. Whole lines before them wait for what follows."""
        read = self.at
        self.room = -1
        if self.frames is not None:
            self.heads += self.frames.gap(gap.missing)
        elif self.state in (State.BODY, State.CHUNK_DATA) and gap.missing <= self.left:
            self._count(gap.missing)
        elif self.state in (State.HEAD, State.BODY, State.HOLE) or self._between:
            self._keep_whole_lines(octets, first)
            read = self.at if self.before is None else self.before.end
            self._turn(State.HOLE, LOST)
        else:
            self._end_section(octets, first)
            read = self.at
            self._turn(State.SEEK, LOST)
        self._tell(read, gap.position, gap.reason)
        self.copied = None
        self.at = self.fed = self.scan = gap.position + gap.missing
        return self._taken()

    @property
    def _between(self) -> bool:
        """Whether a head that a hole cut has ended just here: the next one may begin."""
        return self.state is State.SEEK and self.doubt is LOST and self.at == self.fed

    def finish(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Nothing follows: judge the lines that are whole."""
        self.room = -1
        if self.frames is not None:
            self.heads += self.frames.finish()
        self._keep_whole_lines(octets, first)
        read = self.at if self.before is None else self.before.end
        self._end_before()
        self._end_section(octets, first)
        self._tell(max(read, self.at), self.fed, "head_incomplete")
        return self._taken()

    def _read_frames(self, octets: Octets, first: int) -> bool:
        frames = self.frames or self.expect_frames()
        before = frames.bodies
        self.heads += frames.feed(bytes(octets[frames.fed - first :]), self.time_ns)
        self._count_bodies(frames.bodies - before)
        self.spoke = self.spoke or bool(self.heads)
        self.asks = self.asks or frames.asks
        if frames.astray is not None:  # whoever sent this speaks HTTP/1 after all
            self.frames = None
            self.at = max(self.at, frames.astray)
            return self._turn(State.SEEK, JUNK)
        self.at = self.scan = max(self.at, self.fed - frames.pending)
        return False

    @property
    def is_refuted(self) -> bool:
        """Whether a length that few read so led to where nothing begins."""
        return self.misread and self.state is State.SEEK

    @property
    def says_nothing(self) -> bool:
        """Whether a head that this way did not find is in no more doubt for it."""
        return self.is_refuted or self.searches

    @property
    def hopeless(self) -> bool:
        """Whether this is no HTTP: much was read, and no request. Or it is that of a server."""
        if self.frames is not None:
            return self.frames.answers
        return self.state is State.SEEK and not self.spoke and self.fed - self.sought > HOPELESS_BYTES

    def skips(self, size: int) -> bool:
        """Whether the next `size` bytes are part of a body."""
        if self.frames is not None:
            return self.frames.skips(size)
        return self.left >= size and self.state in (State.BODY, State.CHUNK_DATA)

    @property
    def amid_head(self) -> bool:
        return self.state is State.HEAD and self.line is not None

    def part(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Perhaps nothing follows: hand out the lines of a head that are whole, and go on behind them."""
        if self.amid_head:
            self._part_lines(octets, first)
        return self._taken()

    def _taken(self) -> list[PlacedHead]:
        heads, self.heads = self.heads, []
        if self.shift:
            first = self.origin + self.shift
            heads = [each._replace(start=self.origin) if each.start == first else each for each in heads]
            if self.frames is not None:
                heads = [self._unshifted(each) for each in heads]
        return heads

    def _unshifted(self, placed: PlacedHead) -> PlacedHead:
        """Where a head stands to whom no bytes are lacking: the heads before those that are lacking are alike."""
        start, end = (at - self.shift if at < self.until else at for at in placed[:2])
        return placed._replace(start=start, end=end)

    def is_beside(self, other: Reading) -> bool:
        """Readings of one place go on alike."""
        if (self.state, self.at, self.left, self.copied) != (other.state, other.at, other.left, other.copied):
            return False
        if self.habit is not other.habit:
            return False
        return self.frames is None or (other.frames is not None and self.frames.is_like(other.frames))

    # --- what is no request ---------------------------------------------------------------------------------------

    def _seek(self, octets: Octets, first: int) -> bool:
        """Look for the next request line: at the start of a segment, or of any line."""
        if self.is_refuted:
            self.at = self.fed
            return False
        if self.doubt is JUNK and self.segment >= self.at:
            records = behind_records(octets, self.segment - first)
            if records > self.segment - first:
                self.at = self.scan = first + records
                self.mark = SEGMENT
        i = self.at - first
        if self.segment > self.at:  # a segment may be a new beginning, unless it cuts a line that is a request's
            eol = octets.find(b"\n", self.segment - first)
            is_new = eol >= 0 and self._is_request(octets, first, self.segment, eol)
            if is_new and not begins_plain_request(octets, i, self.segment - first):
                return self._found(self.segment, SEGMENT)
        elif self.segment == self.at:
            self.mark = SEGMENT
        while (eol := octets.find(b"\n", max(i, self.scan - first))) >= 0:
            if not self._is_first:
                self.credit.pay_line()
            if self._is_request(octets, first, self.at, eol):
                return self._found(first + i, self.mark)
            version = octets.find(b"HTTP/", eol)
            i = octets.rfind(b"\n", eol, version if version >= 0 else len(octets)) + 1
            above = octets[octets.rfind(b"\n", 0, i - 1) + 1 : i - 1]
            self.mark = LINE if above.strip(b"\r") else EMPTY
            self.at = self.scan = first + i
        if len(octets) - i > LINE_BYTES or not BEGINNING.match(octets, i, min(len(octets), i + 80)):
            self.at = self.fed  # the rest of this line is none either
        self.scan = self.fed
        return False


_PASSED = {
    State.BODY: "body", State.CHUNK_SIZE: "body", State.CHUNK_DATA: "body", State.CHUNK_END: "body",
    State.HOLE: "gap", State.FRAMES: "frames",
}  # fmt: skip
_STEPS: dict[State, Callable[[Reading, Octets, int], bool]] = {
    State.HEAD: Reading._read_head,
    State.MORE: Reading._read_more,
    State.BODY: Reading._skip_body,
    State.CHUNK_SIZE: Reading._read_chunk_size,
    State.CHUNK_DATA: Reading._skip_body,
    State.CHUNK_END: Reading._end_chunk,
    State.EXTENSION: Reading._read_extension,
    State.NO_BODY: Reading._read_no_body,
    State.BODY_OR_NONE: Reading._read_body_or_none,
    State.SEEK: Reading._seek,
    State.HOLE: Reading._read_hole,
    State.FRAMES: Reading._read_frames,
}
