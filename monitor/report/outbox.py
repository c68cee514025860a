"""Alerts on their way to Alertmanager, kept on disk: what was found is told, whatever dies in between.

The file is small and always whole: every change writes a new one beside it, flushes that to the disk and moves it over
the old one (rename is atomic). So a kill at any moment leaves the state before or after, and what could not be flushed
is never flushed again under the same name: after a failed fsync the kernel may believe that pages are clean which never
reached the disk. No alert holds a number.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError

FORMAT = 1
MODE = 0o600


@dataclass(slots=True)
class Alert:
    """`labels` are its identity: Alertmanager knows it again by them. Times are Unix times."""

    labels: dict[str, str]
    annotations: dict[str, str]
    begun_s: float
    seen_s: float  # latest sighting
    accepted_s: dict[str, float] = field(default_factory=dict)  # by Alertmanager: when it first took it

    @property
    def identity(self) -> tuple[str, ...]:
        return tuple(self.labels.values())


class Outbox:
    """The file. Nothing is kept without one; `path` of another sensor that runs is refused."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lost = 0  # writes that failed; what they held is tried again with the next
        self._lock: int | None = None

    def open(self) -> list[Alert]:
        """The alerts of the process before; raises ConfigError when this cannot be our file."""
        if self.path is None:
            return []
        try:
            self._lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _read(self.path)
        except BlockingIOError:
            raise ConfigError(f"{self.path}: another sensor keeps its alerts here; name another outbox") from None
        except OSError as fault:
            raise ConfigError(
                f"{self.path}: the outbox cannot be kept here: {fault.strerror}; mend the folder or name another"
            ) from None

    def write(self, alerts: Iterable[Alert]) -> bool:
        """Whether they are on the disk now. A disk that is full or broken is counted; the sensor goes on."""
        if self.path is None:
            return True
        text = json.dumps({"format": FORMAT, "alerts": [asdict(alert) for alert in alerts]}, indent=1)
        fresh = self.path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(self.path)
            _flush_folder(self.path.parent)
        except OSError:
            self.lost += 1
            return False
        return True

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _read(path: Path) -> list[Alert]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    try:
        kept: Any = json.loads(text)
        if kept["format"] != FORMAT:
            raise ConfigError(f"{path}: an outbox of format {kept['format']!r}, not {FORMAT}; move it away")
        return [Alert(**alert) for alert in kept["alerts"]]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: this is no outbox of a sensor; move it away") from None


def _flush_folder(folder: Path) -> None:
    """The new name is on the disk only once its folder is."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):  # file systems that cannot do so need not
        os.fsync(opened)
    os.close(opened)
