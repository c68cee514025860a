"""Segments that a receiver may not have taken (5-hostile.md, rows 30, 40, 41, 44, 46, 50)."""

from __future__ import annotations

import pytest

from pcaps.talk import ACK, PSH, SYN, Talk
from tests.connections import DATA, MASKED, OK, ONCE, SECOND, Sensor, begun, ended, leaks, read, segments
from tests.heads import LEAK


def test_a_bad_checksum_is_not_believed_against_a_good_one() -> None:
    for first, second, shown in ((MASKED, LEAK, True), (LEAK, MASKED, False)):
        talk = begun()
        talk.segment(DATA, first, bad_checksum=True)
        sensor = read(segments(ended(talk, second)))
        assert leaks(sensor) == [(shown, (), "confirmed")]
        assert sensor.counts["rejected.bad_checksum"] == 1


def test_a_bad_checksum_that_nobody_acknowledged_is_not_believed() -> None:
    talk = begun()
    talk.segment(DATA, LEAK, bad_checksum=True)
    sensor = read(segments(talk.server(OK)))
    assert not leaks(sensor)
    assert sensor.counts["rejected.bad_checksum"] == 1


def test_bad_checksums_of_an_offloaded_client_are_acknowledged() -> None:
    talk = Talk()
    for _ in range(3):
        talk.segment(DATA, LEAK, bad_checksum=True)
        talk.seq += len(LEAK)
        talk.server(OK, acknowledged=False)
    sensor = read(segments(talk))
    assert leaks(sensor) == ONCE * 3
    assert sensor.counts["oddities.bad_checksum"] == 1


def test_a_bad_checksum_is_believed_where_nothing_can_contradict_it() -> None:
    talk = Talk(mss=16)
    for cut in talk.cuts(LEAK * 10):
        talk.segment(DATA, cut, bad_checksum=True)
        talk.seq += len(cut)
    assert leaks(read(segments(talk))) == ONCE * 10
    sensor = Sensor().feed(segments(talk))
    assert leaks(sensor.expire(2 * SECOND).expire(SECOND)) == ONCE * 10


def test_data_of_a_syn() -> None:
    talk = Talk()
    talk.segment(SYN, LEAK)
    talk.seq += 1
    refused = segments(talk)
    talk.seq += len(LEAK)
    talk.segment(SYN | ACK, client=False)
    accepted = read(segments(talk))
    assert leaks(accepted) == ONCE
    assert accepted.counts["oddities.syn_data"] == 1
    talk = Talk(seq=1001)
    talk.segment(SYN | ACK, client=False)
    talk.ack += 1
    again = read(refused, segments(ended(talk, MASKED)))
    assert leaks(again) == [(False, (), "confirmed")]
    assert again.counts["rejected.not_accepted"] == 1
    assert not leaks(read(refused, segments(talk)[:1]))


@pytest.mark.parametrize("decoy", [{"flags": PSH}, {"flags": DATA, "ack": 5_000_000}])
def test_a_segment_that_every_receiver_drops_is_not_believed(decoy: dict[str, int]) -> None:
    for talk in (Talk().open(), begun()):
        talk.segment(payload=MASKED, **decoy)
        sensor = read(segments(ended(talk)))
        assert leaks(sensor) == ONCE
        assert sensor.counts["rejected.not_accepted"] == 1


def test_it_is_believed_where_nothing_contradicts_it() -> None:
    talk = Talk()
    talk.segment(PSH, LEAK)
    assert leaks(read(segments(talk))) == ONCE


def test_a_refused_probe_is_not_used() -> None:
    talk = begun()
    talk.segment(ACK, b"\0")
    talk.segment(ACK, client=False)
    assert leaks(read(segments(ended(talk)))) == ONCE
