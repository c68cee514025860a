"""Frames as a client of HTTP/2 sends them (RFC 9113 section 4), and where they begin when nobody saw the beginning."""

from __future__ import annotations

import re
from copy import copy
from heapq import heappop, heappush
from struct import Struct

DATA, HEADERS, RST_STREAM, CONTINUATION = 0, 1, 3, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x01, 0x04, 0x08, 0x20
FRAME_HEADER = Struct(">BHBBI")  # RFC 9113 section 4.1; the length has 24 bits
CLIENTS_STREAM = rb"\x00..[%s]" % b"".join(rb"\x%02x" % octet for octet in range(1, 256, 2))
# A client's frame header of at most the default length (16,384) on one of the first 16 million streams.
PLAUSIBLE = re.compile(
    rb"(?s)\x00(?:"
    rb"[\x00-\x40].\x00[\x00\x01\x08\x09]%(stream)s"  # DATA
    rb"|[\x00-\x40].\x01[\x00\x01\x04\x05\x08\x09\x0c\x0d\x20\x21\x24\x25\x28\x29\x2c\x2d]%(stream)s"  # HEADERS
    rb"|\x00\x05\x02\x00%(stream)s"  # PRIORITY
    rb"|\x00\x04\x03\x00%(stream)s"  # RST_STREAM
    rb"|\x00.\x04[\x00\x01]\x00{4}"  # SETTINGS
    rb"|\x00\x08\x06[\x00\x01]\x00{4}"  # PING
    rb"|\x00.\x07\x00\x00{4}"  # GOAWAY
    rb"|\x00\x04\x08\x00\x00..."  # WINDOW_UPDATE
    rb"|[\x00-\x40].\x09[\x00\x04]%(stream)s"  # CONTINUATION
    rb"|\x00.\x10\x00\x00{4}"  # PRIORITY_UPDATE (RFC 9218 section 7.1)
    rb")" % {b"stream": CLIENTS_STREAM}
)
# Where a frame begins: a length of 658 kB at the least and a type that no client sends, but how a request may begin.
TEXT = re.compile(rb"[A-Za-z\r\n -]{4}")
FURTHEST = FRAME_HEADER.size + 0x40FF + FRAME_HEADER.size  # from a plausible header to the end of the one behind it


class Seeker:
    """Finds where frames begin: at the first plausible header whose payload ends where another one stands."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._dropped = 0  # octets before `_held`
        self._sought = 0  # where the next search begins, counted with the dropped ones like every place below
        self._candidates: list[tuple[int, int]] = []  # heap of (end of the frame, its start)

    def beside(self) -> Seeker:
        """The same, to go on by itself."""
        other = copy(self)
        other._held, other._candidates = bytearray(self._held), list(self._candidates)
        return other

    @property
    def held(self) -> int:
        """Octets that may still be part of a frame."""
        return len(self._held)

    def feed(self, octets: bytes) -> bytes | None:
        """The octets from the first frame on, or None: not yet."""
        held = self._held
        held += octets
        at = self._sought - self._dropped
        while found := PLAUSIBLE.search(held, at):
            start = found.start()
            high, low, *_ = FRAME_HEADER.unpack_from(held, start)
            end = start + FRAME_HEADER.size + (high << 16 | low)
            heappush(self._candidates, (end + self._dropped, start + self._dropped))
            at = start + 1
        self._sought = self._dropped + max(at, len(held) - FRAME_HEADER.size + 1)
        # in the order of their ends: the answer must not depend on how the octets were cut
        while self._candidates and self._candidates[0][0] - self._dropped + FRAME_HEADER.size <= len(held):
            end, start = heappop(self._candidates)
            if PLAUSIBLE.match(held, end - self._dropped):
                return bytes(held[start - self._dropped :])
        if len(held) > 2 * FURTHEST:  # no candidate is that far back
            self._dropped += len(held) - FURTHEST
            del held[:-FURTHEST]
        return None

    def last(self) -> bytes:
        """Nothing follows: the octets from the first plausible header whose payload ends here, else b""."""
        end = self._dropped + len(self._held)
        starts = [start for candidate_end, start in self._candidates if candidate_end == end]
        return bytes(self._held[min(starts) - self._dropped :]) if starts else b""


def frame_header(octets: bytes | bytearray, at: int = 0) -> tuple[int, int, int, int]:
    """Length, type, flags, stream (RFC 9113 section 4.1)."""
    high, low, kind, flags, stream = FRAME_HEADER.unpack_from(octets, at)
    return high << 16 | low, kind, flags, stream & 0x7FFFFFFF
