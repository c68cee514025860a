from __future__ import annotations

import threading
from pathlib import Path

import pytest

from monitor.commands.reload import Reload, Settings, read_all
from monitor.config import SensorConfig
from monitor.errors import ConfigError, MonitorError
from tests.leaks import write_rules


def test_faults_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules")
    (rules / "biller.yaml").write_text("partner: [")
    (tmp_path / "web.yml").write_text("tls: {}")
    with pytest.raises(MonitorError) as mistake:
        read_all(lambda: SensorConfig(rules=rules, web_config=tmp_path / "web.yml"), lambda *_: None)
    assert "biller.yaml:2:1: " in str(mistake.value)
    assert "web.yml:1:1: tls: unknown key" in str(mistake.value)


def test_a_reading_does_not_hold_up_who_asks_and_is_handed_over_once(tmp_path: Path) -> None:
    go, reads = threading.Event(), []

    def read() -> Settings:
        reads.append(1)
        assert go.wait(5)
        return settings

    rules = write_rules(tmp_path / "rules")
    settings = read_all(lambda: SensorConfig(rules=rules), lambda *_: None)
    reload = Reload(read)
    assert not reload.begins()
    reload.wanted = True
    assert reload.begins()
    assert reload.ready() is None
    reload.wanted = True  # again, while it reads
    assert not reload.begins()
    go.set()
    while (found := reload.ready()) is None:
        pass
    assert found is settings
    assert reload.ready() is None
    assert reload.begins()  # the one that was asked for meanwhile
    while reload.ready() is None:
        pass
    assert len(reads) == 2


def test_a_mistake_is_handed_over_like_a_result() -> None:
    def read() -> Settings:
        raise ConfigError("no")

    reload = Reload(read)
    reload.wanted = True
    assert reload.begins()
    while (found := reload.ready()) is None:
        pass
    assert str(found) == "no"
