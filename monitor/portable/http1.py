"""HTTP as a client sends it (RFC 9112, and RFC 9113 from its preface on): the bytes of one half-stream in order, yields
its request heads.

Where two receivers would read on differently, because they end a body at different places or because they took
different copies of the same bytes, the tail is read in every way at once: a Reading for each. A head that only some of
them find is ambiguous (`framing`, `overlap`, `urgent`). Readings that come to the same place are one again.

The caller keeps the bytes from `start` on and shows them again together with what follows.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import NamedTuple

from monitor.portable.bodies import FRAMING, MOST_READINGS
from monitor.portable.credit import Credit
from monitor.portable.head_reader import Octets, State
from monitor.portable.http2 import Http2
from monitor.portable.reading import Reading
from monitor.portable.trace import Tell
from monitor.records import Certainty, Fields, Flow, Gap, Limits, PlacedHead, RequestHead

FRAMES_BYTES = 16 * 1024  # that one takes in the native engine to read HTTP/2, with its tables, in round figures

Found = list[tuple[Reading, list[PlacedHead]]]


class Start(NamedTuple):
    """Where reading can begin again since the first way has come to HTTP/2: before its preface, or amid its frames."""

    position: int
    frames: Http2 | None  # what was read up to there
    weight: int = 0  # bytes of memory, about


class Http1:
    __slots__ = ("_compared", "_counts", "_credit", "_readings", "_starts", "_weight")

    def __init__(
        self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int, midstream: bool = False
    ) -> None:
        self._counts = counts
        self._credit = Credit()
        self._readings = [Reading(limits, counts, flow, position, self._credit, midstream)]
        self._weight = 0  # of all of `_starts`
        self._starts: list[Start] = []  # in order; what they take is in proportion to the bytes that are kept for them
        self._compared = position  # before which readings of HTTP/2 are not compared again: that takes time

    def tell_to(self, tell: Tell) -> None:
        """Says to it what becomes of bytes that are in no head."""
        self._readings[0].tell = tell

    @property
    def unsettled(self) -> int:
        """Before this position stands no head that is not handed out yet."""
        return min([reading.unsettled for reading in self._readings])

    def expect_frames(self) -> None:
        """These are bytes of HTTP/2, from its middle perhaps."""
        self._readings[0].expect_frames()

    @property
    def framed(self) -> bool:
        """Whether the first way has come to HTTP/2."""
        return self._readings[0].state is State.FRAMES

    @property
    def asks(self) -> bool:
        """Whether that was a client's, whatever its field blocks say."""
        return self._readings[0].asks

    @property
    def weight(self) -> int:
        """Bytes of memory, about, that HTTP/2 takes besides."""
        framed = [each.frames for each in self._readings if each.frames is not None]
        return sum([FRAMES_BYTES + frames.tunnels_weight for frames in framed]) + self._weight

    @property
    def start(self) -> int:
        """The position from which on the caller must keep the bytes."""
        return min([reading.at for reading in self._readings])

    def distrust(self) -> None:
        """Something else stood before: only what surely is a request line begins one, and even that is in doubt."""
        self._readings[0].distrust()

    def enter_tunnel(self) -> None:
        """These are octets of a stream of CONNECT."""
        self._readings[0].enter_tunnel()

    @property
    def bodies(self) -> int:
        """Bytes of bodies that are counted."""
        return self._readings[0].bodies + self._readings[0].again

    def begin_anew(self, bodies: int) -> None:
        """These bytes are read again, from before what was thought to be the beginning: so many are counted."""
        self._readings[0].again = bodies

    @property
    def idle(self) -> bool:
        """Whether a request ended here and nothing of another one was seen."""
        reading = self._readings[0]
        return reading.spoke and reading.state is State.HEAD and reading.at == reading.fed

    def skips(self, size: int) -> bool:
        """Whether the next `size` bytes are part of a body to every reading."""
        return all(reading.skips(size) for reading in self._readings)

    @property
    def hopeless(self) -> bool:
        """Whether this is no HTTP: much was read, and no request."""
        return all(reading.hopeless for reading in self._readings)

    def keep(self, position: int) -> int:
        """From where on bytes are to be kept, so that reading can begin again with what stands at `position`."""
        while len(self._starts) > 1 and self._starts[1].position <= position:
            self._weight -= self._starts.pop(0).weight
        return min(position, self._starts[0].position) if self._starts else position

    def feed(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]:
        """`octets` are everything from position `first` on that is kept; what is new in them is one segment."""
        reading = self._readings[0]
        self._note_start()
        was_framed = reading.frames is not None
        self._credit.earn(max(0, first + len(octets) - reading.fed))
        reading.room = MOST_READINGS - len(self._readings)
        reading.known = {}
        heads = reading.run(octets, first, time_ns)
        if was_framed and reading.frames is None:
            self._forget_starts()
        elif reading.frames is not None and not was_framed:
            self._starts.append(Start(reading.frames.origin, None))
        self._take_in(self._readings, reading)
        if len(self._readings) == 1:
            return heads
        found: Found = [(reading, heads)]
        readings = self._readings
        for at, other in enumerate(readings):  # the list grows while ways part
            if at:
                other.room = MOST_READINGS - len(readings)
                other.known, other.finder = reading.known, at
                heads = other.read_on(octets, first, time_ns)
                if other.joined:  # it reads the same octets
                    finder, joined_at = other.joined
                    heads += [placed for placed in found[finder][1] if placed.start >= joined_at]
                found.append((other, heads))
                self._take_in(readings, other)
        self._readings = [each for each in readings if each.joined is None]
        merged = self._merged(found)
        if not self._credit:
            self._give_up(self._readings[1:])
        return merged

    def starts(self, position: int, heads: list[int], kept_from: int) -> list[Start]:
        """Where to begin to read again what stands at `position`; `heads` of HTTP/1 begin before it."""
        amid = [start for start in self._starts if start.position <= position][-1:]
        frames = self._readings[0].frames
        if not amid or frames is None:
            return [Start(max([kept_from, *heads]), None)]
        return amid + [Start(head, None) for head in sorted(heads)[-1:] if head > frames.origin]

    def reread(self, octets: bytearray, start: Start, until: int, why: str, time_ns: int) -> list[PlacedHead]:
        """Another copy of the bytes before `until`, in `octets` with all that is kept from `start` on.

        Reads it up to now and goes on with it beside the rest. Yields its heads, whether or not others found them.
        """
        others = [self._readings[0].beside(octets, start.position, until, why, start.frames)]
        heads: dict[tuple[int, int, bytes, Fields], PlacedHead] = {}
        for other in others:  # the list grows while ways part
            other.room = MOST_READINGS - len(others)
            for placed in other.read_on(b"", other.fed, time_ns):
                heads.setdefault(_key(placed), placed._replace(why=why))
            self._take_in(others, other)
        for other in others:
            if any(other.is_beside(reading) for reading in self._readings):
                continue
            if len(self._readings) == MOST_READINGS or not self._credit:
                self._give_up([other])
            else:
                self._readings.append(other)
        return sorted(heads.values(), key=lambda placed: placed[:2])

    def supersede(self, until: int, why: str) -> None:
        """The copy that ended there goes on: what was read of it so far is not gone on with."""
        first, *others = self._readings
        self._readings = [first, *(each for each in others if each.why != why or each.until != until)]

    def _take_in(self, readings: list[Reading], parted: Reading) -> None:
        """The ways that part from this one go on beside it, as far as there was room."""
        if parted.forks or parted.left_out:
            readings += parted.forks
            self._counts["shed.readings"] += parted.left_out
            self._readings[0].unread |= parted.unread
            parted.forks, parted.left_out = [], 0

    def _give_up(self, ways: list[Reading]) -> None:
        """These are not read on."""
        self._counts["shed.readings"] += len(ways)
        self._readings[0].unread |= bool(ways)
        self._readings = [each for each in self._readings if each not in ways]

    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]:
        """Bytes are missing behind `octets`."""
        merged = self._merged([(each, each.gap(*each.sees(octets, first), gap)) for each in self._readings])
        self._forget_starts()
        self._note_start()
        return merged

    @property
    def amid_head(self) -> bool:
        """Whether some lines of a head were read and its end was not."""
        return any(reading.amid_head for reading in self._readings)

    def part(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Perhaps nothing follows behind `octets`."""
        return self._merged([(each, each.part(*each.sees(octets, first))) for each in self._readings])

    def finish(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Nothing follows behind `octets`."""
        return self._merged([(each, each.finish(*each.sees(octets, first))) for each in self._readings])

    def _merged(self, found: Found) -> list[PlacedHead]:
        """What the readings found, each head once."""
        self._unite()
        if len(found) == 1:
            return found[0][1]
        votes: dict[tuple[int, int, bytes, Fields], list[tuple[Reading, PlacedHead]]] = {}
        for reading, heads in found:
            for placed in heads:
                votes.setdefault(_key(placed), []).append((reading, placed))
        merged = []
        for same in sorted(votes.values(), key=lambda same: same[0][1][:2]):
            finders = [reading for reading, _ in same]
            merged.append(self._judged(same[0][1], finders, found))
        return merged

    def _judged(self, placed: PlacedHead, finders: list[Reading], found: Found) -> PlacedHead:
        """A head that these readings found. Where others found none it is in doubt; where a copy has another one at
        the same place, both are ways to read one head."""
        of_copy = any(finder.why not in (None, FRAMING) for finder in finders)
        silent = []
        for reading, heads in found:
            if reading.origin > placed.start or reading.says_nothing or any(reading is finder for finder in finders):
                continue
            if (of_copy or reading.why not in (None, FRAMING)) and any(each.start == placed.start for each in heads):
                continue
            silent.append(reading)
        first = found[0][0]
        is_first = finders[0] is first
        if not is_first:
            placed = placed._replace(why=next((each.why for each in finders if each.why not in (None, FRAMING)), ""))
        if not silent:
            return placed
        reasons = [each.why or FRAMING for each in (silent if is_first else finders)]
        return placed._replace(head=doubted(placed.head, *reasons))

    def _unite(self) -> None:
        """Readings of one place go on alike."""
        first, *others = self._readings
        if others:
            others = [each for each in others if not each.is_refuted]
            is_due = first.fed >= self._compared
            if is_due:
                weights = [each.frames.weight for each in others if each.frames is not None]
                self._compared = first.fed + max(weights, default=0)
            self._readings = [first]
            for each in others:
                if (each.frames is not None and not is_due) or not any(map(each.is_beside, self._readings)):
                    self._readings.append(each)

    def _forget_starts(self) -> None:
        self._starts.clear()
        self._weight = 0

    def _note_start(self) -> None:
        """Reading can begin again here, if the first way is amid HTTP/2 and enough came since the last such place."""
        first = self._readings[0]
        if (frames := first.frames) is not None:
            last = self._starts[-1].position if self._starts else first.fed - frames.weight
            if first.fed - last >= frames.weight:
                self._starts.append(Start(first.fed, frames.beside(first.fed), frames.weight))
                self._weight += frames.weight


def _key(placed: PlacedHead) -> tuple[int, int, bytes, Fields]:
    """Heads of one key are the same head."""
    return placed.start, placed.end, placed.head.target, placed.head.fields


def doubted(head: RequestHead, *why: str) -> RequestHead:
    """A head that not every receiver sees."""
    oddities = dict.fromkeys((*head.oddities, *why))
    return head._replace(oddities=tuple(oddities), certainty=Certainty.AMBIGUOUS)
