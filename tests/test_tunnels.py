"""What stands where a tunnel should, and is none or holds no segment; the right ones are in test_decode.py."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.tunnels import PORTS, PORTS_TO
from monitor.records import Segment
from pcaps.talk import ip, tcp
from tests.encapsulations import INNER, INNER6, PAYLOAD, TEID, decoded, frame, gtpu, over, udp

RAW = 101
DNS = bytes.fromhex("12340100000100000000000004736861700765786d61706c6500") + b"\0\1\0\1"
QUIC = b"\xc3\0\0\0\1\x08" + bytes(range(8)) + b"\x08" + bytes(1180)


def fate(packet: bytes) -> str:
    """Why it was skipped; asserts that a blind spot was counted where there is one."""
    found, counted = decoded(packet, RAW)
    assert found is None
    (reason,) = (key.removeprefix("skipped.") for key in counted if key.startswith("skipped."))
    assert counted.get("blind." + reason, 0) == (reason in ("truncated", "encrypted", "unknown_tunnel", "depth"))
    return reason


def gre(bits: int, kind: int, octets: bytes = b"") -> bytes:
    return over(struct.pack("!HH", bits, kind) + octets, 47)


@pytest.mark.parametrize("octets", [DNS, QUIC, bytes(64), b"\xff" * 64, PAYLOAD, INNER[20:]])
@pytest.mark.parametrize("port", [1701, 2152, 3544, 4341, 4789, 4790, 6081, 8472, 37008])
def test_what_only_stands_on_a_tunnels_port_makes_no_flow(port: int, octets: bytes):
    assert fate(udp(octets, port)) == "unknown_tunnel"


@given(st.sampled_from(sorted({*PORTS, *PORTS_TO})), st.binary(min_size=1, max_size=120))
def test_no_octets_on_a_tunnels_port_make_a_flow(port: int, octets: bytes):
    assert not isinstance(decoded(udp(octets, port), RAW)[0], Segment)  # a fragment may stand behind any label


@pytest.mark.parametrize("port", [4341, 4754, 4789, 4790, 6080, 6081, 6635, 8472, 37008])
def test_a_port_that_only_a_destination_has_means_nothing_as_source(port: int):
    assert fate(udp(DNS, 53, port)) == "not_tcp"


def test_an_empty_datagram_hides_nothing():
    assert fate(udp(b"", 2152)) == "not_tcp"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (struct.pack("!BBHI", 0x32, 1, 4, 0) + bytes(4), "tunnel_control"),  # echo request
        (struct.pack("!BBHI", 0x32, 26, 4, 0) + bytes(4), "tunnel_control"),  # error indication
        (struct.pack("!BBHI", 0x30, 254, 0, TEID), "tunnel_control"),  # end marker
        (struct.pack("!BBHI", 0x30, 17, 0, TEID), "unknown_tunnel"),  # no message of this protocol
        (b"\x20" + gtpu(INNER)[1:], "unknown_tunnel"),  # GTP'
        (b"\x50" + gtpu(INNER)[1:], "unknown_tunnel"),  # version 2 is control
        (gtpu(INNER)[:2] + b"\xff\xff" + gtpu(INNER)[4:], "unknown_tunnel"),  # longer than the datagram
        (gtpu(INNER)[:2] + b"\x00\x02" + gtpu(INNER)[4:], "unknown_tunnel"),  # shorter than an IP header
        (gtpu(INNER, b"\x00\x00\x00\x85" + bytes(4), 0x34), "unknown_tunnel"),  # extension of no length
        (gtpu(INNER, b"\x00\x00\x00\x85" + b"\xff\x00\x00\x85", 0x34), "unknown_tunnel"),  # leads out
        (gtpu(INNER, b"\0\0\0\x85" + b"\1\0\0\x85" * 32 + b"\1\0\0\0", 0x34), "unknown_tunnel"),  # too many
        (gtpu(b"\x15" + INNER[1:]), "unknown_tunnel"),  # no version of IP
        (gtpu(b"\x44" + INNER[1:]), "unknown_tunnel"),  # no header length
        (gtpu(INNER[:-1]), "unknown_tunnel"),  # a packet longer than its tunnel's
        (gtpu(INNER)[:7], "unknown_tunnel"),
        (gtpu(b""), "unknown_tunnel"),
    ],
)
def test_gtpu_is_checked_in_every_field(octets: bytes, reason: str):
    assert fate(udp(octets, 2152, 2152)) == reason


def test_gtpu_may_have_more_extension_headers_than_anyone_writes():
    octets = gtpu(INNER, b"\0\0\0\x85" + b"\1\0\0\x85" * 31 + b"\1\0\0\0", 0x34)
    assert isinstance(decoded(udp(octets, 2152), RAW)[0], Segment)


TEREDO = tcp("2001:0:c000:201::1", 40001, "2001:db8:2::9", 80, 1000, 5000, 24, PAYLOAD)


def test_teredo_is_known_between_any_two_ports():
    back = tcp("2001:db8:2::9", 80, "2001:0:c000:201::1", 40001, 5000, 1000, 24, PAYLOAD)
    for packet in (TEREDO, back):
        found, _ = decoded(udp(packet, 9), RAW)
        assert isinstance(found, Segment)
        assert found.payload == PAYLOAD


@pytest.mark.parametrize(
    "octets",
    [
        TEREDO + b"x",  # longer than it says
        TEREDO[:-1],
        TEREDO[:39],
        b"\x50" + TEREDO[1:],
        INNER6,  # neither address is Teredo's
        bytes(8) + TEREDO,  # an origin indication, which only its server sends
    ],
)
def test_what_only_looks_like_teredo_makes_no_flow(octets: bytes):
    assert fate(udp(octets, 9)) in ("not_tcp", "unknown_tunnel")


HOLES = (b"", b"a", bytes(5), b"E" * 20, b"`" * 30, bytes(63))


@pytest.mark.parametrize("before", HOLES)
@pytest.mark.parametrize("packet", [INNER, INNER6, INNER + bytes(6), over(INNER, 4), over(INNER, 47)])
def test_a_packet_that_nothing_announces_is_a_blind_spot_and_makes_no_flow(packet: bytes, before: bytes):
    near = before + packet if packet[9] == 6 or packet[6] == 6 else packet
    assert fate(udp(near, 9)) == "unknown_tunnel"
    assert fate(over(near, 94)) == "unknown_tunnel"
    assert fate(over(near, 1)) == "not_tcp"  # ICMP quotes


@pytest.mark.parametrize(
    "octets",
    [
        bytes(64) + INNER,  # too far behind to be worth while to look
        INNER[:-1],  # longer than the datagram
        INNER[:8] + b"\x41" + INNER[9:],  # the sum of its header is wrong
        INNER[:9] + b"\x11" + INNER[10:],
        b"\x44" + INNER[1:],
        INNER6[:-1] + b"x",  # the sum of its segment is wrong
        INNER6[:6] + b"\x11" + INNER6[7:],
        INNER6[:-1],
        INNER6[:40],
        INNER[:39],
        INNER[:20],
        b"",
    ],
)
def test_what_only_looks_like_a_packet_is_none(octets: bytes):
    assert fate(udp(octets, 9)) == "not_tcp"
    assert fate(over(octets, 94)) == "not_tcp"


@given(st.binary(max_size=120))
def test_no_octets_are_taken_for_a_packet(octets: bytes):
    assert fate(udp(octets, 9)) == "not_tcp"


def test_gtpu_ends_where_its_length_says():
    found, _ = decoded(udp(gtpu(INNER[:2] + b"\0\0" + INNER[4:]) + b"tail", 2152), RAW)
    assert found is None  # a total length of 0 is no sign of a packet here
    found, _ = decoded(udp(gtpu(INNER) + b"tail", 2152), RAW)
    assert isinstance(found, Segment)
    assert found.payload == PAYLOAD


def test_udp_ends_where_its_length_says():
    packet = udp(gtpu(INNER), 2152)
    short = packet[:24] + struct.pack("!H", len(packet) - 20 - 9) + packet[26:]
    assert fate(short) == "unknown_tunnel"  # the inner packet lost its last 9 bytes and knows nothing of it
    lying = packet[:24] + b"\xff\xff" + packet[26:]
    assert isinstance(decoded(lying, RAW)[0], Segment)


@pytest.mark.parametrize(
    ("port", "octets", "reason"),
    [
        (4789, b"\xf7" + bytes(7) + frame(INNER), "unknown_tunnel"),  # no flag for the network number
        (4789, b"\x08" + bytes(7) + bytes(12) + b"\x12\x34" + bytes(40), "unknown_tunnel"),  # no EtherType
        (4789, b"\x08" + bytes(7) + bytes(12) + b"\x08\x00\x55" + bytes(40), "unknown_tunnel"),  # IPv4 that is not
        (4789, b"\x08" + bytes(7) + bytes(12) + b"\x08\x06" + bytes(28), "not_ip"),
        (4790, b"\x0c\0\0\x07" + bytes(4) + INNER, "unknown_tunnel"),
        (6081, b"\x40\x00\x65\x58" + bytes(4) + frame(INNER), "unknown_tunnel"),  # version 1
        (6081, b"\x3f\x00\x65\x58" + bytes(4) + frame(INNER), "unknown_tunnel"),  # options longer than the datagram
        (6081, b"\x00\x00\x12\x34" + bytes(4) + INNER, "unknown_tunnel"),
        (1701, b"\xc8\x02\x00\x0c" + bytes(8), "tunnel_control"),
        (1701, b"\x80\x02\x00\x0c" + bytes(8), "unknown_tunnel"),  # control has a length and numbers
        (1701, b"\x00\x03\x00\x00" + bytes(4) + INNER, "unknown_tunnel"),  # version 3
        (1701, b"\x40\x02\xff\xff\0\1\0\2\xff\x03\x00\x21" + INNER, "unknown_tunnel"),  # longer than the datagram
        (1701, b"\x00\x02\0\1\0\2\xff\x03\xc0\x21\x09\0\0\x08" + bytes(4), "tunnel_control"),  # LCP echo
        (3544, b"\x00\x02" + bytes(8) + INNER, "unknown_tunnel"),
        (3544, INNER, "unknown_tunnel"),  # IPv4
        (4341, b"\x03" + bytes(7) + INNER, "unknown_tunnel"),  # enciphered (RFC 8061), if it is LISP at all
        (4341, bytes(8) + INNER + b"x", "unknown_tunnel"),  # does not end with its datagram
        (4341, bytes(8) + INNER6 + b"x", "unknown_tunnel"),
        (4341, b"\x04\0\0\x04" + bytes(4) + INNER, "unknown_tunnel"),  # NSH
        (4341, bytes(7), "unknown_tunnel"),
        (5247, b"\x01\0\0\0" + bytes(20), "encrypted"),  # DTLS
        (5247, b"\x02\x10\2\0" + bytes(4) + frame(INNER), "unknown_tunnel"),
        (5247, b"\0\x10\2\x08" + bytes(4), "tunnel_control"),  # keepalive
        (5247, b"\0\x10\2\x80" + bytes(4) + frame(INNER), "unknown_tunnel"),  # a fragment
        (5247, b"\0\x10\5\0" + bytes(4) + frame(INNER), "unknown_tunnel"),  # no 802.11
        (5247, b"\0\x10\2\0" + bytes(4) + INNER, "unknown_tunnel"),  # no frame
        (6080, b"\x20\1\0\0" + INNER, "tunnel_control"),
        (6080, b"\x80\4\0\0" + INNER, "unknown_tunnel"),  # variant 2
        (6080, b"\0\x06\0\0" + INNER[20:], "unknown_tunnel"),  # TCP of the outer addresses
        (6080, b"\0\4\0\0" + INNER + b"x", "unknown_tunnel"),
        (6080, INNER + b"x", "unknown_tunnel"),
        (6080, b"\x1f\4\0\0" + INNER, "unknown_tunnel"),  # options longer than the datagram
        (37008, b"\1\4\0\1", "tunnel_control"),  # keepalive
        (37008, b"\2\0\0\1\1" + frame(INNER), "unknown_tunnel"),
        (37008, b"\1\2\0\1\1" + frame(INNER), "unknown_tunnel"),
        (37008, b"\1\0\0\7\1" + frame(INNER), "unknown_tunnel"),  # Token Ring
        (37008, b"\1\0\0\1" + bytes(32) + b"\1" + frame(INNER), "unknown_tunnel"),  # tags without end
        (37008, b"\1\0\0\1\x0a\xff" + frame(INNER), "unknown_tunnel"),  # a tag that leads out
        (4500, b"\xff", "not_tcp"),
        (4500, bytes(4) + bytes(28), "not_tcp"),  # IKE
        (4500, b"\x00\x00\x10\x01" + bytes(60), "encrypted"),
    ],
)
def test_other_tunnels_over_udp(port: int, octets: bytes, reason: str):
    assert fate(udp(octets, port)) == reason


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (gre(0x0000, 0x2001, bytes(20)), "tunnel_control"),  # NHRP
        (gre(0x0000, 0x0000), "tunnel_control"),  # Cisco's keepalive
        (gre(0x0000, 0x00FE, bytes(20)), "not_ip"),  # IS-IS
        (gre(0x0000, 0x1234, bytes(20)), "unknown_tunnel"),
        (gre(0x0002, 0x0800, INNER), "unknown_tunnel"),  # version 2
        (gre(0x2081, 0x880B, b"\0\0\0\3" + bytes(4)), "tunnel_control"),  # PPTP that acknowledges only
        (gre(0x3001, 0x0800, b"\0\x40\0\3" + bytes(4) + INNER), "unknown_tunnel"),  # PPTP holds PPP
        (gre(0x1001, 0x880B, bytes(4) + b"\x00\x21" + INNER), "unknown_tunnel"),  # and has a call
        (gre(0x4000, 0x0800, bytes(4) + b"\x00\x02\x00\xff"), "malformed"),  # routing that leads out
    ],
)
def test_gre_without_a_segment(packet: bytes, reason: str):
    assert fate(packet) == reason


def test_the_mirrored_frame_of_erspan_may_have_been_cut_by_the_mirror():
    found, counted = decoded(gre(0x1000, 0x88BE, bytes(4) + b"\x10\x00" + bytes(6) + frame(INNER)[:-9]), RAW)
    assert isinstance(found, Segment)
    assert (found.payload, found.missing) == (PAYLOAD[:-9], 9)
    assert fate(gre(0x1000, 0x88BE, bytes(4) + b"\x10\x00" + bytes(6) + frame(INNER)[:40])) == "truncated"
    assert counted == {"segments": 1}


def test_a_key_of_gre_that_carries_a_mirror_is_no_subscriber():
    found, _ = decoded(gre(0x3000, 0x88BE, b"\0\0\0\x09" + bytes(4) + b"\x10\x00" + bytes(6) + frame(INNER)), RAW)
    assert isinstance(found, Segment)
    assert found.flow.path == ()


def test_tunnel_headers_that_are_cut_are_truncated():
    whole = udp(gtpu(INNER), 2152)
    found, counted = decoded(whole[:30], RAW, len(whole))
    assert (found, counted) == (None, {"skipped.truncated": 1, "blind.truncated": 1})


def test_udp_over_ipv6_and_the_source_port_of_gtpu():
    datagram = struct.pack("!HHHH", 2152, 33000, 8 + len(gtpu(INNER)), 0) + gtpu(INNER)
    found, _ = decoded(ip("2001:db8:9::1", "2001:db8:9::2", 17, datagram), RAW)
    assert isinstance(found, Segment)
    assert found.flow.path == (("gtpu", TEID),)
