"""`explain`: which grant fits, or why each does not, in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.commands.explain import IN_WORDS, explain
from monitor.errors import ConfigError
from monitor.verdicts import Outcome

RULES = Path(__file__).parent.parent / "rules"
AGREED = {
    "host": "ageverify.example", "address": "198.51.100.10", "path": "/check", "field": "X_MSISDN", "access": "3g",
    "at": "2012-01-12",
}  # fmt: skip


def said(capsys: pytest.CaptureFixture[str], code: int, **changes: str) -> str:
    assert explain(RULES, AGREED | changes) == code
    return capsys.readouterr().out


def test_a_grant_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, 0).replace(f"{RULES}/", "")
    first, *rest = out.splitlines()
    assert first == "ALLOWED  an agreement covers it"
    assert "  recipient   ageverify.example at 198.51.100.10" in rest
    assert "  number      msisdn, plain, in header x-msisdn" in rest
    assert "  customer    access 3g, brand o2" in rest
    assert "  time        2012-01-12 00:00 Europe/London" in rest
    assert rest[-2].startswith("grants[0] of ageverify (AgeVerify Ltd, contract HE-2011-042), ageverify.yaml:")
    assert rest[-1] == "  fits in every condition"


@pytest.mark.parametrize(
    ("changes", "outcome", "line"),
    [
        ({"address": "203.0.113.9"}, "WRONG_ADDRESS", "NO   address     203.0.113.9 "),
        ({"path": "/checkout"}, "WRONG_PATH", "NO   path        /checkout "),
        ({"field": "x-imsi"}, "WRONG_FIELD", "NO   field       x-imsi "),
        ({"identifier": "imsi"}, "WRONG_IDENTIFIER", "NO   identifier  imsi "),
        ({"access": "wifi"}, "WRONG_ACCESS", "NO   access      wifi "),
        ({"number": "447700900723"}, "WRONG_BRAND", "NO   brand       giggle "),
        ({"client": "100.64.240.9"}, "ROAMING_FORBIDDEN", "NO   roaming     abroad "),
        ({"number": "447700900404"}, "OPTED_OUT", "NO   opt-out     opted out "),
        ({"at": "2011-05-31"}, "NOT_YET_VALID", "NO   begins      2011-05-31 00:00 "),
        ({"number": "447700900123", "holder": "447700900124"}, "NUMBER_MISMATCH", "NO   whose       another's "),
    ],
)
def test_each_condition_says_what_was_asked(
    capsys: pytest.CaptureFixture[str], changes: dict[str, str], outcome: str, line: str
) -> None:
    request = {key: value for key, value in AGREED.items() if not (key == "access" and "client" in changes)}
    assert explain(RULES, request | changes) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{outcome}  ")
    assert line in out
    assert "7700900" not in out


def test_an_agreement_that_ended(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, 1, host="old-ageverify.example")
    assert out.startswith("EXPIRED  the agreement has ended")
    assert "NO   ends        2012-01-12 00:00           agreed: through 2011-12-31 23:59" in out


def test_a_stranger(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, 1, host="447700900123.shop.example")
    assert out.startswith("UNKNOWN_RECIPIENT  no partner has this host")
    assert out.endswith("No grant of 3 partners names 44********23.shop.example.\n")


def test_a_number_in_the_rules_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "ageverify.yaml").read_text()
    (tmp_path / "ageverify.yaml").unlink()
    for word, grown in {"Ltd": "447700900123", "2011-042": "447700900123", "/check]": "/447700900123]"}.items():
        text = text.replace(word, grown)
    (tmp_path / "447700900123.yaml").write_text(text)
    assert explain(tmp_path, AGREED | {"path": "/checkout"}) == 1
    out = capsys.readouterr().out
    assert out.count("44********23") == 4  # name, contract, file, path
    assert "900123" not in out


def test_what_no_agreement_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 1, place="query").startswith("SECONDARY  not in a header")
    assert said(capsys, 1, tunnel="gtpu").startswith("CLIENT_SUPPLIED  the handset sent it")
    assert said(capsys, 0, number="442079460123").startswith("FOREIGN  not one of our own numbers")


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as mistake:
        explain(RULES, {"host": "x.example", "access": "4g", "at": "noon", "form": "plane"})
    assert str(mistake.value).splitlines() == [
        "--form: `plane` is no form; did you mean `plain`?",
        "--access: `4g` is no access network of network.yaml; write one of 3g, wap, wifi",
        "--at: `noon` is no date; write year-month-day, and a time of day if it matters: `2012-01-25 14:00`",
        "--address: is missing; write where the packet goes, such as 203.0.113.9",
    ]


def test_every_outcome_has_words() -> None:
    assert list(IN_WORDS) == list(Outcome)
