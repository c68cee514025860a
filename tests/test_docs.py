"""What the pages say must be there: links, files, targets of make, commands with their options, metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import counts
from monitor.cli import cli
from monitor.report.metrics import engine_metric

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page for folder in ("", "docs", "docs/decisions", "docs/runbook", "bench") for page in (ROOT / folder).glob("*.md")
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
METRICS = {metric.name for metric in (*counts.METRICS, *map(engine_metric, counts.COUNTS))}
RECORDED = set(re.findall(r"record: (\S+)", (ROOT / "deploy/prometheus/recording.yml").read_text()))
OUR_FILE = r"`((?:monitor|engine|docs|deploy|tests|scripts|bench|pcaps|rules)/[\w./-]+\.\w+)`"


def code(text: str) -> Iterator[str]:
    """What stands between backticks, and the lines of blocks."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_what_is_there(page: Path) -> None:
    text = page.read_text()
    files = re.findall(r"\]\((?!https?:)([^)#\s]+)", text)
    missing = [name for name in files if not (page.parent / name).exists()]
    missing += [
        name for name in re.findall(OUR_FILE, text) if not any((at / name).exists() for at in (ROOT, page.parent))
    ]
    for said in code(text):
        missing += [f"make {name}" for name in re.findall(r"^\$? ?make ([a-z-]+)", said) if name not in TARGETS]
        for name, rest in re.findall(r"(?:^|[$/] ?|sudo )msisdn-monitor ([a-z]+)\b([^|]*)", said):
            command = cli.commands.get(name)
            if command is None:
                missing.append(f"msisdn-monitor {name}")
                continue
            known = {option for parameter in command.params for option in parameter.opts}
            missing += [f"{name} {option}" for option in re.findall(r"--[a-z-]+", rest) if option not in known]
        for name in re.findall(r"\bmsisdn_monitor_([a-z0-9_]+)", said):
            if not {name, re.sub("_(bucket|sum|count)$", "", name)} & METRICS:
                missing.append(f"msisdn_monitor_{name}")
        missing += [name for name in re.findall(r"\bmsisdn_monitor:[a-z0-9_:]+", said) if name not in RECORDED]
    assert missing == []
