"""What stands before the IP header: link types, Ethernet, tags, labels, PPP.

Only the next layer's place is wanted; addresses, priorities and frame checks are not looked at.
"""

from __future__ import annotations

from struct import Struct

from dpkt import ethernet as types
from dpkt.ppp import PPP_IP, PPP_IP6

from monitor.portable import source as links
from monitor.portable.internet import ip, ipv4, ipv6, looks_like_ip
from monitor.portable.packet import Layer, Packet, Skip, Step

PBB, MACSEC, NSH, JUMBO_LLC = 0x88E7, 0x88E5, 0x894F, 0x8870  # 802.1ah, 802.1AE, RFC 8300, long 802.3 frames
VN_TAG, E_TAG, HSR = 0x8926, 0x893F, 0x892F  # Cisco's, its heir in 802.1BR; IEC 62439-3
METADATA, FABRIC_PATH, TRILL = 0x8909, 0x8903, 0x22F3  # Cisco's, Cisco's, RFC 6325
LONGEST_802_3, LEAST_TYPE = 1500, 0x0600  # an EtherType's number is larger (802.3 section 3.2.6)
SNAP, UNNUMBERED = 0xAA, 0x03  # 802.2: service access point and control of RFC 1042
BOTTOM = 0x100  # RFC 3032 section 2.1: the last label of the stack
ADDRESS_AND_CONTROL = 0xFF03  # RFC 1662 section 3.1
PAYLOAD_OF_NFLOG = 9  # NFULA_PAYLOAD
AF_INET, AF_INET6 = 2, (10, 23, 24, 28, 30)  # Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
DATA_FRAME, QOS, TO_AND_FROM, PROTECTED, ORDER = 0x08, 0x80, 0x03, 0x40, 0x80  # 802.11 section 9.2.4.1

_BYTE = Struct("!B")
_TYPE = Struct("!H")
_LABEL = Struct("!I")
_LLC = Struct("!BBB")
_SNAP = Struct("!3xHBH")
_PPPOE = Struct("!xBHH")
_NSH = Struct("!HxB")
_LITTLE = Struct("<HH")
_WLAN = Struct("!BB")


def ethernet(packet: Packet) -> Step:
    """Ethernet II or 802.3."""
    (kind,) = _TYPE.unpack_from(packet.octets, 12)
    packet.octets = packet.octets[14:]
    return by_type(kind)


def by_type(kind: int) -> Step:
    """What an EtherType, or in its place the length of an 802.3 frame, announces."""
    return llc if kind <= LONGEST_802_3 else ethertype(kind)


def ethertype(kind: int) -> Step:
    """What an EtherType announces."""
    if found := ETHERTYPES.get(kind):
        return found
    return Skip.NOT_IP if kind < LEAST_TYPE or kind in QUIET else Skip.UNKNOWN_TUNNEL


def looks_like_ethernet(packet: Packet, at: int = 0) -> bool:
    """For places where anything may stand: is there a type that is known, and behind it what it announces?"""
    (kind,) = _TYPE.unpack_from(packet.octets, at + 12)
    if kind in (types.ETH_TYPE_IP, types.ETH_TYPE_IP6):
        (first,) = _BYTE.unpack_from(packet.octets, at + 14)
        return bool(first >> 4 == (4 if kind == types.ETH_TYPE_IP else 6))
    if kind <= LONGEST_802_3:
        return bool(_LLC.unpack_from(packet.octets, at + 14)[2] == UNNUMBERED)
    return kind in ETHERTYPES or kind in QUIET


def llc(packet: Packet) -> Step:
    """802.2 with SNAP (RFC 1042), also from a bridge (802.1H)."""
    if _LLC.unpack_from(packet.octets) == (SNAP, SNAP, UNNUMBERED):
        vendor, low, kind = _SNAP.unpack_from(packet.octets)
        packet.enter(8)
        return ethertype(kind) if (vendor, low) in ((0, 0), (0, 0xF8)) else Skip.NOT_IP
    return Skip.NOT_IP


def tag(size: int) -> Layer:
    """A tag that ends with the EtherType of what it stands before."""

    def layer(packet: Packet) -> Step:
        (kind,) = _TYPE.unpack_from(packet.octets, size - 2)
        packet.enter(size)
        return by_type(kind)

    return layer


def pbb(packet: Packet) -> Step:
    """The I-TAG of 802.1ah; the customer's whole frame follows."""
    packet.enter(4)
    return ethernet


def mpls(packet: Packet) -> Step:
    """A stack of labels (RFC 3032). What follows is not announced; RFC 4928 leaves the first four bits to tell."""
    at, label = 0, 0
    while not label & BOTTOM:
        (label,) = _LABEL.unpack_from(packet.octets, at)
        at += 4
    packet.enter(at)
    nibble = _BYTE.unpack_from(packet.octets)[0] >> 4
    if nibble in (4, 6) and looks_like_ip(packet):
        return ip
    if nibble == 0 and looks_like_ethernet(packet, 4):  # a pseudowire with control word (RFC 4448)
        packet.octets = packet.octets[4:]
        return ethernet
    if looks_like_ethernet(packet):
        return ethernet
    return MPLS_NIBBLES.get(nibble, Skip.UNKNOWN_TUNNEL)


def fabric_path(packet: Packet) -> Step:
    """Cisco's FabricPath: a tree and a time to live; the whole frame follows."""
    packet.enter(2)
    return ethernet


def trill(packet: Packet) -> Step:
    """RFC 6325 section 3: options of four octets each before the whole frame."""
    (bits,) = _TYPE.unpack_from(packet.octets)
    packet.enter(6 + (bits >> 6 & 0x1F) * 4)
    return ethernet


def pppoe(packet: Packet) -> Step:
    """RFC 2516 section 4. Sessions are numbered, so two subscribers with equal addresses can be told apart."""
    code, session, length = _PPPOE.unpack_from(packet.octets)
    if code:
        return Skip.TUNNEL_CONTROL
    packet.enter(6, length)
    packet.path += (("pppoe", session),)
    return ppp


def ppp(packet: Packet) -> Step:
    """RFC 1661, with or without address and control (RFC 1662), its protocol number one or two bytes long."""
    at, (protocol,) = 0, _TYPE.unpack_from(packet.octets)
    if protocol == ADDRESS_AND_CONTROL:
        at, (protocol,) = 2, _TYPE.unpack_from(packet.octets, 2)
    if protocol & 0x0100:  # section 2: the last byte of a protocol number is odd, all before it are even
        at, protocol = at - 1, protocol >> 8
    packet.octets = packet.octets[at + 2 :]
    if protocol & 0x8000:  # section 2: "network-layer control" and "link-layer control"
        return Skip.TUNNEL_CONTROL
    return PPP_PROTOCOLS.get(protocol, Skip.UNKNOWN_TUNNEL)


def serial(packet: Packet) -> Step:
    """PPP, or Cisco's HDLC on the same line."""
    if packet.octets[:1] not in (b"\x0f", b"\x8f"):
        return ppp
    (kind,) = _TYPE.unpack_from(packet.octets, 2)
    packet.octets = packet.octets[4:]
    return by_type(kind)


def nsh(packet: Packet) -> Step:
    """RFC 8300."""
    bits, protocol = _NSH.unpack_from(packet.octets)
    packet.enter((bits & 0x3F) * 4)
    return NSH_PROTOCOLS.get(protocol, Skip.UNKNOWN_TUNNEL)


def sll(packet: Packet) -> Step:
    """Linux "any" device: LINKTYPE_LINUX_SLL."""
    (kind,) = _TYPE.unpack_from(packet.octets, 14)
    packet.octets = packet.octets[16:]
    return by_type(kind)


def sll2(packet: Packet) -> Step:
    """LINKTYPE_LINUX_SLL2."""
    (kind,) = _TYPE.unpack_from(packet.octets)
    packet.octets = packet.octets[20:]
    return by_type(kind)


def loopback(packet: Packet) -> Step:
    """LINKTYPE_NULL and LINKTYPE_LOOP: an address family in the byte order of the machine that captured."""
    (family,) = _LABEL.unpack_from(packet.octets)
    if family > 0xFFFF:
        family = int.from_bytes(family.to_bytes(4, "little"), "big")
    packet.octets = packet.octets[4:]
    return ipv4 if family == AF_INET else ipv6 if family in AF_INET6 else Skip.NOT_IP


def nflog(packet: Packet) -> Step:
    """LINKTYPE_NFLOG: attributes of which one is the packet."""
    at, kind, size = 0, 0, 4
    while kind & 0x7FFF != PAYLOAD_OF_NFLOG:
        at += max(size + 3 & ~3, 4)
        size, kind = _LITTLE.unpack_from(packet.octets, at)
    packet.octets = packet.octets[at + 4 : at + size]
    return ip


def radiotap(packet: Packet) -> Step:
    """LINKTYPE_IEEE802_11_RADIOTAP: what the radio says, then 802.11."""
    (_, size) = _LITTLE.unpack_from(packet.octets)
    packet.octets = packet.octets[size:]
    return wlan


def wlan(packet: Packet) -> Step:
    """A data frame of 802.11 that is not enciphered."""
    kind, flags = _WLAN.unpack_from(packet.octets)
    if kind & 0x4F != DATA_FRAME:
        return Skip.NOT_IP
    if flags & PROTECTED:
        return Skip.ENCRYPTED
    size = 30 if flags & TO_AND_FROM == TO_AND_FROM else 24
    if kind & QOS:
        size += 6 if flags & ORDER else 2
    packet.octets = packet.octets[size:]
    return llc


vlan = tag(4)  # 802.1Q, 802.1ad
ETHERTYPES: dict[int, Layer | Skip] = {
    types.ETH_TYPE_IP: ipv4,
    types.ETH_TYPE_IP6: ipv6,
    types.ETH_TYPE_8021Q: vlan,
    types.ETH_TYPE_8021AD: vlan,
    types.ETH_TYPE_QINQ1: vlan,
    types.ETH_TYPE_QINQ2: vlan,
    VN_TAG: tag(6),
    HSR: tag(6),
    E_TAG: tag(8),
    METADATA: tag(8),
    FABRIC_PATH: fabric_path,
    TRILL: trill,
    types.ETH_TYPE_MPLS: mpls,
    types.ETH_TYPE_MPLS_MCAST: mpls,
    types.ETH_TYPE_PPPoE: pppoe,
    types.ETH_TYPE_PPPoE_DISC: Skip.TUNNEL_CONTROL,
    types.ETH_TYPE_PPP: ppp,
    JUMBO_LLC: llc,
    PBB: pbb,
    MACSEC: Skip.ENCRYPTED,
    NSH: nsh,
}
QUIET = frozenset((  # neither IP nor a tunnel of it; any other type that is not known may hide something
    types.ETH_TYPE_ARP, 0x8035,  # and the reverse
    types.ETH_TYPE_LLDP, 0x8809, 0x8808, 0x8902, 0x88F5, 0x88F6,  # LACP, pauses, 802.1ag, 802.1ak
    0x888E, 0x88F7, 0x9000, 0x0842,  # 802.1X, PTP, loopback tests, Wake-on-LAN
    0x8906, 0x8914, 0x8915, 0x88A2,  # storage: FCoE, RoCE, AoE
    0x8137, 0x8138, 0x809B, 0x80F3, 0x6002, 0x6003, 0x6004,  # IPX, AppleTalk, DECnet
))  # fmt: skip
PPP_PROTOCOLS: dict[int, Layer | Skip] = {
    PPP_IP: ipv4,
    PPP_IP6: ipv6,
    0x281: mpls,  # RFC 3032 section 4.3
    0x53: Skip.ENCRYPTED,  # RFC 1968
    0xFD: Skip.ENCRYPTED,  # compressed or, as MPPE (RFC 3078), enciphered
}
MPLS_NIBBLES: dict[int, Layer | Skip] = {1: Skip.TUNNEL_CONTROL, 4: ipv4, 6: ipv6}  # 1: RFC 4385 section 5
NSH_PROTOCOLS: dict[int, Layer] = {1: ipv4, 2: ipv6, 3: ethernet, 4: nsh, 5: mpls}
LINKS: dict[int, Layer] = {
    links.NULL: loopback,
    links.ETHERNET: ethernet,
    links.PPP: serial,
    links.PPP_HDLC: serial,
    links.RAW: ip,
    links.RAW_12: ip,
    links.RAW_14: ip,
    links.LOOP: loopback,
    links.SLL: sll,
    links.IPV4: ipv4,
    links.IPV6: ipv6,
    links.SLL2: sll2,
    links.CISCO_HDLC: serial,
    links.NFLOG: nflog,
    links.WLAN: wlan,
    links.RADIOTAP: radiotap,
}
