"""Rows 32-37: IP fragments and IPv6 extension headers. Overlaps are what two receivers put together differently."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pcaps.recipe import FIELD, LEAK, NUMBER, OK, ambiguous, get, leak, recipe, talk_of
from pcaps.talk import ACK, MS, PSH, Packet, Talk, ethernet, internet_checksum, ip, tcp

TCP, ROUTING, FRAGMENT, DESTINATION, HOP_BY_HOP = 6, 43, 44, 60, 0
V6: dict[str, Any] = {"src": "2001:db8:1::2", "dst": "2001:db8:2::9"}
MASKED = LEAK.replace(NUMBER, b"none-was-set")  # as long as LEAK
CLIENT, SERVER = "100.64.1.2", "203.0.113.9"


def fragment(packet: bytes, start: int, end: int, ident: int = 77, *, more: bool | None = None) -> bytes:
    """Octets [start, end) of the payload of this packet as one fragment (RFC 791, RFC 8200 section 4.5)."""
    six = packet[0] >> 4 == 6
    payload = packet[40 if six else 20 :]
    field = start | (end < len(payload) if more is None else more)
    if six:
        piece = struct.pack("!BBHI", packet[6], 0, field, ident) + payload[start:end]
        return packet[:4] + struct.pack("!HB", len(piece), FRAGMENT) + packet[7:40] + piece
    flags = (start >> 3) | (field & 1) << 13
    return ip(CLIENT, SERVER, TCP, payload[start:end], ident=ident, fragment=flags)


def cut(packet: bytes, size: int, ident: int = 77) -> list[bytes]:
    length = len(packet) - (40 if packet[0] >> 4 == 6 else 20)
    return [fragment(packet, start, min(start + size, length), ident) for start in range(0, length, size)]


def with_request(change: Callable[[bytes], list[bytes]], head: bytes = LEAK, **ends: str) -> Talk:
    """A connection whose request packet is replaced by others."""
    talk = talk_of(head, **ends)
    (place,) = (n for n, (_, packet) in enumerate(talk.packets) if head in packet)
    t, packet = talk.packets[place]
    talk.packets[place : place + 1] = [(t + n * 1000, piece) for n, piece in enumerate(change(packet))]
    return talk


# --- IPv4 fragments -----------------------------------------------------------------------------------------------


@recipe(32, leak(), "datagrams")
def i01_fragments_in_order() -> Talk:
    """Fragments of 32 octets, in order."""
    return with_request(lambda packet: cut(packet, 32))


@recipe(32, leak(), "datagrams")
def i02_fragments_of_24() -> Talk:
    """Fragments of 24 octets: the first one has hardly more than the TCP header."""
    return with_request(lambda packet: cut(packet, 24))


@recipe(32, leak(), "datagrams")
def i03_fragments_reversed() -> Talk:
    """The last fragment first, as Linux once sent them."""
    return with_request(lambda packet: cut(packet, 32)[::-1])


@recipe(32, leak(), "datagrams")
def i04_fragments_of_8_reversed() -> Talk:
    """The smallest fragments there are, last first: even the TCP header is cut."""
    return with_request(lambda packet: cut(packet, 8)[::-1])


def overlapping(first: bytes, second: bytes) -> Callable[[bytes], list[bytes]]:
    """The fragment that holds the number twice, with the bytes of `first` and then of `second`."""

    def change(packet: bytes) -> list[bytes]:
        start = 20 + LEAK.index(NUMBER) & ~7
        pieces = [fragment(packet, 0, start)]
        for head in (first, second):
            pieces.append(fragment(packet[: -len(LEAK)] + head, start, start + 32))
        return [*pieces, fragment(packet, start + 32, len(packet) - 20)]

    return change


@recipe(33, ambiguous(), "oddities.frag_overlap")
def i05_overlap_number_first() -> Talk:
    """The same offsets twice with different bytes, the number in the first copy: systems differ in which one they keep.

    The TCP checksum fits the copy with the number.
    """
    return with_request(overlapping(LEAK, MASKED))


@recipe(33, ambiguous(), "oddities.frag_overlap")
def i06_overlap_number_second() -> Talk:
    """The number in the second copy."""
    return with_request(overlapping(MASKED, LEAK))


@recipe(33, ambiguous(), "oddities.frag_overlap")
def i21_number_in_the_second_of_three_copies() -> Talk:
    """Neither the first copy wins nor the last one: the number is in the one between."""

    def change(packet: bytes) -> list[bytes]:
        others = [packet.replace(NUMBER, mask) for mask in (b"none-was-set", b"not-this-one")]
        heads = [fragment(each, 0, 104, more=True) for each in (others[0], packet, others[1])]
        return [*heads, fragment(packet, 104, len(packet) - 20)]

    return with_request(change)


@recipe(34, leak(), "datagrams")
def i13_identification_used_again() -> Talk:
    """Two datagrams with the same identification, one after the other: nothing of the first gets into the second."""
    talk = Talk().open()
    for head in (get(b"A: " + b"c" * 60), LEAK):
        t, packet = talk.client(head).packets[-2]
        talk.packets[-2:-1] = [(t + n, piece) for n, piece in enumerate(cut(packet, 32, ident=5))]
        talk.server(OK)
    return talk.close()


@recipe(34, leak("b.example"), "blind.fragments")
def i14_hole_left_by_the_last_fragment() -> Talk:
    """The middle fragment never comes: incomplete is not complete, however many octets came. The next one leaks."""
    lost = get(b"A: " + b"c" * 120, FIELD, host=b"a.example")
    talk = with_request(lambda packet: [p for n, p in enumerate(cut(packet, 64)) if n != 1], lost)
    talk.packets += talk_of(get(FIELD, host=b"b.example"), sport=40002, time_ns=talk.time_ns + 90_000 * MS).packets
    return talk


@recipe(34, leak())
def i15_last_fragment_shrinks() -> Talk:
    """A second `last` fragment ends the datagram sooner. Only the longer reading has a TCP checksum that is right."""

    def change(packet: bytes) -> list[bytes]:
        pieces = cut(packet, 24)
        early = fragment(packet, 24, 48, more=False)
        return [pieces[-1], early, *pieces[:-1]]

    return with_request(change, LEAK)


@recipe(34, ambiguous("a.example"), "oddities.frag_mixed")
def i24_two_datagrams_of_one_number_and_half_of_each_lost() -> Talk:
    """The half with the Host is of one request, the half with the number of another one: the TCP checksum tells."""
    one, other = (get(FIELD, b"A: " + b"c" * 60, host=host) for host in (b"a.example", b"b.example"))
    half = one.index(b"\r\n" + FIELD) + 20 & ~7

    def change(packet: bytes) -> list[bytes]:
        second = tcp(CLIENT, 40002, SERVER, 80, 77, 88, PSH | ACK, other.replace(NUMBER, b"447700900199"))
        return [cut(packet, half)[0], *cut(second, half)[1:]]

    return with_request(change, one)


# --- IPv6 ---------------------------------------------------------------------------------------------------------


def extended(packet: bytes, *headers: tuple[int, bytes]) -> bytes:
    """Extension headers (type, content after the first two octets) between the IPv6 header and its payload."""
    kinds = [kind for kind, _ in headers] + [packet[6]]
    chain = b"".join(
        bytes([following, (len(content) + 2) // 8 - 1]) + content
        for (_, content), following in zip(headers, kinds[1:], strict=True)
    )
    length = len(packet) - 40 + len(chain)
    return packet[:4] + struct.pack("!HB", length, kinds[0]) + packet[7:40] + chain + packet[40:]


def every_packet(talk: Talk, *headers: tuple[int, bytes]) -> Talk:
    talk.packets = [(t, extended(packet, *headers)) for t, packet in talk.packets]
    return talk


PADDING = b"\x01\x04\0\0\0\0"  # PadN
SEGMENTS_LEFT_0 = b"\x04\x00\x00\x00\x00\x00" + bytes.fromhex("20010db8000200000000000000000009")  # RFC 8754


@recipe("link", leak())
def i16_ipv6() -> Talk:
    """IPv6 with nothing added."""
    return talk_of(LEAK, **V6)


@recipe(35, leak())
def i17_hop_by_hop_and_destination_options() -> Talk:
    """Hop-by-hop and destination options before TCP."""
    return every_packet(talk_of(LEAK, **V6), (HOP_BY_HOP, PADDING), (DESTINATION, PADDING))


@recipe(35, leak())
def i08_segment_routing_header() -> Talk:
    """SRv6 at the last segment."""
    return every_packet(talk_of(LEAK, **V6), (ROUTING, SEGMENTS_LEFT_0))


@recipe(35, leak())
def i18_twenty_extension_headers() -> Talk:
    """Twenty destination options headers in a row."""
    return every_packet(talk_of(LEAK, **V6), *[(DESTINATION, PADDING)] * 20)


@recipe(35, leak())
def i19_atomic_fragment() -> Talk:
    """A fragment header on a packet that is no fragment (RFC 6946)."""
    return with_request(lambda packet: cut(packet, 4096), **V6)


@recipe(36, leak(), "datagrams")
def i09_ipv6_fragments() -> Talk:
    """IPv6 fragments of 32 octets."""
    return with_request(lambda packet: cut(packet, 32), **V6)


@recipe(36, leak(), "datagrams")
def i10_ipv6_fragments_reversed() -> Talk:
    """The same, last first."""
    return with_request(lambda packet: cut(packet, 32)[::-1], **V6)


@recipe(12, leak())
def i07_ip_options() -> Talk:
    """IPv4 options: the header is 24 octets long."""
    talk = talk_of(LEAK)
    for n, (t, packet) in enumerate(talk.packets):
        header = bytearray(packet[:20] + b"\x94\x04\0\0")  # router alert
        header[0] = 0x46
        header[2:4] = struct.pack("!H", len(packet) + 4)
        header[10:12] = b"\0\0"
        header[10:12] = struct.pack("!H", internet_checksum(bytes(header)))
        talk.packets[n] = t, bytes(header) + packet[20:]
    return talk


@recipe(37, leak(), "blind.fragments")
def i20_fragments_never_completed() -> list[Packet]:
    """Two hundred first fragments without a second: memory is given back, and the others are not disturbed."""
    lone = tcp(CLIENT, 50000, SERVER, 80, 1, 1, PSH | ACK, b"GET /never HTTP/1.1\r\n" + b"f" * 40)
    start = 1_700_000_000_000_000_000 - 120_000 * MS
    flood = [(start + n * MS, ethernet(fragment(lone, 0, 32, n, more=True))) for n in range(200)]
    return flood + talk_of(LEAK).frames
