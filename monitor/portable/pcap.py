"""The classic capture format of libpcap (draft-ietf-opsawg-pcap): octets in, frames out.

Both byte orders, micro- and nanoseconds, and the records of Kuznetzov's patched libpcap, eight octets longer. The walk
is one loop over a chunk, with nothing per frame but one unpack, one slice and one tuple: it sets the pace of a replay.
"""

from __future__ import annotations

import struct

from monitor.records import Frame

HEADER_SIZE = 24
RECORD_LIMIT = 16 << 20  # octets of one frame; a longer one is a length that lies. tcpdump itself stops at 262,144

# magic as it stands in the file -> byte order, nanoseconds of a unit of the second time field, size of a record header
MAGICS = {
    struct.pack(order + "I", magic): (order, unit, size)
    for order in "<>"
    for magic, unit, size in ((0xA1B2C3D4, 1000, 16), (0xA1B23C4D, 1, 16), (0xA1B2CD34, 1000, 24))
}

_new = tuple.__new__  # a NamedTuple without its keyword handling: a third of the time


class Pcap:
    """The records that follow the header `head` (HEADER_SIZE octets, its magic in MAGICS)."""

    def __init__(self, head: bytes) -> None:
        order, self._unit, self._header_size = MAGICS[head[:4]]
        (link,) = struct.unpack_from(order + "I", head, 20)
        self._link = link & 0xFFFF  # the upper half says how long a frame check sequence each frame ends with
        self._unpack = struct.Struct(order + "IIII").unpack_from

    def walk(self, octets: bytes, at: int, limit: int) -> tuple[list[Frame], int, str]:
        """At most `limit` whole frames of `octets` from `at` on; where the next begins; what is wrong there, or ""."""
        frames: list[Frame] = []
        link, unit, header_size, unpack = self._link, self._unit, self._header_size, self._unpack
        size = len(octets)
        last = size - header_size
        while at <= last and len(frames) < limit:
            seconds, fraction, kept, wire_len = unpack(octets, at)
            begin = at + header_size
            end = begin + kept
            if end > size:
                if kept > RECORD_LIMIT:
                    return frames, at, f"a frame of {kept} octets is claimed, which cannot be"
                break
            frames.append(
                _new(
                    Frame,
                    (
                        seconds * 1_000_000_000 + fraction * unit,
                        link,
                        wire_len if wire_len > kept else kept,
                        octets[begin:end],
                        True,
                    ),
                )
            )
            at = end
        return frames, at, ""
