from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import enumerate as threads
from typing import Any

import pytest

from monitor import counts, pipeline
from monitor.commands import watch as watching
from monitor.commands.watch import reach, watch
from monitor.config import AlertmanagerAt, LogAs, SensorConfig
from monitor.errors import ConfigError, RuleError
from monitor.records import Batch, Flow, RequestHead, Watch
from monitor.report.log import Log
from monitor.report.news import News
from monitor.verdicts import Outcome
from tests.leaks import RULES, write_rules
from tests.verdicts import one, verdict

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
HEAD = RequestHead(
    10**18, FLOW, b"GET", b"/", b"HTTP/1.1", ((b"host", b"447700800123.example"), (b"x-msisdn", b"447700900123"))
)


class Port:
    """An engine on a port: each poll does the next thing and gives one leaking head."""

    name = "portable"
    remarks = ("lo: the ring has 32 MiB",)

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = [*steps, lambda: os.kill(os.getpid(), signal.SIGTERM)]
        self.heads = 0

    def poll(self, timeout: float) -> Batch:
        self.steps.pop(0)()
        self.heads += 1
        return Batch([HEAD], counts.zeros() | {"frames": self.heads, "turns": self.heads}, 0, 0, (), False)

    def watch_for(self, watch: Watch) -> None:
        self.watched = watch

    def drain(self) -> Batch:
        return Batch([], counts.zeros() | {"frames": self.heads, "turns": self.heads}, 0, 0, (), False)

    def close(self) -> None:
        pass


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for file in RULES.iterdir():
        (folder / file.name).write_text(file.read_text())
    return folder


@pytest.fixture
def address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()


def scrape(address: tuple[str, int]) -> str:
    return str(urllib.request.urlopen(f"http://{address[0]}:{address[1]}/metrics", timeout=5).read().decode())


def run(
    monkeypatch: pytest.MonkeyPatch,
    rules: Path,
    address: tuple[str, int],
    *steps: Callable[[], object],
    port: type[Port] = Port,
    **more: Any,
) -> int:
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: port(*steps))
    return watch(lambda: SensorConfig(interfaces=("lo",), rules=rules, listen=address, **more))


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def is_read() -> None:
    """The reload has been read; the loop takes it after this step."""
    for thread in threads():
        if thread.name == "reload":
            thread.join()


def test_a_leak_shows_in_metrics_and_once_in_the_log(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    assert run(monkeypatch, rules, address, lambda: None, lambda: seen.append(scrape(address))) == 0
    line = 'verdicts_total{certainty="confirmed",outcome="unknown_recipient",partner="none",purpose="none"} 1.0'
    assert line in seen[0]
    assert 'msisdn_monitor_capture_up{interface="lo"} 1.0' in seen[0]
    log = capsys.readouterr().err
    assert log.count("VIOLATION unknown_recipient: plain msisdn in header x-msisdn to ") == 1
    assert "to 44********23.example" in log
    assert "123.example" not in log
    assert "watching lo: engine portable" in log
    assert "WARNING lo: the ring has 32 MiB" in log
    assert "stopped; 3 frames (0 dropped by the kernel)" in log


def test_sighup_reads_the_rules_again(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def change() -> None:
        partner = rules / "portal.yaml"
        partner.write_text(partner.read_text().replace("partner: portal", "partner: gateway"))
        os.kill(os.getpid(), signal.SIGHUP)

    assert run(monkeypatch, rules, address, change, is_read, lambda: seen.append(scrape(address))) == 0
    assert 'partner="gateway"' in seen[0]
    assert "config_last_reload_successful 1.0" in seen[0]
    assert "reloaded (sha256 " in capsys.readouterr().err


def test_rules_that_are_wrong_change_nothing_but_a_metric(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def spoil() -> None:
        seen.append(scrape(address))
        (rules / "portal.yaml").write_text("partner: [")
        os.kill(os.getpid(), signal.SIGHUP)

    assert run(monkeypatch, rules, address, spoil, is_read, lambda: seen.append(scrape(address))) == 0
    before, after = seen
    info = [line for line in before.splitlines() if line.startswith("msisdn_monitor_rules_info{")]
    assert info == [line for line in after.splitlines() if line.startswith("msisdn_monitor_rules_info{")]
    assert "config_last_reload_successful 0.0" in after
    assert "ERROR nothing was reloaded" in (log := capsys.readouterr().err)
    assert re.search(r"ERROR \S+portal\.yaml:\d+:\d+: ", log)


def test_wrong_rules_at_the_start_are_an_error(rules: Path, address: tuple[str, int]) -> None:
    (rules / "portal.yaml").write_text("partner: [")
    with pytest.raises(RuleError, match="portal"):
        watch(lambda: SensorConfig(interfaces=("lo",), rules=rules, listen=address))


def test_without_a_port_there_is_nothing_to_watch(rules: Path) -> None:
    with pytest.raises(ConfigError, match="no port is named: use --interface"):
        watch(lambda: SensorConfig(rules=rules))


def test_systemd_is_told_of_the_start_each_turn_the_reload_and_the_end(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], tmp_path: Path
) -> None:
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1")  # each turn of the loop is due

        def listen() -> None:
            with suppress(BlockingIOError):
                while True:
                    told.extend(manager.recv(4096).decode().split("\n"))
            told.append("poll")

        run(monkeypatch, rules, address, listen, listen, hang_up, is_read, listen)
        listen()
    words = [line for line in told if not line.startswith(("STATUS", "MONOTONIC"))]
    # a poll that does not come back feeds no watchdog; the third sends SIGHUP, after the fourth the rules are there,
    # the sixth sends SIGTERM and is drained
    assert " ".join(words) == (
        "READY=1 poll WATCHDOG=1 poll WATCHDOG=1 WATCHDOG=1 RELOADING=1 WATCHDOG=1 READY=1 poll "
        "WATCHDOG=1 WATCHDOG=1 STOPPING=1 poll"
    )
    assert "STATUS=lo is up: 1 frames (0 dropped by the kernel)" in "\n".join(told)


def test_a_thread_that_stands_still_feeds_no_watchdog(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], tmp_path: Path
) -> None:
    class Stalled(Port):
        """Python polls on, and one of the engine's threads went round once."""

        def poll(self, timeout: float) -> Batch:
            self.steps.pop(0)()
            return self.drain()

        def drain(self) -> Batch:
            return Batch([], counts.zeros() | {"turns": 1}, 0, 0, (), False)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1")
        run(monkeypatch, rules, address, *[lambda: None] * 5, port=Stalled)
        told: list[str] = []
        with suppress(BlockingIOError):
            while True:
                told.extend(manager.recv(4096).decode().split("\n"))
    assert told.count("WATCHDOG=1") == 1


def test_a_port_in_use_is_an_error(monkeypatch: pytest.MonkeyPatch, rules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ConfigError, match="cannot listen"):
        run(monkeypatch, rules, server.getsockname())


def test_signals_are_as_before_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run(monkeypatch, rules, address)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_each_kind_of_violation_is_news_once(capsys: pytest.CaptureFixture[str]) -> None:
    news = News(Log().say)
    for number in range(10):
        news.feed(one(verdict(recipient=f"{number}.example", field=b"x-%d" % number), "t"))
    news.feed(one(verdict(Outcome.ALLOWED), "t"))
    news.feed(one(verdict(Outcome.EXPIRED, partner="ageverify", purpose="age_verification", field=b""), "t"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "in header (no name) to" in lines[1]
    assert "partner ageverify, purpose age_verification" in lines[1]


def test_a_hostile_host_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    News(Log().say).feed(one(verdict(recipient="a\n2012-01-10 INFO all is well\x1b[2J"), "t"))
    log = capsys.readouterr().err
    assert log.count("\n") == 1
    assert "\x1b" not in log


def test_a_hundred_reloads_under_load_lose_nothing_and_judge_nothing_by_half_a_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each list agrees to one of two hosts; a batch has a request to both, so exactly one of them is allowed."""
    lists = [write_rules(tmp_path / host, host=f"{host}.example") for host in ("one", "two")]
    rules = tmp_path / "rules"
    rules.symlink_to(lists[0])
    pair = [
        HEAD._replace(fields=((b"host", b"%b.example" % host), (b"x-msisdn", b"447700900123")))
        for host in (b"one", b"two")
    ]
    judged: list[str] = []
    monkeypatch.setattr(News, "feed", lambda _, verdicts: judged.extend(each.outcome for each, _ in verdicts.told))

    class Busy(Port):
        adopted = polled = 0

        def poll(self, timeout: float) -> Batch:
            Busy.polled += 1
            if Busy.adopted >= 100:
                os.kill(os.getpid(), signal.SIGTERM)
            elif not any(thread.name == "reload" for thread in threads()):
                (tmp_path / "new").symlink_to(lists[Busy.adopted % 2 - 1])
                (tmp_path / "new").replace(rules)
                os.kill(os.getpid(), signal.SIGHUP)
            return Batch(pair, counts.zeros(), 0, 0, (), False)

        def watch_for(self, watch: Watch) -> None:
            Busy.adopted += 1

    assert run(monkeypatch, rules, address, port=Busy) == 0
    pairs = list(zip(judged[::2], judged[1::2], strict=True))
    assert set(pairs) == {("allowed", "unknown_recipient"), ("unknown_recipient", "allowed")}
    log = capsys.readouterr().err
    assert log.count(" reloaded (sha256 ") == Busy.adopted >= 100
    assert f"{len(judged):,} with an identifier" in log
    assert len(pairs) == Busy.polled


def test_what_needs_a_restart_is_said(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "open_engine", lambda *_, **__: Port(hang_up, is_read, lambda: None))
    configurations = [SensorConfig(interfaces=("lo",), rules=rules, listen=address)]
    configurations.append(SensorConfig(interfaces=("lo", "eth1"), rules=rules, listen=address, log=LogAs.JSON))
    assert watch(lambda: configurations.pop(0)) == 0
    log = capsys.readouterr().err
    assert "WARNING needs a restart: interfaces" in log
    assert log.splitlines()[-1].startswith('{"time":')  # but this one does not


def test_every_verdict_is_in_the_journal(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], tmp_path: Path
) -> None:
    journal = tmp_path / "verdicts.jsonl"

    def is_written() -> None:
        until = time.monotonic() + 5
        while not journal.read_text():
            assert time.monotonic() < until  # it is there before the end

    assert run(monkeypatch, rules, address, lambda: None, is_written, journal=journal) == 0
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [row["outcome"] for row in rows] == ["unknown_recipient"] * 3
    assert "900123" not in journal.read_text()


def test_metrics_are_behind_a_password_that_a_reload_changes(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], tmp_path: Path
) -> None:
    web, seen = tmp_path / "web.yml", []
    web.write_text("http_server_config: {headers: {X-Frame-Options: first}}")

    def look() -> None:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/-/healthy", timeout=5) as answer:
            seen.append(answer.headers["X-Frame-Options"])

    def change() -> None:
        web.write_text("http_server_config: {headers: {X-Frame-Options: second}}")
        hang_up()

    assert run(monkeypatch, rules, address, look, change, is_read, look, web_config=web) == 0
    assert seen == ["first", "second"]


def test_an_alert_that_cannot_survive_a_restart_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = AlertmanagerAt(url="http://127.0.0.1:1")
    assert run(monkeypatch, rules, address, lambda: None, alertmanagers=(nobody,)) == 0
    log = capsys.readouterr().err
    assert "WARNING alerts that wait do not survive a restart" in log
    assert "WARNING Alertmanager 127.0.0.1:1 does not take alerts; trying again: " in log


def test_what_a_sandbox_must_leave_open() -> None:
    at = AlertmanagerAt(url="https://am:9093", ca_file=Path("/pki/ca.pem"))
    config = SensorConfig(
        rules=Path("/etc/rules"),
        web_config=Path("/etc/web/web.yml"),
        alertmanagers=(at,),
        outbox=Path("/var/x/outbox"),
        journal=Path("/var/x/journal"),
        listen=("::1", 9108),
    )
    config.file = Path("/etc/sensor/sensor.yaml")
    left = reach(config)
    assert left.read == (Path("/etc/rules"), Path("/etc/sensor"), Path("/etc/web"), Path("/pki"))
    assert (left.write, left.connect, left.listen) == ((Path("/var/x"),), (9093,), (9108,))


def test_a_packet_loop_that_stands_still_is_not_healthy(
    monkeypatch: pytest.MonkeyPatch, rules: Path, address: tuple[str, int]
) -> None:
    seen: list[int] = []

    def look() -> None:
        try:
            seen.append(urllib.request.urlopen(f"http://{address[0]}:{address[1]}/-/healthy", timeout=5).status)
        except urllib.error.HTTPError as answer:
            seen.append(answer.status)

    def stand_still() -> None:
        monkeypatch.setattr(watching, "STANDSTILL_S", -1)

    assert run(monkeypatch, rules, address, look, stand_still, look) == 0
    assert seen == [200, 503]
