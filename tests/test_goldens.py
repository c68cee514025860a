"""Every capture against its golden, the books of every replay, and the story under random loss."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from monitor import counts
from monitor.engine import Preference
from pcaps import golden, recipes  # noqa: F401  recipes enters them all
from pcaps.recipe import RECIPES, Recipe
from pcaps.recipes_2012 import story
from pcaps.talk import Packet, pcap

STORY = RECIPES["o2-2012"]
ADDED_FIELD = re.compile(rb"\r\n(?:x-up-calling-line-id: |X-MSISDN: |X-IMSI: |x-acr: )[0-9a-f]", re.IGNORECASE)


@pytest.mark.parametrize("name", RECIPES)
def test_a_capture_gives_its_golden(name: str, engine_name: Preference) -> None:
    recipe: Recipe = RECIPES[name]
    assert golden.text(recipe.path, engine_name) == recipe.golden.read_text(), "make golden, and read the diff"


@pytest.mark.parametrize("name", RECIPES)
def test_the_books_balance(name: str, engine_name: Preference) -> None:
    seen = golden.replay(RECIPES[name].path, engine_name)
    read = seen.counts["frames"] + seen.counts["second_readings"]
    assert read == seen.counts["segments"] + sum(counts.values(seen.counts, "skipped").values())
    assert seen.summary["sightings"] == len(seen.verdicts) == sum(seen.summary["outcomes"].values())
    assert seen.summary["requests"] == seen.counts["requests"] >= seen.counts["clean_heads"]


@pytest.mark.parametrize("name", RECIPES)
def test_no_field_holds_a_line_end(name: str) -> None:
    fields = [row.get("fields") for row in json.loads(RECIPES[name].golden.read_text())["requests"]]
    assert not [field for some in fields if isinstance(some, list) for field in some if "\n" in "".join(field)]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_random_loss_hides_no_more_than_was_lost(share: float, engine_name: Preference, tmp_path: Path) -> None:
    """Row 28, sharper: each head of the story is one frame, so every number in a frame that is left must be found."""
    kept, found = lossy(share, engine_name, tmp_path)
    assert len(found.verdicts) == sum(len(ADDED_FIELD.findall(octets)) for _, octets in kept)


def test_random_loss_is_counted(engine_name: Preference, tmp_path: Path) -> None:
    _, found = lossy(0.05, engine_name, tmp_path)
    whole = golden.replay(STORY.path, engine_name)
    assert found.counts["gap_bytes"] > 5 * whole.counts["gap_bytes"]


def lossy(share: float, engine: Preference, folder: Path) -> tuple[list[Packet], golden.Replay]:
    """The story without this share of its frames, and what the engine makes of it."""
    dice = random.Random(28)
    kept = [timed for timed in story().frames if dice.random() >= share]
    capture = folder / "lossy.pcap"
    capture.write_bytes(pcap(kept))
    return kept, golden.replay(capture, engine)
