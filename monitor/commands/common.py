"""What several commands need: the key of the tokens, the signals that end a loop, and where complaints go."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from monitor.pipeline import Stop
from monitor.records import Batch
from monitor.redact import Redactor, load_key, new_key
from monitor.report.text import printable

ECHO_S = 0.5


def redactor(key_file: Path | None) -> Redactor:
    """Without a key file the key lives as long as the process: tokens of two runs cannot be compared."""
    return Redactor(load_key(key_file) if key_file else new_key())


def complain(batch: Batch) -> None:
    """One line for each source that was cut or could not be read."""
    for fault in batch.faults:
        sys.stderr.write(f"{printable(fault.message)}\n")


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """For a run that ends: heads and verdicts hold no cycles, and the search for some looks at each of them again."""
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()


@contextmanager
def stop_on(*signals: signal.Signals) -> Iterator[Stop]:
    """The first of these signals sets the Stop; a second one ends the process as it always did.

    One that comes at once is the first again: timeout(1) sends to the process, and then to the group that it is in.
    """
    stop, first_s = Stop(), 0.0

    def tell(number: int, _frame: FrameType | None) -> None:
        nonlocal first_s
        if not stop.told:
            stop.told, first_s = True, time.monotonic()
        elif time.monotonic() > first_s + ECHO_S:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    before = {int(number): signal.signal(number, tell) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def lock_in_to_read(*ports: int) -> None:
    """A process of its own that reads captures may read any file and be asked for metrics on these ports, no more.

    Without a word where the kernel lacks a part: nothing is promised here, and doctor says what there is.
    """
    from monitor.sandbox import Reach, Sandbox  # late: ctypes, and a program that imports us needs none of it

    Sandbox.enter(Reach(read=(Path("/"),), listen=ports))
