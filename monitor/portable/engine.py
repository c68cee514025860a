"""The front of the portable engine: wires source -> decode -> defrag -> stream -> http -> sieve; nothing else does."""

from __future__ import annotations

import time
from collections.abc import Sequence

from monitor import counts
from monitor.portable.capture import CaptureReader
from monitor.portable.decode import Decoder
from monitor.portable.defrag import Defragmenter
from monitor.portable.http1 import Http1
from monitor.portable.http2 import Http2
from monitor.portable.parts import Parts
from monitor.portable.reassembly import Assembler
from monitor.portable.ring import Ring
from monitor.portable.sieve import Sieve
from monitor.portable.stream import Streams
from monitor.records import Batch, CaptureFiles, Fragment, Frame, Interface, Limits, Message, RequestHead, Watch

FRAMES_A_POLL = 4096
RING_NS = 100_000_000  # the kernel hands frames over some milliseconds late, and time must not overtake them


class PortableEngine:
    name = "portable"

    def __init__(self, source: CaptureFiles | Interface, watch: Watch, limits: Limits) -> None:
        self._counts = counts.zeros()
        self._live = isinstance(source, Interface)
        self._source: CaptureReader | Ring = (
            CaptureReader(source.paths, self._counts)
            if isinstance(source, CaptureFiles)
            else Ring(source.name, self._counts)
        )
        self._decoder = Decoder(limits, self._counts, watch.ports)
        self._messages: list[Message] = []
        self._defragmenter = Defragmenter(limits, self._counts)
        self._streams = Streams(limits, self._counts, Parts(Assembler, Http1, Http2))
        self._sieve = Sieve(watch, self._counts)
        self._time_ns = 0
        self._done = False

    def poll(self, timeout: float) -> Batch:
        heads = [] if self._done else self._judgeable(self._source.read(FRAMES_A_POLL, timeout))
        if self._source.done and not self._done:
            self._done = True
            heads += self._finish()
        return self._batch(heads)

    def watch_for(self, watch: Watch) -> None:
        self._sieve = Sieve(watch, self._counts)
        self._decoder.ports = watch.ports

    def drain(self) -> Batch:
        return self._batch(self._finish())

    def close(self) -> None:
        self._source.close()

    def _finish(self) -> Sequence[RequestHead]:
        self._defragmenter.finish()
        return self._streams.finish(self._time_ns)

    def _batch(self, heads: Sequence[RequestHead]) -> Batch:
        messages, self._messages = self._messages, []
        return Batch(
            heads=[_in_order(head) for head in heads if self._sieve.passes(head)],
            counts=dict(self._counts),
            time_ns=self._time_ns,
            bytes_read=self._source.bytes_read,
            faults=tuple(self._source.faults),
            done=self._done,
            bytes_total=self._source.bytes_total,
            messages=messages,
        )

    def _judgeable(self, frames: list[Frame]) -> list[RequestHead]:
        heads: list[RequestHead] = []
        decode, feed = self._decoder.feed, self._streams.feed
        for frame in frames:
            found = decode(frame)
            if found is None:
                continue
            if isinstance(found, Fragment):
                self._defragment(found, heads)
            elif isinstance(found, Message):
                self._messages.append(found)
            else:
                heads += feed(found)
        if frames:
            self._time_ns = max(self._time_ns, *(frame.time_ns for frame in frames))
        if self._live and not frames:  # a port that falls silent: what waits is due all the same
            self._time_ns = max(self._time_ns, time.time_ns() - RING_NS)
            self._defragmenter.expire(self._time_ns)
            heads += self._streams.expire(self._time_ns)
        return heads

    def _defragment(self, fragment: Fragment, heads: list[RequestHead]) -> None:
        for datagram in self._defragmenter.feed(fragment):
            found = self._decoder.datagram(datagram)
            if isinstance(found, Fragment):  # a tunnel whose inside is fragmented as well
                self._defragment(found, heads)
            elif isinstance(found, Message):
                self._messages.append(found)
            elif found is not None:
                heads += self._streams.feed(found)


def _in_order(head: RequestHead) -> RequestHead:
    """Oddities each once and in the order of their table: stages name them as they come."""
    if not head.readings and len(head.oddities) < 2:
        return head
    return head._replace(
        oddities=tuple(sorted(set(head.oddities), key=counts.ODDITIES.index)),
        readings=tuple(map(_in_order, head.readings)),
    )
