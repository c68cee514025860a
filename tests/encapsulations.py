"""One TCP segment, and everything behind which `decode` has to find it.

A framing turns an IP packet into a frame, a tunnel turns an IP packet into another: they can be stacked in any order.
scapy writes them, so that what decode reads was not written from the same page; what scapy has not is spelled out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import reduce
from ipaddress import ip_address
from typing import NamedTuple

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.contrib.nsh import NSH
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagPadding, TZSPTagRawRSSIByte
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
)
from scapy.layers.l2 import GRE, GRE_PPTP, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from monitor import counts
from monitor.portable.decode import Decoder
from monitor.records import Fragment, Frame, Limits, Segment
from pcaps.talk import ACK, PSH, tcp

TIME_NS = 1_700_000_000_000_000_000
SPORT, DPORT, SEQ, ACKED, FLAGS = 40001, 80, 1000, 5000, PSH | ACK
PAYLOAD = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
SRC6, DST6 = "2001:db8:1::2", "2001:db8:2::9"
INNER = tcp("100.64.1.2", SPORT, "203.0.113.9", DPORT, SEQ, ACKED, FLAGS, PAYLOAD)
INNER6 = tcp(SRC6, SPORT, DST6, DPORT, SEQ, ACKED, FLAGS, PAYLOAD)
TEID, SESSION, NETWORK = 0x1001, 7, 0x123456


def decoded(
    octets: bytes, link: int = 1, wire_len: int | None = None, *, ready: bool = True, deepest: int = 16
) -> tuple[Segment | Fragment | None, dict[str, int]]:
    """What decode makes of one frame, and what it counted."""
    counted = counts.zeros()
    frame = Frame(TIME_NS, link, len(octets) if wire_len is None else wire_len, octets, ready)
    found = Decoder(Limits(encapsulations=deepest), counted).feed(frame)
    return found, {key: count for key, count in counted.items() if count}


class Framing(NamedTuple):
    link: int
    wrap: Callable[[bytes], bytes]
    path: tuple[tuple[str, int], ...] = ()


class Tunnel(NamedTuple):
    wrap: Callable[[bytes], bytes]
    path: tuple[tuple[str, int], ...] = ()


def version(packet: bytes) -> int:
    return packet[0] >> 4


def kind(packet: bytes) -> int:
    """EtherType of an IP packet."""
    return 0x0800 if version(packet) == 4 else 0x86DD


def number(packet: bytes) -> int:
    """IP protocol of an IP packet."""
    return 4 if version(packet) == 4 else 41


def ether(kind: int = 0x0800) -> Packet:
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=kind)


def frame(packet: bytes) -> bytes:
    return bytes(ether(kind(packet)) / Raw(packet))


def over(layer: Packet | bytes, protocol: int) -> bytes:
    """IPv4 between the two ends of a tunnel."""
    return bytes(IP(src="192.0.2.1", dst="192.0.2.2", proto=protocol) / (Raw(layer) if type(layer) is bytes else layer))


def over6(layer: Packet, protocol: int) -> bytes:
    return bytes(IPv6(src="2001:db8:9::1", dst="2001:db8:9::2", nh=protocol) / layer)


def udp(layer: Packet | bytes, dport: int, sport: int = 50000) -> bytes:
    return over(UDP(sport=sport, dport=dport, chksum=0) / (Raw(layer) if type(layer) is bytes else layer), 17)


def gtpu(packet: bytes, optional: bytes = b"", bits: int = 0x30) -> bytes:
    return struct.pack("!BBHI", bits, 0xFF, len(optional) + len(packet), TEID) + optional + packet


def ppp(packet: bytes) -> bytes:
    return struct.pack("!H", 0x21 if version(packet) == 4 else 0x57) + packet


def extended(packet: bytes, following: int, header: Packet) -> bytes:
    """An IPv6 packet with one more extension header."""
    octets = packet[6:7] + bytes(header)[1:]
    length = struct.pack("!H", len(packet) - 40 + len(octets))
    return packet[:4] + length + bytes([following]) + packet[7:40] + octets + packet[40:]


def routed(packet: bytes, header: Packet) -> bytes:
    """The same on its way: the destination in the IP header is the next node's."""
    out = extended(packet, 43, header)
    return out[:24] + ip_address("2001:db8:7::1").packed + out[40:]


def authenticated(packet: bytes) -> bytes:
    """IPv4 with AH (RFC 4302)."""
    header = struct.pack("!BBHII", 6, 4, 0, 1, 1) + bytes(12)
    return bytes(IP(src="100.64.1.2", dst="203.0.113.9", proto=51) / Raw(header + packet[20:]))


def pdu_session(following: int) -> bytes:
    """The extension header of a 5G core, TS 38.415."""
    return bytes([1, 0x10, 0x09, following])


def nflog(packet: bytes) -> bytes:
    prefix = struct.pack("<HH", 7, 10) + b"ab\0" + b"\0"  # an attribute that is not a multiple of four long
    return b"\x02\x00\x00\x00" + prefix + struct.pack("<HH", 4 + len(packet), 9) + packet


WLAN = b"\x08\x01" + bytes(22)
WLAN_QOS_BRIDGED = b"\x88\x03" + bytes(30)
SNAPPED = b"\xaa\xaa\x03\x00\x00\x00"
RADIOTAP = b"\x00\x00\x0c\x00" + bytes(8)

FRAMINGS = {
    "ethernet": Framing(1, frame),
    "padded": Framing(1, lambda p: frame(p) + bytes(9)),
    "vlan": Framing(1, lambda p: bytes(ether(0x8100) / Dot1Q(vlan=5, type=kind(p)) / Raw(p))),
    "qinq": Framing(1, lambda p: bytes(ether(0x88A8) / Dot1AD(vlan=5) / Dot1Q(vlan=6, type=kind(p)) / Raw(p))),
    "tag_9100": Framing(1, lambda p: bytes(ether(0x9100) / Dot1Q(vlan=5, type=kind(p)) / Raw(p))),
    "tag_9200": Framing(1, lambda p: bytes(ether(0x9200) / Dot1Q(vlan=5, type=kind(p)) / Raw(p))),
    "vn_tag": Framing(1, lambda p: frame(p)[:12] + b"\x89\x26" + bytes(4) + frame(p)[12:]),
    "hsr": Framing(1, lambda p: frame(p)[:12] + b"\x89\x2f" + bytes(4) + frame(p)[12:]),
    "e_tag": Framing(1, lambda p: frame(p)[:12] + b"\x89\x3f" + bytes(6) + frame(p)[12:]),
    "wrong_type": Framing(1, lambda p: bytes(ether(0x0800 if version(p) == 6 else 0x86DD)) + p),
    "snap": Framing(
        1, lambda p: bytes(ether(len(p) + 8) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=kind(p)) / Raw(p))
    ),
    "snap_bridged": Framing(1, lambda p: frame(p)[:12] + b"\0\0" + SNAPPED[:-1] + b"\xf8" + frame(p)[12:]),
    "snap_in_vlan": Framing(
        1, lambda p: frame(p)[:12] + b"\x81\x00\x00\x05" + struct.pack("!H", len(p) + 8) + SNAPPED + frame(p)[12:]
    ),
    "snap_jumbo": Framing(1, lambda p: frame(p)[:12] + b"\x88\x70" + SNAPPED + frame(p)[12:]),
    "mpls": Framing(1, lambda p: bytes(ether(0x8847) / MPLS(label=16, s=1) / Raw(p))),
    "mpls_five": Framing(
        1, lambda p: bytes(ether(0x8847)) + bytes(MPLS(label=17, s=0)) * 4 + bytes(MPLS(label=16, s=1)) + p
    ),
    "mpls_pseudowire": Framing(1, lambda p: bytes(ether(0x8847) / MPLS(label=16, s=1)) + frame(p)),
    "mpls_pseudowire_mac_4": Framing(1, lambda p: bytes(ether(0x8847) / MPLS(label=16, s=1)) + b"\x48" + frame(p)[1:]),
    "mpls_control_word": Framing(1, lambda p: bytes(ether(0x8847) / MPLS(label=16, s=1) / EoMCW(seq=1)) + frame(p)),
    "pppoe": Framing(
        1,
        lambda p: bytes(ether(0x8864) / PPPoE(sessionid=SESSION))[:18] + struct.pack("!H", len(p) + 2) + ppp(p),
        (("pppoe", SESSION),),
    ),
    "pbb": Framing(1, lambda p: bytes(ether(0x88E7)) + b"\x00\x00\x10\x01" + frame(p)),
    "nsh": Framing(1, lambda p: bytes(ether(0x894F) / NSH(mdtype=1, nextproto=1 if version(p) == 4 else 2)) + p),
    "raw": Framing(101, bytes),
    "raw_12": Framing(12, bytes),
    "raw_14": Framing(14, bytes),
    "null": Framing(0, lambda p: struct.pack("<I", 2 if version(p) == 4 else 30) + p),
    "null_big_endian": Framing(0, lambda p: struct.pack(">I", 2 if version(p) == 4 else 24) + p),
    "loop": Framing(108, lambda p: struct.pack(">I", 2 if version(p) == 4 else 28) + p),
    "ppp": Framing(9, lambda p: bytes(HDLC() / PPP(proto=0x21 if version(p) == 4 else 0x57)) + p),
    "ppp_bare": Framing(9, ppp),
    "ppp_compressed": Framing(9, lambda p: ppp(p)[1:]),
    "ppp_hdlc": Framing(50, lambda p: b"\xff\x03" + ppp(p)),
    "cisco_hdlc": Framing(104, lambda p: b"\x0f\x00" + struct.pack("!H", kind(p)) + p),
    "sll": Framing(113, lambda p: bytes(CookedLinux(proto=kind(p))) + p),
    "sll2": Framing(276, lambda p: bytes(CookedLinuxV2(proto=kind(p))) + p),
    "nflog": Framing(239, nflog),
    "wlan": Framing(105, lambda p: WLAN + SNAPPED + struct.pack("!H", kind(p)) + p),
    "radiotap": Framing(127, lambda p: RADIOTAP + WLAN_QOS_BRIDGED + SNAPPED + struct.pack("!H", kind(p)) + p),
}
TUNNELS = {
    "ip_in_ip": Tunnel(lambda p: over(p, number(p))),
    "ip_in_ipv6": Tunnel(lambda p: over6(Raw(p), number(p))),
    "options": Tunnel(
        lambda p: bytes(
            IP(src="192.0.2.1", dst="192.0.2.2", proto=number(p), options=[IPOption_Router_Alert()]) / Raw(p)
        )
    ),
    "gre": Tunnel(lambda p: over(GRE(proto=kind(p)) / Raw(p), 47)),
    "gre_every_field": Tunnel(
        lambda p: over(GRE(proto=kind(p), chksum_present=1, key_present=1, seqnum_present=1, key=9) / Raw(p), 47),
        (("gre", 9),),
    ),
    "gre_routing": Tunnel(
        lambda p: over(
            b"\x40\x00" + struct.pack("!H", kind(p)) + bytes(4) + b"\x00\x02\x00\x04\xc0\x00\x02\x05" + bytes(4) + p, 47
        )
    ),
    "gre_ethernet": Tunnel(lambda p: over(GRE(proto=0x6558) / Raw(frame(p)), 47)),
    "gre_mpls": Tunnel(lambda p: over(GRE(proto=0x8847) / MPLS(label=16, s=1) / Raw(p), 47)),
    "gre_vlan": Tunnel(lambda p: over(GRE(proto=0x8100) / Dot1Q(vlan=5, type=kind(p)) / Raw(p), 47)),
    "pptp": Tunnel(
        lambda p: over(GRE_PPTP(seqnum_present=1, acknum_present=1, call_id=3) / Raw(b"\xff\x03" + ppp(p)), 47),
        (("gre", 3),),
    ),
    "erspan_1": Tunnel(lambda p: over(GRE(proto=0x88BE) / Raw(frame(p)), 47)),
    "erspan_2": Tunnel(lambda p: over(GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II() / Raw(frame(p)), 47)),
    "erspan_3": Tunnel(lambda p: over(GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III() / Raw(frame(p)), 47)),
    "erspan_3_platform": Tunnel(
        lambda p: over(
            GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(o=1) / ERSPAN_PlatformSpecific() / Raw(frame(p)), 47
        )
    ),
    "erspan_3_ip": Tunnel(lambda p: over(GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(ft=2) / Raw(p), 47)),
    "etherip": Tunnel(lambda p: over(b"\x30\x00" + frame(p), 97)),
    "ethernet_in_ipv6": Tunnel(lambda p: over6(Raw(frame(p)), 143)),
    "mpls_in_ip": Tunnel(lambda p: over(MPLS(label=16, s=1) / Raw(p), 137)),
    "gre_in_udp": Tunnel(lambda p: udp(GRE(proto=kind(p)) / Raw(p), 4754)),
    "mpls_in_udp": Tunnel(lambda p: udp(MPLS(label=16, s=1) / Raw(p), 6635)),
    "gtpu": Tunnel(lambda p: udp(gtpu(p), 2152, 2152), (("gtpu", TEID),)),
    "gtpu_from": Tunnel(lambda p: udp(gtpu(p), 50000, 2152), (("gtpu", TEID),)),
    "gtpu_sequence": Tunnel(lambda p: udp(gtpu(p, b"\x00\x07\x00\x00", 0x32), 2152), (("gtpu", TEID),)),
    "gtpu_pdu_number": Tunnel(lambda p: udp(gtpu(p, b"\x00\x00\x05\x00", 0x31), 2152), (("gtpu", TEID),)),
    "gtpu_extension": Tunnel(
        lambda p: udp(gtpu(p, b"\x00\x00\x00\x85" + pdu_session(0), 0x34), 2152), (("gtpu", TEID),)
    ),
    "gtpu_two_extensions": Tunnel(
        lambda p: udp(gtpu(p, b"\x00\x07\x00\xc0" + b"\x01\x00\x05\x85" + pdu_session(0), 0x36), 2152),
        (("gtpu", TEID),),
    ),
    "gtpu_over_ipv6": Tunnel(lambda p: over6(UDP(sport=2152, dport=2152) / Raw(gtpu(p)), 17), (("gtpu", TEID),)),
    "vxlan": Tunnel(lambda p: udp(VXLAN(flags=8, vni=NETWORK) / Raw(frame(p)), 4789), (("vxlan", NETWORK),)),
    "vxlan_reserved_bits": Tunnel(
        lambda p: udp(struct.pack("!BBHI", 0xFF, 0xFF, 0xFFFF, NETWORK << 8 | 0xFF) + frame(p), 4789),
        (("vxlan", NETWORK),),
    ),
    "vxlan_of_linux": Tunnel(lambda p: udp(VXLAN(flags=8, vni=NETWORK) / Raw(frame(p)), 8472), (("vxlan", NETWORK),)),
    "vxlan_gpe": Tunnel(
        lambda p: udp(struct.pack("!BBHI", 0x0C, 0, 1 if version(p) == 4 else 2, NETWORK << 8) + p, 4790),
        (("vxlan", NETWORK),),
    ),
    "vxlan_gpe_frame": Tunnel(
        lambda p: udp(struct.pack("!BBHI", 0x08, 0, 0, NETWORK << 8) + frame(p), 4790), (("vxlan", NETWORK),)
    ),
    "geneve": Tunnel(lambda p: udp(GENEVE(vni=NETWORK, proto=0x6558) / Raw(frame(p)), 6081), (("geneve", NETWORK),)),
    "geneve_options": Tunnel(
        lambda p: udp(
            GENEVE(
                vni=NETWORK,
                proto=kind(p),
                reserved2=0xFF,
                options=[GeneveOptions(classid=0x0102, type=3, data=b"four")],
            )
            / Raw(p),
            6081,
        ),
        (("geneve", NETWORK),),
    ),
    "lisp": Tunnel(lambda p: udp(bytes(8) + p, 4341)),
    "lisp_instance": Tunnel(
        lambda p: udp(struct.pack("!II", 0x88 << 24, NETWORK << 8) + p, 4341), (("lisp", NETWORK),)
    ),
    "lisp_packet": Tunnel(lambda p: udp(struct.pack("!II", 4 << 24 | (1 if version(p) == 4 else 2), 0) + p, 4341)),
    "lisp_frame": Tunnel(lambda p: udp(struct.pack("!II", 4 << 24 | 3, 0) + frame(p), 4341)),
    "gue": Tunnel(lambda p: udp(struct.pack("!BBH", 0, number(p), 0) + p, 6080)),
    "gue_options": Tunnel(lambda p: udp(struct.pack("!BBH", 2, number(p), 0x8000) + bytes(8) + p, 6080)),
    "gue_frame": Tunnel(lambda p: udp(struct.pack("!BBH", 0, 143, 0) + frame(p), 6080)),
    "gue_bare": Tunnel(lambda p: udp(p, 6080)),
    "tzsp": Tunnel(lambda p: udp(TZSP() / TZSPTagEnd() / Raw(frame(p)), 37008)),
    "tzsp_tags": Tunnel(
        lambda p: udp(
            TZSP(type=1) / TZSPTagPadding() / TZSPTagRawRSSIByte() / TZSPTagEnd() / Raw(frame(p)),
            37008,
        )
    ),
    "tzsp_wlan": Tunnel(lambda p: udp(b"\1\0\0\x12\1" + WLAN + SNAPPED + struct.pack("!H", kind(p)) + p, 37008)),
    "capwap": Tunnel(lambda p: udp(struct.pack("!II", 2 << 19 | 1 << 9, 0) + frame(p), 5247)),
    "capwap_wlan": Tunnel(
        lambda p: udp(
            struct.pack("!III", 3 << 19 | 1 << 9 | 0x120, 0, 0)
            + WLAN_QOS_BRIDGED
            + SNAPPED
            + struct.pack("!H", kind(p))
            + p,
            50000,
            5247,
        )
    ),
    "l2tp": Tunnel(lambda p: udp(struct.pack("!HHH", 2, 5, 6) + ppp(p), 1701, 1701), (("l2tp", 5 << 16 | 6),)),
    "l2tp_every_field": Tunnel(
        lambda p: udp(struct.pack("!HHHHHHH", 0x4B02, 20 + len(p), 5, 6, 1, 0, 2) + b"\0\0\xff\x03" + ppp(p), 1701),
        (("l2tp", 5 << 16 | 6),),
    ),
    "l2tp_of_scapy": Tunnel(
        lambda p: udp(L2TP(hdr=0, version=2, tunnel_id=5, session_id=6) / Raw(b"\xff\x03" + ppp(p)), 1701),
        (("l2tp", 5 << 16 | 6),),
    ),
}
WAYS = {
    "ipv4": INNER,
    "ipv6": INNER6,
    "card_segments": INNER[:2] + b"\0\0" + INNER[4:],
    "jumbo": INNER6[:4] + b"\0\0" + INNER6[6:],
    "teredo": udp(INNER6, 3544),
    "teredo_every_field": udp(b"\0\1\2\3" + b"ab" + b"abc" + bytes(9) + bytes(8) + INNER6, 50000, 3544),
    "authenticated": authenticated(INNER),
    "hop_by_hop": extended(INNER6, 0, IPv6ExtHdrHopByHop()),
    "twenty_options": reduce(lambda packet, _: extended(packet, 60, IPv6ExtHdrDestOpt()), range(20), INNER6),
    "atomic_fragment": extended(INNER6, 44, IPv6ExtHdrFragment(id=5)),
    "segment_route": routed(INNER6, IPv6ExtHdrSegmentRouting(addresses=[DST6, "2001:db8:7::1"], segleft=1)),
    "source_route": routed(INNER6, IPv6ExtHdrRouting(addresses=["2001:db8:7::2", DST6], segleft=2)),
}
