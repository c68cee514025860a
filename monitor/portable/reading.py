"""One way to read what an HTTP/1 client sends: heads, bodies skipped by count, and whatever else lies between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import NamedTuple

from monitor.portable.body import CHUNKED, chunk_sizes, lengths
from monitor.portable.head_reader import BEGINNING, EMPTY_LINE, END, HOPELESS_BYTES, HeadReader, Octets, State, needed
from monitor.portable.http2 import Http2
from monitor.portable.request_head import (
    NO_LINE,
    FieldLines,
    RequestLine,
    field_lines,
    looks_like_field,
    make_head,
    may_end_field,
    surely_request_line,
)
from monitor.portable.trace import Tell
from monitor.records import Flow, Gap, Limits, PlacedHead, RequestHead, Section

MOST_READINGS = 4
FRAMING = "framing"  # why a way parts from another: the body may end elsewhere
LINE_BYTES = 16 * 1024  # of a chunk-size line with its extensions, or of a line between requests

# The oddity of a head found by State.SEEK: at the start of a segment, behind an empty line, at any other line.
Doubt = tuple[str, str, str]
SEGMENT, EMPTY, LINE = 0, 1, 2
JUNK: Doubt = ("not_http", "not_http", "not_http")  # the connection began with it, or it stands between requests
TUNNEL: Doubt = ("", "not_http", "not_http")  # after CONNECT or Upgrade anything may come
MIDSTREAM: Doubt = ("", "", "not_http")
LOST: Doubt = ("", "framing", "framing")  # a length may be among what was lost, and this a body
BROKEN: Doubt = ("framing", "framing", "framing")  # nobody knows where the body ends


class CutHead(NamedTuple):
    """What is whole of a head before a hole; `block` are its field lines."""

    start: int
    end: int
    time_ns: int
    line: RequestLine
    block: bytes


class Reading(HeadReader):
    __slots__ = (
        "again", "before", "bodies", "copied", "copied_from", "doubt", "forks", "frames", "left", "left_out", "mark",
        "odd_chunk", "segment", "shift", "sought", "tell", "until", "why",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int, midstream: bool
    ) -> None:
        super().__init__(limits, counts, flow, position)
        if midstream:
            self.state = State.SEEK
        self.doubt = MIDSTREAM if midstream else JUNK
        self.mark = SEGMENT  # which doubt a line at `at` is under
        self.segment = position  # where the newest segment begins
        self.sought = position  # since when no request was found
        self.left = 0  # of the body or chunk
        self.bodies = 0  # bytes of bodies so far
        self.again = 0  # so many that follow have been counted before, when the beginning was not known
        self.odd_chunk = False  # of this body
        self.before: CutHead | None = None
        self.frames: Http2 | None = None  # in State.FRAMES
        self.forks: list[Reading] = []  # ways that part from this one
        self.left_out = 0  # more of them, for which there is no room
        self.why: str | None = None  # an oddity; None: this is the first way
        self.copied: bytearray | None = None  # bytes that only this way has, from `copied_from` on
        self.copied_from = self.until = position  # all bytes from `until` on are those of the others
        self.shift = 0  # how much later its first head begins, since its copy is shorter
        self.tell: Tell | None = None  # what becomes of bytes that are in no head; the first way alone says it

    def distrust(self) -> None:
        self.state, self.doubt = State.SEEK, JUNK

    def expect_frames(self) -> Http2:
        """These are bytes of HTTP/2, from its middle perhaps."""
        frames = Http2(self.limits, self.counts, self.flow, self.at)
        frames.tell = self.tell
        self.state, self.frames = State.FRAMES, frames
        return frames

    def beside(self, octets: bytearray, first: int, until: int, why: str, frames: Http2 | None = None) -> Reading:
        """Another way beside this one: `octets`, from the place `first` on, are a copy up to `until`.

        A head begins there, or it lies amid HTTP/2 that was read up to there by `frames`. A copy that lacks some bytes
        begins so much later and ends at the same place.
        """
        other = Reading(self.limits, Counter(), self.flow, first, False)
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
        if self.state is State.SEEK:
            return "midstream" if self.doubt is MIDSTREAM else "gap" if self.doubt is LOST else "not_http"
        if self.frames is not None:
            return "midstream" if self.frames.seeks else "frames"
        return _PASSED.get(self.state, "not_http")

    @property
    def unsettled(self) -> int:
        """Before this position stands no head that is not handed out yet."""
        waiting = [self.at if not self.shift else min(self.at, self.origin)]
        if self.before is not None:
            waiting.append(self.before.start)
        if self.frames is not None:
            waiting.append(self.frames.unsettled)
        return min(waiting)

    def _tell(self, start: int, stop: int, what: str) -> None:
        if self.tell is not None and start < stop:
            self.tell(start, stop, what)

    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]:
        """Bytes are missing behind `octets`. Whole lines before them wait for what follows."""
        read = self.at
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
        self.forks, self.left_out = [], 0
        self.copied = None
        self.at = self.fed = self.scan = gap.position + gap.missing
        return self._taken()

    @property
    def _between(self) -> bool:
        """Whether a head that a hole cut has ended just here: the next one may begin."""
        return self.state is State.SEEK and self.doubt is LOST and self.at == self.fed

    def finish(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Nothing follows: judge the lines that are whole."""
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
        if frames.astray is not None:  # whoever sent this speaks HTTP/1 after all
            self.frames = None
            self.at = max(self.at, frames.astray)
            return self._turn(State.SEEK, JUNK)
        self.at = self.scan = max(self.at, self.fed - frames.pending)
        return False

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
        return self.frames is None or (other.frames is not None and self.frames.is_like(other.frames))

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _enter_body(self, head: RequestHead, extents: tuple[int, ...]) -> None:
        for extent in extents[1:]:
            self._fork(Reading._enter_body, head, (extent,))
        extent = extents[0]
        self.state = State.HEAD
        self.doubt = TUNNEL if self.switching else JUNK
        if extent == CHUNKED:
            self.state = State.CHUNK_SIZE
            self.odd_chunk = False
            self.head = head._replace(fields=needed(FieldLines(head.fields)), readings=())
        elif extent:
            self.state = State.BODY
            self.left = extent

    def _fork(self, enter: Callable[..., None], *told: object) -> None:
        """The same way up to here goes on otherwise, if there is room for one more.

        What it counts has been counted by this one.
        """
        if len(self.forks) == MOST_READINGS:
            self.left_out += 1
            return
        fork = object.__new__(Reading)
        for name in _SLOTS:  # copy.copy takes ten times as long, and a length of many values forks at every head
            setattr(fork, name, getattr(self, name))
        fork.counts, fork.heads, fork.forks, fork.origin, fork.shift = Counter(), [], [], self.at, 0
        fork.copied = None if self.copied is None else bytearray(self.copied)
        fork.why = self.why or FRAMING
        fork.left_out, fork.tell = 0, None
        enter(fork, *told)
        self.forks.append(fork)

    def _skip_body(self, octets: Octets, first: int) -> bool:
        size = min(self.left, first + len(octets) - self.at)
        self.at += size
        self.scan = self.at
        self._count(size)
        return True

    def _count(self, size: int) -> None:
        self.left -= size
        self._count_bodies(size)
        if not self.left:
            self.state = State.CHUNK_END if self.state is State.CHUNK_DATA else State.HEAD

    def _count_bodies(self, size: int) -> None:
        self.bodies += size
        again = min(size, self.again)
        self.again -= again
        self.counts["body_bytes"] += size - again

    def _read_chunk_size(self, octets: Octets, first: int) -> bool:
        """RFC 9112 section 7.1."""
        i = self.at - first
        eol = octets.find(b"\n", max(i, self.scan - first))
        if eol < 0:
            self.scan = self.fed
            return len(octets) - i > LINE_BYTES and self._break_chunks()
        line = bytes(octets[i:eol])
        sizes = chunk_sizes(line)
        if not sizes:
            return self._break_chunks()
        if len(sizes) > 1 or not line.endswith(b"\r"):
            self._note_odd_chunk()
        self.at = self.scan = first + eol + 1
        for size in sizes[1:]:
            self._fork(Reading._enter_chunk, size)
        self._enter_chunk(sizes[0])
        return True

    def _enter_chunk(self, size: int) -> None:
        self.left = size
        self.state = State.CHUNK_DATA if size else State.MORE
        if not size:
            self.section = Section.TRAILER

    def _end_chunk(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        end = EMPTY_LINE.match(octets, i)
        if end is None:
            return octets[i:] != b"\r" and self._break_chunks()
        self.at = self.scan = first + end.end()
        self.state = State.CHUNK_SIZE
        return True

    def _break_chunks(self) -> bool:
        self._note_odd_chunk()
        return self._turn(State.SEEK, BROKEN)

    def _note_odd_chunk(self) -> None:
        """Once for a body: its head has been handed out already."""
        self.counts["oddities.chunk_odd"] += not self.odd_chunk
        self.odd_chunk = True

    # --- what is no request ---------------------------------------------------------------------------------------

    def _turn(self, state: State, doubt: Doubt | None = None) -> bool:
        self.state = state
        self.doubt = doubt or self.doubt
        self.sought = self.scan = self.at
        self.mark = SEGMENT if self.at == self.segment else LINE
        return True

    def _seek(self, octets: Octets, first: int) -> bool:
        """Look for the next request line: at the start of a segment, or of any line."""
        i = self.at - first
        if self.segment > self.at:  # a segment may be a new beginning, whatever stood before it
            eol = octets.find(b"\n", self.segment - first)
            if eol >= 0 and self._is_request(octets, first, self.segment, eol):
                return self._found(self.segment, SEGMENT)
        elif self.segment == self.at:
            self.mark = SEGMENT
        while (eol := octets.find(b"\n", max(i, self.scan - first))) >= 0:
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

    def _is_request(self, octets: Octets, first: int, at: int, eol: int) -> bool:
        return at != self.refused and surely_request_line(bytes(octets[at - first : eol])) is not None

    def _found(self, at: int, mark: int) -> bool:
        self.at = self.scan = at
        self.state = State.HEAD
        if self.doubt[mark] and self.doubt[mark] not in self.oddities:
            self.oddities += (self.doubt[mark],)
        return True

    # --- holes ----------------------------------------------------------------------------------------------------

    def _keep_whole_lines(self, octets: Octets, first: int) -> None:
        """Nothing joins on to `octets`: keep the head's lines that are whole."""
        if self.state is State.HEAD:
            if self.line is None:
                self._read_cr_head(octets, first, over=True)
            else:
                end = octets.rfind(b"\n", self.at - first) + 1
                block = bytes(octets[self.line_end - first : end])
                self.before = CutHead(self.at, first + end, self.time_ns, self.line, block)
                self.line = None
        elif self.state is State.HOLE:
            self._join(octets, first, octets.rfind(b"\n", self.at - first) + 1, "incomplete")

    def _end_before(self) -> None:
        """What followed was lost or belongs elsewhere: judge the lines before the hole."""
        before, self.before = self.before, None
        if before is not None:
            self.counts["blind.head_incomplete"] += 1
            head = self._cut_head(before.line, field_lines(before.block), "incomplete")
            self._place(before.start, before.end, head._replace(time_ns=before.time_ns))

    def _cut_head(self, line: RequestLine, found: FieldLines, oddity: str) -> RequestHead:
        self.spoke = True
        oddities, self.oddities = (*self.oddities, oddity), ()
        return make_head(self.time_ns, self.flow, line, found, oddities)

    def _read_hole(self, octets: Octets, first: int) -> bool:
        """Field lines of a head whose beginning a hole swallowed, if that is what they are."""
        i, new = self.at - first, self.segment - first
        eol = octets.find(b"\n", new)
        if eol >= 0 and surely_request_line(bytes(octets[new:eol])):  # a segment that begins with a request
            if (end := octets.rfind(b"\n", i, new) + 1) > i:
                self._join(octets, first, end, "incomplete")
            self._tell(self.at, first + new, "gap")
            self._end_before()
            return self._found(first + new, SEGMENT)
        blank = END.search(octets, max(i, self.scan - first))
        if blank is not None:
            return self._join(octets, first, blank.end(), "after_gap")
        self.scan = max(self.at, self.fed - 2)
        return len(octets) - i > LINE_BYTES and self._give_up_hole()

    def _give_up_hole(self) -> bool:
        self._end_before()
        return self._turn(State.SEEK)

    def _join(self, octets: Octets, first: int, end: int, oddity: str) -> bool:
        """Join the field lines up to `end` to those before the hole. The first line is what is left of one."""
        end = max(end, self.at - first)
        cut, _, rest = bytes(octets[self.at - first : end]).partition(b"\n")
        at = self.at + len(cut) + 1
        for text in rest.split(b"\n"):
            if surely_request_line(text):
                self._tell(self.at, at, "gap")
                self._end_before()
                return self._found(at, LINE)
            if not looks_like_field(text):
                return self._give_up_hole()
            at += len(text) + 1
        found = field_lines(rest)
        if self.before and found.has(b"host") and field_lines(self.before.block).has(b"host"):
            self._end_before()  # two Hosts: two heads
        start, line = self.at, NO_LINE
        before, self.before = self.before, None
        if before:
            start, line = before.start, before.line
            found = field_lines(before.block + rest)
        self._tell(self.at, self.at + len(cut), "gap")
        self.at = self.scan = first + end
        self.state = State.HEAD
        if found.fields or before or may_end_field(cut):
            head = self._cut_head(line, found, oddity)
            if b":" in cut:  # its value is whole, its name may not be
                torn = field_lines(cut + b"\n").fields
                head = head._replace(readings=(*head.readings, head._replace(fields=head.fields + torn, readings=())))
            self._place(start, self.at, head)
            extents = lengths(line.method, line.version, found).lengths  # the body may have begun in the hole
            self._enter_body(head, extents if extents == (0,) else (*extents, 0))
        for way in (self, *self.forks):
            way.doubt = LOST
            if way.state is State.HEAD:
                way._turn(State.SEEK)
        return True


_PASSED = {
    State.BODY: "body", State.CHUNK_SIZE: "body", State.CHUNK_DATA: "body", State.CHUNK_END: "body",
    State.HOLE: "gap", State.FRAMES: "frames",
}  # fmt: skip
_SLOTS = (*HeadReader.__slots__, *Reading.__slots__)
_STEPS: dict[State, Callable[[Reading, Octets, int], bool]] = {
    State.HEAD: Reading._read_head,
    State.MORE: Reading._read_more,
    State.BODY: Reading._skip_body,
    State.CHUNK_SIZE: Reading._read_chunk_size,
    State.CHUNK_DATA: Reading._skip_body,
    State.CHUNK_END: Reading._end_chunk,
    State.SEEK: Reading._seek,
    State.HOLE: Reading._read_hole,
    State.FRAMES: Reading._read_frames,
}
