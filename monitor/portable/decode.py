"""Frames in, TCP segments out: through every link type, tag, tunnel and IP header that an operator mirrors.

Each frame has exactly one fate: it is a Segment (`segments`), a Fragment that `defrag` keeps and counts, or skipped for
one named reason; a Message is skipped as `not_tcp` and handed on all the same. No state: the same frame always has the
same fate.

    frames + second_readings == segments + sum(skipped)

Depth counts tunnel, tag, SNAP and IP headers, a stack of MPLS labels as one, IPv6 extension headers as none; a datagram
put together counts as one more, so fragments within fragments come to an end.
"""

from __future__ import annotations

import struct

from monitor.portable.framing import LINKS
from monitor.portable.internet import PROTOCOLS, payload
from monitor.portable.packet import Packet, Skip, Step
from monitor.portable.tunnels import INSIDE_IP
from monitor.records import Checksum, Datagram, Fragment, Frame, Limits, Message, Segment

PROTOCOLS.update(INSIDE_IP)  # what an IP packet holds may hold IP packets: here the circle closes
BLIND = frozenset((Skip.UNKNOWN_LINK, Skip.TRUNCATED, Skip.ENCRYPTED, Skip.UNKNOWN_TUNNEL, Skip.DEPTH))


class Decoder:
    def __init__(self, limits: Limits, counts: dict[str, int], ports: frozenset[int] = frozenset()) -> None:
        self._deepest = limits.encapsulations
        self.ports = ports  # Watch.ports
        self._counts = counts
        self.skipped = ""  # why the latest frame that became no segment did not

    def feed(self, frame: Frame) -> Segment | Fragment | Message | None:
        """The segment, fragment or message in this frame; None where there is neither, which is counted."""
        time_ns, link, wire_len, octets, checksum_ready = frame
        packet = Packet(time_ns, octets, max(0, wire_len - len(octets)), checksum_ready, self.ports)
        return self._walk(packet, LINKS.get(link, Skip.UNKNOWN_LINK) if octets else Skip.EMPTY)

    def datagram(self, datagram: Datagram) -> Segment | Fragment | Message | None:
        """The same for what `defrag` put together.

        No network card fills in a checksum behind fragments: one that is bad says that these may be of several
        datagrams of one number, of which other fragments were lost.
        """
        packet = Packet(datagram.time_ns, datagram.data, datagram.missing, True, self.ports)
        packet.src, packet.dst, packet.protocol = datagram.src, datagram.dst, datagram.protocol
        packet.path, packet.depth, packet.oddities = datagram.path, datagram.depth + 1, datagram.oddities
        found = self._walk(packet, payload)
        if isinstance(found, Segment) and found.checksum is Checksum.BAD and "frag_overlap" not in found.oddities:
            return found._replace(oddities=(*found.oddities, "frag_mixed"))
        return found

    def _walk(self, packet: Packet, step: Step) -> Segment | Fragment | Message | None:
        try:
            while callable(step):
                step = step(packet) if packet.depth <= self._deepest else Skip.DEPTH
        except struct.error:
            step = Skip.TRUNCATED if packet.missing else Skip.MALFORMED
        if isinstance(step, Segment):
            self._counts["segments"] += 1
        elif isinstance(step, Message):
            self._counts["messages"] += 1
            self._counts["skipped.not_tcp"] += 1
            self.skipped = Skip.NOT_TCP
        elif isinstance(step, Skip):
            self.skipped = step
            self._counts["skipped." + step] += 1
            if step in BLIND:
                self._counts["blind." + step] += 1
            return None
        return step
