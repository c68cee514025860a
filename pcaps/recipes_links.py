"""Rows 1-3, 12 and 16: tags, labels, link types and padding: one leaking request as every kind of port delivers it.

scapy writes the encapsulations; every field that it would fill with a habit of its version is set here.
`wrapped` puts each packet of a talk through one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from scapy.contrib.mpls import MPLS, EoMCW
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, QUIET, from_client, leak, recipe, talk_of
from pcaps.talk import ETHERNET, RAW, Talk, pcap
from pcaps.talk import Packet as Timed

Wrap = Callable[[Packet, bool], Packet]  # the packet, and whether the client sent it
NULL, PPP_LINK, LOOP, SLL, IPV4_LINK, IPV6_LINK, SLL2 = 0, 9, 108, 113, 228, 229, 276
METADATA = b"\x01\x01\x00\x01\x00\x07\x08\x00"  # version and length, an option, group 7, IPv4
BARE_PPP, FRAMED_PPP = Raw(b"\x00\x21"), Raw(b"\xff\x03\x00\x21")  # IPv4, without and with address and control
V6: dict[str, Any] = {"src": "2001:db8:1::2", "dst": "2001:db8:2::9"}


def inner(packet: bytes) -> Packet:
    return IP(packet) if packet[0] >> 4 == 4 else IPv6(packet)


def through(wrap: Wrap, talk: Talk) -> list[Timed]:
    return [(time_ns, bytes(wrap(inner(packet), from_client(talk, packet)))) for time_ns, packet in talk.packets]


def wrapped(wrap: Wrap, *, link: int = ETHERNET, **ends: str) -> bytes:
    return pcap(through(wrap, talk_of(LEAK, **ends)), link=link)


def ether(up: bool = True) -> Packet:
    src, dst = ("02:00:00:00:00:01", "02:00:00:00:00:02")[:: 1 if up else -1]
    return Ether(src=src, dst=dst)


# --- tags and labels ----------------------------------------------------------------------------------------------


@recipe("link", leak())
def l00_ethernet() -> Talk:
    """Nothing but Ethernet: the request with which all others are compared."""
    return talk_of(LEAK)


def typed(kind: int, octets: bytes, up: bool = True) -> Packet:
    return Ether(bytes(ether(up) / Raw(b""))[:12] + struct.pack("!H", kind) + octets)


def framed(kind: int, header: bytes) -> bytes:
    """The whole frame within another one, of that type and behind this header."""
    return wrapped(lambda packet, up: typed(kind, header + bytes(ether(up) / packet)))


@recipe("link", leak())
def l56_fabricpath() -> bytes:
    """Cisco's fabric puts the whole frame behind a tree and a time to live."""
    return framed(0x8903, b"\x00\x60")


@recipe("link", leak())
def l57_trill_with_options() -> bytes:
    """RFC 6325: two nicknames, and one word of options."""
    return framed(0x22F3, b"\x00\x7f\x00\x01\x00\x02" + bytes(4))


@recipe("link", leak())
def l58_cisco_metadata() -> bytes:
    """A security group in front of the EtherType, behind a tag."""
    return wrapped(lambda packet, up: ether(up) / Dot1Q(type=0x8909) / Raw(METADATA + bytes(packet)))


@recipe("link", leak())
def l72_hsr() -> bytes:
    """A ring of two ways (IEC 62439-3): path, size and sequence number in front of the EtherType."""
    return wrapped(lambda packet, up: typed(0x892F, b"\x10\x40\x00\x01\x08\x00" + bytes(packet), up))


@recipe("link", QUIET, "blind.unknown_tunnel")
def l59_a_type_that_nobody_knows() -> bytes:
    """It may carry anything: the sensor says that it did not see into it."""
    return framed(0x8999, b"")


@recipe(1, leak())
def l01_vlan() -> bytes:
    """A trunk port: one 802.1Q tag."""
    return wrapped(lambda packet, up: ether(up) / Dot1Q(vlan=100) / packet)


@recipe(1, leak())
def l02_qinq() -> bytes:
    """Provider and customer tag, 802.1ad."""
    return wrapped(lambda packet, up: ether(up) / Dot1AD(vlan=7) / Dot1Q(vlan=100) / packet)


@recipe(1, leak())
def l03_four_tags() -> bytes:
    """Four stacked tags, more than most decoders expect."""
    tags = Dot1Q(vlan=4) / Dot1Q(vlan=3) / Dot1Q(vlan=2) / Dot1Q(vlan=1)
    return wrapped(lambda packet, up: ether(up) / tags / packet)


@recipe(2, leak())
def t62_vlan_differs_by_direction() -> bytes:
    """The mirror tags ingress 10 and egress 20: still one connection."""
    return wrapped(lambda packet, up: ether(up) / Dot1Q(vlan=10 if up else 20) / packet)


@recipe(2, leak())
def t63_mpls_on_one_direction() -> bytes:
    """Labels are popped before the way back: still one connection."""
    return wrapped(lambda packet, up: ether(up) / MPLS(label=1001, s=1, ttl=64) / packet if up else ether(up) / packet)


@recipe(3, leak())
def l04_mpls() -> bytes:
    """One MPLS label."""
    return wrapped(lambda packet, up: ether(up) / MPLS(label=1001, s=1, ttl=64) / packet)


@recipe(3, leak())
def l05_mpls_five_labels() -> bytes:
    """Five MPLS labels, as with traffic engineering, VPN and entropy together."""
    stack = ether()
    for label in range(16, 20):
        stack = stack / MPLS(label=label, s=0, ttl=64)
    return wrapped(lambda packet, _: stack / MPLS(label=20, s=1, ttl=64) / packet)


@recipe(3, leak())
def l07_mpls_pseudowire_control_word() -> bytes:
    """Ethernet over MPLS (RFC 4448): after the labels a control word, then a whole Ethernet frame."""
    pseudowire = ether() / MPLS(label=16, s=0, ttl=64) / MPLS(label=17, s=1, ttl=64) / EoMCW(seq=0)
    return wrapped(lambda packet, up: pseudowire / ether(up) / packet)


@recipe(3, leak())
def l07_mpls_pseudowire_plain() -> bytes:
    """The same without the control word: after the labels begins a MAC address, whose first digit is no IP version."""
    pseudowire = ether() / MPLS(label=17, s=1, ttl=64) / Ether(src="a2:00:00:00:00:01", dst="a2:00:00:00:00:02")
    return wrapped(lambda packet, _: pseudowire / packet)


# --- link types ---------------------------------------------------------------------------------------------------


@recipe(12, leak())
def l26_sll() -> bytes:
    """`tcpdump -i any`: Linux cooked capture."""
    mac = b"\x02\0\0\0\0\x01\0\0"
    return wrapped(lambda packet, _: CookedLinux(lladdrtype=1, lladdrlen=6, src=mac, proto=0x0800) / packet, link=SLL)


@recipe(12, leak())
def l38_sll2() -> bytes:
    """`tcpdump -i any` of today: Linux cooked capture version 2."""
    mac = b"\x02\0\0\0\0\x01\0\0"
    head = CookedLinuxV2(proto=0x0800, ifindex=3, lladdrtype=1, pkttype=0, lladdrlen=6, src=mac)
    return wrapped(lambda packet, _: head / packet, link=SLL2)


@recipe(12, leak())
def l27_raw_ip() -> Talk | bytes:
    """LINKTYPE_RAW: the packet begins with IP, version 4 here."""
    return pcap(talk_of(LEAK).packets, link=RAW)


@recipe("link", leak())
def l41_ipv4_link() -> bytes:
    """LINKTYPE_IPV4."""
    return pcap(talk_of(LEAK).packets, link=IPV4_LINK)


@recipe("link", leak())
def l42_ipv6_link() -> bytes:
    """LINKTYPE_IPV6."""
    return pcap(talk_of(LEAK, **V6).packets, link=IPV6_LINK)


@recipe(12, leak())
def l28_null() -> bytes:
    """BSD loopback: the address family in the byte order of the machine that captured, little-endian here."""
    return pcap([(t, struct.pack("<I", 2) + packet) for t, packet in talk_of(LEAK).packets], link=NULL)


@recipe("link", leak())
def l28_null_ipv6_big_endian() -> bytes:
    """BSD loopback of FreeBSD on a big-endian machine: family 28 is IPv6."""
    return pcap(
        [(t, struct.pack(">I", 28) + packet) for t, packet in talk_of(LEAK, **V6).packets], link=NULL, order=">"
    )


@recipe("link", leak())
def l39_loop() -> bytes:
    """OpenBSD loopback: the family always in network byte order, and 24 is IPv6."""
    return pcap([(t, struct.pack("!I", 24) + packet) for t, packet in talk_of(LEAK, **V6).packets], link=LOOP)


@recipe("link", leak())
def l40_ppp() -> bytes:
    """LINKTYPE_PPP with address and control octets."""
    return wrapped(lambda packet, _: FRAMED_PPP / packet, link=PPP_LINK)


# --- padding ------------------------------------------------------------------------------------------------------


@recipe(16, leak())
def t50_frame_padding() -> list[Timed]:
    """Ethernet pads to 60 octets: after short segments lie octets that are no payload. Here they look like a field."""
    talk = Talk(mss=3).open()
    talk.client(LEAK).server(OK).close()
    padding = FIELD[-6:-1]
    return [(t, octets + (padding * 2)[: max(0, 60 - len(octets))]) for t, octets in talk.frames]


@recipe(16, QUIET)
def t50_padding_that_is_a_number() -> list[Timed]:
    """A clean request whose frames carry a number behind the packet, as leaking network cards do."""
    return [(t, octets + NUMBER) for t, octets in talk_of(CLEAN).frames]
