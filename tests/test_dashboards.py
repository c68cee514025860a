"""The dashboards: as the builder writes them, and as Grafana's linter and an operator want them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from monitor.counts import COUNTS, METRICS

GRAFANA = Path(__file__).parents[1] / "deploy" / "grafana"
PAGES = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}") for name, page in PAGES.items() for panel in page["panels"]
]
OTHERS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "scrape_duration_seconds",
}
PUBLISHED = {
    f"msisdn_monitor_{name}"
    for name in (
        *(count.key + "_total" * (count.kind == "counter") for count in COUNTS),
        *(metric.name + "_bucket" * (metric.kind == "histogram") for metric in METRICS),
    )
}


def test_they_are_what_the_builder_writes(tmp_path: Path) -> None:
    shutil.copytree(GRAFANA, tmp_path / "grafana", ignore=shutil.ignore_patterns("dashboards", "look", "__pycache__"))
    subprocess.run([sys.executable, tmp_path / "grafana" / "build.py"], check=True)
    built = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "grafana" / "dashboards").iterdir()}
    assert built == PAGES, "make dashboards, and read the diff"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_is_provisioned_and_read_only(page: dict[str, Any]) -> None:
    assert page["uid"].startswith("msisdn-monitor-")
    assert not page["editable"]
    assert {variable["name"] for variable in page["templating"]["list"]} == {"datasource", "instance"}
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_no_panel_lies_on_another(page: dict[str, Any]) -> None:
    for one, other in combinations((panel["gridPos"] for panel in page["panels"]), 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_follows_the_rules_of_the_linter(panel: dict[str, Any]) -> None:
    assert panel["title"]
    units = [panel["fieldConfig"]["defaults"].get("unit")]
    units += [each["value"] for override in panel["fieldConfig"]["overrides"] for each in override["properties"]]
    assert any(units), "a value without a unit"
    for target in (panel, *panel["targets"]):
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in panel["targets"]:
        assert '{instance=~"$instance"}' in target["expr"] or ',instance=~"$instance"}' in target["expr"]
        assert set(re.findall(r"rate\([^[]*\[(.*?)\]", target["expr"])) <= {"$__rate_interval"}
        assert panel["type"] in ("table", "stat") or target["legendFormat"] != "__auto"
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_metrics_that_exist(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        asked = set(re.findall(r"\b\w+(?=\{)", target["expr"]))
        assert asked
        assert asked <= PUBLISHED | OTHERS


def test_what_has_to_be_seen_at_once_stands_in_the_first_row() -> None:
    first = {panel["title"] for panel in PAGES["exposures"]["panels"] if panel["gridPos"]["y"] == 0}
    assert first == {"Now", "Since", "Subscribers", "Recipients", "Left to notify", "Seen of the traffic"}
