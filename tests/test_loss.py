"""Row 28: packets are lost at random. What is found is in proportion, and what is not found is accounted for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from monitor.engine import Preference
from pcaps.talk import Packet, Talk, pcap
from tests.connections import OK
from tests.heads import LEAK
from tests.test_engine import run

TALKS = 600


def all_frames() -> list[Packet]:
    frames = []
    for n in range(TALKS):
        talk = Talk(sport=10_000 + n, time_ns=1_700_000_000_000_000_000 + n * 50_000_000, mss=40)
        frames += talk.open().client(LEAK).server(OK).client(LEAK).server(OK).close().frames
    return sorted(frames)


@pytest.mark.parametrize("lost", [0.001, 0.01, 0.05])
def test_random_loss_costs_what_it_must_and_is_accounted_for(
    lost: float, engine_name: Preference, tmp_path: Path
) -> None:
    chance = random.Random(28)
    frames, lost_bytes = [], 0
    for time_ns, frame in all_frames():
        if chance.random() >= lost:
            frames.append((time_ns, frame))
        elif frame[36:38] == b"\0\x50":  # to port 80
            lost_bytes += len(frame) - 54
    path = tmp_path / "lossy.pcap"
    path.write_bytes(pcap(frames))
    heads, batch = run(engine_name, path)
    found = sum(b"447700900123" in value for head in heads for _, value in head.fields)
    segments = len(LEAK) // 40 + 1  # of one head; the number lies in one or two of them
    assert found >= 2 * TALKS * (1 - 1.2 * lost * 2)
    assert batch.counts["gap_bytes"] == pytest.approx(lost_bytes, rel=0.2)
    assert len(heads) >= 2 * TALKS * (1 - 1.2 * lost * segments)
