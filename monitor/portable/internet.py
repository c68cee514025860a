"""IPv4, IPv6 and TCP: the layers that nearly every frame has.

Lenient where a receiver is strict: the version counts, not what the layer before announced; header checksums of IPv4
are not looked at; a total length of 0 is a packet that the network card was to cut (TSO), and one that is too long is a
packet that was cut before it came here.
"""

from __future__ import annotations

from struct import Struct

from dpkt import ip as protocols
from dpkt.tcp import TH_URG

from monitor.portable.packet import Layer, Packet, Skip, Step
from monitor.records import Checksum, Flow, Fragment, Segment

MOBILITY, HIP, SHIM6 = 135, 139, 140  # RFC 6275, 7401, 5533: headers of the same form
EXTENSIONS = frozenset(
    (
        protocols.IP_PROTO_HOPOPTS,
        protocols.IP_PROTO_ROUTING,
        protocols.IP_PROTO_FRAGMENT,
        protocols.IP_PROTO_AH,
        protocols.IP_PROTO_DSTOPTS,
        MOBILITY,
        HIP,
        SHIM6,
    )
)
SOURCE_ROUTE, MOBILE_ROUTE, SEGMENT_ROUTE = 0, 2, 4  # routing types: RFC 2460, 6275, 8754
MORE, OFFSET = 0x2000, 0x1FFF  # RFC 791 section 3.1
FARTHEST_HIDDEN, SHORTEST_HIDDEN = (
    64,
    40,
)  # octets: a tunnel's header with a frame's, tagged; IPv4 and TCP without options

_VERSION = Struct("!B")
_IPV4 = Struct("!BxHHHxB2x4s4s")
_IPV6 = Struct("!B3xHBx16s16s")
_EXTENSION = Struct("!BB")
_FRAGMENT = Struct("!BxHI")
_ROUTING = Struct("!xBBB")
_ADDRESS = Struct("!16s")
_TCP = Struct("!HHIIHHHH")


def ip(packet: Packet) -> Step:
    """IPv4 or IPv6, as the first four bits say."""
    (first,) = _VERSION.unpack_from(packet.octets)
    return {4: ipv4, 6: ipv6}.get(first >> 4, Skip.MALFORMED)


def looks_like_ip(packet: Packet) -> bool:
    """For places where anything may stand: do version and lengths agree with what is there?"""
    octets, size = packet.octets, len(packet.octets) + packet.missing
    (first,) = _VERSION.unpack_from(octets)
    if first >> 4 == 6:
        return bool(40 + _IPV6.unpack_from(octets)[1] <= size)
    return bool(first >> 4 == 4 and 20 <= (first & 0x0F) << 2 <= _IPV4.unpack_from(octets)[1] <= size)


def hides_segment(octets: bytes) -> bool:
    """For places where nothing says what stands there: is a TCP segment in an IP packet among the first octets?

    It need not fill the rest, and must prove itself: IPv4 by the sum of its header, IPv6, which has none, by TCP's.
    Octets drawn by lot do so once in 2^30.
    """
    size = len(octets)
    for at in range(min(FARTHEST_HIDDEN, size - SHORTEST_HIDDEN + 1)):
        version = octets[at] >> 4
        if version == 4 and octets[at + 9] == protocols.IP_PROTO_TCP:
            header = (octets[at] & 0x0F) << 2
            total = int.from_bytes(octets[at + 2 : at + 4], "big")
            fits = header >= 20 and header + 20 <= total <= size - at
            if fits and int.from_bytes(octets[at : at + header], "big") % 0xFFFF == 0:
                return True
        elif version == 6 and octets[at + 6] == protocols.IP_PROTO_TCP:
            length = int.from_bytes(octets[at + 4 : at + 6], "big")
            if 20 <= length <= size - at - 40:
                # the addresses and the segment stand side by side, so one division sums both
                total = int.from_bytes(octets[at + 8 : at + 40 + length] + bytes(length & 1), "big")
                if (total + protocols.IP_PROTO_TCP + length) % 0xFFFF == 0:
                    return True
    return False


def fills_with_ip(packet: Packet) -> bool:
    """And does the packet end where the octets do? For headers that prove little."""
    octets = packet.octets
    if not looks_like_ip(packet):
        return False
    total = 40 + _IPV6.unpack_from(octets)[1] if octets[0] >> 4 == 6 else _IPV4.unpack_from(octets)[1]
    return bool(total == len(octets) + packet.missing)


def ipv4(packet: Packet) -> Step:
    """RFC 791."""
    first, total, ident, fragment, protocol, packet.src, packet.dst = _IPV4.unpack_from(packet.octets)
    header = (first & 0x0F) << 2
    if first >> 4 != 4:
        return ipv6 if first >> 4 == 6 else Skip.MALFORMED
    if header < 20 or 0 < total < header:
        return Skip.MALFORMED
    packet.enter(header, total - header if total else None)
    packet.protocol = protocol
    if fragment & (MORE | OFFSET):
        return _fragment(packet, ident, (fragment & OFFSET) << 3, fragment & MORE, 0)
    return payload(packet)


def ipv6(packet: Packet) -> Step:
    """RFC 8200. A payload length of 0 is that of a jumbogram (RFC 2675), or was left to the network card."""
    (first,) = _VERSION.unpack_from(packet.octets)
    if first >> 4 != 6:
        return ipv4 if first >> 4 == 4 else Skip.MALFORMED  # which may be shorter than a header of IPv6
    _, length, packet.protocol, packet.src, packet.dst = _IPV6.unpack_from(packet.octets)
    packet.enter(40, length or None)
    return payload(packet)


def payload(packet: Packet) -> Step:
    """What an IP packet carries, behind its extension headers (RFC 8200 section 4) or AH (RFC 4302)."""
    octets, protocol, at = packet.octets, packet.protocol, 0
    while protocol in EXTENSIONS:
        if len(packet.src) == 4 and protocol != protocols.IP_PROTO_AH:
            return Skip.NOT_TCP  # IPv4 knows no other
        if protocol == protocols.IP_PROTO_FRAGMENT:
            packet.protocol, bits, ident = _FRAGMENT.unpack_from(octets, at)
            at += 8
            if bits & 0xFFF9:  # else it is "atomic" (RFC 6946): a whole datagram
                return _fragment(packet, ident, bits & 0xFFF8, bits & 1, at)
            protocol = packet.protocol
            continue
        following, length = _EXTENSION.unpack_from(octets, at)
        if protocol == protocols.IP_PROTO_ROUTING:
            packet.dst = _final_destination(packet, at)
        at += (length + 2) * 4 if protocol == protocols.IP_PROTO_AH else (length + 1) * 8
        protocol = following
    if at:
        packet.octets = octets[at:]
    return PROTOCOLS.get(protocol, unannounced)


def unannounced(packet: Packet) -> Step:
    """What no tunnel that is known announces: no flow is made of it, but a TCP segment in it is a blind spot."""
    return Skip.UNKNOWN_TUNNEL if hides_segment(packet.octets) else Skip.NOT_TCP


def tcp(packet: Packet) -> Step:
    """RFC 9293 section 3.1."""
    octets = packet.octets
    sport, dport, seq, ack, bits, window, checksum, urgent = _TCP.unpack_from(octets)
    header = bits >> 10 & 0x3C
    if header < 20:
        return Skip.MALFORMED
    if header > len(octets):
        return Skip.TRUNCATED if packet.missing else Skip.MALFORMED
    flags = bits & 0x1FF
    return Segment(
        packet.time_ns,
        Flow(packet.src, sport, packet.dst, dport, packet.path),
        seq,
        ack,
        flags,
        octets[header:],
        packet.missing,
        max(urgent, 1) if flags & TH_URG else 0,
        Checksum.UNKNOWN if packet.missing or not packet.checksum_ready else _verify(packet, checksum),
        packet.oddities,
        window,
    )


def _fragment(packet: Packet, ident: int, offset: int, more: int, at: int) -> Fragment:
    return Fragment(
        packet.time_ns,
        packet.src,
        packet.dst,
        packet.protocol,
        ident,
        offset,
        bool(more),
        packet.octets[at:],
        packet.missing,
        packet.path,
        packet.depth,
    )


def _final_destination(packet: Packet, at: int) -> bytes:
    """Where a routing header at `at` leads: the destination that TCP's pseudo header has (RFC 8200 section 8.1)."""
    length, kind, left = _ROUTING.unpack_from(packet.octets, at)
    if left and kind == SEGMENT_ROUTE:
        return bytes(_ADDRESS.unpack_from(packet.octets, at + 8)[0])  # the list is written backwards
    if left and length > 1 and kind in (SOURCE_ROUTE, MOBILE_ROUTE):
        return bytes(_ADDRESS.unpack_from(packet.octets, at + 8 * (length + 1) - 16)[0])
    return packet.dst


def _verify(packet: Packet, checksum: int) -> Checksum:
    """RFC 9293 section 3.1, by RFC 1071: the sum of all 16-bit words modulo 65535, which one division finds."""
    octets = packet.octets
    size = len(octets)
    pseudo = int.from_bytes(packet.src + packet.dst, "big") + protocols.IP_PROTO_TCP + size
    total = int.from_bytes(octets, "big") % 0xFFFF
    if (pseudo + (total << 8 if size & 1 else total)) % 0xFFFF == 0:
        return Checksum.GOOD
    # a card that is to fill it in finds the sum of the pseudo header, with or (for TSO) without the length
    if checksum % 0xFFFF in (pseudo % 0xFFFF, (pseudo - size) % 0xFFFF):
        return Checksum.UNKNOWN
    return Checksum.BAD


PROTOCOLS: dict[int, Layer | Skip] = {  # and those of tunnels.py, which decode.py adds
    protocols.IP_PROTO_TCP: tcp,
    protocols.IP_PROTO_ICMP: Skip.NOT_TCP,  # which quotes packets
    protocols.IP_PROTO_ICMP6: Skip.NOT_TCP,
}
