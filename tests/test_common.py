from __future__ import annotations

import gc
import os
import signal
from types import SimpleNamespace

import pytest

from monitor import counts
from monitor.commands import common
from monitor.commands.common import complain, no_search_for_cycles, stop_on
from monitor.records import Batch, Fault


def test_the_first_signal_asks_and_the_second_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(common, "time", SimpleNamespace(monotonic=lambda: now_s))
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
    try:
        with stop_on(signal.SIGINT) as stop:
            assert not stop.told
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.told
            now_s += 0.4
            os.kill(os.getpid(), signal.SIGINT)  # timeout(1) sends it to the process, and to its group
            now_s += 0.2
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, usual)


def test_cycles_are_searched_for_again_whatever_happened() -> None:
    with no_search_for_cycles():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt), no_search_for_cycles():
        raise KeyboardInterrupt
    assert gc.isenabled()


def test_each_fault_is_one_line_whatever_a_file_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    faults = (Fault("a\nb", None, False, "a\nb\x1b[2J is no capture"), Fault("c", 24, True, "c is cut at byte 24"))
    complain(Batch([], counts.zeros(), 0, 0, faults, True))
    assert capsys.readouterr().err == "a\\nb\\x1b[2J is no capture\nc is cut at byte 24\n"
