"""Input of the layers below HTTP: typical of what they see, and the worst that they can be given."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import cycle

from bench.inputs import TYPICAL
from pcaps.floods import ACK, MSS, PSH, SYN, Frames, segment
from pcaps.talk import ethernet, ip, tcp
from tests.encapsulations import TUNNELS

ENDS = ("100.64.1.2", 40000, "203.0.113.9", 443)
OUTER = ("192.0.2.1", "192.0.2.2")
FRAME = 600  # octets, as nearly as they fit
RECORD = b"\x17\x03\x03\x02\x00"


# --- decode -------------------------------------------------------------------------------------------------------


def tls(tunnel: str | None = None) -> Frames:
    """The same frame of 600 bytes of TLS again and again, plain or in a tunnel of this kind."""
    packet = tcp(*ENDS, 1, 1, PSH | ACK, RECORD + bytes(500))
    return cycle([ethernet(TUNNELS[tunnel].wrap(packet) if tunnel else packet)])


def in_ip(packet: bytes) -> bytes:
    return ip(*OUTER, 4, packet)


def in_gre(packet: bytes) -> bytes:
    return ip(*OUTER, 47, b"\0\0\x08\0" + packet)


def in_ip6(packet: bytes) -> bytes:
    return ip("2001:db8::1", "2001:db8::2", 41 if packet[0] >> 4 == 6 else 4, packet)


def in_gtpu(packet: bytes, extensions: int = 0, teid: int = 7) -> bytes:
    chain = b"\0\0\0\x20" + b"\1\0\0\x20" * (extensions - 1) + b"\1\0\0\0" if extensions else b""
    head = struct.pack("!BBHI", 0x34 if extensions else 0x30, 0xFF, len(chain) + len(packet), teid)
    return ip(*OUTER, 17, struct.pack("!HHHH", 2152, 2152, 16 + len(chain) + len(packet), 0) + head + chain + packet)


def nested(wrap: Callable[[bytes], bytes], times: int) -> Callable[[], Frames]:
    """TLS in so many tunnels of a kind; as long as without."""

    def frames() -> Frames:
        small = tcp(*ENDS, 1, 1, PSH | ACK, RECORD)
        for _ in range(times):
            small = wrap(small)
        packet = tcp(*ENDS, 1, 1, PSH | ACK, RECORD + bytes(max(0, FRAME - 14 - len(small))))
        for _ in range(times):
            packet = wrap(packet)
        return cycle([ethernet(packet)])

    return frames


def tagged(tag: bytes, times: int) -> Callable[[], Frames]:
    """TLS behind so many tags, or labels with an EtherType before them."""
    frame = ethernet(tcp(*ENDS, 1, 1, PSH | ACK, RECORD + bytes(FRAME - 59 - times * len(tag))))
    return lambda: cycle([frame[:12] + tag * times + frame[12:]])


def numbered(frame: Callable[[int], bytes]) -> Callable[[], Frames]:
    """Frames of which no two are alike."""
    return lambda: map(frame, range(1 << 16))


def packet_of(port: int) -> bytes:
    return tcp(ENDS[0], port, *ENDS[2:], 1, 1, PSH | ACK, RECORD + bytes(500))


def of_teid(number: int) -> bytes:
    return ethernet(in_gtpu(packet_of(40000), teid=number))


def of_port(number: int) -> bytes:
    return ethernet(packet_of(number))


def of_teid_and_port(number: int) -> bytes:
    return ethernet(in_gtpu(packet_of(number), teid=number))


def of_vlans(number: int) -> bytes:
    frame = of_port(40000)
    return frame[:12] + struct.pack("!4H", 0x88A8, number >> 8, 0x8100, number & 0xFF) + frame[12:]


def of_label(number: int) -> bytes:
    """Label 16 and up, at the bottom of the stack (RFC 3032 section 2.1)."""
    packet = packet_of(40000)
    return ethernet(packet)[:12] + b"\x88\x47" + struct.pack("!I", 16 + number << 12 | 0x1FF) + packet


def extended(kind: int, times: int) -> Callable[[], Frames]:
    """TLS behind so many extension headers of IPv6."""
    segment6 = tcp("2001:db8::1", 40000, "2001:db8::2", 443, 1, 1, PSH | ACK, RECORD + bytes(FRAME - 79 - times * 8))[
        40:
    ]
    chain = b"".join(bytes((kind if left else 6, 0)) + b"\1\4" + bytes(4) for left in reversed(range(times)))
    return lambda: cycle([ethernet(ip("2001:db8::1", "2001:db8::2", kind, chain + segment6))])


# --- defrag -------------------------------------------------------------------------------------------------------


def halves(order: str) -> Frames:
    """Packets that a tunnel made too long: each in two fragments of 600 bytes."""
    octets = tcp(*ENDS, 1, 1, PSH | ACK, RECORD + bytes(1159))[20:]
    other = octets[:25] + b"x" * 1159
    for ident in range(1, 65536):
        one, two = part(ident, 0, octets[:592]), part(ident, 0, other[:592])
        end, other_end = part(ident, 592, octets[592:]), part(ident, 592, other[592:])
        yield from {
            "in order": (one, end),
            "in reverse": (end, one),
            "first ones alone": (one,),
            "last ones alone": (end,),
            "each twice and different": (one, two, end, other_end),
        }[order]


def small_halves(order: str) -> Frames:
    """Packets of some forty octets, each in two fragments: as many as find room."""
    octets = tcp(*ENDS, 1, 1, PSH | ACK, RECORD + bytes(15))[20:]
    other = octets[:25] + b"x" * 15
    for number in range(1 << 18):
        ident, size = number & 0xFFFF, len(octets)
        one, two = (part(ident, 0, text[:24], size) for text in (octets, other))
        end, other_end = (part(ident, 24, text[24:], size) for text in (octets, other))
        yield from {
            "in order": (one, end),
            "in reverse": (end, one),
            "first ones alone": (one,),
            "each twice": (one, one, end, end),
            "each twice and different": (one, two, end, other_end),
        }[order]


def part(ident: int, at: int, octets: bytes, size: int = 1184) -> bytes:
    """One fragment of a datagram of this size."""
    return ethernet(ip(ENDS[0], ENDS[2], 6, octets, ident=ident, fragment=(at + len(octets) < size) << 13 | at >> 3))


def fragments(order: str) -> Frames:
    """Datagrams of 64 kB in 600 bytes each."""
    text, size = bytes(64_000), 592
    for ident in range(1, 65536):
        pieces = [(at, text[at : at + size]) for at in range(0, len(text), size)]
        if order == "reverse":
            pieces.reverse()
        elif order == "unfinished":
            pieces = pieces[1:]
        elif order == "overlapping":
            pieces = [(max(0, at - 296), piece) for at, piece in pieces]
        elif order == "alternating":
            pieces = pieces[::2] + pieces[1::2]
        for at, piece in pieces:
            yield part(ident, at, piece, len(text))


# --- reassembly ---------------------------------------------------------------------------------------------------

UPLOAD = b"POST /upload HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9000000\r\n\r\n"


def upload(order: str) -> Frames:
    """One body: its segments in order, or as an attacker would have them."""
    yield segment(1, 40000, 0, SYN)
    yield segment(1, 40000, 1, PSH | ACK, UPLOAD)
    first, window = 1 + len(UPLOAD), 400
    text = bytes(MSS)
    for group in range(40):
        places = list(range(group * window, (group + 1) * window))
        if order == "reverse":
            places.reverse()
        elif order == "every other one first":
            places = places[1::2] + places[::2]
        for place in places:
            yield segment(1, 40000, first + place * MSS, PSH | ACK, text)
            if order == "each again, and different":
                yield segment(1, 40000, first + place * MSS, PSH | ACK, b"x" * MSS)


def contested(order: str) -> Frames:
    """Typical requests by one client after the other, 60 kB each, and copies of their bytes that differ."""
    text = b"".join(TYPICAL % number for number in range(140))
    for client in range(1000):
        places = range(0, len(text), MSS)
        if order == "each before the last":
            yield from (segment(client, 40000, 1 + at, PSH | ACK, text[at : at + MSS]) for at in reversed(places))
            continue
        if order != "no beginning":
            yield segment(client, 40000, 0, SYN)
        for at in places:
            octets = text[at : at + MSS]
            yield segment(client, 40000, 1 + at, PSH | ACK, octets)
            if order == "each again, and different":
                yield segment(client, 40000, 1 + at, PSH | ACK, octets.replace(b"a", b"b"))
            elif order == "bytes that differ":
                for place in (0, 100, 200):
                    yield segment(client, 40000, 1 + at + place, PSH | ACK, b"%d" % (place // 100))
        if order == "no beginning":
            for octet in range(40):
                yield segment(client, 40000, -octet % 2**32, PSH | ACK, b"G")
