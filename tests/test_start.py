"""What a replay imports before its first output: everything else is late, or the start gets slow again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.engine import native_is_here
from pcaps.talk import pcap
from tests.leaks import RULES

# libraries and modules of ours that take a millisecond or more, each for something that few runs ask for
NEVER = {
    "asyncio", "bcrypt", "bz2", "difflib", "http", "idna", "logging", "lz4", "lzma", "monitor.audit", "monitor.confirm",
    "monitor.config", "monitor.doctor", "monitor.live", "monitor.ports", "monitor.portable.port",
    "monitor.report.metrics", "monitor.report.web", "monitor.survey", "monitor.trial", "multiprocessing",
    "prometheus_client", "scapy", "socket", "sqlite3", "ssl", "subprocess", "unittest", "urllib.request", "xml",
    "zstandard",
}  # fmt: skip
SHOW = """
import sys
from monitor.cli import cli
cli(sys.argv[1:], standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""


def imported(path: Path, *options: str) -> set[str]:
    """Modules of a replay of a capture without a frame."""
    path.write_bytes(pcap([]))
    line = [sys.executable, "-S", "-c", SHOW, "replay", str(path), "--rules", str(RULES), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # -S: what .pth files import is not ours
    ran = subprocess.run(line, capture_output=True, text=True, check=True, env=environment)
    return set(ran.stderr.split())


@pytest.mark.parametrize("output", ["table", "jsonl"])
def test_a_replay_imports_little(output: str, tmp_path: Path) -> None:
    modules = imported(tmp_path / "empty.pcap", "--format", output)
    assert modules & NEVER == set()
    assert ("rich" in modules) == ("dataclasses" in modules) == (output == "table")
    if native_is_here():
        assert "dpkt" not in modules
