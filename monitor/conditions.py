"""Verdicts in, what no single sighting shows out: a grant used for too many subscribers, and one that fell silent.

`over_volume`: more distinct subscribers in one day of the operator's time zone than max_subscribers_per_day. Counted
exactly up to EXACT of a grant, beyond that estimated by HyperLogLog (Flajolet et al. 2007) with 2^14 registers: 16
KiB a grant, standard error 1.04 / sqrt(2^14) = 0.8 %.

`missing_expected`: a grant with expect_every has handed over nothing for longer. Its clock runs only while requests
come in, at most a minute from one suspect head to the next, so neither a quiet night nor the hole between two
captures is taken for silence; what is missing then is the partner, not the traffic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from monitor.agreements import RuleBook, Terms
from monitor.verdicts import Outcome, Verdict

EXACT = 1024
REGISTER_BITS = 14
REGISTERS = 1 << REGISTER_BITS
LONGEST_STEP_NS = 60 * 10**9  # that the clock takes from one head to the next
LOOK_NS = 10**9  # between two looks at what is missing
MOST_EPISODES = 10_000


class Episode(NamedTuple):
    """One condition; it lasts while `until_ns` is None."""

    condition: str  # `over_volume` or `missing_expected`
    partner: str
    purpose: str
    grant: int  # in the partner's file, from 0
    since_ns: int
    until_ns: int | None
    subscribers: int = 0  # of over_volume, so far
    agreed: int = 0  # subscribers a day, or seconds


class Distinct:
    """How many different tokens, in bounded memory."""

    __slots__ = ("_few", "_registers")

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._registers: bytearray | None = None

    @property
    def is_exact(self) -> bool:
        return self._registers is None

    def add(self, token: str) -> None:
        """`token` is hexadecimal and uniform, for it is a keyed hash."""
        bits = int(token[:16], 16)
        if self._registers is None:
            self._few.add(bits)
            if len(self._few) <= EXACT:
                return
            self._registers = bytearray(REGISTERS)
            for each in self._few:
                _note(self._registers, each)
            self._few.clear()
        _note(self._registers, bits)

    def __len__(self) -> int:
        registers = self._registers
        if registers is None:
            return len(self._few)
        estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS**2 / sum(2.0**-rank for rank in registers)
        if estimate <= 2.5 * REGISTERS and (empty := registers.count(0)):
            estimate = REGISTERS * math.log(REGISTERS / empty)  # linear counting
        return round(estimate)


def _note(registers: bytearray, bits: int) -> None:
    place, rest = bits & (REGISTERS - 1), bits >> REGISTER_BITS
    registers[place] = max(registers[place], 64 - REGISTER_BITS - rest.bit_length() + 1)


class _Volume:
    """One day of one grant."""

    __slots__ = ("day", "distinct", "episode", "unlooked")

    def __init__(self, day: date) -> None:
        self.day = day
        self.distinct = Distinct()
        self.unlooked = 0  # subscribers since the last estimate, which costs a millisecond
        self.episode: int | None = None


class _Expected:
    __slots__ = ("episode", "last_clock_ns", "last_ns")

    def __init__(self, clock_ns: int, time_ns: int) -> None:
        self.last_clock_ns, self.last_ns = clock_ns, time_ns
        self.episode: int | None = None


class Conditions:
    def __init__(self, book: RuleBook) -> None:
        self.episodes: list[Episode] = []
        self._clock_ns = self._due_ns = 0
        self._time_ns: int | None = None
        self._day: tuple[int, int, date] = (0, 0, date.min)
        self.adopt(book)

    def adopt(self, book: RuleBook) -> None:
        """New rules: all grants are looked at from now on; what was found stays."""
        self._book = book
        self._volumes: dict[int, _Volume] = {}
        self._expected: dict[int, _Expected] = {}
        self._awaited = [terms for terms in book.terms if terms.grant.expect_every]

    def tick(self, time_ns: int) -> None:
        """A head came in, whatever is in it."""
        if self._time_ns is None:
            self._time_ns = time_ns
        elif time_ns > self._time_ns:
            self._clock_ns += min(time_ns - self._time_ns, LONGEST_STEP_NS)
            self._time_ns = time_ns
            if self._clock_ns >= self._due_ns:
                self._due_ns = self._clock_ns + LOOK_NS
                for terms in self._awaited:
                    self._look(terms, time_ns)

    def feed(self, verdict: Verdict, token: str) -> None:
        """A sink: only what an agreement allowed is used by it."""
        if verdict.outcome is not Outcome.ALLOWED:
            return
        terms, time_ns = self._book.terms[verdict.grant], verdict.sighting.head.time_ns
        if terms.grant.max_subscribers_per_day:
            self._count(terms, token, time_ns)
        if terms.grant.expect_every:
            known = self._expected.get(terms.order)
            if known is None:
                self._expected[terms.order] = _Expected(self._clock_ns, time_ns)
            else:
                self._came(known, time_ns)

    def possible(self) -> dict[str, list[tuple[str, str]]]:
        """Partner and purpose of every grant that a condition could be true of."""
        named = [(terms.partner, terms.grant.purpose, terms.grant) for terms in self._book.terms]
        return {
            "over_volume": [(partner, purpose) for partner, purpose, grant in named if grant.max_subscribers_per_day],
            "missing_expected": [(partner, purpose) for partner, purpose, grant in named if grant.expect_every],
        }

    def _came(self, known: _Expected, time_ns: int) -> None:
        """What was expected came, or is expected no more."""
        if known.episode is not None:
            self.episodes[known.episode] = self.episodes[known.episode]._replace(until_ns=time_ns)
            known.episode = None
        known.last_clock_ns, known.last_ns = self._clock_ns, max(known.last_ns, time_ns)

    def lasting(self, condition: str) -> Iterator[tuple[str, str]]:
        """Partner and purpose of each that lasts."""
        for episode in self.episodes:
            if episode.condition == condition and episode.until_ns is None and not self._is_over(episode):
                yield episode.partner, episode.purpose

    def _is_over(self, episode: Episode) -> bool:
        """A day that has ended."""
        return (
            episode.condition == "over_volume"
            and self._time_ns is not None
            and (self._date(episode.since_ns) != self._date(self._time_ns))
        )

    def _look(self, terms: Terms, time_ns: int) -> None:
        known = self._expected.get(terms.order)
        if known is None:
            known = self._expected[terms.order] = _Expected(self._clock_ns, time_ns)
        if not terms.from_ns <= time_ns < terms.until_ns:
            self._came(known, time_ns)  # nothing is expected now
            return
        seconds = terms.grant.expect_every or 0
        if known.episode is None and self._clock_ns - known.last_clock_ns > seconds * 10**9:
            known.episode = self._begin("missing_expected", terms, known.last_ns, agreed=seconds)

    def _count(self, terms: Terms, token: str, time_ns: int) -> None:
        day, most = self._date(time_ns), terms.grant.max_subscribers_per_day or 0
        volume = self._volumes.get(terms.order)
        if volume is None or volume.day < day:
            volume = self._volumes[terms.order] = _Volume(day)
        elif day < volume.day:
            return  # of a day that is over
        volume.distinct.add(token)
        volume.unlooked += 1
        if not volume.distinct.is_exact and volume.unlooked * 100 < most:  # a look for each hundredth of what is agreed
            return
        volume.unlooked, subscribers = 0, len(volume.distinct)
        if subscribers > most:
            if volume.episode is None:
                volume.episode = self._begin("over_volume", terms, time_ns, agreed=most)
            if volume.episode is not None:
                self.episodes[volume.episode] = self.episodes[volume.episode]._replace(subscribers=subscribers)

    def _begin(self, condition: str, terms: Terms, since_ns: int, agreed: int) -> int | None:
        if len(self.episodes) >= MOST_EPISODES:
            return None
        self.episodes.append(
            Episode(condition, terms.partner, terms.grant.purpose, terms.position, since_ns, None, agreed=agreed)
        )
        return len(self.episodes) - 1

    def _date(self, time_ns: int) -> date:
        """The day in the operator's time zone; one look-up while it lasts."""
        begin, end, day = self._day
        if not begin <= time_ns < end:
            zone = self._book.network.time_zone
            day = datetime.fromtimestamp(time_ns // 10**9, zone).date()
            midnight = datetime.combine(day, time.min)
            self._day = self._book.time_ns(midnight), self._book.time_ns(midnight + timedelta(days=1)), day
        return day
