"""What the two sources, `capture` and `ring`, have in common: link types and the count of frames.

Link types are the numbers of tcpdump.org/linktypes. READABLE are those that `decode` knows: a source of any other says
so at once, by its name, instead of leaving a growing count to be found.
"""

from __future__ import annotations

from operator import attrgetter

from monitor.records import Frame

NULL, ETHERNET, PPP, PPP_HDLC, RAW, LOOP, SLL, IPV4, IPV6, SLL2 = 0, 1, 9, 50, 101, 108, 113, 228, 229, 276
RAW_12, RAW_14 = 12, 14  # DLT_RAW of most systems and of OpenBSD: written by programs that do not translate it
CISCO_HDLC, WLAN, RADIOTAP, NFLOG = 104, 105, 127, 239
READABLE = frozenset(
    (NULL, ETHERNET, PPP, PPP_HDLC, CISCO_HDLC, RAW, RAW_12, RAW_14, LOOP, SLL, SLL2, IPV4, IPV6, WLAN, RADIOTAP, NFLOG)
)

_wire_len, _octets = attrgetter("wire_len"), attrgetter("data")


def count_frames(counts: dict[str, int], frames: list[Frame]) -> None:
    counts["frames"] += len(frames)
    counts["frame_bytes"] += sum(map(_wire_len, frames))
    counts["captured_bytes"] += sum(map(len, map(_octets, frames)))
