"""A seeded capture of mobile web traffic with the truth beside it: what `make bench` is measured on.

    python -m bench.traffic 2012 out.pcap --octets 100000000

writes out.pcap and out.json (what it holds, and who sent which number). Connections are Talks that take turns at
random, so segments of thousands of them lie between each other as on a mirror port; the line runs at 1 Gbit/s. Kinds of
connection are begun such that the octets of HTTP, TLS and QUIC come to the shares of the preset. Numbers are Ofcom's
for drama, addresses of RFC 5737, 3849 and 6598, names of RFC 2606.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pcaps.recipe import from_client
from pcaps.talk import Talk, ethernet, ip, pcap

START_NS = 1_326_153_600 * 10**9  # 10 January 2012
LINE_BITS_PER_S = 10**9
ON_THE_WIRE = 24  # octets of preamble, check sequence and pause of an Ethernet frame
MSS = 1360
FILE_HEADER = pcap([])
OVER = -1  # in the place of a request: the connection has no further step

FIELDS = (b"X-MSISDN", b"x-up-calling-line-id", b"X-Nokia-MSISDN", b"X-WAP-Network-Client-MSISDN", b"MSISDN")
PARTNERS = ((b"ageverify.example", "198.51.100.10", b"/check"), (b"pay.paybyphone.example", "198.51.100.70", b"/buy"))
SITES = tuple(
    (b"%s.%s.example" % (page, site), f"203.0.113.{10 + 3 * row + column}")
    for row, site in enumerate((b"news", b"shop", b"games", b"maps", b"video", b"music", b"weather", b"travel"))
    for column, page in enumerate((b"www", b"m", b"img"))
)
HANDSETS = (
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 5_0_1 like Mac OS X) AppleWebKit/534.46 Mobile/9A405 Safari/7534",
    b"Mozilla/5.0 (Linux; U; Android 2.3.5; en-gb; GT-I9100 Build/GINGERBREAD) AppleWebKit/533.1 Mobile Safari/533.1",
    b"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
    b"NokiaN8-00/5.0 (Symbian/3; Series60/5.2; Profile/MIDP-2.1 Configuration/CLDC-1.1) AppleWebKit/525",
    b"BlackBerry9300/5.0.0.955 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/604",
)
PAGES = (
    b"/",
    b"/index.html",
    b"/2012/01/story",
    b"/thumbs/a8/44.jpg",
    b"/pixel.gif",
    b"/api/v1/items",
    b"/search",
    b"/feed",
)
ACCEPTS = (
    b"*/*",
    b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    b"image/png,image/*;q=0.8,*/*;q=0.5",
)


@dataclass(frozen=True)
class Mix:
    web: float  # share of the octets that are HTTP
    tls: float  # the rest is QUIC
    answer_octets: int  # median
    answer_sigma: float  # of the logarithm
    connections: int  # at a time
    requests: float = 3.0  # mean of a connection
    cookie_octets: int = 500  # at most
    numbered: float = 0.2  # share of the requests
    ipv6: float = 0.0
    gtpu: bool = False
    lost: float = 0.0  # shares of the packets: never captured,
    late: float = 0.0  # behind their successors,
    repeated: float = 0.0  # captured twice


PRESETS = {
    "2012": Mix(web=0.85, tls=0.10, answer_octets=4000, answer_sigma=1.6, connections=4000),
    "today": Mix(web=0.10, tls=0.70, answer_octets=4000, answer_sigma=1.6, connections=6000, ipv6=0.3),
    "small": Mix(
        web=1.0, tls=0.0, answer_octets=120, answer_sigma=0.6, connections=8000, requests=4.0, numbered=0.5, ipv6=0.1
    ),
}
PRESETS["gtpu"] = replace(PRESETS["2012"], gtpu=True)
PRESETS["lossy"] = replace(PRESETS["2012"], lost=0.005, late=0.01, repeated=0.01)
PRESETS["storm"] = replace(PRESETS["2012"], numbered=1.0)

Sender = tuple[str, int, str]  # address and port of a handset, and the number that its request carries


@dataclass
class Truth:
    """What the capture holds. A request is `captured` when none of its packets was lost."""

    preset: str
    seed: int
    planned: int = 0  # octets that were asked for
    packets: int = 0
    octets: int = 0  # of the file
    requests: int = 0
    requests_captured: int = 0
    numbered: int = 0  # requests with a subscriber number in a field
    numbered_captured: int = 0
    # of each request with a number that was captured whole, and of each that was not: it may be found all the same
    senders: list[Sender] = field(default_factory=list, repr=False)
    lost_senders: list[Sender] = field(default_factory=list, repr=False)


Steps = Iterator[int | None]  # each appends packets to the talk; yields the number of the request that they carry


@dataclass
class Connection:
    talk: Talk
    steps: Steps
    tunnel: tuple[str, str, int] | None  # base station, gateway, tunnel number
    late: list[tuple[int, bytes]] = field(default_factory=list)  # packets on their way: behind so many others


class Traffic:
    def __init__(self, mix: Mix, seed: int) -> None:
        self._mix = mix
        self._random = random.Random(seed)
        self._noise = self._random.randbytes(1 << 22)
        self._senders: list[Sender | None] = []  # by request; None where it has no number
        self._lost: set[int | None] = set()  # requests
        self._shares = {kind: share for kind, share in (
            (self._web, mix.web), (self._tls, mix.tls), (self._quic, 1 - mix.web - mix.tls),
        ) if share > 0}  # fmt: skip
        self._planned = dict.fromkeys(self._shares, 0)  # octets

    def write(self, file: BinaryIO, octets: int, truth: Truth) -> None:
        """About so many octets of capture; fills in the truth."""
        file.write(FILE_HEADER)
        truth.planned, time_ns = octets, float(START_NS)
        connections: list[Connection] = []
        while True:
            while len(connections) < self._mix.connections and sum(self._planned.values()) < octets:
                connections.append(self._begin())
            if not connections:
                break
            turn = self._random.randrange(len(connections))
            packets, over = self._step(connections[turn])
            if over:
                connections[turn] = connections[-1]
                del connections[-1]
            frames = []
            for frame in map(ethernet, packets):
                time_ns += (len(frame) + ON_THE_WIRE) * 8 * 10**9 / LINE_BITS_PER_S
                frames.append((int(time_ns), frame))
            file.write(pcap(frames)[len(FILE_HEADER) :])
            truth.packets += len(frames)
        truth.octets = file.tell()
        for request, sender in enumerate(self._senders):
            if sender:
                (truth.lost_senders if request in self._lost else truth.senders).append(sender)
        truth.requests = len(self._senders)
        truth.requests_captured = sum(request not in self._lost for request in range(truth.requests))
        truth.numbered_captured = len(truth.senders)
        truth.numbered = truth.numbered_captured + len(truth.lost_senders)

    def _begin(self) -> Connection:
        """A connection of the kind that lags furthest behind its share."""
        draw, mix = self._random, self._mix
        kind = min(self._shares, key=lambda kind: self._planned[kind] / self._shares[kind])
        answers = [self._answer_octets() for _ in range(1 + int(draw.expovariate(1 / (mix.requests - 0.5))))]
        self._planned[kind] += sum(answers) * 11 // 10 + 1100 * len(answers) + 600
        src, dst = f"100.64.{draw.getrandbits(8)}.{draw.getrandbits(8)}", draw.choice(SITES)[1]
        if draw.random() < mix.ipv6:
            src, dst = f"2001:db8:1::{draw.getrandbits(16):x}", f"2001:db8:b::{draw.getrandbits(8):x}"
        sport, seq, ack = draw.randrange(1024, 65536), draw.getrandbits(32), draw.getrandbits(32)
        talk = Talk(src=src, sport=sport, dst=dst, mss=MSS, seq=seq, ack=ack)
        tunnel = (f"192.0.2.{draw.randrange(1, 200)}", "192.0.2.254", draw.getrandbits(32)) if mix.gtpu else None
        return Connection(talk, kind(talk, answers), tunnel)

    def _answer_octets(self) -> int:
        octets = self._random.lognormvariate(math.log(self._mix.answer_octets), self._mix.answer_sigma)
        return max(40, min(len(self._noise) // 2, int(octets)))

    def _some_noise(self, octets: int) -> bytes:
        at = self._random.randrange(len(self._noise) - octets)
        return self._noise[at : at + octets]

    # --- packets as the mirror port shows them

    def _step(self, connection: Connection) -> tuple[list[bytes], bool]:
        """The packets that were captured of the next step, and whether it was the last."""
        request = next(connection.steps, OVER)
        packets = [packet for _, packet in connection.talk.packets]
        connection.talk.packets.clear()
        if connection.tunnel is not None:
            talk = connection.talk
            packets = [tunnelled(packet, *connection.tunnel, up=from_client(talk, packet)) for packet in packets]
        if self._mix.lost or self._mix.late or self._mix.repeated:
            packets = self._impaired(packets, request, connection.late)
        if request == OVER:
            packets += [packet for _, packet in connection.late]
        return packets, request == OVER

    def _impaired(self, packets: list[bytes], request: int | None, late: list[tuple[int, bytes]]) -> list[bytes]:
        mix, draw = self._mix, self._random
        captured = []
        for packet in packets:
            late[:] = [(behind - 1, held) for behind, held in late]
            fate = draw.random()
            if fate < mix.lost:
                self._lost.add(request)
            elif fate < mix.lost + mix.late:
                late.append((draw.randint(1, 3), packet))
            else:
                captured.append(packet)
                if fate < mix.lost + mix.late + mix.repeated:
                    late.append((draw.randint(4, 20), packet))
            captured += [held for behind, held in late if behind <= 0]
            late[:] = [(behind, held) for behind, held in late if behind > 0]
        return captured

    # --- kinds of connection

    def _web(self, talk: Talk, answers: list[int]) -> Steps:
        draw = self._random
        host, address, path = draw.choice(PARTNERS) if draw.random() < 0.05 else (*draw.choice(SITES), b"")
        if "." in talk.dst:
            talk.dst = address
        talk.dport = draw.choices((80, 8080, 3128, 8000), (90, 5, 3, 2))[0]
        talk.open()
        yield None
        handset, session = draw.choice(HANDSETS), b"%032x" % draw.getrandbits(128)
        for octets in answers:
            request = len(self._senders)
            number = b"447700900%03d" % draw.randrange(1000) if draw.random() < self._mix.numbered else b""
            self._senders.append((talk.src, talk.sport, number.decode()) if number else None)
            head = self._head(request, number, host, path, handset, session)
            cut = draw.randrange(len(head)) if draw.random() < 0.03 else len(head)
            for part in filter(None, (head[:cut], head[cut:])):
                talk.client(part, acknowledged=False)
            yield request
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % octets
            yield from self._download(talk, answer + self._some_noise(octets))
        talk.close()
        yield None

    def _head(self, request: int, number: bytes, host: bytes, path: bytes, handset: bytes, session: bytes) -> bytes:
        draw = self._random
        posts = draw.random() < 0.04
        fields = [
            b"Host: " + host,
            b"User-Agent: " + handset,
            b"Accept: " + draw.choice(ACCEPTS),
            b"Accept-Language: en-GB,en;q=0.8",
            b"Accept-Encoding: gzip, deflate",
            b"Connection: keep-alive",
        ]
        if draw.random() < 0.5:
            fields.append(b"Referer: http://%b%b" % (host, draw.choice(PAGES)))
        if draw.random() < 0.3:
            fields.append(b"X-Forwarded-For: 10.%d.%d.%d" % tuple(draw.randbytes(3)))
        if draw.random() < 0.2:
            fields.append(b"If-Modified-Since: Tue, 03 Jan 2012 07:28:00 GMT")
        if number:
            fields.insert(draw.randrange(1, len(fields)), b"%b: %b" % (draw.choice(FIELDS), number))
        if cookie := b"".join(
            b"p%d=%b; " % (n, session[n:]) for n in range(draw.randrange(self._mix.cookie_octets // 30 + 1))
        ):
            fields.append(b"Cookie: " + cookie)
        body = b""
        if posts:
            body = self._some_noise(draw.randrange(60, 900))
            fields.append(b"Content-Length: %d" % len(body))
        target = (path or draw.choice(PAGES)) + b"?r=%x" % request
        line = b"%b %b HTTP/1.1" % (b"POST" if posts else b"GET", target)
        return b"\r\n".join([line, *fields, b"", body])

    def _download(self, talk: Talk, octets: bytes) -> Steps:
        """The server sends, the client acknowledges every second segment; ten segments a step."""
        for at in range(0, len(octets), 2 * MSS):
            talk.server(octets[at : at + 2 * MSS])
            if at % (10 * MSS) == 8 * MSS:
                yield None
        yield None

    def _tls(self, talk: Talk, answers: list[int]) -> Steps:
        talk.dport = 443
        talk.open()
        talk.client(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._some_noise(506))
        talk.server(b"\x16\x03\x03\x0c\x00" + self._some_noise(3072))
        yield None
        for octets in answers:
            talk.client(b"\x17\x03\x03\x01\x90" + self._some_noise(400))
            for rest in range(octets, 0, -16384):
                record = min(rest, 16384)
                yield from self._download(talk, struct.pack("!BHH", 23, 0x0303, record) + self._some_noise(record))
        talk.close()
        yield None

    def _quic(self, talk: Talk, answers: list[int]) -> Steps:
        """RFC 9000: a long header, then short ones; no checksum, which IPv4 allows and most sensors ignore."""
        up, down = (talk.src, talk.sport, talk.dst, 443), (talk.dst, 443, talk.src, talk.sport)
        talk.packets.append((0, udp(*up, b"\xc0\0\0\0\1" + self._some_noise(1195))))
        for octets in answers:
            for at in range(0, octets, 1200):
                talk.packets.append((0, udp(*down, b"\x40" + self._some_noise(min(1200, octets - at)))))
                if at % 2400:
                    talk.packets.append((0, udp(*up, b"\x40" + self._some_noise(38))))
                if at % 12000 == 0:
                    yield None


def udp(src: str, sport: int, dst: str, dport: int, payload: bytes) -> bytes:
    return ip(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def tunnelled(packet: bytes, station: str, gateway: str, tunnel: int, *, up: bool) -> bytes:
    """In a G-PDU (3GPP TS 29.281 section 5.1); each direction has its own tunnel number."""
    src, dst = (station, gateway) if up else (gateway, station)
    return udp(src, 2152, dst, 2152, struct.pack("!BBHI", 0x30, 255, len(packet), tunnel ^ up) + packet)


def write(preset: str, path: Path, octets: int, seed: int = 1) -> Truth:
    """The capture at `path`, its truth beside it as .json."""
    truth = Truth(preset, seed)
    with path.open("wb") as file:
        Traffic(PRESETS[preset], seed).write(file, octets, truth)
    path.with_suffix(".json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.traffic", description=__doc__.partition("\n")[0])
    options.add_argument("preset", choices=PRESETS)
    options.add_argument("path", type=Path)
    options.add_argument("--octets", type=int, default=100_000_000)
    options.add_argument("--seed", type=int, default=1)
    print(write(**vars(options.parse_args())))


if __name__ == "__main__":
    main()
