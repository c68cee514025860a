"""Traffic that is made to exhaust a sensor, of any size: rows 14, 37, 85, 87, 88, 90 to 98 of 5-hostile.md.

A flood is told by how many there are of what it is made of; recipes_floods.py makes small ones with goldens, and
`make bench-floods` those at which other sensors were measured. In or beside each are numbers that may not be lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

MSS = 1448
SYN, PSH, ACK = 2, 8, 16
SERVER = bytes((203, 0, 113, 9))
ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
IPIP = bytes.fromhex("4500 0000 0000 0000 40 04 0000 c0000201 c0000202")  # one layer, but for its length
SITE = "www.shop.example"
REQUEST = b"GET /%d HTTP/1.1\r\nHost: www.shop.example\r\n"
NUMBER = b"X-MSISDN: 447700900%03d\r\n"
BESIDE = 1 << 20  # clients from here on are those who are to be found beside a flood

Frames = Iterator[bytes]


class Flood(NamedTuple):
    row: int
    what: str  # %s: how many
    frames: Callable[[int], Frames]
    full: int  # how many other sensors were measured with, or the row says
    small: int  # how many the recipe is made of
    numbers: Callable[[int], int]  # how many must be found


def segment(
    client: int, port: int, seq: int, flags: int, payload: bytes = b"", *, back: bool = False, ack: int = 1
) -> bytes:
    """A frame between client number `client` of 100.64.0.0/10 and the server; `back` is the server's half."""
    near, far = struct.pack("!I", 0x64400000 + client), SERVER
    ends = (80, port) if back else (port, 80)
    addresses = far + near if back else near + far
    tcp = struct.pack("!HHIIBBHHH", *ends, seq, ack if flags & ACK else 0, 0x50, flags, 65535, 0, 0)
    total = int.from_bytes(addresses + struct.pack("!HH", 6, len(tcp) + len(payload)) + tcp, "big")
    total += int.from_bytes(payload if len(payload) % 2 == 0 else payload + b"\0", "big")
    checksum = 0xFFFF - (total % 0xFFFF)  # 2**16 is 1 modulo 65535: the sum of RFC 1071 is this remainder
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0)
    return ETHERNET + ip + addresses + tcp[:16] + struct.pack("!H", checksum) + tcp[18:] + payload


def stream(octets: bytes, mss: int = MSS) -> Frames:
    """One client's half with a handshake."""
    yield segment(1, 40000, 0, SYN)
    yield segment(1, 40000, 0, SYN | ACK, back=True)
    for at in range(0, len(octets), mss):
        yield segment(1, 40000, 1 + at, PSH | ACK, octets[at : at + mss])


def connections(amount: int) -> Iterator[tuple[int, int]]:
    return ((number // 50, 20000 + number % 50) for number in range(amount))


def request(number: int) -> bytes:
    return REQUEST % number + NUMBER % (number % 1000) + b"\r\n"


def beside(amount: int) -> int:
    """How many leak beside so many."""
    return max(10, amount // 1000)


# --- below TCP ----------------------------------------------------------------------------------------------------


def with_leaks(flood: Frames, amount: int) -> Frames:
    """These frames, and in even distances requests that leak."""
    for place, frame in enumerate(flood):
        if place % (amount // beside(amount)) == 0:
            yield segment(BESIDE + place, 40000, 1, PSH | ACK, request(place))
        yield frame


def bombs(amount: int) -> Frames:
    """A request in twenty layers of IP: more than any operator has, and than are looked into."""
    packet = segment(1, 40000, 1, PSH | ACK, request(1))[len(ETHERNET) :]
    for _ in range(20):
        header = IPIP[:2] + struct.pack("!H", len(IPIP) + len(packet)) + IPIP[4:]
        checksum = 0xFFFF - int.from_bytes(header, "big") % 0xFFFF
        packet = header[:10] + struct.pack("!H", checksum) + header[12:] + packet
    return with_leaks((ETHERNET + packet for _ in range(amount)), amount)


def first_fragments(amount: int) -> Frames:
    """Of datagrams that never become whole, each of another client."""
    frame = segment(0, 40000, 1, PSH | ACK, REQUEST % 1 + NUMBER % 1)
    behind = frame[34:]

    def fragment(number: int) -> bytes:
        header = frame[14:18] + struct.pack("!HH", number & 0xFFFF, 0x2000) + frame[22:24] + b"\0\0"
        header += struct.pack("!I", 0x64400000 + number // 4) + SERVER
        checksum = 0xFFFF - int.from_bytes(header, "big") % 0xFFFF
        return ETHERNET + header[:10] + struct.pack("!H", checksum) + header[12:] + behind

    return with_leaks(map(fragment, range(amount)), amount)


# --- many connections ---------------------------------------------------------------------------------------------


def syns(amount: int) -> Frames:
    """Between them the SYNs of those who leak, each a tenth of the flood before its request."""
    leaks = beside(amount)
    late, every = leaks // 10, amount // leaks
    for number, (client, port) in enumerate(connections(amount)):
        turn, rest = divmod(number, every)
        if rest == 0 and turn < leaks:
            yield segment(BESIDE + turn, 40000, 0, SYN)
            yield segment(BESIDE + turn, 40000, 0, SYN | ACK, back=True)
        if rest == every - 1 and late <= turn < leaks:
            yield segment(BESIDE + turn - late, 40000, 1, PSH | ACK, request(turn - late))
        yield segment(client, port, 7, SYN)
    for turn in range(leaks - late, leaks):
        yield segment(BESIDE + turn, 40000, 1, PSH | ACK, request(turn))


def short(amount: int) -> Frames:
    """Eight packets each, all open at once: every connection takes its step before any takes the next."""
    begin, body = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n", b"." * 600
    for client, port in connections(amount):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 0, SYN | ACK, back=True)
        yield segment(client, port, 1, ACK)
    for number, (client, port) in enumerate(connections(amount)):
        yield segment(client, port, 1, PSH | ACK, request(number))
        yield segment(client, port, 1, ACK, back=True, ack=1 + len(request(number)))
    for number, (client, port) in enumerate(connections(amount)):
        following = 1 + len(request(number))
        yield segment(client, port, 1, ACK, begin, back=True, ack=following)
        yield segment(client, port, 1 + len(begin), PSH | ACK, body, back=True, ack=following)
        yield segment(client, port, following, ACK, ack=1 + len(begin + body))


def unfinished(amount: int) -> Frames:
    filling = b"Cookie: " + b"c" * 930
    for number, (client, port) in enumerate(connections(amount)):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 1, PSH | ACK, REQUEST % number + NUMBER % (number % 1000) + filling)


def holes(amount: int) -> Frames:
    """Each with a number before its hole; beside every tenth one a client whose request comes last part first."""
    piece = b"x" * MSS
    for number, (client, port) in enumerate(connections(amount)):
        yield segment(client, port, 1, PSH | ACK, REQUEST % number + NUMBER % (number % 1000))
        for place in range(14):
            yield segment(client, port, 3000 + place * MSS, PSH | ACK, piece)
        if number % 10 == 0:
            text = request(number)
            yield segment(BESIDE + number, 40000, 0, SYN)
            yield segment(BESIDE + number, 40000, 31, PSH | ACK, text[30:])
            yield segment(BESIDE + number, 40000, 1, PSH | ACK, text[:30])


def alike(amount: int) -> Frames:
    """Flows of TLS that all have the same XOR of addresses and ports, as whoever knows a hash would choose them."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    flows = ((number, 0x5A5A ^ number >> 16 ^ number & 0xFFFF) for number in range(amount))
    return with_leaks((segment(client, port, 1, PSH | ACK, hello) for client, port in flows), amount)


def hosts(amount: int) -> Frames:
    for number, (client, port) in enumerate(connections(amount)):
        host = b"GET / HTTP/1.1\r\nHost: h%d.shop.example\r\n" % number
        yield segment(client, port, 1, PSH | ACK, host + NUMBER % (number % 1000) + b"\r\n")


def forged(amount: int) -> Frames:
    """Leaks to one site, ten by each client."""
    for first in range(0, amount, 10):
        seq = 1
        for number in range(first, min(first + 10, amount)):
            yield segment(first // 10, 40000, seq, PSH | ACK, request(number))
            seq += len(request(number))


# --- one long connection ------------------------------------------------------------------------------------------


def head(line: bytes, size: int) -> bytes:
    """So many octets of one line after the other inside a head, the number behind the first fiftieth."""
    front = line * (size // 50 // len(line))
    ended = b"\r\n" * (not line.endswith(b"\n"))
    return REQUEST % 1 + b"A: b\r\n" + front + ended + NUMBER % 1 + line * (size // len(line))


def long_head(line: bytes) -> Callable[[int], Frames]:
    return lambda size: stream(head(line, size))


def empty_lines(size: int) -> Frames:
    return stream(b"\r\n" * (size // 2) + request(0))


def chunks(size: int) -> Frames:
    begin = b"POST / HTTP/1.1\r\nHost: www.shop.example\r\n" + NUMBER % 1 + b"Transfer-Encoding: chunked\r\n\r\n"
    return stream(begin + b"1\r\nx\r\n" * (size // 6) + b"0\r\n\r\n" + request(0))


def pipeline(amount: int) -> Frames:
    return stream(b"".join(map(request, range(amount))))


def texts(size: int) -> list[bytes]:
    """Requests of so many octets altogether: the first one is as long as it takes."""
    found, left = [], size - len(b"A: \r\n")
    while left >= len(next_one := request(len(found))):
        found.append(next_one)
        left -= len(next_one)
    return [found[0][:-2] + b"A: ".ljust(3 + left, b"a") + b"\r\n\r\n", *found[1:]]


def octet_by_octet(size: int) -> Frames:
    return stream(b"".join(texts(size)), 1)


def elephant(amount: int) -> Frames:
    """A body of so many segments, and then one more request."""
    begin = b"POST / HTTP/1.1\r\nHost: www.shop.example\r\n" + NUMBER % 1
    begin += b"Content-Length: %d\r\n\r\n" % (amount * MSS)
    yield segment(1, 40000, 0, SYN)
    yield segment(1, 40000, 0, SYN | ACK, back=True)
    yield segment(1, 40000, 1, PSH | ACK, begin)
    first, body = 1 + len(begin), bytes(MSS)
    for place in range(amount):
        yield segment(1, 40000, first + place * MSS, ACK, body)
    yield segment(1, 40000, first + amount * MSS, PSH | ACK, request(0))


NEARLY = b"X-MSISDN: 4477009001.4477009001-4477009001" + b".4477009001" * 80 + b"\r\n"

FLOODS: dict[str, Flood] = {
    "bombs": Flood(14, "%s requests in 20 layers of IP each", bombs, 200_000, 100, beside),
    "fragments": Flood(37, "%s first fragments, never completed", first_fragments, 1_000_000, 300, beside),
    "nearly": Flood(
        85, "%s bytes of values that are nearly numbers", long_head(NEARLY), 10_000_000, 20_000, lambda _: 1
    ),
    "hosts": Flood(87, "%s Hosts, a number to each", hosts, 1_000_000, 20, int),
    "forged": Flood(88, "%s forged leaks within a second", forged, 100_000, 200, int),
    "syns": Flood(90, "%s SYNs", syns, 1_000_000, 300, beside),
    "unfinished": Flood(91, "%s unfinished 1 kB heads", unfinished, 100_000, 40, int),
    "short": Flood(92, "%s short connections open at once", short, 100_000, 40, int),
    "holes": Flood(
        93, "%s flows, each 20 kB after a hole", holes, 20_000, 20, lambda amount: amount + -(-amount // 10)
    ),
    "folds": Flood(94, "%s bytes of folded lines", long_head(b" folded\r\n"), 10_000_000, 20_000, lambda _: 1),
    "lines": Flood(94, "%s bytes of header lines", long_head(b"A: b\r\n"), 10_000_000, 20_000, lambda _: 1),
    "cookie": Flood(94, "%s bytes of one cookie", long_head(b"Cookie=" * 20), 10_000_000, 20_000, lambda _: 1),
    "crlf": Flood(94, "%s bytes of CRLF, then a request", empty_lines, 10_000_000, 20_000, lambda _: 1),
    "pipeline": Flood(95, "%s requests in a pipeline, no answers", pipeline, 110_000, 300, int),
    "chunks": Flood(96, "%s bytes of 1-byte chunks", chunks, 10_000_000, 20_000, lambda _: 2),
    "octets": Flood(96, "%s one-byte segments", octet_by_octet, 1_000_000, 2_000, lambda size: len(texts(size))),
    "alike": Flood(97, "%s flows with one XOR of addresses and ports", alike, 1_000_000, 300, beside),
    "elephant": Flood(98, "a body of %s segments", elephant, 863_260, 100, lambda _: 2),
}  # 863,260 segments: 10 gigabits
