from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.report import outbox
from monitor.report.outbox import Alert, Outbox

ALERT = Alert({"alertname": "A", "outcome": "expired"}, {"summary": "s"}, 1.0, 2.0, {"one:9093": 3.0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.json"


def test_what_is_written_is_there_at_the_next_start(path: Path) -> None:
    kept = Outbox(path)
    assert kept.open() == []
    assert kept.write([ALERT])
    kept.close()
    assert Outbox(path).open() == [ALERT]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_nothing_is_kept() -> None:
    kept = Outbox(None)
    assert kept.open() == []
    assert kept.write([ALERT])
    kept.close()


def test_two_sensors_cannot_share_one(path: Path) -> None:
    first = Outbox(path)
    first.open()
    with pytest.raises(ConfigError, match="another sensor"):
        Outbox(path).open()
    first.close()
    Outbox(path).open()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "alerts": [{"x": 1}]}', '{"format": 2}']
)
def test_a_file_that_is_no_outbox_is_refused_and_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError, match="move it away"):
        Outbox(path).open()
    assert path.read_text() == text


def test_a_folder_that_is_not_ours_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept here"):
        Outbox(tmp_path / "file/outbox.json").open()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("call", ["open", "fsync", "rename"])
def test_a_kill_in_the_middle_of_a_write_leaves_what_was_before(
    path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Outbox(path)
    kept.open()
    kept.write([ALERT])
    with monkeypatch.context() as patch:

        def die(*_: object, **__: object) -> None:
            raise Killed

        patch.setattr(*((Path, "rename") if call == "rename" else (outbox.os, call)), die)
        with pytest.raises(Killed):
            kept.write([])
    kept.close()
    again = Outbox(path)
    assert again.open() == [ALERT]
    assert again.write([])
    assert json.loads(path.read_text())["alerts"] == []


def test_a_disk_that_refuses_is_counted_and_the_next_write_is_to_a_new_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, flushed = Outbox(path), []
    kept.open()
    real = os.fsync

    def full(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        if len(flushed) == 1:
            keep_open.append(os.dup(descriptor))  # so that its inode is not given to the next file
            raise OSError(28, "No space left on device")
        real(descriptor)

    keep_open: list[int] = []
    monkeypatch.setattr(outbox.os, "fsync", full)
    assert not kept.write([ALERT])
    assert (kept.lost, path.exists()) == (1, False)
    assert kept.write([ALERT])
    assert flushed[0] not in flushed[1:]
    assert kept.lost == 1
    os.close(keep_open[0])


KILLS = """
import os, random, signal, sys
from pathlib import Path
from monitor.report.outbox import Alert, Outbox

path, seed = Path(sys.argv[1]), random.Random(sys.argv[2])
for _ in range(int(sys.argv[3])):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        outbox = Outbox(path)
        kept = outbox.open()
        while True:
            kept.append(Alert({"n": str(len(kept))}, {"text": "x" * 2000}, 0.0, 0.0))
            outbox.write(kept[-20:])
            os.write(write, b"%s\\n" % kept[-1].labels["n"].encode())
    os.close(write)
    with os.fdopen(read) as told:
        for _ in range(seed.randrange(1, 6)):
            acknowledged = told.readline()
        for _ in range(seed.randrange(2000)):
            pass
        os.kill(child, signal.SIGKILL)
        acknowledged = ([acknowledged] + told.readlines())[-1]
    os.waitpid(child, 0)
    outbox = Outbox(path)
    assert int(outbox.open()[-1].labels["n"]) >= int(acknowledged)
    outbox.close()
"""


def test_what_was_acknowledged_survives_a_kill_at_any_moment(path: Path) -> None:
    rounds = os.environ.get("KILLS", "20")
    run = subprocess.run((sys.executable, "-c", KILLS, path, "1", rounds), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
