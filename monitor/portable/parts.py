"""What the engine wires into a half-stream, as the half-stream sees it: the stages do not know each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import NamedTuple, Protocol

from monitor.records import Data, Flow, Gap, Limits, PlacedHead, RequestHead, Version

Octets = bytes | bytearray


class InOrder(Protocol):
    """reassembly.Assembler"""

    next: int
    held: int
    versions: list[Version]

    @property
    def waiting(self) -> bool: ...
    def place(self, seq: int) -> int: ...
    def insert(
        self, position: int, octets: bytes, missing: int, time_ns: int, remembered: Iterable[tuple[int, Octets]]
    ) -> int: ...
    def ready(self) -> Iterator[Data | Gap]: ...
    def skip(self) -> None: ...
    def rewind(self, position: int, octets: bytes, time_ns: int) -> None: ...
    def add_version(self, version: Version) -> None: ...


class Reader(Protocol):
    """http1.Http1"""

    @property
    def start(self) -> int: ...
    @property
    def idle(self) -> bool: ...
    @property
    def hopeless(self) -> bool: ...
    @property
    def over(self) -> bool: ...
    def skips(self, size: int) -> bool: ...
    def feed(self, octets: Octets, first: int, time_ns: int) -> list[PlacedHead]: ...
    def gap(self, octets: Octets, first: int, gap: Gap) -> list[PlacedHead]: ...
    def finish(self, octets: Octets, first: int) -> list[PlacedHead]: ...


class FrameReader(Protocol):
    """http2.Http2"""

    def feed(self, octets: bytes, time_ns: int) -> list[RequestHead]: ...
    def gap(self, missing: int) -> None: ...
    def finish(self) -> list[RequestHead]: ...


class Parts(NamedTuple):
    assembler: Callable[[int], InOrder]
    http1: Callable[[Limits, MutableMapping[str, int], Flow, int, bool], Reader]
    http2: Callable[[Limits, dict[str, int], Flow], FrameReader]
