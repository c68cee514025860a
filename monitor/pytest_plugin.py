"""Captures under test: a pytest plugin that comes with the package and costs nothing until it is used.

    from monitor.pytest_plugin import assert_no_violations

    def test_the_new_gateway_release_keeps_the_agreements():
        assert_no_violations("captures/after.pcap")

    def test_the_age_check_still_works(msisdn_monitor):
        replay = msisdn_monitor("captures/after.pcap")
        assert "ageverify" in {verdict["partner"] for verdict in replay.allowed}

The rules are those of the argument `rules`, of `--msisdn-rules DIR`, of `msisdn_rules = DIR` in the ini file, or the
folder `rules`; relative ones lie below pytest's root directory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from monitor.report.tallies import Summary
    from monitor.verdicts import Verdicts

Row = dict[str, Any]
GROUPS_SHOWN = 20
_configs: list[pytest.Config] = []  # of the pytest that runs now, last


class Replay(NamedTuple):
    """What one capture holds: the objects that `replay --format jsonl` prints, so masks and tokens and no number."""

    capture: str
    rules: str
    verdicts: list[Row]
    summary: Summary

    @property
    def violations(self) -> list[Row]:
        return [verdict for verdict in self.verdicts if verdict["outcome"] != "allowed"]

    @property
    def allowed(self) -> list[Row]:
        return [verdict for verdict in self.verdicts if verdict["outcome"] == "allowed"]


def replay(capture: str | PathLike[str], rules: str | PathLike[str] | None = None) -> Replay:
    """Judges a capture (a file, folder or pattern). Raises RuleError when the rules are wrong."""
    from monitor.agreements import load  # late, all of them: pytest must not start slower for having this plugin
    from monitor.pipeline import Pipeline, Stop
    from monitor.records import CaptureFiles
    from monitor.redact import Redactor, new_key
    from monitor.report.journal import verdict_row

    folder = _rules_folder(rules)
    redactor = Redactor(new_key())
    verdicts: list[Row] = []

    class Rows:
        def feed(self, judged: Verdicts) -> None:
            verdicts.extend(verdict_row(verdict, token, redactor) for verdict, token in judged.told)

    with Pipeline(CaptureFiles((str(capture),)), load(folder), redactor, (Rows(),)) as pipeline:
        for _ in pipeline.batches(Stop()):
            pass
        return Replay(str(capture), str(folder), verdicts, pipeline.summary())


def assert_no_violations(capture: str | PathLike[str] | Replay, rules: str | PathLike[str] | None = None) -> None:
    """Fails when a number went where no agreement allows it, and when not all of the capture could be read."""
    __tracebackhide__ = True
    seen = capture if isinstance(capture, Replay) else replay(capture, rules)
    if text := complaint(seen):
        raise AssertionError(text)


def complaint(seen: Replay) -> str:
    """What is wrong, for a person; empty when nothing is."""
    from monitor.redact import mask_path
    from monitor.report.tallies import nothing_seen
    from monitor.report.text import NO_NAME

    lines = [f"not all of it was read: {fault}" for fault in seen.summary["faults"]]
    if nothing_seen(seen.summary) and not lines:
        lines.append(f"nothing was seen: not one request could be read in {seen.summary['frames']:,} frames")
    lines += [
        f"over_volume: {row['partner']}, {row['purpose']}: {row['subscribers']} subscribers a day, not {row['agreed']}"
        for row in seen.summary["conditions"]
        if row["condition"] == "over_volume"
    ]
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in seen.violations:
        groups[row["outcome"], row["field"], row["recipient"]].append(row)
    if groups:
        lines.append(f"{len(seen.violations)} violations of the agreements in {seen.rules}:")
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (outcome, field, recipient), rows in ranked[:GROUPS_SHOWN]:
        first = min(rows, key=lambda row: str(row["time"]))
        what = f"{first['form']} {first['identifier']} in {first['place']} {ascii(field) if field else NO_NAME}"
        lines.append(
            f"  {outcome}: {what} to {recipient!a}, {len(rows)} times, first {first['masked']} at {first['time']}"
        )
    if len(ranked) > GROUPS_SHOWN:
        lines.append(f"  and {len(ranked) - GROUPS_SHOWN} more kinds; msisdn-monitor replay shows them all")
    return "\n".join([f"{mask_path(seen.capture)}:", *lines]) if lines else ""


@pytest.fixture(name="msisdn_monitor")
def _msisdn_monitor() -> Callable[..., Replay]:
    """`msisdn_monitor(capture, rules=None)` replays a capture against the rules and returns its Replay."""
    return replay


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("msisdn_rules", "Folder of the partner agreements that captures are judged by.", default="rules")
    group = parser.getgroup("msisdn-monitor")
    group.addoption(
        "--msisdn-rules", metavar="DIR", help="Folder of the partner agreements, instead of the ini file's."
    )


def pytest_configure(config: pytest.Config) -> None:
    _configs.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    _configs.remove(config)


def _rules_folder(rules: str | PathLike[str] | None) -> Path:
    if not _configs:  # called outside pytest
        return Path(rules or "rules")
    config = _configs[-1]
    return config.rootpath / (rules or config.getoption("msisdn_rules") or config.getini("msisdn_rules"))
