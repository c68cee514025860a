"""Random talks of odd bodies: chunks, lengths and uploads that wait, as few receivers read them, lost in part.

Both engines say the same of each. TALKS sets how many are tried: `make fuzz-long` tries thousands.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from pcaps.talk import Talk, pcap
from tests.heads import FIELD, FOUND, head
from tests.test_engine import agree, both, run

TALKS = int(os.environ.get("TALKS", "60"))
GROUP = 20  # tried in one test
CHUNKED = b"Transfer-Encoding: chunked"
EXPECT = b"Expect: 100-continue"
LENGTHS = (b"%d", b"%d", b"%d", b"0%d", b"+%d", b"%d, 3", b"%d\r\n 1", b"%d apples", b"0x%x")
SIZES = (b"%x", b"%x", b"%x", b"%x", b"+%x", b"0x%x", b" %x", b"%09x", b"%x octets", b"%x_0", b"1%016x")
BEHIND_SIZES = (b"", b"", b"", b"", b";a", b";a\r", b";a\rX", b";a\nb", b"\r", b"\rX", b" ")
BEHIND_DATA = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"XX", b", all\r\n", b"\n1", b"", b"zz\n")
LAST = (
    b"0\r\n\r\n",
    b"0\r\n\r\n",
    b"0\r\n\r\n",
    b"0\n\n",
    b"0\r\nX-A: 1\r\n\r\n",
    b"0\r\n",
    b"0;a\r\r",
    b"0\r\rx\r\n",
    b"",
)
LINES = (b"A : b", b" c", b"A: b\rX: y", b"Upgrade: x", b"Connection: content-length")


def request(chance: Random, *lines: bytes, line: bytes = b"POST /%d HTTP/1.1") -> bytes:
    odd = [chance.choice(LINES)] if chance.random() < 0.1 else []
    return head(*odd, *lines, line=line % chance.randrange(1000) if b"%" in line else line)


def leaking(chance: Random) -> bytes:
    return request(chance, FIELD, line=b"GET /%d HTTP/1.1")


def payload(chance: Random, depth: int) -> bytes:
    """What a body says: often what might be a request."""
    kind = chance.randrange(8)
    if kind < 3:
        return leaking(chance)
    if kind == 3 and depth < 3:
        return upload(chance, depth + 1)
    return (b"hello", b"a\r\nb\nc\r\n", b"\r\n" + leaking(chance), b"x" * chance.randrange(1, 40))[kind % 4]


def chunk(chance: Random, depth: int) -> bytes:
    data = payload(chance, depth)
    line = chance.choice(SIZES) % len(data) + chance.choice(BEHIND_SIZES) + chance.choice((b"\r\n", b"\r\n", b"\n"))
    return line + data + chance.choice(BEHIND_DATA)


def chunks(chance: Random, depth: int) -> bytes:
    return b"".join(chunk(chance, depth) for _ in range(chance.randrange(4))) + chance.choice(LAST)


def upload(chance: Random, depth: int = 0) -> bytes:
    body = payload(chance, depth)
    length = b"Content-Length: " + chance.choice(LENGTHS) % chance.choice((len(body), len(body), 0, 3, 5000))
    kind = chance.randrange(6)
    if kind == 0:
        return request(chance, length) + body
    if kind == 1:
        return request(chance, EXPECT, length) + chance.choice((b"", b"\r\n", b"\n" * 70, body))
    if kind == 2:
        return request(chance, EXPECT, CHUNKED) + chance.choice((b"", b"\r\n", chunks(chance, depth)))
    if kind == 3:
        return request(chance, CHUNKED, length) + chunks(chance, depth)
    return request(chance, CHUNKED) + chunks(chance, depth)


def talk(chance: Random) -> Talk:
    said = b"".join(upload(chance) for _ in range(chance.randrange(1, 5))) + leaking(chance)
    told = Talk(mss=chance.choice((1400, 1400, 100, 37, 1))).open()
    if chance.random() < 0.3:
        begin = chance.randrange(len(said))
        end = begin + chance.randrange(1, 200)
        return told.client(said[:begin]).lose(said[begin:end]).client(said[end:]).close()
    return told.client(said).close()


@both
@pytest.mark.parametrize("first", range(0, TALKS, GROUP))
def test_both_engines_read_odd_bodies_alike(first: int, tmp_path: Path) -> None:
    path = tmp_path / "talk.pcap"
    for seed in range(first, first + GROUP):
        path.write_bytes(pcap(talk(Random(seed)).frames))
        heads, batch = run("portable", path)
        if batch.counts["shed.readings"]:
            # who is left out where there is no room may differ, but not whose number is seen
            native, _ = run("native", path)
            assert any(FOUND in each.fields for each in native) == any(FOUND in each.fields for each in heads), seed
        else:
            agree(path)
