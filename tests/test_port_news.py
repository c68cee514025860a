"""What the log of `watch` says of its ports."""

from __future__ import annotations

import pytest

from monitor.commands.watch import PortNews
from monitor.report.log import Log


def test_a_port_that_goes_down_is_in_the_log_once_and_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up = {"tap0": True, "tap1": True}
    monkeypatch.setattr("monitor.commands.watch.is_up", up.__getitem__)
    monkeypatch.setattr("monitor.commands.watch.PORTS_S", 0.0)
    news = PortNews(("tap0", "tap1"), Log())
    for state in (True, False, False, True):
        up["tap1"] = state
        news.look()
    down, back = capsys.readouterr().err.splitlines()
    assert "WARNING tap1 is down or gone, nothing of it is seen: ip link set tap1 up" in down
    assert "INFO tap1 is up again, and read on" in back
