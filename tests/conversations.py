"""Random conversations of clients with servers, and ways to bring the same conversation to the sensor.

A conversation is what two ends said, turn by turn, and nothing of how it came: `plain` brings it as it would stand in a
textbook, `told` with any of the changes of `CHANGES`, none of which may change what is found. What does change it, loss
and damage, is in `bereft`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from h2.connection import H2Connection

from pcaps.talk import ACK, ETHERNET, MS, PSH, Packet, Talk, internet_checksum
from tests.encapsulations import FRAMINGS, TUNNELS

NOON_NS = 1_326_196_800 * 10**9  # 2012-01-10T12:00:00Z
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DECOY_NUMBER = "447700900999"  # of no conversation
DECOY = b"GET /decoy HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: %b\r\n\r\n" % DECOY_NUMBER.encode()
HANDSHAKE = 3  # packets of Talk.open
FAR = 6  # places by which a packet may come late
SAYS: tuple[Callable[[bytes], bytes], ...] = (  # where a number may stand; it is given as 7700900nnn
    lambda n: b"X-MSISDN: 44" + n,
    lambda n: b"x-up-calling-line-id: +44" + n,
    lambda n: b"X_MSISDN:0" + n,
    lambda n: b"X-Nokia-MSISDN : \t44" + n + b" ",
    lambda n: b"From: <tel:+44-" + n[:4] + b"-" + n[4:] + b">",
    lambda n: b"Cookie: a=1; msisdn=44" + n + b"; b=2",
    lambda n: b"Referer: http://a.example/?n=%2B44" + n,
    lambda n: b"X-MSISDN:\r\n 44" + n,
    lambda n: b"Broken line\r\nX-MSISDN: 44" + n,
    lambda n: b"Host: other.example\r\nX-MSISDN: 44" + n,
    lambda n: b"Cookie: " + b"k=v; " * 300 + b"n=1\r\nX-MSISDN: 44" + n,
)  # fmt: skip
TARGETS = (b"/", b"/a?b=c", b"http://partner.example/x", b"/?msisdn=44%b", b"/very/" + b"long/" * 60)
BODIES: tuple[Callable[[bytes], tuple[bytes, bytes]], ...] = (  # fields, and what stands behind the head
    lambda n: (b"", b""),
    lambda n: (b"", b""),
    lambda n: (b"Content-Length: %d\r\n" % len(DECOY), DECOY),
    lambda n: (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n3;x=y\r\nabc\r\n0\r\n\r\n" % (len(DECOY), DECOY)),
    lambda n: (b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\nX-MSISDN: 44" + n + b"\r\n\r\n"),
    lambda n: (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n"),
)


@dataclass(frozen=True)
class Conversation:
    """What the client said in each turn, and what the server answered."""

    turns: tuple[tuple[bytes, bytes], ...]

    @property
    def frames(self) -> bool:
        """Whether it is HTTP/2."""
        return self.turns[0][0].startswith(b"PRI ")


def conversation(chance: random.Random, turns: int) -> Conversation:
    numbers = iter(chance.sample(range(900), 3 * turns))
    if chance.random() < 0.15:
        return Conversation(((_frames([_number(next(numbers)) for _ in range(turns)], chance), b""),))
    prefix = b"PROXY TCP4 192.0.2.1 203.0.113.9 51000 80\r\n" if chance.random() < 0.05 else b""
    said = []
    for _ in range(turns):
        pipelined = [_request(_number(next(numbers)), chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        said.append((prefix + b"".join(pipelined), OK * len(pipelined)))
        prefix = b""
    return Conversation(tuple(said))


def _number(n: int) -> bytes:
    return b"7700900%03d" % n


def _request(number: bytes, chance: random.Random) -> bytes:
    """HTTP/1, with the number at one place or at none."""
    fields, body = chance.choice(BODIES)(number)
    method = b"POST" if body else chance.choice((b"GET", b"HEAD", b"get", b"X-ODD"))
    target = chance.choice(TARGETS).replace(b"%b", number)
    lines = [method + b" " + target + b" " + chance.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"http/1.1"))]
    lines += [b"Host: " + chance.choice((b"shop.example", b"partner.example", b"PARTNER.example:80"))]
    if chance.random() < 0.7:
        lines.insert(chance.choice((1, 2)), chance.choice(SAYS)(number))
    head = b"\r\n".join(lines) + b"\r\n" + fields + b"\r\n"
    if chance.random() < 0.1:
        head = head.replace(b"\r\n", b"\n")
    return chance.choice((b"", b"", b"", b"", b"\r\n")) + head + body


def _frames(numbers: list[bytes], chance: random.Random) -> bytes:
    """HTTP/2, from the preface on."""
    client = H2Connection()
    client.initiate_connection()
    for number in numbers:
        stream = client.get_next_available_stream_id()
        fields = [
            (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "shop.example"),
            (chance.choice(("x-msisdn", "cookie", "x-long" + "g" * 300)), "44" + number.decode()),
        ]  # fmt: skip
        client.send_headers(stream, fields, end_stream=False)
        client.send_data(stream, DECOY, end_stream=True)
    return client.data_to_send()


# --- how it comes -------------------------------------------------------------------------------------------------


def plain(said: Conversation, time_ns: int = NOON_NS, sport: int = 40001) -> list[Packet]:
    """IP packets: every turn in one segment of each side, acknowledged at once."""
    talk = Talk(time_ns=time_ns, sport=sport, mss=65000).open()
    for request, response in said.turns:
        talk.client(request).server(response)
    return talk.close().packets


@dataclass
class Teller:
    """How one conversation is told. `changes` are some of CHANGES; which of them come to what is up to chance."""

    chance: random.Random
    changes: frozenset[str]
    time_ns: int = NOON_NS
    link: int = ETHERNET
    cuts: list[bytes] = field(default_factory=list)

    def frames(self, said: Conversation, sport: int = 40001) -> list[Packet]:
        """Frames with Teller.link, in the order of their times."""
        chance, changes = self.chance, self.changes
        packets = self._packets(said, sport)
        if "midstream" in changes:
            packets = packets[HANDSHAKE:]
        if "one_sided" in changes:
            server = ip_address(self._ends["dst"]).packed
            packets = [each for each in packets if _source(each[1]) != server]
        if "doubled" in changes:
            packets = [each for each in packets for _ in range(chance.choice((1, 1, 2, 3)))]
        if "reordered" in changes:
            # met in the middle, or in HTTP/2: nobody can know of bytes before the first that came
            known = 0 if "midstream" in changes else HANDSHAKE if said.frames else -1
            places = sorted(range(len(packets)), key=lambda at: at if at <= known else at + chance.uniform(0, FAR))
            packets = [(time_ns, packets[at][1]) for (time_ns, _), at in zip(packets, places, strict=True)]
        if "fragmented" in changes:
            packets = [(time_ns, part) for time_ns, octets in packets for part in _fragments(octets, chance)]
        return [(time_ns, octets) for time_ns, octets in self._wrapped(packets)]

    def _packets(self, said: Conversation, sport: int) -> list[Packet]:
        chance, changes = self.chance, self.changes
        time_ns = self.time_ns
        if "shifted" in changes:
            time_ns += chance.choice((-1, 1)) * chance.randrange(10**9 * 86400 * 365)
        self._ends = {"src": "100.64.1.2", "dst": "203.0.113.9"}
        if "ipv6" in changes:
            self._ends = {"src": "2001:db8:1::2", "dst": "2001:db8:2::9"}
        seq = chance.randrange(2**32 - 3000, 2**32) if "wrapped_numbers" in changes else 1000
        mss = 1000 if "framed" in changes else 65000  # a frame of 802.3 is no longer than its length can say
        talk = Talk(**self._ends, sport=sport, time_ns=time_ns, mss=mss, seq=seq).open()
        for request, response in said.turns:
            if "paused" in changes and "reordered" not in changes:  # nothing comes late by a pause
                talk.time_ns += chance.choice((0, 10**8, 10**10, 10**12))
            self._tell(talk, request)
            talk.server(response, acknowledged=bool(response))
        return talk.close().packets

    def _tell(self, talk: Talk, request: bytes) -> None:
        """One turn of the client."""
        chance, begin, at = self.chance, talk.seq, 0
        longest = chance.choice((1, 2, 7, 60, 600)) if len(request) < 3000 else chance.choice((60, 600))
        while at < len(request):
            size = chance.randint(1, longest) if "cut" in self.changes else len(request)
            talk.client(request[at : at + size], acknowledged="cut" not in self.changes or chance.random() < 0.5)
            at = min(at + size, len(request))
            if "repeated" in self.changes and chance.random() < 0.2:
                start = chance.randrange(at)
                talk.segment(PSH | ACK, request[start : chance.randint(start + 1, at)], seq=begin + start)

    def _wrapped(self, packets: list[Packet]) -> list[Packet]:
        chance = self.chance
        tunnels = [TUNNELS[name].wrap for name in chance.sample(sorted(TUNNELS), chance.choice((1, 1, 2, 3)))]
        framing = FRAMINGS[chance.choice(sorted(FRAMINGS))]
        wrapped = []
        for time_ns, packet in packets:
            octets = packet
            if "tunnelled" in self.changes:
                for wrap in tunnels:
                    octets = wrap(octets)
            wrapped.append(
                (time_ns, framing.wrap(octets) if "framed" in self.changes else FRAMINGS["ethernet"].wrap(octets))
            )
        self.link = framing.link if "framed" in self.changes else ETHERNET
        return wrapped


CHANGES = (
    "cut", "repeated", "doubled", "reordered", "fragmented", "tunnelled", "framed", "shifted", "paused", "ipv6",
    "wrapped_numbers", "one_sided", "midstream",
)  # fmt: skip


def _source(packet: bytes) -> bytes:
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]


def _fragments(packet: bytes, chance: random.Random) -> list[bytes]:
    """One IP packet as it is, or in fragments that come in any order (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    v4 = packet[0] >> 4 == 4
    header, payload = (packet[:20], packet[20:]) if v4 else (packet[:40], packet[40:])
    size = 8 * chance.choice((1, 3, 20, 100)) if len(payload) < 2000 else 800
    if chance.random() < 0.5 or size >= len(payload):
        return [packet]
    ident = chance.randrange(1, 2**16 if v4 else 2**32)
    parts = []
    for at in range(0, len(payload), size):
        part = payload[at : at + size]
        more = at + size < len(payload)
        if v4:
            fresh = (
                header[:2] + struct.pack("!HHH", 20 + len(part), ident, more << 13 | at >> 3) + header[8:10] + b"\0\0"
            )
            fresh += header[12:]
            parts.append(fresh[:10] + struct.pack("!H", internet_checksum(fresh)) + fresh[12:] + part)
        else:
            extension = struct.pack("!BBHI", header[6], 0, at | more, ident)
            fresh = header[:4] + struct.pack("!HB", 8 + len(part), 44) + header[7:]
            parts.append(fresh + extension + part)
    chance.shuffle(parts)
    return parts


def mixed(tellings: list[list[Packet]], chance: random.Random) -> list[Packet]:
    """Several at once: each keeps its order."""
    order = [n for n, telling in enumerate(tellings) for _ in telling]
    chance.shuffle(order)
    left = [iter(telling) for telling in tellings]
    time_ns = min(telling[0][0] for telling in tellings)
    return [(time_ns + place * MS, next(left[n])[1]) for place, n in enumerate(order)]


def bereft(frames: list[Packet], chance: random.Random, rate: float) -> list[Packet]:
    """What a tap that loses packets shows of them."""
    return [frame for frame in frames if chance.random() >= rate]
