"""What a command costs: runs it to its end, yields CPU seconds, wall clock and peak memory of the whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    cpu_s: float  # user and system
    wall_s: float
    peak_mb: float


def cost(line: Sequence[str], output: Path, codes: tuple[int, ...] = (0,)) -> Cost:
    """Runs one command; `output` gets what it prints. Ends the program when it ends with none of `codes`."""
    with output.open("wb") as out, output.with_suffix(".err").open("w+b") as err:
        begun = time.monotonic()
        process = subprocess.Popen(line, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            err.seek(0)
            sys.exit(f"{line[0]} ended with {process.returncode}: {err.read().decode(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss / 1024)


def middle(costs: Sequence[Cost]) -> Cost:
    """Figure by figure the median."""
    return Cost(*map(median, zip(*costs, strict=True)))
