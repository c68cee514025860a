"""Bodies: skipped by count or chunk by chunk (RFC 9112 sections 6 and 7), in every way that they can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping
from functools import cache
from typing import Self, cast

from monitor.portable.body import CHUNKED, ENDLESS, Lengths, chunk_size, wraps
from monitor.portable.credit import Credit
from monitor.portable.head_reader import EMPTY_LINE, Octets, State, needed
from monitor.portable.holes import BROKEN, JUNK, LINE_BYTES, TUNNEL, HoleReader
from monitor.portable.request_head import METHODS, WORDS_BYTES, FieldLines, begins_method, surely_request_line
from monitor.records import Flow, Limits, RequestHead, Section

MOST_READINGS = 4
FRAMING = "framing"  # why a way parts from another: the body may end elsewhere


class BodyReader(HoleReader):
    __slots__ = (
        "again", "bodies", "copied", "copied_from", "left", "left_out", "misread", "odd_chunk", "room", "shift",
        "unread", "until", "why",
    )  # fmt: skip

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
        self.left = 0  # of the body or chunk
        self.bodies = 0  # bytes of bodies so far
        self.again = 0  # so many that follow have been counted before, when the beginning was not known
        self.odd_chunk = False  # of this body
        self.forks: list[Self] = []
        self.room = -1  # for so many; below 0: none parts here, for nobody knows how long the body is
        self.left_out = 0  # more of them, for which there is no room
        self.unread = False  # somewhere before, a way was left out or given up: it may lead elsewhere for ever
        self.why: str | None = None  # an oddity; None: this is the first way
        self.copied: bytearray | None = None  # bytes that only this way has, from `copied_from` on
        self.copied_from = self.until = position  # all bytes from `until` on are those of the others
        self.shift = 0  # how much later its first head begins, since its copy is shorter
        self.misread = False  # this way counts to where a length ends that few read so

    def _enter_body(self, head: RequestHead, extents: Lengths) -> None:
        self.misread = False
        for extent in extents.lengths[1:]:
            self._fork(BodyReader._enter_extent, head, extent)
        for extent in extents.misread:
            self._fork(BodyReader._enter_misread, BodyReader._enter_extent, head, extent)
        if extents.may_stay_away:
            self._fork(BodyReader._enter_misread, BodyReader._enter_no_body)
        self._leave_out(extents.left_out)
        self._enter_extent(head, extents.lengths[0])

    def _enter_misread(self, enter: Callable[..., None], *told: object) -> None:
        enter(self, *told)
        self.misread = True

    def _enter_extent(self, head: RequestHead, extent: int) -> None:
        self.state = State.HEAD
        self.doubt = TUNNEL if self.switching else JUNK
        if extent == CHUNKED:
            self.state = State.CHUNK_SIZE
            self.odd_chunk = False
            self.head = head._replace(fields=needed(FieldLines(head.fields)), readings=())
        elif extent:
            self.state = State.BODY
            self.left = extent

    def _enter_no_body(self, at: int | None = None) -> None:
        if at is not None:
            self.at = self.scan = at
        self.state = State.NO_BODY

    def _fork(self, enter: Callable[..., None], *told: object) -> None:
        """The same way up to here goes on otherwise, if there is room for one more.

        What it counts has been counted by this one.
        """
        if len(self.forks) >= self.room or not self.credit:
            self._leave_out(1)
            return
        fork = cast(Self, object.__new__(type(self)))
        # copy.copy takes ten times as long, and a length of many values forks at every head
        for name in _slots(type(self)):
            setattr(fork, name, getattr(self, name))
        fork.counts, fork.heads, fork.forks, fork.origin, fork.shift = Counter(), [], [], self.at, 0
        fork.copied = None if self.copied is None else bytearray(self.copied)
        fork.why = self.why or FRAMING
        fork.left_out, fork.tell = 0, None
        enter(fork, *told)
        self.forks.append(fork)

    def _leave_out(self, ways: int) -> None:
        """So many ways do not part from this one that might."""
        if self.room >= 0 and ways:
            self.left_out += ways
            self.unread = True

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
        size = chunk_size(line)
        if size is None:
            size = chunk_size(line.partition(b"\r")[0])
            if size is not None:
                self._fork_at_cr(octets, first, octets.find(b"\r", i), min(size, ENDLESS))
            return self._break_chunks()
        if size >= ENDLESS or not line.endswith(b"\r") or b"\r" in line[:-1]:
            self._note_odd_chunk()
        self.at = self.scan = first + eol + 1
        for rest in wraps(size):
            self._fork(BodyReader._enter_misread, BodyReader._enter_chunk, rest)
        size = min(size, ENDLESS)
        if b";" in line:
            self._fork_at_line_ends(octets, first, i, eol, size)
        if not size and _begins_request(octets, eol + 1, eol + 1) is not False:  # some wait for no trailer section
            self._fork(BodyReader._enter_misread, BodyReader._enter_no_body)
        self._enter_chunk(size)
        return True

    def _fork_at_line_ends(self, octets: Octets, first: int, begin: int, eol: int, size: int) -> None:
        """Lines of a chunk's size end elsewhere to who takes CR alone for an end, and the octet behind it for LF; or to
        who takes an LF alone for a part of the extension (w4ke.info, "Funky chunks")."""
        if not octets.endswith(b"\r", begin, eol):
            end, is_far = octets.find(b"\r\n", eol, eol + WORDS_BYTES), len(octets) - eol >= WORDS_BYTES
            if _may_end_chunk(octets, end + 2, size) if end >= 0 else not is_far:
                self._fork(BodyReader._enter_misread, BodyReader._enter_extension, size)
        cr = octets.find(b"\r", begin, eol - 1)
        if cr >= 0:
            self._fork_at_cr(octets, first, cr, size)

    def _fork_at_cr(self, octets: Octets, first: int, cr: int, size: int) -> None:
        for place in (cr + 1, cr + 2):
            if size and _may_end_chunk(octets, place, size):
                self._fork(BodyReader._enter_misread, BodyReader._enter_chunk, size, first + place)
        if not size and octets[cr + 1 : cr + 2] == b"\r":  # the empty line
            self._fork(BodyReader._enter_misread, BodyReader._enter_no_body, first + cr + 2)

    def _enter_chunk(self, size: int, at: int | None = None) -> None:
        if at is not None:
            self.at = self.scan = at
        self.left = size
        self.state = State.CHUNK_DATA if size else State.MORE
        if not size:
            self.section = Section.TRAILER

    def _enter_extension(self, size: int) -> None:
        self.left, self.state = size, State.EXTENSION

    def _read_extension(self, octets: Octets, first: int) -> bool:
        """What is left of a chunk-size line that only CRLF ends."""
        i = self.at - first
        end = octets.find(b"\r\n", max(i, self.scan - first))
        if end < 0:
            self.scan = max(self.at, self.fed - 1)
            return len(octets) - i > LINE_BYTES and self._break_chunks()
        self._enter_chunk(self.left, first + end + 2)
        return True

    def _read_no_body(self, octets: Octets, first: int) -> bool:
        """Behind a head whose body may never come: the next request begins right here, or never."""
        begins = _begins_request(octets, self.at - first, max(self.at, self.scan) - first)
        self.scan = self.fed
        return begins is not None and self._turn(State.HEAD if begins else State.SEEK)

    def _end_chunk(self, octets: Octets, first: int) -> bool:
        i = self.at - first
        end = EMPTY_LINE.match(octets, i)
        if end is None:
            return octets[i:] != b"\r" and self._break_chunks()
        self.misread = False
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


def _begins_request(octets: Octets, at: int, scan: int) -> bool | None:
    """Whether a request line without an oddity stands there, the LF of which stands behind `scan`; None: perhaps."""
    eol = octets.find(b"\n", scan)
    if eol >= 0:
        line = surely_request_line(bytes(octets[at:eol]))
        return line is not None and not line.oddities and line.method.upper() in METHODS
    method, space, _ = bytes(octets[at : at + WORDS_BYTES]).partition(b" ")
    may_begin = method.upper() in METHODS if space else begins_method(method)
    return None if may_begin and len(octets) - at <= LINE_BYTES else False


def _may_end_chunk(octets: Octets, data: int, size: int) -> bool:
    """Whether a chunk of this size may end where its data would, as far as the octets are there."""
    return not size or octets[data + size : data + size + 2] in (b"", b"\r", b"\r\n") or octets[data + size] == 0x0A


@cache
def _slots(kind: type[BodyReader]) -> tuple[str, ...]:
    return tuple(name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
