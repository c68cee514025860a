"""A cable in a network of its own: what is sent into `near` comes out at `far`, where an engine listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from monitor.engine import LIVE_SETTLE_NS, Engine, Preference, open_engine
from monitor.records import Batch, Interface, Limits, RequestHead, Watch
from pcaps.talk import Talk
from tests.live.networks import ip, own_network

EVERY = Watch(every_head=True)
LIVE = Limits(settle_ns=LIVE_SETTLE_NS)
SOON_S = 5
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20


@contextmanager
def cable(near: str = "near", far: str = "far") -> Iterator[socket.socket]:
    """A veth pair in the network of this thread; the socket sends frames into its near end."""
    ip("link", "add", near, "mtu", "65535", "type", "veth", "peer", "name", far, "mtu", "65535")
    for name in (near, far):
        # nothing else on the wire: no neighbour solicitations
        ip("link", "set", name, "addrgenmode", "none", "up")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as end:
        # past the queue, which is still closed for a while after a cable was plugged in
        end.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        end.bind((near, 0))
        yield end


@contextmanager
def cabled() -> Iterator[socket.socket]:
    with own_network(), cable() as end:
        yield end


@contextmanager
def listening(source: Interface, prefer: Preference, limits: Limits = LIVE, watch: Watch = EVERY) -> Iterator[Engine]:
    engine = open_engine(source, watch, limits, prefer)
    try:
        yield engine
    finally:
        engine.close()


def request(number: int = 0, *, host: str = "shop.example", acknowledged: bool = True) -> list[bytes]:
    """The frames of one request from its SYN on, each client from a port of its own."""
    talk = Talk(sport=20_000 + number)
    talk.open()
    talk.client(f"GET /{number} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), acknowledged=acknowledged)
    return [frame for _, frame in talk.frames]


def send(end: socket.socket, frames: Iterable[bytes]) -> None:
    for frame in frames:
        end.send(frame)


def heads(engine: Engine, count: int, timeout: float = 0.1) -> tuple[list[RequestHead], Batch]:
    """`count` heads, or what there is after five seconds; and the latest batch."""
    found: list[RequestHead] = []
    until = time.monotonic() + SOON_S
    batch = engine.poll(0)
    while len(found := found + batch.heads) < count and time.monotonic() < until:
        batch = engine.poll(timeout)
    return found, batch


def counted(engine: Engine, key: str, least: int) -> dict[str, int]:
    """The counts once this one is so high, or as they are after five seconds."""
    until = time.monotonic() + SOON_S
    while (counts := engine.poll(0.02).counts)[key] < least and time.monotonic() < until:
        pass
    return dict(counts)
