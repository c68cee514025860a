"""Recipes against captures: each can be made again, and each is judged as its author meant it."""

from __future__ import annotations

import re

import pytest

from bench.floods import BARS
from monitor.engine import Preference
from pcaps import golden, recipes
from pcaps.floods import FLOODS
from pcaps.recipe import FOLDER, RECIPES, unpacked


@pytest.mark.parametrize("name", RECIPES)
def test_a_capture_comes_out_byte_for_byte_again(name: str) -> None:
    assert RECIPES[name].capture() == unpacked(RECIPES[name].path), "python -m pcaps.recipes writes it again"


@pytest.mark.parametrize("name", RECIPES)
def test_a_capture_is_judged_as_it_was_meant(name: str, engine_name: Preference) -> None:
    recipe = RECIPES[name]
    seen = golden.replay(recipe.path, engine_name)
    assert recipe.unmet(seen.verdicts, seen.counts, len(seen.summary["faults"])) == []


def test_every_capture_and_golden_has_a_recipe() -> None:
    made = {path for recipe in RECIPES.values() for path in (recipe.path, recipe.golden)}
    assert {path for path in FOLDER.iterdir() if ".pcap" in path.name or path.suffix == ".json"} == made


def test_the_list_of_captures_is_up_to_date() -> None:
    assert (FOLDER / "README.md").read_text() == recipes.listing()


def test_every_recipe_tells_its_story() -> None:
    assert [name for name, recipe in RECIPES.items() if not recipe.story.endswith((".", ":"))] == []


def test_no_capture_holds_a_number_of_a_living_person() -> None:
    """Ofcom's numbers for drama only, in E.164 or national form, or one in TBCD."""
    strangers = re.compile(rb"(?<!\d)(?:\+?44|0)7(?!700 ?900|700-900|700091032)\d{9}(?!\d)")
    assert [name for name, recipe in RECIPES.items() if strangers.search(unpacked(recipe.path))] == []


def test_the_samples_stay_small() -> None:
    sizes = [recipe.path.stat().st_size for recipe in RECIPES.values()]
    assert sum(sizes) < 3_000_000
    assert (FOLDER / "o2-2012.pcap").stat().st_size <= 1_500_000


ROWS = 98  # of the table of hostile and messy traffic


def test_every_row_of_hostile_and_messy_traffic_has_a_recipe() -> None:
    rows = {recipe.row for recipe in RECIPES.values()}
    assert set(range(1, ROWS + 1)) - rows == set()
    assert {row for row in rows if isinstance(row, int)} <= set(range(1, ROWS + 1))


def test_every_flood_has_a_recipe_and_a_bar() -> None:
    assert {flood.row for flood in FLOODS.values()} == {14, 37, 85, 87, 88, *range(90, ROWS + 1)}
    assert {f"x{flood.row}-{name}" for name, flood in FLOODS.items()} <= RECIPES.keys()
    assert FLOODS.keys() == BARS.keys()
