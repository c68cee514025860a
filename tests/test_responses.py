"""Whatever a server answers, the next request on its connection is read: only what the client sends says where that is.

The answers are of the kinds of the HTTP Evader (noxxi.de): codings, lengths, status lines and line ends that receivers
read differently, taken together at random.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections import Counter
from pathlib import Path

from monitor.engine import Preference
from pcaps import golden
from pcaps.recipe import CLEAN, FIELD, SITE, get
from pcaps.talk import Packet, Talk, pcap

ANSWERS = 501
BODY = b"hello, " * 20 + b"GET /in-a-body HTTP/1.1\r\nX-MSISDN: 447700900999\r\n\r\n"
SMALL = zlib.compressobj(9, zlib.DEFLATED, -15)
DEFLATED = SMALL.compress(BODY) + SMALL.flush()
STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1\x0b200 OK", b"HTTP/1.1\t200\tOK",
    b"HTTP/1.2 200 OK", b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/01.1 200 OK", b"HTTP/1.1 0200 OK",
    b"HTTP/1.1 20 OK", b"HTTP/1.1 2xx OK", b"http/1.1 200 ok", b"HTTP/1,1 200 OK", b"HTTP /1.1 200 OK",
    b" HTTP/1.1 200 OK", b"ICY 200 OK", b"SIP/2.0 200 OK", b"HTTP/1.1 101 Switching", b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 204 None", b"HTTP/1.1 304 Same", b"HTTP/1.1 206 Part", b"HTTP/1.1 302 Moved", b"HTTP/1.1 401 Who",
    b"HTTP/1.1 999 ?", b"HTTP/1.1 -1 OK", b"HTTP/1.1 200 \0", b"HTTP/1.1 200 \xff", b"\0HTTP/1.1 200 OK", b"",
    b"200 OK", b"GET / HTTP/1.1", b"HTTP/1.1", b"HTTP", b"\xef\xbb\xbfHTTP/1.1 200 OK", b"<html>",
)  # fmt: skip
CODINGS: tuple[tuple[bytes, bytes], ...] = (  # Content-Encoding, and the body in it
    (b"", BODY),
    (b"Content-Encoding: gzip", gzip.compress(BODY, mtime=0)),
    (b"Content-Encoding: gzip", gzip.compress(BODY, mtime=0)[:-12]),
    (b"Content-Encoding: gzip", BODY),
    (b"Content-Encoding: x-gzip", gzip.compress(BODY, mtime=0)),
    (b"Content-Encoding: gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0)),
    (b"Content-Encoding: deflate", zlib.compress(BODY)),
    (b"Content-Encoding: deflate", DEFLATED),
    (b"Content-Encoding: deflate\r\nContent-Encoding: gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    (b"Content-Encoding:\r\n gzip", gzip.compress(BODY, mtime=0)),
    (b"Content-Encoding : gzip", gzip.compress(BODY, mtime=0)),
    (b"Content-Encoding: lzma", b"\x5d\0\0\x80\0" + BODY),
    (b"Content-Encoding: br", b"\x0b\x02\x80" + BODY + b"\x03"),
    (b"Content_Encoding: gzip", gzip.compress(BODY, mtime=0)),
    (b"Content-Encoding\0: gzip", gzip.compress(BODY, mtime=0)),
)
FRAMINGS: tuple[tuple[bytes, ...], ...] = (  # %d is the length of the body
    (b"Content-Length: %d",), (b"",), (b"Content-Length: 0",), (b"Content-Length: 99999",), (b"Content-Length: -1",),
    (b"Content-Length: +%d",), (b"Content-Length: 0x%x",), (b"Content-Length: %d, %d",),
    (b"Content-Length: 5", b"Content-Length: %d"), (b"Content-Length: 18446744073709551617",), (b"Content-Length:",),
    (b"Content-Length : %d",), (b"Content-Length: %d\0",), (b"Transfer-Encoding: chunked",),
    (b"Transfer-Encoding: xchunked",), (b"Transfer-Encoding: chunked foo",), (b"Transfer-Encoding:\tchunked",),
    (b"Transfer-Encoding: Chunked",), (b"Transfer-Encoding:\r\n chunked",), (b"Transfer-Encoding : chunked",),
    (b"Transfer-Encoding: \"chunked\"",), (b"Transfer-Encoding: chunked, identity",),
    (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: %d"), (b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    (b"Connection: close",), (b"Connection: Upgrade", b"Upgrade: h2c"),
)  # fmt: skip
CHUNKS = (
    b"%x\r\n",
    b"%x\n",
    b"0%x\r\n",
    b"%x;a=b\r\n",
    b"%x \r\n",
    b"0x%x\r\n",
    b"%x\r",
    b"-%x\r\n",
    b"1000000000000000%x\r\n",
    b"zz\r\n",
)
LINE_ENDS = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\0\r\n")


def answer(dice: random.Random) -> bytes:
    coding, body = dice.choice(CODINGS)
    framing = dice.choice(FRAMINGS)
    lines = [line % ((len(body),) * line.count(b"%")) for line in framing]
    if any(b"hunked" in line for line in lines) and dice.random() < 0.9:
        size = dice.choice(CHUNKS)
        body = (size % len(body) if b"%" in size else size) + body + dice.choice(LINE_ENDS) + b"0\r\n\r\n"
    end = dice.choice((b"\r\n", *LINE_ENDS))
    head = end.join([dice.choice(STATUS_LINES), dice.choice((b"", b"X", b": x", b" y: z", b"A: b")), *lines, coding])
    return dice.choice((b"", b"", b"\r\n", b"\0", b"HTTP/1.1 100 Continue\r\n\r\n")) + head + end * 2 + body


def test_the_request_behind_any_answer_is_read(engine_name: Preference, tmp_path: Path) -> None:
    dice = random.Random(501)
    packets: list[Packet] = []
    for turn in range(ANSWERS):
        talk = Talk(sport=20_000 + turn, mss=dice.choice((1460, 1460, 300, 50)))
        talk.open().client(CLEAN).server(answer(dice)).client(get(FIELD, target=b"/%d" % turn)).server(answer(dice))
        packets += talk.close().frames
    capture = tmp_path / "answers.pcap"
    capture.write_bytes(pcap(packets))
    verdicts = golden.replay(capture, engine_name).verdicts
    assert Counter((row["recipient"], row["certainty"]) for row in verdicts) == {(SITE, "confirmed"): ANSWERS}
    assert len({row["sport"] for row in verdicts}) == ANSWERS
