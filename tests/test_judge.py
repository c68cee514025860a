"""Every outcome in its fixed order, the nearest grant, and a memory that never outlives a date."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import judge as judge_module
from monitor.agreements import RuleBook, load
from monitor.judge import CONDITIONS, Judge, path_of, possible
from monitor.verdicts import Form, Holder, Identifier, Number, Outcome, Place, Verdict, Whose
from tests.verdicts import TWELFTH, sighting

RULES = Path(__file__).parent.parent / "rules"
DAY = 86_400 * 10**9
AGEVERIFY = ("ageverify", "age_verification")
PAY = ("paybyphone", "premium_billing")
NOBODY = ("none", "none")


def token(number: Number, identifier: Identifier = Identifier.MSISDN) -> str:
    return f"{identifier:-<16}".encode().hex()[:17] + number.digits.zfill(15)


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load(RULES)


@pytest.fixture
def judge(book: RuleBook) -> Judge:
    return Judge(book, token)


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., RuleBook]:
    """The example's rules with a text of one file replaced."""

    def load_changed(*changes: tuple[str, str, str]) -> RuleBook:
        rules = Path(shutil.copytree(RULES, tmp_path / "rules"))
        for file, old, new in changes:
            text = (rules / file).read_text("utf-8")
            assert old in text
            (rules / file).write_text(text.replace(old, new, 1), "utf-8")
        return load(rules)

    return load_changed


def summary(verdict: Verdict | None) -> tuple[Outcome, str, str]:
    assert verdict is not None
    return verdict.outcome, verdict.partner, verdict.purpose


WRONG = {  # one condition each, in the fixed order
    Outcome.WRONG_ADDRESS: {"dst": "203.0.113.9"},
    Outcome.WRONG_PATH: {"target": b"/checkout"},
    Outcome.WRONG_FIELD: {"field": b"x-up-calling-line-id"},
    Outcome.WRONG_IDENTIFIER: {"identifier": Identifier.IMEI},
    Outcome.WRONG_ACCESS: {"src": "100.66.0.1"},
    Outcome.WRONG_BRAND: {"number": "447700900904"},  # who opted out as well
    Outcome.ROAMING_FORBIDDEN: {"src": "100.64.240.9"},
    Outcome.OPTED_OUT: {"number": "447700900404"},
    Outcome.NOT_YET_VALID: {"time_ns": TWELFTH - 400 * DAY},
}


def test_what_was_agreed_is_allowed(judge: Judge) -> None:
    verdict = judge.feed(sighting())
    assert summary(verdict) == (Outcome.ALLOWED, *AGEVERIFY)
    assert verdict is not None
    assert (verdict.recipient, verdict.access, verdict.brand) == ("ageverify.example", "3g", "o2")


@pytest.mark.parametrize("outcome", WRONG)
def test_one_wrong_condition_is_named(judge: Judge, outcome: Outcome) -> None:
    assert summary(judge.feed(sighting(**WRONG[outcome]))) == (outcome, *AGEVERIFY)


def test_conditions_stand_in_the_order_of_the_outcomes() -> None:
    outcomes = [condition.outcome for condition in CONDITIONS]
    assert outcomes == [outcome for outcome in Outcome if outcome in outcomes]
    assert set(Outcome) - set(outcomes) == {
        Outcome.ALLOWED,
        Outcome.UNKNOWN_RECIPIENT,
        Outcome.CLIENT_SUPPLIED,
        Outcome.SECONDARY,
    }


def test_of_several_wrong_conditions_the_first_of_the_order_is_named(judge: Judge) -> None:
    order = list(Outcome)
    for outcome, change in WRONG.items():
        for other, more in WRONG.items():
            if not set(change) & set(more):
                assert summary(judge.feed(sighting(**change, **more)))[0] == min(outcome, other, key=order.index)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"host": "shop.example"}, (Outcome.UNKNOWN_RECIPIENT, *NOBODY)),
        ({"host": None}, (Outcome.UNKNOWN_RECIPIENT, *NOBODY)),
        ({"host": "www.paybyphone.example"}, (Outcome.UNKNOWN_RECIPIENT, *NOBODY)),
        ({"host": "eu.ageverify.example"}, (Outcome.ALLOWED, *AGEVERIFY)),
        ({"place": Place.TRAILER}, (Outcome.ALLOWED, *AGEVERIFY)),
        ({"form": Form.KEYED}, (Outcome.ALLOWED, *AGEVERIFY)),
        ({"src": "100.65.0.1"}, (Outcome.ALLOWED, *AGEVERIFY)),
        ({"src": "192.0.2.1"}, (Outcome.WRONG_ACCESS, *AGEVERIFY)),
        ({"host": "old-ageverify.example"}, (Outcome.EXPIRED, *AGEVERIFY)),
        ({"host": "shop.example", "place": Place.QUERY}, (Outcome.SECONDARY, *NOBODY)),
        ({"place": Place.REFERER}, (Outcome.SECONDARY, *AGEVERIFY)),
        ({"place": Place.COOKIE, "dst": "203.0.113.9"}, (Outcome.SECONDARY, *AGEVERIFY)),
        ({"place": Place.PATH}, (Outcome.SECONDARY, *AGEVERIFY)),
        ({"path": (("gtpu", 1),)}, (Outcome.CLIENT_SUPPLIED, *AGEVERIFY)),
        ({"host": "shop.example", "path": (("gre", 7), ("gtpu", 1))}, (Outcome.CLIENT_SUPPLIED, *NOBODY)),
        ({"path": (("gtpu", 1),), "place": Place.QUERY}, (Outcome.CLIENT_SUPPLIED, *AGEVERIFY)),
        ({"path": (("gre", 7),)}, (Outcome.ALLOWED, *AGEVERIFY)),
    ],
)
def test_outcomes_that_conditions_alone_do_not_give(
    judge: Judge, changes: dict[str, Any], expected: tuple[Outcome, str, str]
) -> None:
    assert summary(judge.feed(sighting(**changes))) == expected


@pytest.mark.parametrize(
    ("hosts", "outcome", "recipient"),
    [
        (["ageverify.example", "shop.example"], Outcome.UNKNOWN_RECIPIENT, "shop.example"),
        (["shop.example", "ageverify.example"], Outcome.UNKNOWN_RECIPIENT, "shop.example"),
        (["ageverify.example", "AgeVerify.example:80"], Outcome.ALLOWED, "ageverify.example"),
        (["eu.ageverify.example", "ageverify.example"], Outcome.ALLOWED, "eu.ageverify.example"),
        (["ageverify.example", "old-ageverify.example"], Outcome.EXPIRED, "old-ageverify.example"),
        (["ageverify.example", "pay.paybyphone.example"], Outcome.WRONG_ADDRESS, "pay.paybyphone.example"),
    ],
)
def test_of_two_hosts_the_less_trusted_counts(judge: Judge, hosts: list[str], outcome: Outcome, recipient: str) -> None:
    verdict = judge.feed(sighting(hosts[0], more_hosts=hosts[1:]))
    assert verdict is not None
    assert (verdict.outcome, verdict.recipient) == (outcome, recipient)


def test_the_nearest_grant_is_the_one_that_got_furthest(changed: Callable[..., RuleBook]) -> None:
    book = changed(("ageverify.yaml", "hosts: [old-ageverify.example]", "hosts: [ageverify.example]"))
    judge = Judge(book, token)
    assert summary(judge.feed(sighting(target=b"/old"))) == (Outcome.EXPIRED, *AGEVERIFY)
    assert summary(judge.feed(sighting())) == (Outcome.ALLOWED, *AGEVERIFY)
    grants = [(str(terms), outcome) for terms, outcome in judge.explain(sighting(target=b"/old"))]
    assert grants == [("grants[0] of ageverify", Outcome.WRONG_PATH), ("grants[1] of ageverify", Outcome.EXPIRED)]


def test_of_equally_near_grants_the_first_written_counts(changed: Callable[..., RuleBook]) -> None:
    book = changed(("paybyphone.yaml", "hosts: [pay.paybyphone.example]", "hosts: [ageverify.example]"))
    judge = Judge(book, token)
    assert summary(judge.feed(sighting(dst="203.0.113.9"))) == (Outcome.WRONG_ADDRESS, *AGEVERIFY)
    assert summary(judge.feed(sighting(dst="198.51.100.70", src="100.66.0.1"))) == (Outcome.WRONG_ACCESS, *PAY)


def test_foreign_numbers_are_judged_only_on_request(judge: Judge, changed: Callable[..., RuleBook]) -> None:
    assert judge.feed(sighting(own=False)) is None
    book = changed(("network.yaml", "foreign: count", "foreign: judge"))
    verdict = Judge(book, token).feed(sighting(own=False, number="447700900999"))
    assert summary(verdict) == (Outcome.WRONG_BRAND, *AGEVERIFY)


def test_the_opt_out_list_may_hold_tokens(tmp_path: Path) -> None:
    rules = Path(shutil.copytree(RULES, tmp_path / "rules"))
    (rules / "opt-out.txt").write_text(token(Number("447700900123")) + "\n")
    judge = Judge(load(rules), token)
    assert summary(judge.feed(sighting()))[0] is Outcome.OPTED_OUT
    assert summary(judge.feed(sighting(number="447700900124")))[0] is Outcome.ALLOWED


def test_the_number_says_more_of_the_brand_than_the_address(judge: Judge) -> None:
    verdict = judge.feed(sighting(src="100.64.128.1"))  # giggle's network, o2's number
    assert verdict is not None
    assert (verdict.brand, verdict.outcome) == ("o2", Outcome.ALLOWED)
    imsi = judge.feed(sighting(src="100.64.128.1", identifier=Identifier.IMSI, number="001010123456789"))
    assert imsi is not None
    assert imsi.brand == "giggle"


def test_ipv6_addresses_are_judged_alike(judge: Judge) -> None:
    assert summary(judge.feed(sighting(src="2001:db8:1::2", dst="2001:db8:a::1")))[0] is Outcome.ALLOWED
    assert summary(judge.feed(sighting(src="2001:db8:1::2", dst="2001:db8:c::1")))[0] is Outcome.WRONG_ADDRESS


TICKETS = 1_328_097_600 * 10**9  # 1 February 2012, 12:00


@given(st.lists(st.sampled_from([-DAY, -1, 0, 1, DAY]), min_size=1, max_size=8))
def test_the_memory_never_outlives_a_date(book: RuleBook, offsets: list[int]) -> None:
    """Packets may come in any order of their times."""
    judge = Judge(book, token)
    for offset in offsets:
        verdict = judge.feed(sighting("tickets.paybyphone.example", "198.51.100.70", time_ns=TICKETS + offset))
        assert summary(verdict)[0] is (Outcome.NOT_YET_VALID if offset < 0 else Outcome.ALLOWED)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["ageverify.example", "eu.ageverify.example", "old-ageverify.example", "shop.example"]),
        "dst": st.sampled_from(["198.51.100.10", "203.0.113.9"]),
        "target": st.sampled_from([b"/check", b"/check/../x", b"/", b"http://ageverify.example/check?x"]),
        "field": st.sampled_from([b"x-msisdn", b"x-other"]),
        "identifier": st.sampled_from(Identifier),
        "form": st.sampled_from(Form),
        "place": st.sampled_from(Place),
        "src": st.sampled_from(["100.64.1.2", "100.65.1.2", "100.66.1.2", "100.64.240.9", "100.64.128.1"]),
        "number": st.sampled_from(["447700900123", "447700900723", "447700900404"]),
        "time_ns": st.sampled_from([TWELFTH, TWELFTH - 12 * DAY, TWELFTH - 400 * DAY]),
        "path": st.sampled_from([(), (("gtpu", 1),), (("gre", 1),)]),
    },
)


@given(st.lists(CHANGES, min_size=1, max_size=12))
def test_a_judge_with_a_memory_says_what_a_fresh_one_says(book: RuleBook, requests: list[dict[str, Any]]) -> None:
    remembering = Judge(book, token)
    known = set(possible(book))
    for changes in requests:
        verdict = remembering.feed(sighting(**changes))
        assert verdict == Judge(book, token).feed(sighting(**changes))
        assert verdict is not None
        assert (verdict.partner, verdict.purpose, verdict.outcome) in known


def test_every_memory_is_bounded(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "REMEMBERED", 10)
    for index in range(200):
        judge.feed(sighting(f"h{index}.example", src=f"100.64.0.{index}"))
        judge.feed(sighting(f"h{index}.ageverify.example", dst=f"198.51.100.{index}"))
        judge.feed(sighting(number=f"447700900{index:03}"))
    memories = judge._served, judge._by_host, judge._clients, judge._subscribers, judge._judged
    assert max(map(len, memories)) <= 10


def test_what_verdicts_are_possible(book: RuleBook) -> None:
    outcomes: dict[tuple[str, str], list[Outcome]] = {}
    for partner, purpose, outcome in possible(book):
        outcomes.setdefault((partner, purpose), []).append(outcome)
    anywhere = [Outcome.CLIENT_SUPPLIED, Outcome.SECONDARY]
    assert outcomes[NOBODY] == [Outcome.UNKNOWN_RECIPIENT, *anywhere]
    assert outcomes[AGEVERIFY] == [
        outcome for outcome in Outcome if outcome not in (Outcome.UNKNOWN_RECIPIENT, Outcome.WRONG_FORM)
    ]
    assert outcomes[("portal", "statistics")] == [
        Outcome.ALLOWED,
        Outcome.WRONG_ADDRESS,
        Outcome.WRONG_FIELD,
        Outcome.WRONG_IDENTIFIER,
        Outcome.WRONG_FORM,
        Outcome.OPTED_OUT,
        Outcome.NOT_YET_VALID,
        Outcome.NUMBER_MISMATCH,
        *anywhere,
    ]


def test_without_a_feed_no_number_is_known_to_be_anothers(changed: Callable[..., RuleBook]) -> None:
    text = (RULES / "network.yaml").read_text("utf-8")
    feed = text[text.index("subscriber_feed:") : text.index("# --- what a number may be used for")]
    outcomes = {outcome for _, _, outcome in possible(changed(("network.yaml", feed, "")))}
    assert set(Outcome) - outcomes == {Outcome.NUMBER_MISMATCH}


HOLDER = Holder("447700900123", "001010000000123", "", "", "")


@pytest.mark.parametrize(
    ("changes", "outcome", "whose"),
    [
        ({}, Outcome.ALLOWED, Whose.HOLDER),
        ({"number": "447700900124"}, Outcome.NUMBER_MISMATCH, Whose.OTHER),
        ({"number": "447700900124", "form": Form.HASHED}, Outcome.NUMBER_MISMATCH, Whose.OTHER),
        ({"number": "447700900124", "form": Form.KEYED}, Outcome.ALLOWED, Whose.UNKNOWN),
        ({"number": "447700900124", "host": "shop.example"}, Outcome.UNKNOWN_RECIPIENT, Whose.OTHER),
        ({"number": "447700900124", "place": Place.QUERY}, Outcome.SECONDARY, Whose.OTHER),
        ({"number": "447700900124", "dst": "203.0.113.9"}, Outcome.WRONG_ADDRESS, Whose.OTHER),
        ({"number": "001010000000123", "identifier": Identifier.IMSI}, Outcome.WRONG_IDENTIFIER, Whose.HOLDER),
        ({"number": "001010000000124", "identifier": Identifier.IMSI}, Outcome.WRONG_IDENTIFIER, Whose.OTHER),
        ({"identifier": Identifier.IMEI}, Outcome.WRONG_IDENTIFIER, Whose.UNKNOWN),
    ],
)
def test_whose_number_it_is(judge: Judge, changes: dict[str, Any], outcome: Outcome, whose: Whose) -> None:
    for _ in range(2):  # the second time out of the memory
        verdict = judge.feed(sighting(**changes), HOLDER)
        assert verdict is not None
        assert (verdict.outcome, verdict.whose) == (outcome, whose)
    without = judge.feed(sighting(**changes))
    assert without is not None
    assert without.whose is Whose.UNKNOWN


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ({}, ("3g", "unknown", False)),
        ({"rat": "wlan"}, ("wifi", "unknown", False)),
        ({"rat": "nr"}, ("3g", "unknown", False)),  # network.yaml says nothing of it: the address decides
        ({"apn": "wap.operator.example", "rat": "utran"}, ("wap", "unknown", False)),
        ({"apn": "mobile.giggle.example"}, ("3g", "giggle", False)),
        ({"network": "20810"}, ("3g", "unknown", True)),
        ({"network": "00101"}, ("3g", "unknown", False)),
        ({"network": "001010"}, ("3g", "unknown", False)),
    ],
)
def test_what_a_session_says_goes_before_the_address(
    book: RuleBook, said: dict[str, str], client: tuple[str, str, bool]
) -> None:
    assert book.client(ip_address("100.64.1.2").packed, HOLDER._replace(**said)) == client
    assert book.client(ip_address("100.64.240.9").packed, HOLDER._replace(network="00101")).roaming is False


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b"/"),
        (b"/check?x=/y#z", b"/check"),
        (b"/check/", b"/check/"),
        (b"/%63heck", b"/check"),
        (b"/check/../admin", b"/admin"),
        (b"/check/%2e%2e/admin", b"/admin"),
        (b"/check/./now", b"/check/now"),
        (b"http://a.example/check?x", b"/check"),
        (b"http://a.example", b"/"),
        (b"*", b"*"),
        (b"a.example:443", b"a.example:443"),
        (b"", b""),
    ],
)
def test_the_path_that_a_server_resolves(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        (b"/check", Outcome.ALLOWED),
        (b"/check/", Outcome.ALLOWED),
        (b"/check/now", Outcome.ALLOWED),
        (b"/check;v=1", Outcome.ALLOWED),
        (b"/check?to=/x", Outcome.ALLOWED),
        (b"http://ageverify.example/check", Outcome.ALLOWED),
        (b"/checkout", Outcome.WRONG_PATH),
        (b"/Check", Outcome.WRONG_PATH),
        (b"/", Outcome.WRONG_PATH),
        (b"/check/../x", Outcome.WRONG_PATH),
        (b"/x?/check", Outcome.WRONG_PATH),
        (b"*", Outcome.WRONG_PATH),
    ],
)
def test_paths_are_agreed_in_whole_steps(judge: Judge, target: bytes, outcome: Outcome) -> None:
    assert summary(judge.feed(sighting(target=target)))[0] is outcome


def test_the_path_slash_is_every_path(changed: Callable[..., RuleBook]) -> None:
    judge = Judge(changed(("ageverify.yaml", "paths: [/check]", "paths: [/]")), token)
    assert summary(judge.feed(sighting(target=b"/x")))[0] is Outcome.ALLOWED
