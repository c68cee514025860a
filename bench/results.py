"""bench/RESULTS.md: sections that are written each by itself, so that a run of one leaves the others as they are.

    put("speed", lines)

replaces what stands between the marks of this section, or adds the section at the end.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
TITLE = "# Measured\n\nWritten by the programs of this folder; no figure is typed by hand.\n"


def put(section: str, lines: Iterable[str], results: Path = RESULTS) -> None:
    text = results.read_text() if results.exists() else TITLE
    begin, end = f"<!-- {section}: begins -->\n", f"<!-- {section}: ends -->\n"
    body = begin + "".join(f"{line}\n" for line in lines) + end
    parts = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", text, maxsplit=1, flags=re.DOTALL)
    results.write_text(body.join(parts) if len(parts) == 2 else f"{text}\n{body}")


def where_and_when() -> Iterator[str]:
    """Machine, versions and date: every section says its own, for they are run apart."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    load = f"load average {os.getloadavg()[0]:.1f} at the end"
    yield f"- Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {load}"
    yield f"- Python {platform.python_version()}, commit {git.stdout.strip() or '?'}, {datetime.now(UTC):%Y-%m-%d}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
