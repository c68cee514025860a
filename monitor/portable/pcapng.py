"""The pcapng capture format (draft-ietf-opsawg-pcapng): octets in, frames out.

Several sections and interfaces, both byte orders, every time resolution and offset; Enhanced, Simple and the obsolete
Packet Blocks. Other blocks are skipped by their length. A block says its length twice; where the two differ, or a block
says of itself what cannot be, nothing after it can be trusted and the walk stops there.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from monitor.records import Frame

SECTION, INTERFACE, PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
PACKETS = frozenset((PACKET, SIMPLE, ENHANCED))
MAGIC = b"\n\r\r\n"  # the type of a Section Header Block reads the same in both byte orders (section 4.1)
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
BLOCK_LIMIT = 16 << 20
LAST_NS = (1 << 63) - 1  # 2262: a time that no clock shows is the last that one does
TIME_RESOLUTION, TIME_OFFSET = 9, 14  # options of an interface (section 4.2)

_new = tuple.__new__  # a NamedTuple without its keyword handling: a third of the time


class Port(NamedTuple):
    """What an Interface Description Block says; a time is `ticks * multiply // divide + offset_ns` nanoseconds."""

    link: int
    snap: int  # 0: no limit
    multiply: int = 1000
    divide: int = 1
    offset_ns: int = 0


class Pcapng:
    """The blocks from the first Section Header Block on, whose MAGIC the caller has seen."""

    def __init__(self) -> None:
        self._time_ns = 0  # of the last frame: a Simple Packet Block has no time of its own
        self._use("<")

    def walk(self, octets: bytes, at: int, limit: int) -> tuple[list[Frame], int, str]:
        """At most `limit` whole frames of `octets` from `at` on; where the next begins; what is wrong there, or ""."""
        frames: list[Frame] = []
        size = len(octets)
        block, last = self._block, self._long
        while at + 12 <= size and len(frames) < limit:
            kind, length = block(octets, at)
            if kind == SECTION:
                order = BYTE_ORDER.get(octets[at + 8 : at + 12])
                if order is None:
                    return frames, at, "a section begins that has no byte order"
                self._use(order)
                block, last = self._block, self._long
                kind, length = block(octets, at)
            end = at + length
            if end > size:
                if length > BLOCK_LIMIT:
                    return frames, at, f"a block of {length} octets is claimed, which cannot be"
                break
            if length < 12 or last(octets, end - 4)[0] != length:
                return frames, at, "a block begins whose length is another at its end"
            if kind in PACKETS:
                frame = self._frame(kind, octets, at + 8, end - 4)
                if frame is None:
                    return frames, at, "a packet block begins that does not hold its packet, or names no interface"
                frames.append(frame)
            elif kind == INTERFACE:
                port = self._port(octets[at + 8 : end - 4])
                if port is None:
                    return frames, at, "the description of an interface begins that is cut short"
                self._ports.append(port)
            at = end
        return frames, at, ""

    def _frame(self, kind: int, octets: bytes, at: int, end: int) -> Frame | None:
        """The frame of a packet block whose body is octets[at:end]; None when the body is too short for it."""
        if kind == SIMPLE:
            if not self._ports or at + 4 > end:
                return None
            link, snap, *_ = self._ports[0]
            (wire_len,) = self._long(octets, at)
            kept = min(wire_len, snap or wire_len)
            at += 4
        else:
            if at + 20 > end:
                return None
            number, high, low, kept, wire_len = self._enhanced(octets, at)
            if kind == PACKET:  # 16 bits of interface and 16 of drops where the other has 32 of interface
                (number,) = self._short(octets, at)
            if number >= len(self._ports):
                return None
            link, _, multiply, divide, offset_ns = self._ports[number]
            time_ns = ((high << 32) | low) * multiply // divide + offset_ns
            self._time_ns = min(max(time_ns, -LAST_NS - 1), LAST_NS)
            at += 20
        if at + kept > end:
            return None
        return _new(Frame, (self._time_ns, link, wire_len if wire_len > kept else kept, octets[at : at + kept], True))

    def _use(self, order: str) -> None:
        """A new section: its byte order, and no interface yet."""
        self._ports: list[Port] = []
        self._order = order
        self._block = struct.Struct(order + "II").unpack_from  # type, total length
        self._enhanced = struct.Struct(order + "IIIII").unpack_from  # interface, time high and low, kept, on the wire
        self._short = struct.Struct(order + "H").unpack_from
        self._long = struct.Struct(order + "I").unpack_from

    def _port(self, body: bytes) -> Port | None:
        """An Interface Description Block without its type and lengths; None when it is cut short."""
        if len(body) < 8:
            return None
        link, _, snap = struct.unpack_from(self._order + "HHI", body)
        port = Port(link, snap)
        at = 8
        while at + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, at)
            value = body[at + 4 : at + 4 + length]
            if code == 0:
                break
            if code == TIME_RESOLUTION and len(value) == 1:
                port = port._replace(**_resolution(value[0]))
            elif code == TIME_OFFSET and len(value) == 8:
                port = port._replace(offset_ns=struct.unpack(self._order + "q", value)[0] * 10**9)
            at += 4 + length + -length % 4
        return port


def _resolution(octet: int) -> dict[str, int]:
    """if_tsresol: ticks a second as a power of ten, or of two where the highest bit is set."""
    exponent = octet & 0x7F
    if octet & 0x80:
        return {"multiply": 10**9, "divide": 1 << exponent}
    return {"multiply": 10 ** max(9 - exponent, 0), "divide": 10 ** max(exponent - 9, 0)}
