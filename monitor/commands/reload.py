"""Rules and configuration read again while the packet loop goes on: all of them, or nothing.

Reading two thousand partners takes a second, in which a ring would run over. So a thread reads and checks, and the loop
takes what is ready between two batches. An error leaves what is in force, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import NamedTuple

from monitor.agreements import RuleBook, load
from monitor.config import SensorConfig
from monitor.errors import ConfigError, MonitorError
from monitor.report.web_config import WebConfig


class Settings(NamedTuple):
    """What `watch` goes by."""

    config: SensorConfig
    book: RuleBook
    web: WebConfig


def read_all(read: Callable[[], SensorConfig], say: Callable[[str, str], None]) -> Settings:
    """Raises MonitorError with every fault of all files, not only of the first that has one."""
    config = read()
    faults: list[MonitorError] = []
    book = web = None
    try:
        book = load(config.rules)
    except MonitorError as mistake:
        faults.append(mistake)
    try:
        web = WebConfig(config.web_config, say)
    except MonitorError as mistake:
        faults.append(mistake)
    if book is None or web is None:
        raise faults[0] if len(faults) == 1 else ConfigError("\n".join(map(str, faults)))
    return Settings(config, book, web)


class Reload:
    """`wanted` is set by whoever wants one, a signal's handler for one; `ready` is asked by the loop, once a turn."""

    def __init__(self, read: Callable[[], Settings]) -> None:
        self.wanted = False
        self._read = read
        self._thread: Thread | None = None
        self._found: Settings | MonitorError | None = None

    def begins(self) -> bool:
        """Whether a reading began now; while one goes on, the next waits."""
        if not self.wanted or self._thread is not None:
            return False
        self.wanted = False
        self._thread = Thread(target=self._go, name="reload", daemon=True)
        self._thread.start()
        return True

    def ready(self) -> Settings | MonitorError | None:
        """What was read, once."""
        if self._thread is None or self._thread.is_alive():
            return None
        found, self._found, self._thread = self._found, None, None
        return found

    def _go(self) -> None:
        try:
            self._found = self._read()
        except MonitorError as mistake:
            self._found = mistake
