from __future__ import annotations

import time
from pathlib import Path

import pytest

from monitor import counts, pipeline
from monitor.agreements import load
from monitor.engine import Preference
from monitor.judge import possible
from monitor.pipeline import Pipeline, Stop, batches, exit_code, series
from monitor.records import Batch, CaptureFiles, Certainty, Fault, Flow, Interface, RequestHead, Watch
from monitor.redact import Redactor
from monitor.verdicts import Outcome, Verdict, Verdicts
from tests.leaks import RULES, agreed, clean, leak, write, write_rules

CUT, UNREADABLE = Fault("a", 24, True, "a is cut"), Fault("b", 0, False, "b is no capture")
REDACTOR = Redactor(b"k" * 32)


class Seen:
    def __init__(self) -> None:
        self.verdicts: list[tuple[Verdict, str]] = []

    def feed(self, verdicts: Verdicts) -> None:
        self.verdicts += verdicts.told


def run(path: Path, engine: Preference, *sinks: Seen) -> Pipeline:
    with Pipeline(CaptureFiles((str(path),)), load(RULES), REDACTOR, sinks, engine) as ran:
        for _ in ran.batches(Stop()):
            pass
    return ran


def test_a_leak_reaches_every_sink_with_its_token(tmp_path: Path, engine_name: Preference) -> None:
    seen = Seen()
    ran = run(write(tmp_path / "leak.pcap", leak(requests=3)), engine_name, seen)
    assert [verdict.outcome for verdict, _ in seen.verdicts] == [Outcome.UNKNOWN_RECIPIENT] * 3
    assert {token for _, token in seen.verdicts} == ran.tallies.subscribers
    summary = ran.summary()
    assert (summary["requests"], summary["requests_with_identifier"], summary["requests_with_violation"]) == (3, 3, 3)
    assert (summary["engine"], summary["rules"], summary["stopped"]) == (engine_name, load(RULES).sha256, False)


def test_what_is_agreed_is_no_violation(tmp_path: Path, engine_name: Preference) -> None:
    summary = run(write(tmp_path / "agreed.pcap", agreed()), engine_name).summary()
    assert (summary["outcomes"]["allowed"], summary["violations"], summary["requests_with_violation"]) == (1, 0, 0)


def test_a_number_of_another_operator_is_counted_apart(tmp_path: Path, engine_name: Preference) -> None:
    summary = run(write(tmp_path / "foreign.pcap", leak(number=b"447700800123")), engine_name).summary()
    assert (summary["foreign"], summary["sightings"], summary["requests_with_identifier"]) == (1, 0, 0)


def test_a_clean_capture_has_no_verdict(tmp_path: Path, engine_name: Preference) -> None:
    seen = Seen()
    summary = run(write(tmp_path / "clean.pcap", clean()), engine_name, seen).summary()
    assert (seen.verdicts, summary["requests"], summary["sightings"]) == ([], 1, 0)


class Script:
    """An engine that polls what it was given."""

    name = "script"

    def __init__(self, *heads: RequestHead, done: bool = True) -> None:
        self.heads, self.done, self.polls, self.closed = list(heads), done, 0, False

    def poll(self, timeout: float) -> Batch:
        self.polls += 1
        return Batch(self.heads, counts.zeros(), 0, 0, (), self.done)

    def watch_for(self, watch: Watch) -> None:
        self.watch = watch

    def drain(self) -> Batch:
        return Batch([head(b"x-late")], counts.zeros(), 0, 0, (), False)

    def close(self) -> None:
        self.closed = True


def test_a_stop_ends_the_loop_with_what_waited() -> None:
    stop, engine = Stop(), Script(done=False)
    last: list[RequestHead] = []
    for seen, batch in enumerate(batches(engine, stop), 1):
        stop.told = seen >= 3
        last = batch.heads
    assert engine.polls == 3
    assert [name for waited in last for name, _ in waited.fields] == [b"host", b"x-late"]


def head(field: bytes, *, time_ns: int = 0) -> RequestHead:
    flow = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
    fields = ((b"host", b"shop.example"), (field, b"447700900123"))
    return RequestHead(time_ns, flow, b"GET", b"/", b"HTTP/1.1", fields)


def test_a_live_port_measures_how_late_a_number_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Script(head(b"x-msisdn", time_ns=time.time_ns() - 3 * 10**9))
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: engine)
    with Pipeline(Interface(("eth1",)), load(RULES), REDACTOR) as ran:
        list(ran.batches(Stop()))
    assert ran.tallies.latency_sum_s == pytest.approx(3, abs=1)
    assert engine.closed


def test_a_request_with_two_violations_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = head(b"x-msisdn")
    twice = twice._replace(fields=(*twice.fields, (b"x-up-calling-line-id", b"447700900123")))
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: Script(twice))
    with Pipeline(CaptureFiles(("-",)), load(RULES), REDACTOR) as ran:
        list(ran.batches(Stop()))
    assert (ran.tallies.violations, ran.tallies.requests_with_violation) == (2, 1)


def test_a_head_that_stands_for_several_counts_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, many = Seen(), head(b"x-msisdn")._replace(times=3)
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: Script(many))
    with Pipeline(CaptureFiles(("-",)), load(RULES), REDACTOR, (seen,)) as ran:
        list(ran.batches(Stop()))
    tallies = ran.tallies
    assert len(seen.verdicts) == tallies.violations == 3
    assert tallies.requests_with_identifier == tallies.requests_with_violation == 3


def test_what_is_agreed_does_not_hide_the_violation_before_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = load(write_rules(tmp_path, host="shop.example", field="x-second"))
    mixed = head(b"x-first")
    mixed = mixed._replace(fields=(*mixed.fields, (b"x-second", b"447700900123")))
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: Script(mixed))
    with Pipeline(CaptureFiles(("-",)), book, REDACTOR) as ran:
        list(ran.batches(Stop()))
    assert (ran.tallies.outcomes["allowed"], ran.tallies.requests_with_violation) == (1, 1)


def test_new_rules_judge_and_sieve_from_the_next_batch_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new, engine, seen = load(write_rules(tmp_path, host="shop.example", field="x-new")), Script(head(b"x-new")), Seen()
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: engine)
    with Pipeline(Interface(("eth1",)), load(RULES), REDACTOR, (seen,)) as ran:
        list(ran.batches(Stop()))
        ran.adopt(new)
        list(ran.batches(Stop()))
        assert ran.summary()["rules"] == new.sha256
    assert [verdict.partner for verdict, _ in seen.verdicts] == ["none", "biller"]
    assert b"x-new" in engine.watch.names


def test_every_verdict_that_the_rules_can_produce_has_a_series() -> None:
    book = load(RULES)
    expected = {(*row, certainty) for row in possible(book) for certainty in Certainty}
    assert set(series(book)) == expected
    assert ("ageverify", "age_verification", "expired", "ambiguous") in expected


@pytest.mark.parametrize(
    ("faults", "done", "violations", "blind", "code"),
    [
        ((), True, 0, 0, 0),
        ((), True, 7, 0, 1),
        ((), True, 0, 9, 0),
        ((), True, 0, 10, 4),
        ((), True, 7, 10, 4),
        ((), False, 0, 0, 4),
        ((), False, 7, 0, 4),
        ((CUT,), True, 0, 0, 4),
        ((CUT,), True, 7, 0, 4),
        ((UNREADABLE,), True, 7, 0, 3),
        ((CUT, UNREADABLE), False, 7, 10, 3),
    ],
)
def test_the_exit_code_that_says_least_about_the_rest_goes_first(
    faults: tuple[Fault, ...], done: bool, violations: int, blind: int, code: int
) -> None:
    batch = Batch([], counts.zeros() | {"blind.gap": blind, "frames": 1}, 0, 0, faults, done)
    assert exit_code(batch, violations, max_blind=9) == code


def test_without_a_limit_blind_spots_are_only_told() -> None:
    assert exit_code(Batch([], counts.zeros() | {"blind.gap": 10**9, "requests": 1, "frames": 1}, 0, 0, (), True)) == 0


def test_blind_to_everything_is_not_clean() -> None:
    assert exit_code(Batch([], counts.zeros() | {"blind.gap": 1, "frames": 1}, 0, 0, (), True)) == 4


def test_a_capture_without_a_frame_is_not_clean() -> None:
    """Whoever captured nothing would be told that nothing leaked."""
    assert exit_code(Batch([], counts.zeros(), 0, 0, (), True)) == 4


@pytest.mark.parametrize("bound", counts.SHED)
def test_what_was_let_go_unread_was_not_seen(bound: str) -> None:
    seen = counts.zeros() | {f"shed.{bound}": 1, "frames": 1, "requests": 1}
    batch = Batch([], seen, 0, 0, (), True)
    assert exit_code(batch, max_blind=1) == 0
    assert exit_code(batch, max_blind=0) == (4 if bound in counts.UNREAD_BOUNDS else 0)


def test_the_bounds_behind_which_nobody_read_are_bounds() -> None:
    assert set(counts.UNREAD_BOUNDS) < set(counts.SHED)
