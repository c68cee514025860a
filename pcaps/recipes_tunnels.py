"""Rows 4-15: tunnels, in use by operators or by whoever carries the mirror to the sensor, and what only looks like one.

Rules say that GTP-U lies before the gateway: a number inside it was sent by the handset, `client_supplied`.
"""

from __future__ import annotations

import struct

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, GRE_PPTP, Dot1Q
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from pcaps.recipe import CLEAN, LEAK, NUMBER, QUIET, from_client, get, leak, recipe, talk_of
from pcaps.recipes_links import BARE_PPP, FRAMED_PPP, V6, ether, through, wrapped
from pcaps.talk import MS, pcap, tcp
from pcaps.talk import Packet as Timed

SENT_BY_HANDSET = leak(outcome="client_supplied")


def outer(up: bool, protocol: int | None = None) -> Packet:
    """IPv4 between the access side (.1) and the gateway (.2); the protocol is what follows says if it is not given."""
    src, dst = ("192.0.2.1", "192.0.2.2")[:: 1 if up else -1]
    header = IP(src=src, dst=dst, id=0, ttl=64)
    if protocol is not None:
        header.proto = protocol
    return header


def outer6(up: bool) -> Packet:
    src, dst = ("2001:db8::1", "2001:db8::2")[:: 1 if up else -1]
    return IPv6(src=src, dst=dst, hlim=64)


def mirror() -> Packet:
    """From the switch that mirrors to the sensor: both directions of a talk come the same way."""
    return ether() / IP(src="198.51.100.1", dst="198.51.100.2", id=0, ttl=64)


def gtpu(packet: Packet, teid: int, *, sequence: int | None = None, extensions: bytes = b"", first: int = 0) -> Packet:
    """UDP and a G-PDU (3GPP TS 29.281 section 5.1). `extensions` are whole, `first` is the type of the first one.

    In octets: scapy's classes for these have changed with its versions.
    """
    options = b"" if sequence is None and not first else struct.pack("!HBB", sequence or 0, 0, first) + extensions
    flags = 0x30 | (4 if first else 0) | (0 if sequence is None else 2)
    payload = options + bytes(packet)
    head = struct.pack("!BBHI", flags, 255, len(payload), teid)
    return UDP(sport=2152, dport=2152) / Raw(head + payload)


PDU_SESSION = b"\x01\x10\x09"  # length in words, uplink, QFI 9 (TS 38.415 section 5.5.2); then the next type
PDCP_NUMBER = b"\x01\x12\x34"


# --- subscriber and transport tunnels -----------------------------------------------------------------------------


@recipe(4, leak())
def l06_pppoe() -> bytes:
    """PPPoE session (RFC 2516)."""
    return wrapped(lambda packet, up: ether(up) / PPPoE(sessionid=17) / BARE_PPP / packet)


@recipe(4, leak())
def l32_l2tp() -> bytes:
    """L2TPv2 (RFC 2661) as short as it may be: no length, no sequence, PPP without address and control."""
    tunnel = UDP(sport=1701, dport=1701) / L2TP(hdr=0, version=2, tunnel_id=5, session_id=6) / BARE_PPP
    return wrapped(lambda packet, up: ether(up) / outer(up) / tunnel / packet)


@recipe(4, leak())
def l32_l2tp_every_field() -> bytes:
    """L2TPv2 with length, sequence numbers and offset, PPP with address and control octets."""

    def wrap(packet: Packet, up: bool) -> Packet:
        header = struct.pack("!HHHHHHH4x", 0x4A02, 18 + 4 + len(packet), 5, 6, 1, 0, 4)
        return ether(up) / outer(up) / UDP(sport=1701, dport=1701) / Raw(header) / FRAMED_PPP / packet

    return wrapped(wrap)


@recipe(4, leak())
def l33_gre_ppp() -> bytes:
    """PPTP: enhanced GRE (RFC 2637) with PPP inside."""
    tunnel = GRE_PPTP(key_present=1, seqnum_present=1, call_id=9, sequence_number=1)
    tunnel = tunnel / FRAMED_PPP
    return wrapped(lambda packet, up: ether(up) / outer(up) / tunnel / packet)


@recipe(5, leak())
def l08_gre() -> bytes:
    """GRE (RFC 2784) with no option."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / GRE(proto=0x0800) / packet)


@recipe(5, leak())
def l09_gre_key_sequence_checksum() -> bytes:
    """GRE with checksum, key and sequence number (RFC 2890)."""
    tunnel = GRE(proto=0x0800, chksum_present=1, key_present=1, seqnum_present=1, offset=0, key=42, sequence_number=7)
    return wrapped(lambda packet, up: ether(up) / outer(up) / tunnel / packet)


@recipe(5, leak())
def l13_gre_ethernet() -> bytes:
    """Transparent Ethernet bridging over GRE (gretap)."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / GRE(proto=0x6558) / ether(up) / packet)


@recipe(5, leak())
def l12_erspan_1() -> bytes:
    """ERSPAN type I: GRE without sequence number, the mirrored frame at once."""
    return wrapped(lambda packet, up: mirror() / GRE(proto=0x88BE) / ether(up) / packet)


@recipe(5, leak())
def l10_erspan_2() -> bytes:
    """ERSPAN type II."""
    head = GRE(proto=0x88BE, seqnum_present=1, sequence_number=1) / ERSPAN_II(ver=1, vlan=10, session_id=3, index=5)
    return wrapped(lambda packet, up: mirror() / head / ether(up) / packet)


@recipe(5, leak())
def l11_erspan_3() -> bytes:
    """ERSPAN type III with the platform specific subheader."""
    head = GRE(proto=0x22EB, seqnum_present=1, sequence_number=1) / ERSPAN_III(
        ver=2, vlan=10, session_id=3, timestamp=99, o=1
    )
    head = head / ERSPAN_PlatformSpecific(platf_id=3)
    return wrapped(lambda packet, up: mirror() / head / ether(up) / packet)


@recipe(6, leak())
def l14_vxlan() -> bytes:
    """VXLAN (RFC 7348), as cloud mirrors send it."""
    head = UDP(sport=50000, dport=4789, chksum=0) / VXLAN(flags=8, vni=4242)
    return wrapped(lambda packet, up: mirror() / head / ether(up) / packet)


@recipe(6, leak())
def l15_geneve_options() -> bytes:
    """GENEVE (RFC 8926) with two options and reserved bits that are not zero."""
    options = [
        GeneveOptions(classid=0x0102, type=1, length=1, data=b"\0\0\0\1"),
        GeneveOptions(classid=0x0102, type=0x82, length=2, data=b"\0" * 8),
    ]
    head = GENEVE(optionlen=5, critical=1, reserved=0x15, reserved2=0xA5, proto=0x6558, vni=4242, options=options)
    tunnel = UDP(sport=50000, dport=6081, chksum=0) / head
    return wrapped(lambda packet, up: mirror() / tunnel / ether(up) / packet)


@recipe(12, leak())
def l43_ip_in_ip() -> bytes:
    """IPv4 in IPv4 (RFC 2003)."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / packet)


@recipe(12, leak())
def i11_6in4() -> bytes:
    """IPv6 in IPv4 (RFC 4213)."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / packet, **V6)


@recipe(12, leak())
def i12_4in6() -> bytes:
    """IPv4 in IPv6 (RFC 2473), as DS-Lite does it."""
    return wrapped(lambda packet, up: ether(up) / outer6(up) / packet)


@recipe(12, leak())
def i21_teredo_between_private_ports() -> bytes:
    """Only with its server a Teredo client uses port 3544; to a relay it speaks from any port to any (RFC 4380)."""
    client = {"src": "2001:0:c000:201:0:63bf:39bf:fdfe", "dst": "2001:db8:2::9"}
    ports = (50001, 51820)
    return wrapped(
        lambda packet, up: ether(up) / outer(up) / UDP(sport=ports[not up], dport=ports[up], chksum=0) / packet,
        **client,
    )


@recipe(12, QUIET, "blind.unknown_tunnel")
def i22_what_only_looks_like_teredo() -> bytes:
    """The same with one byte behind the packet, and to addresses that are not Teredo's: no flow is made of either."""
    client = {"src": "2001:0:c000:201:0:63bf:39bf:fdfe", "dst": "2001:db8:2::9"}
    longer = through(
        lambda p, up: ether(up) / outer(up) / UDP(sport=9, dport=10) / p / Raw(b"x"), talk_of(LEAK, **client)
    )
    others = through(lambda p, up: ether(up) / outer(up) / UDP(sport=9, dport=10) / p, talk_of(LEAK, **V6))
    return pcap([*longer, *others])


# --- GTP-U --------------------------------------------------------------------------------------------------------


@recipe(7, SENT_BY_HANDSET)
def l16_gtpu() -> bytes:
    """GTP-U, the tunnel of every mobile packet core; each direction has its own TEID."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001))


@recipe(7, SENT_BY_HANDSET)
def l17_gtpu_sequence() -> bytes:
    """GTP-U with a sequence number: four octets more."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001, sequence=7))


@recipe(7, SENT_BY_HANDSET)
def l18_gtpu_pdu_session() -> bytes:
    """N3 of a 5G core: the PDU session container as extension header."""
    extension = PDU_SESSION + b"\0"
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001, extensions=extension, first=0x85))


@recipe(7, SENT_BY_HANDSET)
def l19_gtpu_two_extensions() -> bytes:
    """Two extension headers, the PDCP number first."""
    chain = PDCP_NUMBER + b"\x85" + PDU_SESSION + b"\0"
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001, extensions=chain, first=0xC0))


@recipe(8, SENT_BY_HANDSET)
def l20_gtpu_in_vlan_and_mpls() -> bytes:
    """GTP-U as the transport network mirrors it: VLAN, MPLS, outer IP."""
    below = Dot1Q(vlan=100) / MPLS(label=1001, s=1, ttl=64)
    return wrapped(lambda packet, up: ether(up) / below / outer(up) / gtpu(packet, 0x1001))


@recipe(8, SENT_BY_HANDSET)
def l21_gtpu_inner_ipv6() -> bytes:
    """The subscriber speaks IPv6."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001), **V6)


@recipe(8, SENT_BY_HANDSET)
def l22_gtpu_outer_ipv6() -> bytes:
    """The transport network speaks IPv6."""
    return wrapped(lambda packet, up: ether(up) / outer6(up) / gtpu(packet, 0x1001))


@recipe(8, SENT_BY_HANDSET)
def l23_gtpu_in_gtpu() -> bytes:
    """Nested: a roaming hub tunnels what is tunnelled already."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(outer(up) / gtpu(packet, 0x1001), 0x9001))


def fragmented(reverse: bool) -> list[Timed]:
    """Outer IPv4 cut at 120 octets of payload."""
    frames = []
    for number, (time_ns, octets) in enumerate(through(lambda p, up: outer(up) / gtpu(p, 0x1001), talk_of(LEAK))):
        whole = IP(octets)
        payload = octets[20:]
        pieces = []
        for start in range(0, len(payload), 120):
            more = start + 120 < len(payload)
            header = IP(
                src=whole.src, dst=whole.dst, id=100 + number, ttl=64, proto=17, flags=int(more), frag=start // 8
            )
            pieces.append((time_ns, bytes(ether() / header / Raw(payload[start : start + 120]))))
        frames += pieces[::-1] if reverse else pieces
    return frames


@recipe(8, SENT_BY_HANDSET, "datagrams")
def l24_gtpu_outer_fragmented() -> list[Timed]:
    """A tunnelled packet of full size does not fit the transport: the outer packet comes in fragments."""
    return fragmented(reverse=False)


@recipe(8, SENT_BY_HANDSET, "datagrams")
def l25_gtpu_outer_fragments_reversed() -> list[Timed]:
    """The same, last fragment first."""
    return fragmented(reverse=True)


@recipe(9, SENT_BY_HANDSET)
def l34_gtpu_ends_differ_by_direction() -> bytes:
    """In life TEID and outer addresses of the two directions have nothing in common: one connection all the same."""

    def wrap(packet: Packet, up: bool) -> Packet:
        ends = ("192.0.2.1", "192.0.2.2") if up else ("192.0.2.66", "192.0.2.77")
        return ether(up) / IP(src=ends[0], dst=ends[1], id=0, ttl=64) / gtpu(packet, 0x1001 if up else 0x7FFF0001)

    return wrapped(wrap)


@recipe(9, SENT_BY_HANDSET)
def l35_gtpu_uplink_only() -> list[Timed]:
    """Only the uplink tunnel is mirrored."""
    talk = talk_of(LEAK)
    talk.packets = [timed for timed in talk.packets if from_client(talk, timed[1])]
    return through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001), talk)


@recipe(9, SENT_BY_HANDSET)
def l36_gtpu_up_plain_down() -> bytes:
    """Uplink mirrored inside the tunnel, downlink outside it."""
    return wrapped(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001) if up else ether(up) / packet)


def in_turn(one: list[Timed], two: list[Timed]) -> list[Timed]:
    return [timed for pair in zip(one, two, strict=True) for timed in pair]


@recipe(10, SENT_BY_HANDSET)
def l31_same_addresses_in_two_tunnels() -> list[Timed]:
    """Two private networks use the same inner addresses and ports; only the TEID tells the subscribers apart.

    Packet by packet in turn, with equal sequence numbers: bytes must not mix, and only one of them leaks.
    """
    leaking, clean = talk_of(LEAK), talk_of(get(b"X-Request-Number: " + b"0" * len(NUMBER)))
    one = through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001), leaking)
    two = through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1002 if up else 0x2002), clean)
    return in_turn(one, two)


@recipe(10, leak(times=2))
def l60_same_addresses_in_two_vlans() -> list[Timed]:
    """The same in two VLANs, packet by packet in turn. Tags do not tell connections apart, sequence numbers do."""
    talks = talk_of(CLEAN, LEAK), talk_of(CLEAN, LEAK, seq=90_000_000, ack=77_000_000)
    one, two = (
        through(lambda packet, up, vlan=vlan: ether(up) / Dot1Q(vlan=vlan) / packet, talk)
        for vlan, talk in enumerate(talks, 5)
    )
    return in_turn(one, two)


@recipe(11, SENT_BY_HANDSET)
def l37_before_and_after_the_gateway() -> list[Timed]:
    """One connection mirrored on S1-U and, a moment later, on SGi: it happened once."""
    talk = talk_of(LEAK)
    tunnel = through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001), talk)
    plain = [(time_ns + MS // 10, octets) for time_ns, octets in talk.frames]
    return [timed for pair in zip(tunnel, plain, strict=True) for timed in pair]


# --- tunnels that are none, or too many, or cut -------------------------------------------------------------------


def datagrams(dport: int, payload: bytes) -> list[Timed]:
    packet = outer(True) / UDP(sport=40000, dport=dport) / Raw(payload)
    return [(1_700_000_000 * 10**9, bytes(ether() / packet))]


@recipe(13, QUIET, "blind.unknown_tunnel")
def l50_udp_2152_is_not_gtpu() -> list[Timed]:
    """Some application talks text on GTP-U's port; it begins like a request and shows a number."""
    return datagrams(2152, LEAK)


@recipe(13, QUIET, "blind.unknown_tunnel")
def l51_udp_4789_is_not_vxlan() -> list[Timed]:
    """A port scan on VXLAN's port: no valid VNI flag, nothing like a frame."""
    return datagrams(4789, b"\0" * 8 + LEAK)


@recipe(13, QUIET, "blind.unknown_tunnel")
def l52_udp_6081_is_not_geneve() -> list[Timed]:
    """GENEVE's port, but version 3 does not exist."""
    return datagrams(6081, b"\xff" * 8 + LEAK)


@recipe(14, QUIET, "blind.depth")
def l53_tunnel_bomb() -> bytes:
    """Forty IP headers in one another: decoding stops at the stated depth and says so."""

    def wrap(packet: Packet, up: bool) -> Packet:
        for _ in range(40):
            packet = outer(up) / packet
        return ether(up) / packet

    return wrapped(wrap)


@recipe(15, QUIET, "blind.truncated")
def l54_cut_inside_the_tunnel_header() -> bytes:
    """A snap length of 48 octets ends inside the GTP-U header."""
    frames = through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001), talk_of(LEAK))
    return pcap(frames, snap=48)


@recipe(15, leak(), "blind.unknown_tunnel")
def l55_gtpu_length_lies() -> list[Timed]:
    """A G-PDU that claims more octets than its datagram has, inside an otherwise whole capture, before a good talk."""
    lying = bytes.fromhex("30ff7fff00001001") + tcp("100.64.1.2", 40009, "203.0.113.9", 80, 1, 0, 2)[:30]
    return datagrams(2152, lying) + talk_of(LEAK).frames
