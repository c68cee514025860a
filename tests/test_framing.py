"""What stands before the IP header, where it holds no segment or leaves a choice; the rest is in test_decode.py."""

from __future__ import annotations

import struct

import pytest

from monitor.records import Segment
from tests.encapsulations import INNER, RADIOTAP, SNAPPED, decoded, ether, frame

MACS = bytes(12)
LABEL = b"\x88\x47\x00\x01\x01\x40"  # EtherType, label 16, bottom of the stack
CASES = [
    ("arp", 1, MACS + b"\x08\x06" + bytes(28), "not_ip"),
    ("lldp", 1, MACS + b"\x88\xcc" + bytes(28), "not_ip"),
    ("spanning tree", 1, MACS + b"\x00\x26\x42\x42\x03" + bytes(35), "not_ip"),
    ("cisco discovery", 1, MACS + b"\x00\x26\xaa\xaa\x03\x00\x00\x0c\x20\x00" + bytes(30), "not_ip"),
    ("snap without end", 1, MACS + b"\x00\x40" + b"\xaa\xaa\x03\x00\x00\x00\x88\x70" * 99, "depth"),
    ("link aggregation", 1, MACS + b"\x88\x09" + bytes(50), "not_ip"),
    ("a type that nobody knows", 1, MACS + b"\x89\x99" + bytes(30), "unknown_tunnel"),
    ("the same in SNAP", 1, MACS + b"\x00\x26\xaa\xaa\x03\x00\x00\x00\x89\x99" + bytes(30), "unknown_tunnel"),
    ("neither length nor type", 1, MACS + b"\x05\xff" + bytes(30), "not_ip"),
    ("macsec", 1, MACS + b"\x88\xe5" + bytes(30), "encrypted"),
    ("no ip version", 1, MACS + b"\x08\x00" + b"\x55" + bytes(40), "malformed"),
    ("pppoe discovery", 1, MACS + b"\x88\x63\x11\x09" + bytes(20), "tunnel_control"),
    ("pppoe without session", 1, MACS + b"\x88\x64\x11\x09" + bytes(20), "tunnel_control"),
    ("pppoe echo", 1, MACS + b"\x88\x64\x11\x00\x00\x07\x00\x0a\xc0\x21\x09" + bytes(7), "tunnel_control"),
    ("pppoe negotiation", 1, MACS + b"\x88\x64\x11\x00\x00\x07\x00\x0a\x80\x21\x01" + bytes(7), "tunnel_control"),
    ("pppoe compressed headers", 1, MACS + b"\x88\x64\x11\x00\x00\x07\x00\x0a\x00\x2d" + bytes(8), "unknown_tunnel"),
    ("ppp enciphered", 9, b"\xff\x03\x00\xfd" + bytes(40), "encrypted"),
    ("mpls oam", 1, MACS + LABEL + b"\x10\x00\x00\x21" + INNER, "tunnel_control"),
    ("mpls nobody knows what", 1, MACS + LABEL + b"\x90" * 40, "unknown_tunnel"),
    ("mpls arp in a pseudowire", 1, MACS + LABEL + bytes(4) + MACS + b"\x08\x06" + bytes(28), "not_ip"),
    ("mpls bridge in a pseudowire", 1, MACS + LABEL + bytes(16) + b"\x00\x26\x42\x42\x03" + bytes(28), "not_ip"),
    ("mpls without a bottom", 1, MACS + b"\x88\x47" + bytes(400), "malformed"),
    ("nsh of another protocol", 1, MACS + b"\x89\x4f\x0f\xc2\x02\x06" + bytes(40), "unknown_tunnel"),
    ("loopback of another family", 0, struct.pack("<I", 7) + INNER, "not_ip"),
    ("raw of no version", 101, b"\x00" + INNER, "malformed"),
    ("netlink", 113, bytes(14) + b"\x00\x00" + bytes(40), "not_ip"),
    ("nflog without a packet", 239, b"\x02\x00\x00\x00" + b"\x00\x00\x01\x00" * 8, "malformed"),
    ("beacon", 127, RADIOTAP + b"\x80\x00" + bytes(60), "not_ip"),
    ("wlan without data", 105, b"\x48\x01" + bytes(40), "not_ip"),
    ("wlan enciphered", 105, b"\x88\x41" + bytes(60), "encrypted"),
]  # fmt: skip


@pytest.mark.parametrize(("link", "octets", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_frames_without_a_segment_are_skipped_for_their_reason(link: int, octets: bytes, reason: str):
    found, counted = decoded(octets, link)
    assert found is None
    blind = {"blind." + reason: 1} if reason in ("encrypted", "unknown_tunnel", "depth") else {}
    assert counted == {"skipped." + reason: 1} | blind


def test_wlan_with_a_high_throughput_control_field():
    header = b"\x88\x81" + bytes(28)  # QoS data, order bit: two bytes of QoS control and four more
    found, _ = decoded(header + SNAPPED + b"\x08\x00" + INNER, 105)
    assert isinstance(found, Segment)


def test_a_padded_pseudowire_without_control_word_is_not_taken_for_one_with_it():
    """An acknowledgement is padded to 60 bytes, and its total length could be that of an 802.3 frame four bytes on."""
    acknowledgement = INNER[:2] + b"\x00\x28" + INNER[4:40]
    found, _ = decoded(MACS + LABEL + frame(acknowledgement) + bytes(6))
    assert isinstance(found, Segment)
    assert found.payload == b""


def test_ethernet_that_begins_like_ip_is_told_by_its_type():
    """A MAC address that begins with 0x45: the lengths of such an IP header do not fit."""
    found, _ = decoded(bytes(ether(0x8847)) + LABEL[2:] + b"\x45\x00\xff\xff" + frame(INNER)[4:])
    assert isinstance(found, Segment)


def test_802_3_takes_no_more_than_the_ip_packet():
    length = struct.pack("!H", len(INNER) + 8)
    found, _ = decoded(MACS + length + SNAPPED + b"\x08\x00" + INNER + bytes(20))
    assert isinstance(found, Segment)
    assert found.payload.endswith(b"\r\n\r\n")
