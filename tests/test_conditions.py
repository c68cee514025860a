"""What no single sighting shows: too many subscribers in a day, and a partner who is forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.agreements import RuleBook, load
from monitor.conditions import EXACT, REGISTERS, Conditions, Distinct, Episode
from monitor.engine import Preference
from monitor.report.news import ConditionNews
from monitor.verdicts import Outcome
from pcaps import golden, recipes  # noqa: F401  recipes enters them all
from pcaps.recipe import RECIPES
from tests.verdicts import SECOND, TWELFTH, verdict

NETWORK = """operator: Operator Example
country: 44
msisdn_ranges: [447700900000-447700900999]
access: {}
purposes: {billing: {title: To bill}, checks: {title: To check}}
jurisdiction: UK
time_zone: Europe/London
"""
PARTNER = """partner: acme
name: Acme Ltd
contract: HE-1
contact: privacy@acme.example
grants:
  - {purpose: billing, hosts: [acme.example], identifiers: [msisdn], fields: [x-msisdn], form: plain, MORE}
  - {purpose: checks, hosts: [other.example], identifiers: [msisdn], fields: [x-msisdn], form: plain}
"""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@pytest.fixture
def book(tmp_path: Path) -> Callable[[str], RuleBook]:
    def make(more: str) -> RuleBook:
        (tmp_path / "network.yaml").write_text(NETWORK)
        (tmp_path / "acme.yaml").write_text(PARTNER.replace("MORE", more))
        return load(tmp_path)

    return make


def token(subscriber: int) -> str:
    return hashlib.sha256(b"%d" % subscriber).hexdigest()[:32]


def handed(conditions: Conditions, subscriber: int, time_ns: int, grant: int = 0, **more: Any) -> None:
    conditions.tick(time_ns)
    some = verdict(**{"outcome": Outcome.ALLOWED, "time_ns": time_ns} | more)
    conditions.feed(some._replace(grant=grant), token(subscriber))


def over(conditions: Conditions) -> list[tuple[int, int]]:
    return [
        (episode.subscribers, episode.agreed) for episode in conditions.episodes if episode.condition == "over_volume"
    ]


# --- captures ---------------------------------------------------------------------------------------------------------

BILLING, SERVICES, AGE = "paybyphone premium_billing", "portal own_services", "ageverify age_verification"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c01-over-volume", ["over_volume portal own_services to None"]),
        ("c02-as-many-as-agreed", []),
        (
            "c03-partners-forgotten",
            [f"missing_expected {grant} to None" for grant in (BILLING, SERVICES, AGE)],
        ),
        (
            "c04-partner-remembered-late",
            [
                f"missing_expected {BILLING} to None",
                f"missing_expected {SERVICES} to 2012-01-12T21:10:01.004000000Z",
                f"missing_expected {AGE} to None",
            ],
        ),
        ("c05-quiet-evening", []),
        ("o2-2012", []),
    ],
)
def test_what_the_captures_show(name: str, expected: list[str], engine_name: Preference) -> None:
    shown = golden.replay(RECIPES[name].path, engine_name).summary["conditions"]
    assert [f"{row['condition']} {row['partner']} {row['purpose']} to {row['until']}" for row in shown] == expected


# --- how many subscribers ---------------------------------------------------------------------------------------------


def test_a_few_are_counted_exactly() -> None:
    distinct = Distinct()
    for subscriber in [*range(EXACT), *range(EXACT)]:
        distinct.add(token(subscriber))
    assert len(distinct) == EXACT
    assert distinct.is_exact


@pytest.mark.parametrize("many", [2_000, 20_000, 60_000])
def test_many_are_estimated_within_the_stated_error(many: int) -> None:
    distinct = Distinct()
    for subscriber in range(many):
        distinct.add(token(subscriber))
        distinct.add(token(subscriber // 2))
    assert not distinct.is_exact
    assert abs(len(distinct) / many - 1) < 3 * 1.04 / REGISTERS**0.5
    assert len(distinct._registers or b"") == REGISTERS
    assert distinct._few == set()


# --- over_volume ------------------------------------------------------------------------------------------------------


def test_one_subscriber_more_than_agreed(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("max_subscribers_per_day: 3"))
    for subscriber in (1, 2, 3, 3, 2, 1):
        handed(conditions, subscriber, TWELFTH)
    assert over(conditions) == []
    handed(conditions, 4, TWELFTH + SECOND)
    handed(conditions, 5, TWELFTH + 2 * SECOND)
    assert conditions.episodes == [Episode("over_volume", "acme", "billing", 0, TWELFTH + SECOND, None, 5, 3)]
    assert list(conditions.lasting("over_volume")) == [("acme", "billing")]


def test_a_day_ends_at_midnight_of_the_operator(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("max_subscribers_per_day: 1"))
    summer_midnight = 1_339_974_000 * SECOND  # 2012-06-18 00:00 in London, 23:00 UTC
    handed(conditions, 1, summer_midnight - SECOND)
    handed(conditions, 2, summer_midnight)
    assert over(conditions) == []
    handed(conditions, 1, summer_midnight - SECOND)  # late, of a day that is over
    handed(conditions, 3, summer_midnight + 23 * HOUR)
    assert over(conditions) == [(2, 1)]
    handed(conditions, 3, summer_midnight + 24 * HOUR)
    assert list(conditions.lasting("over_volume")) == []


def test_only_what_was_allowed_counts_and_only_for_its_grant(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("max_subscribers_per_day: 1"))
    handed(conditions, 1, TWELFTH)
    handed(conditions, 2, TWELFTH, grant=1)
    handed(conditions, 3, TWELFTH, outcome=Outcome.WRONG_FIELD)
    assert conditions.episodes == []


def test_far_more_than_can_be_counted_exactly(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("max_subscribers_per_day: 2000"))
    for subscriber in range(1900):
        handed(conditions, subscriber, TWELFTH)
    assert over(conditions) == []
    for subscriber in range(1900, 2200):
        handed(conditions, subscriber, TWELFTH)
    ((subscribers, agreed),) = over(conditions)
    assert agreed == 2000
    assert 2000 < subscribers < 2250


# --- missing_expected -------------------------------------------------------------------------------------------------


def missing(conditions: Conditions) -> list[tuple[int, int | None]]:
    """Since and until, in minutes after TWELFTH."""
    return [
        ((episode.since_ns - TWELFTH) // MINUTE, episode.until_ns and (episode.until_ns - TWELFTH) // MINUTE)
        for episode in conditions.episodes
        if episode.condition == "missing_expected"
    ]


def test_a_partner_who_gets_nothing_while_requests_go_on(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("expect_every: 30m"))
    handed(conditions, 1, TWELFTH)
    for minute in range(1, 31):
        conditions.tick(TWELFTH + minute * MINUTE)
    assert missing(conditions) == []
    conditions.tick(TWELFTH + 31 * MINUTE)
    assert missing(conditions) == [(0, None)]
    assert list(conditions.lasting("missing_expected")) == [("acme", "billing")]
    handed(conditions, 1, TWELFTH + 40 * MINUTE)
    assert missing(conditions) == [(0, 40)]
    assert list(conditions.lasting("missing_expected")) == []


def test_a_partner_who_never_got_anything(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("expect_every: 30m"))
    for minute in range(40):
        conditions.tick(TWELFTH + minute * MINUTE)
    assert missing(conditions) == [(1, None)]  # since the first look


def test_when_nobody_asks_for_anything_nobody_is_missing(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("expect_every: 30m"))
    handed(conditions, 1, TWELFTH)
    for hour in range(1, 20):  # a quiet night, or the hole between two captures
        conditions.tick(TWELFTH + hour * HOUR)
    assert missing(conditions) == []


def test_what_is_handed_over_in_time_is_not_missing(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("expect_every: 30m"))
    for minute in range(0, 300, 1):
        if minute % 29 == 0:
            handed(conditions, 1, TWELFTH + minute * MINUTE)
        conditions.tick(TWELFTH + minute * MINUTE)
    assert missing(conditions) == []


def test_a_grant_is_expected_only_while_it_is_valid(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("expect_every: 30m, valid_from: 2012-01-12 13:00, valid_until: 2012-01-12 13:40"))
    for minute in range(90):
        conditions.tick(TWELFTH + minute * MINUTE)
    assert missing(conditions) == []
    for minute in range(90, 180):
        conditions.tick(TWELFTH + minute * MINUTE)
    assert missing(conditions) == [(59, 101)]


def test_new_rules_are_looked_at_from_now_on(book: Callable[[str], RuleBook]) -> None:
    conditions = Conditions(book("max_subscribers_per_day: 1"))
    handed(conditions, 1, TWELFTH)
    handed(conditions, 2, TWELFTH)
    conditions.adopt(book("max_subscribers_per_day: 2"))
    handed(conditions, 3, TWELFTH)
    assert over(conditions) == [(2, 1)]
    assert conditions.possible() == {"over_volume": [("acme", "billing")], "missing_expected": []}


def test_each_condition_is_news_once(book: Callable[[str], RuleBook]) -> None:
    conditions, said = Conditions(book("max_subscribers_per_day: 1")), []
    news = ConditionNews(lambda level, text: said.append((level, text)))
    for subscriber in range(5):
        handed(conditions, subscriber, TWELFTH)
        news.look(conditions)
    assert said == [("WARNING", "over_volume: partner acme, purpose billing, grant 0; agreed: 1 subscribers a day")]
