from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import counts
from monitor.portable.capture import CaptureReader
from monitor.portable.decode import BLIND, Decoder
from monitor.portable.defrag import Defragmenter
from monitor.portable.framing import LINKS
from monitor.portable.packet import Skip
from monitor.records import Checksum, Datagram, Flow, Fragment, Limits, Segment
from tests.encapsulations import (
    ACKED,
    DPORT,
    FLAGS,
    FRAMINGS,
    INNER,
    INNER6,
    PAYLOAD,
    SEQ,
    SPORT,
    TIME_NS,
    TUNNELS,
    WAYS,
    decoded,
    frame,
)

CAPTURES = Path(__file__).parents[2] / "shared/captures/files"


def segment(packet: bytes, path: tuple[tuple[str, int], ...] = ()) -> Segment:
    """What decode must find of INNER or INNER6, wherever it is."""
    src, dst = (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])
    flow = Flow(src, SPORT, dst, DPORT, path)
    return Segment(TIME_NS, flow, SEQ, ACKED, FLAGS, PAYLOAD, 0, 0, Checksum.GOOD, ())


BOTH = {"ipv4": INNER, "ipv6": INNER6}
EVERYTHING = {
    **{f"{name}_{v}": (f.link, f.wrap(packet)) for name, f in FRAMINGS.items() for v, packet in BOTH.items()},
    **{f"{name}_{v}": (1, frame(t.wrap(packet))) for name, t in TUNNELS.items() for v, packet in BOTH.items()},
    **{name: (1, frame(packet)) for name, packet in WAYS.items()},
}


@pytest.mark.parametrize("packet", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", FRAMINGS)
def test_a_segment_is_found_behind_every_framing(name: str, packet: bytes):
    link, wrap, path = FRAMINGS[name]
    assert decoded(wrap(packet), link) == (segment(packet, path), {"segments": 1})


@pytest.mark.parametrize("packet", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", TUNNELS)
def test_a_segment_is_found_in_every_tunnel(name: str, packet: bytes):
    wrap, path = TUNNELS[name]
    assert decoded(frame(wrap(packet))) == (segment(packet, path), {"segments": 1})


@pytest.mark.parametrize("name", WAYS)
def test_a_segment_is_found_behind_every_kind_of_ip_header(name: str):
    found, counted = decoded(frame(WAYS[name]))
    assert (found, counted) in [(segment(packet), {"segments": 1}) for packet in (INNER, INNER6)]


@given(
    st.sampled_from(sorted(FRAMINGS)),
    st.lists(st.sampled_from(sorted(TUNNELS)), max_size=5),
    st.sampled_from([INNER, INNER6]),
)
@settings(max_examples=60, deadline=None)
def test_tunnels_nest_in_any_order(framing: str, names: list[str], inner: bytes):
    packet, path = inner, FRAMINGS[framing].path
    for name in reversed(names):
        packet = TUNNELS[name].wrap(packet)
    for name in names:
        path += TUNNELS[name].path
    found, _ = decoded(FRAMINGS[framing].wrap(packet), FRAMINGS[framing].link, deepest=40)
    assert found == segment(inner, path)


def nested(layers: int) -> bytes:
    """IP headers, one in the other, `layers` of them."""
    packet = INNER
    for _ in range(layers - 1):
        packet = TUNNELS["ip_in_ip"].wrap(packet)
    return frame(packet)


def test_the_walk_stops_at_the_stated_depth():
    assert decoded(nested(16)) == (segment(INNER), {"segments": 1})
    assert decoded(nested(17)) == (None, {"skipped.depth": 1, "blind.depth": 1})
    assert decoded(nested(3), deepest=2) == (None, {"skipped.depth": 1, "blind.depth": 1})


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_frame_cut_anywhere_is_truncated_and_never_misread(name: str):
    link, octets = EVERYTHING[name]
    behind = octets[::-1].index(PAYLOAD[::-1])  # padding
    for kept in range(1, len(octets)):
        found, counted = decoded(octets[:kept], link, len(octets))
        if isinstance(found, Segment):
            missing = max(0, len(octets) - behind - kept)
            assert (found.payload, found.missing) == (PAYLOAD[: len(PAYLOAD) - missing], missing), kept
            assert found.checksum is (Checksum.UNKNOWN if missing else Checksum.GOOD)
        else:
            assert (found, counted) == (None, {"skipped.truncated": 1, "blind.truncated": 1}), kept


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_is_read_beyond_the_capture_when_lengths_lie(name: str):
    link, octets = EVERYTHING[name]
    for kept in range(len(octets)):
        found, counted = decoded(octets[:kept], link)
        assert_one_fate(found, counted)
        if isinstance(found, Segment):
            assert PAYLOAD.startswith(found.payload)


@given(st.sampled_from(sorted(LINKS)), st.binary(max_size=200), st.integers(0, 300))
def test_any_octets_have_one_fate(link: int, octets: bytes, wire_len: int):
    assert_one_fate(*decoded(octets, link, wire_len))


@given(st.sampled_from(sorted(EVERYTHING)), st.data())
@settings(max_examples=400)
def test_damaged_frames_have_one_fate(name: str, draw: st.DataObject):
    link, octets = EVERYTHING[name]
    at = draw.draw(st.integers(0, len(octets)))
    damage = draw.draw(st.binary(min_size=1, max_size=4))
    assert_one_fate(*decoded(octets[:at] + damage + octets[at + len(damage) :], link))


def assert_one_fate(found: Segment | Fragment | None, counted: dict[str, int]) -> None:
    fates = {key: count for key, count in counted.items() if not key.startswith("blind.")}
    if isinstance(found, Fragment):
        assert fates == {}  # defrag's to tell
    else:
        assert list(fates.values()) == [1]
        assert (fates == {"segments": 1}) == isinstance(found, Segment)


def test_a_frame_without_a_byte_and_one_of_an_unknown_link():
    assert decoded(b"", 1, 60) == (None, {"skipped.empty": 1})
    assert decoded(INNER, 147) == (None, {"skipped.unknown_link": 1, "blind.unknown_link": 1})


@pytest.mark.parametrize("wire_len", [0, 20])
def test_more_than_was_on_the_wire_is_all_there(wire_len: int):
    assert decoded(frame(WAYS["card_segments"]), 1, wire_len)[0] == segment(INNER)


def test_reasons_are_those_of_the_table():
    assert set(Skip) == set(counts.SKIPPED)
    assert set(counts.BLIND) >= BLIND


def test_a_datagram_goes_on_where_its_fragments_were_found():
    counted = counts.zeros()
    src, dst, path = INNER[12:16], INNER[16:20], (("gtpu", 7),)
    datagram = Datagram(TIME_NS, src, dst, 6, INNER[20:-5], 5, path, 4, ("frag_overlap",))
    found = Decoder(Limits(), counted).datagram(datagram)
    assert found == segment(INNER, path)._replace(
        payload=PAYLOAD[:-5], missing=5, checksum=Checksum.UNKNOWN, oddities=("frag_overlap",)
    )
    assert counted["segments"] == 1


def test_a_datagram_counts_for_the_depth():
    """Fragments in fragments have no IP header between them; without this they would nest without end."""
    counted = counts.zeros()
    inside = b"\x06\0\0\1" + bytes(4) + bytes(16)  # a fragment header and a first fragment
    datagram = Datagram(TIME_NS, bytes(16), bytes(16), 44, inside, 0, (), 3, ())
    found = Decoder(Limits(), counted).datagram(datagram)
    assert isinstance(found, Fragment)
    assert found.depth == 4
    assert Decoder(Limits(), counted).datagram(datagram._replace(depth=16)) is None
    assert counted["skipped.depth"] == 1


@pytest.mark.shared
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the shared captures are not here")
def test_the_books_balance_on_real_captures():
    for path in random.Random(1).sample(sorted(CAPTURES.iterdir()), 300):
        counted = counts.zeros()
        source = CaptureReader((str(path),), counted)
        decoder, defragmenter = Decoder(Limits(), counted), Defragmenter(Limits(), counted)

        def take(found: Segment | Fragment | None, defragmenter=defragmenter, decoder=decoder) -> None:
            if isinstance(found, Fragment):
                for datagram in defragmenter.feed(found):
                    take(decoder.datagram(datagram))

        while not source.done:
            for each in source.read(4096, 0):
                take(decoder.feed(each))
        source.close()
        skipped = sum(count for key, count in counted.items() if key.startswith("skipped."))
        assert counted["frames"] + counted["second_readings"] == counted["segments"] + skipped, path.name
