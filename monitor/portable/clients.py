"""What a half-stream that speaks HTTP does with its segments, within its window and outside, and what it may hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heappush

from dpkt.tcp import TH_ACK, TH_SYN

from monitor.portable.admission import Admission
from monitor.portable.beginnings import Beginnings
from monitor.portable.client import Client, first_byte
from monitor.portable.doubts import Doubt
from monitor.portable.ended import Ended
from monitor.portable.halves import HalfStream, Halves
from monitor.portable.heads import Heads
from monitor.portable.looks import Looks, looks_of
from monitor.portable.origins import Origins
from monitor.portable.parts import Parts
from monitor.portable.trace import Tracer
from monitor.records import Checksum, Flow, Limits, PlacedHead, RequestHead, Segment

NOTHING: tuple[RequestHead, ...] = ()
OF_FRAGMENTS = frozenset(("frag_overlap", "frag_mixed"))  # whatever their checksum is
UNSENT_BYTES = 256 * 1024  # an acknowledgement so far beyond what was seen is no loss of the capture
BEGINNINGS = (Looks.REQUEST, Looks.HTTP2)


class Clients(ABC):
    def __init__(self, limits: Limits, counts: dict[str, int], parts: Parts, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._limits = limits
        self._counts = counts
        self._parts = parts
        self._now_ns = 0
        self._latest_ns = 0  # of the capture clock
        self._halves = Halves(counts)
        self._ended = Ended(counts)
        self._heads = Heads(counts, self._halves, self._ended, tracer)
        self._origins = Origins(counts)
        self._beginnings = Beginnings(counts)
        self._due: list[tuple[int, int, HalfStream]] = []  # heap
        self._sweep_ns = 0  # when the next look for silent ones is due
        self._pushed = 0
        self._holding: OrderedDict[HalfStream, int] = OrderedDict()  # bytes held by each, longest since first
        self._held = 0
        self._used = 0  # bytes of memory that all clients take
        self._begun = 0  # those that clients take whose first head has only begun
        self._with_holes = 0  # half-streams that something of was not seen
        self._admission = Admission(limits.sampling_key)
        self._is_new = False  # this segment began the first half-stream of a connection

    @abstractmethod
    def _open(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """A half-stream without a client: does one begin with this segment?"""

    def _take(self, half: HalfStream, client: Client, segment: Segment) -> Sequence[RequestHead]:
        window = self._limits.window_bytes
        seq = first_byte(segment)
        ahead = client.distance(seq)
        near = -window <= ahead <= window
        aside = half.aside
        if aside is not None and ahead:
            besides = aside.client.distance(seq)
            is_its = not near or (client.begins_behind(ahead) and not aside.client.begins_behind(besides))
            if abs(besides) <= (window if is_its else 0):
                half.turn()
                return self._take(half, aside.client, segment)
        began = self._announced(half, seq, near=near)
        if began >= 0 and (not near or client.gives_way_to(ahead, segment.payload, is_first=seq == began)):
            if half.closing_ns and client.idle and not client.amid:
                self._origins.remember(half.flow, began, half.side)
                return self._restart(half, segment)
            looks = looks_of(segment.payload, seq != began)
            begins = looks in BEGINNINGS or looks is Looks.PART
            if begins and (near or not self._fits(half.far, segment)):
                return self._read_beside(half, segment, began, looks)
        if not near:
            return self._take_far(half, client, segment)
        if ahead >= 0:
            half.far = None
        return self._after(half, client, client.take(segment, self._doubt(half, segment), self._now_ns))

    def _announced(self, half: HalfStream, seq: int, *, near: bool) -> int:
        """Where another SYN said that a connection begins that this sequence number fits; below 0: nowhere.

        Of several in a row the latest one counts; `near` or not tells whether a client has room for the bytes.
        """
        window = self._limits.window_bytes
        if half.reborn >= 0 and seq - half.reborn & 0xFFFFFFFF <= window:
            return half.reborn
        if not near:
            known = self._origins.look(half.flow)
            for each in (known.seq, known.other):
                if each >= 0 and seq - each & 0xFFFFFFFF <= window and not half.begins_at(each):
                    return each
        return -1

    def _take_far(self, half: HalfStream, client: Client, segment: Segment) -> Sequence[RequestHead]:
        """Out of the window: not believed before another segment follows on it, or the peer acknowledges it."""
        self._counts["rejected.out_of_window"] += 1
        self._fate("out_of_window")
        far, half.far = half.far, segment
        moved = self._move_window(half, far, segment) if far is not None and self._fits(far, segment) else None
        return self._after(half, client, []) if moved is None else moved

    def _fits(self, far: Segment | None, segment: Segment) -> bool:
        """Whether a segment bears out one that came before it, out of the window."""
        return far is not None and segment.seq - far.seq - len(far.payload) & 0xFFFFFFFF <= self._limits.window_bytes

    def _move_window(self, half: HalfStream, *segments: Segment) -> Sequence[RequestHead] | None:
        """Begin at the first of these segments that looks like a request, and put the client aside that is here.

        None: none does, and nothing happened.
        """
        for at, segment in enumerate(segments):  # noqa: B007 (used behind the loop)
            looks = looks_of(segment.payload)
            if looks in BEGINNINGS or (looks is Looks.PART and not half.opaque):
                break
        else:
            return None
        self._counts["blind.gap"] += 1
        heads = self._put_aside(half)
        half.origin = first_byte(segment)
        half.client = self._client(half, looks, placed=False)
        for each in segments[at:]:
            if half.client is not None:
                heads = [*heads, *self._take(half, half.client, each)]
        return heads

    def _put_aside(self, half: HalfStream) -> Sequence[RequestHead]:
        """The client that is here makes room; if there is another one aside, the lesser of them ends."""
        heads: Sequence[RequestHead] = NOTHING
        if half.aside is not None:
            self._counts["shed.windows"] += 1
            if half.client is not None and half.aside.client.standing <= half.client.standing:
                half.turn()
            heads = self._finish(half)
        half.put_aside()
        return heads

    def _read_beside(self, half: HalfStream, segment: Segment, began: int, looks: Looks) -> Sequence[RequestHead]:
        """What another SYN announced: perhaps a decoy, so the client that is here is read on as well."""
        heads = self._put_aside(half)
        half.origin = began
        if half.reborn == began:
            half.reborn = -1
        half.client = self._client(half, looks, placed=True)
        return [*heads, *self._take(half, half.client, segment)]

    def _restart(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """The same addresses and ports, but not the same bytes: finish, and begin with this segment."""
        heads: Sequence[RequestHead] = NOTHING
        while half.client is not None:
            heads = [*heads, *self._finish(half)]
        half.reborn = -1
        return [*heads, *self._open(half, segment)]

    def _client(self, half: HalfStream, looks: Looks, *, placed: bool) -> Client:
        half.looks = looks if looks is Looks.HTTP2 else half.looks
        return Client(
            self._limits, self._counts, half.flow, self._parts, half.origin, placed=placed,
            midstream=not placed and looks is Looks.PART, frames=looks is Looks.HTTP2, tracer=self._tracer,
        )  # fmt: skip

    def _finish(self, half: HalfStream) -> Sequence[RequestHead]:
        """Nothing follows of a client."""
        client = half.client
        if client is None:
            return NOTHING
        heads = self._publish(half, client.finish(self._now_ns))
        client.end("" if client.spoke else half.looks)
        half.end_client()
        self._account(half)
        return heads

    def _doubt(self, half: HalfStream, segment: Segment) -> Doubt | None:
        if segment.checksum is Checksum.BAD and OF_FRAGMENTS.isdisjoint(segment.oddities):
            return Doubt.BAD_CHECKSUM
        if segment.flags & TH_SYN:
            return Doubt.SYN_DATA
        if not segment.flags & TH_ACK:
            return Doubt.NO_ACK
        src, sport, dst, dport, path = segment.flow
        back = Flow(dst, dport, src, sport, path)
        sent = half.peer.sent.end if half.peer is not None else self._origins.look(back).seq
        if sent >= 0 and UNSENT_BYTES < (segment.ack - sent & 0xFFFFFFFF) < 1 << 31:
            return Doubt.NO_ACK
        return None

    def _acknowledge(self, half: HalfStream, client: Client, segment: Segment) -> Sequence[RequestHead]:
        window, ack = self._limits.window_bytes, segment.ack
        if abs(client.distance(ack)) <= window:
            return self._after(half, client, client.acknowledge(segment, self._now_ns))
        aside = half.aside
        if aside is not None and abs(aside.client.distance(ack)) <= window:
            half.turn()
            return self._acknowledge(half, aside.client, segment)
        far = half.far
        if far is None or ack - far.seq - len(far.payload) & 0xFFFFFFFF:
            return NOTHING
        heads = self._move_window(half, far)
        if heads is None or half.client is None:
            return heads or NOTHING
        return [*heads, *self._acknowledge(half, half.client, segment)]

    def _after(self, half: HalfStream, client: Client, placed: list[PlacedHead]) -> Sequence[RequestHead]:
        """Whatever happened to a client: keep the bounds, and its next date."""
        heads = self._publish(half, placed) if placed else NOTHING
        while half.held > half.may_hold:
            heads = [*heads, *self._shed(half, Client.make_room)]
        self._account(half)
        while self._held > self._limits.hold_bytes:
            oldest = next(iter(self._holding))
            heads = [*heads, *self._shed(oldest, Client.shed)]
            if oldest.client is not None:
                heads = [*heads, *self._after(oldest, oldest.client, [])]
        if client.hopeless and half.client is client and not half.awaits:
            self._count_opaque(half, Looks.RESPONSE if half.looks is Looks.HTTP2 and not half.opaque else half.looks)
        if dates := [each.wake_ns for each in half.clients if each.wake_ns is not None]:
            self._wake_at(half, min(dates))
        return heads

    def _account(self, half: HalfStream) -> None:
        held = half.held
        if held:
            self._held += held - self._holding.get(half, 0)
            self._holding[half] = held
        elif half in self._holding:
            self._held -= self._holding.pop(half)
        weight = half.weight
        self._used += weight - half.accounted
        half.accounted = weight
        begun = weight if half.client is not None and half.client.torn else 0
        self._begun += begun - half.begun
        half.begun = begun

    def _shed(self, half: HalfStream, act: Callable[[Client, int], list[PlacedHead]]) -> Sequence[RequestHead]:
        """Hold less: give up what lies outside of the window; then the client does something about what waits."""
        self._counts["shed.hold"] += 1
        if half.far is not None:
            half.far = None
            return NOTHING
        if half.aside is not None:
            self._counts["shed.windows"] += 1
            half.turn()
            return self._finish(half)
        return self._publish(half, act(half.client, self._now_ns)) if half.client is not None else NOTHING

    def _publish(self, half: HalfStream, placed: list[PlacedHead]) -> list[RequestHead]:
        heads = self._heads.publish(half, placed, self._now_ns)
        if heads and (peer := half.peer) is not None and peer.client is not None and not peer.client.spoke:
            self._count_opaque(peer, Looks.RESPONSE)
        return heads

    def _count_opaque(self, half: HalfStream, looks: Looks) -> None:
        if half.client is not None:
            half.client.end(looks)
        half.end_client()
        self._account(half)
        half.looks = looks
        if not half.opaque:
            half.opaque = True
            self._counts[f"opaque_streams.{looks}"] += 1

    def _wake_at(self, half: HalfStream, wake_ns: int) -> None:
        if not half.wake_ns or wake_ns < half.wake_ns:
            half.wake_ns = wake_ns
            self._pushed += 1
            heappush(self._due, (wake_ns, self._pushed, half))

    def _fate(self, what: str) -> None:
        if self._tracer is not None:
            self._tracer.fate(what)
