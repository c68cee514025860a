"""IP and TCP headers that are odd; the right ones are in test_decode.py."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting

from monitor.records import Checksum, Fragment, Segment
from pcaps.talk import ACK, RST, ip, tcp
from tests.encapsulations import DST6, INNER, INNER6, PAYLOAD, decoded, extended, routed

RAW = 101
ENDS = ("100.64.1.2", 40001, "203.0.113.9", 80)
ENDS6 = ("2001:db8:1::2", 40001, "2001:db8:2::9", 80)


def segment(packet: bytes, **frame: int) -> Segment:
    found, counted = decoded(packet, RAW, **frame)
    assert isinstance(found, Segment)
    assert counted == {"segments": 1}
    return found


def skipped(packet: bytes) -> str:
    found, counted = decoded(packet, RAW)
    assert found is None
    return next(key for key in counted if key.startswith("skipped.")).removeprefix("skipped.")


def patched(packet: bytes, at: int, octets: bytes) -> bytes:
    return packet[:at] + octets + packet[at + len(octets) :]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (patched(INNER, 0, b"\x44"), "malformed"),  # a header of 16 bytes
        (patched(INNER, 2, b"\x00\x13"), "malformed"),  # a total length of 19
        (patched(INNER, 0, b"\x75"), "malformed"),
        (patched(INNER, 32, b"\x40"), "malformed"),  # a TCP header of 16 bytes
        (patched(INNER[:40], 32, b"\xf0"), "truncated"),  # of 60, where there are 20 and the total length says more
        (patched(patched(INNER[:40], 32, b"\xf0"), 2, b"\x00\x28"), "malformed"),  # of 60, where there are 20
        (ip(ENDS[0], ENDS[2], 17, struct.pack("!HHHH", 5000, 53, 12, 0) + b"name"), "not_tcp"),
        (ip(ENDS[0], ENDS[2], 1, bytes(8) + INNER), "not_tcp"),  # ICMP quotes the packet that it is about
        (ip(ENDS[0], ENDS[2], 132, bytes(20)), "not_tcp"),
        (ip(ENDS[0], ENDS[2], 50, bytes(40)), "encrypted"),
        (ip(ENDS6[0], ENDS6[2], 50, bytes(40)), "encrypted"),
        (ip(ENDS[0], ENDS[2], 115, b"\0\0\0\5" + bytes(40)), "unknown_tunnel"),
        (ip(ENDS[0], ENDS[2], 115, bytes(40)), "tunnel_control"),  # L2TPv3: session 0
        (ip(ENDS[0], ENDS[2], 55, bytes(40)), "unknown_tunnel"),
        (ip(ENDS[0], ENDS[2], 108, bytes(40)), "unknown_tunnel"),
        (ip(ENDS6[0], ENDS6[2], 59, b""), "not_tcp"),
        (ip(ENDS[0], ENDS[2], 60, b"\x06\x00" + bytes(6) + INNER[20:]), "not_tcp"),  # no header of IPv4
        (patched(INNER6, 6, b"\x3c")[:41], "truncated"),
    ],
)
def test_packets_without_a_segment_are_skipped_for_their_reason(packet: bytes, reason: str):
    assert skipped(packet) == reason


def test_every_field_of_the_header():
    found = segment(tcp(*ENDS, 2**32 - 1, 2**31, 0xFF, b"octets", options=b"\x01\x01\x08\x0a" + bytes(8), urgent=3))
    assert (found.flow.sport, found.flow.dport) == (40001, 80)
    assert (found.seq, found.ack, found.flags, found.payload) == (2**32 - 1, 2**31, 0xFF, b"octets")
    assert found.urgent == 3
    assert found.checksum is Checksum.GOOD
    assert segment(tcp(*ENDS, 1, 1, ACK, urgent=3)).urgent == 0  # a pointer without its flag
    nonce = patched(INNER, 32, b"\x51")
    assert segment(nonce).flags == 0x100 | segment(INNER).flags  # the ninth flag of RFC 3540


@given(
    st.sampled_from([ENDS, ENDS6]),
    st.binary(max_size=64),
    st.integers(0, 2**16 - 1),
    st.integers(min_value=1, max_value=0xFFFE),
)
def test_a_checksum_is_good_until_one_word_changes(ends, payload: bytes, window: int, change: int):
    packet = tcp(*ends, 7, 9, ACK, payload, window=window)
    assert segment(packet).checksum is Checksum.GOOD
    at = (20 if len(ends[0]) < 13 else 40) + 4  # the sequence number
    word = struct.pack("!H", (struct.unpack_from("!H", packet, at)[0] + change) % 2**16)
    if word not in (packet[at : at + 2], *equal_words(packet[at : at + 2])):
        assert segment(patched(packet, at, word)).checksum in (Checksum.BAD, Checksum.UNKNOWN)


def equal_words(word: bytes) -> tuple[bytes, ...]:
    """0 and 0xFFFF are the same number in ones' complement."""
    zeros = (b"\x00\x00", b"\xff\xff")
    return zeros if word in zeros else ()


def test_a_reset_with_a_bad_checksum_is_marked():
    assert segment(tcp(*ENDS, 1, 1, RST, bad_checksum=True)).checksum is Checksum.BAD


@pytest.mark.parametrize("ends", [ENDS, ENDS6])
@pytest.mark.parametrize("with_length", [True, False])
def test_a_checksum_left_to_the_card_is_unknown(ends, with_length: bool):
    """Linux leaves the sum of the pseudo header in the field; for TSO the length is for the card to add."""
    packet = tcp(*ends, 7, 9, ACK, b"odd")
    addresses, start = (packet[12:20], 20) if len(ends[0]) < 13 else (packet[8:40], 40)
    total = sum(struct.unpack(f"!{len(addresses) // 2}H", addresses)) + 6 + (23 if with_length else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert segment(patched(packet, start + 16, struct.pack("!H", total))).checksum is Checksum.UNKNOWN


def test_a_frame_that_says_so_has_no_checksum_yet():
    packet = tcp(*ENDS, 7, 9, ACK, b"octets", bad_checksum=True)
    assert segment(packet, ready=False).checksum is Checksum.UNKNOWN


def test_a_bad_header_checksum_is_read_all_the_same():
    assert segment(patched(INNER, 10, b"\x12\x34")) == segment(INNER)


def test_padding_is_no_payload():
    assert segment(INNER + bytes(6)) == segment(INNER)
    assert segment(INNER6 + bytes(6)) == segment(INNER6)


def test_a_total_length_of_zero_takes_what_was_on_the_wire():
    whole = patched(INNER, 2, b"\x00\x00")
    assert segment(whole) == segment(INNER)
    cut = segment(whole[:-9], wire_len=len(whole))
    assert (cut.payload, cut.missing, cut.checksum) == (PAYLOAD[:-9], 9, Checksum.UNKNOWN)


@pytest.mark.parametrize("wire_len", [None, 1500])
def test_a_packet_shorter_than_it_says_has_lost_its_end(wire_len: int | None):
    """By the snap length, or, with the same length on the wire, by a mirror that truncates."""
    found, _ = decoded(INNER[:-9], RAW, wire_len)
    assert isinstance(found, Segment)
    assert (found.payload, found.missing, found.checksum) == (PAYLOAD[:-9], 9, Checksum.UNKNOWN)


def test_fragments_of_ipv4():
    def fragment(bits: int, payload: bytes) -> Fragment:
        found, counted = decoded(ip(ENDS[0], ENDS[2], 6, payload, ident=77, fragment=bits), RAW)
        assert isinstance(found, Fragment)
        assert counted == {}
        return found

    first = fragment(0x2000, bytes(16))
    assert first[3:9] == (6, 77, 0, True, bytes(16), 0)
    assert fragment(0x2002, bytes(16))[5:7] == (16, True)
    assert fragment(0x0002, b"end")[5:8] == (16, False, b"end")
    assert segment(ip(ENDS[0], ENDS[2], 6, INNER[20:], fragment=0x4000)) == segment(INNER)  # only "do not fragment"


def test_a_fragment_that_was_cut_says_so():
    packet = ip(ENDS[0], ENDS[2], 6, bytes(64), fragment=0x2000)
    found, _ = decoded(packet[:50], RAW, len(packet))
    assert isinstance(found, Fragment)
    assert (found.data, found.missing) == (bytes(30), 34)


def test_fragments_of_ipv6():
    header = struct.pack("!BBHI", 6, 0, 16 | 1, 0xABCDEF01)
    found, _ = decoded(ip(ENDS6[0], ENDS6[2], 44, header + b"sixteen bytes ..", ident=0), RAW)
    assert isinstance(found, Fragment)
    assert found[3:9] == (6, 0xABCDEF01, 16, True, b"sixteen bytes ..", 0)


@pytest.mark.parametrize(
    ("header", "destination"),
    [
        (IPv6ExtHdrSegmentRouting(addresses=[DST6, "2001:db8:7::1"], segleft=1), DST6),
        (IPv6ExtHdrSegmentRouting(addresses=[DST6, "2001:db8:7::1"], segleft=0), "2001:db8:7::1"),
        (IPv6ExtHdrRouting(addresses=["2001:db8:7::2", DST6], segleft=1), DST6),
        (IPv6ExtHdrRouting(addresses=["2001:db8:7::2", DST6], segleft=0), "2001:db8:7::1"),
        (IPv6ExtHdrRouting(type=3, addresses=["2001:db8:7::2", DST6], segleft=1), "2001:db8:7::1"),
        (IPv6ExtHdrRouting(addresses=[], segleft=1), "2001:db8:7::1"),
    ],
)
def test_the_recipient_is_where_the_route_ends(header, destination: str):
    """RFC 8200 section 8.1; a route that is walked, unknown or empty ends where the IP header says."""
    found = segment(routed(INNER6, header))
    assert found.flow.dst == ip(destination, destination, 6, b"")[8:24]


def test_extension_headers_that_lead_out_of_the_packet():
    far = patched(extended(INNER6, 60, IPv6ExtHdrRouting(addresses=[])), 41, b"\xff")
    assert skipped(far) == "malformed"


def test_a_short_fragment_is_what_its_version_says_whatever_was_announced():
    """A fragment of eight bytes is shorter than a header of IPv6, which the EtherType promised."""
    part = ip(ENDS[0], ENDS[2], 6, bytes(8), ident=7, fragment=0x2000)
    found, _ = decoded(b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x86\xdd" + part, 1)
    assert isinstance(found, Fragment)
    assert (found.ident, found.data) == (7, bytes(8))
