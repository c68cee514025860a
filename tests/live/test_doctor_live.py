"""`doctor --interface` on a real port: what comes through the cable, as a person and as a program read it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from monitor.doctor import examine
from tests.live.cables import cabled, request, send
from tests.live.networks import needs_root

pytestmark = [pytest.mark.live, needs_root]


@pytest.fixture
def one_sided(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Requests that nobody answers, again and again."""
    monkeypatch.setattr("monitor.doctor.is_up", lambda _: True)  # /sys shows the network that it was mounted in
    frames = [request(number, acknowledged=False)[-1] for number in range(20)]
    over = Event()

    def talk(end: socket.socket) -> None:
        while not over.wait(0.01):
            send(end, frames)

    with cabled() as end:
        thread = Thread(target=talk, args=(end,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_a_person_reads_what_to_change(one_sided, capsys):
    assert examine("far", None, seconds=0.3) == 4
    shown = capsys.readouterr().out
    assert "ok      far for 0." in shown
    assert "CHANGE  0% of 20 connections are seen in both directions" in shown
    assert "\x1b" not in shown


def test_a_program_reads_the_same(one_sided, capsys):
    assert examine("far", None, seconds=0.3, as_json=True) == 4
    said = json.loads(capsys.readouterr().out)
    assert said["survey"]["connections"] == 20
    assert said["survey"]["kinds"]["http"] > 0
    assert {"mark", "text"} == set(said["findings"][0])
