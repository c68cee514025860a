from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.supervisor import Supervisor


class Manager:
    """The end of the socket that systemd holds."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address}

    def told(self) -> list[str]:
        """The lines since the last call."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@test-{os.getpid()}")
    yield manager
    manager.close()


def test_a_life_is_told_in_the_words_of_sd_notify(manager: Manager) -> None:
    with Supervisor(manager.environment) as supervisor:
        supervisor.ready("watching eth1")
        assert manager.told() == ["READY=1", "STATUS=watching eth1"]
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        supervisor.reloading()
        reloading, stamp = manager.told()
        assert reloading == "RELOADING=1"
        assert (
            before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        )
        supervisor.stopping()
        assert manager.told() == ["STOPPING=1"]


def test_the_watchdog_is_fed_by_progress_alone_and_in_time(manager: Manager) -> None:
    now = 100.0
    environment = {**manager.environment, "WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid())}
    with Supervisor(environment, lambda: now) as supervisor:
        supervisor.ready("")
        supervisor.reloading()
        assert "WATCHDOG=1" not in manager.told()
        supervisor.progress(lambda: "12 frames")
        assert manager.told() == ["WATCHDOG=1", "STATUS=12 frames"]
        now += 1.9
        supervisor.progress(lambda: pytest.fail("nobody wants to know yet"))
        assert manager.told() == []
        now += 0.1  # a third of the period
        supervisor.progress(lambda: "13 frames")
        assert manager.told() == ["WATCHDOG=1", "STATUS=13 frames"]


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(manager: Manager, watchdog: dict[str, str]) -> None:
    with Supervisor({**manager.environment, **watchdog}) as supervisor:
        supervisor.progress(lambda: "12 frames")
    assert manager.told() == ["STATUS=12 frames"]


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/notify"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    with Supervisor({"NOTIFY_SOCKET": address} if address else {}) as supervisor:
        supervisor.ready("")
        supervisor.progress(lambda: pytest.fail("nobody listens"))
        supervisor.stopping()


def test_a_manager_that_went_away_stops_nothing(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    with Supervisor(manager.environment) as supervisor:
        manager.close()
        supervisor.ready("")
