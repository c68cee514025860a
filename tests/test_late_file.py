from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.report import late_file
from monitor.report.late_file import LateFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.jsonl"


def soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until


def test_what_is_added_is_there_in_order_and_for_nobody_else(path: Path) -> None:
    path.write_text("before\n")
    path.chmod(0o600)
    with LateFile(path) as file:
        for n in range(1000):
            file.write(f"{n}\n")
    assert path.read_text() == "before\n" + "".join(f"{n}\n" for n in range(1000))
    assert file.lost == 0
    path.unlink()
    with LateFile(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"folder/x: cannot be written: No such file"):
        LateFile(tmp_path / "folder/x")


def test_a_full_disk_costs_lines_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_file, "AGAIN_S", 0.01)
    real, calls, full = os.write, [], [True]

    def write(file: int, octets: memoryview) -> int:
        calls.append(file)
        if not full[0]:
            return real(file, octets)
        if len(octets) > 4:
            return real(file, octets[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(late_file.os, "write", write)
    with LateFile(path) as file:
        file.write("one\ntwo\n")
        soon(lambda: file.lost == 2)
        assert path.read_text() == ""  # no half of it stays
        full[0] = False
        file.write("three\n")
    assert path.read_text() == "three\n"
    assert file.lost == 2


def test_who_adds_never_waits_and_what_waits_has_a_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_file, "MOST_BYTES", 10)
    file = LateFile(path)  # nobody writes yet
    file.write("12345\n")
    file.write("678\n")
    file.write("a\nb\n")
    assert file.lost == 2
    with file:
        pass
    assert path.read_text() == "12345\n678\n"


def test_after_logrotate_it_goes_on_in_the_new_file(path: Path) -> None:
    with LateFile(path) as file:
        file.write("old\n")
        soon(lambda: path.read_text() == "old\n")
        path.rename(path.with_suffix(".1"))
        file.reopen()
        file.write("new\n")
    assert (path.with_suffix(".1").read_text(), path.read_text()) == ("old\n", "new\n")
