"""One way to read what an HTTP/1 client sends: heads, bodies skipped by count, and whatever lies between them.

A step takes the bytes that are there and moves on; it says False when it needs more. `at` is where the next step
begins, so the caller keeps the bytes from there on. Searches go on where they stopped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, MutableMapping
from copy import copy
from enum import Enum, auto

from monitor.portable.body import CHUNKED, chunk_sizes, lengths
from monitor.portable.request_head import (
    NO_LINE,
    FieldLines,
    RequestLine,
    begins_request,
    continuation,
    field_lines,
    looks_like_field,
    make_head,
    request_line,
    surely_request_line,
)
from monitor.records import Fields, Flow, Gap, Limits, PlacedHead, RequestHead, Section

HOPELESS_BYTES = 4096  # without a line end or a request, and it is no HTTP
LINE_BYTES = 16 * 1024  # of a chunk-size line with its extensions, or of a line between requests
PREFACE_HEAD = b"PRI * HTTP/2.0\r\n\r\n"  # what of HTTP/2's preface reads as a head (RFC 9113 section 3.4)

_END = re.compile(rb"\n\r?\n")
_BLANK = re.compile(rb"[\r\n]*")
_EMPTY_LINE = re.compile(rb"\r?\n")
_BEGINNING = re.compile(rb"[!-9;-~]{1,64}(?:[ \t]|\Z)")
_WORD = re.compile(rb"[0-9A-Za-z+%_-]{0,64}\Z")
_PROXY_1 = re.compile(rb"PROXY [^\r\n]{0,101}\r?\n")  # haproxy.org, proxy-protocol.txt, section 2.1
_PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n"  # section 2.2

FRAMING = (b"host", b"content-length", b"transfer-encoding")

Octets = bytes | bytearray


class State(Enum):
    HEAD = auto()  # a request line, then field lines up to the empty line
    MORE = auto()  # field lines of the head before: its trailer section, or the rest of one that is too long
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    SEEK = auto()  # here is no request line: the next one is looked for
    HOLE = auto()  # bytes were lost, and these may be the field lines behind them
    OVER = auto()  # HTTP/2 from `at` on


# The oddity of a head found by State.SEEK: at the start of a segment, behind an empty line, at any other line.
Doubt = tuple[str, str, str]
SEGMENT, EMPTY, LINE = 0, 1, 2
JUNK: Doubt = ("not_http", "not_http", "not_http")  # the connection began with it, or it stands between requests
TUNNEL: Doubt = ("", "not_http", "not_http")  # after CONNECT or Upgrade anything may come
MIDSTREAM: Doubt = ("", "", "not_http")
LOST: Doubt = ("", "", "framing")
BROKEN: Doubt = ("framing", "framing", "framing")  # nobody knows where the body ends


class Reading:
    __slots__ = (
        "at", "before", "carry", "counts", "doubt", "fed", "flow", "forks", "head", "heads", "left", "limits", "line",
        "line_end", "mark", "odd_chunk", "oddities", "origin", "scan", "section", "segment", "sought", "spoke", "state",
        "time_ns", "tunnel",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int, midstream: bool
    ) -> None:
        self.limits = limits
        self.counts = counts
        self.flow = flow
        self.time_ns = 0
        self.state = State.SEEK if midstream else State.HEAD
        self.doubt = MIDSTREAM if midstream else JUNK
        self.mark = SEGMENT  # which doubt a line at `at` is under
        self.at = self.origin = position  # of this way
        self.scan = position  # the next search begins here
        self.segment = self.fed = position  # where the newest segment begins and ends
        self.sought = position  # since when no request was found
        self.line: RequestLine | None = None  # of the head at hand, and where its field lines begin
        self.line_end = position
        self.oddities: tuple[str, ...] = ()  # of the next head, known before it is read
        self.left = 0  # of the body or chunk
        self.odd_chunk = False
        self.head = make_head(0, flow, NO_LINE, FieldLines(()), ())  # whose section State.MORE reads
        self.section = Section.HEAD
        self.carry = b""  # name of the field whose value goes on
        self.before: tuple[int, int, RequestLine, bytes] | None = None  # head cut by a hole: start, end, line, fields
        self.spoke = False  # a request was read
        self.tunnel = False
        self.heads: list[PlacedHead] = []
        self.forks: list[Reading] = []  # ways that part from this one

    def run(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]:
        """Read on until bytes are missing. `octets` begin at position `first`, at or before `at`; what is new in them
        is one segment."""
        self.time_ns = time_ns
        end = first + len(octets)
        if end > self.fed:
            self.segment, self.fed = self.fed, end
        while self.at < end and self.state is not State.OVER and _STEPS[self.state](self, octets, first):
            pass
        return self._taken()

    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]:
        """Bytes are missing behind `octets`. Whole lines before them wait for what follows."""
        if self.state in (State.BODY, State.CHUNK_DATA) and gap.missing <= self.left:
            self._count(gap.missing)
        elif self.state in (State.HEAD, State.BODY, State.HOLE):
            self._keep_whole_lines(octets, first)
            self._turn(State.HOLE, LOST)
        else:
            self._end_section(octets, first)
            self._turn(State.SEEK, LOST)
        self.at = self.fed = self.scan = gap.position + gap.missing
        return self._taken()

    def finish(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Nothing follows: judge the lines that are whole."""
        self._keep_whole_lines(octets, first)
        self._end_before()
        self._end_section(octets, first)
        return self._taken()

    def _taken(self) -> list[PlacedHead]:
        heads, self.heads = self.heads, []
        return heads

    @property
    def place(self) -> tuple[State, int, int]:
        """Readings of one place go on alike."""
        return self.state, self.at, self.left

    # --- heads ----------------------------------------------------------------------------------------------------

    def _read_line(self, octets: Octets, first: int) -> bool:
        """The request line of State.HEAD."""
        if self.scan <= self.at:
            if not self._skip_before_line(octets, first):
                return False
            if self.at == self.fed:
                return True
        i = self.at - first
        eol = octets.find(b"\n", max(i, self.scan - first))
        if self._read_cr_head(octets, first, eol):
            return True
        if eol < 0 or eol - i > self.limits.head_bytes:
            return self._unfinished_line(octets, first)
        line, cr, _ = bytes(octets[i:eol]).rstrip(b"\r").partition(b"\r")
        self.line = request_line(line)
        if self.line is None:
            return self._turn(State.SEEK)
        self.scan = first + eol
        self.line_end = self.at + len(line) + 1 if cr else self.scan + 1
        if cr:
            self.oddities += ("cr",)
        return True

    def _read_head(self, octets: Octets, first: int) -> bool:
        if self.line is None:
            return self._read_line(octets, first)
        i = self.at - first
        end = _END.search(octets, self.scan - first)
        if (end.end() if end else len(octets)) - i > self.limits.head_bytes:
            return self._read_part(octets, first)
        if end is None:
            self.scan = max(self.scan, self.fed - 2)
            return False
        block = bytes(octets[i : end.end()])
        found = field_lines(block, self.line_end - self.at)
        if "cr" in self.oddities:  # to most receivers nothing in the request line is a field
            found = found._replace(other=field_lines(block, block.index(b"\n") + 1).fields)
        self._place_head(first + end.end(), block, found)
        return True

    def _skip_before_line(self, octets: Octets, first: int) -> bool:
        """Empty lines (RFC 9112 section 2.2), and at the beginning of a connection the PROXY protocol."""
        if self.at == self.origin and not self.spoke:
            beginning = bytes(octets[self.at - first : self.at - first + 128])
            proxied = _PROXY_1.match(beginning)
            length = proxied.end() if proxied else 0
            if beginning.startswith(_PROXY_2):
                length = 16 + int.from_bytes(beginning[14:16], "big")
            if self.fed - self.at < length or (_PROXY_2.startswith(beginning) and len(beginning) < len(_PROXY_2)):
                return False
            if length:
                self.at += length
                self.oddities += ("proxy_protocol",)
        blank = _BLANK.match(octets, self.at - first)
        if blank and blank[0]:
            self.at += len(blank[0])
            self.scan = self.at
            if "leading_crlf" not in self.oddities:
                self.oddities += ("leading_crlf",)
        return True

    def _unfinished_line(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        size = len(octets) - i
        if not _BEGINNING.match(octets, i, min(len(octets), i + 80)):
            return self._turn(State.SEEK)
        if size > HOPELESS_BYTES and not begins_request(bytes(octets[i : i + 256])):
            return self._turn(State.SEEK)
        self.scan = self.fed
        return size > self.limits.head_bytes and self._read_part(octets, first)

    def _read_cr_head(self, octets: Octets, first: int, eol: int = -1, over: bool = False) -> bool:
        """A head whose lines all end in CR alone; most receivers wait for an LF for ever."""
        end = octets.find(b"\r\r", max(self.at, self.scan - 2) - first, eol if eol >= 0 else len(octets)) + 2
        if end < 2 or not (octets[end] != 0x0A if end < len(octets) else over):
            return False
        block = bytes(octets[self.at - first : end])
        line, _, rest = block.replace(b"\r", b"\r\n").partition(b"\r\n")
        self.line = request_line(line)
        if self.line is None or len(rest) < 4:
            self.line = None
            return False
        self.oddities += ("cr", "not_http")
        self._place_head(first + end, block, field_lines(rest))
        return True

    def _place_head(self, end: int, block: bytes, found: FieldLines) -> None:
        """A head is whole: place it, and go on behind it."""
        line, start = self.line or NO_LINE, self.at
        self.line = None
        self.at = self.scan = end
        if line.method == b"PRI" and block == PREFACE_HEAD:
            self.state = State.OVER
            return
        extent = lengths(line.method, line.version, found)
        oddities = extent.oddities + self.oddities + (("in_connect",) if self.tunnel else ())
        head = make_head(self.time_ns, self.flow, line, found, oddities)
        self._place(start, end, block, head)
        self.spoke = True
        self.oddities = ()
        self.tunnel = self.tunnel or line.method == b"CONNECT"
        self.doubt = TUNNEL if self.tunnel or found.has(b"upgrade") else JUNK
        self._enter_body(head, extent.lengths)

    def _place(self, start: int, end: int, block: bytes, head: RequestHead) -> None:
        """Hand a head out, in parts when it has too many lines."""
        bound = self.limits.head_lines
        if len(head.fields) <= bound:
            self.heads.append(PlacedHead(start, end, block, head))
            return
        self.counts["shed.head_lines"] += 1
        parts = [FieldLines(head.fields[i : i + bound]) for i in range(0, len(head.fields), bound)]
        oddities = (*head.oddities, "long")
        self.heads.append(PlacedHead(start, end, block, head._replace(fields=parts[0].fields, oddities=oddities)))
        for part in parts[1:]:
            more = continuation(head.time_ns, head, part, ("long",), head.section)
            self.heads.append(PlacedHead(start, end, b"", more))

    # --- sections that go on --------------------------------------------------------------------------------------

    def _read_part(self, octets: Octets, first: int) -> bool:
        """A head or section beyond the bound: hand out what is whole, and read on in State.MORE."""
        self.counts["shed.head_bytes"] += 1
        start, i = self.at, self.at - first
        text = bytes(octets[i : i + self.limits.head_bytes])
        last = text.rfind(b"\n") + 1
        size = last
        carry, self.carry = self.carry, b""
        if last <= len(text) // 2:  # the last line is the long one: cut it, but through no word
            word = _WORD.search(text, len(text) - 64)
            size = word.start() if word and word.start() > len(text) - 64 else len(text)
            name, colon, _ = text[last : last + 256].partition(b":")
            self.carry = name + colon if last and colon else carry
        self.at = self.scan = start + size
        block = carry + text[:size] + (b"" if size == last else b"\r\n")
        if self.state is State.MORE:
            self._place_more(start, block, "long")
            return True
        if self.line is None:  # not even the request line has ended
            method, _, target = block.partition(b" ")
            self.line = RequestLine(method, target, b"", ("odd_target",))
            found = FieldLines(())
        else:
            found = field_lines(block, self.line_end - start)
        head = make_head(self.time_ns, self.flow, self.line, found, (*self.oddities, "long"))
        self._place(start, self.at, block, head)
        self.head = head._replace(fields=_needed(found))
        self.spoke = True
        self.line, self.oddities = None, ()
        self.state, self.section = State.MORE, Section.HEAD
        return True

    def _read_more(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        empty = None if self.carry or self.scan > self.at else _EMPTY_LINE.match(octets, i)
        end = empty or _END.search(octets, max(i, self.scan - first))
        if (end.end() if end else len(octets)) - i > self.limits.head_bytes:
            return self._read_part(octets, first)
        if end is None:
            self.scan = max(self.at, self.fed - 2)
            return False
        start, self.at = self.at, first + end.end()
        self.scan = self.at
        self._place_more(start, self.carry + bytes(octets[i : end.end()]))
        self.carry = b""
        trailers, self.section = self.section is Section.TRAILER, Section.HEAD
        head = self.head
        extents = (0,) if trailers else lengths(head.method, head.version, FieldLines(head.fields)).lengths
        self._enter_body(head, extents)
        return True

    def _place_more(self, start: int, block: bytes, *oddities: str) -> None:
        found = field_lines(block)
        if found.fields:
            more = continuation(self.time_ns, self.head, found, oddities, self.section)
            self._place(start, self.at, b"", more)
            self.head = self.head._replace(fields=self.head.fields + _needed(found))

    def _end_section(self, octets: Octets, first: int) -> None:
        """What follows is missing: hand out the lines of State.MORE that are whole."""
        if self.state is State.MORE:
            i = self.at - first
            start, self.at = self.at, first + max(i, octets.rfind(b"\n") + 1)
            self._place_more(start, self.carry + bytes(octets[i : self.at - first]), "incomplete")
            self.counts["blind.head_incomplete"] += 1
            self.carry, self.section = b"", Section.HEAD

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _enter_body(self, head: RequestHead, extents: tuple[int, ...]) -> None:
        for extent in extents[1:]:
            fork = self._fork()
            fork._enter_body(head, (extent,))
            self.forks.append(fork)
        extent = extents[0]
        self.state = State.HEAD
        if extent == CHUNKED:
            self.state = State.CHUNK_SIZE
            self.odd_chunk = False
            self.head = head._replace(fields=_needed(FieldLines(head.fields)), readings=())
        elif extent:
            self.state = State.BODY
            self.left = extent

    def _fork(self) -> Reading:
        """The same way up to here, to go on otherwise; what it counts has been counted by this one."""
        fork = copy(self)
        fork.counts, fork.heads, fork.forks, fork.origin = Counter(), [], [], self.at
        return fork

    def _skip_body(self, octets: Octets, first: int) -> bool:
        size = min(self.left, first + len(octets) - self.at)
        self.at += size
        self.scan = self.at
        self._count(size)
        return True

    def _count(self, size: int) -> None:
        self.left -= size
        self.counts["body_bytes"] += size
        if not self.left:
            self.state = State.CHUNK_END if self.state is State.CHUNK_DATA else State.HEAD

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
            fork = self._fork()
            fork._enter_chunk(size)
            self.forks.append(fork)
        self._enter_chunk(sizes[0])
        return True

    def _enter_chunk(self, size: int) -> None:
        self.left = size
        self.state = State.CHUNK_DATA if size else State.MORE
        if not size:
            self.section = Section.TRAILER

    def _end_chunk(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        end = _EMPTY_LINE.match(octets, i)
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
        """Look for the next request line: at the start of a segment, else at any line that is one beyond doubt."""
        i = self.at - first
        if self.segment > self.at:  # a segment may be a new beginning, whatever stood before it
            eol = octets.find(b"\n", self.segment - first)
            if eol >= 0 and request_line(bytes(octets[self.segment - first : eol])):
                return self._found(self.segment, SEGMENT)
        elif self.segment == self.at:
            self.mark = SEGMENT
        while (eol := octets.find(b"\n", max(i, self.scan - first))) >= 0:
            line = bytes(octets[i:eol])
            if request_line(line) if self.mark == SEGMENT else surely_request_line(line):
                return self._found(first + i, self.mark)
            version = octets.find(b"HTTP/", eol)
            i = octets.rfind(b"\n", eol, version if version >= 0 else len(octets)) + 1
            above = octets[octets.rfind(b"\n", 0, i - 1) + 1 : i - 1]
            self.mark = LINE if above.strip(b"\r") else EMPTY
            self.at = self.scan = first + i
        if len(octets) - i > LINE_BYTES or not _BEGINNING.match(octets, i, min(len(octets), i + 80)):
            self.at = self.fed  # the rest of this line is none either
        self.scan = self.fed
        return False

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
                end = octets.rfind(b"\n") + 1
                block = bytes(octets[self.line_end - first : end])
                self.before = (self.at, first + end, self.line, block)
                self.line = None
        elif self.state is State.HOLE:
            self._join(octets, first, octets.rfind(b"\n") + 1, "incomplete")

    def _end_before(self) -> None:
        """What followed was lost or belongs elsewhere: judge the lines before the hole."""
        if self.before is None:
            return
        start, end, line, block = self.before
        self.before = None
        self.counts["blind.head_incomplete"] += 1
        self._place(start, end, b"", self._cut_head(line, field_lines(block), "incomplete"))

    def _cut_head(self, line: RequestLine, found: FieldLines, oddity: str) -> RequestHead:
        self.spoke = True
        oddities, self.oddities = (*self.oddities, oddity), ()
        return make_head(self.time_ns, self.flow, line, found, oddities)

    def _read_hole(self, octets: Octets, first: int) -> bool:
        """Field lines of a head whose beginning a hole swallowed, if that is what they are."""
        i = self.at - first
        eol = octets.find(b"\n", i)
        if eol >= 0 and request_line(bytes(octets[i:eol])):
            self._end_before()
            return self._found(self.at, SEGMENT)
        end = _END.search(octets, max(i, self.scan - first))
        if end is not None:
            return self._join(octets, first, end.end(), "after_gap")
        self.scan = max(self.at, self.fed - 2)
        return len(octets) - i > LINE_BYTES and self._give_up_hole()

    def _give_up_hole(self) -> bool:
        self._end_before()
        return self._turn(State.SEEK)

    def _join(self, octets: Octets, first: int, end: int, oddity: str) -> bool:
        """Join the field lines up to `end` to those before the hole. The first line is what is left of one."""
        cut, _, rest = bytes(octets[self.at - first : end]).partition(b"\n")
        at = self.at + len(cut) + 1
        for text in rest.split(b"\n"):
            if surely_request_line(text):
                self._end_before()
                return self._found(at, LINE)
            if not looks_like_field(text):
                return self._give_up_hole()
            at += len(text) + 1
        found = field_lines(rest)
        if self.before and found.has(b"host") and field_lines(self.before[3]).has(b"host"):
            self._end_before()  # two Hosts: two heads
        start, _, line, block = self.before or (self.at, 0, NO_LINE, b"")
        if self.before:
            found = field_lines(block + rest)
        self.at = self.scan = first + end
        if found.fields or self.before:
            head = self._cut_head(line, found, oddity)
            if b":" in cut:  # its value is whole, its name may not be
                torn = field_lines(cut + b"\n").fields
                head = head._replace(readings=(*head.readings, head._replace(fields=head.fields + torn, readings=())))
            self._place(start, self.at, b"", head)
            self._enter_body(head, lengths(line.method, line.version, found).lengths)
        else:
            self.state = State.HEAD
        self.before = None
        return True


def _needed(found: FieldLines) -> Fields:
    """The fields of a head that what follows it depends on."""
    return tuple(field for field in found.fields if field[0] in FRAMING)


_STEPS: dict[State, Callable[[Reading, Octets, int], bool]] = {
    State.HEAD: Reading._read_head,
    State.MORE: Reading._read_more,
    State.BODY: Reading._skip_body,
    State.CHUNK_SIZE: Reading._read_chunk_size,
    State.CHUNK_DATA: Reading._skip_body,
    State.CHUNK_END: Reading._end_chunk,
    State.SEEK: Reading._seek,
    State.HOLE: Reading._read_hole,
}
