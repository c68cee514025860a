"""`watch` from end to end: two networks joined by a cable, a real server and a real client, and curl as the scraper.

`handsets` is where the subscribers are, `internet` is where the leaking request arrives and where the sensor listens.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.networks import ip, needs_root

pytestmark = [
    pytest.mark.live,
    needs_root,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]

PROGRAM = str(Path(sys.executable).with_name("msisdn-monitor"))
RULES = Path(__file__).parents[2] / "rules"
HANDSET, SERVER = "100.64.1.2", "203.0.113.9"
NUMBER = "447700900123"
VISIBLE_WITHIN_S = 2
PARTNER = f"""\
partner: shop
name: Shop Example
contract: HE-TEST
contact: privacy@shop.example
grants:
  - purpose: premium_billing
    hosts: [shop.example]
    networks: [{SERVER}/32]
    identifiers: [msisdn]
    fields: [x-msisdn]
    form: plain
"""


class Network:
    """A network namespace with a name."""

    def __init__(self, name: str) -> None:
        self.name = f"{name}-{os.getpid()}"

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str) -> str:
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True).stdout

    @contextmanager
    def running(self, *words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(*words), cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def networks() -> Iterator[tuple[Network, Network]]:
    """`handsets` and `internet`, each with its end of the cable: `near` and `far`."""
    handsets, internet = Network("handsets"), Network("internet")
    try:
        for network in (handsets, internet):
            ip("netns", "add", network.name)
        ip("link", "add", "near", "netns", handsets.name, "type", "veth", "peer", "name", "far", "netns", internet.name)
        for network, port, mine, other in ((handsets, "near", HANDSET, SERVER), (internet, "far", SERVER, HANDSET)):
            ip("-n", network.name, "link", "set", "lo", "up")
            ip("-n", network.name, "address", "add", mine, "peer", other, "dev", port)
            ip("-n", network.name, "link", "set", port, "up")
        yield handsets, internet
    finally:
        for network in (handsets, internet):
            subprocess.run(("ip", "netns", "del", network.name), check=False)


@pytest.fixture
def server(networks: tuple[Network, Network], tmp_path: Path) -> Iterator[None]:
    _, internet = networks
    folder = tmp_path / "www"
    folder.mkdir()
    with internet.running(sys.executable, "-u", "-m", "http.server", "80", "--bind", SERVER, cwd=folder) as process:
        assert process.stdout
        assert "Serving HTTP" in process.stdout.readline()
        yield


class Sensor:
    """`msisdn-monitor watch` on the far end of the cable."""

    def __init__(self, internet: Network, process: subprocess.Popen[str]) -> None:
        self._internet = internet
        self.process = process
        self.log = ""
        found = re.search(r"http://\S+/metrics", self.logged("metrics: "))
        assert found
        self._url = found[0]

    def logged(self, text: str) -> str:
        """The next line of the log that holds this text."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.log += line
            if text in line:
                return line
        raise AssertionError(f"it ended without {text!r}:\n{self.log}")

    def metrics(self) -> str:
        return self._internet.run("curl", "-sS", "--max-time", "1", self._url)

    def metric(self, name: str, **labels: str) -> float:
        """The value of the one series of this name and these labels."""
        lines = re.findall(rf"^msisdn_monitor_{name}(?:{{(.*)}})? (\S+)$", self.metrics(), re.MULTILINE)
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        (value,) = (value for found, value in lines if wanted <= set(found.split(",")))
        return float(value)

    def shows(self, amount: float, name: str, **labels: str) -> None:
        """Fails when the metric is not there within two seconds."""
        until = time.monotonic() + VISIBLE_WITHIN_S
        while (value := self.metric(name, **labels)) != amount:
            assert time.monotonic() < until, f"{name}{labels} is {value} after {VISIBLE_WITHIN_S} s\n{self.metrics()}"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


@pytest.fixture
def sensor(networks: tuple[Network, Network], rules: Path) -> Iterator[Sensor]:
    _, internet = networks
    words = ("watch", "--interface", "far", "--rules", str(rules), "--listen", "127.0.0.1:0")
    with internet.running(PROGRAM, *words, cwd=rules.parent) as process:
        yield Sensor(internet, process)


LEAK = {"partner": "none", "outcome": "unknown_recipient", "certainty": "confirmed"}


def leak(handsets: Network) -> None:
    """One request with the number, answered by the server."""
    fields = ("-H", "Host: shop.example", "-H", f"X-MSISDN: {NUMBER}")
    assert handsets.run("curl", "-sS", *fields, "-o", "/dev/null", "-w", "%{http_code}", f"http://{SERVER}/") == "200"


def test_a_leak_is_visible_within_two_seconds(networks, server, sensor):
    handsets, _ = networks
    assert sensor.metric("verdicts_total", **LEAK) == 0
    leak(handsets)
    sensor.shows(1, "verdicts_total", **LEAK)
    assert sensor.metric("frames_total") > 0
    assert "unknown_recipient" in sensor.logged("VIOLATION")
    assert NUMBER not in sensor.metrics() + sensor.log


def test_rules_are_read_again_and_wrong_ones_change_nothing(networks, server, sensor, rules):
    handsets, _ = networks
    (rules / "shop.yaml").write_text(PARTNER.replace("premium_billing", "no_such_purpose"))
    sensor.process.send_signal(signal.SIGHUP)
    assert "shop.yaml" in sensor.logged("shop.yaml")
    assert sensor.metric("config_last_reload_successful") == 0
    leak(handsets)
    sensor.shows(1, "verdicts_total", **LEAK)

    (rules / "shop.yaml").write_text(PARTNER)
    sensor.process.send_signal(signal.SIGHUP)
    sensor.logged("reloaded")
    assert sensor.metric("config_last_reload_successful") == 1
    leak(handsets)
    sensor.shows(1, "verdicts_total", partner="shop", outcome="allowed", certainty="confirmed")
    assert sensor.metric("verdicts_total", **LEAK) == 1


def test_it_locks_itself_in_and_still_sees_everything(networks, server, sensor):
    handsets, _ = networks
    leak(handsets)
    sensor.shows(1, "verdicts_total", **LEAK)
    assert "locked in: capabilities, no_new_privs, core, " in sensor.log
    for part in ("capabilities", "no_new_privs", "core", "seccomp"):
        assert sensor.metric("sandbox", part=part) == 1
    assert sensor.metric("turns_total") > 0
    threads = list(Path(f"/proc/{sensor.process.pid}/task").iterdir())
    assert len(threads) > 1
    for thread in threads:
        status = (thread / "status").read_text()
        assert set(re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\t(\w+)$", status, re.MULTILINE)) == {"0" * 16}
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_a_summary(networks, server, sensor, end):
    handsets, _ = networks
    leak(handsets)
    sensor.shows(1, "verdicts_total", **LEAK)
    sensor.process.send_signal(end)
    assert "1 violations" in sensor.logged("stopped; ")
    out, rest = sensor.process.communicate(timeout=5)
    assert (sensor.process.returncode, rest) == (0, "")
    assert NUMBER not in sensor.log + out


def test_an_interface_that_is_not_there_is_an_error_of_one_line(networks, rules):
    _, internet = networks
    words = ("watch", "--interface", "fat", "--rules", str(rules))
    with internet.running(PROGRAM, *words, cwd=rules.parent) as process:
        _, complaint = process.communicate(timeout=10)
    assert process.returncode == 3
    assert complaint.count("\n") == 1
    assert "there is no interface fat, perhaps far; there are: lo, far" in complaint


def test_a_port_that_goes_down_is_said_and_read_on_when_it_is_back(networks, server, sensor):
    handsets, internet = networks
    ip("-n", internet.name, "link", "set", "far", "down")
    assert "WARNING far is down or gone" in sensor.logged("far is")
    assert sensor.metric("capture_up", interface="far") == 0
    sensor.shows(1, "blind_total", reason="source")
    ip("-n", internet.name, "link", "set", "far", "up")
    assert "INFO far is up again" in sensor.logged("far is")
    ip("-n", internet.name, "route", "replace", HANDSET, "dev", "far")
    leak(handsets)
    sensor.shows(1, "verdicts_total", **LEAK)


def test_many_threads_locked_in_read_several_ports_through_a_filter(networks, server, rules):
    handsets, internet = networks
    words = ("watch", "--interface", "far", "--interface", "lo", "--workers", "2", "--filter", "tcp port 80")
    words += ("--rules", str(rules), "--listen", "127.0.0.1:0", "--engine", "native")
    with internet.running(PROGRAM, *words, cwd=rules.parent) as process:
        sensor = Sensor(internet, process)
        leak(handsets)
        sensor.shows(1, "verdicts_total", **LEAK)
        until = time.monotonic() + VISIBLE_WITHIN_S
        while sensor.metric("frames_total") != sensor.metric("segments_total"):  # no ARP, and nothing of curl on lo
            assert time.monotonic() < until, sensor.metrics()
        assert sensor.metric("sandbox", part="workers") == 1
