"""docs/agreements.md names every key, every outcome and every word that the language has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from monitor.agreements.models import Case, Grant, Network, Partner, Purpose, Request, SubscriberFeed
from monitor.verdicts import Outcome
from monitor.written.language import Model

FOLDER = Path(__file__).parent.parent / "docs"
PAGE = (FOLDER / "agreements.md").read_text("utf-8")
KEYS = PAGE.partition("## Every key")[2]


@pytest.mark.parametrize("model", [Partner, Grant, Network, Purpose, SubscriberFeed, Case, Request])
def test_every_key_stands_there_with_its_purpose(model: type[Model]) -> None:
    for name, key in model.language.items():
        assert f"| `{name}` | {'**needed**: ' if key.required else ''}{key.purpose} |" in KEYS


def test_every_outcome_has_an_example_in_the_order_of_the_conditions() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE.partition("Two conditions")[0], re.MULTILINE) == list(Outcome)


def test_the_examples_are_the_language() -> None:
    grants, tests = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert grants.keys() <= Partner.language.keys()
    assert grants["grants"][0].keys() <= Grant.language.keys()
    assert tests["usual_request"].keys() <= Request.language.keys()
    assert tests["tests"][0].keys() == Case.language.keys()


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (FOLDER / link).exists(), link
