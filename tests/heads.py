"""Feeding bytes to Http1 as a half-stream does: whole, byte by byte, with gaps, and with a request behind them."""

from __future__ import annotations

from typing import NamedTuple

from monitor import counts
from monitor.portable.http1 import Http1
from monitor.records import Flow, Gap, Limits, PlacedHead, RequestHead

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
START = 2**32 - 20
NUMBER = b"447700900123"
FIELD = b"X-MSISDN: " + NUMBER
FOUND = (b"x-msisdn", NUMBER)
HOST = (b"host", b"shop.example")


def head(*lines: bytes, line: bytes = b"GET / HTTP/1.1", end: bytes = b"\r\n", host: bool = True) -> bytes:
    return b"".join(each + end for each in (line, *([b"Host: shop.example"] if host else []), *lines, b""))


LEAK = head(FIELD)
CLEAN = head(b"Accept: */*", line=b"GET /clean HTTP/1.1")
POST = b"POST / HTTP/1.1"


class Read(NamedTuple):
    placed: list[PlacedHead]
    counts: dict[str, int]
    http1: Http1

    @property
    def heads(self) -> list[RequestHead]:
        return [placed.head for placed in self.placed]

    @property
    def only(self) -> RequestHead:
        assert len(self.placed) == 1
        return self.heads[0]

    @property
    def where(self) -> list[tuple[str, ...]]:
        """Of each head with the number: its oddities."""
        return [each.oddities for each in self.heads if FOUND in each.fields]


def read(*segments: bytes | int, midstream: bool = False, finish: bool = True, limits: Limits | None = None) -> Read:
    """What comes of these segments; a number is a gap of so many bytes. Keeps what the reader says it needs."""
    counted = counts.zeros()
    http1 = Http1(limits or Limits(), counted, FLOW, START, midstream)
    kept, first, placed = b"", START, []
    for time_ns, segment in enumerate(segments):
        if isinstance(segment, int):
            end = first + len(kept)
            placed += http1.gap(kept, first, Gap(end, segment, cut=False))
            kept, first = b"", end + segment
        else:
            kept += segment
            placed += http1.feed(kept, first, time_ns)
            kept, first = kept[http1.start - first :], http1.start
    if finish:
        placed += http1.finish(kept, first)
    return Read(placed, counted, http1)


def bytewise(octets: bytes) -> list[bytes]:
    return [octets[i : i + 1] for i in range(len(octets))]


def content(heads: list[PlacedHead]) -> list[tuple]:
    return [
        (p.start, p.end, p.head._replace(time_ns=0, readings=()), [other[2:] for other in p.head.readings])
        for p in heads
    ]


def everyhow(octets: bytes) -> Read:
    """Whole; byte by byte must say the same, and a request behind it must be found as well."""
    whole = read(octets)
    assert content(read(*bytewise(octets)).placed) == content(whole.placed)
    tail = read(octets + CLEAN)
    assert content(tail.placed)[:-1] == content(whole.placed)
    assert tail.heads[-1].target == b"/clean"
    return whole
