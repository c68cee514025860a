"""Copies that differ (5-hostile.md, rows 39, 42, 51): what the first one shows, and what the others do."""

from __future__ import annotations

from monitor.records import Certainty
from pcaps.talk import ACK, MS, URG, Talk
from tests.connections import DATA, MASKED, OK, ONCE, SECOND, Sensor, begun, ended, found, leaks, read, segments
from tests.heads import CLEAN, HOST, LEAK, NUMBER, POST, head

FIRST_ONLY = [(True, (False,), "confirmed")]
SECOND_ONLY = [(False, (True,), "confirmed")]


def test_of_two_copies_the_first_is_read_first() -> None:
    for first, second, expected in ((LEAK, MASKED, FIRST_ONLY), (MASKED, LEAK, SECOND_ONLY)):
        talk = begun()
        talk.segment(DATA, first)
        sensor = read(segments(ended(talk, second)))
        assert leaks(sensor) == expected
        assert sensor.counts["oddities.overlap"] == 1


def test_copies_ahead_of_a_hole() -> None:
    for first, second, expected in ((LEAK, MASKED, FIRST_ONLY), (MASKED, LEAK, SECOND_ONLY)):
        talk = begun()
        talk.segment(DATA, first[10:], seq=talk.seq + 10)
        talk.segment(DATA, second[10:], seq=talk.seq + 10)
        talk.segment(DATA, LEAK[:10])
        talk.seq += len(LEAK)
        assert leaks(read(segments(talk.server(OK)))) == expected


def test_a_copy_in_many_segments_is_one_reading() -> None:
    talk = begun()
    talk.segment(DATA, MASKED)
    talk.mss = 9
    (head_read,) = [each for each in read(segments(ended(talk))).heads if each.target == b"/"]
    assert found(head_read).others[0]
    assert len(head_read.readings) <= 4


def test_a_copy_in_which_there_is_no_head_leaves_the_head_in_doubt() -> None:
    talk = begun()
    talk.segment(DATA, b"x" * len(LEAK))
    assert [each.certainty for each in leaks(read(segments(ended(talk))))] == ["ambiguous"]
    talk = begun()
    talk.segment(DATA, LEAK)
    assert leaks(read(segments(ended(talk, b"x" * len(LEAK))))) == [(True, (), "ambiguous")]


def test_a_copy_may_hide_a_second_head() -> None:
    hidden = CLEAN + LEAK
    talk = begun()
    talk.segment(DATA, head(b"A: " + b"a" * (len(hidden) - len(head(b"A: "))), line=b"GET / HTTP/1.1"))
    assert [each for each in leaks(read(segments(ended(talk, hidden)))) if each.first] == [(True, (), "ambiguous")]


def test_a_copy_of_the_last_byte_changes_nothing() -> None:
    talk = begun().client(LEAK, acknowledged=False)
    talk.segment(ACK, b"\0", seq=talk.seq - 1)  # keep-alive: RFC 9293 section 3.8.4
    assert leaks(read(segments(talk.server(OK)))) == ONCE


def test_a_late_copy_shows_only_what_is_new() -> None:
    talk = Talk().client(MASKED, acknowledged=False)
    sensor = Sensor().feed(segments(talk)).expire(SECOND)
    assert leaks(sensor) == [(False, (), "confirmed")]
    copy = segments(Talk().client(LEAK))[0]._replace(time_ns=sensor.now_ns)
    late = sensor.feed([copy]).finish().heads[1]
    assert late.certainty is Certainty.AMBIGUOUS
    assert late.fields == (HOST, (b"x-msisdn", NUMBER))


def test_a_late_copy_that_goes_elsewhere_is_shown_whole() -> None:
    for changed in (LEAK.replace(b"shop.", b"evil."), LEAK.replace(b" / ", b" /x "), LEAK + b""):
        sensor = Sensor().feed(segments(Talk().client(LEAK, acknowledged=False))).expire(SECOND)
        assert leaks(sensor) == ONCE
        copy = segments(Talk().client(changed))[0]._replace(time_ns=sensor.now_ns)
        late = [each for each in sensor.feed([copy]).finish().heads[1:] if changed != LEAK]
        assert [found(each) for each in late] == [(True, (), "ambiguous")] * (changed != LEAK)


def test_soon_after_the_acknowledgement_a_copy_is_read_and_later_none_counts() -> None:
    masked = (False, (), "confirmed")
    for wait_ns, said in ((0, [masked, (True, (), "ambiguous")]), (SECOND // 8, [masked])):
        talk = begun().client(MASKED)
        talk.time_ns += wait_ns
        for octets in (LEAK, MASKED, LEAK[:-2]):
            talk.segment(DATA, octets, seq=talk.seq - len(LEAK))
        assert leaks(read(segments(talk.server(OK)))) == said


def test_soon_is_soon_also_where_milliseconds_begin_anew() -> None:
    """They do after 2^32 of them: 7,158 times ten minutes, the longest step of the clock, and a little."""
    quiet = Talk(step_ns=600 * SECOND)
    for _ in range(7158):
        quiet.segment(ACK)
    rest_ns = (1 << 32) * MS - 7158 * 600 * SECOND
    talk = Talk(time_ns=quiet.time_ns + rest_ns - 10 * MS).open().client(CLEAN).server(OK).client(MASKED)
    talk.segment(DATA, LEAK, seq=talk.seq - len(LEAK))
    sensor = Sensor().feed(segments(quiet), segments(talk.server(OK))).finish()
    assert leaks(sensor) == [(False, (), "confirmed"), (True, (), "ambiguous")]


def test_copies_of_a_body_that_look_like_a_request_do_not_count() -> None:
    upload = head(b"Content-Length: %d" % len(LEAK), line=POST)
    talk = begun()
    for octets in (b"u" * len(LEAK), LEAK):
        talk.segment(DATA, octets, seq=talk.seq + len(upload))
    talk.segment(DATA, upload)
    talk.seq += len(upload) + len(LEAK)
    assert not any(each.first for each in leaks(read(segments(talk.server(OK)))))


def test_the_urgent_byte_is_read_and_left_out() -> None:
    at = LEAK.index(NUMBER) + 5
    too_many = LEAK[:at] + b"-" + LEAK[at:]
    for octets, first in ((too_many, False), (LEAK, True)):
        for pointer in (at, at + 1):  # RFC 6093 section 2.1: two ways to count
            talk = begun()
            talk.segment(DATA | URG, octets, urgent=pointer)
            talk.seq += len(octets)
            (leak,) = leaks(read(segments(talk.server(OK))))
            assert leak.first is first
            assert (not first) in leak.others


def test_what_copies_cost_is_in_proportion_and_what_is_more_is_counted() -> None:
    long = head(b"A: " + b"a" * 100_000)
    talk = begun()
    talk.client(long, acknowledged=False)
    for n in range(40):
        talk.segment(DATA, b"%02d" % n, seq=talk.seq - 50_000 + 3 * n)
    sensor = read(segments(talk.server(OK)))
    assert 0 < sensor.counts["shed.copies"] < 80
    assert len(sensor.heads[1].readings) <= 4


def test_a_copy_that_nothing_is_left_to_compare_with_is_counted() -> None:
    talk = Talk()
    for _ in range(200):
        talk.client(CLEAN, acknowledged=False)
    talk.time_ns += 3 * SECOND
    talk.client(CLEAN, acknowledged=False)
    talk.segment(DATA, LEAK, seq=talk.seq - 100 * len(CLEAN))
    assert read(segments(talk)).counts["shed.copies"] == 1


def test_ways_to_read_on_are_bounded_and_what_is_more_is_counted() -> None:
    talk = begun()
    talk.client(head(b"Content-Length: 1, 2, 3, 4, 5, 6", line=POST) + b"x" * 6 + LEAK)
    sensor = read(segments(talk.server(OK)))
    assert sensor.counts["shed.readings"] == 2


# --- copies of frames (RFC 9113) ----------------------------------------------------------------------------------

OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def framed(value: bytes, stream: int = 1, indexed: bytes = b"\x40") -> bytes:
    """A request that puts its number into the table; b"\xbe" as `indexed`: takes it from there."""
    field = indexed if indexed == b"\xbe" else indexed + b"\x08x-msisdn" + bytes([len(value)]) + value
    block = b"\x82\x86\x84\x01\x0cshop.example" + field
    return len(block).to_bytes(3, "big") + b"\1\5" + stream.to_bytes(4, "big") + block


NONE = b"none-was-set"


def copied(*segments_sent: bytes, ahead: bytes) -> Talk:
    """A copy of the first segment, which came `ahead` of it, and what else the client says; no acknowledgement."""
    talk = Talk().open().client(OPENING)
    talk.segment(DATA, ahead)
    for octets in segments_sent:
        talk.client(octets, acknowledged=False)
    return talk


def test_a_copy_of_a_frame_is_one_more_reading() -> None:
    for ahead, meant, expected in ((NUMBER, NONE, FIRST_ONLY), (NONE, NUMBER, SECOND_ONLY)):
        sensor = read(segments(copied(framed(meant), ahead=framed(ahead)).server(OK)))
        assert leaks(sensor) == expected
        assert sensor.counts["requests"] == sensor.counts["oddities.overlap"] == 1


def test_what_a_copy_puts_into_the_table_is_read_from_it_later() -> None:
    talk = copied(framed(NUMBER), *(framed(b"", 2 * n + 3, b"\xbe") for n in range(200)), ahead=framed(NONE))
    assert leaks(read(segments(talk.server(OK)))) == SECOND_ONLY * 201


def test_ways_that_have_the_same_table_are_one_again() -> None:
    """The copies differ in a field that no table holds: after some requests only one way goes on."""
    ahead, meant = (framed(value, indexed=b"\0") for value in (NONE, NUMBER))
    talk = copied(meant, *(framed(NUMBER, 2 * n + 3) for n in range(99)), ahead=ahead)
    sensor = read(segments(talk.server(OK)))
    assert leaks(sensor) == SECOND_ONLY + 99 * ONCE


def test_frames_that_only_one_copy_has_are_in_doubt() -> None:
    body = b"\x10\0\0\0\0\0\0\0\1"
    for ahead, meant in ((body, framed(NUMBER)), (framed(NUMBER), body)):
        (size,) = {len(framed(NUMBER))}
        talk = copied(meant.ljust(size, b"x"), ahead=ahead.ljust(size, b"x"))
        assert leaks(read(segments(talk.server(OK)))) == [(True, (), "ambiguous")]


def test_a_late_copy_of_a_frame_shows_only_what_is_new() -> None:
    talk = Talk().client(OPENING + framed(NONE), acknowledged=False)
    sensor = Sensor().feed(segments(talk)).expire(SECOND)
    copy = segments(Talk().client(OPENING + framed(NUMBER)))[0]._replace(time_ns=sensor.now_ns)
    assert leaks(sensor.feed([copy]).finish()) == [(False, (), "confirmed"), (True, (), "ambiguous")]


def test_what_is_kept_to_read_frames_again_is_in_proportion() -> None:
    talk = Talk(mss=1).open().client(OPENING)
    for n in range(300):  # a table of 78 entries and more that are pushed out
        talk.client(framed(b"%012d" % n, 2 * n + 1), acknowledged=False)
    sensor = Sensor().feed(segments(talk))
    (half,) = sensor.streams._halves
    assert half.client is not None
    starts = half.client._http1._starts
    assert 2 <= len(starts) <= 5
    assert half.client._kept_from == starts[0].position
    assert sum(start.weight for start in starts) < 2 * len(half.client._kept) + 4096
    talk = Talk(seq=talk.seq, ack=talk.ack).server(OK)
    sensor.feed(segments(talk))
    assert len(starts) == 1


def test_what_copies_of_frames_cost_is_in_proportion() -> None:
    talk = Talk().open().client(OPENING)
    table = [framed(b"%04d" % n + b"v" * 80, 2 * n + 1) for n in range(40)]
    talk.client(b"".join(table), acknowledged=False)
    for n in range(60):
        talk.segment(DATA, b"%02d" % n, seq=talk.seq - 2)
    sensor = read(segments(talk.server(OK)))
    assert sensor.counts["shed.copies"] > 0
    assert sensor.counts["shed.readings"] > 0


def test_what_is_skipped_of_frames_is_counted_once_though_the_beginning_came_late() -> None:
    body = b"\0\x03\xe8\0\0\0\0\0\1" + bytes(1000)
    talk = Talk().client(CLEAN, acknowledged=False).client(OPENING + body + framed(NUMBER, 3), acknowledged=False)
    first, second = segments(talk)
    sensor = read([second, first])
    assert (leaks(sensor), sensor.counts["body_bytes"]) == (ONCE, 1000)
