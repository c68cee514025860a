"""What the sensor tells systemd, where systemd runs it: sd_notify(3), one datagram a message, and no library.

Without NOTIFY_SOCKET in the environment every call does nothing, so the loop need not know whether it is supervised.
The watchdog is fed by `progress` alone, which the packet loop calls once a turn: a loop that stands still is restarted
(WatchdogSec= of the unit), a port without traffic is not.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

STATUS_S = 5.0  # between two status lines when no watchdog asks for a sign more often
SIGNS = 3  # of life within one watchdog period: one may be lost or late


class Supervisor:
    """`environment` is that of the process; `clock` gives seconds that never go back."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._socket = _connect(environment.get("NOTIFY_SOCKET", ""))
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period_us = int(environment.get("WATCHDOG_USEC", "0")) if watched else 0
        self._watchdog = period_us > 0
        self._interval_s = min(STATUS_S, period_us / 1e6 / SIGNS) if self._watchdog else STATUS_S
        self._due = clock()

    def ready(self, status: str) -> None:
        """The rules are loaded and the port is open; also after `reloading`."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def progress(self, status: Callable[[], str]) -> None:
        """The packet loop went round; `status` is asked for only when it is told, every few seconds."""
        if self._socket is None or (now := self._clock()) < self._due:
            return
        self._due = now + self._interval_s
        self._send(*(["WATCHDOG=1"] if self._watchdog else []), f"STATUS={status()}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # a supervisor that is away, or too busy to listen, must not stop the sensor
                self._socket.send("\n".join(lines).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()


def _connect(address: str) -> socket.socket | None:
    """Connected at once: the sandbox reaches no abstract socket later (@ in the address, a leading NUL in the call)."""
    if not address.startswith(("/", "@")):
        return None
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.setblocking(False)
    try:
        channel.connect("\0" + address[1:] if address[0] == "@" else address)
    except OSError:
        channel.close()
        return None
    return channel
