"""The half-streams that are kept: by flow, in the order of their age, each with its other direction and its twins.

Of a client that goes on far outside of its window the capture lost more than a window of bytes; or somebody else says
so, who wants the rest to be looked for there. So the window moves, and the client that was read stays beside it.

Two paths with the same addresses and ports are two half-streams, twins: subscribers in different tunnels may be alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from monitor.portable.client import Client
from monitor.portable.looks import Looks
from monitor.portable.losses import Sent
from monitor.portable.origins import Side
from monitor.records import Flow, Segment

MOST_HEADS = 32  # before the last one
HEADS_BYTES = 256  # what they take, in round figures
FAR_BYTES = 160  # that a segment out of the window takes besides its payload, in round figures
MOST_ALIKE = 64  # tunnelled half-streams with the same addresses and ports that are told of each other

Ends = tuple[bytes, int, bytes, int]


class Aside(NamedTuple):
    """A client that was read before the window moved, and where its reading began."""

    client: Client
    origin: int


class HalfStream:
    """One direction of a connection; opaque while it has no `client`."""

    __slots__ = (
        "_peer", "accounted", "aside", "begun", "client", "closing_ns", "far", "flow", "forgotten", "heads", "is_copy",
        "last_head", "last_heads", "last_ns", "looks", "opaque", "origin", "reborn", "sent", "side", "wake_ns",
    )  # fmt: skip

    def __init__(self, flow: Flow, sent: Sent, now_ns: int) -> None:
        self.flow = flow
        self.sent = sent
        self.looks = Looks.OTHER
        self.opaque = False  # it has been counted as such
        self.side = Side.UNKNOWN
        self.last_ns = now_ns
        self.client: Client | None = None
        self.aside: Aside | None = None  # read beside the client, where the window was before
        self.far: Segment | None = None  # out of the window: another one that fits it moves the window
        self.accounted = 0  # bytes of memory
        self.begun = 0  # the same, while to forget it would tear its first head
        self._peer: HalfStream | None = None
        self.forgotten = False
        self.origin = -1  # sequence number of the first byte that the client's reading began with
        self.reborn = -1  # sequence number that another SYN announced
        self.closing_ns = 0  # when FIN or RST came; 0 while open
        self.wake_ns = 0  # when something is due; 0: never
        self.last_head: tuple[int, int] | None = None  # sequence number and hash
        self.heads: tuple[tuple[int, int], ...] = ()  # the latest before that
        self.is_copy = False  # it began with a head of a connection that has ended
        self.last_heads: dict[tuple[int, int], bool] | None = None  # while it has twins: did one send it as well?

    @property
    def amid(self) -> bool:
        """Whether its client is in the middle of something."""
        return any(client.amid for client in self.clients)

    @property
    def clients(self) -> list[Client]:
        """That which goes on, and the one that was put aside."""
        if self.client is None or self.aside is None:
            return [] if self.client is None else [self.client]
        return [self.client, self.aside.client]

    @property
    def awaits(self) -> bool:
        """Whether an acknowledgement would change something."""
        return self.far is not None or any(client.awaits for client in self.clients)

    @property
    def held(self) -> int:
        """Bytes that wait behind a hole or a doubt, or outside of the window."""
        if self.client is None:
            return 0
        if self.far is None and self.aside is None:
            return self.client.held
        far = 0 if self.far is None else FAR_BYTES + len(self.far.payload)
        return far + sum(client.held for client in self.clients)

    @property
    def may_hold(self) -> int:
        """How many of them may."""
        return 0 if self.client is None else self.client.may_hold

    @property
    def weight(self) -> int:
        """Bytes of memory, about, besides its own."""
        if self.client is None:
            return 0
        heads = HEADS_BYTES if self.heads else 0
        if self.far is None and self.aside is None:
            return heads + self.client.weight
        far = 0 if self.far is None else FAR_BYTES + len(self.far.payload)
        return heads + far + sum(client.weight for client in self.clients)

    def begins_at(self, seq: int) -> bool:
        """Whether the reading of a client began with this sequence number."""
        return seq == self.origin or (self.aside is not None and seq == self.aside.origin)

    def turn(self) -> None:
        """The client that was put aside is the one that goes on."""
        if self.client is not None and self.aside is not None:
            aside = Aside(self.client, self.origin)
            (self.client, self.origin), self.aside = self.aside, aside

    def put_aside(self) -> None:
        """The window moves: the client that is here is read on beside the next one."""
        if self.client is not None:
            self.aside = Aside(self.client, self.origin)
        self.client = self.far = None

    def end_client(self) -> None:
        """What was put aside, if anything, takes its place."""
        self.client = None
        if self.aside is None:
            self.far = None
        else:
            (self.client, self.origin), self.aside = self.aside, None

    @property
    def peer(self) -> HalfStream | None:
        """The other direction, while it is kept."""
        if self._peer is not None and self._peer.forgotten:
            self._peer = None
        return self._peer

    @peer.setter
    def peer(self, peer: HalfStream | None) -> None:
        self._peer = peer


class Halves:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._halves: OrderedDict[Flow, HalfStream] = OrderedDict()
        self._tunnelled: dict[Ends, list[HalfStream]] = {}  # those with a path

    def __len__(self) -> int:
        return len(self._halves)

    def __iter__(self) -> Iterator[HalfStream]:
        """The oldest first."""
        return iter(self._halves.values())

    def find(self, flow: Flow) -> HalfStream | None:
        return self._halves.get(flow)

    def renew(self, half: HalfStream) -> None:
        """It is the newest now."""
        self._halves.move_to_end(half.flow)

    def enter(self, half: HalfStream, peer: HalfStream | None) -> None:
        self._halves[half.flow] = half
        half.peer = peer
        if peer is not None and peer.peer is None:
            peer.peer = half
        if half.flow.path:
            alike = self._tunnelled.setdefault(half.flow[:4], [])
            if len(alike) == MOST_ALIKE:
                self._counts["shed.alike"] += 1
                return
            alike.append(half)
        for twin in self.twins(half):
            for each in (twin, half):
                if each.last_heads is None:
                    each.last_heads = {each.last_head: False} if each.last_head else {}

    def remove(self, half: HalfStream) -> None:
        half.forgotten = True
        half.peer = None
        del self._halves[half.flow]
        alike = self._tunnelled.get(half.flow[:4], [])
        if half.flow.path and half in alike:
            alike.remove(half)
            if not alike:
                del self._tunnelled[half.flow[:4]]

    def twins(self, half: HalfStream) -> Iterator[HalfStream]:
        """Half-streams with the same addresses and ports on other paths."""
        if not self._tunnelled:
            return
        ends = half.flow[:4]
        if half.flow.path and (plain := self._halves.get(Flow(*ends))):
            yield plain
        for other in self._tunnelled.get(ends, ()):
            if other is not half:
                yield other

    def peer_of(self, flow: Flow) -> HalfStream | None:
        """The other direction; in tunnels its path is another, so the one whose tunnels are of the same kind."""
        src, sport, dst, dport, path = flow
        peer = self._halves.get(Flow(dst, dport, src, sport, path))
        if peer is not None or (not self._tunnelled and not path):
            return peer
        kinds = [kind for kind, _ in path]
        plain = self._halves.get(Flow(dst, dport, src, sport))
        for peer in self._tunnelled.get((dst, dport, src, sport), ()):
            if [kind for kind, _ in peer.flow.path] == kinds:
                return peer
        return peer or plain
