"""What the kernel says of its ports, read from files that are made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import ports
from monitor.counts import zeros
from monitor.ports import Drops, is_up


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """/sys/class/net with eth1, and /proc/net/softnet_stat of two processors."""
    monkeypatch.setattr(ports, "PORTS", tmp_path)
    monkeypatch.setattr(ports, "SOFTNET", tmp_path / "softnet_stat")
    (tmp_path / "eth1/statistics").mkdir(parents=True)
    (tmp_path / "softnet_stat").write_text("00000010 00000003 00000000\n00000010 0000000a 00000000\n")
    lose(tmp_path, missed=7)
    return tmp_path


def lose(system: Path, missed: int = 0, fifo: int = 0) -> None:
    (system / "eth1/statistics/rx_missed_errors").write_text(f"{missed}\n")
    (system / "eth1/statistics/rx_fifo_errors").write_text(f"{fifo}\n")


@pytest.mark.parametrize(("state", "up"), [("up", True), ("unknown", True), ("down", False), ("lowerlayerdown", False)])
def test_up_is_what_can_carry_frames(system: Path, state: str, up: bool) -> None:
    (system / "eth1/operstate").write_text(f"{state}\n")
    assert is_up("eth1") == up


def test_a_port_that_vanished_is_not_up(system: Path) -> None:
    assert not is_up("eth2")


def test_drops_count_from_the_start_on(system: Path) -> None:
    counts = zeros()
    drops = Drops(("eth1",), counts)
    drops.count()
    assert (counts["nic_drops"], counts["softnet_drops"]) == (0, 0)
    lose(system, missed=9)
    (system / "softnet_stat").write_text("00000010 00000004 00000000\n00000010 0000000c 00000000\n")
    drops.count()
    drops.count()
    assert (counts["nic_drops"], counts["softnet_drops"]) == (2, 3)


def test_a_card_that_counts_under_both_names_counts_once(system: Path) -> None:
    counts = zeros()
    drops = Drops(("eth1",), counts)
    lose(system, missed=10, fifo=10)
    drops.count()
    assert counts["nic_drops"] == 3


def test_a_port_that_is_made_anew_begins_at_nothing(system: Path) -> None:
    counts = zeros()
    drops = Drops(("eth1",), counts)
    lose(system, missed=2)
    drops.count()
    assert counts["nic_drops"] == 2


def test_where_nothing_counts_nothing_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "PORTS", tmp_path)
    monkeypatch.setattr(ports, "SOFTNET", tmp_path / "none")
    counts = zeros()
    Drops(("eth1",), counts).count()
    assert not any(counts.values())


def test_where_a_unit_forbids_netlink_ports_are_named_by_sys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden() -> None:
        raise OSError("Address family not supported by protocol")

    for name in ("lo", "eth1"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(ports, "PORTS", tmp_path)
    monkeypatch.setattr("socket.if_nameindex", forbidden)
    assert ports.names() == ["eth1", "lo"]
