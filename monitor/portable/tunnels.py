"""Tunnels that IP carries: GRE, ERSPAN, and over UDP GTP-U, VXLAN, GENEVE, L2TP, Teredo, LISP, GUE, TZSP, CAPWAP.

A UDP port proves nothing. What stands there must be the tunnel in every field that can be checked and hold a packet or
frame that can be one, or it is `unknown_tunnel`: no flow is ever made of bytes that only stood on that port. Nor is any
made of what stands where no tunnel is known: that is `unknown_tunnel` if there is a TCP segment in it, else `not_tcp`.
"""

from __future__ import annotations

from struct import Struct, error

from dpkt import ethernet as types
from dpkt import gre as flags_of
from dpkt import ip as protocols

from monitor.portable.framing import ETHERTYPES, NSH_PROTOCOLS, ethernet, looks_like_ethernet, mpls, ppp, wlan
from monitor.portable.internet import fills_with_ip, ip, ipv4, ipv6, looks_like_ip, unannounced
from monitor.portable.packet import Layer, Packet, Skip, Step
from monitor.records import Flow, Message

ERSPAN, ERSPAN_3 = 0x88BE, 0x22EB
NHRP, KEEPALIVE, OSI = 0x2001, 0, 0x00FE
IP_PROTO_ETHERNET, IP_PROTO_MPLS, IP_PROTO_MINIMAL = 143, 137, 55  # RFC 8986, 4023, 2004
GRE_VERSION, PPTP = 0x0007, 1
G_PDU = 0xFF  # 3GPP TS 29.281 section 6.1
SIGNALS = frozenset((1, 2, 26, 31, 253, 254))  # echo, error indication, supported headers, tunnel status, end marker
MOST_EXTENSIONS = 32  # two are many; a hundred are there to be read
L2TP_CONTROL, L2TP_LENGTH, L2TP_SEQUENCE, L2TP_OFFSET, L2TP_VERSION = 0x8000, 0x4000, 0x0800, 0x0200, 0x000F
LISP_INSTANCE, LISP_PROTOCOL, LISP_KEY = 0x08, 0x04, 0x03
GUE_CONTROL, GUE_LENGTH = 0x20, 0x1F
TZSP_FRAMES, TZSP_SIGNALS = (0, 1), (3, 4, 5)  # received, to be sent; configuration, keepalive, opening of a port
TZSP_ETHERNET, TZSP_WLAN = 1, 18
TZSP_END, TZSP_MOST_TAGS = 1, 32
CAPWAP_DTLS, CAPWAP_WLAN = 1, 1
CAPWAP_NATIVE, CAPWAP_FRAGMENT, CAPWAP_KEEPALIVE = 0x100, 0x80, 0x08
TEREDO_PREFIX = b"\x20\x01\0\0"  # 2001::/32

_BYTE = Struct("!B")
_SHORT = Struct("!H")
_LONG = Struct("!I")
_GRE = Struct("!HH")
_ROUTE = Struct("!HxB")  # RFC 1701: address family, offset, length
_UDP = Struct("!HHH")
_GTPU = Struct("!BBHI")
_VXLAN = Struct("!B2xBI")
_GENEVE = Struct("!BxHI")
_TWO = Struct("!HH")
_TEREDO = Struct("!HBB")
_LISP = Struct("!B2xBI")
_GUE = Struct("!BB")
_TZSP = Struct("!BBH")


def gre(packet: Packet) -> Step:
    """RFC 2784 and 2890, with the routing of RFC 1701; version 1 as PPTP has it (RFC 2637)."""
    octets = packet.octets
    bits, kind = _GRE.unpack_from(octets)
    version, at, key = bits & GRE_VERSION, 4, None
    if version > PPTP:
        return Skip.UNKNOWN_TUNNEL
    if bits & (flags_of.GRE_CP | flags_of.GRE_RP):
        at += 4
    if bits & flags_of.GRE_KP:
        (key,) = _LONG.unpack_from(octets, at)
        at += 4
    if bits & flags_of.GRE_SP:
        at += 4
    if version == PPTP:
        if kind != types.ETH_TYPE_PPP or key is None:
            return Skip.UNKNOWN_TUNNEL
        if not bits & flags_of.GRE_SP:
            return Skip.TUNNEL_CONTROL  # an acknowledgement
        packet.enter(at + 4 if bits & flags_of.GRE_AP else at)
        packet.path += (("gre", key & 0xFFFF),)  # the call, without the length
        return ppp
    if bits & flags_of.GRE_RP:
        at = _behind_routing(octets, at)
    packet.enter(at)
    if kind == ERSPAN:
        return erspan2 if bits & flags_of.GRE_SP else ethernet
    if kind == ERSPAN_3:
        return erspan3
    if key is not None:
        packet.path += (("gre", key),)
    return GRE_PROTOCOLS.get(kind) or ETHERTYPES.get(kind, Skip.UNKNOWN_TUNNEL)


def _behind_routing(octets: bytes, at: int) -> int:
    while True:
        family, size = _ROUTE.unpack_from(octets, at)
        at += 4 + size
        if not family and not size:
            return at


def erspan2(packet: Packet) -> Step:
    """draft-foschiano-erspan section 4.2; type I is nothing but the frame, in GRE without a sequence number."""
    packet.octets = packet.octets[8:]
    return ethernet


def erspan3(packet: Packet) -> Step:
    """draft-foschiano-erspan section 4.3, with the platform specific subheader where its flag says so."""
    (bits,) = _SHORT.unpack_from(packet.octets, 10)
    packet.octets = packet.octets[20 if bits & 1 else 12 :]
    return ip if bits >> 10 & 0x1F == 2 else ethernet


def etherip(packet: Packet) -> Step:
    """RFC 3378."""
    packet.enter(2)
    return ethernet


def bare_ethernet(packet: Packet) -> Step:
    """A frame at once (RFC 8986 section 4.9)."""
    packet.enter(0)
    return ethernet


def udp(packet: Packet) -> Step:
    """RFC 768, for the tunnels in it and what Watch asks for."""
    octets = packet.octets
    sport, dport, length = _UDP.unpack_from(octets)
    tunnel = PORTS_TO.get(dport) or PORTS.get(dport) or PORTS.get(sport)
    if not tunnel and dport in packet.ports:
        return message(packet, sport, dport, length)
    if not tunnel and _is_teredo(octets, length):
        tunnel = teredo
    if not tunnel:
        packet.octets = octets[8:]
        return unannounced(packet)
    if 8 <= length <= len(octets):
        packet.missing = 0
    packet.octets = octets[8:length] if length >= 8 else octets[8:]
    if not packet.octets and not packet.missing:
        return Skip.NOT_TCP  # keeps a mapping of NAT alive
    try:
        return tunnel(packet)
    except error:
        return Skip.TRUNCATED if packet.missing else Skip.UNKNOWN_TUNNEL


def message(packet: Packet, sport: int, dport: int, length: int) -> Step:
    """A datagram that was asked for: the whole of it or nothing."""
    if 8 <= length <= len(packet.octets):
        flow = Flow(packet.src, sport, packet.dst, dport, packet.path)
        return Message(packet.time_ns, flow, packet.octets[8:length])
    return Skip.TRUNCATED if packet.missing else Skip.MALFORMED


def gtpu(packet: Packet) -> Step:
    """3GPP TS 29.281 section 5."""
    octets = packet.octets
    bits, kind, length, teid = _GTPU.unpack_from(octets)
    if bits & 0xF0 != 0x30 or 8 + length > len(octets) + packet.missing:  # version 1, GTP and not GTP'
        return Skip.UNKNOWN_TUNNEL
    if kind != G_PDU:
        return Skip.TUNNEL_CONTROL if kind in SIGNALS else Skip.UNKNOWN_TUNNEL
    at = 12 if bits & 7 else 8
    if bits & 4:  # a chain of extension headers, the type of the next at the end of each
        extensions = 0
        while _BYTE.unpack_from(octets, at - 1)[0]:
            (size,) = _BYTE.unpack_from(octets, at)
            if not size or extensions == MOST_EXTENSIONS:
                return Skip.UNKNOWN_TUNNEL
            at += size * 4
            extensions += 1
    packet.enter(at, 8 + length - at)
    packet.path += (("gtpu", teid),)
    return _packet_inside(packet)


def vxlan(packet: Packet) -> Step:
    """RFC 7348 section 5. Reserved bits may be anything (section 5: "ignored on receipt")."""
    bits, _, network = _VXLAN.unpack_from(packet.octets)
    if not bits & 0x08:
        return Skip.UNKNOWN_TUNNEL
    packet.enter(8)
    packet.path += (("vxlan", network >> 8),)
    return _frame_inside(packet)


def vxlan_gpe(packet: Packet) -> Step:
    """draft-ietf-nvo3-vxlan-gpe section 3."""
    bits, protocol, network = _VXLAN.unpack_from(packet.octets)
    if bits & 0x0C != 0x0C:
        return vxlan(packet)
    packet.enter(8)
    packet.path += (("vxlan", network >> 8),)
    return NSH_PROTOCOLS.get(protocol, Skip.UNKNOWN_TUNNEL)


def geneve(packet: Packet) -> Step:
    """RFC 8926 section 3.4."""
    first, kind, network = _GENEVE.unpack_from(packet.octets)
    if first >> 6:
        return Skip.UNKNOWN_TUNNEL
    packet.enter(8 + (first & 0x3F) * 4)
    packet.path += (("geneve", network >> 8),)
    if kind == types.ETH_TYPE_TEB:
        return _frame_inside(packet)
    return _packet_inside(packet) if kind in (types.ETH_TYPE_IP, types.ETH_TYPE_IP6) else Skip.UNKNOWN_TUNNEL


def l2tp(packet: Packet) -> Step:
    """L2TPv2 (RFC 2661 section 3.1); the session header of version 3 cannot be read without its setup."""
    octets = packet.octets
    (bits,) = _SHORT.unpack_from(octets)
    if bits & L2TP_VERSION != 2:
        return Skip.UNKNOWN_TUNNEL
    at, length = 2, None
    if bits & L2TP_LENGTH:
        (length,) = _SHORT.unpack_from(octets, at)
        at += 2
    if bits & L2TP_CONTROL:
        return Skip.TUNNEL_CONTROL if bits & L2TP_LENGTH and bits & L2TP_SEQUENCE else Skip.UNKNOWN_TUNNEL
    tunnel, session = _TWO.unpack_from(octets, at)
    at += 8 if bits & L2TP_SEQUENCE else 4
    if bits & L2TP_OFFSET:
        at += 2 + int(_SHORT.unpack_from(octets, at)[0])
    if length is not None and not at <= length <= len(octets) + packet.missing:
        return Skip.UNKNOWN_TUNNEL
    packet.enter(at, None if length is None else length - at)
    packet.path += (("l2tp", tunnel << 16 | session),)
    return ppp(packet)


def teredo(packet: Packet) -> Step:
    """RFC 4380 section 5.1.1: IPv6, behind authentication and origin indication."""
    at = 0
    while _BYTE.unpack_from(packet.octets, at)[0] == 0:
        indicator, identifier, authentication = _TEREDO.unpack_from(packet.octets, at)
        at += 13 + identifier + authentication if indicator else 8
    packet.enter(at)
    return ipv6 if looks_like_ip(packet) and packet.octets[0] >> 4 == 6 else Skip.UNKNOWN_TUNNEL


def _is_teredo(octets: bytes, length: int) -> bool:
    """Whether a datagram between any two ports is one of Teredo's: only with its server a client uses port 3544.

    IPv6 without anything before it (RFC 4380 section 5.2.6), exactly as long as UDP says, to or from an address of
    Teredo's own prefix (section 2.6): 52 bits that other traffic does not have by chance.
    """
    if length < 48 or len(octets) < 48 or octets[8] >> 4 != 6:
        return False
    fits = 48 + int.from_bytes(octets[12:14], "big") == length
    return fits and TEREDO_PREFIX in (octets[16:20], octets[32:36])


def lisp(packet: Packet) -> Step:
    """RFC 9300 section 5.1, and RFC 9305 where it names a protocol. Two instances may use the same addresses."""
    bits, protocol, instance = _LISP.unpack_from(packet.octets)
    if bits & LISP_KEY:
        return Skip.UNKNOWN_TUNNEL  # enciphered (RFC 8061), if it is LISP at all
    packet.enter(8)
    if bits & LISP_INSTANCE:
        packet.path += (("lisp", instance >> 8),)
    if not bits & LISP_PROTOCOL or NSH_PROTOCOLS.get(protocol) in (ipv4, ipv6):
        return ip if fills_with_ip(packet) else Skip.UNKNOWN_TUNNEL
    return _frame_inside(packet) if NSH_PROTOCOLS.get(protocol) is ethernet else Skip.UNKNOWN_TUNNEL


def gue(packet: Packet) -> Step:
    """draft-ietf-intarea-gue section 3; variant 1 is an IP packet at once, as the version that it begins with says."""
    bits, protocol = _GUE.unpack_from(packet.octets)
    variant = bits >> 6
    if variant > 1:
        return Skip.UNKNOWN_TUNNEL
    if variant == 0 and bits & GUE_CONTROL:
        return Skip.TUNNEL_CONTROL
    packet.enter(0 if variant else 4 + (bits & GUE_LENGTH) * 4)
    if variant or protocol in (protocols.IP_PROTO_IPIP, protocols.IP_PROTO_IP6):
        return ip if fills_with_ip(packet) else Skip.UNKNOWN_TUNNEL
    return _frame_inside(packet) if protocol == IP_PROTO_ETHERNET else Skip.UNKNOWN_TUNNEL


def tzsp(packet: Packet) -> Step:
    """TaZmen Sniffer Protocol, in which routers and access points mirror: a few tags, then the frame."""
    octets = packet.octets
    version, kind, protocol = _TZSP.unpack_from(octets)
    if version != 1 or kind not in TZSP_FRAMES:
        return Skip.TUNNEL_CONTROL if version == 1 and kind in TZSP_SIGNALS else Skip.UNKNOWN_TUNNEL
    at = 4
    for _ in range(TZSP_MOST_TAGS):
        (tag,) = _BYTE.unpack_from(octets, at)
        at += 1 if tag <= TZSP_END else 2 + _BYTE.unpack_from(octets, at + 1)[0]
        if tag == TZSP_END:
            break
    else:
        return Skip.UNKNOWN_TUNNEL
    packet.enter(at)
    if protocol == TZSP_ETHERNET:
        return _frame_inside(packet)
    return wlan if protocol == TZSP_WLAN else Skip.UNKNOWN_TUNNEL


def capwap(packet: Packet) -> Step:
    """RFC 5415 section 4.3: frames between an access point and its controller, of Ethernet or of 802.11 itself."""
    (word,) = _LONG.unpack_from(packet.octets)
    if word >> 24:
        return Skip.ENCRYPTED if word >> 24 == CAPWAP_DTLS else Skip.UNKNOWN_TUNNEL
    if word & CAPWAP_KEEPALIVE:
        return Skip.TUNNEL_CONTROL
    if word & CAPWAP_FRAGMENT:
        return Skip.UNKNOWN_TUNNEL
    packet.enter((word >> 19 & 0x1F) * 4)
    if not word & CAPWAP_NATIVE:
        return _frame_inside(packet)
    return wlan if word >> 9 & 0x1F == CAPWAP_WLAN else Skip.UNKNOWN_TUNNEL


def l2tp3(packet: Packet) -> Step:
    """L2TPv3 over IP (RFC 3931 section 4.1.1). How long a cookie is, and what follows, only its setup said."""
    (session,) = _LONG.unpack_from(packet.octets)
    return Skip.UNKNOWN_TUNNEL if session else Skip.TUNNEL_CONTROL


def nat_traversal(packet: Packet) -> Step:
    """RFC 3948: ESP, unless the SPI is 0 (IKE) or there is only one byte (a keepalive)."""
    if len(packet.octets) == 1:
        return Skip.NOT_TCP
    return Skip.ENCRYPTED if _LONG.unpack_from(packet.octets)[0] else Skip.NOT_TCP


def _packet_inside(packet: Packet) -> Step:
    return ip if looks_like_ip(packet) else Skip.UNKNOWN_TUNNEL


def _frame_inside(packet: Packet) -> Step:
    return ethernet if looks_like_ethernet(packet) else Skip.UNKNOWN_TUNNEL


GRE_PROTOCOLS: dict[int, Layer | Skip] = {
    types.ETH_TYPE_TEB: ethernet,
    NHRP: Skip.TUNNEL_CONTROL,
    KEEPALIVE: Skip.TUNNEL_CONTROL,
    OSI: Skip.NOT_IP,
    types.ETH_TYPE_ARP: Skip.NOT_IP,
}
PORTS_TO: dict[int, Layer] = {  # the destination; the source is drawn by lot
    4754: gre,  # RFC 8086
    4341: lisp,
    4789: vxlan,
    4790: vxlan_gpe,
    6080: gue,
    6081: geneve,
    6635: mpls,  # RFC 7510
    8472: vxlan,  # Linux, from before there was a number
    37008: tzsp,
}
PORTS: dict[int, Layer] = {1701: l2tp, 2152: gtpu, 3544: teredo, 4500: nat_traversal, 5247: capwap}  # either end
INSIDE_IP: dict[int, Layer | Skip] = {
    protocols.IP_PROTO_IPIP: ipv4,
    protocols.IP_PROTO_IP6: ipv6,
    protocols.IP_PROTO_UDP: udp,
    protocols.IP_PROTO_GRE: gre,
    protocols.IP_PROTO_ESP: Skip.ENCRYPTED,
    protocols.IP_PROTO_ETHERIP: etherip,
    protocols.IP_PROTO_L2TP: l2tp3,
    IP_PROTO_MINIMAL: Skip.UNKNOWN_TUNNEL,
    protocols.IP_PROTO_IPCOMP: Skip.UNKNOWN_TUNNEL,
    IP_PROTO_ETHERNET: bare_ethernet,
    IP_PROTO_MPLS: mpls,
}
