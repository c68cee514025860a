"""Cleartext HTTP/2 (RFC 9113), the client's half: takes the octets of one connection in order, yields request heads.

Begins with the preface (prior knowledge, or after `Upgrade: h2c`: the upgraded request itself was HTTP/1 and is read
there) or anywhere: where frames cannot be followed it looks for the next plausible ones. Only header blocks are looked
at; every other payload is skipped by count. The server's half is not seen, so nothing here depends on SETTINGS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from copy import copy
from dataclasses import dataclass, replace

from monitor.portable.hpack import Hpack
from monitor.portable.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_HEADER,
    HEADERS,
    PADDED,
    PRIORITY,
    RST_STREAM,
    TEXT,
    Seeker,
    frame_header,
)
from monitor.portable.http2_messages import Messages
from monitor.portable.http2_tunnels import Tunnels
from monitor.portable.trace import Tell
from monitor.records import Fields, Flow, Limits, PlacedHead, Section

PREFACE_HEAD = b"PRI * HTTP/2.0\r\n\r\n"  # what of the preface reads as a head of HTTP/1
PREFACE = PREFACE_HEAD + b"SM\r\n\r\n"  # RFC 9113 section 3.4
STATE_BYTES = 512  # of memory for all that has no size of its own


@dataclass(slots=True)
class OpenBlock:
    """HEADERS whose END_HEADERS has not come yet; RFC 9113 section 4.3 allows one at a time on a connection."""

    start: int  # position of the frame
    stream: int
    ends_stream: bool  # no trailers follow
    octets: bytearray
    lack: str = ""  # oddity of a block that is not whole


class Http2:
    """The client's half of one connection. Bounded by limits.head_bytes, Messages and the table of HPACK."""

    def __init__(self, limits: Limits, counts: MutableMapping[str, int], flow: Flow, position: int = 0) -> None:
        self._limits = limits
        self._counts = counts
        self._flow = flow
        self._time_ns = 0
        self.origin = self.fed = position  # of the first octet, and behind the newest one
        self.astray: int | None = None  # here stands text in place of a frame: it was not read, nor is what follows
        self._hpack = Hpack(limits.head_bytes)
        self._begun = False
        self._seeker: Seeker | None = None
        self._held = bytearray()  # from a frame header on
        self._needed = FRAME_HEADER.size  # octets of `_held` that let the next frame be read
        self._skip = 0  # octets of a payload that are still to come and that nobody looks at
        self._skips_body = False  # they are DATA
        self._block: OpenBlock | None = None
        self._messages = Messages(counts, flow)
        self._tunnels = Tunnels(limits, counts, flow)
        self.opens_tunnels = True  # to read what is in streams of CONNECT
        self._heads: list[PlacedHead] = []  # read, not yet yielded
        self.bodies = 0  # octets of DATA so far
        self.tell: Tell | None = None  # what becomes of octets that are in no head

    @property
    def tunnels_weight(self) -> int:
        """Bytes of memory, about, that streams of CONNECT take."""
        return self._tunnels.weight

    @property
    def weight(self) -> int:
        """Bytes of memory, about; and what it costs to have another one like it."""
        held = len(self._held) if self._seeker is None else self._seeker.held
        block = 0 if self._block is None else len(self._block.octets)
        return STATE_BYTES + self._hpack.table_bytes + held + block + self._messages.weight + self._tunnels.weight

    def beside(self, position: int) -> Http2:
        """The same, to go on by itself with what stands at `position`, without what is in streams of CONNECT; what it
        counts is not counted."""
        other = copy(self)
        other.fed, other.tell = position, None
        other._counts, other._hpack = Counter(), self._hpack.beside()
        other._messages = self._messages.beside(other._counts)
        other._tunnels = Tunnels(self._limits, other._counts, self._flow)
        other._seeker = self._seeker and self._seeker.beside()
        other._held, other._heads = bytearray(self._held), []
        other._block = self._block and replace(self._block, octets=bytearray(self._block.octets))
        return other

    def is_like(self, other: Http2) -> bool:
        """Whether both read on alike, from the same place."""
        return (
            (self.fed, self._begun, self._skip, self._held) == (other.fed, other._begun, other._skip, other._held)
            and self._seeker is other._seeker is None
            and self._block == other._block
            and self._messages.is_like(other._messages)
            and self._hpack.is_like(other._hpack)
        )

    @property
    def asks(self) -> bool:
        """Whether this is a client, whatever its field blocks say."""
        return self._messages.asks

    @property
    def answers(self) -> bool:
        """Whether these are responses."""
        return self._messages.answers

    @property
    def seeks(self) -> bool:
        """Whether frames cannot be followed."""
        return self._seeker is not None

    @property
    def unsettled(self) -> int:
        """Before this position stands no head that is not handed out yet."""
        held = len(self._held) if self._seeker is None else self._seeker.held
        return self.fed - held if self._block is None else self._block.start

    @property
    def pending(self) -> int:
        """Octets at the end that may be text yet."""
        is_short = not self._begun or (self._seeker is None and len(self._held) < FRAME_HEADER.size)
        return len(self._held) if is_short else 0

    def skips(self, size: int) -> bool:
        """Whether the next `size` octets are part of one payload that nobody looks at."""
        return self._skip >= size

    def feed(self, octets: bytes, time_ns: int) -> list[PlacedHead]:
        """The heads that these octets complete; `time_ns` becomes theirs."""
        if self.astray is not None:
            return []
        self._time_ns = time_ns
        self.fed += len(octets)
        if self._skip:
            skipped = min(self._skip, len(octets))
            self._skip -= skipped
            if self._skips_body:
                self.bodies += skipped
            octets = octets[skipped:]
        if octets:
            self._follow(octets)
        return self._taken()

    def gap(self, missing: int) -> list[PlacedHead]:
        """`missing` octets were never captured. Inside one skipped payload nothing else is lost with them.

        Yields what was seen of a head.
        """
        if missing <= self._skip:
            self._skip -= missing
            self.fed += missing
            return []
        fed, behind = self.fed, self._cut()
        self._heads += self._tunnels.cut()
        self.fed = fed + missing
        self.astray = None  # whatever stood there, frames may follow
        self._hpack.forget()
        self._begun = True
        self._skip, self._skips_body = max(0, behind - missing), False
        if missing > behind:
            self._seeker = Seeker()
        return self._taken()

    def finish(self) -> list[PlacedHead]:
        """The connection is over: what was seen of a head is read."""
        self._cut()
        self._heads += self._tunnels.cut()
        return self._taken()

    def _taken(self) -> list[PlacedHead]:
        heads, self._heads = self._heads, []
        return heads

    def _cut(self) -> int:
        """Read what was seen of the frame at hand and end its block; how many of its octets are still to come."""
        if self._seeker is not None:
            ending, self._seeker = self._seeker.last(), None
            self._frames(ending)
        held, self._held = bytes(self._held), bytearray()
        self._needed = FRAME_HEADER.size
        behind = 0
        if self._begun and len(held) >= FRAME_HEADER.size:
            length, kind, flags, stream = frame_header(held)
            behind = FRAME_HEADER.size + length - len(held)
            start = self.fed - len(held)
            self._frame(start, kind, flags, stream, length, held[FRAME_HEADER.size :], lack="incomplete")
        if self._block is not None:
            self._end_block(self._block, self.fed, lack="incomplete")
        return behind

    def _follow(self, octets: bytes) -> None:
        if not self._begun:
            self._held += octets
            if len(self._held) < len(PREFACE) and PREFACE.startswith(self._held):
                return
            self._begun = True
            octets, self._held = bytes(self._held), bytearray()
            if octets.startswith(PREFACE):
                octets = octets[len(PREFACE) :]
                self._messages.asks = True
            elif octets.startswith(PREFACE_HEAD):
                self._go_astray(self.origin + len(PREFACE_HEAD))
                return
            else:
                self._counts["blind.midstream"] += 1
                self._seeker = Seeker()
        if self._seeker is not None:
            found = self._seeker.feed(octets)
            if found is None:
                return
            octets, self._seeker = found, None
        self._frames(octets)

    def _go_astray(self, position: int) -> None:
        """Text stands at this position: the block at hand has no end."""
        self.astray = self.fed = position
        self._held = bytearray()
        if self._block is not None:
            self._end_block(self._block, position, lack="incomplete")

    def _frames(self, octets: bytes) -> None:
        """Take frames; the octets begin with a header or go on where `_held` ends."""
        held = self._held
        held += octets
        if len(held) < self._needed:
            return
        at = 0
        self._needed = FRAME_HEADER.size
        while len(held) - at >= FRAME_HEADER.size:
            if TEXT.match(held, at):
                self._go_astray(self.fed - len(held) + at)
                return
            length, kind, flags, stream = frame_header(held, at)
            looked_at = min(length, self._room(kind, stream))
            if len(held) - at - FRAME_HEADER.size < looked_at:
                self._needed = FRAME_HEADER.size + looked_at
                break
            start = self.fed - len(held) + at
            at += FRAME_HEADER.size
            self._frame(start, kind, flags, stream, length, bytes(held[at : at + looked_at]), lack="long")
            if self.tell is not None:
                self._tell_payload(start, kind, length, looked_at, self.tell)
            if kind == DATA and not looked_at:
                self.bodies += min(length, len(held) - at)
            at += length
            if at > len(held):
                self._skip, self._skips_body = at - len(held), kind == DATA
        del held[:at]

    def _tell_payload(self, start: int, kind: int, length: int, looked_at: int, tell: Tell) -> None:
        payload = start + FRAME_HEADER.size
        if kind == DATA and length:
            tell(payload, payload + length, "frames" if looked_at else "body")
        elif kind in (HEADERS, CONTINUATION) and looked_at < length:
            tell(payload + looked_at, payload + length, "head_bytes")

    def _room(self, kind: int, stream: int) -> int:
        """Octets of a payload of this kind that are looked at."""
        if kind == HEADERS or (kind == DATA and stream in self._tunnels):
            return self._limits.head_bytes
        if kind == CONTINUATION and self._block is not None:
            return max(0, self._limits.head_bytes - len(self._block.octets))
        return 0

    def _frame(
        self, position: int, kind: int, flags: int, stream: int, length: int, payload: bytes, *, lack: str
    ) -> None:
        """One frame; `lack` is the oddity of a head of which the payload has not everything."""
        if kind == HEADERS:  # RFC 9113 section 6.2
            if self._block is not None:
                self._end_block(self._block, position, lack="incomplete")
            start, end = 0, length
            if flags & PADDED:
                start, end = 1, length - int.from_bytes(payload[:1], "big")
            if flags & PRIORITY:
                start += 5
            if end < start:  # more padding than payload: malformed, and nobody knows what the block is
                self._block = OpenBlock(position, stream, bool(flags & END_STREAM), bytearray(), "incomplete")
            else:
                self._block = OpenBlock(position, stream, bool(flags & END_STREAM), bytearray(payload[start:end]))
        elif kind == CONTINUATION:  # section 6.10
            if self._block is None or stream != self._block.stream:
                self._hpack.forget()  # a block whose beginning was missed may have filled the table
                return
            self._block.octets += payload
        else:
            if kind == DATA and stream in self._tunnels:
                self._feed_tunnel(position + FRAME_HEADER.size, flags, stream, length, payload, lack=lack)
            if kind == RST_STREAM or (kind == DATA and flags & END_STREAM):
                self._messages.end(stream)
                self._heads += self._tunnels.end(stream)
            return
        if len(payload) < length:
            self._block.lack = lack
        if flags & END_HEADERS:
            end = position + FRAME_HEADER.size + len(payload)
            self._end_block(self._block, end, lack=self._block.lack)

    def _feed_tunnel(self, position: int, flags: int, stream: int, length: int, payload: bytes, *, lack: str) -> None:
        """The payload of DATA (RFC 9113 section 6.1) in a stream of CONNECT, or what was seen of it."""
        begin, end = 0, length
        if flags & PADDED:
            begin, end = 1, length - int.from_bytes(payload[:1], "big")
        self._heads += self._tunnels.feed(stream, payload[begin : max(begin, end)], position + begin, self._time_ns)
        if len(payload) < length and lack == "long":  # behind a gap all tunnels begin anew
            self._counts["shed.head_bytes"] += 1
            self._heads += self._tunnels.end(stream)
            self._tunnels.open(stream, position, midstream=True)

    def _end_block(self, coded: OpenBlock, end: int, *, lack: str) -> None:
        """Decode what ends at position `end`; `lack` is the oddity of a block that is not whole."""
        self._block = None
        block = self._hpack.decode(bytes(coded.octets))
        counts = self._counts
        counts["blind.hpack"] += block.unresolved
        if lack:
            self._hpack.forget()  # the rest of the block may have filled the table
            if lack == "long":
                counts["shed.head_bytes"] += 1
        elif block.bounded:
            lack = "long"
            counts["shed.hpack"] += 1
        elif len(block.fields) > self._limits.head_lines:
            lack = "long"
            counts["shed.head_lines"] += 1
        elif not block.whole:
            lack = "incomplete"
        if lack == "incomplete":
            counts["blind.head_incomplete"] += 1
        oddities = [lack] if lack else []
        if block.unresolved:
            oddities.append("hpack_unresolved")
        if lack and self.tell is not None:
            self.tell(coded.start, end, "head_incomplete" if lack == "incomplete" else "head_bytes")
        if block.fields:
            fields = block.fields[: self._limits.head_lines]
            head = self._messages.read(coded.stream, coded.ends_stream, fields, oddities, self._time_ns)
            if head is not None:
                self._heads.append(PlacedHead(coded.start, end, head))
                is_connect = head.method == b"CONNECT" and head.section is Section.HEAD
                if is_connect and not coded.ends_stream and self.opens_tunnels and not _has(fields, b":protocol"):
                    self._heads += self._tunnels.end(coded.stream)
                    self._tunnels.open(coded.stream, end)
            elif self.tell is not None:
                self.tell(coded.start, end, "response")


def _has(fields: Fields, wanted: bytes) -> bool:
    return any(name.lower() == wanted for name, _ in fields)
