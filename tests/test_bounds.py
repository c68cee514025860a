"""A flood that reaches a bound is counted, in both engines alike, and costs no number that was promised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.floods import ACK, NUMBER, PSH, REQUEST, Frames, connections, segment, stream, write
from monitor.engine import Preference, native_is_here, open_engine
from monitor.records import CaptureFiles, Limits, Watch

AMOUNT = 300
ENGINES: tuple[Preference, ...] = ("portable", "native") if native_is_here() else ("portable",)


def heads() -> Iterator[bytes]:
    return (REQUEST % number + NUMBER % number + b"\r\n" for number in range(AMOUNT))


def clients(*, whole: bool = True) -> Frames:
    for head, (client, port) in zip(heads(), connections(AMOUNT), strict=True):
        yield segment(client, port, 1, PSH | ACK, head if whole else head[:-2])


def holes() -> Frames:
    for head, (client, port) in zip(heads(), connections(AMOUNT), strict=True):
        yield segment(client, port, 1, PSH | ACK, head)
        yield segment(client, port, 3000, PSH | ACK, b"x" * 1000)


def long_head(line: bytes) -> Frames:
    return stream(REQUEST % 1 + NUMBER % 1 + line * 2000 + b"\r\n")


FLOODS = {
    "memory": (clients, AMOUNT, Limits(memory_bytes=20_000)),
    "memory of heads that do not end": (lambda: clients(whole=False), AMOUNT, Limits(memory_bytes=20_000)),
    "half_streams": (clients, AMOUNT, Limits(half_streams=20)),
    "hold": (holes, AMOUNT, Limits(hold_bytes=20_000)),
    "head_bytes": (lambda: long_head(b"Cookie: a=b\r\n"), 1, Limits(head_bytes=4000)),
    "head_lines": (lambda: long_head(b"a: b\r\n"), 1, Limits(head_lines=100)),
    "settle": (lambda: stream(b"".join(heads())), AMOUNT, Limits()),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_that_reaches_a_bound_is_counted_and_every_number_is_found(flood: str, tmp_path: Path) -> None:
    frames, amount, limits = FLOODS[flood]
    write(frames(), tmp_path / "flood.pcap")
    found = []
    for name in ENGINES:
        engine = open_engine(CaptureFiles((str(tmp_path / "flood.pcap"),)), Watch(), limits, prefer=name)
        batches = [engine.poll(1.0)]
        while not batches[-1].done:
            batches.append(engine.poll(1.0))
        engine.close()
        numbers = [
            value for batch in batches for head in batch.heads for key, value in head.fields if key == b"x-msisdn"
        ]
        assert len(numbers) == amount
        assert batches[-1].counts["shed." + flood.partition(" ")[0]] > 0
        found.append((sorted(numbers), batches[-1].counts))
    assert all(each == found[0] for each in found)


@pytest.mark.skipif(not native_is_here(), reason="the portable engine keeps its heads in one list")
@pytest.mark.parametrize("workers", [1, 2])
def test_the_end_of_a_capture_comes_in_batches_too(workers: int, tmp_path: Path) -> None:
    write(clients(whole=False), tmp_path / "flood.pcap")
    source = CaptureFiles((str(tmp_path / "flood.pcap"),), workers=workers)
    engine = open_engine(source, Watch(), Limits(batch_heads=10), prefer="native")
    batches = [engine.poll(1.0)]
    while not batches[-1].done:
        batches.append(engine.poll(1.0))
    engine.close()
    assert sum(len(batch.heads) for batch in batches) == AMOUNT
    if workers == 1:
        assert max(len(batch.heads) for batch in batches) == 10
