from __future__ import annotations

import struct
from itertools import pairwise

import hpack
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from monitor import counts
from monitor.portable.http2 import PREFACE, Http2
from monitor.portable.http2_frames import FURTHEST
from monitor.portable.http2_messages import OPEN_STREAMS
from monitor.portable.http2_tunnels import MOST_TUNNELS
from monitor.records import Certainty, Flow, Limits, RequestHead, Section

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
NUMBER = b"447700900123"
REQUEST = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"shop.example"),
    (b":path", b"/a?b=1"),
    (b"accept", b"*/*"),
    (b"x-msisdn", NUMBER),
)
SETTINGS = struct.pack(">BHBBI", 0, 0, 4, 0, 0)


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def headers(fields=REQUEST, *, stream: int = 1, flags: int = 5, encoder: hpack.Encoder | None = None) -> bytes:
    return frame(1, (encoder or hpack.Encoder()).encode(list(fields)), flags=flags, stream=stream)


DEFAULTS = Limits()


class Witness:
    """Http2 with its counts; feeds in pieces of `step` octets."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self.counts = counts.zeros()
        self.http2 = Http2(limits, self.counts, FLOW)
        self.cut: list[RequestHead] = []

    def feed(self, octets: bytes, step: int = 10**9):
        pieces = (octets[at : at + step] for at in range(0, len(octets), step))
        return [*self._cut_heads(), *(placed.head for piece in pieces for placed in self.http2.feed(piece, 7))]

    def gap(self, missing: int) -> None:
        self.cut += [placed.head for placed in self.http2.gap(missing)]

    def finish(self):
        return [*self._cut_heads(), *(placed.head for placed in self.http2.finish())]

    def _cut_heads(self) -> list[RequestHead]:
        cut, self.cut = self.cut, []
        return cut

    @property
    def counted(self) -> dict[str, int]:
        return {key: value for key, value in self.counts.items() if value}


def client(**settings: int) -> H2Connection:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    return connection


@pytest.mark.parametrize("step", [1, 2, 7, 24, 25, 1460, 10**9])
def test_a_talk_of_h2_is_read_whole(step):
    talk = client()
    for stream in (1, 3, 5):
        talk.send_headers(stream, list(REQUEST), end_stream=True)
    talk.send_headers(7, [(b":method", b"POST"), *REQUEST[1:]])
    talk.send_data(7, b"GET / HTTP/1.1\r\nx-msisdn: 447700900124\r\n\r\n", pad_length=9)
    talk.ping(b"12345678")
    talk.send_headers(7, [(b"x-trailing", NUMBER)], end_stream=True)
    witness = Witness()
    heads = witness.feed(talk.data_to_send(), step)
    assert [(head.method, head.target, head.version, head.section) for head in heads] == [
        *[(b"GET", b"/a?b=1", b"HTTP/2", Section.HEAD)] * 3,
        (b"POST", b"/a?b=1", b"HTTP/2", Section.HEAD),
        (b"POST", b"/a?b=1", b"HTTP/2", Section.TRAILER),
    ]
    assert all(head.fields == REQUEST for head in heads[:3])
    assert heads[4].fields == ((b":authority", b"shop.example"), (b"x-trailing", NUMBER))
    assert {(head.time_ns, head.flow, head.oddities, head.certainty) for head in heads} == {
        (7, FLOW, (), Certainty.CONFIRMED)
    }
    assert (witness.counted, witness.http2.bodies) == ({}, 42 + 10)


def test_the_first_octets_alone_are_not_taken_for_a_late_start():
    witness = Witness()
    assert witness.feed(PREFACE[:20]) == []
    assert len(witness.feed(PREFACE[20:] + SETTINGS + headers())) == 1
    assert "blind.midstream" not in witness.counted


def test_a_block_is_put_together_from_continuations_padding_and_priority():
    block = hpack.Encoder().encode(list(REQUEST))
    octets = PREFACE + SETTINGS
    octets += frame(1, b"\x05" + b"\0\0\0\0\x10" + block[:3] + b"\0" * 5, flags=0x29, stream=1)
    octets += frame(9, b"", stream=1) + frame(9, block[3:9], stream=1) + frame(9, block[9:], flags=4, stream=1)
    for step in (1, 5, 10**9):
        [head] = Witness().feed(octets, step)
        assert (head.fields, head.oddities) == (REQUEST, ())


def test_unknown_frames_and_great_bodies_are_skipped():
    octets = PREFACE + SETTINGS + frame(0xFA, b"?" * 300, stream=77) + frame(2, b"\0\0\0\0\0", stream=1)
    octets += headers(flags=4) + frame(0, bytes(200_000), stream=1) + frame(0, b"", flags=1, stream=1)
    octets += frame(8, b"\0\0\0\1") + headers(stream=3)
    for step in (1460, 10**9):
        witness = Witness()
        assert [head.fields for head in witness.feed(octets, step)] == [REQUEST, REQUEST]
        assert (witness.counted, witness.http2.bodies) == ({}, 200_000)


def test_settings_and_table_sizes_follow_the_client():
    talk = client()
    talk.update_settings({SettingCodes.HEADER_TABLE_SIZE: 0})
    for stream, size in ((1, 4096), (3, 60), (5, 0), (7, 4096)):
        talk.encoder.header_table_size = size
        talk.send_headers(stream, [*REQUEST, (b"x-turn", b"%d" % size)], end_stream=True)
    heads = Witness().feed(talk.data_to_send())
    assert [head.fields for head in heads] == [(*REQUEST, (b"x-turn", b"%d" % size)) for size in (4096, 60, 0, 4096)]


def test_grpc():
    call = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/pkg.Service/Call"),
        (b":authority", b"g.example"),
    )
    call += ((b"te", b"trailers"), (b"content-type", b"application/grpc"), (b"x-msisdn-bin", b"NDQ3NzAw"))
    talk = client()
    for stream in (1, 3):
        talk.send_headers(stream, list(call))
        talk.send_data(stream, b"\0\0\0\0\x05hello", end_stream=True)
        talk.increment_flow_control_window(100)
    assert [head.fields for head in Witness().feed(talk.data_to_send())] == [call, call]


def test_connect_names_its_authority_as_target():
    fields = ((b":method", b"CONNECT"), (b":authority", b"shop.example:443"))
    websocket = (*fields, (b":protocol", b"websocket"), (b":scheme", b"http"), (b":path", b"/chat"))
    heads = Witness().feed(PREFACE + headers(fields) + headers(websocket, stream=3))
    assert [head.target for head in heads] == [b"shop.example:443", b"/chat"]


@pytest.mark.parametrize(
    ("fields", "oddities", "certainty"),
    [
        ([(b":authority", b"a.example")], (), "confirmed"),
        ([(b"host", b"a.example")], (), "confirmed"),
        ([(b":authority", b"a.example"), (b"host", b"A.example")], (), "confirmed"),
        ([(b":authority", b"a.example"), (b"host", b"b.example")], ("host_mismatch",), "confirmed"),
        ([(b":authority", b"a.example"), (b":authority", b"b.example")], ("host",), "ambiguous"),
        ([(b"host", b"a.example"), (b"host", b"b.example")], ("host",), "ambiguous"),
        ([], ("host_missing",), "confirmed"),
        ([(b"host", b"a.example"), (b"X-Msisdn", b"1")], ("odd_name",), "confirmed"),
        ([(b"host", b"a.example"), (b"x y", b"1")], ("odd_name",), "confirmed"),
        ([(b"host", b"a.example"), (b"x", b"a\0b")], ("nul",), "confirmed"),
        ([(b"host", b"a.example"), (b"x", b"a\r\nb")], ("control",), "confirmed"),
    ],
)
def test_oddities(fields, oddities, certainty):
    witness = Witness()
    [head] = witness.feed(PREFACE + headers([(b":method", b"GET"), (b":path", b"/"), *fields]))
    assert (head.oddities, head.certainty) == (oddities, certainty)
    assert [name for name, _ in head.fields] == [b":method", b":path", *(name.lower() for name, _ in fields)]
    assert witness.counted == {}


def test_values_lose_the_white_space_around_them():
    [head] = Witness().feed(PREFACE + headers([(b":method", b"GET"), (b"host", b" a.example\t")]))
    assert head.fields[1] == (b"host", b"a.example")


LINE = (b"x-msisdn", NUMBER)


@pytest.mark.parametrize(
    ("fields", "section", "oddities"),
    [
        ((LINE,), Section.TRAILER, ("host_unknown",)),
        (((b"host", b"shop.example"), LINE), Section.TRAILER, ("not_http",)),
        (((b":path", b"/"), LINE), Section.HEAD, ("not_http", "host_missing")),
        (((b":authority", b"shop.example"), LINE), Section.HEAD, ("not_http",)),
        (((b":method", b""), *REQUEST[1:]), Section.HEAD, ("not_http",)),
        (((b":status", b"200"), *REQUEST), Section.HEAD, ("not_http",)),
    ],
)
def test_a_client_whose_fields_are_no_request(fields, section, oddities):
    """RFC 9113 section 8.1.1: malformed, so receivers refuse them; but the number has left."""
    (head,) = Witness().feed(PREFACE + headers(fields))
    assert (head.section, head.oddities, head.certainty) == (section, oddities, Certainty.AMBIGUOUS)
    assert LINE in head.fields


def test_pseudo_fields_in_trailers():
    talk = headers(flags=4) + headers([(b":path", b"/b"), LINE])
    _, trailers = Witness().feed(PREFACE + talk)
    assert (trailers.section, trailers.target, trailers.oddities) == (Section.TRAILER, b"/a?b=1", ("not_http",))
    assert trailers.fields == ((b":authority", b"shop.example"), (b":path", b"/b"), LINE)


def test_a_client_that_sends_a_status_hides_nothing():
    talk = headers([(b":status", b"200")]) + headers(stream=3)
    witness = Witness()
    assert [head.oddities for head in witness.feed(PREFACE + talk)] == [("not_http", "host_missing"), ()]
    assert (witness.http2.asks, witness.http2.answers) == (True, False)
    witness = Witness()
    assert [head.method for head in witness.feed(SETTINGS + headers() + talk)] == [b"GET", b"", b"GET"]
    witness = Witness()  # whoever begins with one answers
    witness.feed(SETTINGS + talk)
    assert witness.http2.answers


class TestMidstream:
    def talk(self) -> tuple[list[bytes], list[tuple]]:
        """Frames of six requests over one table, and the fields of each."""
        encoder = hpack.Encoder()
        fields = [(*REQUEST, (b"x-turn", b"%d" % turn)) for turn in range(6)]
        return [headers(each, stream=2 * turn + 1, encoder=encoder) for turn, each in enumerate(fields)], fields

    @pytest.mark.parametrize("step", [1, 13, 10**9])
    def test_begins_with_the_next_two_frames_that_fit(self, step):
        frames, fields = self.talk()
        witness = Witness()
        heads = witness.feed(b"the end of a body \0\0\5 " + b"".join(frames[1:]), step)
        assert [head.fields[-1][1] for head in heads] == [each[-1][1] for each in fields[1:]]
        for head in heads:
            assert set(head.fields[:-1]) < set(REQUEST)  # in part, and nothing else
            assert head.fields[-1][0] == b""
            assert "hpack_unresolved" in head.oddities
            assert head.oddities[-1] == "host_unknown"
            assert head.certainty is Certainty.AMBIGUOUS
        assert witness.counted["blind.midstream"] == 1
        assert witness.counted["blind.hpack"] >= 5

    def test_the_last_frame_of_all_is_believed_when_it_ends_where_the_talk_ends(self):
        witness = Witness()
        assert witness.feed(b"tail of a body" + headers()) == []
        assert [head.fields for head in witness.finish()] == [REQUEST]
        assert witness.finish() == []

    def test_the_first_octets_in_a_continuation_are_not_guessed_at(self):
        block = hpack.Encoder().encode([(b"x-a", b"1" * 60)])
        octets = frame(9, block[5:], flags=4, stream=1) + headers(stream=3) + headers(stream=5)
        assert [head.fields for head in Witness().feed(octets)] == [REQUEST, REQUEST]

    @pytest.mark.parametrize("step", [1460, 40_000, 10**9])
    def test_frames_are_found_after_much_that_is_none(self, step):
        octets = bytes(range(1, 256)) * 400 + headers() + headers(stream=3)
        assert [head.fields for head in Witness().feed(octets, step)] == [REQUEST, REQUEST]

    def test_looking_is_bounded(self):
        witness = Witness()
        for _ in range(300):
            assert witness.feed(b"\0\x40\0\0\0\0\0\0\1" * 1000) == []
            assert len(witness.http2._seeker._held) <= 2 * FURTHEST + 9000
            assert len(witness.http2._seeker._candidates) <= FURTHEST


class TestGap:
    def test_inside_a_body_loses_nothing(self):
        encoder = hpack.Encoder()
        witness = Witness()
        heads = witness.feed(PREFACE + headers(flags=4, encoder=encoder) + frame(0, bytes(9000), stream=1)[:3000])
        witness.gap(9009 - 3000)
        heads += witness.feed(frame(0, b"", flags=1, stream=1) + headers(stream=3, encoder=encoder))
        assert [head.fields for head in heads] == [REQUEST, REQUEST]
        assert (witness.counted, witness.http2.bodies) == ({}, 2991)

    def test_inside_a_block_shows_the_fields_before_it(self):
        octets = headers()
        witness = Witness()
        witness.feed(PREFACE + octets[:-3])
        witness.gap(2)
        [head, following] = witness.feed(octets[-1:] + headers(stream=3))
        assert head.fields == REQUEST[:-1]
        assert head.oddities == ("incomplete",)
        assert head.certainty is Certainty.CONFIRMED
        assert following.fields == REQUEST
        assert witness.counted == {"blind.head_incomplete": 1}

    def test_before_the_authority_leaves_the_host_unknown(self):
        witness = Witness()
        witness.feed(PREFACE + headers()[:12])
        witness.gap(1)
        [head] = witness.finish()
        assert head.fields == REQUEST[:2]
        assert head.oddities == ("incomplete", "host_unknown")
        assert head.certainty is Certainty.AMBIGUOUS

    def test_over_frames_forgets_the_table_and_looks_for_the_next(self):
        encoder = hpack.Encoder()
        turns = [
            headers((*REQUEST, (b"x-turn", b"%d" % turn)), stream=2 * turn + 1, encoder=encoder) for turn in range(9)
        ]
        witness = Witness()
        witness.feed(PREFACE + b"".join(turns[:3]) + turns[3][:5])
        lost = len(turns[3]) - 5 + len(turns[4]) + 3
        witness.gap(lost)
        heads = witness.feed(turns[5][3:] + b"".join(turns[6:]))
        assert [head.fields[-1] for head in heads] == [(b"", b"6"), (b"", b"7"), (b"", b"8")]
        assert all(value in {b"GET", b"http", b"6", b"7", b"8"} for head in heads for _, value in head.fields)

    def test_between_frames_of_a_block_ends_it(self):
        block = hpack.Encoder().encode(list(REQUEST))
        witness = Witness()
        witness.feed(PREFACE + frame(1, block[:-16], flags=1, stream=1))
        witness.gap(30)
        [head] = witness.finish()
        assert head.oddities == ("incomplete",)

    def test_before_anything(self):
        witness = Witness()
        witness.feed(PREFACE[:10])
        witness.gap(14)
        assert len(witness.feed(SETTINGS + headers())) == 1


class TestBounds:
    def test_a_block_beyond_the_bound_is_read_up_to_it(self):
        fields = [*REQUEST, *[(b"x-%d" % turn, b"\xff" * 90) for turn in range(100)]]
        block = hpack.Encoder().encode(fields, huffman=False)
        whole = PREFACE + frame(1, block, flags=5, stream=1)
        parts = [frame(9, block[at : at + 100], stream=1) for at in range(0, len(block), 100)]
        cut = PREFACE + frame(1, b"", flags=1, stream=1) + b"".join(parts) + frame(9, b"", flags=4, stream=1)
        for octets in (whole, cut):
            witness = Witness(Limits(head_bytes=2000))
            head, following = witness.feed(octets + headers(stream=3), 700)
            assert head.fields[:6] == REQUEST
            assert 10 < len(head.fields) < 30
            assert head.oddities == ("long",)
            assert following.fields == REQUEST
            assert witness.counted["shed.head_bytes"] == 1

    def test_a_bomb(self):
        encoder = hpack.Encoder()
        bomb = encoder.encode([*REQUEST, (b"x-bomb", b"y" * 3000)]) + b"\xbe" * 15_000
        witness = Witness()
        head, following = witness.feed(PREFACE + frame(1, bomb, flags=5, stream=1) + headers(stream=3, encoder=encoder))
        assert head.fields[:6] == REQUEST
        assert head.oddities == ("long",)
        assert sum(len(name) + len(value) for name, value in head.fields) <= Limits().head_bytes
        assert following.fields == REQUEST
        assert witness.counted["shed.hpack"] == 1

    def test_many_fields(self):
        witness = Witness()
        head, _ = witness.feed(PREFACE + frame(1, b"\x82" * 5000, flags=5, stream=1) + headers(stream=3))
        assert len(head.fields) == Limits().head_lines
        assert witness.counted["shed.head_lines"] == 1

    def test_a_continuation_flood_holds_nothing(self):
        witness = Witness(Limits(head_bytes=1000))
        witness.feed(PREFACE + headers(flags=0))
        for _ in range(300):
            assert witness.feed(frame(9, b"\x82" * 100, stream=1)) == []
        assert len(witness.http2._block.octets) == 1000

    def test_open_requests(self):
        witness = Witness()
        witness.feed(PREFACE)
        for stream in range(1, 2 * OPEN_STREAMS + 21, 2):
            witness.feed(headers(flags=4, stream=stream))
        assert len(witness.http2._messages._requests) == OPEN_STREAMS
        assert witness.counted["shed.http2_streams"] == 10
        heads = witness.feed(headers([(b"x-a", b"1")], stream=1) + headers([(b"x-a", b"1")], stream=21))
        assert [head.fields[0] for head in heads] == [(b"x-a", b"1"), (b":authority", b"shop.example")]

    def test_a_great_target_is_not_kept_for_trailers(self):
        witness = Witness()
        witness.feed(PREFACE + headers([(b":method", b"GET"), (b":path", b"/" * 3000)], flags=4))
        assert not witness.http2._messages._requests
        assert witness.counted["shed.http2_streams"] == 1

    @pytest.mark.parametrize("end", [frame(0, b"", flags=1, stream=1), frame(3, bytes(4), stream=1)])
    def test_an_ended_stream_is_forgotten(self, end):
        witness = Witness()
        witness.feed(PREFACE + headers(flags=4))
        assert list(witness.http2._messages._requests) == [1]
        witness.feed(end)
        assert not witness.http2._messages._requests


def test_a_malformed_block_shows_what_stood_before_and_the_talk_goes_on():
    block = hpack.Encoder().encode(list(REQUEST)) + b"\x80"
    witness = Witness()
    heads = witness.feed(PREFACE + frame(1, block, flags=5, stream=1) + headers(stream=3))
    assert [head.fields for head in heads] == [REQUEST, REQUEST]
    assert [head.oddities for head in heads] == [("incomplete",), ()]


def test_a_block_that_never_ends_is_read_when_the_next_begins():
    heads = Witness().feed(PREFACE + headers(flags=1) + headers(stream=3))
    assert [(head.fields, head.oddities) for head in heads] == [(REQUEST, ("incomplete",)), (REQUEST, ())]


FRAMES = st.one_of(
    st.builds(headers, stream=st.sampled_from([1, 3, 5]), flags=st.sampled_from([0, 1, 4, 5])),
    st.builds(
        frame,
        st.integers(0, 11),
        st.binary(max_size=40),
        flags=st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 255]),
        stream=st.sampled_from([0, 1, 2, 3, 5, 2**31]),
    ),
    st.binary(max_size=40),
)


@given(
    st.booleans(),
    st.lists(FRAMES, max_size=12).map(b"".join),
    st.lists(st.integers(0, 400), max_size=8),
    st.sampled_from([Limits(), Limits(head_bytes=60)]),
)
def test_heads_and_counts_do_not_depend_on_the_cutting(prefaced, octets, cuts, limits):
    octets = PREFACE * prefaced + octets
    whole, cut = Witness(limits), Witness(limits)
    at = sorted({0, len(octets), *(place for place in cuts if place < len(octets))})
    pieces = [octets[start:end] for start, end in pairwise(at)]
    read = [head for piece in pieces for head in cut.feed(piece)]
    assert read == whole.feed(octets)
    assert cut.finish() == whole.finish()
    assert cut.counts == whole.counts


@given(st.lists(st.tuples(st.one_of(FRAMES, st.just(PREFACE)), st.integers(0, 60)), max_size=10))
def test_no_octets_and_gaps_raise(pieces):
    witness = Witness(Limits(head_bytes=60))
    for octets, missing in pieces:
        witness.feed(octets)
        if missing:
            witness.gap(missing)
    witness.finish()
    assert all(value >= 0 for value in witness.counts.values())
    assert witness.counts.keys() == counts.zeros().keys()


CONNECT = ((b":method", b"CONNECT"), (b":authority", b"shop.example:80"))
INSIDE = b"GET /in HTTP/1.1\r\nHost: shop.example\r\nx-msisdn: %s\r\n\r\n" % NUMBER


@pytest.mark.parametrize("step", [1, 7, 10**9])
def test_what_a_tunnel_carries_is_read(step: int) -> None:
    data = (
        frame(0, INSIDE[:20], stream=1) + headers(stream=3) + frame(0, b"\2" + INSIDE[20:] + b"??", flags=8, stream=1)
    )
    heads = Witness().feed(PREFACE + headers(CONNECT, flags=4) + data + frame(0, INSIDE, stream=5), step)
    assert [head.target for head in heads] == [b"shop.example:80", b"/a?b=1", b"/in"]
    assert heads[-1].oddities == ("in_connect",)


def test_a_tunnel_ends_with_its_stream() -> None:
    begun = PREFACE + headers(CONNECT, flags=4) + frame(0, INSIDE[:-2], stream=1)
    for end in (frame(0, flags=1, stream=1), frame(3, bytes(4), stream=1)):
        heads = Witness().feed(begun + end + frame(0, INSIDE, stream=1))
        assert [head.target for head in heads] == [b"shop.example:80", b"/in"]
        assert "incomplete" in heads[-1].oddities


def test_a_tunnel_goes_on_behind_a_gap() -> None:
    witness = Witness()
    witness.feed(PREFACE + headers(CONNECT, flags=4) + frame(0, INSIDE[:20], stream=1))
    witness.gap(50)
    heads = witness.feed(frame(0, INSIDE, stream=1) + SETTINGS)
    assert [head.target for head in heads if head.fields[-1:] == ((b"x-msisdn", NUMBER),)] == [b"/in"]


def test_a_tunnel_goes_on_behind_a_gap_in_a_frame_and_behind_a_frame_too_long_to_be_seen_whole() -> None:
    witness = Witness()
    witness.feed(PREFACE + headers(CONNECT, flags=4) + frame(0, b"x" * 60, stream=1)[:30])
    witness.gap(39)
    heads = witness.feed(frame(0, INSIDE, stream=1) + SETTINGS)
    assert [head.target for head in heads if head.fields[-1:] == ((b"x-msisdn", NUMBER),)] == [b"/in"]
    long = frame(0, b"x" * 300_000, stream=1)
    heads = witness.feed(long) + witness.feed(frame(0, INSIDE, stream=1) + SETTINGS)
    assert [head.target for head in heads if head.fields[-1:] == ((b"x-msisdn", NUMBER),)] == [b"/in"]
    assert witness.counts["shed.head_bytes"] == 1


def test_what_a_tunnel_keeps_does_not_grow() -> None:
    witness = Witness()
    witness.feed(PREFACE + headers(CONNECT, flags=4) + frame(0, PREFACE + SETTINGS, stream=1))
    weights = []
    for _ in range(300):
        witness.feed(frame(0, SETTINGS * 100, stream=1))
        weights.append(witness.http2.weight)
    assert max(weights[30:]) <= max(weights[:30])


def test_a_websocket_is_no_tunnel_and_only_so_many_are_read() -> None:
    websocket = (*CONNECT, (b":protocol", b"websocket"), (b":scheme", b"http"), (b":path", b"/"))
    assert len(Witness().feed(PREFACE + headers(websocket, flags=4) + frame(0, INSIDE, stream=1))) == 1
    witness = Witness()
    many = b"".join(headers(CONNECT, flags=4, stream=stream) for stream in range(1, 2 * MOST_TUNNELS + 2, 2))
    heads = witness.feed(PREFACE + many + b"".join(frame(0, INSIDE, stream=s) for s in (1, 2 * MOST_TUNNELS + 1)))
    assert [head.target for head in heads].count(b"/in") == 1
    assert witness.counts["shed.http2_streams"] == 1


def test_a_tunnel_in_a_tunnel_is_a_body() -> None:
    inner = PREFACE + headers(CONNECT, flags=4) + frame(0, INSIDE, stream=1)
    heads = Witness().feed(PREFACE + headers(CONNECT, flags=4) + frame(0, inner, stream=1))
    assert [head.method for head in heads] == [b"CONNECT", b"CONNECT"]
