from __future__ import annotations

import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor import counts
from monitor.errors import ConfigError
from monitor.records import Outcome
from monitor.report import metrics
from monitor.report.metrics import Exporter, Sensor, listening
from monitor.report.tallies import Tallies
from tests.verdicts import NOON, verdict

SERIES = [("ageverify", "age_verification", outcome, "confirmed") for outcome in ("allowed", "expired")]


@pytest.fixture
def exporter() -> Exporter:
    return Exporter(Tallies(SERIES, frozenset({"x-msisdn"})), Sensor("portable", "00ff", 1.5))


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
    exporter.tallies.feed(verdict(), "t1")
    labels = {"partner": "none", "purpose": "none", "outcome": "unknown_recipient", "certainty": "confirmed"}
    assert value(exporter, "verdicts_total", **labels) == 1
    assert value(exporter, "exposed_recipients") == value(exporter, "exposed_subscribers") == 1
    assert value(exporter, "last_violation_timestamp_seconds", outcome="unknown_recipient") == NOON / 1e9


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
        ({"frames": 100, "skipped.truncated": 5, "skipped.encrypted": 5}, 0.9),
        ({"frames": 100, "skipped.depth": 50, "payload_bytes": 900, "gap_bytes": 100}, 0.45),
    ],
)
def test_visible_ratio_is_what_arrived_could_be_decoded_and_had_no_gap(
    exporter: Exporter, changes: dict[str, int], ratio: float
) -> None:
    exporter.tallies.counts = counts.zeros() | changes
    assert value(exporter, "visible_ratio") == pytest.approx(ratio)


def test_what_the_sensor_says_of_itself(exporter: Exporter) -> None:
    exporter.sensor.reloaded = False
    exporter.sensor.capture_up = lambda: False
    assert value(exporter, "config_last_reload_successful") == value(exporter, "capture_up") == 0
    assert value(exporter, "rules_info", sha256="00ff") == 1
    assert value(exporter, "config_last_reload_success_timestamp_seconds") == 1.5


def test_hostile_names_leave_metrics_small_and_clean(exporter: Exporter) -> None:
    for n in range(150_000):
        field = b'x"}\n%d' % n
        exporter.tallies.feed(verdict(recipient=f'\x1b[2J"}}\n{n}.example', field=field), f"t{n}")
    seen = scrape(exporter)
    assert len(re.findall(r"^[^#]", seen, re.MULTILINE)) < 2000
    assert len(seen) < 1_000_000
    assert ".example" not in seen
    assert "\x1b" not in seen


def test_openmetrics_reads_it(exporter: Exporter) -> None:
    exporter.tallies.feed(verdict(), "t1")
    registry = CollectorRegistry()
    registry.register(exporter)
    families = list(text_string_to_metric_families(generate_openmetrics(registry).decode()))
    assert len(families) == len(counts.METRICS) + len(counts.COUNTS)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not installed")
def test_promtool_has_no_complaint(exporter: Exporter) -> None:
    exporter.tallies.feed(verdict(), "t1")
    command = ["promtool", "check", "metrics"]
    run = subprocess.run(command, input=scrape(exporter), capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_scrape_over_http(exporter: Exporter) -> None:
    with listening("127.0.0.1", 0, exporter) as port:
        seen = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    assert "msisdn_monitor_frames_total 0.0" in seen
    assert "process_resident_memory_bytes" in seen
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5)


def test_a_port_in_use_is_said_with_its_remedy(exporter: Exporter, taken: int) -> None:
    with (
        pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{taken}: .*in use.*--listen"),
        listening("127.0.0.1", taken, exporter),
    ):
        pytest.fail("it listened on a port that is taken")


def test_a_host_that_is_not_ours_is_said(exporter: Exporter) -> None:
    with pytest.raises(ConfigError, match=r"203\.0\.113\.9:9108"), listening("203.0.113.9", 9108, exporter):
        pytest.fail("it listened on an address that this machine does not have")
