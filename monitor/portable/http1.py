"""HTTP/1 as a client sends it (RFC 9112): takes the bytes of one half-stream in order, yields its request heads.

Where two receivers would end a body at different places, the tail is read in every way at once: a Reading for each. A
head that only some of them find is ambiguous (`framing`). Readings that come to the same place are one again.

The caller keeps the bytes from `start` on and shows them again together with what follows.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from monitor.portable.head_reader import HOPELESS_BYTES, Octets, State
from monitor.portable.reading import Reading
from monitor.records import Certainty, Fields, Flow, Gap, Limits, PlacedHead, RequestHead

MOST_READINGS = 4
IN_BODY = (State.BODY, State.CHUNK_DATA)


class Http1:
    __slots__ = ("_readings",)

    def __init__(
        self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int, midstream: bool = False
    ) -> None:
        self._readings = [Reading(limits, counts, flow, position, midstream)]

    @property
    def start(self) -> int:
        """The position from which on the caller must keep the bytes."""
        return min([reading.at for reading in self._readings])

    @property
    def idle(self) -> bool:
        """Whether a request ended here and nothing of another one was seen."""
        reading = self._readings[0]
        return reading.spoke and reading.state is State.HEAD and reading.at == reading.fed

    def skips(self, size: int) -> bool:
        """Whether the next `size` bytes are part of a body to every reading."""
        return all(reading.left >= size and reading.state in IN_BODY for reading in self._readings)

    @property
    def hopeless(self) -> bool:
        """Whether this is no HTTP: much was read, and no request."""
        reading = self._readings[0]
        return reading.state is State.SEEK and not reading.spoke and reading.fed - reading.sought > HOPELESS_BYTES

    @property
    def over(self) -> bool:
        """Whether HTTP/2 begins at `start`, with the second half of its preface."""
        return self._readings[0].state is State.OVER

    def feed(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]:
        """`octets` are everything from position `first` on that is kept; what is new in them is one segment."""
        reading = self._readings[0]
        heads = reading.run(octets, first, time_ns)
        if len(self._readings) == 1 and not reading.forks:
            return heads
        found = [(reading.origin, heads)]
        readings = self._readings
        for at, other in enumerate(readings):  # the list grows while ways part
            if at:
                found.append((other.origin, other.run(octets, first, time_ns)))
            readings += other.forks[: MOST_READINGS - len(readings)]
            other.forks = []
        return self._merged(found)

    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]:
        """Bytes are missing behind `octets`."""
        return self._merged([(each.origin, each.gap(octets, first, gap)) for each in self._readings])

    def finish(self, octets: Octets, first: int) -> list[PlacedHead]:
        """Nothing follows behind `octets`."""
        return self._merged([(each.origin, each.finish(octets, first)) for each in self._readings])

    def _merged(self, found: list[tuple[int, list[PlacedHead]]]) -> list[PlacedHead]:
        """What the readings found, each head once; `found` has the position from which each of them went its way."""
        readings: dict[tuple[State, int, int], Reading] = {}
        for each in self._readings:
            readings.setdefault(each.place, each)
        self._readings = list(readings.values())
        if len(found) == 1:
            return found[0][1]
        votes: dict[tuple[int, int, Fields], list[PlacedHead]] = {}
        for _, heads in found:
            for placed in heads:
                votes.setdefault((placed.start, placed.end, placed.head.fields), []).append(placed)
        merged = []
        for same in sorted(votes.values(), key=lambda same: same[0][:2]):
            placed = same[0]
            agreed = len(same) >= sum(origin <= placed.start for origin, _ in found)
            merged.append(placed if agreed else placed._replace(head=_doubted(placed.head)))
        return merged


def _doubted(head: RequestHead) -> RequestHead:
    oddities = dict.fromkeys((*head.oddities, "framing"))
    return head._replace(oddities=tuple(oddities), certainty=Certainty.AMBIGUOUS)
