"""Where the walk through one frame stands: what the layers of `decode` hand from one to the next.

A layer takes a Packet whose `octets` begin with its header. It says what follows: the next layer, with `octets` moved
past the header, or the end of the walk as a Segment, a Fragment, a Message or the reason for which there is nothing to
read.

`octets` hold no more than the layer may read, so a length that lies cannot lead outside the capture: it ends in
struct.error, which the walk takes as "this header is not whole".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from monitor.records import Fragment, Message, Segment


class Skip(StrEnum):
    """Why a frame did not become a segment: counts.SKIPPED."""

    EMPTY = "empty"
    UNKNOWN_LINK = "unknown_link"
    NOT_IP = "not_ip"
    NOT_TCP = "not_tcp"
    FRAGMENT = "fragment"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    ENCRYPTED = "encrypted"
    TUNNEL_CONTROL = "tunnel_control"
    UNKNOWN_TUNNEL = "unknown_tunnel"
    DEPTH = "depth"


class Packet:
    __slots__ = (
        "checksum_ready", "depth", "dst", "missing", "octets", "oddities", "path", "ports", "protocol", "src",
        "time_ns",
    )  # fmt: skip

    def __init__(self, time_ns: int, octets: bytes, missing: int, checksum_ready: bool, ports: frozenset[int]) -> None:
        self.time_ns = time_ns
        self.checksum_ready = checksum_ready
        self.octets = octets  # from the header of the present layer on
        self.missing = missing  # bytes that follow `octets` on the wire and that the capture did not keep
        self.depth = 0  # tunnel, tag and IP headers so far
        self.path: tuple[tuple[str, int], ...] = ()
        self.oddities: tuple[str, ...] = ()
        self.src = self.dst = b""  # of the innermost IP header so far
        self.ports = ports  # Watch.ports
        self.protocol = 0  # that the innermost IP header names

    def enter(self, header: int, length: int | None = None) -> None:
        """Step over a header that counts for the depth into its payload of `length` bytes, or all there is.

        What lies beyond is padding. A payload longer than the frame is one that was cut on its way here: by the snap
        length, or by a mirror that truncates and says so nowhere.
        """
        octets = self.octets
        if length is None:
            self.octets = octets[header:]
        else:
            end = header + length
            self.octets = octets[header:end]
            self.missing = end - len(octets) if end > len(octets) else 0
        self.depth += 1


class Layer(Protocol):
    def __call__(self, packet: Packet, /) -> Step: ...


Step = Layer | Segment | Fragment | Message | Skip
