"""Do the books balance? Takes what an engine traced, yields what became of every number that a plain scan sees.

The shadow scan knows nothing of connections: it looks at each payload and at each frame that became none, by itself,
for own numbers written plainly. Each of these candidates has one fate, and

    candidates = confirmed + ambiguous + rejected{reason} + gap{reason} + shed{bound} + unaccounted

where `unaccounted` must be 0: a number that was on the wire and that nobody can say anything about. A number that a
segment's edge cuts is no candidate, though it may be found.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from monitor.counts import LOOKS, REJECTED
from monitor.identify import Identify
from monitor.identify.numbers import OwnNumbers
from monitor.records import Batch, Carried, Certainty, Fate, RequestHead, Stretch
from monitor.verdicts import NumberPlan

Kind = Literal["confirmed", "ambiguous", "rejected", "gap", "shed", "unaccounted"]
_DIGITS = re.compile(rb"(?<![0-9])[0-9]{7,18}(?![0-9])")

MOST_STRETCHES, MOST_WAITING = 8192, 65536  # of one reading
SETTLED_AT_ONCE = 64
WEAK = frozenset(("midstream", "not_http", "frames"))  # what bytes are, unless more is said of them

FATES: dict[str, Kind] = {
    "confirmed": "confirmed",
    "ambiguous": "ambiguous",
    # seen, but in no request head that a receiver accepts
    **dict.fromkeys(REJECTED, "rejected"),
    **dict.fromkeys(LOOKS, "rejected"),  # a half-stream that is no client's
    "body": "rejected",
    "frames": "rejected",  # of HTTP/2, neither a head nor a body
    "not_http": "rejected",  # between requests, or before the first
    "duplicate": "rejected",
    "twin": "rejected",  # the same head, mirrored before and after a gateway
    "reset": "rejected",  # the text of an RST
    "not_identified": "rejected",  # in a head, but what stands around it says that it is something else
    "not_ip": "rejected",
    "not_tcp": "rejected",
    "tunnel_control": "rejected",
    "malformed": "rejected",
    # the sensor knows that it could not look
    "gap": "gap",
    "midstream": "gap",
    "snaplen": "gap",
    "head_incomplete": "gap",
    "fragments": "gap",
    "truncated": "gap",
    "encrypted": "gap",
    "unknown_tunnel": "gap",
    "unknown_link": "gap",
    "depth": "gap",
    "panic": "gap",  # a mistake of ours in one connection
    # work that was dropped at a bound
    "copies": "shed",
    "hold": "shed",
    "head_bytes": "shed",
    "readings": "shed",  # a way to read the bytes in which they may be a head
    "stretches": "shed",  # of this audit
    "": "unaccounted",  # taken by a reading that never ended
}


class Candidate(NamedTuple):
    digits: str  # E.164; in here only
    place: int  # in the payload
    size: int

    def __repr__(self) -> str:
        return f"Candidate(place={self.place}, size={self.size})"


class Waiting(NamedTuple):
    position: int  # in the reading
    candidate: Candidate
    late: bool  # what stood there is not kept any more

    @property
    def stop(self) -> int:
        return self.position + self.candidate.size


class Reading:
    """What one client's reading made of its bytes, until it ends."""

    def __init__(self) -> None:
        self.stretches: list[tuple[int, int, str, dict[str, Certainty]]] = []
        self.waiting: list[Waiting] = []
        self.forgotten: int | None = None  # stretches that end before this position are not kept
        self.due = SETTLED_AT_ONCE  # so many of both, and it is worth while to look what is settled
        self.shed = False  # stretches that may be needed were dropped


class Audit:
    """`plan` says which numbers are looked for, `identify` finds them in heads.

    Feed it every batch of an engine that was opened with Watch.audited.
    """

    def __init__(self, plan: NumberPlan, identify: Identify) -> None:
        self.adopt(plan, identify)
        self._new: dict[int, list[Candidate]] = {}  # by payload
        self._fates: dict[int, Fate] = {}
        self._readings: dict[int, Reading] = defaultdict(Reading)
        self.candidates = 0  # so far; those of connections that go on have no fate yet
        self.sightings = 0  # that identify makes of the heads as the engine read them, the sieve apart
        self.fates: Counter[str] = Counter()
        self._lost = 0

    def adopt(self, plan: NumberPlan, identify: Identify) -> None:
        """Looks for these numbers from now on."""
        self._plan, self._identify = plan, identify
        self._own = OwnNumbers(plan)

    def feed(self, batch: Batch) -> None:
        for step in batch.trace:
            if isinstance(step, Carried):
                self._place()  # of the one before all is said
                self._scan(step)
            elif isinstance(step, Fate):
                if step.number in self._new:
                    self._fates[step.number] = step
            else:
                self._stretch(step)
        self._place()
        self._lost += sum(map(len, self._new.values()))  # of what is left nobody said anything
        self._new.clear()
        if batch.done:
            for reading in list(self._readings):
                self._close(reading)

    @property
    def unaccounted(self) -> int:
        """Candidates of which nobody said anything."""
        return self._lost + self.fates[""]

    def books(self) -> dict[str, object]:
        """The law above as a mapping: candidates, and how many of them came to which end."""
        by_kind: dict[str, dict[str, int]] = {"rejected": {}, "gap": {}, "shed": {}}
        for what, amount in sorted(self.fates.items()):
            if amount and (kind := FATES[what]) in by_kind:
                by_kind[kind][str(what)] = amount
        return {
            "candidates": self.candidates,
            "confirmed": self.fates["confirmed"],
            "ambiguous": self.fates["ambiguous"],
            **by_kind,
            "unaccounted": self.unaccounted,
        }

    def _scan(self, carried: Carried) -> None:
        found = list(self._candidates(carried.octets))
        self.candidates += len(found)
        if not carried.number:
            self.fates[carried.skipped] += len(found)
        elif found:
            self._new[carried.number] = found

    def _candidates(self, octets: bytes) -> Iterable[Candidate]:
        for run in _DIGITS.finditer(octets):
            digits = run[0].decode()
            spellings = [digits, digits.removeprefix(self._plan.international_prefix or " ")]
            if self._plan.trunk_prefix and digits.startswith(self._plan.trunk_prefix):
                spellings.append(self._plan.country + digits[len(self._plan.trunk_prefix) :])
            for spelling in spellings:
                if self._own.has_msisdn(spelling):
                    yield Candidate(spelling, run.start(), len(digits))
                    break

    def _place(self, ended: int | None = None) -> None:
        """Each new candidate goes to the reading that took its payload, or has its end here.

        When only one reading has `ended`, of the other payloads something may still be said.
        """
        fates = {number: fate for number, fate in self._fates.items() if ended in (None, fate.reading)}
        for number, fate in fates.items():
            del self._fates[number]
            found = self._new.pop(number)
            if fate.what == "taken":
                reading = self._readings[fate.reading]
                for each in found:
                    position = fate.position + each.place
                    late = reading.forgotten is not None and position < reading.forgotten
                    reading.waiting.append(Waiting(position, each, late))
                if len(reading.waiting) > MOST_WAITING:
                    self._shed(reading)
            else:
                self.fates[fate.what] += len(found)

    def _stretch(self, step: Stretch) -> None:
        reading = self._readings[step.reading]
        if step.what == "end":
            self._place(step.reading)
            self._close(step.reading, stop=step.stop)
            return
        if step.what == "settled":
            if len(reading.stretches) + len(reading.waiting) > reading.due:
                self._settle(reading, step.stop)
            return
        shown: dict[str, Certainty] = {}
        if step.head is not None:
            shown = self._shown(step.head)
        start = step.start
        if reading.stretches and not shown and step.what != "head":
            begin, stop, what, _ = reading.stretches[-1]
            if (stop, what) == (start, step.what):
                start = begin
                del reading.stretches[-1]
        reading.stretches.append((start, step.stop, step.what, shown))
        if len(reading.stretches) > MOST_STRETCHES:
            self._place()
            self._shed(reading)

    def _shown(self, head: RequestHead) -> dict[str, Certainty]:
        shown: dict[str, Certainty] = {}
        for sighting in self._identify.feed(head):
            self.sightings += 1
            digits = sighting.number.digits
            if shown.get(digits) is not Certainty.CONFIRMED:
                shown[digits] = sighting.certainty
        return shown

    def _settle(self, reading: Reading, stop: int) -> None:
        """Before this position nothing more will be said: a connection that lasts is not kept in memory."""
        waiting, reading.waiting = reading.waiting, []
        for each in waiting:
            if each.stop <= stop:
                self.fates[self._fate(reading, each)] += 1
            else:
                reading.waiting.append(each)
        reading.stretches = [stretch for stretch in reading.stretches if stretch[1] > stop]
        reading.forgotten = stop if reading.forgotten is None else max(reading.forgotten, stop)
        reading.due = 2 * (len(reading.stretches) + len(reading.waiting)) + SETTLED_AT_ONCE

    def _shed(self, reading: Reading) -> None:
        """Too much of one reading that is not settled: from here on not all that is known of it is."""
        reading.shed = True
        waiting, reading.waiting = reading.waiting, []
        for each in waiting:
            self.fates[self._fate(reading, each)] += 1
        reading.stretches = []

    def _close(self, number: int, stop: int | None = None) -> None:
        """The reading has ended, before position `stop`; what is behind it was never in order."""
        reading = self._readings.pop(number)
        for each in reading.waiting:
            what = self._fate(reading, each)
            self.fates[what or ("gap" if stop is not None and each.position >= stop else "")] += 1

    def _fate(self, reading: Reading, waiting: Waiting) -> str:
        position, candidate, late = waiting
        last = waiting.stop
        over = [(what, shown) for start, end, what, shown in reading.stretches if start < last and position < end]
        certainties = {shown[candidate.digits] for _, shown in over if candidate.digits in shown}
        if certainties:
            return Certainty.CONFIRMED if Certainty.CONFIRMED in certainties else Certainty.AMBIGUOUS
        said = dict.fromkeys(what for what, _ in over)
        for what in said:
            if what != "head" and what not in WEAK:
                return what
        if "head" in said:
            return "not_identified"
        for what in said:
            return what
        return "copies" if late else "stretches" if reading.shed else ""
