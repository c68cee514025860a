"""Which new connections are kept while memory is full of heads that have only begun: a share, by a keyed hash.

Whoever floods a sensor with beginnings cannot make it tear those of others: what is kept is read on, and of what is new
a share is kept that halves with every so many for which there was no room, and comes back as memory does. A connection
is kept whole or not at all: the hash is that of both ends, so it says the same of each segment and of both directions.
"""

from __future__ import annotations

import hashlib
from typing import Final

from monitor.records import Flow

STRAIN = 64  # new connections without room that halve the share
MOST_HALVINGS = 6  # then one in 64 is kept
LIVELY_NS: Final = 10_000_000_000  # whoever was silent for longer makes room for others all the same


class Admission:
    """The share of new connections that is kept."""

    def __init__(self, key: int) -> None:
        self._key = key.to_bytes(8, "big")
        self._strain = 0

    @property
    def refused_permille(self) -> int:
        """Of a thousand new connections, how many are not kept."""
        return 1000 - (1000 >> self._halvings)

    def admits(self, flow: Flow) -> bool:
        """Whether a new connection with these ends is kept."""
        if not self._strain:
            return True
        ends = sorted((address.ljust(16, b"\0"), port.to_bytes(2, "big")) for address, port in (flow[:2], flow[2:4]))
        hashed = hashlib.sha256(self._key + b"".join(map(b"".join, ends)), usedforsecurity=False).digest()
        return int.from_bytes(hashed[:4], "big") < 1 << 32 >> self._halvings

    def refuse(self) -> None:
        """There was no room for a new one, but by tearing another."""
        self._strain = min(self._strain + 1, STRAIN * MOST_HALVINGS)

    def ease(self) -> None:
        """There was room."""
        self._strain = max(0, self._strain - 1)

    def relax(self) -> None:
        """A while has passed, and there is room."""
        self._strain //= 2

    @property
    def _halvings(self) -> int:
        return -(-self._strain // STRAIN)
