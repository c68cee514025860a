"""The public page: what customers may know, in their words, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.agreements import RuleBook, load
from monitor.commands.publish import publish
from monitor.errors import ConfigError
from monitor.report.public import page, public

RULES = Path(__file__).parent.parent / "rules"
DAY = date(2012, 1, 12)
INSIDE = (  # what the rules hold and customers must not read
    "HE-2011-042", "HE-2010-007", "privacy@ageverify.example", "dpo@", "198.51.100", "2001:db8", "/check", "50000",
    "447700900", "x-msisdn", "x-up-calling-line-id", "opt-out",
)  # fmt: skip
Changed = Callable[..., RuleBook]


class Outline(HTMLParser):
    """Every element, in order, and what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    def load_changed(*changes: tuple[str, str, str]) -> RuleBook:
        rules = Path(shutil.copytree(RULES, tmp_path / "rules"))
        for file, old, new in changes:
            text = (rules / file).read_text("utf-8")
            assert old in text
            (rules / file).write_text(text.replace(old, new, 1), "utf-8")
        return load(rules)

    return load_changed


def text_of(book: RuleBook, day: date = DAY) -> str:
    return " ".join(re.sub(r"<style>.*</style>|<[^>]*>", " ", page(public(book, day)), flags=re.S).split())


def test_what_a_customer_reads(changed: Changed) -> None:
    text = text_of(changed())
    assert "Operator Example Who gets your number, and why" in text
    assert "Three partners may learn it, for the purposes below, and nobody else." in text
    assert (
        "AgeVerify Ltd To confirm that a customer is of age Gets your phone number, as it is "
        "On ageverify.example and all sites below it "
        "When over 3G or WAP, for customers of O2, not while you are abroad Agreed since 1 June 2011" in text
    )
    assert "Gets your phone number, as a code that only we can trace back to you On stats.operator.example" in text
    assert "Gets the number of your SIM card (IMSI), as it is" in text
    assert "Agreed from 1 February 2012, 12:00" in text
    assert "privacy@operator.example" in text
    assert "As agreed on 12 January 2012" in text


def test_what_is_over_is_left_out_and_what_ends_today_is_not(changed: Changed) -> None:
    book = changed()
    assert "old-ageverify.example" not in text_of(book)
    text = text_of(book, date(2011, 12, 31))
    assert "old-ageverify.example" in text
    assert "since 1 March 2009 until 31 December 2011" in text


def test_nothing_that_is_inside_gets_out(changed: Changed) -> None:
    said = public(changed(), DAY)
    for inside in INSIDE:
        assert inside not in page(said) + json.dumps(said)


def test_a_number_in_a_name_is_masked_and_markup_is_text(changed: Changed) -> None:
    book = changed(
        ("ageverify.yaml", "name: AgeVerify Ltd", "name: <script>alert(1)</script> 447700900123"),
        ("network.yaml", "operator: Operator Example", 'operator: "Call 07700 900123 & ask"'),
    )
    said = public(book, DAY)
    html = page(said)
    assert "447700900123" not in html + json.dumps(said)
    assert "900123" not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_stands_alone_and_is_sound(changed: Changed) -> None:
    html = page(public(changed(), DAY))
    outline = Outline(html)
    assert outline.open == []
    kinds = [tag for tag, _ in outline.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(kinds)
    assert "url(" not in html
    assert "@import" not in html
    links = {attrs["href"] for tag, attrs in outline.tags if tag == "a"}
    assert links == {"mailto:privacy@operator.example", "agreements.json"}
    assert ("html", {"lang": "en"}) in outline.tags
    assert kinds.count("h1") == kinds.count("main") == kinds.count("title") == 1
    levels = [int(tag[1]) for tag in kinds if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_paper(scheme: str) -> None:
    """WCAG 2.2 success criterion 1.4.6: contrast of 7 to 1."""
    style = page({"operator": "", "date": "2012-01-12", "contact": None, "partners": []})
    found = re.findall(r":root \{([^}]*)\}", style)[("light", "dark").index(scheme)]
    colours = dict(re.findall(r"--(\w+): (#\w+)", found))

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for ink in ("ink", "soft", "accent"):
        for paper in ("paper", "card"):
            darker, lighter = sorted((light(colours[ink]), light(colours[paper])))
            assert (lighter + 0.05) / (darker + 0.05) >= 7, (ink, paper)


def test_nobody_gets_anything(changed: Changed) -> None:
    assert "Three partners" in text_of(changed(), date(1999, 1, 1))  # all are still to come
    html = page({"operator": "Operator Example", "date": "2012-01-12", "contact": None, "partners": []})
    assert "No partners may learn it" in html
    assert "Write to" not in html


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(RULES, tmp_path / "new" / "public", "2012-01-12") == 0
    out = tmp_path / "new" / "public"
    assert capsys.readouterr().out == f"{out}/index.html: 3 partners, 7 agreements\n"
    assert (out / "index.html").read_text("utf-8") == page(public(load(RULES), DAY))
    assert json.loads((out / "agreements.json").read_text("utf-8")) == public(load(RULES), DAY)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--at: `noon` is no day; write year-month-day"):
        publish(RULES, tmp_path, "noon")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file: cannot be written: File exists; name a folder of yours"):
        publish(RULES, tmp_path / "file", "2012-01-12")
