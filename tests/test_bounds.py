"""A flood that reaches a bound is counted, in both engines alike, and costs no number that was promised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from bench.floods import write
from monitor.engine import Preference, native_is_here, open_engine
from monitor.records import CaptureFiles, Limits, RequestHead, Watch
from pcaps.floods import ACK, NUMBER, PSH, REQUEST, SYN, Frames, connections, segment, stream

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
    "new_flows of heads that do not end": (lambda: clients(whole=False), AMOUNT, Limits(memory_bytes=20_000)),
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


# --- what goes first ------------------------------------------------------------------------------------------------


def read(frames: Frames, path: Path, **limits: int) -> tuple[list[RequestHead], dict[str, int]]:
    """Heads and counts, the same of both engines."""
    write(frames, path)
    seen = []
    for name in ENGINES:
        engine = open_engine(CaptureFiles((str(path),)), Watch(every_head=True), Limits(**limits), prefer=name)
        heads, done = [], False
        while not done:
            batch = engine.poll(1.0)
            heads += batch.heads
            done = batch.done
        engine.close()
        seen.append((heads, dict(batch.counts)))
    assert all(each == seen[0] for each in seen)
    return seen[0]


def begun(amount: int) -> Frames:
    """Connections with a head that has not ended."""
    for client, port in connections(amount):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 1, PSH | ACK, REQUEST % 1)


def ended(amount: int) -> Frames:
    for client, port in connections(amount):
        yield segment(client, port, 1 + len(REQUEST % 1), PSH | ACK, NUMBER % 1 + b"\r\n")


def others(amount: int, text: bytes = b"\x17\x03\x03\0\x10" + bytes(16)) -> Frames:
    """Of no HTTP."""
    return (segment(1000 + client, port, 1, PSH | ACK, text) for client, port in connections(amount))


def answered(amount: int) -> Frames:
    """Connections in which nothing is going on."""
    text = REQUEST % 1 + b"\r\n"
    for client, port in connections(amount):
        yield segment(2000 + client, port, 0, SYN)
        yield segment(2000 + client, port, 1, PSH | ACK, text)
        yield segment(2000 + client, port, 1, ACK, b"HTTP/1.1 200 OK\r\n\r\n", back=True, ack=1 + len(text))


def uploads(amount: int) -> Frames:
    for client, port in connections(amount):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 1, PSH | ACK, REQUEST % 1 + b"Content-Length: 70000\r\n\r\n")
        first = 1 + len(REQUEST % 1) + 25
        for at in range(0, 50_000, 1000):
            yield segment(client, port, first + at, PSH | ACK, bytes(1000))


def test_of_what_servers_send_nothing_is_kept(tmp_path: Path) -> None:
    answers = (
        segment(1, 20_000 + at % 50, 1 + at // 50 * 1000, PSH | ACK, bytes(1000), back=True) for at in range(2000)
    )
    _, counts = read(answers, tmp_path / "a.pcap", memory_bytes=50 * 160)
    assert (counts["payload_bytes"], counts["shed.memory"]) == (2_000_000, 0)


def test_what_is_no_http_goes_before_bodies_and_clients(tmp_path: Path) -> None:
    frames = chain(uploads(1), begun(20), others(200), ended(20))
    heads, counts = read(frames, tmp_path / "a.pcap", memory_bytes=100_000)
    assert counts["shed.memory"] > 40
    assert counts["shed.bodies"] == counts["shed.early"] == 0
    assert not any("incomplete" in head.oddities for head in heads[1:])


def test_bodies_kept_for_late_copies_go_before_clients(tmp_path: Path) -> None:
    _, counts = read(uploads(20), tmp_path / "a.pcap", memory_bytes=200_000)
    assert counts["shed.bodies"] > 10
    assert counts["shed.memory"] == 0


def test_what_nobody_would_believe_a_copy_of_is_not_kept(tmp_path: Path) -> None:
    """Chunks behind a head that waits: how they are framed may be told otherwise, but only within the window."""
    text = REQUEST % 1 + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\nx\n" * 50_000
    for window, is_shed in ((50_000, False), (500_000, True)):
        _, counts = read(stream(text), tmp_path / "a.pcap", memory_bytes=150_000, window_bytes=window)
        assert (counts["shed.bodies"] > 0) is is_shed


def test_clients_amid_nothing_go_before_those_that_are(tmp_path: Path) -> None:
    heads, counts = read(chain(begun(20), answered(200), ended(20)), tmp_path / "a.pcap", memory_bytes=60_000)
    assert counts["shed.memory"] > 100
    assert counts["shed.early"] == 0
    assert len(heads) == 220
    assert not any("incomplete" in head.oddities for head in heads)


def pieces(amount: int, *, count: int = 4) -> Frames:
    """Heads in so many pieces, each connection its first one before any its second one."""
    cookie = b"Cookie: " + b"c" * 200 + b"\r\n"
    for place in range(count):
        for client, port in connections(amount):
            text = cookie if place < count - 1 else NUMBER % 1 + b"\r\n"
            before = len(REQUEST % 1) + len(cookie) * place
            yield segment(client, port, 1 + before, PSH | ACK, text)


def targets(heads: list[RequestHead], *, whole: bool) -> set[tuple[bytes, int]]:
    """The ends of those who sent them."""
    torn = {"incomplete", "after_gap"}
    return {head.flow[:2] for head in heads if head.method and torn.isdisjoint(head.oddities) is whole}


def test_where_all_are_amid_something_new_ones_are_not_kept_and_no_other_is_torn(tmp_path: Path) -> None:
    """A flood beyond memory: what is kept is read whole, what is not says so, and nobody is torn for the next one."""
    heads, counts = read(chain(begun(AMOUNT), pieces(AMOUNT)), tmp_path / "a.pcap", memory_bytes=200_000)
    assert counts["shed.early"] == 0
    kept, others = targets(heads, whole=True), targets(heads, whole=False)
    assert len(kept) + len(others) == AMOUNT
    assert not kept & others
    assert len(kept) > 50
    assert counts["shed.new_flows"] >= len(others)
    numbers = [head.flow[:2] for head in heads for name, _ in head.fields if head.method and name == b"x-msisdn"]
    assert sorted(numbers) == sorted(kept)


def test_the_share_that_is_kept_is_published(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    write(chain(begun(AMOUNT), pieces(AMOUNT)), path)
    shares = []
    for name in ENGINES:
        limits = Limits(memory_bytes=100_000, batch_heads=1)
        engine = open_engine(CaptureFiles((str(path),)), Watch(every_head=True), limits, prefer=name)
        batches = [engine.poll(1.0)]
        while not batches[-1].done:
            batches.append(engine.poll(1.0))
        engine.close()
        shares.append(max(batch.counts["not_admitted_permille"] for batch in batches))
        assert batches[-1].counts["not_admitted_permille"] == 0
    assert set(shares) == {750}


def test_the_budget_is_shared_out() -> None:
    for limits in (Limits(), Limits().within(64 << 20)):
        parts = limits.memory_bytes + limits.fragments_bytes + limits.queue_bytes
        assert parts in (512 << 20, 64 << 20)
        assert limits.hold_bytes < limits.memory_bytes
    assert Limits().within(512 << 20) == Limits()


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
