"""Verdicts in, numbers for people and for Prometheus out: plain dictionaries, read at scrape time and at the end.

A prometheus-client counter costs microseconds a step and keeps what it was given for ever; a dictionary entry costs a
tenth of one, and each of these has a bound, because in a leak every website is a recipient and a hostile handset can
name as many as it likes. Nothing here is a number in the clear: subscribers are tokens.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict

from monitor import __version__, counts
from monitor.conditions import Conditions, Episode
from monitor.records import Batch
from monitor.redact import mask_name
from monitor.report.text import rfc3339
from monitor.verdicts import Amount, Kind, Outcome, Verdicts

if TYPE_CHECKING:
    from monitor.subscribers import Feed

ALLOWED = Outcome.ALLOWED  # a member is looked up in its enumeration at every mention
MOST_RECIPIENTS = 100_000
MOST_SUBSCRIBERS = 1_000_000
MOST_SIGHTING_SERIES = 1_000
LONGEST_NAME = 255  # bytes of a host name (RFC 1035 section 2.3.4); a longer Host is not worth its memory
LATENCY_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0)

VerdictSeries = tuple[str, str, str, str]  # partner, purpose, outcome, certainty


class Summary(TypedDict):
    """The last line of a replay; `outcomes`, `blind`, `shed`, `opaque` and `skipped` hold their whole closed list."""

    type: str
    version: str
    engine: str
    rules: str  # SHA-256 of the rule files
    frames: int
    requests: int
    requests_with_identifier: int
    requests_with_violation: int
    sightings: int  # judged; the sum of `outcomes`
    foreign: int  # outside the operator's ranges: not judged
    violations: int
    outcomes: dict[str, int]
    subscribers: int  # distinct, in violations
    recipients: int  # distinct, of violations
    since: str | None  # first and last violation, capture clock
    until: str | None
    blind: dict[str, int]
    shed: dict[str, int]
    opaque: dict[str, int]
    skipped: dict[str, int]  # frames that became no segment of TCP
    lost: NotRequired[float]  # share of the TCP payload that never came, estimated; only where something is missing
    conditions: list[dict[str, object]]  # over_volume and missing_expected, as they came
    audit: NotRequired[dict[str, object]]  # what became of each number that a plain scan saw, where that was asked for
    faults: list[str]  # sources that were cut or could not be read
    stopped: bool  # before the end of the input


class Books(Protocol):
    """audit.Audit"""

    candidates: int

    @property
    def unaccounted(self) -> int: ...
    def books(self) -> dict[str, object]: ...


class Tallies:
    """`series` are the verdicts that the rules can produce, `fields` the names that may be a label value."""

    def __init__(self, series: Iterable[VerdictSeries], fields: frozenset[str]) -> None:
        self.counts: Mapping[str, int] = counts.zeros()
        self.verdicts: dict[VerdictSeries, int] = {}
        self.sightings: dict[tuple[str, ...], int] = {}
        self.outcomes: dict[str, int] = dict.fromkeys(Outcome, 0)
        self.foreign = 0
        self.conditions: Conditions | None = None  # what no single sighting shows
        self.subscriber_feed: Feed | None = None  # who holds which address, where somebody tells
        self.audit: Books | None = None  # while the books are kept
        self.requests_with_identifier = 0
        self.contested_requests = 0
        self.candidates = 0  # fields that may hold an unknown identifier
        self.requests_with_violation = 0
        self.recipients: set[str] = set()
        self.subscribers: set[str] = set()
        self.series_dropped = 0
        self.first_ns: dict[str, int] = {}  # by outcome, where there was one
        self.last_ns: dict[str, int] = {outcome: 0 for outcome in Outcome if outcome is not Outcome.ALLOWED}
        self.latency = [0] * (len(LATENCY_S) + 1)
        self.latency_sum_s = 0.0
        self.expect(series, fields)

    def expect(self, series: Iterable[VerdictSeries], fields: frozenset[str]) -> None:
        """New rules: their series join the old ones, for a counter that vanishes looks like a restart."""
        self.fields = frozenset(name for name in fields if mask_name(name) == name)
        for key in series:
            self.verdicts.setdefault(_shown(key), 0)

    def feed(self, verdicts: Verdicts) -> None:
        for kind, amount in verdicts.kinds.items():
            self._count(kind, amount)
        fresh = {token for verdict, token in verdicts.told if verdict[1] is not ALLOWED} - self.subscribers
        self.subscribers.update(islice(fresh, MOST_SUBSCRIBERS - len(self.subscribers)))

    def label(self, field: bytes) -> str:
        """A field name as a label value: from the closed set, or `other`."""
        name = field.decode("latin-1")
        return name if name in self.fields else "other"

    def delay(self, seconds: float) -> None:
        """One request head with an identifier, this long after its last packet."""
        self.latency[bisect_left(LATENCY_S, seconds)] += 1
        self.latency_sum_s += seconds

    def summary(self, batch: Batch, engine: str, rules: str, stopped: bool) -> Summary:
        summary = Summary(
            type="summary",
            version=__version__,
            engine=engine,
            rules=rules,
            frames=batch.counts["frames"],
            requests=batch.counts["requests"],
            requests_with_identifier=self.requests_with_identifier,
            requests_with_violation=self.requests_with_violation,
            sightings=sum(self.outcomes.values()),
            foreign=self.foreign,
            violations=self.violations,
            outcomes=dict(self.outcomes),
            subscribers=len(self.subscribers),
            recipients=len(self.recipients),
            since=rfc3339(min(self.first_ns.values())) if self.violations else None,
            until=rfc3339(max(self.last_ns.values())) if self.violations else None,
            blind=counts.values(batch.counts, "blind"),
            shed=counts.values(batch.counts, "shed"),
            opaque=counts.values(batch.counts, "opaque_streams"),
            skipped=counts.values(batch.counts, "skipped"),
            conditions=[condition_row(each) for each in self.conditions.episodes] if self.conditions else [],
            faults=[fault.message for fault in batch.faults],
            stopped=stopped,
        )
        if lost := counts.loss_ratio(batch.counts):
            summary["lost"] = round(lost, 6)
        if self.audit:
            summary["audit"] = self.audit.books()
        return summary

    @property
    def violations(self) -> int:
        return sum(self.outcomes.values()) - self.outcomes[Outcome.ALLOWED]

    @property
    def broken(self) -> int:
        """Violations, and the days on which a grant was used for more subscribers than agreed."""
        episodes = () if self.conditions is None else self.conditions.episodes
        return self.violations + sum(episode.condition == "over_volume" for episode in episodes)

    def _count(self, kind: Kind, amount: Amount) -> None:
        outcome = kind.outcome
        key: VerdictSeries = (kind.partner, kind.purpose, outcome, kind.certainty)
        if key not in self.verdicts:
            key = _shown(key)
        self.verdicts[key] = self.verdicts.get(key, 0) + amount.verdicts
        self.outcomes[outcome] += amount.verdicts
        labels = (kind.identifier, self.label(kind.field), kind.form, kind.place, kind.access, kind.brand)
        self._see(labels, amount.verdicts)
        if outcome is ALLOWED:
            return
        self.first_ns[outcome] = min(self.first_ns.get(outcome, amount.first_ns), amount.first_ns)
        self.last_ns[outcome] = max(self.last_ns[outcome], amount.last_ns)
        if len(self.recipients) < MOST_RECIPIENTS:
            self.recipients.add(kind.recipient[:LONGEST_NAME])

    def _see(self, labels: tuple[str, ...], verdicts: int) -> None:
        if labels not in self.sightings:
            labels = tuple(map(mask_name, labels))
        if labels not in self.sightings and len(self.sightings) >= MOST_SIGHTING_SERIES:
            labels = ("other",) * len(labels)
            self.series_dropped += verdicts
        self.sightings[labels] = self.sightings.get(labels, 0) + verdicts


def nothing_seen(summary: Summary) -> bool:
    """Whether nothing can be said: there was no frame, or something was not seen and not one request was."""
    return not summary["frames"] or (not summary["requests"] and counts.unseen(summary["blind"], summary["shed"]) > 0)


def all_seen(summary: Summary) -> bool:
    """Whether everything that the source has was read."""
    return not (counts.unseen(summary["blind"], summary["shed"]) or summary["faults"] or summary["stopped"])


def _shown(key: VerdictSeries) -> VerdictSeries:
    """The rules refuse names that hold a number, and here none would pass either."""
    partner, purpose, outcome, certainty = key
    return mask_name(partner), mask_name(purpose), outcome, certainty


def condition_row(episode: Episode) -> dict[str, object]:
    """`until` is null while it lasts; `agreed` are subscribers a day, or seconds between two."""
    subscribers = {"subscribers": episode.subscribers} if episode.condition == "over_volume" else {}
    return {
        "condition": episode.condition,
        "partner": episode.partner,
        "purpose": episode.purpose,
        "grant": episode.grant,
        "since": rfc3339(episode.since_ns),
        "until": None if episode.until_ns is None else rfc3339(episode.until_ns),
        **subscribers,
        "agreed": episode.agreed,
    }
