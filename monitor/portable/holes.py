"""Where bytes are missing: the lines of a head before the hole, and those behind it."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import NamedTuple

from monitor.portable.body import lengths
from monitor.portable.credit import Credit
from monitor.portable.head_reader import END, HeadReader, Octets, State
from monitor.portable.request_head import (
    NO_LINE,
    FieldLines,
    RequestLine,
    behind_junk,
    field_lines,
    looks_like_field,
    make_head,
    may_end_field,
    surely_request_line,
)
from monitor.portable.trace import Tell
from monitor.records import Flow, Limits, RequestHead

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


class HoleReader(HeadReader):
    __slots__ = ("before", "doubt", "forks", "left", "mark", "segment", "sought", "tell")

    def __init__(
        self,
        limits: Limits,
        counts: MutableMapping[str, int],
        flow: Flow,
        position: int,
        credit: Credit,
        midstream: bool = False,
    ) -> None:
        super().__init__(limits, counts, flow, position, credit)
        if midstream:
            self.state = State.SEEK
        self.doubt = MIDSTREAM if midstream else JUNK
        self.left = 0  # of the body or chunk
        self.mark = SEGMENT  # which doubt a line at `at` is under
        self.segment = position  # where the newest segment begins
        self.sought = position  # since when no request was found
        self.before: CutHead | None = None
        self.forks: Sequence[HoleReader] = []  # ways that part from this one
        self.tell: Tell | None = None  # what becomes of bytes that are in no head; the first way alone says it

    def _tell(self, start: int, stop: int, what: str) -> None:
        if self.tell is not None and start < stop:
            self.tell(start, stop, what)

    def _turn(self, state: State, doubt: Doubt | None = None) -> bool:
        self.state, self.left = state, 0
        self.doubt = doubt or self.doubt
        self.sought = self.scan = self.at
        self.mark = SEGMENT if self.at == self.segment else LINE
        return True

    def _is_request(self, octets: Octets, first: int, at: int, eol: int) -> bool:
        line = bytes(octets[at - first : eol])
        is_request = surely_request_line(line) or (at == self.segment and self.doubt is JUNK and behind_junk(line))
        return at != self.refused and bool(is_request)

    def _found(self, at: int, mark: int) -> bool:
        self.at = self.scan = at
        self.state = State.HEAD
        if self.doubt[mark] and self.doubt[mark] not in self.oddities:
            self.oddities += (self.doubt[mark],)
        return True

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
            extents = lengths(line.method, line.version, found)
            if extents.lengths != (0,):  # the body may have begun in the hole
                extents = extents._replace(lengths=tuple(dict.fromkeys((*extents.lengths, 0))))
            self._enter_body(head, extents)
        for way in (self, *self.forks):
            way.doubt = LOST
            if way.state is State.HEAD:
                way._turn(State.SEEK)
        return True
