"""The half-streams of all connections: takes Segments of both directions, yields RequestHeads that are settled.

Only what a client sends is put together and read. The other direction is looked at for acknowledgements alone. Nothing
is kept of a connection before its first payload but the number that its SYN announced, in a table of fixed size: a
flood of SYNs costs nothing. A half-stream that does not begin like HTTP is opaque: a small entry, whose segments are
looked at again where they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop

from dpkt.tcp import TH_ACK, TH_FIN, TH_RST, TH_SYN

from monitor.portable.client import Client, first_byte, urgent_pointer
from monitor.portable.clients import NOTHING
from monitor.portable.halves import HalfStream
from monitor.portable.looks import Looks, may_begin_request
from monitor.portable.memory import Memory
from monitor.records import PlacedHead, RequestHead, Segment

ENDS = TH_FIN | TH_RST
STEP_NS = 600_000_000_000  # of the capture clock; more at once is no passing of time, or nothing passed the tap
SWEEP_NS = 1_000_000_000  # between two looks for half-streams that have been silent for long
SWEEP_SHARE = 64  # one in so many half-streams is looked at then, and at least so many


class Streams(Memory):
    def feed(self, segment: Segment) -> Sequence[RequestHead]:
        """The heads that this segment settles, of either direction, behind those that were due before it."""
        self._is_new = False
        heads = self._feed(segment)
        if self._is_new and (half := self._halves.find(segment.flow)) is not None:
            heads = [*heads, *self._admit(half)]
        while self._memory > self._limits.memory_bytes and self._halves:
            heads = [*heads, *self._shed_memory(self._halves.find(segment.flow))]
        return heads

    def _feed(self, segment: Segment) -> Sequence[RequestHead]:
        time_ns, flow, flags, payload = segment.time_ns, segment.flow, segment.flags, segment.payload
        heads: Sequence[RequestHead] = NOTHING
        if time_ns > self._latest_ns:
            self._advance(time_ns)
            if self._now_ns >= self._sweep_ns or (self._due and self._due[0][0] <= self._now_ns):
                heads = self._expire()
        half = self._halves.find(flow)
        if half is None:
            met = self._meet(segment)
            return [*heads, *met] if heads else met
        half.last_ns = self._now_ns
        peer = half.peer
        if peer is not None and flags & TH_ACK:
            self._note_acknowledged(peer, segment)
            if peer.client is not None and peer.awaits:
                heads = [*heads, *self._acknowledge(peer, peer.client, segment)]
        if flags & TH_SYN:
            self._begin_again(half, segment)
            if flags & TH_ACK:
                self._note_answered(peer, segment)
        if (payload or segment.missing) and not flags & TH_RST:
            half.closing_ns = 0
            self._counts["payload_bytes"] += len(payload)
            fresh = self._note_sent(half, segment)
            if half.client is not None:
                heads = [*heads, *self._take(half, half.client, segment)]
            else:
                is_copy = not fresh
                if half.looks is Looks.OTHER and may_begin_request(payload):
                    heads = [*heads, *self._open(half, segment)]
                elif half.looks is not Looks.OTHER and self._is_misjudged(half, segment):
                    heads = [*heads, *self._open_doubtful(half, segment)]
                else:
                    self._counts["duplicates"] += is_copy
                    self._fate("duplicate" if is_copy else half.looks)
            self._counts["http_bytes"] += max(0, fresh - segment.missing) if half.client is not None else 0
        elif payload:
            self._fate("reset")
        elif flags & TH_FIN:
            self._note_sent(half, segment)
        elif segment.urgent and half.client is not None:
            urged = half.client.announce_urgent(urgent_pointer(segment), self._now_ns)
            heads = [*heads, *self._after(half, half.client, urged)]
        if flags & ENDS:
            self._close(half, segment)
        return heads

    def _close(self, half: HalfStream, segment: Segment) -> None:
        if not half.closing_ns:
            if half.client is not None and segment.flags & TH_FIN:
                half.client.close(segment)
            half.closing_ns = self._now_ns
            self._wake_at(half, self._now_ns + self._limits.gap_ns)

    def expire(self, now_ns: int) -> Sequence[RequestHead]:
        """What is due at `now_ns` of the capture clock.

        `feed` sees to this by itself, so in a replay nothing depends on how many frames were read at a time; a live
        port that falls silent needs to be told the time.
        """
        self._advance(now_ns)
        return self._expire()

    def due_in_ns(self) -> int | None:
        """How long of the capture clock until something that waits is due; None: nothing does."""
        return max(0, self._due[0][0] - self._now_ns) if self._due else None

    def _advance(self, time_ns: int) -> None:
        """Dates are kept by a clock of our own: a step of the capture clock, in either direction, changes little."""
        if time_ns > self._latest_ns:
            self._now_ns += min(time_ns - self._latest_ns, STEP_NS)
            self._latest_ns = time_ns

    def _expire(self) -> list[RequestHead]:
        heads: list[RequestHead] = []
        while self._due and self._due[0][0] <= self._now_ns:
            wake_ns, _, half = heappop(self._due)
            if wake_ns == half.wake_ns:
                half.wake_ns = 0
                heads += self._wake(half)
        if self._now_ns >= self._sweep_ns:
            self._sweep_ns = self._now_ns + SWEEP_NS
            heads += self._sweep()
            if not self._is_full_of_beginnings:
                self._admission.relax()
        self._counts["not_admitted_permille"] = self._admission.refused_permille
        self._counts["half_streams"] = len(self._halves)
        self._counts["memory_bytes.memory"] = self._memory
        self._counts["memory_bytes.hold"] = self._held
        return heads

    def _sweep(self) -> list[RequestHead]:
        """Forget the half-streams that have been silent for long, as far as one look finds them."""
        heads: list[RequestHead] = []
        silent_ns = self._now_ns - self._limits.idle_ns
        for _ in range(min(len(self._halves), max(SWEEP_SHARE, len(self._halves) // SWEEP_SHARE))):
            half = next(iter(self._halves))
            if half.last_ns <= silent_ns:
                heads += self._forget(half)
            else:
                self._halves.renew(half)
        return heads

    def finish(self, now_ns: int) -> Sequence[RequestHead]:
        """The capture is over."""
        self._advance(now_ns)
        heads = [head for half in list(self._halves) for head in self._forget(half)]
        for gauge in ("half_streams", "memory_bytes.memory", "memory_bytes.hold", "not_admitted_permille"):
            self._counts[gauge] = 0
        return heads

    def _meet(self, segment: Segment) -> Sequence[RequestHead]:
        """A segment of a flow of which nothing is kept."""
        flow, flags, payload = segment.flow, segment.flags, segment.payload
        heads: Sequence[RequestHead] = NOTHING
        peer = self._halves.peer_of(flow)
        if peer is not None and peer.client is not None and flags & TH_ACK:
            heads = self._acknowledge(peer, peer.client, segment)
        if peer is not None and flags & TH_ACK:
            self._note_acknowledged(peer, segment)
        if flags & TH_SYN and not (payload and self._is_disputed(segment)):
            self._note_origin(segment)
            if flags & TH_ACK:
                self._note_answered(peer, segment)
        if not payload or flags & TH_RST:
            if flags & ENDS == TH_FIN:
                self._origins.ended(segment)
            if segment.urgent:
                self._origins.announced(segment)
            self._fate("reset")
            self._counts["blind.snaplen"] += bool(segment.missing)
            return heads
        self._counts["payload_bytes"] += len(payload)
        evicted: Sequence[RequestHead] = NOTHING
        if len(self._halves) >= self._limits.half_streams:
            evicted = self._make_room(is_new=peer is None)
            peer = self._halves.peer_of(flow)  # it may have been the one
        half = HalfStream(flow, self._origins.met(segment), self._now_ns)
        self._is_new = peer is None
        self._with_holes += half.sent.holes is not None
        self._halves.enter(half, peer)
        fresh = self._note_sent(half, segment)
        opened = self._open(half, segment)
        self._counts["http_bytes"] += max(0, fresh - segment.missing) if half.client is not None else 0
        if flags & TH_FIN:
            self._close(half, segment)
        return [*heads, *evicted, *opened]

    def _note_sent(self, half: HalfStream, segment: Segment) -> int:
        """How many of its bytes are new; what stands before them and was not seen counts as lost until it comes."""
        had_holes = half.sent.holes is not None
        fresh = half.sent.take(first_byte(segment), len(segment.payload) + segment.missing, self._counts)
        self._with_holes += half.sent.holes is not None and not had_holes
        return fresh

    def _note_acknowledged(self, half: HalfStream, segment: Segment) -> None:
        if not segment.flags & TH_RST:
            had_holes = half.sent.holes is not None
            half.sent.acknowledge(segment.ack, self._counts)
            self._with_holes += half.sent.holes is not None and not had_holes

    def _wake(self, half: HalfStream) -> Sequence[RequestHead]:
        closing_ns = half.closing_ns + self._limits.gap_ns
        if half.closing_ns and closing_ns <= self._now_ns:
            if not any(client.amid_head for client in half.clients):
                return self._forget(half)
            half.closing_ns = 0  # a decoy perhaps: what was seen of the head counts, and what follows is read
            return self._each(half, lambda client: client.part(self._now_ns))
        if half.closing_ns:
            self._wake_at(half, closing_ns)
        return self._each(half, lambda client: client.expire(self._now_ns))

    def _each(self, half: HalfStream, act: Callable[[Client], list[PlacedHead]]) -> Sequence[RequestHead]:
        """Each client of a half-stream does something."""
        heads: Sequence[RequestHead] = NOTHING
        for _ in half.clients:
            if half.client is not None:
                heads = [*heads, *self._after(half, half.client, act(half.client))]
            half.turn()
        return heads
