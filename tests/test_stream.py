"""All connections together: decoys, ports, tunnels, bounds (5-hostile.md, rows 9-11, 43-49, 52, 90-93), and laws."""

from __future__ import annotations

from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import counts
from monitor.portable.ended import MOST_OF_ONE, REMEMBERED, REMEMBERED_NS, Ended
from monitor.portable.halves import FAR_BYTES
from monitor.portable.heads import TWIN_HEADS
from monitor.portable.origins import REMEMBERED_SYNS
from monitor.records import Certainty, Flow, Section
from pcaps.talk import ACK, FIN, MS, PSH, RST, SYN, URG, Talk
from tests.connections import DATA, MASKED, OK, ONCE, SECOND, Sensor, begun, ended, leaks, read, segments
from tests.heads import CLEAN, FIELD, LEAK, NUMBER, POST, head


@pytest.mark.parametrize(
    "decoy",
    [
        {"flags": RST},
        {"flags": RST, "payload": b"gone"},
        {"flags": FIN | ACK},
        {"flags": SYN, "seq": 77_000},
        {"flags": SYN, "seq": 1000},
        {"flags": DATA, "seq": 901_000, "payload": LEAK.replace(b"/", b"/far", 1)},
    ],
)
@pytest.mark.parametrize("at", [0, 5, 40])
def test_a_decoy_does_not_stop_the_reading(decoy: dict, at: int) -> None:
    talk = begun().client(LEAK[:at], acknowledged=False)
    talk.segment(**decoy)
    sensor = read(segments(talk.client(LEAK[at:]).server(OK)))
    assert leaks(sensor) == ONCE


def test_a_segment_far_ahead_is_not_believed_even_as_the_first() -> None:
    talk = Talk().open()
    talk.segment(DATA, MASKED, seq=talk.seq + 900_000)
    sensor = read(segments(ended(talk)))
    assert leaks(sensor) == ONCE
    assert sensor.counts["rejected.out_of_window"] == 1


def test_two_segments_far_ahead_move_the_window() -> None:
    talk = begun()
    talk.seq += 3_000_000
    sensor = read(segments(ended(talk.client(LEAK).server(OK))))
    assert leaks(sensor) == ONCE * 2
    assert sensor.counts["blind.gap"] == 1


def test_decoys_far_ahead_do_not_add_up() -> None:
    talk = begun()
    far = talk.seq + 900_000
    for cut in (LEAK[:20], LEAK[20:]):
        talk.segment(DATA, MASKED, seq=far)
        far += len(MASKED)
        talk.client(cut, acknowledged=False)
    assert leaks(read(segments(talk.server(OK)))) == ONCE


def test_a_segment_far_ahead_that_is_acknowledged_moves_the_window() -> None:
    talk = begun().client(LEAK[:20], acknowledged=False)
    talk.seq += 3_000_000
    sensor = read(segments(talk.client(LEAK).server(OK)))
    assert ONCE[0] in leaks(sensor)
    assert sensor.counts["blind.gap"] == 1


def astray(talk: Talk, ahead: int, *payloads: bytes) -> None:
    """Segments out of the window that fit together."""
    for payload in payloads:
        talk.segment(DATA, payload, seq=talk.seq + ahead)
        ahead += len(payload)


def test_a_window_that_moves_leaves_what_was_read_where_it_was() -> None:
    for decoys in ((MASKED, MASKED), (b"\x16\x03\x01" + b"x" * 300, b"x" * 300), (b"some text " * 30, b"more " * 2000)):
        talk = begun().client(LEAK[:60], acknowledged=False)
        astray(talk, 900_000, *decoys)
        sensor = read(segments(ended(talk, LEAK[60:])))
        assert ONCE[0] in leaks(sensor)
        assert sensor.counts["memory_bytes.hold"] == 0


def test_both_sides_of_a_window_that_moves_are_read() -> None:
    talk = begun().client(LEAK[:60], acknowledged=False)
    here, there = talk.seq, talk.seq + 3_000_000
    rest = LEAK[60:] + LEAK
    for at in range(0, 50, 5):
        for place, octets in ((there, LEAK), (there + 5, LEAK[5:]), (here, rest))[at > 0 :]:
            talk.segment(DATA, octets[at : at + 5], seq=place + at)
    talk.segment(DATA, LEAK[55:], seq=there + 55)
    talk.segment(DATA, rest[50:], seq=here + 50)
    assert sorted(leaks(read(segments(talk)))) == ONCE * 3


def test_of_three_windows_that_for_which_most_speaks_stays_and_that_is_counted() -> None:
    acknowledged, one_sided = begun(), Talk().open().client(CLEAN * 9, acknowledged=False)
    for talk in (acknowledged, one_sided):
        talk.client(LEAK[:50], acknowledged=False)
        for ahead in (900_000, 2_900_000, 4_900_000):
            astray(talk, ahead, MASKED, MASKED)
        sensor = read(segments(talk.client(LEAK[50:], acknowledged=False)))
        assert leaks(sensor).count(ONCE[0]) == 1
        assert sensor.counts["shed.windows"] == 2


def test_what_is_out_of_the_window_is_held_and_may_be_shed() -> None:
    talk = begun().client(LEAK[:60], acknowledged=False)
    talk.segment(DATA, b"x" * 1000, seq=talk.seq + 900_000)
    sensor = Sensor().feed(segments(talk))
    assert sensor.streams._held == FAR_BYTES + 1000
    weight = sensor.streams._used
    talk = Talk(seq=talk.seq, time_ns=talk.time_ns).client(LEAK[60:])
    assert leaks(sensor.feed(segments(talk)).finish()) == ONCE
    assert sensor.streams._held == sensor.streams._used == 0 < weight
    talk = begun().client(LEAK[:60], acknowledged=False)
    for _ in range(3):
        talk.segment(DATA, b"x" * 1000, seq=talk.seq + 900_000)
    sensor = read(segments(ended(talk, LEAK[60:])), hold_bytes=1000)
    assert (leaks(sensor), sensor.counts["shed.hold"]) == (ONCE, 3)
    talk = begun().client(LEAK[:60], acknowledged=False)
    astray(talk, 900_000, MASKED, MASKED)
    astray(talk, 902_000, MASKED * 20)  # behind a hole
    sensor = read(segments(ended(talk, LEAK[60:])), hold_bytes=1000)
    assert sensor.counts["shed.windows"] == 1


def test_ports_may_be_used_again() -> None:
    for second in (Talk(seq=500_000), Talk(seq=1100), Talk(seq=3_000_000_000)):
        first = begun()
        second.time_ns = first.time_ns
        sensor = Sensor().feed(segments(first), segments(second.open().client(LEAK)))
        assert leaks(sensor) == ONCE
        assert sensor.finish().counts["gap_bytes"] == 0


def test_of_two_syns_the_acknowledged_one_counts() -> None:
    talk = Talk().open()
    decoy = Talk(seq=77_000_000)
    decoy.segment(SYN)
    talk.packets[1:1] = decoy.packets
    assert leaks(read(segments(talk.client(LEAK)))) == ONCE


def test_a_syn_may_come_between_parts_of_the_first_request() -> None:
    fed = segments(Talk(mss=20).open().client(LEAK))
    assert leaks(read([fed[4], fed[0], fed[3], *fed[5:]])) == ONCE


def test_after_a_lost_syn_ports_may_be_used_again() -> None:
    sensor = read(segments(begun()), segments(ended(Talk(seq=3_000_000_000).client(LEAK).server(OK))))
    assert leaks(sensor) == ONCE * 2


def test_data_may_follow_a_fin() -> None:
    talk = begun()
    talk.segment(FIN | ACK)
    talk.seq += 1
    sensor = Sensor().feed(segments(talk.client(LEAK[:30])))
    talk.packets.clear()
    assert leaks(sensor.expire(3 * SECOND).feed(segments(talk.client(LEAK[30:])))) == ONCE


def test_a_head_may_take_long() -> None:
    talk = begun().client(LEAK[:30])
    sensor = Sensor().feed(segments(talk))
    for _ in range(40):
        sensor.expire(10 * SECOND)
    talk.packets.clear()
    talk.time_ns = sensor.now_ns
    assert leaks(sensor.feed(segments(talk.client(LEAK[30:])))) == ONCE


def test_a_response_is_never_read() -> None:
    for body in (LEAK, b"x" * 50 + LEAK):
        talk = Talk().open().client(CLEAN).server(b"HTTP/1.1 200 OK\r\n\r\n").server(body).server(LEAK)
        sensor = read(segments(talk))
        assert not leaks(sensor)
        assert sensor.counts["opaque_streams.response"] == 1


def test_a_response_picked_up_in_the_middle_is_not_read_once_the_client_spoke() -> None:
    talk = Talk().server(b"some text of a page\r\n").client(CLEAN).server(LEAK).server(LEAK)
    assert not leaks(read(segments(talk)))


def test_fields_of_a_response_behind_a_hole_are_not_read() -> None:
    talk = Talk()
    talk.segment(SYN | ACK, client=False)
    talk.ack += 20
    talk.server(b"text/html\r\nX-MSISDN: " + NUMBER + b"\r\nServer: s\r\n\r\n", acknowledged=False)
    assert not leaks(read(segments(talk)))


def test_any_port_and_any_protocol_before() -> None:
    talk = Talk(dport=25).open().server(b"220 mail.example ESMTP\r\n").client(b"EHLO client.example\r\n")
    talk.client(b"\x80\x81\x82 binary").client(LEAK)
    assert [each.first for each in leaks(read(segments(talk)))] == [True]


def test_looks_are_counted_once() -> None:
    talk = Talk().open()
    for _ in range(3):
        talk.client(b"\x17\x03\x03\0\5hello").server(b"\x17\x03\x03\0\5hello")
    talk2 = Talk(sport=2).open().client(b"\xff\xfe\xfd").client(b"\xff\xfe\xfc").server(b"\1\2\3")
    sensor = read(segments(talk), segments(talk2))
    assert sensor.counts["opaque_streams.tls"] == 2
    assert sensor.counts["opaque_streams.other"] == 2


def test_http2_with_prior_knowledge_and_after_an_upgrade() -> None:
    block = b"\x82\x86\x84\x01\x0cshop.example\x00\x08x-msisdn\x0c" + NUMBER
    opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    frame = b"\0\0%c\1\5\0\0\0\3" % len(block) + block
    for mss in (1460, 1):
        for before in (b"", head(b"Connection: Upgrade", b"Upgrade: h2c", line=b"GET /clean HTTP/1.1")):
            talk = Talk(mss=mss).open().client(before).client(opening).client(frame)
            sensor = read(segments(talk))
            assert leaks(sensor) == ONCE
            assert sensor.counts["requests"] == 1 + bool(before)


# --- tunnels ------------------------------------------------------------------------------------------------------


def test_the_same_connection_on_two_paths_counts_once() -> None:
    fed = [segments(ended(begun()), path) for path in ((("gtpu", 1),), ())]
    for both in (fed, fed[::-1]):
        sensor = read([each for pair in zip(*both, strict=True) for each in pair])
        assert [each.target for each in sensor.heads] == [b"/clean", b"/"]
        assert sensor.counts["twin_heads"] == 2


def test_a_twin_that_is_far_behind_is_not_known_and_that_is_counted() -> None:
    talk = Talk().open()
    for _ in range(TWIN_HEADS + 3):
        talk.client(CLEAN)
    ahead, behind = (segments(talk, path) for path in ((), (("gtpu", 1),)))
    sensor = read(ahead[:5], behind[:5], ahead[5:], behind[5:])
    assert sensor.counts["shed.twin_heads"] > 0
    assert sensor.counts["requests"] + sensor.counts["twin_heads"] == 2 * TWIN_HEADS + 6
    beside = read([each for pair in zip(ahead, behind, strict=True) for each in pair])
    assert (beside.counts["shed.twin_heads"], beside.counts["twin_heads"]) == (0, TWIN_HEADS + 3)


def test_two_subscribers_may_have_the_same_addresses_and_ports() -> None:
    fed = [segments(ended(begun(), octets), (("gtpu", teid),)) for teid, octets in ((1, LEAK), (2, MASKED))]
    sensor = read([each for pair in zip(*fed, strict=True) for each in pair])
    assert sorted(leaks(sensor)) == [(False, (), "confirmed"), (True, (), "confirmed")]


def test_the_way_back_may_have_another_tunnel_or_none() -> None:
    talk = Talk().open().client(LEAK, acknowledged=False)
    up = segments(talk, (("gtpu", 1),))
    talk.packets.clear()
    for path in ((("gtpu", 2),), ()):
        assert leaks(Sensor().feed(up, segments(talk.server(OK, acknowledged=False), path))) == ONCE


def test_an_acknowledgement_goes_to_a_tunnel_of_its_kind() -> None:
    talk = Talk().client(LEAK, acknowledged=False)
    masked = Talk().client(MASKED, acknowledged=False)
    sensor = Sensor()
    for path, sent in (((), talk), ((("gtpu", 1),), masked), ((("l2tp", 1),), talk)):
        sensor.feed([each._replace(seq=each.seq + len(path)) for each in segments(sent, path)])
    talk.packets.clear()
    talk.segment(ACK, client=False, ack=talk.seq + 1)
    assert leaks(sensor.feed(segments(talk, (("gtpu", 2),)))) == [(False, (), "confirmed")]
    assert leaks(sensor.feed(segments(talk)))[1:] == ONCE


# --- bounds -------------------------------------------------------------------------------------------------------


def test_a_flood_of_syns_costs_nothing() -> None:
    sensor = Sensor()
    syn = segments(Talk().open())[0]
    sensor.feed(syn._replace(flow=syn.flow._replace(sport=n)) for n in range(2 * REMEMBERED_SYNS))
    sensor.expire(0)
    assert sensor.counts["half_streams"] == 0
    assert leaks(sensor.feed(segments(ended(begun()))).finish()) == ONCE


@pytest.mark.parametrize(
    ("text", "step_ns", "gone"),
    [
        (LEAK, 1, [1, 2, 3]),
        (LEAK[:-2], 1, [5, 6, 7]),  # nobody is torn for whoever comes
        (LEAK[:-2], 5 * SECOND, [1, 2, 3]),  # but for being silent
    ],
)
def test_the_half_stream_that_was_silent_for_longest_goes_first(text: bytes, step_ns: int, gone: list[int]) -> None:
    sensor = Sensor(half_streams=4, settle_ns=99 * SECOND)
    for sport in range(1, 8):
        later = Talk(sport=sport, time_ns=1_700_000_000 * SECOND + sport * step_ns)
        sensor.feed(segments(later.client(text, acknowledged=False)))
    assert sensor.counts["shed.half_streams"] == 3
    assert [each.flow.sport for each in sensor.heads] == gone
    assert len(sensor.finish().heads) == 7


def test_a_silent_half_stream_is_forgotten_and_picked_up_again() -> None:
    sensor = Sensor().feed(segments(begun()))
    for left in (2, 2, 0):
        assert sensor.expire(600 * SECOND).counts["half_streams"] == left
    talk = begun()
    talk.packets.clear()
    talk.time_ns = sensor.now_ns
    assert leaks(sensor.feed(segments(ended(talk))).finish()) == ONCE


def test_a_step_of_the_clock_forgets_nothing() -> None:
    talk = begun().client(LEAK[:30])
    rest = segments(begun().client(LEAK[:30]).client(LEAK[30:]))[-2:]
    for step_ns in (10**18, -(10**18)):
        later = [each._replace(time_ns=each.time_ns + step_ns) for each in rest]
        assert leaks(read(segments(talk), later)) == ONCE


def test_a_closed_connection_is_forgotten_soon() -> None:
    sensor = Sensor().feed(segments(ended(begun()))).expire(0)
    assert sensor.counts["half_streams"] == 2
    assert sensor.expire(2 * SECOND).counts["half_streams"] == 0


def test_a_head_that_ends_in_a_reset_is_judged_soon() -> None:
    talk = Talk().open().client(LEAK[:-2])
    talk.segment(RST | ACK)
    sensor = Sensor().feed(segments(talk)).expire(2 * SECOND)
    assert leaks(sensor) == ONCE
    assert sensor.heads[0].oddities == ("incomplete",)


def test_what_waits_behind_holes_is_bounded() -> None:
    def hoard(sport: int) -> Talk:
        talk = Talk(sport=sport).open().client(LEAK, acknowledged=False).lose(b"h")
        return talk.client(b"x" * 20_000, acknowledged=False)

    sensor = Sensor(hold_bytes=100_000)
    for sport in range(1, 21):
        sensor.feed(segments(hoard(sport))).expire(0)
        assert sensor.counts["memory_bytes.hold"] <= 100_000
    assert sensor.counts["shed.hold"] >= 15
    assert len(leaks(sensor.finish())) == 20
    assert sensor.counts["memory_bytes.hold"] == 0
    late = Talk().open().client(CLEAN * 400, acknowledged=False).lose(b"h").client(b"x" * 20_000, acknowledged=False)
    one = Sensor(hold_bytes_per_half_stream=10_000).feed(segments(late)).expire(0)
    assert one.counts["shed.hold"]


def test_trailers_are_counted_apart() -> None:
    octets = head(b"Transfer-Encoding: chunked", line=POST) + b"1\r\nx\r\n0\r\n" + FIELD + b"\r\n\r\n"
    sensor = read(segments(ended(begun(), octets)))
    assert [each.section for each in sensor.heads] == [Section.HEAD, Section.HEAD, Section.TRAILER]
    assert (sensor.counts["requests"], sensor.counts["trailers"]) == (2, 1)


# --- laws ---------------------------------------------------------------------------------------------------------

bodies = st.one_of(st.just(b""), st.just(LEAK), st.binary(max_size=80))
texts = st.one_of(st.just(b""), st.just(LEAK), st.text("ab: \r\n", max_size=80).map(str.encode))


@st.composite
def sent_requests(draw: st.DrawFn, bodies: st.SearchStrategy[bytes] = bodies) -> list[bytes]:
    """Requests with and without bodies, each with a target of its own."""
    sent = []
    for n in range(draw(st.integers(1, 6))):
        body = draw(bodies)
        lines = [b"Content-Length: %d" % len(body)] if body else []
        sent.append(head(*lines, FIELD, line=b"PUT /%d HTTP/1.1" % n) + body)
    return sent


def content(sensor: Sensor) -> list[tuple]:
    return sorted((each.target, each.fields, each.oddities, each.certainty, each.readings) for each in sensor.heads)


@settings(deadline=None)
@given(st.booleans(), st.data())
def test_order_and_copies_of_segments_do_not_matter(handshake: bool, data: st.DataObject) -> None:
    talk = Talk(mss=data.draw(st.integers(1, 90)), seq=2**32 - data.draw(st.integers(1, 300)), step_ns=MS // 10)
    before = segments(talk.open()) if handshake else []
    talk.packets.clear()
    # without a handshake, what comes first may be taken for another protocol when it is a binary body
    sent = data.draw(sent_requests() if handshake else sent_requests(texts))
    for request in sent:
        talk.client(request, acknowledged=False)
    fed = segments(talk)
    plain = read(before, fed)
    assert [each.target for each in plain.heads] == [b"/%d" % n for n in range(len(sent))]
    places = [n + data.draw(st.integers(0, 12)) for n in range(len(fed))]
    copies = data.draw(st.lists(st.tuples(st.integers(0, 2 * len(fed)), st.sampled_from(fed)), max_size=8))
    mixed = read(before, [each for _, each in sorted([*zip(places, fed, strict=True), *copies], key=itemgetter(0))])
    assert content(mixed) == content(plain)
    assert mixed.counts["gap_bytes"] == 0


unlike_requests = st.binary(max_size=80).filter(lambda octets: b"HTTP/" not in octets)


@settings(deadline=None)
@given(sent_requests(unlike_requests), st.data())  # a body whose head was lost cannot be told from a request
def test_what_was_captured_whole_is_found_and_nothing_is_invented(sent: list[bytes], data: st.DataObject) -> None:
    talk = Talk(mss=data.draw(st.integers(20, 90))).open()
    fed, whole = segments(talk), []
    for n, request in enumerate(sent):
        talk.packets.clear()
        cuts = segments(talk.client(request, acknowledged=False))
        lost = data.draw(st.sets(st.integers(0, len(cuts) - 1), max_size=2)) if data.draw(st.booleans()) else set()
        fed += [segment for at, segment in enumerate(cuts) if at not in lost]
        if not lost:
            whole.append(b"/%d" % n)
    sensor = read(fed)
    targets = [each.target for each in sensor.heads if each.oddities in ((), ("framing",))]
    assert set(whole) <= set(targets)
    for each in sensor.heads:
        if each.certainty is Certainty.AMBIGUOUS:
            continue
        assert targets.count(each.target) <= 1
        assert each.target == b"" or any(request.startswith(b"PUT " + each.target + b" ") for request in sent)
        for name, value in each.fields:
            assert any(name + b": " + value + b"\r\n" in request.lower() for request in sent)


anything = st.tuples(
    st.sampled_from([SYN, SYN | ACK, DATA, DATA, DATA, PSH, FIN | ACK, RST, DATA | URG, ACK]),
    st.one_of(st.just(b""), st.sampled_from([LEAK, CLEAN, MASKED, OK, LEAK[:20], LEAK[20:]]), st.binary(max_size=20)),
    st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)),
    st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3 * SECOND),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, max_size=30), st.integers(0, 2))
def test_no_traffic_is_an_error(sent: list[tuple], missing: int) -> None:
    talk, sensor = Talk(), Sensor(half_streams=2, hold_bytes=4000, hold_bytes_per_half_stream=2000)
    for flags, payload, seq, ack, client, bad, later_ns in sent:
        talk.packets.clear()
        talk.segment(flags, payload, client=client, seq=seq, ack=ack, urgent=5, bad_checksum=bad)
        sensor.feed([each._replace(missing=missing * len(payload) % 7) for each in segments(talk)]).expire(later_ns)
        assert 0 <= sensor.counts["memory_bytes.hold"] <= 4000
        assert sensor.counts["half_streams"] <= 2
    sensor.finish()
    assert sensor.counts["payload_bytes"] == sum(len(payload) for flags, payload, *_ in sent if not flags & RST)
    assert set(sensor.counts) == set(counts.zeros())
    parted = ("requests", "trailers", "head_parts")
    assert sum(sensor.counts[key] for key in parted) == len(sensor.heads)


def test_last_heads_of_ended_connections_are_remembered_for_a_while_and_only_so_many_of_them():
    counted = counts.zeros()
    ended = Ended(counted)
    flow, other = (Flow("192.0.2.1", sport, "192.0.2.2", 80, ()) for sport in (1, 2))

    def known(*heads: tuple[Flow, tuple[int, int]], now_ns: int = 0) -> list[bool]:
        return [ended.knows(*each, now_ns) for each in heads]

    ended.remember(flow, (7, 1), 0, is_owed=True)
    ended.remember(flow, (7, 1), 5, is_owed=True)
    assert known((flow, (7, 1)), (flow, (8, 1)), (other, (7, 1))) == [True, False, False]
    ended.remember(flow, (7, 1), REMEMBERED_NS, is_owed=True)
    assert known((flow, (7, 1))) == [True]
    ended.remember(other, (7, 1), 2 * REMEMBERED_NS, is_owed=True)
    assert known((flow, (7, 1)), (other, (7, 1))) == [False, True]
    assert counted["shed.ended"] == 0
    for seq in range(REMEMBERED):
        ended.remember(flow, (seq, 2), 2 * REMEMBERED_NS, is_owed=True)
        ended.remember(flow, (seq, 3), 2 * REMEMBERED_NS, is_owed=False)
    assert known((other, (7, 1)), (flow, (0, 2)), (flow, (0, 3))) == [False, True, True]
    assert counted["shed.ended"] == 1
    ended.remember(other, (7, 3), 2 * REMEMBERED_NS, is_owed=False)
    assert known((flow, (0, 3))) == [False]
    assert counted["shed.ended"] == 1  # what was acknowledged is owed by nobody
    ended.remember(flow, (9, 4), 2 * REMEMBERED_NS, is_owed=False, earlier=((8, 4), (9, 4)))
    assert known((flow, (8, 4)), (other, (8, 4))) == [True, False]
    many = tuple((seq, 5) for seq in range(MOST_OF_ONE))
    ended.remember(flow, (9, 4), 2 * REMEMBERED_NS, is_owed=False, earlier=many[1:])
    assert known((flow, (8, 4)), (flow, (9, 4)), (flow, (8, 5))) == [False, True, True]
    for sport in range(REMEMBERED // MOST_OF_ONE):
        one = Flow("192.0.2.3", sport, "192.0.2.2", 80, ())
        ended.remember(one, (9, 4), 2 * REMEMBERED_NS, is_owed=False, earlier=many)
    assert known((flow, (8, 5)), (one, (8, 5))) == [False, True]
    assert known((one, (8, 5)), (one, (9, 4)), now_ns=3 * REMEMBERED_NS) == [False, False]
