"""The native engine on live ports, as Python sees it: opened and counted here, their rings read by threads of Rust."""

from __future__ import annotations

import time

from monitor._engine import Live
from monitor.errors import EngineError
from monitor.portable.port import BLOCK_SIZE, open_ports
from monitor.ports import Drops
from monitor.records import Batch, Interface, Limits, Watch

NOTE_S = 0.1  # between two looks at what the kernel says of a port


class LiveEngine:
    """Live ports: opened, joined and counted here with the code of both engines, read by threads of Rust."""

    name = "native"

    def __init__(self, source: Interface, watch: Watch, limits: Limits) -> None:
        keys = ("kernel_frames", "kernel_drops", "ring_freezes", "nic_drops", "softnet_drops")
        self._counts = dict.fromkeys(keys, 0)
        self._ports = open_ports(source)
        self.remarks = tuple(port.remark for port in self._ports if port.remark)
        self._drops = Drops(source.names, self._counts)
        rings = [(port.socket.fileno(), BLOCK_SIZE, port.blocks, port.link) for port in self._ports]
        self._live = Live(limits, watch, rings, source.workers)
        self._due = 0.0
        self._started = False

    def poll(self, timeout: float) -> Batch:
        """The first starts the threads, which may do what the caller may do then; the rings keep what came before."""
        if not self._started:
            self._started = True
            self._live.start()
        return self._batch(timeout)

    def drain(self) -> Batch:
        self._live.finish()
        self._due = 0.0
        batch = self._batch(0)
        while more := self._batch(0).heads:
            batch.heads.extend(more)
        return batch

    def watch_for(self, watch: Watch) -> None:
        self._live.watch_for(watch)

    def close(self) -> None:
        self._live.finish()
        for port in self._ports:
            port.close()

    def _batch(self, timeout: float) -> Batch:
        try:
            heads, messages, trace, counts, time_ns = self._live.poll(timeout)
        except RuntimeError as died:
            raise EngineError(f"engine native: {died}; what is above says why, please report it") from died
        if (now := time.monotonic()) >= self._due:
            self._due = now + NOTE_S
            for port in self._ports:
                port.note(self._counts)
            self._drops.count()
        for key, count in self._counts.items():
            counts[key] += count
        return Batch(heads, counts, time_ns, counts["captured_bytes"], (), False, messages=messages, trace=trace)
