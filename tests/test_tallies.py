from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import counts
from monitor.records import Batch, Certainty, Fault
from monitor.report import tallies
from monitor.report.tallies import Tallies
from monitor.report.terminal import Findings
from monitor.verdicts import Outcome, Verdicts
from tests.verdicts import NOON, SECOND, one, verdict


def fresh() -> Tallies:
    return Tallies([("none", "none", "unknown_recipient", "confirmed")], frozenset({"x-msisdn"}))


def last_batch(**changes: int) -> Batch:
    return Batch([], counts.zeros() | changes, NOON, 0, (Fault("a.pcap", 24, True, "a.pcap is cut"),), True)


def test_verdicts_are_counted_by_what_the_agreements_say() -> None:
    told = fresh()
    told.feed(one(verdict(), "t1"))
    told.feed(one(verdict(certainty=Certainty.AMBIGUOUS), "t2"))
    told.feed(one(verdict(Outcome.ALLOWED, partner="ageverify", purpose="age_verification"), "t3"))
    assert told.verdicts == {
        ("none", "none", "unknown_recipient", "confirmed"): 1,
        ("none", "none", "unknown_recipient", "ambiguous"): 1,
        ("ageverify", "age_verification", "allowed", "confirmed"): 1,
    }
    assert told.violations == 2
    assert told.subscribers == {"t1", "t2"}  # the third one was not exposed


def test_a_field_that_no_list_has_is_counted_as_other() -> None:
    told = fresh()
    told.feed(one(verdict(field=b"x-secret-447700900123"), "t1"))
    assert {labels[1] for labels in told.sightings} == {"other"}


def test_first_and_last_violation_do_not_depend_on_the_order() -> None:
    told = fresh()
    for time_ns in (NOON, NOON - SECOND, NOON + SECOND):
        told.feed(one(verdict(time_ns=time_ns), "t1"))
    told.feed(one(verdict(Outcome.ALLOWED, time_ns=NOON + 9 * SECOND), "t1"))
    summary = told.summary(last_batch(), "portable", "00", stopped=False)
    assert (summary["since"], summary["until"]) == (
        "2012-01-10T11:59:59.000000000Z",
        "2012-01-10T12:00:01.000000000Z",
    )


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "outcome": st.sampled_from([Outcome.UNKNOWN_RECIPIENT, Outcome.EXPIRED, Outcome.ALLOWED]),
                "recipient": st.sampled_from(["shop.example", "news.example"]),
                "field": st.sampled_from([b"x-msisdn", b"x-other"]),
                "certainty": st.sampled_from(Certainty),
                "brand": st.sampled_from(["o2", "giggle"]),
                "time_ns": st.integers(NOON, NOON + 9),
            }
        )
    ),
    st.integers(1, 9),
)
def test_it_does_not_matter_what_comes_together(changes: list[dict[str, Any]], size: int) -> None:
    told = [(verdict(**each), f"t{at % 5}") for at, each in enumerate(changes)]
    alone, together = (fresh(), Findings((), ())), (fresh(), Findings((), ()))
    for each in told:
        for sink in alone:
            sink.feed(one(*each))
    for at in range(0, len(told), size):
        batch = Verdicts(told[at : at + size])
        for sink in together:
            sink.feed(batch)
    assert list(map(vars, together)) == list(map(vars, alone))


@pytest.mark.parametrize("size", [1, 100])
def test_a_flood_of_names_reaches_a_bound(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MOST_RECIPIENTS", "MOST_SUBSCRIBERS", "MOST_SIGHTING_SERIES"):
        monkeypatch.setattr(tallies, bound, 10)
    told = Tallies((), frozenset(f"f{n}" for n in range(100)))
    flood = [(verdict(recipient=f"{n}.example", field=f"f{n}".encode()), f"t{n}") for n in range(100)]
    for at in range(0, 100, size):
        told.feed(Verdicts(flood[at : at + size]))
    assert (len(told.recipients), len(told.subscribers), len(told.sightings)) == (10, 10, 11)
    assert sum(told.sightings.values()) == told.outcomes["unknown_recipient"] == 100
    assert told.sightings[("other",) * 6] == 90


def test_new_rules_keep_the_old_series() -> None:
    told = fresh()
    told.feed(one(verdict(), "t1"))
    told.expect([("none", "none", "unknown_recipient", "confirmed"), ("p", "q", "allowed", "confirmed")], frozenset())
    assert list(told.verdicts.values()) == [1, 0]


def test_the_summary_holds_every_closed_list() -> None:
    told = fresh()
    told.feed(one(verdict(), "t1"))
    told.foreign = 2
    batch = last_batch(**{"frames": 7, "requests": 3, "blind.gap": 4, "opaque_streams.tls": 5})
    summary = told.summary(batch, "portable", "00ff", stopped=True)
    assert set(summary["outcomes"]) == set(Outcome)
    assert set(summary["blind"]) == set(counts.BLIND)
    assert (summary["frames"], summary["requests"], summary["sightings"], summary["foreign"]) == (7, 3, 1, 2)
    assert (summary["blind"]["gap"], summary["opaque"]["tls"], summary["stopped"]) == (4, 5, True)
    assert summary["faults"] == ["a.pcap is cut"]


def test_without_a_violation_there_is_no_since() -> None:
    summary = fresh().summary(last_batch(), "portable", "00", stopped=False)
    assert (summary["since"], summary["until"], summary["violations"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.002, 0), (0.005, 1), (0.01, 2), (0.011, 3), (10.0, 12), (99.0, 13)]
)
def test_a_delay_falls_into_the_bucket_whose_bound_it_does_not_pass(seconds: float, bucket: int) -> None:
    told = fresh()
    told.delay(seconds)
    assert told.latency.index(1) == bucket
    assert told.latency_sum_s == seconds
