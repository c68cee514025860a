"""The heads and trailer sections of one HTTP/1 half-stream, as far as they follow one another without a hole.

A step takes the bytes that are there and moves on; it says False when it needs more. `at` is where the next step
begins, so the caller keeps the bytes from there on. Searches go on where they stopped.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from enum import Enum, auto
from typing import NamedTuple

from monitor.portable.body import NO_BODY, Lengths, lengths
from monitor.portable.credit import Credit
from monitor.portable.http2 import PREFACE_HEAD
from monitor.portable.request_head import (
    MOST_NEEDED,
    NO_LINE,
    SPACE,
    WORDS_BYTES,
    FieldLines,
    RequestLine,
    begins_behind_junk,
    begins_request,
    continuation,
    field_lines,
    make_head,
    request_line,
)
from monitor.records import Fields, Flow, Limits, PlacedHead, RequestHead, Section

HOPELESS_BYTES = 4096  # without a line end or a request, and it is no HTTP
PROXY_BYTES = 16  # before the addresses
SAID_AGAIN_BYTES = 4 * 1024  # for each so many that a part says again it has as many lines more, in proportion
NEEDED = (b"host", b"content-length", b"transfer-encoding")  # what follows a head depends on these

BEGINNING = re.compile(rb"[ \t]{0,16}(?:[!-9;-~]{1,64}(?:[%s]|\Z)|\Z)" % SPACE)  # of a request line
EMPTY_LINE = re.compile(rb"\r?\n")
END = re.compile(rb"\n\r?\n")
BLANK = re.compile(rb"[\r\n]*")
_WORD = re.compile(rb"[0-9A-Za-z+%_-]{0,64}\Z")
_PROXY = b"\r\n\r\n\0\r\nQUIT\n"

NO_HEAD = RequestHead(0, Flow(b"", 0, b"", 0), b"", b"", b"", ())

Octets = bytes | bytearray


class State(Enum):
    HEAD = auto()  # a request line, then field lines up to the empty line
    MORE = auto()  # field lines of the head before: its trailer section, or the rest of one that is too long
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    EXTENSION = auto()  # of a chunk, up to CRLF
    NO_BODY = auto()  # a body was announced and waits for 100 Continue: here is a request if it never comes
    BODY_OR_NONE = auto()  # the same, of who refuses them: it is a body unless here is a request
    SEEK = auto()  # here is no request line: the next one is looked for
    HOLE = auto()  # bytes were lost, and these may be the field lines behind them
    FRAMES = auto()  # HTTP/2 from its preface on, which begins like a request


class Known(NamedTuple):
    """A head that a way has read."""

    finder: int  # number of the way
    tunnel: bool  # that way is behind CONNECT
    framing: bool  # to that way the head may be text in a body
    refuses: bool  # that way has no bodies that wait for 100 Continue


class HeadReader(ABC):
    __slots__ = (
        "at", "carry", "counts", "credit", "fed", "flow", "head", "heads", "known", "limits", "line", "line_end",
        "no_cr_head", "oddities", "origin", "refused", "scan", "section", "spoke", "state", "switching", "time_ns",
        "tunnel",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int, credit: Credit
    ) -> None:
        self.limits = limits
        self.credit = credit  # of all ways together
        self.counts = counts
        self.flow = flow
        self.time_ns = 0  # of the newest segment
        self.state = State.HEAD
        self.at = position
        self.scan = position  # the next search begins here
        self.fed = position  # behind the newest byte
        self.origin = position  # where this reading began
        self.refused = position - 1  # a line there was found to be no request line
        self.no_cr_head = position - 1  # the lines of a head there do not all end in CR alone, as its first one shows
        self.line: RequestLine | None = None  # of the head at hand, and where its field lines begin
        self.line_end = position
        self.oddities: tuple[str, ...] = ()  # of the next head, known before it is read
        self.head = NO_HEAD  # whose section State.MORE reads
        self.section = Section.HEAD
        self.carry = b""  # name of the field whose value goes on
        self.spoke = False  # a request was read
        self.tunnel = False  # behind CONNECT
        self.switching = False  # another protocol may follow
        self.heads: list[PlacedHead] = []
        self.known: dict[int, Known] = {}  # where heads begin in the newest segment, to ways that take its first copy

    @abstractmethod
    def _joins(self) -> bool:
        """Whether another way has read the head here, and this one goes on as that one did."""

    @abstractmethod
    def _note_start(self, start: int) -> None:
        """A head begins there."""

    @abstractmethod
    def _turn(self, state: State) -> bool:
        """Go on otherwise at the same place."""

    @property
    @abstractmethod
    def _is_first(self) -> bool:
        """Whether this is the way that is read in any case."""

    @abstractmethod
    def _enter_body(self, head: RequestHead, extents: Lengths) -> None:
        """Go on behind the head's empty line; its body may have each of these lengths."""

    @abstractmethod
    def _search_beside(self, extents: Lengths) -> None:
        """A head was found where a body may be, and is text in it, perhaps: so may its own body be none."""

    # --- heads ----------------------------------------------------------------------------------------------------

    def _read_line(self, octets: Octets, first: int) -> bool:
        """The request line of State.HEAD."""
        if self.scan <= self.at:
            if not self._skip_before_line(octets, first):
                return False
            if self.at == self.fed:
                return True
            if self._joins():
                return False
        i = self.at - first
        eol = octets.find(b"\n", max(i, self.scan - first))
        if self._read_cr_head(octets, first, eol):
            return True
        if eol < 0 or eol - i > self.limits.head_bytes:
            return self._unfinished_line(octets, first)
        whole = bytes(octets[i:eol]).rstrip(b"\r")
        line, cr, _ = whole.partition(b"\r")
        self.line = request_line(line)
        if cr and self.line is None and (spaced := request_line(whole)):  # CR for a space
            self.line, line, cr = spaced, whole, b""
        if self.line is None:
            if self._at_beginning and line.startswith(b"PROXY "):
                return self._skip_proxy(eol + 1 - i)
            return self._refuse()
        self.scan = first + eol
        self.line_end = self.at + len(line) + 1 if cr else self.scan + 1
        if cr:
            self.oddities += ("cr",)
        return True

    def _read_head(self, octets: Octets, first: int) -> bool:
        if self.line is None:
            return self._read_line(octets, first)
        i = self.at - first
        end = END.search(octets, self.scan - first)
        if (end.end() if end else len(octets)) - i > self.limits.head_bytes:
            return self._read_part(octets, first)
        if end is None:
            self.scan = max(self.scan, self.fed - 2)
            return False
        block = bytes(octets[i : end.end()])
        found = field_lines(block, self.line_end - self.at, in_all_ways=bool(self.credit))
        if "cr" in self.oddities:  # to most receivers nothing in the request line is a field
            others = (field_lines(block, block.index(b"\n") + 1).fields,) if self.credit else ()
            found = found._replace(others=others, may_differ=True)
        self._pay_for(found, block)
        self._place_head(first + end.end(), block, found)
        return True

    def _refuse(self) -> bool:
        """Here is no request line, whatever State.SEEK says of the line as a whole."""
        self.refused = self.at
        return self._turn(State.SEEK)

    @property
    def _at_beginning(self) -> bool:
        """Of the connection, where the PROXY protocol stands (haproxy.org, proxy-protocol.txt, section 2)."""
        return self.at == self.origin and not self.spoke

    def _skip_proxy(self, size: int) -> bool:
        self.at += size
        self.scan = self.at
        self.oddities += ("proxy_protocol",)
        return True

    def _skip_before_line(self, octets: Octets, first: int) -> bool:
        """Empty lines (RFC 9112 section 2.2), and version 2 of the PROXY protocol, which begins like some."""
        if self._at_beginning:
            beginning = bytes(octets[self.at - first : self.at - first + PROXY_BYTES])
            if beginning.startswith(_PROXY):
                size = PROXY_BYTES + int.from_bytes(beginning[-2:], "big")
                return self.fed - self.at >= size and len(beginning) == PROXY_BYTES and self._skip_proxy(size)
            if _PROXY.startswith(beginning):
                return False
        blank = BLANK.match(octets, self.at - first)
        if blank and blank[0]:
            self.at += len(blank[0])
            self.scan = self.at
            if "leading_crlf" not in self.oddities:
                self.oddities += ("leading_crlf",)
        return True

    def _unfinished_line(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        size = len(octets) - i
        text = bytes(octets[i : i + WORDS_BYTES])
        may_begin = BEGINNING.match(text, 0, 80) and (size <= HOPELESS_BYTES or begins_request(text))
        if not may_begin and not begins_behind_junk(text):
            return self._refuse()
        self.scan = self.fed
        return size > self.limits.head_bytes and self._read_part(octets, first)

    def _read_cr_head(self, octets: Octets, first: int, eol: int = -1, over: bool = False) -> bool:
        """A head whose lines all end in CR alone; most receivers wait for an LF for ever."""
        if self.no_cr_head == self.at:
            return False
        end = octets.find(b"\r\r", max(self.at, self.scan - 2) - first, eol if eol >= 0 else len(octets)) + 2
        if end < 2 or not (octets[end] != 0x0A if end < len(octets) else over):
            return False
        block = bytes(octets[self.at - first : end])
        text, _, rest = block.partition(b"\r")
        line = request_line(text)
        if line is None or len(rest) < 2:
            if line is None:
                self.no_cr_head = self.at  # and will not be one, whatever follows
            return False
        self.line, found = line, field_lines(rest.replace(b"\r", b"\r\n"), in_all_ways=bool(self.credit))
        self.oddities += ("cr", "not_http")
        self._pay_for(found, block)
        self._place_head(first + end, block, found)
        return True

    def _place_head(self, end: int, block: bytes, found: FieldLines) -> None:
        """A head is whole: place it, and go on behind it."""
        line, start = self.line or NO_LINE, self.at
        self.line = None
        if line.method == b"PRI" and block == PREFACE_HEAD:
            self.state = State.FRAMES
            return
        self.at = self.scan = end
        extents = lengths(line.method, line.version, found)
        oddities = extents.oddities + self.oddities + (("in_connect",) if self.tunnel else ())
        head = make_head(self.time_ns, self.flow, line, found, oddities)
        self._place(start, end, head)
        self._note_start(start)
        if "framing" in self.oddities:
            self._search_beside(extents)
        self.spoke = True
        self.oddities = ()
        self.tunnel = self.tunnel or line.method == b"CONNECT"
        self.switching = self.tunnel or found.has(b"upgrade")
        self._enter_body(head, extents)

    def _pay_for(self, found: FieldLines, block: bytes) -> None:
        """Lines that others read otherwise were read so as well, or there was no credit for that."""
        if found.may_differ and not self.credit:
            self.counts["shed.readings"] += 1
        elif found.may_differ and self._is_first:
            self.credit.pay_lines(block)

    def _place(self, start: int, end: int, head: RequestHead, part: bool = False) -> None:
        """Hand a head out, in parts when it has too many lines."""
        if not self._is_first:
            self.credit.pay_head(end - start)
        bound = self.limits.head_lines
        if len(head.fields) <= bound:
            self.heads.append(PlacedHead(start, end, head, part=part))
            return
        self.counts["shed.head_lines"] += 1
        again = continuation(head.time_ns, head, FieldLines(()), (), head.section)
        said_again = len(again.target) + sum(len(name) + len(value) for name, value in again.fields if name == b"host")
        bound *= 1 + said_again // SAID_AGAIN_BYTES
        parts = [FieldLines(head.fields[i : i + bound]) for i in range(0, len(head.fields), bound)]
        oddities = (*head.oddities, "long")
        first = head._replace(fields=parts[0].fields, oddities=oddities)
        self.heads.append(PlacedHead(start, end, first, part=part))
        for found in parts[1:]:
            more = continuation(head.time_ns, head, found, ("long",), head.section)
            self.heads.append(PlacedHead(start, end, more, part=True))

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
            found = field_lines(block, self.line_end - start, in_all_ways=bool(self.credit))
            self._pay_for(found, block)
        head = make_head(self.time_ns, self.flow, self.line, found, (*self.oddities, "long"))
        self._place(start, self.at, head)
        self.head = head._replace(fields=needed(found))
        self.spoke = True
        self.line, self.oddities = None, ()
        self.state, self.section = State.MORE, Section.HEAD
        return True

    def _part_lines(self, octets: Octets, first: int) -> None:
        """The lines of State.HEAD that are whole; the others are read in State.MORE."""
        start, line = self.at, self.line or NO_LINE
        end = max(self.line_end, first + octets.rfind(b"\n", start - first) + 1)
        block = bytes(octets[self.line_end - first : end - first])
        found = field_lines(block, in_all_ways=bool(self.credit))
        self._pay_for(found, block)
        head = make_head(self.time_ns, self.flow, line, found, (*self.oddities, "incomplete"))
        self.at = self.scan = end
        self._place(start, end, head)
        self.head = head._replace(fields=needed(found))
        self.spoke = True
        self.line, self.oddities = None, ()
        self.state, self.section = State.MORE, Section.HEAD

    def _read_more(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        empty = None if self.carry or self.scan > self.at else EMPTY_LINE.match(octets, i)
        end = empty or END.search(octets, max(i, self.scan - first))
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
        extents = NO_BODY if trailers else lengths(head.method, head.version, FieldLines(head.fields))
        self._enter_body(head, extents)
        return True

    def _place_more(self, start: int, block: bytes, *oddities: str) -> None:
        found = field_lines(block, in_all_ways=bool(self.credit))
        if found.fields:
            self._pay_for(found, block)
            more = continuation(self.time_ns, self.head, found, oddities, self.section)
            self._place(start, self.at, more, part=self.section is Section.HEAD)
            self.head = self.head._replace(fields=(self.head.fields + needed(found))[:MOST_NEEDED])

    def _end_section(self, octets: Octets, first: int) -> None:
        """What follows is missing: hand out the lines of State.MORE that are whole."""
        if self.state is State.MORE:
            i = self.at - first
            start, self.at = self.at, first + max(i, octets.rfind(b"\n", i) + 1)
            self._place_more(start, self.carry + bytes(octets[i : self.at - first]), "incomplete")
            self.counts["blind.head_incomplete"] += 1
            self.carry, self.section = b"", Section.HEAD


def needed(found: FieldLines) -> Fields:
    """The fields of a head that what follows it depends on."""
    return tuple(field for field in found.fields if field[0] in NEEDED)[:MOST_NEEDED]
