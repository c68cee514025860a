"""Bodies: skipped by count or chunk by chunk (RFC 9112 sections 6 and 7), in every way that they can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping
from enum import Enum, auto
from functools import cache
from typing import Self, cast

from monitor.portable.body import CHUNKED, ENDLESS, Lengths, chunk_size, odd_chunk_size, wraps
from monitor.portable.credit import Credit
from monitor.portable.head_reader import BLANK, EMPTY_LINE, Octets, State, needed
from monitor.portable.holes import BROKEN, JUNK, LINE_BYTES, TUNNEL, HoleReader
from monitor.portable.request_head import METHODS, WORDS_BYTES, FieldLines, begins_method, surely_request_line
from monitor.records import Flow, Limits, RequestHead, Section

MOST_READINGS = 4
BLANK_BYTES = 64  # of empty lines behind a body that did not come
FRAMING = "framing"  # why a way parts from another: the body may end elsewhere


class Habit(Enum):
    """How a receiver reads chunks that are odd."""

    STRICT = auto()  # not at all
    TO_LINE_END = auto()  # what stands behind the data is passed over up to LF
    TWO = auto()  # any two octets end the data, and CRLF the line of a size
    CRLF = auto()  # nothing else ends the line of a size
    CRLF_BEHIND_EXTENSION = auto()  # nothing else ends one that has an extension
    CR = auto()  # alone ends it as well
    CR_AND_ANY = auto()  # with whatever stands behind it
    DIGITS = auto()  # a size is what its line begins with
    NUMBER = auto()  # a size is any number


class BodyReader(HoleReader):
    __slots__ = (
        "again", "bodies", "copied", "copied_from", "habit", "left_out", "lf_ends_data", "lf_ends_extension",
        "lf_ends_line", "misread", "odd_chunk", "refuses", "room", "searches", "shift", "unread", "until", "why",
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
        self.bodies = 0  # bytes of bodies so far
        self.again = 0  # so many that follow have been counted before, when the beginning was not known
        self.odd_chunk = False  # of this body
        self.habit = Habit.STRICT
        self.lf_ends_line = False  # of a size, in this body: who knows CRLF alone has parted there, or has closed
        self.lf_ends_extension = False  # so has who knows it alone behind an extension
        self.lf_ends_data = False  # of a chunk: so has who takes any two octets for CRLF
        self.forks: list[Self] = []
        self.room = -1  # for so many; below 0: none parts here, for nobody knows how long the body is
        self.left_out = 0  # more of them, for which there is no room
        self.unread = False  # somewhere before, a way was left out or given up: it may lead elsewhere for ever
        self.why: str | None = None  # an oddity; None: this is the first way
        self.copied: bytearray | None = None  # bytes that only this way has, from `copied_from` on
        self.copied_from = self.until = position  # all bytes from `until` on are those of the others
        self.shift = 0  # how much later its first head begins, since its copy is shorter
        self.misread = False  # this way counts to where a length ends that few read so
        self.refuses = False  # bodies that wait for 100 Continue do not come: one did not
        self.searches = False  # this way is no receiver's: that it finds nothing says nothing

    def _enter_body(self, head: RequestHead, extents: Lengths) -> None:
        self.misread = False
        self.habit = Habit.STRICT
        for extent in extents.lengths[1:]:
            self._fork(BodyReader._enter_extent, head, extent)
        for extent in extents.misread:
            self._fork(BodyReader._enter_misread, BodyReader._enter_extent, head, extent)
        if extents.may_stay_away and not self.refuses:
            self._fork(BodyReader._enter_refused)
        self._leave_out(extents.left_out)
        self._enter_extent(head, extents.lengths[0])
        if extents.may_stay_away and self.refuses:
            self.state = State.BODY_OR_NONE

    def _search_beside(self, extents: Lengths) -> None:
        if extents.lengths != (0,):
            self._fork(BodyReader._search_on)

    def _search_on(self) -> None:
        self.searches, self.refuses = True, False
        self.oddities = ()
        self._turn(State.SEEK)

    def _enter_misread(self, enter: Callable[..., None], *told: object) -> None:
        enter(self, *told)
        self.misread = True

    def _enter_extent(self, head: RequestHead, extent: int) -> None:
        self.state = State.HEAD
        self.doubt = TUNNEL if self.switching else JUNK
        if extent == CHUNKED:
            self.state = State.CHUNK_SIZE
            self.odd_chunk = self.lf_ends_extension = self.lf_ends_data = False
            self.lf_ends_line = "bare_lf" in head.oddities  # who knows CRLF alone did not read this head
            self.head = head._replace(fields=needed(FieldLines(head.fields)), readings=())
        elif extent:
            self.state = State.BODY
            self.left = extent

    def _enter_no_body(self, at: int | None = None) -> None:
        if at is not None:
            self.at = self.scan = at
        self.state, self.misread = State.NO_BODY, True

    def _enter_refused(self) -> None:
        self.refuses = not self.searches
        self._enter_no_body()

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
        self.credit.pay_part()

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
        cr = octets.find(b"\r", i, eol - 1)
        if cr >= 0 and self.habit in (Habit.CR, Habit.CR_AND_ANY):
            return self._end_at_cr(octets, first, cr)
        if size is None:
            digits, number = odd_chunk_size(line)
            size = {Habit.DIGITS: digits, Habit.NUMBER: number}.get(self.habit)
            if size is None:
                self._fork_at_no_size(octets, first, i, eol)
                return self._break_chunks()
        if size >= ENDLESS or not line.endswith(b"\r") or b"\r" in line[:-1]:
            self._note_odd_chunk()
        self.at = self.scan = first + eol + 1
        for rest in wraps(size) if self.habit is Habit.STRICT else ():
            self._fork(BodyReader._enter_misread, BodyReader._enter_chunk, rest)
        size = min(size, ENDLESS)
        if cr >= 0 and b";" in line:
            self._fork_at_cr(octets, first, i, size)
        if not line.endswith(b"\r") and self.habit is Habit.TWO:
            return self._break_chunks()
        if not line.endswith(b"\r") and self._ends_in_lf(octets, eol, size, b";" in line):
            return True
        if not size and begins_plain_request(octets, eol + 1, eol + 1) is not False:  # some wait for no trailer section
            self._fork(BodyReader._enter_no_body)
        self._enter_chunk(size)
        return True

    def _fork_at_no_size(self, octets: Octets, first: int, begin: int, eol: int) -> None:
        """This line is the size of a chunk to few."""
        line = bytes(octets[begin:eol])
        up_to_cr = chunk_size(line.partition(b"\r")[0])
        if up_to_cr is not None:
            self._fork_at_cr(octets, first, begin, min(up_to_cr, ENDLESS))
        digits, number = odd_chunk_size(line)
        for habit, size in ((Habit.DIGITS, digits), (Habit.NUMBER, None if number == digits else number)):
            may_be = size is not None and _may_end_chunk(octets, eol + 1, size) and (size or up_to_cr is None)
            if may_be and self.habit is Habit.STRICT:
                self._fork(BodyReader._enter_misread, BodyReader._enter_habit, habit)

    def _ends_in_lf(self, octets: Octets, eol: int, size: int, is_extended: bool) -> bool:
        """The line of a size ends with LF alone. Some read on up to CRLF (w4ke.info, "Funky chunks"), where there is an
        extension or in any case (cpp-httplib before its pull request 2585). Whether this way does."""
        if self.habit is Habit.CRLF or (is_extended and self.habit is Habit.CRLF_BEHIND_EXTENSION):
            self._enter_extension(size)
            return True
        is_new = not (self.lf_ends_extension if is_extended else self.lf_ends_line)
        if is_extended:
            self.lf_ends_extension = True
        else:
            self.lf_ends_line = True
            is_new = is_new and size > 0  # behind the last chunk this way reads all that the other one does
        end, is_far = octets.find(b"\r\n", eol, eol + WORDS_BYTES), len(octets) - eol >= WORDS_BYTES
        if is_new and (_may_end_chunk(octets, end + 2, size) if end >= 0 else not is_far):
            habit = Habit.CRLF_BEHIND_EXTENSION if is_extended else Habit.CRLF
            self._fork(BodyReader._enter_misread, BodyReader._enter_extension, size, habit)
        return False

    def _fork_at_cr(self, octets: Octets, first: int, begin: int, size: int) -> None:
        """The line of a size that begins there has a CR in it, which ends it to some."""
        if self.habit is not Habit.STRICT:
            return
        cr = octets.find(b"\r", begin)
        for habit, place in ((Habit.CR, cr + 1), (Habit.CR_AND_ANY, cr + 2)):
            is_end = octets[place : place + 1] == b"\r" and habit is Habit.CR  # the empty line
            if _may_end_chunk(octets, place, size) if size else is_end:
                self._fork(BodyReader._enter_misread, BodyReader._enter_line, first + begin, habit)

    def _end_at_cr(self, octets: Octets, first: int, cr: int) -> bool:
        """To who reads this way the line ends there."""
        size = chunk_size(bytes(octets[self.at - first : cr]))
        if size is None:
            return self._break_chunks()
        self._note_odd_chunk()
        self.at = self.scan = first + cr + (1 if self.habit is Habit.CR else 2)
        if size:
            self._enter_chunk(min(size, ENDLESS))
        elif octets[cr + 1 : cr + 2] == b"\r":  # the empty line
            self._enter_no_body(first + cr + 2)
        else:
            return self._break_chunks()
        return True

    def _enter_chunk(self, size: int, at: int | None = None) -> None:
        if at is not None:
            self.at = self.scan = at
        self.left = size
        self.state = State.CHUNK_DATA if size else State.MORE
        if not size:
            self.section = Section.TRAILER

    def _enter_extension(self, size: int, habit: Habit | None = None) -> None:
        self.left, self.state, self.habit = size, State.EXTENSION, habit or self.habit

    def _read_extension(self, octets: Octets, first: int) -> bool:
        """What is left of a chunk-size line that only CRLF ends."""
        i = self.at - first
        most = i - 1 + WORDS_BYTES
        end = octets.find(b"\r\n", max(i, self.scan - first), most)
        if end < 0:
            self.scan = max(self.at, self.fed - 1)
            return len(octets) >= most and self._break_chunks()
        self._enter_chunk(self.left, first + end + 2)
        return True

    def _read_no_body(self, octets: Octets, first: int) -> bool:
        """Behind a head whose body may never come: the next request begins right here, or never."""
        begins = self._next_begins(octets, first)
        return begins is not None and self._turn(State.HEAD if begins else State.SEEK)

    def _read_body_or_none(self, octets: Octets, first: int) -> bool:
        begins = self._next_begins(octets, first)
        if begins:
            return self._turn(State.HEAD)
        if begins is False:
            self.scan = self.at
            self.state = State.BODY if self.left else State.CHUNK_SIZE
        return begins is not None

    def _next_begins(self, octets: Octets, first: int) -> bool | None:
        """Whether a request begins here; of who refuses a body, behind empty lines as well (RFC 9112 section 2.2)."""
        at, scan = self.at - first, max(self.at, self.scan) - first
        self.scan = self.fed
        if self.refuses and (blank := BLANK.match(octets, at, at + BLANK_BYTES)):
            if blank.end() == at + BLANK_BYTES:
                return False
            at = blank.end()
        return begins_plain_request(octets, at, max(at, scan))

    def _end_chunk(self, octets: Octets, first: int) -> bool:
        """CRLF behind the data, or what a receiver takes for it: any two octets (uhttpd before its pull request 32), or
        all up to the end of the line (Pound before its pull request 43, eventlet); TERM.SPILL of "Funky chunks"."""
        if self.habit in (Habit.TO_LINE_END, Habit.TWO):
            return self._end_spill(octets, first)
        i = self.at - first
        end, is_strict = EMPTY_LINE.match(octets, i), self.habit is Habit.STRICT
        if end is None:
            if octets[i:] == b"\r":
                return False
            if is_strict:
                eol = octets.find(b"\n", i)
                if _may_be_size(octets, eol + 1) if eol >= 0 else len(octets) - i <= LINE_BYTES:
                    self._fork(BodyReader._enter_misread, BodyReader._enter_habit, Habit.TO_LINE_END)
                if _may_be_size(octets, i + 2, b"\r"):
                    self._fork(BodyReader._enter_misread, BodyReader._enter_habit, Habit.TWO)
            return self._break_chunks()
        if octets[i] == 0x0A and is_strict and not self.lf_ends_data:
            self.lf_ends_data = True
            if _may_be_size(octets, i + 2, b"\r"):
                self._fork(BodyReader._enter_misread, BodyReader._enter_habit, Habit.TWO)
        self.misread = False
        self.at = self.scan = first + end.end()
        self.state = State.CHUNK_SIZE
        return True

    def _enter_habit(self, habit: Habit) -> None:
        self.habit = habit

    def _enter_line(self, at: int, habit: Habit) -> None:
        self.at = self.scan = at
        self.habit = habit

    def _end_spill(self, octets: Octets, first: int) -> bool:
        """What this way takes for the end of a chunk."""
        i = self.at - first
        if self.habit is Habit.TWO:
            end = i + 2 if len(octets) >= i + 2 else -1
        else:
            end = octets.find(b"\n", max(i, self.scan - first)) + 1 or -1
        if end < 0:
            self.scan = self.fed
            return len(octets) - i > LINE_BYTES and self._break_chunks()
        self.misread = self.misread and octets[i:end] not in (b"\r\n", b"\n")
        self.at = self.scan = first + end
        self.state = State.CHUNK_SIZE
        return True

    def _break_chunks(self) -> bool:
        self.misread = self.misread or self.habit is not Habit.STRICT
        self._note_odd_chunk()
        return self._turn(State.SEEK, BROKEN)

    def _note_odd_chunk(self) -> None:
        """Once for a body: its head has been handed out already."""
        self.counts["oddities.chunk_odd"] += not self.odd_chunk
        self.odd_chunk = True


def begins_plain_request(octets: Octets, at: int, scan: int) -> bool | None:
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


def _may_be_size(octets: Octets, at: int, end: bytes = b"") -> bool:
    """Whether the line of a chunk's size stands there and ends so before its LF, as far as the octets are there."""
    line, lf, _ = bytes(octets[at : at + WORDS_BYTES]).partition(b"\n")
    if not lf and line in (b"", b"\r"):
        return True
    return chunk_size(line) is not None and (not lf or line.endswith(end))


@cache
def _slots(kind: type[BodyReader]) -> tuple[str, ...]:
    return tuple(name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
