"""A client's half: when heads are settled, order, holes (5-hostile.md, rows 17-29 and 38)."""

from __future__ import annotations

import pytest

from monitor.records import Checksum
from pcaps.talk import MS, Talk
from tests.connections import OK, ONCE, SECOND, Sensor, begun, ended, leaks, read, segments
from tests.heads import CLEAN, LEAK


def test_a_head_waits_for_its_acknowledgement() -> None:
    talk = Talk().open().client(LEAK, acknowledged=False)
    sensor = Sensor().feed(segments(talk))
    assert not sensor.heads
    talk.packets.clear()
    sensor.feed(segments(talk.server(OK, acknowledged=False)))
    assert leaks(sensor) == ONCE
    assert sensor.heads[0].time_ns == 1_700_000_000 * SECOND + 4 * MS


def test_a_head_that_nobody_acknowledges_waits_for_a_second() -> None:
    sensor = Sensor().feed(segments(Talk().client(LEAK, acknowledged=False))).expire(SECOND - 1)
    assert not sensor.heads
    assert leaks(sensor.expire(1)) == ONCE
    assert leaks(sensor.finish()) == ONCE


def test_the_clock_of_a_capture_may_go_backwards() -> None:
    late, early = segments(ended(begun())), segments(ended(begun(), CLEAN))
    early = [each._replace(time_ns=0, flow=each.flow._replace(sport=each.flow.sport % 7)) for each in early]
    assert leaks(read(late[:6], early, late[6:])) == ONCE


def test_only_so_many_heads_wait() -> None:
    sensor = Sensor().feed(segments(Talk().client(CLEAN * 1000, acknowledged=False)))
    assert len(sensor.heads) == sensor.counts["shed.settle"] == 1000 - 256


# --- order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handshake", [True, False])
@pytest.mark.parametrize("mss", [1, 7, 40])
def test_segments_may_come_in_reverse(mss: int, handshake: bool) -> None:
    talk = Talk(mss=mss, seq=2**32 - 30)
    if handshake:
        talk.open()
    before = len(talk.packets)
    talk.client(LEAK + LEAK, acknowledged=False)
    talk.packets[before:] = talk.packets[: before - 1 if before else None : -1]
    assert leaks(read(segments(talk.server(OK)))) == ONCE * 2


def test_a_body_that_is_read_again_is_counted_once() -> None:
    """Its request came first, and then what stood before it: reading begins anew."""
    upload = b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 20\r\n\r\n" + bytes(10)
    talk = Talk().client(CLEAN, acknowledged=False).client(upload, acknowledged=False).client(bytes(10) + LEAK)
    first, *others = segments(talk)
    found = read([*others, first])
    assert leaks(found)[-1:] == ONCE
    assert (found.counts["requests"], found.counts["body_bytes"]) == (3, 20)
    assert read([others[0], first, *others[1:]]).counts["body_bytes"] == 20


def test_every_packet_may_come_twice() -> None:
    fed = segments(ended(begun()))
    sensor = read([copy for each in fed for copy in (each, each)])
    assert leaks(sensor) == ONCE
    assert sensor.counts["duplicates"] == 4


def test_a_request_may_come_before_its_handshake() -> None:
    fed = segments(ended(Talk().open()))
    assert leaks(read([fed[3], *fed[:3], *fed[4:]])) == ONCE


def test_the_first_request_lost_is_a_gap() -> None:
    sensor = read(segments(ended(Talk().open().lose(CLEAN))))
    assert leaks(sensor) == ONCE
    assert sensor.counts["gap_bytes"] == len(CLEAN)


def test_an_acknowledged_hole_is_given_up_at_once() -> None:
    talk = begun().lose(CLEAN).client(LEAK)
    sensor = Sensor().feed(segments(talk))
    assert not leaks(sensor)
    assert leaks(sensor.expire(SECOND // 10)) == ONCE


def test_a_hole_that_nobody_acknowledged_is_given_up_after_two_seconds() -> None:
    talk = begun().lose(CLEAN).client(LEAK, acknowledged=False)
    sensor = Sensor().feed(segments(talk)).expire(2 * SECOND - 1)
    assert not leaks(sensor)
    assert leaks(sensor.expire(1).finish()) == ONCE


def test_bytes_that_were_given_up_may_still_come() -> None:
    talk = begun()
    (late,) = [each for each in segments(ended(begun())) if each.payload == LEAK]
    sensor = Sensor().feed(segments(talk.lose(LEAK).client(CLEAN))).expire(SECOND)
    assert not leaks(sensor)
    assert leaks(sensor.feed([late, late]).finish()) == ONCE


def test_a_lost_end_is_counted() -> None:
    assert read(segments(begun().lose(LEAK).server(OK).close())).counts["gap_bytes"] == len(LEAK)
    assert read(segments(begun().lose(LEAK).client(CLEAN, acknowledged=False))).counts["gap_bytes"] == len(LEAK)
    assert read(segments(begun().close())).counts["gap_bytes"] == 0


def test_a_half_stream_is_picked_up_in_the_middle() -> None:
    sensor = read(segments(Talk().client(b"=0.5&page=7").server(OK).client(LEAK).server(OK)))
    assert leaks(sensor) == ONCE
    assert sensor.counts["blind.midstream"] == 1


def test_the_snap_length_leaves_whole_lines() -> None:
    fed = segments(ended(begun()))
    at = next(n for n, each in enumerate(fed) if each.payload == LEAK)
    for kept, expected in ((len(LEAK) - 2, [True]), (len(LEAK) - 8, [False]), (0, [])):
        fed[at] = fed[at]._replace(payload=LEAK[:kept], missing=len(LEAK) - kept, checksum=Checksum.UNKNOWN)
        sensor = read(fed)
        assert [each.first for each in leaks(sensor)] == expected
        assert sensor.counts["blind.snaplen"] == 1
