"""A few seconds of a live port, summed up: what a mirror delivers, for `doctor`.

Each frame is decoded and forgotten; only connections and the last few segments are remembered, both within bounds. When
more comes than plain Python can look at, whole reads are let pass: `looked_at` of `frames` says how much was seen.
"""

from __future__ import annotations

import struct
import time
from collections import OrderedDict

from monitor import counts
from monitor.portable.decode import Decoder
from monitor.portable.looks import Looks, looks_of
from monitor.portable.ring import Ring
from monitor.portable.source import ETHERNET
from monitor.records import Checksum, Frame, Interface, Limits, Segment, Survey

CONNECTIONS = 100_000
RECENT = 16_384  # segments that a copy is looked for among
COPY_NS = 50_000_000  # a second copy that a mirror makes comes this soon; a retransmission later
READ = 4096  # frames
TAGS = frozenset((0x8100, 0x88A8, 0x9100))
FRAME_HEADER = 14
QUIC_PORT = 443
# what carries a mirror or a subscriber's packets, by IP protocol and by UDP port
BY_PROTOCOL = {4: "ipip", 41: "6in4", 47: "gre", 50: "esp"}
BY_PORT = {
    2152: "gtpu", 4789: "vxlan", 8472: "vxlan", 6081: "geneve", 1701: "l2tp", 4341: "lisp", 6080: "gue", 37008: "tzsp",
    5247: "capwap",
}  # fmt: skip
BY_HEADERS = frozenset((*BY_PROTOCOL.values(), *BY_PORT.values()))
KINDS = {Looks.TLS: "tls", Looks.REQUEST: "http", Looks.RESPONSE: "http", Looks.HTTP2: "http"}
PPPOE = 0x8864  # RFC 2516 section 4
BOTH = 3  # of a connection's two directions, each a bit


class Surveyor:
    def __init__(self, port: str, mtu: int) -> None:
        self.survey = Survey(port, mtu, counts.zeros())
        self._decoder = Decoder(Limits(), self.survey.counts)
        self._ways: dict[tuple[object, ...], int] = {}
        self._kinds: dict[tuple[object, ...], str] = {}
        self._recent: OrderedDict[int, int] = OrderedDict()  # hash of a segment -> time

    def feed(self, frame: Frame) -> None:
        survey = self.survey
        survey.looked_at += 1
        survey.longest = max(survey.longest, frame.wire_len)
        is_pppoe = self._look_at_headers(frame)
        found = self._decoder.feed(frame)
        if isinstance(found, Segment):
            survey.tcp += 1
            survey.bad_checksums += found.checksum is Checksum.BAD
            for kind, _ in found.flow.path:
                if kind not in BY_HEADERS:
                    survey.tunnels[kind] += 1
            self._look_at_segment(found)
        else:
            survey.tunnels["pppoe"] += is_pppoe

    def _look_at_headers(self, frame: Frame) -> bool:
        """Whether this is PPPoE; that of segments is counted by their path."""
        survey, octets, at = self.survey, frame.data, 12
        if frame.link != ETHERNET or len(octets) < FRAME_HEADER + 20:
            return False
        kind, tags = int.from_bytes(octets[at : at + 2], "big"), 0
        while kind in TAGS and len(octets) >= at + 26:
            if not tags:
                survey.vlans[int.from_bytes(octets[at + 2 : at + 4], "big") & 0xFFF] += 1
            at, tags = at + 4, tags + 1
            kind = int.from_bytes(octets[at : at + 2], "big")
        survey.stacked_tags += tags > 1
        survey.giants += frame.wire_len > survey.mtu + FRAME_HEADER + 4 * tags
        if kind in (0x8847, 0x8848):
            survey.tunnels["mpls"] += 1
        if kind != 0x0800:
            return kind == PPPOE
        ip = at + 2
        survey.lengthless += octets[ip + 2 : ip + 4] == b"\0\0"
        protocol, inner = octets[ip + 9], ip + 4 * (octets[ip] & 15)
        if tunnel := BY_PROTOCOL.get(protocol):
            survey.tunnels[tunnel] += 1
        elif protocol == 17 and len(octets) >= inner + 8:
            sport, dport = struct.unpack_from("!HH", octets, inner)
            if tunnel := BY_PORT.get(dport):
                survey.tunnels[tunnel] += 1
            elif QUIC_PORT in (sport, dport):
                survey.kinds["quic"] += len(octets) - inner - 8
        return False

    def _look_at_segment(self, segment: Segment) -> None:
        survey, flow = self.survey, segment.flow
        near, far = (flow.src, flow.sport), (flow.dst, flow.dport)
        ends = (*min(near, far), *max(near, far))
        if ends in self._ways or len(self._ways) < CONNECTIONS:
            self._ways[ends] = self._ways.get(ends, 0) | (1 if near < far else 2)
            survey.connections = len(self._ways)
        if not segment.payload:
            return
        kind = self._kinds.get(ends)
        if kind is None or kind == "other":
            looks = looks_of(segment.payload)
            kind = KINDS.get(looks, "other")
            if len(self._kinds) < CONNECTIONS:
                self._kinds[ends] = kind
        survey.kinds[kind] += len(segment.payload)
        survey.payloads += 1
        mark = hash((ends, segment.seq, segment.flags, segment.payload))
        if segment.time_ns - self._recent.pop(mark, -COPY_NS) < COPY_NS:
            survey.copies += 1
        self._recent[mark] = segment.time_ns
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def finish(self) -> Survey:
        self.survey.both_ways = sum(way == BOTH for way in self._ways.values())
        return self.survey


def survey(port: str, mtu: int, seconds: float) -> Survey:
    """Reads the port for so long. Raises SourceError as Ring does."""
    surveyor = Surveyor(port, mtu)
    summed = surveyor.survey
    ring = Ring(Interface((port,)), summed.counts)
    try:
        begun = time.monotonic()
        busy = 0.0
        while (passed := time.monotonic() - begun) < seconds:
            frames = ring.read(READ, min(0.1, seconds - passed))
            if busy > passed * 0.8 and len(frames) == READ:
                continue  # more than we can look at: this read passes
            looking = time.monotonic()
            for frame in frames:
                surveyor.feed(frame)
            busy += time.monotonic() - looking
        ring.note()
    finally:
        ring.close()
    summed.seconds = time.monotonic() - begun
    summed.frames, summed.octets = summed.counts["frames"], summed.counts["frame_bytes"]
    return surveyor.finish()
