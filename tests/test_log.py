from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from monitor.config import LogAs
from monitor.report.log import Log


def test_a_line_of_text_has_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    Log().say("WARNING", "the port\nis down\x1b[2J")
    log = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING the port\\nis down\\x1b\[2J\n", log)


def test_a_line_of_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    Log(LogAs.JSON).say("ERROR", 'a "word"\n')
    log = capsys.readouterr().err
    assert log.count("\n") == 1
    assert json.loads(log).items() >= {"level": "ERROR", "text": 'a "word"\n'}.items()


def test_the_journal_gets_a_priority_and_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        monkeypatch.setattr(sys, "stderr", journal)
        Log().say("ERROR", "no")
        monkeypatch.setenv("JOURNAL_STREAM", "1:1")
        Log().say("INFO", "elsewhere")
    first, second = (tmp_path / "journal").read_text().splitlines()
    assert first == "<3>ERROR no"
    assert second.endswith("Z INFO elsewhere")


def test_a_log_that_nobody_takes_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        Log().say("INFO", "into the void")
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
