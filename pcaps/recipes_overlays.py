"""Rows 12 and 13: tunnels between sites, of mirrors and of Wi-Fi, and packets in what no known tunnel announces."""

from __future__ import annotations

import struct

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import UDP
from scapy.packet import Packet, Raw

from pcaps.recipe import LEAK, QUIET, leak, recipe, talk_of
from pcaps.recipes_links import V6, ether, through, wrapped
from pcaps.recipes_tunnels import mirror, outer
from pcaps.talk import Packet as Timed


def to_port(dport: int, header: bytes = b"", sport: int = 50000) -> Packet:
    """UDP without a checksum, as tunnels have it, and the header behind it."""
    return UDP(sport=sport, dport=dport, chksum=0) / Raw(header)


@recipe(12, leak())
def l60_lisp() -> bytes:
    """LISP (RFC 9300) with an instance: sites of one organisation over the network of another."""
    head = to_port(4341, struct.pack("!II", 0x8800BEEF, 5 << 8))
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet)


@recipe(12, leak())
def l61_gue() -> bytes:
    """Generic UDP encapsulation, variant 0, with a word of options."""
    head = to_port(6080, struct.pack("!BBHI", 1, 4, 0x8000, 7))
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet)


@recipe(12, leak())
def l62_gue_without_header() -> bytes:
    """The same, variant 1: the packet at once."""
    head = to_port(6080)
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet, **V6)


@recipe(12, leak())
def l63_tzsp() -> bytes:
    """TaZmen Sniffer Protocol: how a small router mirrors to an address."""
    head = to_port(37008, b"\x01\x00\x00\x01" + b"\x0a\x01\xc8" + b"\x00\x01")
    return wrapped(lambda packet, up: mirror() / head / ether(up) / packet)


@recipe(12, leak())
def l64_capwap() -> bytes:
    """Wi-Fi of an operator: 802.11 as it was in the air, from the access point to its controller."""
    air = b"\x08\x01" + bytes(22) + b"\xaa\xaa\x03\x00\x00\x00\x08\x00"
    head = to_port(5247, struct.pack("!II", 2 << 19 | 1 << 9 | 0x100, 0) + air, 5247)
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet)


@recipe(12, leak())
def l65_mpls_in_udp() -> bytes:
    """RFC 7510."""
    head = to_port(6635) / MPLS(label=16, s=1, ttl=64)
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet)


@recipe(12, leak())
def l66_etherip() -> bytes:
    """RFC 3378, as bridges of BSD speak it."""
    return wrapped(lambda packet, up: ether(up) / outer(up, 97) / Raw(b"\x30\x00") / ether(up) / packet)


# --- nothing says what this is ------------------------------------------------------------------------------------


@recipe(13, QUIET, "blind.unknown_tunnel")
def l67_packets_in_udp() -> bytes:
    """A packet in UDP, on a port that its two ends agreed upon: nothing announces it, so no flow is made of it."""
    head = to_port(5555)
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / packet)


@recipe(13, QUIET, "blind.unknown_tunnel")
def l68_frames_behind_a_header_that_nobody_knows() -> bytes:
    """The same, IPv6 in a frame behind some header."""
    head = to_port(9999, b"\x01\x02\x03\x04\x05\x06\x07")
    return wrapped(lambda packet, up: ether(up) / outer(up) / head / ether(up) / packet, **V6)


@recipe(13, QUIET, "blind.unknown_tunnel")
def l69_a_protocol_that_nobody_knows() -> bytes:
    """IP protocol 94, from before there was a standard for IP in IP."""
    return wrapped(lambda packet, up: ether(up) / outer(up, 94) / Raw(bytes(packet)))


@recipe(13, QUIET, "blind.unknown_tunnel")
def l70_l2tp_version_3() -> bytes:
    """RFC 3931 over IP: how long its cookie is was said long before the capture."""
    return wrapped(lambda packet, up: ether(up) / outer(up, 115) / Raw(struct.pack("!I", 5)) / ether(up) / packet)


@recipe(13, QUIET, "skipped.not_tcp")
def l71_quoted_by_icmp() -> list[Timed]:
    """An error quotes the packet that it is about, number and all: nobody carries it to where it says."""
    return through(lambda packet, up: ether(up) / outer(up, 1) / Raw(b"\x03\x01" + bytes(6)) / packet, talk_of(LEAK))
