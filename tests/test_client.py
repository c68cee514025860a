"""A client's half: when heads are settled, order, holes (5-hostile.md, rows 17-29 and 38)."""

from __future__ import annotations

from random import Random

import pytest

from monitor.portable.client import EARLY_BYTES, EARLY_HOLD_BYTES
from monitor.records import Checksum, Segment
from pcaps.talk import MS, Talk
from tests.connections import OK, ONCE, SECOND, Sensor, begun, ended, leaks, read, segments
from tests.heads import CLEAN, FIELD, LEAK, head


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


def one_by_one(talk: Talk, octets: bytes, size: int = 1) -> list[Segment]:
    """Sent on in segments of so many octets each, a microsecond between them."""
    (sent,) = segments(Talk(seq=talk.seq, time_ns=talk.time_ns).client(octets[:1], acknowledged=False))
    return [
        sent._replace(seq=talk.seq + at, time_ns=talk.time_ns + 1000 * at, payload=octets[at : at + size])
        for at in range(0, len(octets), size)
    ]


EARLY_LEAK = head(b"Cookie: " + b"c" * (EARLY_BYTES - 400), FIELD)


@pytest.mark.parametrize("order", ["last first", "any, every second first"])
def test_the_first_octets_may_come_one_by_one_in_any_order(order: str) -> None:
    talk = Talk().open()
    sent = one_by_one(talk, EARLY_LEAK)
    odd, even = sent[1::2], sent[::2]
    Random(16).shuffle(odd)
    sensor = read(segments(talk), sent[::-1] if order == "last first" else odd + even)
    assert leaks(sensor) == ONCE
    assert (sensor.counts["shed.hold"], sensor.counts["gap_bytes"]) == (0, 0)


def test_what_the_first_octets_wait_for_is_not_given_up_for_what_comes_behind() -> None:
    talk = Talk().open().client(LEAK[:20], acknowledged=False)
    sent = one_by_one(talk, LEAK[20:] + CLEAN * 3000, 10)
    sensor = Sensor(hold_bytes_per_half_stream=1000).feed(segments(talk), sent[1:])
    assert sensor.streams._held <= 1000 + EARLY_HOLD_BYTES
    assert not leaks(sensor)
    assert 0 < sensor.counts["shed.hold"] < len(sent) / 4
    assert leaks(sensor.feed(sent[:1]).finish()) == ONCE
    assert sensor.counts["gap_bytes"] == 0  # the end is what was let go, and who acknowledges nothing tells of none


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
