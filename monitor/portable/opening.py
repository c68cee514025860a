"""How a half-stream begins to be read: where, as what, and how much that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from dpkt.tcp import TH_ACK, TH_SYN

from monitor.portable.client import Client, first_byte
from monitor.portable.clients import NOTHING, Clients
from monitor.portable.halves import HalfStream
from monitor.portable.looks import Looks, looks_of, surely_begins_request
from monitor.portable.origins import Side
from monitor.records import Checksum, Flow, RequestHead, Segment

OPAQUE = (Looks.RESPONSE, Looks.TLS, Looks.OTHER)
SERVICES = 1024  # ports below are those of services (RFC 6335 section 6): nobody asks from there


class Opening(Clients):
    def _note_origin(self, segment: Segment) -> None:
        """Where a SYN says that this direction begins."""
        side = Side.SERVER if segment.flags & TH_ACK else Side.CLIENT
        self._origins.remember(segment.flow, segment.seq + 1 & 0xFFFFFFFF, side)

    def _note_answered(self, peer: HalfStream | None, segment: Segment) -> None:
        """Where the ACK of a SYN says that the other direction began."""
        window, ack = self._limits.window_bytes, segment.ack
        if peer is not None and peer.client is not None:
            if not peer.begins_at(ack) and all(abs(client.distance(ack)) > window for client in peer.clients):
                self._announce(peer, ack)
            return
        src, sport, dst, dport, path = segment.flow
        answered = Flow(dst, dport, src, sport, path)
        known = self._origins.look(answered)
        origin = known.nearest(ack, window).seq
        if origin < 0 or ack - origin & 0xFFFFFFFF > window:
            origin = ack
        if origin != known.seq:
            self._origins.remember(answered, origin, Side.CLIENT)
        self._origins.answer(answered)

    def _is_disputed(self, segment: Segment) -> bool:
        """Whether a SYN before this one said that this direction begins elsewhere."""
        return self._origins.look(segment.flow).seq not in (-1, first_byte(segment))

    def _open(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """A half-stream without a client: does one begin with this segment?"""
        window = self._limits.window_bytes
        seq = first_byte(segment)
        known = self._origins.look(half.flow).nearest(seq, window)
        origin, side, _, _, urgent, answered, other, _ = known
        half.side = side or half.side
        acked, is_syn = origin, bool(segment.flags & TH_SYN)
        if is_syn and answered and acked - seq & 0xFFFFFFFF == len(segment.payload):
            origin = seq  # its data is what the SYN+ACK before it has acknowledged
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
        is_served = half.side is Side.UNKNOWN and looks is not Looks.HTTP2 and _is_served(half.flow)
        if half.side is Side.SERVER or is_served:  # nobody asked it to ask
            return self._open_doubtful(half, segment)
        if origin >= 0:
            self._origins.forget(half.flow)
            is_far = window < ahead <= 0xFFFFFFFF - window
            half.reborn = other
            if is_far and answered and not is_syn:
                half.reborn = origin
                self._counts["rejected.out_of_window"] += 1
                self._fate("out_of_window")
                return NOTHING
            if is_far or window < ahead <= (1 << 32) - len(segment.payload):  # or wholly before
                return self._open_apart(half, segment, looks, origin)
            placed = placed or is_syn
        half.origin = origin if placed else seq
        half.client = self._client(half, looks, placed=placed)
        if is_syn and answered and seq != acked:
            half.client.refuse(acked)
        if urgent >= 0:
            half.client.leave_urgent_out(urgent)
        return self._take(half, half.client, segment)

    def _open_apart(self, half: HalfStream, segment: Segment, looks: Looks, origin: int) -> Sequence[RequestHead]:
        """It begins elsewhere than its SYN said: either may be the decoy, so both places are read."""
        half.origin = origin
        half.client = self._client(half, Looks.REQUEST, placed=True)
        half.put_aside()
        self._beginnings.forget(half)
        half.origin = first_byte(segment)
        is_syn = bool(segment.flags & TH_SYN)
        is_sure = is_syn or looks is Looks.HTTP2 or not surely_begins_request(segment.payload)
        half.client = self._client(half, looks, placed=is_syn) if is_sure else self._doubtful(half)
        return self._take(half, half.client, segment)

    def _open_doubtful(self, half: HalfStream, segment: Segment) -> Sequence[RequestHead]:
        """Here is a request where none was to be expected: whoever reads on from here will find more."""
        self._origins.forget(half.flow)
        pieces = self._beginnings.forget(half)
        half.origin = first_byte(segment)
        if pieces and half.origin - pieces[0].seq & 0xFFFFFFFF < 0x80000000:
            half.origin = pieces[0].seq
        half.client = self._doubtful(half)
        time_ns, flow, ack = segment.time_ns, segment.flow, segment.ack
        heads: Sequence[RequestHead] = NOTHING
        for seq, octets in pieces:
            before = Segment(time_ns, flow, seq, ack, TH_ACK, octets, 0, 0, Checksum.UNKNOWN, ())
            heads = [*heads, *self._take(half, half.client, before)]
        return [*heads, *self._take(half, half.client, segment)]

    def _doubtful(self, half: HalfStream) -> Client:
        return Client(
            self._limits, self._counts, half.flow, self._parts, half.origin, placed=False, midstream=False,
            doubtful=True, tracer=self._tracer,
        )  # fmt: skip

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

    def _begin_again(self, half: HalfStream, segment: Segment) -> None:
        """A SYN on a half-stream that is there: a copy, or the addresses and ports are used anew."""
        seq = segment.seq + 1 & 0xFFFFFFFF
        half.sent.begin_again(seq)
        if half.client is None:
            self._origins.remember(half.flow, seq, Side.SERVER if segment.flags & TH_ACK else Side.CLIENT)
            if not segment.flags & TH_ACK:
                half.looks = Looks.OTHER
        elif not half.begins_at(seq) and not half.client.may_begin_at(seq):
            self._announce(half, seq)

    def _announce(self, half: HalfStream, seq: int) -> None:
        """Another connection begins here, they say: believed when data follows, for their SYN may never arrive."""
        if half.reborn not in (-1, seq):
            self._origins.remember(half.flow, half.reborn, half.side)
        half.reborn = seq


def _is_served(flow: Flow) -> bool:
    """Whether its ports are those of what a service answers, for want of a handshake that says so."""
    return flow.sport < SERVICES <= flow.dport
