"""The half-streams of all connections: takes Segments of both directions, yields RequestHeads that are settled.

Only what a client sends is put together and read. The other direction is looked at for acknowledgements alone. Nothing
is kept of a connection before its first payload but the number that its SYN announced, in a table of fixed size: a
flood of SYNs costs nothing. A half-stream that does not begin like HTTP is opaque: a small entry, whose segments are
looked at again where they begin.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from dpkt.tcp import TH_ACK, TH_FIN, TH_RST, TH_SYN

from monitor.portable.admission import LIVELY_NS, Admission
from monitor.portable.beginnings import Beginnings
from monitor.portable.client import Client, first_byte, urgent_pointer
from monitor.portable.doubts import Doubt
from monitor.portable.ended import Ended
from monitor.portable.halves import HalfStream, Halves
from monitor.portable.heads import Heads
from monitor.portable.looks import Looks, looks_of, may_begin_request, surely_begins_request
from monitor.portable.losses import HOLES_BYTES
from monitor.portable.origins import Origins, Side
from monitor.portable.parts import Parts
from monitor.portable.trace import Tracer
from monitor.records import Checksum, Flow, Limits, PlacedHead, RequestHead, Segment

NOTHING: tuple[RequestHead, ...] = ()
ENDS = TH_FIN | TH_RST
OF_FRAGMENTS = frozenset(("frag_overlap", "frag_mixed"))  # whatever their checksum is
UNSENT_BYTES = 256 * 1024  # an acknowledgement so far beyond what was seen is no loss of the capture
STEP_NS = 600_000_000_000  # of the capture clock; more at once is no passing of time, or nothing passed the tap
SWEEP_NS = 1_000_000_000  # between two looks for half-streams that have been silent for long
SWEEP_SHARE = 64  # one in so many half-streams is looked at then, and at least so many
HALF_BYTES = 160  # what one takes that has no client, in round figures
FORGETTABLE = 8  # of which one makes room
LOOKS, MOST_LOOKS = 4, 16  # at so many of them, while each is amid something; while the first head of each is
BEGUN_SHARE = 4  # of the memory one part may be heads that have only begun: they will grow
LEAST_SPARE = 4096  # bytes kept for late copies that are worth dropping
OPAQUE = (Looks.RESPONSE, Looks.TLS, Looks.OTHER)
BEGINNINGS = (Looks.REQUEST, Looks.HTTP2)


class Streams:
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

    def feed(self, segment: Segment) -> Sequence[RequestHead]:
        """The heads that this segment settles, of either direction, behind those that were due before it."""
        self._is_new = False
        heads = self._feed(segment)
        if self._is_new and (half := self._halves.find(segment.flow)) is not None:
            heads = [*heads, *self._admit(half)]
        while self._memory > self._limits.memory_bytes and self._halves:
            heads = [*heads, *self._shed_memory(self._halves.find(segment.flow))]
        return heads

    @property
    def _memory(self) -> int:
        """Bytes of memory, about: counted alike by both engines."""
        return self._used + HALF_BYTES * len(self._halves) + HOLES_BYTES * self._with_holes

    def _feed(self, segment: Segment) -> Sequence[RequestHead]:
        time_ns, flow, _, ack, flags, payload, missing, _, _, _ = segment
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
                heads = [*heads, *self._acknowledge(peer, peer.client, ack)]
        if flags & TH_SYN:
            self._begin_again(half, segment)
        if (payload or missing) and not flags & TH_RST:
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
            self._counts["http_bytes"] += fresh if half.client is not None else 0
        elif payload:
            self._fate("reset")
        elif flags & TH_FIN:
            self._note_sent(half, segment)
        elif segment.urgent and half.client is not None:
            half.client.leave_urgent_out(urgent_pointer(segment))
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

    # --- beginning and end ----------------------------------------------------------------------------------------

    def _meet(self, segment: Segment) -> Sequence[RequestHead]:
        """A segment of a flow of which nothing is kept."""
        flow, flags, payload = segment.flow, segment.flags, segment.payload
        heads: Sequence[RequestHead] = NOTHING
        peer = self._halves.peer_of(flow)
        if peer is not None and peer.client is not None and flags & TH_ACK:
            heads = self._acknowledge(peer, peer.client, segment.ack)
        if peer is not None and flags & TH_ACK:
            self._note_acknowledged(peer, segment)
        if flags & TH_SYN:
            self._note_origins(segment)
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
        self._counts["http_bytes"] += fresh if half.client is not None else 0
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

    def _note_origins(self, segment: Segment) -> None:
        """Where a SYN says that this direction begins, and where its ACK says that the other one did."""
        src, sport, dst, dport, path = segment.flow
        side = Side.SERVER if segment.flags & TH_ACK else Side.CLIENT
        self._origins.remember(segment.flow, segment.seq + 1 & 0xFFFFFFFF, side)
        if segment.flags & TH_ACK:
            answered = Flow(dst, dport, src, sport, path)
            origin = self._origins.look(answered).seq
            if origin < 0 or segment.ack - origin & 0xFFFFFFFF > self._limits.window_bytes:
                self._origins.remember(answered, segment.ack, Side.CLIENT)

    def _open(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """A half-stream without a client: does one begin with this segment?"""
        window = self._limits.window_bytes
        seq, (origin, side, _, _, urgent) = first_byte(segment), self._origins.look(half.flow)
        half.side = side or half.side
        ahead = seq - origin & 0xFFFFFFFF
        placed = origin >= 0 and ahead <= window
        answers = self._is_answered(half)
        if answers and half.side is Side.UNKNOWN and surely_begins_request(segment.payload):
            return self._open_doubtful(half, segment)
        looks = Looks.RESPONSE if answers else looks_of(segment.payload, placed and ahead > 0)
        if looks in OPAQUE or (looks is Looks.HTTP2 and half.side is Side.SERVER):
            self._count_opaque(half, looks)
            self._fate(looks)
            return NOTHING
        if half.side is Side.SERVER:  # nobody asked it to ask
            return self._open_doubtful(half, segment)
        if origin >= 0:
            self._origins.forget(half.flow)
            if window < ahead <= 0xFFFFFFFF - window:
                self._counts["rejected.out_of_window"] += 1
                self._fate("out_of_window")
                return NOTHING
        half.origin = origin if placed else seq
        half.client = self._client(half, looks, placed=placed)
        if urgent >= 0:
            half.client.leave_urgent_out(urgent)
        return self._take(half, half.client, segment)

    def _client(self, half: HalfStream, looks: Looks, *, placed: bool) -> Client:
        half.looks = looks if looks is Looks.HTTP2 else half.looks
        return Client(
            self._limits, self._counts, half.flow, self._parts, half.origin, placed=placed,
            midstream=not placed and looks is Looks.PART, frames=looks is Looks.HTTP2, tracer=self._tracer,
        )  # fmt: skip

    def _open_doubtful(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """Here is a request where none was to be expected: whoever reads on from here will find more."""
        self._origins.forget(half.flow)
        pieces = self._beginnings.forget(half)
        half.origin = first_byte(segment)
        if pieces and half.origin - pieces[0].seq & 0xFFFFFFFF < 0x80000000:
            half.origin = pieces[0].seq
        half.client = Client(
            self._limits, self._counts, half.flow, self._parts, half.origin, placed=False, midstream=False,
            doubtful=True, tracer=self._tracer,
        )  # fmt: skip
        time_ns, flow, ack = segment.time_ns, segment.flow, segment.ack
        heads: Sequence[RequestHead] = NOTHING
        for seq, octets in pieces:
            before = Segment(time_ns, flow, seq, ack, TH_ACK, octets, 0, 0, Checksum.UNKNOWN, ())
            heads = [*heads, *self._take(half, half.client, before)]
        return [*heads, *self._take(half, half.client, segment)]

    def _is_answered(self, half: HalfStream) -> bool:
        """Whether the other direction has sent requests: then this one sends responses."""
        peer = half.peer
        return peer is not None and peer.client is not None and peer.client.spoke and half.side is not Side.CLIENT

    def _is_misjudged(self, half: HalfStream, segment: Segment) -> bool:
        """Whether a request begins in a half-stream that began with something else; in small segments perhaps."""
        if half.side is Side.SERVER or self._is_answered(half):
            return False
        if surely_begins_request(segment.payload):
            self._beginnings.forget(half)
            return True
        return self._beginnings.join(half, first_byte(segment), segment.payload)

    def _count_opaque(self, half: HalfStream, looks: Looks) -> None:
        if half.client is not None:
            half.client.end(looks)
        half.end_client()
        self._account(half)
        half.looks = looks
        if not half.opaque:
            half.opaque = True
            self._counts[f"opaque_streams.{looks}"] += 1

    def _begin_again(self, half: HalfStream, segment: Segment) -> None:
        """A SYN on a half-stream that is there: a copy, or the addresses and ports are used anew."""
        seq = segment.seq + 1 & 0xFFFFFFFF
        half.sent.begin_again(seq)
        if half.client is None:
            self._origins.remember(half.flow, seq, Side.SERVER if segment.flags & TH_ACK else Side.CLIENT)
            if not segment.flags & TH_ACK:
                half.looks = Looks.OTHER
        elif seq != half.origin and not half.client.may_begin_at(seq):
            half.reborn = seq  # believed when data follows: this SYN may never arrive

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

    def _wake_at(self, half: HalfStream, wake_ns: int) -> None:
        if not half.wake_ns or wake_ns < half.wake_ns:
            half.wake_ns = wake_ns
            self._pushed += 1
            heappush(self._due, (wake_ns, self._pushed, half))

    def _make_room(self, *, is_new: bool) -> Sequence[RequestHead]:
        """One goes, unless that would tear it and whoever comes `is_new`, and can be turned away."""
        self._counts["shed.half_streams"] += 1
        first, _ = self._first_to_go()
        if self._is_lively_and_torn(first):
            self._admission.refuse()
            if is_new:
                return NOTHING
        return self._let_go_of(first)

    def _shed_memory(self, at_hand: HalfStream | None) -> Sequence[RequestHead]:
        """What goes first: no HTTP; bodies kept for late copies; clients amid nothing; then one that is amid, but not
        in its first head while it goes on. At last whoever has just come; and if nobody has, the oldest of those."""
        first, among = self._first_to_go(at_hand)
        if first.client is not None:
            for half in among:
                if half.client is not None and half.client.spare > LEAST_SPARE:
                    self._counts["shed.bodies"] += 1
                    half.client.keep_least()
                    self._account(half)
                    return NOTHING
        if self._is_lively_and_torn(first):
            self._admission.refuse()
            if self._is_new and at_hand is not None:
                return self._turn_away(at_hand)
        self._counts["shed.memory"] += 1
        return self._let_go_of(first)

    @property
    def _is_full_of_beginnings(self) -> bool:
        return self._begun > self._limits.memory_bytes // BEGUN_SHARE

    def _admit(self, half: HalfStream) -> Sequence[RequestHead]:
        """A new one is kept, unless there is no place, or it has only begun, as too many have that still go on."""
        if len(self._halves) > self._limits.half_streams:
            return self._turn_away(half)
        if not half.begun:
            return NOTHING
        if not self._admission.admits(half.flow):
            return self._turn_away(half)
        if not self._is_full_of_beginnings:
            self._admission.ease()
            return NOTHING
        silent = next((each for each in self._oldest() if each.begun and not self._is_lively_and_torn(each)), None)
        if silent is None:
            self._admission.refuse()
            return self._turn_away(half)
        self._counts["shed.memory"] += 1
        return self._let_go_of(silent)

    def _turn_away(self, half: HalfStream) -> Sequence[RequestHead]:
        """What its first segment says counts, and nothing of it is kept."""
        self._counts["shed.new_flows"] += 1
        self._counts["not_admitted_permille"] = self._admission.refused_permille
        return self._forget(half)

    def _is_lively_and_torn(self, half: HalfStream) -> bool:
        """Whether it would be torn early if it went, and is not long silent."""
        is_torn = half.client is not None and half.client.torn
        return is_torn and self._now_ns - half.last_ns < LIVELY_NS

    def _first_to_go(self, at_hand: HalfStream | None = None) -> tuple[HalfStream, list[HalfStream]]:
        """Of the one at hand and some of the oldest the one that is to go first, and these; further ones only if all
        are amid something."""
        oldest = [] if at_hand is None else [at_hand]
        for looks in range(1, MOST_LOOKS + 1):
            oldest += self._oldest()
            first = min(oldest, key=self._rank)
            if not first.amid or (looks >= LOOKS and not self._is_lively_and_torn(first)):
                break
        return first, oldest

    def _rank(self, half: HalfStream) -> tuple[bool, bool, bool, int]:
        """The least goes first."""
        return half.client is not None, half.amid, self._is_lively_and_torn(half), half.last_ns

    def _let_go_of(self, half: HalfStream) -> Sequence[RequestHead]:
        self._counts["shed.early"] += half.client is not None and half.client.torn
        return self._forget(half)

    def _oldest(self) -> list[HalfStream]:
        """Some of the oldest, which are the newest now."""
        oldest = [half for half, _ in zip(self._halves, range(FORGETTABLE), strict=False)]
        for half in oldest:
            self._halves.renew(half)
        return oldest

    def _forget(self, half: HalfStream) -> Sequence[RequestHead]:
        heads: Sequence[RequestHead] = NOTHING
        may_come_again = half.closing_ns and half.client is not None and half.client.may_come_again
        while half.client is not None:
            is_last = half.aside is None
            client, finished = half.client, self._finish(half)
            heads = [*heads, *finished]
            if is_last and not client.spoke:
                self._count_opaque(half, half.looks)
        if may_come_again and half.last_head is not None:
            self._ended.remember(half.flow, half.last_head, self._now_ns)
        if half.peer is not None and half.peer.side is Side.CLIENT and half.looks is not Looks.RESPONSE:
            half.peer.side = Side.UNKNOWN  # who was answered like that is no client of HTTP
        self._with_holes -= half.sent.holes is not None
        half.wake_ns = 0
        self._beginnings.forget(half)
        self._halves.remove(half)
        return heads

    # --- segments of a client -------------------------------------------------------------------------------------

    def _take(self, half: HalfStream, client: Client, segment: Segment) -> Sequence[RequestHead]:
        window = self._limits.window_bytes
        seq = first_byte(segment)
        ahead = client.distance(seq)
        near = -window <= ahead <= window
        aside = half.aside
        if aside is not None and not near and abs(aside.client.distance(seq)) <= window:
            half.turn()
            return self._take(half, aside.client, segment)
        if half.reborn >= 0 and (seq == half.reborn or not near) and seq - half.reborn & 0xFFFFFFFF <= window:
            self._origins.remember(half.flow, half.reborn, half.side)
            return self._restart(half, segment)
        if not near:
            return self._take_far(half, client, segment)
        if ahead >= 0:
            half.far = None
        return self._after(half, client, client.take(segment, self._doubt(half, segment), self._now_ns))

    def _take_far(self, half: HalfStream, client: Client, segment: Segment) -> Sequence[RequestHead]:
        """Out of the window: not believed before another segment follows on it, or the peer acknowledges it."""
        self._counts["rejected.out_of_window"] += 1
        self._fate("out_of_window")
        far, half.far = half.far, segment
        if far is None or segment.seq - far.seq - len(far.payload) & 0xFFFFFFFF > self._limits.window_bytes:
            return self._after(half, client, [])
        moved = self._move_window(half, far, segment)
        return self._after(half, client, []) if moved is None else moved

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
        heads: Sequence[RequestHead] = NOTHING
        if half.aside is not None:
            self._counts["shed.windows"] += 1
            if half.client is not None and half.aside.client.standing <= half.client.standing:
                half.turn()
            heads = self._finish(half)
        self._counts["blind.gap"] += 1
        half.put_aside()
        half.origin = first_byte(segment)
        half.client = self._client(half, looks, placed=False)
        for each in segments[at:]:
            if half.client is not None:
                heads = [*heads, *self._take(half, half.client, each)]
        return heads

    def _restart(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """The same addresses and ports, but not the same bytes: finish, and begin with this segment."""
        heads: Sequence[RequestHead] = NOTHING
        while half.client is not None:
            heads = [*heads, *self._finish(half)]
        half.reborn = -1
        return [*heads, *self._open(half, segment)]

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

    def _acknowledge(self, half: HalfStream, client: Client, ack: int) -> Sequence[RequestHead]:
        window = self._limits.window_bytes
        if abs(client.distance(ack)) <= window:
            return self._after(half, client, client.acknowledge(ack, self._now_ns))
        aside = half.aside
        if aside is not None and abs(aside.client.distance(ack)) <= window:
            half.turn()
            return self._acknowledge(half, aside.client, ack)
        far = half.far
        if far is None or ack - far.seq - len(far.payload) & 0xFFFFFFFF:
            return NOTHING
        heads = self._move_window(half, far)
        if heads is None or half.client is None:
            return heads or NOTHING
        return [*heads, *self._acknowledge(half, half.client, ack)]

    def _after(self, half: HalfStream, client: Client, placed: list[PlacedHead]) -> Sequence[RequestHead]:
        """Whatever happened to a client: keep the bounds, and its next date."""
        heads = self._publish(half, placed) if placed else NOTHING
        while half.held > self._limits.hold_bytes_per_half_stream:
            heads = [*heads, *self._shed(half)]
        self._account(half)
        while self._held > self._limits.hold_bytes:
            oldest = next(iter(self._holding))
            heads = [*heads, *self._shed(oldest)]
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

    def _shed(self, half: HalfStream) -> Sequence[RequestHead]:
        """Hold less: give up what lies outside of the window, then what waits inside."""
        self._counts["shed.hold"] += 1
        if half.far is not None:
            half.far = None
            return NOTHING
        if half.aside is not None:
            self._counts["shed.windows"] += 1
            half.turn()
            return self._finish(half)
        return self._publish(half, half.client.shed(self._now_ns)) if half.client is not None else NOTHING

    def _publish(self, half: HalfStream, placed: list[PlacedHead]) -> list[RequestHead]:
        heads = self._heads.publish(half, placed)
        if heads and (peer := half.peer) is not None and peer.client is not None and not peer.client.spoke:
            self._count_opaque(peer, Looks.RESPONSE)
        return heads

    def _fate(self, what: str) -> None:
        if self._tracer is not None:
            self._tracer.fate(what)
