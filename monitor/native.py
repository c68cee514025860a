"""The native engine on captures, as Python sees it: sources are chosen and faults worded here, all between is Rust.

Which captures, in which order, and what is said of a broken one is `portable.capture`'s to decide, once for both
engines: a capture is recognised there and then handed over. A file is read by Rust itself; what is compressed or comes
through a pipe is unpacked by a thread of its own, whose decompressors work without the interpreter, into a pipe.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from threading import Thread

from monitor._engine import Engine, Reader
from monitor.portable.capture import AGAIN, STANDARD_INPUT, Capture, CaptureReader
from monitor.portable.compressed import Octets, answered
from monitor.portable.pcap import HEADER_SIZE
from monitor.records import Batch, CaptureFiles, Frame, Limits, Watch

PUMP_S = 0.2  # between two looks at signals and at the progress bar


def search_of(watch: Watch) -> Callable[[int, bytes, bytes], list[tuple[int, str, bytes, int, int, bool]]]:
    """What stands in a text, as monitor/identify/search.py is told it."""
    return Reader(watch).search


class NativeEngine:
    name = "native"
    remarks = ()

    def __init__(self, source: CaptureFiles, watch: Watch, limits: Limits) -> None:
        self._engine = Engine(limits, watch, source.workers)
        self._counts = {"frames": 0, "frame_bytes": 0, "captured_bytes": 0, "blind.source": 0}  # of the source, here
        self._source = CaptureReader(source.paths, self._counts, self._open)
        self._done = False

    def poll(self, timeout: float) -> Batch:
        self._source.read(0, timeout)
        if self._source.done and not self._done:
            self._done = self._engine.finish()
        return self._batch()

    def drain(self) -> Batch:
        over = self._engine.finish()
        batch = self._batch()
        while not over:
            over = self._engine.finish()
            more = self._batch()
            batch = more._replace(heads=[*batch.heads, *more.heads], messages=[*batch.messages, *more.messages])
        return batch

    def watch_for(self, watch: Watch) -> None:
        self._engine.watch_for(watch)

    def close(self) -> None:
        self._source.close()
        self._engine.close()

    def _batch(self) -> Batch:
        counts = self._engine.counts()
        for key, count in self._counts.items():
            counts[key] += count
        return Batch(
            heads=self._engine.take_heads(),
            counts=counts,
            time_ns=self._engine.time_ns,
            bytes_read=self._source.bytes_read,
            faults=tuple(self._source.faults),
            done=self._done,
            bytes_total=self._source.bytes_total,
            messages=self._engine.take_messages(),
            trace=self._engine.take_trace(),
        )

    def _open(self, path: str) -> Capture:
        return HandedCapture(path, self._engine)


class HandedCapture(Capture):
    """A capture whose frames the engine reads: `read` yields none of them."""

    def __init__(self, path: str, engine: Engine) -> None:
        super().__init__(path)
        self._path = path
        self._engine = engine
        self._frames_before = engine.frames
        self._handed = False
        self._pipe: int | None = None  # its end for reading

    @property
    def bytes_read(self) -> int:
        return self._engine.bytes_read if self._handed and self._pipe is None else super().bytes_read

    def read(self, limit: int, timeout: float) -> list[Frame]:  # noqa: ARG002 - as Capture has it
        if self._handed:
            self._pump(timeout)
        elif self._source and not self.done:
            self._begin(self._source, timeout)
        return []

    def close(self) -> None:
        self._engine.close()
        if self._pipe is not None:
            os.close(self._pipe)  # ends the thread that writes into it, if it still does
        super().close()

    def _begin(self, source: Octets, timeout: float) -> None:
        self._octets += source.read(timeout)
        if len(self._octets) >= HEADER_SIZE:
            self._recognise()
            if self._reader:
                self._hand_over(source)
        elif source.done:
            self._end(source)

    def _hand_over(self, source: Octets) -> None:
        self._handed = True
        if source.format is None and self._path != STANDARD_INPUT and os.path.isfile(self._path):  # noqa: PTH113
            self._engine.open(self._path, ahead=True)
            return
        self._pipe, to = os.pipe()
        Thread(target=_pour, args=(self._octets, source, to), name="unpack", daemon=True).start()
        self._engine.open(f"/dev/fd/{self._pipe}", ahead=False)

    def _pump(self, timeout: float) -> None:
        if self._pipe is not None and not select.select([self._pipe], [], [], timeout)[0]:
            return
        ending = self._engine.pump(PUMP_S if self._pipe is None else 0)
        self._begun = self._engine.frames > self._frames_before
        self.links.update(self._engine.links)
        if ending is None:
            return
        self._base, self._at = self._engine.position, 0
        how, what = ending
        wrong = answered(int(what)) if how == "unreadable" else self._source.wrong if self._source else ""
        if how == "damaged":
            self._stop(f"is damaged at {self._place}: {what}; {AGAIN}", self._base)
        elif wrong:
            self._stop(f"is cut at {self._place}: {wrong}; {AGAIN}", self._base)
        elif how == "cut":
            self._stop(f"is cut at {self._place}, in the middle of a record; {AGAIN}", self._base)
        else:
            self.done = True


def _pour(octets: bytes, source: Octets, to: int) -> None:
    """All of `source`, of which `octets` are the first, into the pipe; until the other end is closed."""
    with os.fdopen(to, "wb", buffering=0) as pipe:
        try:
            pipe.write(octets)
            while not source.done:
                pipe.write(source.read(1))
        except BrokenPipeError:
            pass
