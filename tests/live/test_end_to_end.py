"""Everything real: frames on a cable, the sensor, Debian's Prometheus and Alertmanager, and a receiver of messages.

The story of 2012 is replayed onto a veth pair. The alert must come by both ways, the sensor's own push and the scrape;
no text on any of them may hold a number, and a death of each part must lose nothing and tell nothing twice.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dpkt
import pytest

from pcaps.talk import Talk
from tests.live.networks import carries, ip, needs_root, own_network

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("msisdn-monitor"))
WITH_ITS_OWN_SYS = ("unshare", "--mount", "sh", "-c", 'mount -t sysfs none /sys && exec "$@"', "sh")  # /sys/class/net
TOOLS = ("prometheus", "prometheus-alertmanager")
SENSOR, PROMETHEUS, ALERTMANAGER, RECEIVER = (f"http://127.0.0.1:{port}" for port in (9108, 9090, 9093, 9199))
PUSHED, SCRAPED = "MsisdnMonitorFirstViolation", "MsisdnMonitorViolation"
NUMBER = re.compile(r"700\W*900\W*\d{3}")  # of the capture: Ofcom's drama numbers
SOON_S = 20

pytestmark = [
    pytest.mark.live,
    needs_root,
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs Debian's {' and '.join(TOOLS)}"),
]


class Receiver(BaseHTTPRequestHandler):
    """A webhook: keeps every message."""

    messages: list[str]

    def do_POST(self) -> None:
        self.messages.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Stage:
    """A network with a cable, and everything on it; a part is started, killed and started again by its name."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.messages: list[str] = []
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(self._end)
        ip("link", "add", "near", "mtu", "65535", "type", "veth", "peer", "name", "far", "mtu", "65535")
        for port in ("near", "far"):
            ip("link", "set", port, "addrgenmode", "none", "up")
        carries("near")
        self.cable = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self.cable.bind(("near", 0))
        receiver = ThreadingHTTPServer(("127.0.0.1", 9199), type("Kept", (Receiver,), {"messages": self.messages}))
        stack.callback(receiver.server_close)
        stack.callback(receiver.shutdown)
        Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
        self._write_configurations()

    def _write_configurations(self) -> None:
        """The ones that we ship, with a faster clock; each alert is its own message, so that they can be counted."""
        shutil.copytree(ROOT / "deploy/prometheus", self.folder / "prometheus")
        shutil.copytree(ROOT / "rules", self.folder / "rules")
        (self.folder / "state").mkdir()
        prometheus = self.folder / "prometheus/prometheus.yml"
        prometheus.write_text(prometheus.read_text().replace("15s", "1s"))
        text = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
        text = re.sub(r"group_by: .*", "group_by: ['...']", text).replace("10s", "0s").replace("5m", "1s")
        (self.folder / "alertmanager.yml").write_text(text)
        (self.folder / "sensor.yaml").write_text(
            f"interfaces: [far]\nname: sensor-1\nrules: rules\nalertmanagers: [{{url: {ALERTMANAGER}}}]\n"
            "outbox: state/outbox.json\njournal: state/journal.jsonl\n"
        )

    def start(self, name: str) -> None:
        words, answers = {
            "sensor": ((*WITH_ITS_OWN_SYS, PROGRAM, "watch", "--config", "sensor.yaml"), f"{SENSOR}/-/ready"),
            "alertmanager": (
                (TOOLS[1], "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address=",
                 "--web.listen-address=127.0.0.1:9093"), f"{ALERTMANAGER}/-/ready",
            ),
            "prometheus": (
                (TOOLS[0], "--config.file=prometheus/prometheus.yml", "--storage.tsdb.path=tsdb",
                 "--rules.alert.resend-delay=1s", "--web.listen-address=127.0.0.1:9090"), f"{PROMETHEUS}/-/ready",
            ),
        }[name]  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self.parts[name] = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log)
        self.until(lambda: answered(answers) is not None, f"{name} is ready")

    def end(self, name: str, how: signal.Signals) -> None:
        part = self.parts.pop(name)
        part.send_signal(how)
        part.wait(10)

    def _end(self) -> None:
        for part in self.parts.values():
            part.kill()
            part.wait()

    def send(self, frames: list[bytes]) -> None:
        for frame in frames:
            self.cable.send(frame)

    def until(self, holds: Callable[[], bool], what: str) -> float:
        """How long it took until this held; fails when it does not soon."""
        begun = time.monotonic()
        while not holds():
            assert time.monotonic() < begun + SOON_S, f"not {what}\n{self.logs()}\n{self.told()}"
            time.sleep(0.05)
        return time.monotonic() - begun

    def told(self) -> Counter[tuple[str, str]]:
        """How often the receiver was told that an alert fires: by name and outcome."""
        return Counter(
            (alert["labels"]["alertname"], alert["labels"].get("outcome", ""))
            for message in self.messages
            for alert in json.loads(message)["alerts"]
            if alert["status"] == "firing"
        )

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with own_network(), ExitStack() as stack:
        yield Stage(tmp_path, stack)


def answered(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def asked(expression: str) -> list[dict[str, Any]]:
    """What Prometheus answers to this query."""
    answer = answered(f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    return list(json.loads(answer)["data"]["result"]) if answer else []


def story() -> list[bytes]:
    with (ROOT / "pcaps/o2-2012.pcap").open("rb") as file:
        return [bytes(frame) for _, frame in dpkt.pcap.Reader(file)]


def leak(host: bytes, dst: str, sport: int) -> list[bytes]:
    talk = Talk(sport=sport, dst=dst).open()
    talk.client(b"GET / HTTP/1.1\r\nHost: %b\r\nX-MSISDN: 447700900123\r\n\r\n" % host)
    return [frame for _, frame in talk.frames]


def test_the_alert_arrives_by_both_ways_without_a_number_and_no_death_loses_or_repeats_it(stage: Stage) -> None:
    for name in ("alertmanager", "sensor", "prometheus"):
        stage.start(name)
    stage.until(lambda: bool(asked("msisdn_monitor_verdicts_total == 0")), "scraped before the leak")

    stage.send(story())
    stage.until(lambda: stage.told()[PUSHED, "unknown_recipient"] > 0, "pushed")
    stage.until(lambda: stage.told()[SCRAPED, "unknown_recipient"] > 0, "scraped")

    # the sensor dies with an alert that nobody has taken, while Alertmanager is away
    stage.end("alertmanager", signal.SIGTERM)
    stage.send(leak(b"portal.operator.example", "203.0.113.77", 50001))
    outbox = stage.folder / "state/outbox.json"
    stage.until(lambda: "wrong_address" in outbox.read_text(), "kept")
    stage.end("sensor", signal.SIGKILL)
    stage.start("sensor")
    stage.until(lambda: bool(asked("msisdn_monitor_outbox_pending > 0")), "said to be pending")
    stage.start("alertmanager")
    stage.until(lambda: stage.told()[PUSHED, "wrong_address"] > 0, "delivered after the deaths")

    # Prometheus dies; what comes next is alerted on as before
    stage.end("prometheus", signal.SIGKILL)
    stage.start("prometheus")
    stage.until(lambda: bool(asked('msisdn_monitor_verdicts_total{outcome="wrong_field"} == 0')), "scraped again")
    stage.send(leak(b"portal.operator.example", "198.51.100.130", 50002))
    stage.until(lambda: stage.told()[PUSHED, "wrong_field"] > 0, "pushed once more")
    stage.until(lambda: stage.told()[SCRAPED, "wrong_field"] > 0, "scraped once more")

    stage.end("sensor", signal.SIGTERM)
    pushed = Counter(
        json.dumps(alert["labels"], sort_keys=True)
        for message in stage.messages
        for alert in json.loads(message)["alerts"]
        if alert["labels"]["alertname"] == PUSHED and alert["status"] == "firing"
    )
    assert set(pushed.values()) == {1}, pushed
    texts = [*stage.messages, stage.logs(), outbox.read_text(), (stage.folder / "state/journal.jsonl").read_text()]
    texts += [answered(f"{PROMETHEUS}/api/v1/alerts") or "", answered(f"{ALERTMANAGER}/api/v2/alerts") or ""]
    assert not [found for text in texts for found in NUMBER.findall(text)]


def counted(metric: str) -> float:
    found = re.search(rf"^msisdn_monitor_{metric} (\S+)$", answered(f"{SENSOR}/metrics") or "", re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_reloads_under_load_lose_no_request(stage: Stage) -> None:
    stage.start("sensor")
    log, rounds, each = stage.folder / "sensor.log", 20, 25
    for reloads in range(1, rounds + 1):
        stage.parts["sensor"].send_signal(signal.SIGHUP)
        for number in range(each):
            stage.send(leak(b"shop.example", "203.0.113.9", 1024 + reloads * each + number))
        stage.until(
            lambda reloads=reloads: log.read_text().count(" reloaded (") == reloads, f"reloaded {reloads} times"
        )
    stage.until(lambda: counted("requests_with_identifier_total") == rounds * each, "all requests were judged")
    assert counted("kernel_drops_total") == 0
    assert counted("config_last_reload_successful") == 1


def test_a_sensor_that_is_told_to_stop_is_out_in_five_seconds_whoever_hangs(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 9093)):  # an Alertmanager that takes connections and never answers
        stage.start("sensor")
        stage.send(leak(b"shop.example", "203.0.113.9", 50001))
        stage.until(lambda: counted("outbox_pending") == 1, "waiting for an answer")
        stage.parts["sensor"].send_signal(signal.SIGTERM)
        assert stage.parts["sensor"].wait(5) == 0
    assert "1 violations" in (stage.folder / "sensor.log").read_text().splitlines()[-1]
    assert "unknown_recipient" in (stage.folder / "state/journal.jsonl").read_text()
    assert "unknown_recipient" in (stage.folder / "state/outbox.json").read_text()
