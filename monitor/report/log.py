"""The log of a sensor that runs: one line on standard error for each thing worth knowing, as text or as JSON.

Under systemd a line of text begins with its priority and has no time, for the journal knows it better. Whoever calls
`say` masks what came off the wire; what could move a cursor is escaped here.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from monitor.config import LogAs
from monitor.report.journal import encode
from monitor.report.text import printable, rfc3339

PRIORITY = {"ERROR": 3, "VIOLATION": 4, "WARNING": 4, "INFO": 6}  # sd-daemon(3)


class Log:
    def __init__(self, how: LogAs = LogAs.TEXT) -> None:
        self.how = how

    def say(self, level: str, text: str) -> None:
        time_ns = time.time_ns()
        if self.how is LogAs.JSON:
            line = encode({"time": rfc3339(time_ns), "level": level, "text": text})
        elif _to_the_journal():
            line = f"<{PRIORITY[level]}>{level} {printable(text)}"
        else:
            line = f"{rfc3339(time_ns)[:23]}Z {level} {printable(text)}"
        with suppress(OSError):  # a log that nobody takes is no reason to stop looking
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _to_the_journal() -> bool:
    """systemd says which stream is the journal's (systemd.exec(5), JOURNAL_STREAM)."""
    stream = os.environ.get("JOURNAL_STREAM")
    if stream is None:
        return False
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"
