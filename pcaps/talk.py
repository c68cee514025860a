"""A TCP talk as a list of frames: the small transcript tool behind recipes and tests.

    talk = Talk()
    talk.open()
    talk.client(b"GET / HTTP/1.1\\r\\nHost: shop.example\\r\\n\\r\\n")
    talk.server(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    talk.close()
    Path("x.pcap").write_bytes(pcap(talk.frames))

Every step appends whole packets (IP header first) with their time to `talk.packets`; `frames` puts Ethernet around
them. What a test wants odd it edits there: reorder, drop, duplicate, cut. `segment` sends one packet with any header.
Numbers are Ofcom's for drama, addresses of RFC 5737 and RFC 6598, names of RFC 2606. Plain struct, no scapy: property
tests make thousands of these.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ETHERNET, RAW = 1, 101
MS = 1_000_000
Packet = tuple[int, bytes]  # time_ns, bytes from the IP header on


def internet_checksum(octets: bytes) -> int:
    """RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total = int.from_bytes(octets, "big") % 0xFFFF
    return 0xFFFF - total if total or not any(octets) else 0


def ip(src: str, dst: str, protocol: int, payload: bytes, *, ttl: int = 64, ident: int = 0, fragment: int = 0) -> bytes:
    """One IPv4 or IPv6 packet; `fragment` is the IPv4 flags and offset field as it stands in the header."""
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 16:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, ttl) + a + b + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, ttl, protocol, 0) + a + b
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + payload


def tcp(
    src: str, sport: int, dst: str, dport: int, seq: int, ack: int, flags: int, payload: bytes = b"",
    *, options: bytes = b"", urgent: int = 0, bad_checksum: bool = False, ttl: int = 64, window: int = 65535,
) -> bytes:  # fmt: skip
    """One IP packet with a TCP segment in it."""
    options += b"\0" * (-len(options) % 4)
    header = struct.pack(
        "!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, (5 + len(options) // 4) << 4, flags, window, 0, urgent
    )
    header += options
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    length = len(header) + len(payload)
    pseudo = a + b + (struct.pack("!BBH", 0, 6, length) if len(a) == 4 else struct.pack("!IHBB", length, 0, 0, 6))
    checksum = internet_checksum(pseudo + header + payload) ^ (0x5555 if bad_checksum else 0)
    return ip(src, dst, 6, header[:16] + struct.pack("!H", checksum) + header[18:] + payload, ttl=ttl)


@dataclass
class Talk:
    src: str = "100.64.1.2"
    sport: int = 40001
    dst: str = "203.0.113.9"
    dport: int = 80
    time_ns: int = 1_700_000_000_000_000_000
    step_ns: int = MS
    mss: int = 1460
    seq: int = 1000  # of the client: the next byte to send
    ack: int = 5000  # of the server: the next byte to send
    packets: list[Packet] = field(default_factory=list)

    def segment(self, flags: int, payload: bytes = b"", *, client: bool = True, seq: int | None = None,
                ack: int | None = None, **header: object) -> None:  # fmt: skip
        """One packet as told; moves no sequence number."""
        mine, other = (self.seq, self.ack) if client else (self.ack, self.seq)
        ends = (self.src, self.sport, self.dst, self.dport)
        if not client:
            ends = (self.dst, self.dport, self.src, self.sport)
        acknowledged = (other if flags & ACK else 0) if ack is None else ack
        self.time_ns += self.step_ns
        packet = tcp(*ends, mine if seq is None else seq, acknowledged, flags, payload, **header)  # type: ignore[arg-type]
        self.packets.append((self.time_ns, packet))

    def open(self) -> Talk:
        """SYN, SYN+ACK, ACK."""
        self.segment(SYN)
        self.seq += 1
        self.segment(SYN | ACK, client=False)
        self.ack += 1
        self.segment(ACK)
        return self

    def client(self, octets: bytes, *, acknowledged: bool = True) -> Talk:
        """`>>>`: the client sends, in segments of at most `mss`, and the server acknowledges."""
        for cut in self.cuts(octets):
            self.segment(PSH | ACK, cut)
            self.seq += len(cut)
        if acknowledged:
            self.segment(ACK, client=False)
        return self

    def server(self, octets: bytes, *, acknowledged: bool = True) -> Talk:
        """`<<<`: the server sends and the client acknowledges."""
        for cut in self.cuts(octets):
            self.segment(PSH | ACK, cut, client=False)
            self.ack += len(cut)
        if acknowledged:
            self.segment(ACK)
        return self

    def lose(self, octets: bytes) -> Talk:
        """`><>`: the client sends, the capture misses it."""
        self.seq += len(octets)
        return self

    def close(self) -> Talk:
        self.segment(FIN | ACK)
        self.seq += 1
        self.segment(FIN | ACK, client=False)
        self.ack += 1
        self.segment(ACK)
        return self

    def cuts(self, octets: bytes) -> list[bytes]:
        return [octets[i : i + self.mss] for i in range(0, len(octets), self.mss)]

    @property
    def frames(self) -> list[Packet]:
        return [(time_ns, ethernet(packet)) for time_ns, packet in self.packets]


def ethernet(packet: bytes) -> bytes:
    """Ethernet II around an IP packet."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01" + kind + packet


def pcap(
    frames: Iterable[Packet], *, link: int = ETHERNET, nano: bool = False, order: str = "<", snap: int = 262144
) -> bytes:
    """A classic capture file of these frames, each cut at `snap` bytes (the libpcap file format, tcpdump.org)."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for time_ns, octets in frames:
        kept = octets[:snap]
        out += [struct.pack(order + "IIII", time_ns // 10**9, time_ns % 10**9 // unit, len(kept), len(octets)), kept]
    return b"".join(out)
