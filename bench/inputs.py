"""Input that is typical of what a parser sees, and the worst that it can be given: frames for bench.parsers."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Callable
from itertools import cycle, islice

from hpack import Encoder

from bench.floods import MB
from pcaps.floods import ACK, MSS, PSH, SYN, Frames, segment, stream
from pcaps.talk import pcap

SIZE = 10 * MB


def classic(frames: list[bytes]) -> bytes:
    return pcap([(1_326_153_600 * 10**9 + place * 10_000, frame) for place, frame in enumerate(frames)])


def blocks(frames: list[bytes], options: bytes = b"", between: bytes = b"") -> bytes:
    """pcapng: a packet block for each, with options, and other blocks between."""
    out = [
        struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28),
        struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20),
    ]
    for place, frame in enumerate(frames):
        body = frame + bytes(-len(frame) % 4) + options
        size = 32 + len(body)
        time_us = 1_326_153_600 * 10**6 + place * 10
        out.append(struct.pack("<IIIIIII", 6, size, 0, time_us >> 32, time_us & 0xFFFFFFFF, len(frame), len(frame)))
        out += [body, struct.pack("<I", size), between]
    return b"".join(out)


OPTIONS = struct.pack("<HHI", 2, 4, 0) * 20 + struct.pack("<HH", 0, 0)
OTHER_BLOCK = struct.pack("<III", 0x0BAD, 12, 12) * 10


def repeated(text: bytes) -> Callable[[], Frames]:
    return lambda: stream(text * (SIZE // len(text) + 1))


TYPICAL = (
    b"GET /news/2012/01/25/story-%d.html?ref=home HTTP/1.1\r\nHost: www.news.example\r\n"
    b"User-Agent: Mozilla/5.0 (Linux; U; Android 2.3.4; en-gb; GT-I9100 Build/GINGERBREAD) AppleWebKit/533.1\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB, en-US\r\n"
    b"Accept-Encoding: gzip,deflate\r\nCookie: session=d41d8cd98f00b204; theme=light\r\nConnection: keep-alive\r\n\r\n"
)


def requests() -> Frames:
    return stream(b"".join(TYPICAL % number for number in range(SIZE // len(TYPICAL) + 1)))


def with_fields(field: Callable[[random.Random], bytes]) -> Callable[[], Frames]:
    """Requests as the typical ones are, but for these fields in place of the cookie."""

    def frames() -> Frames:
        chance = random.Random(1)
        before, after = TYPICAL.split(b"Cookie: session=d41d8cd98f00b204; theme=light\r\n")
        one = [before % n + field(chance) + b"\r\n" + after for n in range(1000)]
        return stream(b"".join(islice(cycle(one), SIZE // len(one[0]))))

    return frames


def digits(chance: random.Random) -> bytes:
    return b"Cookie: " + b"; ".join(
        b"%c=%014d" % (97 + chance.randrange(26), chance.randrange(10**14)) for _ in range(8)
    )


def almost_numbers(chance: random.Random) -> bytes:
    return b"Cookie: " + b".".join(b"4477009%d" % chance.randrange(10**5) for _ in range(10))


def hexadecimal(chance: random.Random) -> bytes:
    return b"Cookie: " + b" ".join(b"%032x" % chance.getrandbits(128) for _ in range(4))


def percents(chance: random.Random) -> bytes:
    return b"Cookie: " + b"".join(b"%%2534%015d" % chance.randrange(10**15) for _ in range(6))


def full_heads(name: bytes, value: Callable[[random.Random], bytes]) -> Callable[[], Frames]:
    """Requests that are one field of a few kilobytes."""

    def frames() -> Frames:
        chance = random.Random(3)
        begin = b"GET / HTTP/1.1\r\nHost: www.shop.example\r\n" + name + b": "
        one = [begin + value(chance) + b"\r\n\r\n" for _ in range(200)]
        return stream(b"".join(islice(cycle(one), SIZE // len(one[0]))))

    return frames


def other_base64(chance: random.Random) -> bytes:
    """Cookies whose base64 holds digits, nobody's number."""
    return b"; ".join(b"a=MTIzNDU2%08dODkw" % chance.randrange(10**8) for _ in range(150))


def other_base64_and_one(chance: random.Random) -> bytes:
    """And one that the sieve takes for a number."""
    return other_base64(chance) + b"; a=x447700900123"


def other_hex(chance: random.Random) -> bytes:
    return b"; ".join(b"a=31323334%08d3738" % chance.randrange(10**8) for _ in range(150))


def tokens(chance: random.Random) -> bytes:
    return b",".join(b"%032x" % chance.getrandbits(128) for _ in range(120))


def folds(_: random.Random) -> bytes:
    """Two of these would be an own number, but for the row that goes on."""
    return b"4" + b"\r\n 4477009001" * 300


def glued(chance: random.Random) -> bytes:
    """Own numbers that are refused, for a letter touches them."""
    return b"; ".join(b"a=x447700900%03d" % chance.randrange(1000) for _ in range(300))


def glued_in_hex(chance: random.Random) -> bytes:
    return b"; ".join(b"a=%b" % (b"x447700900%03d" % chance.randrange(1000)).hex().encode() for _ in range(150))


def glued_in_percent(chance: random.Random) -> bytes:
    return b"; ".join(b"a=x%%2534%%34%%3700900%03d" % chance.randrange(1000) for _ in range(200))


def separated(chance: random.Random) -> bytes:
    """Almost numbers, and what is between them differs."""
    return b"".join(
        b"4477009%03d" % chance.randrange(1000) + chance.choice((b".", b"-", b" ", b"/")) for _ in range(300)
    )


def web_token(chance: random.Random) -> bytes:
    numbers = b'","'.join(b"x447700900%03d" % chance.randrange(1000) for _ in range(200))
    return b"Bearer " + base64.urlsafe_b64encode(b'{"sub":"' + numbers + b'"}')


def own_numbers(chance: random.Random) -> bytes:
    return b",".join(b"447700900%03d" % chance.randrange(1000) for _ in range(300))


def chunk_head(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: www.shop.example\r\nTransfer-Encoding: chunked\r\n\r\n" + body


def chunked(chunk: bytes) -> Callable[[], Frames]:
    return lambda: stream(chunk_head(chunk * (SIZE // len(chunk) + 1)))


def contested() -> Frames:
    """Short requests, each with a body that ends in one place or in another."""
    one = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
    one += b"1\r\nx\r\n0\r\n\r\n"
    return stream(one * (SIZE // len(one) + 1))


POST = b"POST / HTTP/1.1\r\nHost: a.example\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def any_chunks() -> bytes:
    """Chunks of one or two octets whose lines end in any way: nothing can be foretold of the next."""
    chance, ends = random.Random(4), (b"\n", b"\r\n")
    sizes = (chance.randrange(1, 3) for _ in range(20_000))
    return b"".join(b"%d%s%s%s" % (size, chance.choice(ends), b"x" * size, chance.choice(ends)) for size in sizes)


def any_chunk_lines() -> bytes:
    """Small chunks whose lines are written in all ways that there are."""
    chance = random.Random(5)
    lines = (b"%x\n", b"%x\r\n", b"0%X\r\n", b"000%x\n", b" %x\r\n", b"%x \n", b"%x;\r\n", b"%x; a=b\r\n")
    sizes = (chance.choice((1, 1, 2, 9, 12)) for _ in range(20_000))
    return b"".join(chance.choice(lines) % size + b"x" * size + chance.choice((b"\n", b"\r\n")) for size in sizes)


def long_trailers() -> Frames:
    """Trailer sections of so many lines that they come in parts, each with the request that it belongs to."""
    one = b"POST /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a.example\r\n" + CHUNKED + b"0\r\n" + b"a:\n" * 85_000
    return stream((one + b"\r\n") * (SIZE // len(one) + 1))


def many_hosts() -> Frames:
    """Heads of so many lines that they come in parts, each with all that they say of who gets it."""
    hosts = b"".join(b"Host: " + b"h" * 2000 + b"%d\r\n" % number for number in range(64))
    one = b"GET / HTTP/1.1\r\n" + hosts + b"a:\n" * 42_000 + b"\r\n"
    return stream(one * (SIZE // len(one) + 1))


def by_many(text: bytes, size: int) -> Callable[[], Frames]:
    """The same again and again by one client after the other, so many bytes each: a stock is anew for each of them."""
    octets = text * (size // len(text))

    def frames() -> Frames:
        for client in range(SIZE // len(octets) + 1):
            yield segment(client, 40000, 0, SYN)
            for at in range(0, len(octets), MSS):
                yield segment(client, 40000, 1 + at, PSH | ACK, octets[at : at + MSS])

    return frames


def many_lengths() -> Frames:
    """Heads in each of which the body may end at 40,000 places."""
    one = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: "
    return stream((one + b",".join(b"%d" % size for size in range(40_000)) + b"\r\n\r\n") * (SIZE // 220_000))


def small(text: bytes, connections: int = 1000) -> Callable[[], Frames]:
    """The same in segments of three bytes, by one client after the other."""
    return lambda: (
        segment(client, 40000, 1 + at, PSH | ACK, text[at : at + 3])
        for client in range(connections)
        for at in range(0, len(text), 3)
    )


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


def http2(*pages: list[tuple[str, str]], split: int = 16_384, huffman: bool = True) -> Callable[[], Frames]:
    """One connection with these requests in turn; their header blocks in pieces of at most `split` bytes."""

    def frames() -> Frames:
        encoder, out, size = Encoder(), [PREFACE], 0
        for number, fields in enumerate(cycle(pages)):
            block = encoder.encode(fields, huffman=huffman)
            pieces = [block[at : at + split] for at in range(0, len(block), split)]
            for place, piece in enumerate(pieces):
                kind, flags = (1 if place == 0 else 9), 1 | (4 if piece is pieces[-1] else 0)
                header = len(piece).to_bytes(3, "big") + bytes((kind, flags)) + (2 * number + 1).to_bytes(4, "big")
                out.append(header + piece)
                size += len(out[-1])
            if size >= SIZE:
                return stream(b"".join(out))
        raise AssertionError("a cycle has no end")

    return frames


def repeated_frames(frame: bytes, first: bytes = b"") -> Callable[[], Frames]:
    return lambda: stream(PREFACE + first + frame * (SIZE // len(frame)))


def tunnelled(octets: bytes) -> Callable[[], Frames]:
    """A stream of CONNECT (RFC 9113 section 8.5) in which a head begins, then these octets in a frame each."""

    def data(carried: bytes) -> bytes:
        return len(carried).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + carried

    connect = Encoder().encode([(":method", "CONNECT"), (":authority", "a.example:80")])
    opened = len(connect).to_bytes(3, "big") + b"\x01\x04\0\0\0\x01" + connect
    return repeated_frames(data(octets), opened + data(b"GET / HTTP/1.1\r\nA: b\r\n"))


PAGE = [
    (":method", "GET"), (":scheme", "http"), (":path", "/news/story.html"), (":authority", "news.example"),
    ("user-agent", "Mozilla/5.0 (Linux; Android 4.0)"), ("accept", "*/*"), ("cookie", "session=d41d8cd98f00b204e980"),
]  # fmt: skip
PAGES = [
    [*PAGE[:2], (":path", f"/news/{n}/story-{n * 7919}.html"), *PAGE[3:], ("referer", f"http://news.example/{n * 31}")]
    for n in range(10_000)
]
BARE = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a.example")]


def named_again(times: int, name: int = 1, value: int = 3900) -> Callable[[], Frames]:
    """An entry of the table with so long a name and value, and requests that name it so often, an octet each."""

    def string(length: int) -> bytes:  # RFC 7541 section 5.1
        more = length - 127
        return (bytes((length,)) if more < 0 else bytes((127, more & 127 | 128, more >> 7))) + b"v" * length

    def frame(stream: int, block: bytes) -> bytes:
        return len(block).to_bytes(3, "big") + b"\x01\x05" + stream.to_bytes(4, "big") + block

    pseudo, again = b"\x82\x86\x84\x01\x01a", b"\xbe" if name == 1 else b"\x0f\x2f\0"
    first = frame(1, pseudo + b"\x40" + string(name) + string(value))
    one = frame(3, pseudo + again * times)
    return lambda: stream(PREFACE + first + one * (SIZE // len(one)))
