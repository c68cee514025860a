"""Decoys: what hides a number from a sensor by sending its bytes twice, and sending something else the other time.

A case is a small talk: a decoy, and what was meant in earnest, which takes its place or follows it. Nothing may hide
the number: it is found, confirmed or ambiguous, or a bound is counted that says why it is not.

    python -m tests.decoys [portable] [FIRST [COUNT]]    # the cases of this engine that hide it, of all or of some
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from hpack import Encoder

from monitor.engine import Preference
from monitor.records import RequestHead
from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK
from pcaps.talk import ACK, PSH, Talk, pcap

DATA = PSH | ACK
AT_ONCE = 300  # cases in a capture
HOST = b"Host: shop.example\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 999999\r\n\r\n"
CHUNKS = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def frames(*fields: tuple[bytes, bytes], requests: int = 1) -> bytes:
    """HTTP/2, from the preface on: an empty SETTINGS, then requests that share a table."""
    encoder = Encoder()
    octets = PREFACE + bytes.fromhex("000000040000000000")
    for n in range(requests):
        wanted = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"shop.example")]
        block = encoder.encode([*wanted, *fields], huffman=False)
        octets += struct.pack(">BHBBI", 0, len(block), 1, 5, 2 * n + 1) + block
    return octets


def padded(begun: bytes) -> Callable[[bytes], bytes]:
    """What begins so, as long as what it stands for."""
    return lambda real: begun.ljust(len(real), b"x")[: len(real)]


DECOYS: dict[str, Callable[[bytes], bytes]] = {
    "masked": lambda real: real.replace(NUMBER, b"none-was-set"),
    "head_ends_early": padded(b"GET /o HTTP/1.1\r\n" + HOST + b"\r\n"),
    "large_body": padded(BODY),
    "larger_than_the_real_one": lambda _: BODY + b"y" * 500,
    "endless_chunk": padded(CHUNKS + b"fffffff\r\n"),
    "chunk_that_wraps": padded(CHUNKS + b"ffffffffffffffff\r\n"),
    "both_lengths": padded(CHUNKS.replace(b"\r\n\r\n", b"\r\nContent-Length: 99999\r\n\r\n")),
    "connect": padded(b"CONNECT a:1 HTTP/1.1\r\n\r\n"),
    "upgrade": padded(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"),
    "tls": padded(b"\x16\x03\x01\x02\x00\x01"),
    "response": padded(b"HTTP/1.1 200 OK\r\n\r\n"),
    "http2": padded(PREFACE),
    "http2_request": padded(frames()),
    "data_frame": padded(b"\0\x40\0\0\0\0\0\0\1"),
    "proxy": padded(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    "binary": lambda real: b"\xff" * len(real),
    "letters": lambda real: b"x" * len(real),
    "line_ends": lambda real: b"\n" * len(real),
    "half": lambda real: real[: len(real) // 2],
    "one_byte": lambda real: real[:1].lower(),
}
REALS: dict[str, bytes] = {
    "field": LEAK,
    "with_body": b"POST / HTTP/1.1\r\n" + HOST + FIELD + b"\r\nContent-Length: 5\r\n\r\nhello",
    "folded": b"GET / HTTP/1.1\r\n" + HOST + FIELD[:28] + b"\r\n " + FIELD[28:] + b"\r\n\r\n",
    "second_request": CLEAN + LEAK,
    "three_requests": LEAK + CLEAN + LEAK,
    "trailer": CHUNKS + b"5\r\nhello\r\n0\r\n" + FIELD + b"\r\n\r\n",
    "bare_lf": LEAK.replace(b"\r\n", b"\n"),
    "http2": frames((b"x-msisdn", NUMBER)),
    "http2_twice": frames((b"x-msisdn", NUMBER), requests=2),
}


class Case(NamedTuple):
    begun: str  # what was seen of the connection before
    decoy: str
    real: str
    offset: int  # of the decoy in what it stands for
    decoy_first: bool
    mss: int
    meant: bool  # the decoy stands for the number, else for a clean request before it
    acknowledged: bool

    def talk(self, n: int) -> Talk:
        """Of client number n."""
        talk = Talk(src=f"100.64.{n >> 8}.{n & 255}", sport=40001 + n, mss=self.mss)
        if self.begun != "nothing":
            talk.open()
        if self.begun == "a_request":
            talk.client(CLEAN).server(OK)
        real = REALS[self.real]
        covered = real if self.meant else frames(requests=0) if self.real.startswith("http2") else CLEAN
        first, decoy = talk.seq + self.offset, DECOYS[self.decoy](covered[self.offset :])
        if self.decoy_first:
            talk.segment(DATA, decoy, seq=first)
        talk.client(covered, acknowledged=False)
        if not self.decoy_first:
            talk.segment(DATA, decoy, seq=first)
        if self.acknowledged:
            talk.segment(ACK, client=False)
        if not self.meant:
            talk.client(real.removeprefix(covered), acknowledged=self.acknowledged)
        if self.acknowledged:
            talk.server(OK)
        return talk.close()


CASES = [
    Case(*each)
    for each in product(
        ("a_request", "a_handshake", "nothing"), DECOYS, REALS, (0, 9, 30), (True, False), (1460, 17, 1), (True, False),
        (True, False),
    )
    if not (each[0] == "a_request" and each[2].startswith("http2"))  # no connection turns to it by itself
]  # fmt: skip


class Hidden(NamedTuple):
    case: Case
    counts: dict[str, int]  # that are not 0, of what was not read


def hidden(engine: Preference, cases: Sequence[Case]) -> Iterator[Hidden]:
    """The cases whose number this engine does not find."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decoys.pcap"
        for at in range(0, len(cases), AT_ONCE):
            some = cases[at : at + AT_ONCE]
            talks = [case.talk(n) for n, case in enumerate(some)]
            path.write_bytes(pcap([frame for talk in talks for frame in talk.frames]))
            finders = {head.flow.sport for head in _read(engine, path)[0] if shows_number(head)}
            for case, talk in zip(some, talks, strict=True):
                if talk.sport not in finders:
                    path.write_bytes(pcap(talk.frames))
                    heads, counts = _read(engine, path)
                    if not any(map(shows_number, heads)):
                        yield Hidden(case, {key: n for key, n in counts.items() if n and key.split(".")[0] in UNREAD})


UNREAD = ("shed", "blind", "rejected", "opaque_streams")


def _read(engine: Preference, path: Path) -> tuple[list[RequestHead], dict[str, int]]:
    from tests.test_engine import run

    heads, batch = run(engine, path)
    return heads, dict(batch.counts)


def shows_number(head: RequestHead) -> bool:
    return any(NUMBER in value.replace(b" ", b"") for each in (head, *head.readings) for _, value in each.fields)


def sample(count: int, seed: int = 5) -> list[Case]:
    return random.Random(seed).sample(CASES, count)


def main(engine: Preference, first: int, count: int) -> int:
    cases = random.Random(5).sample(CASES, len(CASES))[first : first + count]
    silent = shed = 0
    for each in hidden(engine, cases):
        is_shed = any(key.startswith("shed.") for key in each.counts)
        shed += is_shed
        silent += not is_shed
        print("shed" if is_shed else "HIDDEN", *each.case, each.counts, flush=True)
    print(f"{engine}: {len(cases)} cases, {silent} hidden, {shed} left out at a bound that was counted")
    return 1 if silent else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    wanted: Preference = "portable" if "portable" in words else "native"
    numbers = [int(word) for word in words if word.isdigit()] + [0, len(CASES)][sum(w.isdigit() for w in words) :]
    sys.exit(main(wanted, *numbers))
