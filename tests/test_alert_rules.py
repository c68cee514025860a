"""deploy/prometheus and deploy/alertmanager: the rules say what is, each has a page, and the real tools take them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from monitor import counts
from monitor.redact import mask_text
from monitor.report.alerts import NAME
from monitor.report.metrics import PREFIX, engine_metric
from monitor.verdicts import Outcome

ROOT = Path(__file__).parent.parent
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = sorted(path for path in PROMETHEUS.glob("*.yml") if "groups:" in path.read_text())
PAGES = ROOT / "docs/runbook"
SEVERITIES = ("critical", "warning", "info")
SECTIONS = ["## What it means", "## First look", "## What to do", "## When it is a false alarm"]
METRICS = {PREFIX + metric.name: metric for metric in (*counts.METRICS, *map(engine_metric, counts.COUNTS))}


class Alert(NamedTuple):
    file: str
    rule: dict[str, Any]


def rules() -> Iterator[Alert]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (Alert(path.stem, rule) for rule in group["rules"])


ALERTS = [alert for alert in rules() if "alert" in alert.rule]
RECORDED = [each.rule["record"] for each in rules() if "record" in each.rule]
NAMES = sorted({alert.rule["alert"] for alert in ALERTS})


def test_there_are_rules() -> None:
    assert len(NAMES) > 20
    assert len(RECORDED) > 5


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.rule["alert"])
def test_an_alert_says_what_it_is_without_a_number(alert: Alert) -> None:
    rule = alert.rule
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    text = " ".join(rule["annotations"].values())
    assert mask_text(text) == text
    labels = {*counts.LABELS, "instance"} | {count.label for count in counts.COUNTS}
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels
    assert rule["annotations"]["runbook_url"] == f"docs/runbook/{rule['alert']}.md"
    if 'certainty="ambiguous"' in rule["expr"]:
        assert "ambiguous" in rule["annotations"]["summary"]


@pytest.mark.parametrize("each", [*rules()], ids=lambda each: each.rule.get("alert") or each.rule["record"])
def test_a_rule_looks_at_metrics_that_exist(each: Alert) -> None:
    expression = each.rule["expr"]
    for name in re.findall(r"msisdn_monitor_\w+", expression):
        assert name in METRICS or METRICS[name.removesuffix("_bucket")].kind == "histogram"
    assert set(re.findall(r"msisdn_monitor:[\w:]+", expression)) <= set(RECORDED)
    outcomes = "|".join(re.findall(r'outcome[!=]~?"([^"]+)"', expression)).split("|")
    assert set(filter(None, outcomes)) <= set(Outcome)


@pytest.mark.parametrize("name", [*NAMES, NAME])
def test_every_alert_has_a_page(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## .*", page, re.MULTILINE) == SECTIONS
    for link in re.findall(r"\]\(([^)]+)\)", page):
        assert (PAGES / link).exists()
    for metric in re.findall(r"msisdn_monitor_\w+", page):
        assert metric in METRICS


def test_every_page_has_an_alert() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NAMES, NAME])


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_shown_to_fire_and_to_be_quiet(name: str) -> None:
    tried = [
        case["alert_rule_test"][0]["exp_alerts"]
        for path in PROMETHEUS.glob("*.test.yml")
        for case in yaml.safe_load(path.read_text())["tests"]
        if case["alert_rule_test"][0]["alertname"] == name
    ]
    assert any(tried)
    assert not all(tried)


needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's prometheus")
needs_amtool = pytest.mark.skipif(not shutil.which("amtool"), reason="needs Debian's prometheus-alertmanager")


def run(*words: str | Path) -> None:
    done = subprocess.run(words, cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_the_rules_and_they_do_what_their_tests_say() -> None:
    run("promtool", "check", "config", "prometheus.yml")
    run("promtool", "check", "rules", *RULES)
    run("promtool", "test", "rules", *sorted(path.name for path in PROMETHEUS.glob("*.test.yml")))


@needs_amtool
def test_amtool_takes_the_configuration() -> None:
    run("amtool", "check-config", ROOT / "deploy/alertmanager/alertmanager.yml")
