from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor import counts
from monitor.engine import Preference
from monitor.report import metrics
from monitor.report.metrics import Exporter, Sensor
from monitor.report.tallies import Tallies
from monitor.verdicts import Outcome
from tests import metrics_page
from tests.verdicts import NOON, one, verdict

SERIES = [("ageverify", "age_verification", outcome, "confirmed") for outcome in ("allowed", "expired")]


@pytest.fixture
def exporter() -> Exporter:
    return Exporter(Tallies(SERIES, frozenset({"x-msisdn"})), Sensor("portable", "00ff", 1.5, 72))


def scrape(exporter: Exporter) -> str:
    registry = CollectorRegistry()
    registry.register(exporter)
    return generate_latest(registry).decode()


def value(exporter: Exporter, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(exporter)
    return registry.get_sample_value(f"msisdn_monitor_{name}", labels)


def test_the_reference_is_the_table() -> None:
    assert (Path(__file__).parent.parent / "docs/metrics.md").read_text() == metrics.reference(), "run make docs"


def test_every_count_of_the_engine_is_a_series(exporter: Exporter) -> None:
    exporter.tallies.counts = {key: n for n, key in enumerate(counts.BY_KEY)}
    seen = scrape(exporter)
    for key, count in counts.BY_KEY.items():
        labels = {count.label: key.partition(".")[2]} if count.label else {}
        assert value(exporter, metrics.engine_metric(count).name, **labels) == exporter.tallies.counts[key]
    assert seen.count("# TYPE ") == seen.count("# HELP ")


def test_names_and_labels_follow_the_rules() -> None:
    table = [*counts.METRICS, *map(metrics.engine_metric, counts.COUNTS)]
    assert len({metric.name for metric in table}) == len(table)
    for metric in table:
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.help.endswith(".")
    assert {label for metric in counts.METRICS for label in metric.labels} == set(counts.LABELS)


def test_every_series_of_the_rules_is_there_before_the_first_verdict(exporter: Exporter) -> None:
    for partner, purpose, outcome, certainty in SERIES:
        labels = {"partner": partner, "purpose": purpose, "outcome": outcome, "certainty": certainty}
        assert value(exporter, "verdicts_total", **labels) == 0
    for outcome in Outcome:
        expected = None if outcome is Outcome.ALLOWED else 0
        assert value(exporter, "last_violation_timestamp_seconds", outcome=outcome) == expected


def test_a_violation_shows_at_the_next_scrape(exporter: Exporter) -> None:
    exporter.tallies.feed(one(verdict(), "t1"))
    labels = {"partner": "none", "purpose": "none", "outcome": "unknown_recipient", "certainty": "confirmed"}
    assert value(exporter, "verdicts_total", **labels) == 1
    assert value(exporter, "exposed_recipients") == value(exporter, "exposed_subscribers") == 1
    exporter.tallies.feed(one(verdict(time_ns=NOON + 10**9), "t1"))
    assert value(exporter, "first_violation_timestamp_seconds", outcome="unknown_recipient") == NOON / 1e9
    assert value(exporter, "last_violation_timestamp_seconds", outcome="unknown_recipient") == NOON / 1e9 + 1
    assert value(exporter, "first_violation_timestamp_seconds", outcome="expired") == 0


def test_latency_buckets_add_up(exporter: Exporter) -> None:
    for seconds in (0.02, 0.3, 99):
        exporter.tallies.delay(seconds)
    bucket = "detection_latency_seconds_bucket"
    assert [value(exporter, bucket, le=le) for le in ("0.01", "0.025", "0.5", "10.0", "+Inf")] == [0, 1, 2, 2, 3]
    assert value(exporter, "detection_latency_seconds_count") == 3
    assert value(exporter, "detection_latency_seconds_sum") == pytest.approx(99.32)


@pytest.mark.parametrize(
    ("changes", "ratio"),
    [
        ({}, 1),
        ({"frames": 100, "skipped.not_tcp": 50}, 1),  # was looked at, and holds no request
        ({"frames": 80, "kernel_drops": 20}, 0.8),
        ({"frames": 80, "nic_drops": 20}, 0.8),
        ({"frames": 100, "shed.new_flows": 20}, 0.8),
        ({"frames": 100, "skipped.truncated": 5, "skipped.encrypted": 5}, 0.9),
        ({"frames": 100, "skipped.depth": 50, "http_bytes": 900, "gap_bytes": 100}, 0.45),
    ],
)
def test_visible_ratio_is_what_arrived_could_be_decoded_and_had_no_gap(
    exporter: Exporter, changes: dict[str, int], ratio: float
) -> None:
    exporter.tallies.counts = counts.zeros() | changes
    assert value(exporter, "visible_ratio") == pytest.approx(ratio)


def test_what_the_sensor_says_of_itself(exporter: Exporter) -> None:
    exporter.sensor.reloaded = False
    exporter.sensor.ports = {"eth1": lambda: True, "eth2": lambda: False}
    assert value(exporter, "config_last_reload_successful") == value(exporter, "capture_up", interface="eth2") == 0
    assert value(exporter, "capture_up", interface="eth1") == 1
    assert not exporter.sensor.ready()
    assert value(exporter, "notification_seconds") == 259_200
    assert value(exporter, "rules_info", sha256="00ff") == 1
    assert value(exporter, "config_last_reload_success_timestamp_seconds") == 1.5


def test_hostile_names_leave_metrics_small_and_clean(exporter: Exporter) -> None:
    for n in range(150_000):
        field = b'x"}\n%d' % n
        exporter.tallies.feed(one(verdict(recipient=f'\x1b[2J"}}\n{n}.example', field=field), f"t{n}"))
    seen = scrape(exporter)
    assert len(re.findall(r"^[^#]", seen, re.MULTILINE)) < 2000
    assert len(seen) < 1_000_000
    assert value(exporter, "series_dropped_total") == 0  # names are `other` before they could fill the table
    assert ".example" not in seen
    assert "\x1b" not in seen


def test_openmetrics_reads_it(exporter: Exporter) -> None:
    exporter.tallies.feed(one(verdict(), "t1"))
    registry = CollectorRegistry()
    registry.register(exporter)
    families = list(text_string_to_metric_families(generate_openmetrics(registry).decode()))
    assert len(families) == len(counts.METRICS) + len(counts.COUNTS)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not installed")
def test_promtool_has_no_complaint(exporter: Exporter) -> None:
    exporter.tallies.feed(one(verdict(), "t1"))
    command = ["promtool", "check", "metrics"]
    run = subprocess.run(command, input=scrape(exporter), capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", b"\n"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", b"\n"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0",
            b"# EOF\n",
        ),
        (
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text",
            b"# EOF\n",
        ),
    ],
)
def test_the_scraper_chooses_the_format(exporter: Exporter, accept: str, kind: str, end: bytes) -> None:
    page, said = exporter.page(accept)
    assert said.startswith(kind)
    assert page.endswith(end)
    assert b"process_resident_memory_bytes" in page


def test_what_the_disk_would_not_take_is_shed(exporter: Exporter) -> None:
    exporter.sensor.lost_to_disk = (lambda: 2, lambda: 3)
    assert value(exporter, "shed_total", bound="disk") == 5


def test_other_parts_have_their_say(exporter: Exporter) -> None:
    told = Exporter(exporter.tallies, exporter.sensor, [lambda: {"outbox_pending": [((), 7)]}])
    assert value(told, "outbox_pending") == 7
    assert value(exporter, "outbox_pending") is None


def test_a_name_that_holds_a_number_is_no_label(exporter: Exporter) -> None:
    named = verdict(Outcome.ALLOWED, partner="p447700900123", purpose="x-447700900123", brand="447700900123")
    exporter.tallies.expect([("p447700900123", "none", "allowed", "confirmed")], frozenset({"x-447700900123"}))
    exporter.tallies.feed(one(named, "t1"))
    exporter.tallies.feed(one(verdict(field=b"x-447700900123"), "t1"))
    assert "900123" not in scrape(exporter)
    assert value(exporter, "verdicts_total", partner="p44********23", purpose="x-44********23", outcome="allowed",
                 certainty="confirmed") == 1  # fmt: skip


def test_the_page_of_the_2012_story(engine_name: Preference) -> None:
    assert metrics_page.page(engine_name) == metrics_page.GOLDEN.read_text(), "run make golden, and read the diff"
