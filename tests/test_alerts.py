"""The sensor's own alerts, told to Alertmanagers of this test over real sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

from monitor.config import AlertmanagerAt
from monitor.records import Certainty
from monitor.report import alerts
from monitor.report.alertmanager import Alertmanager
from monitor.report.alerts import Alerts
from monitor.report.outbox import Alert, Outbox
from monitor.verdicts import Outcome
from tests.verdicts import one, verdict

SOON_S = 5
NUMBER = "447700900123"


class Told:
    """An Alertmanager that keeps what it was sent, or refuses it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.posts: list[list[dict[str, Any]]] = []
        self.fields: list[dict[str, str]] = []
        self.refused = 0
        self.changed = Condition()
        told = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with told.changed:
                    told.fields.append({"path": self.path, **self.headers})
                    if told.status == 200:
                        told.posts.append(json.loads(body))
                    else:
                        told.refused += 1
                    told.changed.notify_all()
                self.send_response(told.status)
                self.end_headers()
                self.wfile.write(b"nothing today")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def at(self) -> Alertmanager:
        return Alertmanager(AlertmanagerAt(url=f"http://127.0.0.1:{self.server.server_port}/am"))

    def until(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, SOON_S), (self.posts, self.refused)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def told(stack: ExitStack) -> Told:
    return made(stack)


def made(stack: ExitStack, status: int = 200) -> Told:
    told = Told(status)
    stack.callback(told.close)
    return told


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def start(stack: ExitStack, log: list[str], tmp_path: Path) -> Callable[..., Alerts]:
    def start(*told: Told, quiet_s: float = 900, path: Path | None = tmp_path / "outbox.json") -> Alerts:
        return stack.enter_context(
            Alerts(
                "lon-1",
                Outbox(path),
                [each.at for each in told],
                lambda field: field.decode() if field == b"x-msisdn" else "other",
                lambda level, text: log.append(f"{level} {text}"),
                quiet_s=quiet_s,
                runbook="docs/runbook/",
            )
        )

    return start


def soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < until


def value(sensor: Alerts, name: str) -> float:
    return sensor.samples()[name][0][1]


def test_the_first_of_a_kind_is_told_at_once_and_the_rest_are_not(told: Told, start: Callable[..., Alerts]) -> None:
    sensor = start(told)
    for n in range(100):
        sensor.feed(one(verdict(recipient=f"{n}.example", number=NUMBER), "token"))
    told.until(lambda: bool(told.posts))
    sensor.feed(one(verdict(Outcome.EXPIRED, partner="ageverify", purpose="age_verification"), "token"))
    told.until(lambda: len(told.posts) == 2)
    (first,), (second,) = told.posts
    assert first["labels"] == {
        "alertname": "MsisdnMonitorFirstViolation", "severity": "critical", "sensor": "lon-1",
        "outcome": "unknown_recipient", "partner": "none", "purpose": "none", "identifier": "msisdn",
        "field": "x-msisdn", "form": "plain", "place": "header", "certainty": "confirmed",
    }  # fmt: skip
    assert first["annotations"]["recipient"] == "0.example"
    assert first["annotations"]["runbook_url"] == "docs/runbook/MsisdnMonitorFirstViolation.md"
    assert first["startsAt"] < first["endsAt"]
    assert (second["labels"]["outcome"], second["labels"]["partner"]) == ("expired", "ageverify")
    assert told.fields[0]["path"] == "/am/api/v2/alerts"


def test_what_is_allowed_is_no_alert(told: Told, start: Callable[..., Alerts]) -> None:
    sensor = start(told)
    sensor.feed(one(verdict(Outcome.ALLOWED), "token"))
    assert value(sensor, "alerts_active") == 0


def test_doubt_and_handsets_are_less_severe_and_said(told: Told, start: Callable[..., Alerts]) -> None:
    sensor = start(told)
    sensor.feed(one(verdict(certainty=Certainty.AMBIGUOUS), "token"))
    sensor.feed(one(verdict(Outcome.CLIENT_SUPPLIED), "token"))
    told.until(lambda: sum(map(len, told.posts)) == 2)
    doubt, handset = (alert for post in told.posts for alert in post)
    assert doubt["labels"]["severity"] == handset["labels"]["severity"] == "warning"
    assert "one reading shows it" in doubt["annotations"]["description"]
    assert "one reading" not in handset["annotations"]["description"]


def test_no_number_and_nothing_off_the_wire_but_an_escaped_host(
    told: Told, start: Callable[..., Alerts], tmp_path: Path
) -> None:
    sensor = start(told)
    sensor.feed(one(verdict(recipient=f"{NUMBER}.example", field=NUMBER.encode(), partner=f"p{NUMBER}"), NUMBER))
    told.until(lambda: bool(told.posts))
    soon((tmp_path / "outbox.json").exists)
    text = json.dumps(told.posts) + (tmp_path / "outbox.json").read_text()
    assert "900123" not in text
    assert "44********23.example" in text
    assert told.posts[0][0]["labels"]["field"] == "other"


def test_one_that_is_away_gets_it_later_and_keeps_no_other_waiting(
    stack: ExitStack, told: Told, start: Callable[..., Alerts], log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "RETRY_S", (0.01, 0.02))
    away = made(stack, status=503)
    sensor = start(away, told)
    sensor.feed(one(verdict(), "token"))
    told.until(lambda: bool(told.posts))
    away.until(lambda: away.refused >= 3)
    assert value(sensor, "outbox_pending") == 1
    away.status = 200
    away.until(lambda: bool(away.posts))
    assert away.posts[0][0]["labels"] == told.posts[0][0]["labels"]
    stack.close()
    assert [line.split(":")[0] for line in log if "does not take" in line] == ["WARNING Alertmanager 127.0.0.1"]
    assert "503 Service Unavailable: nothing today" in log[0]
    assert "takes alerts again" in log[-1]


def test_it_is_sent_again_while_it_lasts_and_is_the_same_alert(
    told: Told, start: Callable[..., Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "AGAIN_S", 0.02)
    sensor = start(told)
    sensor.feed(one(verdict(), "token"))
    told.until(lambda: len(told.posts) >= 3)
    sensor.feed(one(verdict(), "token"))
    before = len(told.posts)
    told.until(lambda: len(told.posts) > before + 1)
    assert len({json.dumps([alert["labels"], alert["startsAt"]]) for post in told.posts for alert in post}) == 1
    assert told.posts[1][0]["endsAt"] == told.posts[before - 1][0]["endsAt"] < told.posts[-1][0]["endsAt"]


def test_it_ends_when_it_was_quiet_and_begins_anew_after_that(
    told: Told, start: Callable[..., Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "TIDY_S", 0.01)
    sensor = start(told, quiet_s=0.05)
    sensor.feed(one(verdict(), "token"))
    told.until(lambda: bool(told.posts))
    soon(lambda: value(sensor, "alerts_active") == 0)
    sensor.feed(one(verdict(), "token"))
    told.until(lambda: len(told.posts) == 2)
    assert told.posts[0][0]["startsAt"] < told.posts[1][0]["startsAt"]


def test_what_came_and_went_while_nobody_listened_is_told_after_a_restart(
    stack: ExitStack, told: Told, start: Callable[..., Alerts], tmp_path: Path
) -> None:
    path = tmp_path / "kept.json"
    hour_ago = Alert({"alertname": "A", "outcome": "expired"}, {}, 1e9, 1e9 + 5)
    before = Outbox(path)
    before.open()
    before.write([hour_ago])
    before.close()
    monkey = pytest.MonkeyPatch()
    stack.callback(monkey.undo)
    monkey.setattr(alerts, "OLDEST_S", 1e12)
    start(told, path=path)
    told.until(lambda: bool(told.posts))
    (alert,) = told.posts[0]
    assert alert["startsAt"].startswith("2001-09-09")
    assert alert["endsAt"] > "2026"  # it lasts from now on, or nobody would be told
    stack.close()
    assert path.exists()


def test_a_death_before_delivery_loses_nothing_and_after_it_repeats_nothing(
    stack: ExitStack, told: Told, start: Callable[..., Alerts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "LAST_S", 0.2)
    path, away = tmp_path / "kept.json", made(stack, status=500)
    with ExitStack() as first:
        sensor = first.enter_context(
            Alerts("lon-1", Outbox(path), [away.at], bytes.decode, lambda *_: None, quiet_s=900, runbook="")
        )
        sensor.feed(one(verdict(), "token"))
        away.until(lambda: away.refused > 0)
    kept = json.loads(path.read_text())["alerts"]
    assert [alert["accepted_s"] for alert in kept] == [{}]
    away.status = 200
    with Alerts("lon-1", Outbox(path), [away.at], bytes.decode, lambda *_: None, quiet_s=900, runbook="") as sensor:
        away.until(lambda: bool(away.posts))
        sensor.feed(one(verdict(), "token"))  # the same kind: nothing new
        assert value(sensor, "alerts_active") == 1
    assert sum(map(len, away.posts)) == 1


def test_there_are_never_more_than_so_many(
    told: Told, start: Callable[..., Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MOST_ALERTS", 3)
    sensor = start(told)
    for n in range(5):
        sensor.feed(one(verdict(Outcome.EXPIRED, partner=f"p{n}"), "token"))
    assert (value(sensor, "alerts_active"), value(sensor, "outbox_dropped_total")) == (3, 2)


def test_what_nobody_takes_for_a_week_is_given_up(
    stack: ExitStack, start: Callable[..., Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "OLDEST_S", 0.0)
    monkeypatch.setattr(alerts, "TIDY_S", 0.01)
    sensor = start(made(stack, status=500))
    sensor.feed(one(verdict(), "token"))
    soon(lambda: value(sensor, "alerts_active") == 0)
    assert value(sensor, "outbox_dropped_total") == 1


def test_a_full_disk_keeps_no_alert_from_its_way(
    told: Told, start: Callable[..., Alerts], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(alerts, "TIDY_S", 0.01)
    sensor = start(told)
    full = [True]
    real = Outbox.write

    def write(outbox: Outbox, kept: list[Alert]) -> bool:
        if full[0]:
            outbox.lost += 1
            return False
        return real(outbox, kept)

    monkeypatch.setattr(Outbox, "write", write)
    sensor.feed(one(verdict(), "token"))
    told.until(lambda: bool(told.posts))
    soon(lambda: sensor.lost_to_disk() > 1)
    full[0] = False
    soon((tmp_path / "outbox.json").exists)
