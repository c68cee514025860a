"""What streams of CONNECT carry (RFC 9113 section 8.5): connections of their own, of HTTP/1 perhaps.

Takes the payloads of their DATA frames, yields request heads.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from monitor.records import Flow, Limits, PlacedHead

if TYPE_CHECKING:
    from monitor.portable.http1 import Http1

MOST_TUNNELS = 16  # at a time; each keeps an unfinished head at the most
TUNNEL_BYTES = 1024  # of memory for each, in round figures


class Tunnel:
    __slots__ = ("behind", "http1", "kept", "position", "read")

    def __init__(self, http1: Http1, position: int) -> None:
        self.http1 = http1
        self.kept = bytearray()
        self.read = 0  # before what is kept
        self.position = self.behind = (
            position  # of the last part in the outer connection, and how much further on that is
        )

    def place(self, heads: list[PlacedHead]) -> list[PlacedHead]:
        """Where they stand in the outer connection; one of several parts stands in the last of them."""
        behind, first = self.behind, self.position
        places = [(max(each.start + behind, first), max(each.end + behind, first)) for each in heads]
        return [each._replace(start=start, end=end) for each, (start, end) in zip(heads, places, strict=True)]


class Tunnels:
    """Bounded by MOST_TUNNELS."""

    def __init__(self, limits: Limits, counts: MutableMapping[str, int], flow: Flow) -> None:
        self._limits, self._counts, self._flow = limits, counts, flow
        self._tunnels: dict[int, Tunnel] = {}

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return sum(TUNNEL_BYTES + len(tunnel.kept) + tunnel.http1.weight for tunnel in self._tunnels.values())

    def __contains__(self, stream: int) -> bool:
        return stream in self._tunnels

    def open(self, stream: int, position: int, midstream: bool = False) -> None:
        """A request of CONNECT went out there; what another one opened there has ended."""
        from monitor.portable.http1 import Http1  # late: HTTP/2 is one of its states

        if len(self._tunnels) >= MOST_TUNNELS:
            self._counts["shed.http2_streams"] += 1
            return
        http1 = Http1(self._limits, self._counts, self._flow, 0, midstream)
        http1.enter_tunnel()
        self._tunnels[stream] = Tunnel(http1, position)

    def feed(self, stream: int, octets: bytes, position: int, time_ns: int) -> list[PlacedHead]:
        """The heads that these octets complete, which stand at `position` of the outer connection."""
        tunnel = self._tunnels[stream]
        tunnel.position, tunnel.behind = position, position - tunnel.read - len(tunnel.kept)
        tunnel.kept += octets
        heads = tunnel.http1.feed(tunnel.kept, tunnel.read, time_ns)
        start = tunnel.http1.start
        tunnel.http1.keep(start)  # nothing is read again here
        del tunnel.kept[: start - tunnel.read]
        tunnel.read = start
        if tunnel.http1.hopeless:
            del self._tunnels[stream]
        return tunnel.place(heads)

    def end(self, stream: int) -> list[PlacedHead]:
        """Nothing follows there: what was seen of a head is read."""
        tunnel = self._tunnels.pop(stream, None)
        return [] if tunnel is None else tunnel.place(tunnel.http1.finish(tunnel.kept, tunnel.read))

    def cut(self) -> list[PlacedHead]:
        """Octets of the outer connection are missing, of these perhaps: all begin anew, in the middle."""
        places = [(stream, tunnel.position) for stream, tunnel in self._tunnels.items()]
        heads = [head for stream, _ in places for head in self.end(stream)]
        for stream, position in places:
            self.open(stream, position, midstream=True)
        return heads
