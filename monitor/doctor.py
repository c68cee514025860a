"""What runs here, what is missing, and how to mend it: one line each, for `doctor` and `--version`."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as version_of
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from monitor import __version__, mirror
from monitor.engine import native_is_here, open_engine
from monitor.engine import survey as look
from monitor.errors import EngineError, MonitorError
from monitor.ports import is_up, missing, mtu
from monitor.records import CaptureFiles, Watch
from monitor.redact import mask_name
from monitor.sandbox import PR_GET_SECCOMP, Kernel

PACKAGE = "msisdn-monitor"
CAP_NET_RAW = 13  # capabilities(7)
OK, OPTIONAL, MISSING = "ok", "--", "MISSING"
COLOURS = {OK: "\x1b[32m", OPTIONAL: "\x1b[2m", MISSING: "\x1b[1;31m", mirror.CHANGE: "\x1b[1;33m"}
STATUS = Path("/proc/self/status")


class Finding(NamedTuple):
    mark: str
    text: str


def version() -> str:
    return f"{__version__} (engine {engine_name()}, Python {platform.python_version()})"


def engine_name() -> str:
    """The engine that `--engine auto` takes here. Raises EngineError when the environment asks for one that is not."""
    engine = open_engine(CaptureFiles(()), Watch())
    engine.close()
    return engine.name


def examine(interface: str | None, rules: Path | None, seconds: float = 0, as_json: bool = False) -> int:
    """Prints the findings, of the port after a look of so many seconds at what it delivers.

    Returns 2 when something that was asked about is missing, 4 when the mirror hides or distorts something, else 0;
    raises SourceError when the port cannot be read.
    """
    findings = [*_program(), _capability(needed=interface is not None), _sandbox()]
    if interface is not None:
        findings.append(_port(interface))
    if rules is not None:
        findings.append(_rules(rules))
    survey = None
    if interface is not None and seconds and not any(mark == MISSING for mark, _ in findings):
        survey = look(interface, mtu(interface), seconds)
        findings += [Finding(*line) for line in mirror.lines(survey)]
    if as_json:
        said = {
            "findings": [each._asdict() for each in findings],
            "survey": survey and vars(survey),
        }
        sys.stdout.write(f"{json.dumps(said)}\n")
    else:
        _print(findings)
    marks = {mark for mark, _ in findings}
    return 2 if MISSING in marks else 4 if mirror.CHANGE in marks else 0


def _print(findings: Sequence[Finding]) -> None:
    """In columns, on a terminal as wide as it is, the marks in colour."""
    is_terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = max(60, min(shutil.get_terminal_size().columns, 110)) if is_terminal else 0
    for mark, text in findings:
        shown = f"{COLOURS[mark]}{mark:8}\x1b[0m" if is_terminal else f"{mark:8}"
        folded = [part for line in text.splitlines() for part in (wrap(line, width - 8) if width else [line])]
        sys.stdout.write(shown + ("\n" + " " * 8 if width else "\n").join(folded) + "\n")


def _program() -> Iterator[Finding]:
    yield Finding(OK, f"{PACKAGE} {__version__}, Python {platform.python_version()} on {platform.platform()}")
    yield _engine()
    needed = [line for line in requires(PACKAGE) or () if "extra ==" not in line]
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed]
    yield Finding(OK, "libraries: " + ", ".join(f"{name} {version_of(name)}" for name in names))
    try:
        yield Finding(OK, f"scapy {version_of('scapy')}")
    except PackageNotFoundError:
        yield Finding(OPTIONAL, f"no scapy: only making captures needs it; pip install '{PACKAGE}[scapy]'")


def _engine() -> Finding:
    try:
        name = engine_name()
    except EngineError as mistake:
        return Finding(MISSING, str(mistake))
    return Finding(OK, f"engine {name}" + ("" if native_is_here() else "; the native one is not in this installation"))


def _capability(needed: bool) -> Finding:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", STATUS.read_text() if STATUS.exists() else "", re.MULTILINE)
    if found and int(found[1], 16) >> CAP_NET_RAW & 1:
        return Finding(OK, "CAP_NET_RAW: this user can read a port")
    remedy = "use sudo, or AmbientCapabilities=CAP_NET_RAW in the systemd unit"
    return Finding(MISSING if needed else OPTIONAL, f"no CAP_NET_RAW, which `watch` needs: {remedy}")


def _sandbox() -> Finding:
    if platform.system() != "Linux":
        return Finding(OPTIONAL, "sandbox: only Linux has one")
    kernel = Kernel()
    lacking = [] if kernel.landlock_abi() else ["landlock (Linux 5.13, and in lsm=)"]
    try:
        kernel.prctl(PR_GET_SECCOMP)
    except OSError:
        lacking.append("seccomp")
    if lacking:
        return Finding(OPTIONAL, f"sandbox: `watch` goes on without what this kernel lacks: {' and '.join(lacking)}")
    return Finding(OK, f"sandbox: `watch` locks itself in by seccomp and landlock (ABI {kernel.landlock_abi()})")


def _port(name: str) -> Finding:
    if wrong := missing(name):
        return Finding(MISSING, mask_name(wrong))
    if not is_up(name):
        return Finding(MISSING, f"interface {name} is down: ip link set {name} up")
    return Finding(OK, f"interface {name} is up")


def _rules(folder: Path) -> Finding:
    from monitor.agreements import load  # late: --version needs no rules

    try:
        book = load(folder)
    except MonitorError as mistake:
        return Finding(MISSING, f"rules {folder} do not load; see msisdn-monitor check {folder}\n{mistake}")
    return Finding(OK, f"rules {folder}: {len(book.partners)} partners, sha256 {book.sha256[:12]}")
