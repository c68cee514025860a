"""Talks turned into segments, and what Streams makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor import counts
from monitor.portable.decode import Decoder
from monitor.portable.http1 import Http1
from monitor.portable.parts import Parts
from monitor.portable.reassembly import Assembler
from monitor.portable.stream import Streams
from monitor.records import Frame, Limits, RequestHead, Segment
from pcaps.talk import ACK, PSH, RAW, Talk
from tests.heads import CLEAN, LEAK, NUMBER

SECOND = 1_000_000_000
DATA = PSH | ACK
MASKED = LEAK.replace(NUMBER, b"none-was-set")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def begun() -> Talk:
    """An open connection with one clean request behind it."""
    return Talk().open().client(CLEAN).server(OK)


def ended(talk: Talk, octets: bytes = LEAK) -> Talk:
    """These octets in earnest, an answer, and the end."""
    return talk.client(octets).server(OK).close()


def segments(talk: Talk, path: tuple[tuple[str, int], ...] = ()) -> list[Segment]:
    """What decode makes of a talk that was mirrored on this path."""
    decoder = Decoder(Limits(), counts.zeros())
    found = [decoder.feed(Frame(time_ns, RAW, len(packet), packet)) for time_ns, packet in talk.packets]
    assert all(isinstance(each, Segment) for each in found)
    return [each._replace(flow=each.flow._replace(path=path)) for each in found if isinstance(each, Segment)]


class Sensor:
    """A Streams that remembers its heads."""

    def __init__(self, **limits: int) -> None:
        self.counts = counts.zeros()
        self.streams = Streams(Limits(**limits), self.counts, Parts(Assembler, Http1))
        self.heads: list[RequestHead] = []
        self.now_ns = 0

    def feed(self, *fed: Iterable[Segment]) -> Sensor:
        for part in fed:
            for segment in part:
                self.now_ns = max(self.now_ns, segment.time_ns)
                self.heads += self.streams.feed(segment)
        return self

    def expire(self, later_ns: int) -> Sensor:
        self.now_ns += later_ns
        self.heads += self.streams.expire(self.now_ns)
        return self

    def finish(self) -> Sensor:
        self.heads += self.streams.finish(self.now_ns)
        return self

    @property
    def moved(self) -> dict[str, int]:
        return {key: count for key, count in self.counts.items() if count}


class Found(NamedTuple):
    """Where the number is in a head: in its first reading, in others."""

    first: bool
    others: tuple[bool, ...]
    certainty: str


def found(head: RequestHead) -> Found:
    shows = [any(value == NUMBER for _, value in each.fields) for each in (head, *head.readings)]
    return Found(shows[0], tuple(shows[1:]), head.certainty)


def leaks(sensor: Sensor) -> list[Found]:
    """Of each head but the clean one."""
    return [found(each) for each in sensor.heads if each.target != b"/clean"]


ONCE = [Found(True, (), "confirmed")]


def read(*fed: Iterable[Segment], **limits: int) -> Sensor:
    return Sensor(**limits).feed(*fed).finish()
