"""The loop: poll -> identify -> judge -> tallies -> sinks. The only module that knows this order.

A command makes a Pipeline of a source and a rule book, walks over its batches, and asks for the summary at the end;
what happens to verdicts beside the tallies is up to the sinks that it brings. No thread, and no clock but the one that
a live port is given: a replay comes to the same end every time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Protocol, Self

from monitor.agreements import RuleBook
from monitor.conditions import Conditions
from monitor.counts import unseen, values
from monitor.engine import Engine, Preference, default_limits, open_engine, reader
from monitor.identify import Identify
from monitor.identify.catalogue import CATALOGUE, SUBSCRIBER_FIELDS
from monitor.judge import Judge, possible
from monitor.records import Batch, CaptureFiles, Certainty, Interface, RequestHead, Watch
from monitor.redact import Redactor
from monitor.report.tallies import Summary, Tallies, VerdictSeries
from monitor.verdicts import Outcome, Verdict, Verdicts

if TYPE_CHECKING:
    from monitor.audit import Audit
    from monitor.survey import Lookout

ALLOWED = Outcome.ALLOWED  # a member is looked up in its enumeration at every mention
POLL_S = 0.2  # how long a live port may keep us from noticing a signal


class Sink(Protocol):
    def feed(self, verdicts: Verdicts) -> None:
        """What came of one batch."""
        ...


class Stop:
    """Whether someone asked for the end; signal handlers set it, loops look at it."""

    told = False


def batches(engine: Engine, stop: Stop) -> Iterator[Batch]:
    """Polls until the source is done or someone says stop; then what waits is let go as well. At least one batch."""
    while not stop.told:
        batch = engine.poll(POLL_S)
        yield batch
        if batch.done:
            return
    yield engine.drain()


class Pipeline:
    """Raises SourceError and EngineError as open_engine does. Closes the engine at the end of its `with`."""

    def __init__(
        self,
        source: CaptureFiles | Interface,
        book: RuleBook,
        redactor: Redactor,
        sinks: tuple[Sink, ...] = (),
        prefer: Preference = "auto",
        audited: int = 0,
        memory_bytes: int | None = None,
    ) -> None:
        """`audited`: one in so many half-streams goes through the audit; 0: none. `memory_bytes`: see Limits."""
        self._audited = audited
        self._audit: Audit | None = None
        self._redactor, self._reader = redactor, reader(prefer)
        self._live = isinstance(source, Interface)
        self.tallies = Tallies((), frozenset())
        self._sinks: tuple[Sink, ...] = (self.tallies, *sinks)
        self.lookout: Lookout | None = None
        if self._live:
            from monitor.survey import Lookout  # late, as all that is: for what few runs ask for

            self.lookout = Lookout(SUBSCRIBER_FIELDS | book.plan.fields)
        self._judge_by(book)
        limits = default_limits(source)
        if memory_bytes is not None:
            limits = limits.within(memory_bytes)
        self.engine = open_engine(source, self._watch(), limits, prefer)
        self._last: Batch | None = None

    def adopt(self, book: RuleBook) -> None:
        """Judges by this rule book from the next batch on."""
        self._judge_by(book)
        self.engine.watch_for(self._watch())

    def _judge_by(self, book: RuleBook) -> None:
        identify, judge = Identify(book.plan, self._reader), Judge(book, self._redactor.token)
        self.tallies.expect(
            series(book), frozenset(name.decode("latin-1") for name in book.plan.fields.union(CATALOGUE))
        )
        self.book, self._identify, self._judge = book, identify, judge
        if self._audit is not None:
            self._audit.adopt(book.plan, Identify(book.plan))  # without the sieve, which it is to check
        elif self._audited:
            from monitor.audit import Audit  # late

            self._audit = self.tallies.audit = Audit(book.plan, Identify(book.plan))
        if self.tallies.conditions is None:
            self.tallies.conditions = Conditions(book)
        else:
            self.tallies.conditions.adopt(book)
        feed = self.tallies.subscriber_feed
        if book.feed is None:
            self.tallies.subscriber_feed = None
        elif feed is None:
            from monitor.subscribers import Feed  # late

            self.tallies.subscriber_feed = Feed(book.feed)
        else:
            feed.adopt(book.feed)

    def _watch(self) -> Watch:
        watch, feed = self._identify.watch(), self.book.feed
        return watch._replace(
            audited=self._audited,
            every_head=self.lookout is not None and self.lookout.looking,
            ports=feed.ports if feed else watch.ports,
        )

    def batches(self, stop: Stop) -> Iterator[Batch]:
        """Each batch after its heads were judged."""
        for batch in batches(self.engine, stop):
            self.tallies.counts = batch.counts
            self._last = batch
            if self._audit is not None:
                self._audit.feed(batch)
            if self.tallies.subscriber_feed:
                self.tallies.subscriber_feed.take(batch.messages, batch.time_ns)
            if batch.heads:
                self._judge_all(batch.heads)
            if self.lookout is not None and self.lookout.feed(batch):
                self.engine.watch_for(self._watch())
                self.tallies.candidates = self.lookout.candidates
            yield batch

    def summary(self) -> Summary:
        assert self._last is not None, "a pipeline is summed up after it ran"
        return self.tallies.summary(self._last, self.engine.name, self.book.sha256, stopped=not self._last.done)

    def _judge_all(self, heads: Sequence[RequestHead]) -> None:
        tallies, identify, judge, redact = self.tallies, self._identify.feed, self._judge.feed, self._redactor.token
        conditions, feed, holder = tallies.conditions, tallies.subscriber_feed, None
        if feed and not feed.was_heard:
            feed = None
        assert conditions is not None, "there is a rule book"
        tick, told = conditions.tick, list[tuple[Verdict, str]]()
        with_number_ns: list[int] = []
        for head in heads:
            time_ns, (src, _, _, _, _), _, _, _, _, _, _, _, _, times, _ = head
            tick(time_ns)
            sightings = identify(head)
            if feed and (holder := feed.holder(src, time_ns)):
                from monitor.confirm import confirm  # late

                sightings = confirm(head, holder, self.book.plan, sightings)
            judged = violates = contested = False
            for sighting in sightings:
                verdict = judge(sighting, holder)
                contested = contested or sighting.contested
                if verdict is None:
                    tallies.foreign += times
                    continue
                judged = True
                token = redact(sighting.number, sighting.identifier)
                if verdict.outcome is ALLOWED:
                    conditions.feed(verdict, token)
                else:
                    violates = True
                if times == 1:
                    told.append((verdict, token))
                else:
                    told += ((verdict, token),) * times
            if judged:
                tallies.requests_with_identifier += times
                tallies.requests_with_violation += times * violates
                tallies.contested_requests += times * contested
                if self._live:
                    with_number_ns.append(time_ns)
        verdicts = Verdicts(told)
        for sink in self._sinks:
            sink.feed(verdicts)
        if with_number_ns:
            now_s = time.time()
            for time_ns in with_number_ns:
                tallies.delay(now_s - time_ns / 1e9)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()


def series(book: RuleBook) -> Iterator[VerdictSeries]:
    """Every (partner, purpose, outcome, certainty) that a verdict by these rules can have."""
    for (partner, purpose, outcome), certainty in product(possible(book), Certainty):
        yield partner, purpose, outcome, certainty


def exit_code(batch: Batch, violations: int = 0, max_blind: int | None = None, unaccounted: int = 0) -> int:
    """What a command ends with after its last batch; where several hold, what says least about the rest goes first.

    3 a source could not be read at all: nothing is known of it
    4 incomplete: a source was cut, the run was stopped, more than `max_blind` was not seen, or nothing was (there is no
      frame, or something was not seen and not one request was read), or the books of an audit do not balance
    1 violations, and everything was read
    0 none, and everything was read

    2 (usage, configuration, rules) ends a command before there is a batch.
    """
    if not all(fault.cut for fault in batch.faults):
        return 3
    blind = unseen(values(batch.counts, "blind"), values(batch.counts, "shed"))
    most = max_blind if max_blind is not None else math.inf if batch.counts["requests"] else 0
    if batch.faults or not batch.done or not batch.counts["frames"] or blind > most or unaccounted:
        return 4
    return 1 if violations else 0
