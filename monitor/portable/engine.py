"""The front of the portable engine: wires source -> decode -> defrag -> stream -> http -> sieve; nothing else does."""

from __future__ import annotations

import time
from collections.abc import Sequence

from monitor import counts
from monitor.portable.capture import CaptureReader
from monitor.portable.decode import Decoder
from monitor.portable.defrag import Defragmenter
from monitor.portable.http1 import Http1
from monitor.portable.parts import Parts
from monitor.portable.reassembly import Assembler
from monitor.portable.ring import Ring
from monitor.portable.sieve import Sieve
from monitor.portable.stream import Streams
from monitor.portable.trace import Tracer
from monitor.records import (
    Batch,
    CaptureFiles,
    Fragment,
    Frame,
    Interface,
    Limits,
    Message,
    RequestHead,
    Segment,
    Watch,
)

FRAMES_A_POLL = 4096
STEPPED_BACK_NS = 10_000_000  # the clock of the frames stands still for so long only when it was set back


class PortableEngine:
    name = "portable"

    def __init__(self, source: CaptureFiles | Interface, watch: Watch, limits: Limits) -> None:
        self._counts = counts.zeros()
        self._live = isinstance(source, Interface)
        self._source: CaptureReader | Ring = (
            CaptureReader(source.paths, self._counts)
            if isinstance(source, CaptureFiles)
            else Ring(source, self._counts)
        )
        self.remarks = self._source.remarks if isinstance(self._source, Ring) else ()
        self._decoder = Decoder(limits, self._counts, watch.ports)
        self._messages: list[Message] = []
        self._tracer = Tracer(watch.audited) if watch.audited else None
        self._defragmenter = Defragmenter(limits, self._counts, self._tracer)
        self._streams = Streams(limits, self._counts, Parts(Assembler, Http1), self._tracer)
        self._sieve = Sieve(watch, self._counts)
        self._time_ns = 0
        self._read_ns, self._read = 0, time.monotonic_ns()  # the clock of the frames, and when it last went on
        self._done = False

    def poll(self, timeout: float) -> Batch:
        if self._live:
            self._counts["turns"] += 1
            timeout = min(timeout, self._until_due_s(timeout))
        heads = [] if self._done else self._judgeable(self._source.read(FRAMES_A_POLL, timeout))
        if self._source.done and not self._done:
            self._done = True
            heads += self._finish()
        return self._batch(heads)

    def watch_for(self, watch: Watch) -> None:
        self._sieve = Sieve(watch, self._counts)
        self._decoder.ports = watch.ports

    def drain(self) -> Batch:
        heads: list[RequestHead] = []
        if isinstance(self._source, Ring):
            for frames in self._source.rest(FRAMES_A_POLL):
                heads += self._judgeable(frames)
        return self._batch([*heads, *self._finish()])

    def close(self) -> None:
        self._source.close()

    def _finish(self) -> Sequence[RequestHead]:
        self._defragmenter.finish()
        return self._streams.finish(self._time_ns)

    def _batch(self, heads: Sequence[RequestHead]) -> Batch:
        messages, self._messages = self._messages, []
        return Batch(
            heads=[_in_order(self._sieve.strip(head)) for head in heads if self._sieve.passes(head)],
            counts=dict(self._counts),
            time_ns=self._time_ns,
            bytes_read=self._source.bytes_read,
            faults=tuple(self._source.faults),
            done=self._done,
            bytes_total=self._source.bytes_total,
            messages=messages,
            trace=self._tracer.take() if self._tracer else (),
        )

    def _judgeable(self, frames: list[Frame]) -> list[RequestHead]:
        heads: list[RequestHead] = []
        decode, feed, tracer = self._decoder.feed, self._streams.feed, self._tracer
        for frame in frames:
            found = decode(frame)
            if tracer is not None:
                self._trace(found, frame.data, tracer)
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
        if self._live:
            heads += self._expire(bool(frames))
        return heads

    def _until_due_s(self, longest: float) -> float:
        """A port may fall silent while heads wait for their time."""
        due_ns = self._streams.due_in_ns()
        if due_ns is None:
            return longest
        return max(0, due_ns - (time.monotonic_ns() - self._read)) / 1e9

    def _expire(self, came: bool) -> Sequence[RequestHead]:
        """What is due by the clock of the frames, which goes on with the monotonic clock from the newest frame."""
        now = time.monotonic_ns()
        silent_ns = now - self._read
        if self._time_ns <= self._read_ns:
            due_ns = self._streams.due_in_ns()
            if due_ns is None or silent_ns < (STEPPED_BACK_NS if came else due_ns):
                return ()
            self._time_ns = self._read_ns + silent_ns
        self._read_ns, self._read = self._time_ns, now
        self._defragmenter.expire(self._time_ns)
        return self._streams.expire(self._time_ns)

    def _defragment(self, fragment: Fragment, heads: list[RequestHead]) -> None:
        for datagram in self._defragmenter.feed(fragment):
            found = self._decoder.datagram(datagram)
            if self._tracer is not None:
                self._trace(found, datagram.data, self._tracer)
            if isinstance(found, Fragment):  # a tunnel whose inside is fragmented as well
                self._defragment(found, heads)
            elif isinstance(found, Message):
                self._messages.append(found)
            elif found is not None:
                heads += self._streams.feed(found)

    def _trace(self, found: Segment | Fragment | Message | None, octets: bytes, tracer: Tracer) -> None:
        if isinstance(found, Segment):
            tracer.carried(found.flow, found.payload)
        elif not isinstance(found, Fragment):  # that is for the Defragmenter to say
            tracer.skipped(octets, self._decoder.skipped)


def _in_order(head: RequestHead) -> RequestHead:
    """Oddities each once and in the order of their table: stages name them as they come."""
    if not head.readings and len(head.oddities) < 2:
        return head
    return head._replace(
        oddities=tuple(sorted(set(head.oddities), key=counts.ODDITIES.index)),
        readings=tuple(map(_in_order, head.readings)),
    )
