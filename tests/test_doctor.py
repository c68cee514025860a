from __future__ import annotations

from pathlib import Path

import pytest

from monitor import doctor
from monitor import ports as port_state
from monitor.doctor import examine
from tests.leaks import RULES


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A status file of a process with CAP_NET_RAW."""
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nCapEff:\t0000000000002000\n")
    monkeypatch.setattr(doctor, "STATUS", status)
    return status


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """/sys/class/net with eth1, which is up."""
    monkeypatch.setattr(port_state, "PORTS", tmp_path)
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "eth1")])
    (tmp_path / "eth1").mkdir()
    (tmp_path / "eth1/operstate").write_text("up\n")
    return tmp_path


def test_all_is_well(capable: Path, ports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine("eth1", RULES) == 0
    shown = capsys.readouterr().out
    assert "MISSING" not in shown
    for part in ("engine ", "PyYAML 6", "this user can read a port", "interface eth1 is up", "3 partners"):
        assert part in shown


def test_without_the_capability_watch_cannot_run(
    capable: Path, ports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capable.write_text("CapEff:\t0000000000000000\n")
    assert examine("eth1", None) == 2
    assert "MISSING no CAP_NET_RAW, which `watch` needs: use sudo" in capsys.readouterr().out
    assert examine(None, None) == 0  # nobody asked for a port
    assert "--      no CAP_NET_RAW" in capsys.readouterr().out


def test_an_interface_that_is_not_there_is_named_with_those_that_are(
    capable: Path, ports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examine("eth9", None) == 2
    assert "MISSING there is no interface eth9, perhaps eth1; there are: lo, eth1" in capsys.readouterr().out


@pytest.mark.parametrize(("state", "up"), [("up", True), ("unknown", True), ("down", False), ("lowerlayerdown", False)])
def test_an_interface_that_is_down_says_how_to_mend_it(
    state: str, up: bool, capable: Path, ports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ports / "eth1/operstate").write_text(f"{state}\n")
    assert examine("eth1", None) == (0 if up else 2)
    assert ("ip link set eth1 up" in capsys.readouterr().out) != up


def test_rules_that_do_not_load_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(None, tmp_path) == 2
    assert "network.yaml: is missing" in capsys.readouterr().out


def test_what_the_kernel_lacks_for_the_sandbox_is_said(
    monkeypatch: pytest.MonkeyPatch, capable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor.Kernel, "landlock_abi", lambda _: 4)
    assert examine(None, None) == 0
    assert "ok      sandbox: `watch` locks itself in by seccomp and landlock (ABI 4)" in capsys.readouterr().out
    monkeypatch.setattr(doctor.Kernel, "landlock_abi", lambda _: 0)
    assert examine(None, None) == 0
    assert "--      sandbox: `watch` goes on without what this kernel lacks: landlock (" in capsys.readouterr().out
