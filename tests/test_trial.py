"""The tests in the rule files: the example's pass, and a wrong one says where it stands and why it fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.agreements import load
from monitor.trial import run_tests
from monitor.verdicts import Identifier, Number, Outcome

RULES = Path(__file__).parent.parent / "rules"
Failures = Callable[[str, str, str], list[str]]


def no_token(number: Number, identifier: Identifier) -> str:
    return ""


@pytest.fixture
def failures(tmp_path: Path) -> Failures:
    """What `check` says after one text of one file was replaced; places without the folder."""

    def fail(file: str, old: str, new: str) -> list[str]:
        rules = Path(shutil.copytree(RULES, tmp_path / "rules"))
        text = (rules / file).read_text("utf-8")
        assert old in text
        (rules / file).write_text(text.replace(old, new, 1), "utf-8")
        return [str(remark).replace(f"{rules}/", "") for remark in run_tests(load(rules), no_token)]

    return fail


def test_the_example_passes_its_tests() -> None:
    assert run_tests(load(RULES), no_token) == []


def test_the_example_shows_every_outcome_that_one_sighting_can_have() -> None:
    book = load(RULES)
    expected = {case.expect for file in (book.network, *book.partners) for case in file.tests}
    assert set(Outcome) == expected


def test_shop_example_is_nobodys_partner() -> None:
    assert load(RULES).grants_of("shop.example") == ()


def line_of(file: str, text: str) -> int:
    lines = (RULES / file).read_text("utf-8").split("\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_failing_test_says_where_it_is_and_how_near_each_grant_came(failures: Failures) -> None:
    line = line_of("ageverify.yaml", "{access: wifi}") + 1
    assert failures(
        "ageverify.yaml", "{access: wifi}\n    expect: wrong_access", "{access: wifi}\n    expect: allowed"
    ) == [
        f"ageverify.yaml:{line}:13: tests[7].expect: expected allowed, but it is wrong_access "
        "(grants[0] of ageverify: wrong_access)"
    ]


def test_a_failing_test_at_a_stranger_says_so(failures: Failures) -> None:
    line = line_of("network.yaml", "expect: unknown_recipient")
    assert failures("network.yaml", "expect: unknown_recipient", "expect: allowed") == [
        f"network.yaml:{line}:13: tests[0].expect: expected allowed, but it is unknown_recipient "
        "(no grant names shop.example)"
    ]


def test_an_agreement_that_changes_its_meaning_fails_its_tests(failures: Failures) -> None:
    assert len(failures("ageverify.yaml", "access: [3g, wap]", "access: [3g, wap, wifi]")) == 1


def test_a_request_must_be_whole(failures: Failures) -> None:
    line = line_of("network.yaml", "{host: shop.example}")
    found = failures("network.yaml", "  address: 203.0.113.9\n", "")
    assert found[0] == f"network.yaml:{line - 1}:14: tests[0].request: no `address`; write it here or in usual_request"
    assert len(found) == 4


def test_a_request_without_time_is_not_whole(failures: Failures) -> None:
    assert failures("network.yaml", "  at: 2012-01-12\n", "")[0].endswith("no `at`; write it here or in usual_request")


def test_a_request_needs_no_usual_one(failures: Failures) -> None:
    usual = "usual_request:\n  address: 203.0.113.9\n  field: x-msisdn\n  access: 3g\n  at: 2012-01-12\n"
    assert len(failures("network.yaml", usual, "")) == 4


def test_a_foreign_number_is_not_judged(failures: Failures) -> None:
    line = line_of("ageverify.yaml", "447700900723")
    assert failures("ageverify.yaml", "447700900723", "4477009007230") == [
        f"ageverify.yaml:{line}:23: tests[8].request.number: not one of our own numbers; "
        "such are only counted, not judged"
    ]


@pytest.mark.parametrize("number", ["001020123456789", "0010101234567"])
def test_a_foreign_imsi_is_not_judged(failures: Failures, number: str) -> None:
    found = failures("ageverify.yaml", "001010123456789", number)
    assert [remark.rpartition("request.")[2] for remark in found] == (
        ["number: not one of our own numbers; such are only counted, not judged"] if number.startswith("00102") else []
    )
