"""A file that a thread of its own writes: who adds to it never waits for the disk.

What the disk does not take is dropped and counted, and the file is opened anew: after a failed write nothing is tried
again on the same descriptor. A line that was begun is taken back.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from typing import Self

from monitor.errors import ConfigError

MOST_BYTES = 16 * 1024 * 1024  # that wait for the disk
AGAIN_S = 1.0  # after a failure
LAST_S = 1.5  # for what waits when the sensor is stopped
MODE = 0o600


class LateFile:
    """Takes whole lines. Raises ConfigError when the file cannot be opened at the start."""

    def __init__(self, path: Path) -> None:
        self.lost = 0  # lines
        self._path = path
        self._file: int | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._changed = Condition()  # guards what waits; nobody holds it during I/O
        self._stopped = False
        self._reopen = False
        try:
            self._file = _opened(path)
        except OSError as fault:
            raise ConfigError(f"{path}: cannot be written: {fault.strerror}; mend the folder or name another") from None
        self._thread = Thread(target=self._write_on, name="journal", daemon=True)

    def write(self, text: str) -> int:
        octets = text.encode()
        with self._changed:
            if self._size + len(octets) > MOST_BYTES:
                self.lost += text.count("\n")
            else:
                self._waiting.append(octets)
                self._size += len(octets)
                self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """The thread does so."""

    def reopen(self) -> None:
        """The next line is in the file that has the name then: after logrotate moved the old one."""
        with self._changed:
            self._reopen = True

    def lost_to_disk(self) -> int:
        return self.lost

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(LAST_S)

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                octets = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                reopen, self._reopen = self._reopen, False
            if reopen:
                self._close()
            if octets and not self._written(octets):
                with self._changed:
                    self.lost += octets.count(b"\n")
                    self._changed.wait_for(lambda: self._stopped, AGAIN_S)
            if self._stopped and not self._waiting:
                self._close()
                return

    def _written(self, octets: bytes) -> bool:
        try:
            if self._file is None:
                self._file = _opened(self._path)
            size = os.fstat(self._file).st_size
            try:
                rest = memoryview(octets)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._file, size)
                raise
        except OSError:
            self._close()
            return False
        return True

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                os.close(file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
