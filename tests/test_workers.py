"""One thread of the native engine and two say the same, to the byte and in the same order."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from monitor.engine import native_is_here, open_engine
from monitor.records import CaptureFiles, Limits, Message, RequestHead, Watch

CAPTURES = sorted(Path("pcaps").glob("*.pcap*"))
EVERYTHING = Watch(every_head=True, ports=frozenset({1813}))

pytestmark = pytest.mark.skipif(not native_is_here(), reason="only the native engine has threads")


def read(
    paths: tuple[str, ...], workers: int, watch: Watch = EVERYTHING, limits: Limits | None = None
) -> tuple[list[RequestHead], list[Message], object]:
    heads: list[RequestHead] = []
    messages: list[Message] = []
    engine = open_engine(CaptureFiles(paths, workers), watch, limits, prefer="native")
    while True:
        batch = engine.poll(0.2)
        heads += batch.heads
        messages += batch.messages
        if batch.done:
            break
    engine.close()
    rest = (batch.counts, batch.time_ns, batch.faults, batch.bytes_read, batch.bytes_total)
    return heads, messages, rest


def test_two_threads_say_what_one_says() -> None:
    assert [path.name for path in CAPTURES if read((str(path),), 2) != read((str(path),), 1)] == []


def test_connections_go_on_from_capture_to_capture_and_faults_are_the_same(tmp_path: Path) -> None:
    """Files one after another, one of them cut, one damaged, one compressed: that one comes through a pipe."""
    octets = Path("pcaps/o2-2012.pcap").read_bytes()
    (tmp_path / "cut.pcap").write_bytes(octets[:-7])
    (tmp_path / "none.pcap").write_bytes(b"not a capture at all, and long enough to tell")
    (tmp_path / "packed.pcap.gz").write_bytes(gzip.compress(octets))
    paths = (*map(str, CAPTURES[:50]), str(tmp_path))
    one, two = read(paths, 1), read(paths, 2)
    assert one == two
    assert len(one[0]) > 100
    assert len(one[2][2]) >= 2


def test_more_than_one_result_and_small_batches(tmp_path: Path) -> None:
    """A capture of many chunks, so that every queue between the threads is full at some time."""
    octets = b"".join(path.read_bytes()[24:] for path in [Path("pcaps/o2-2012.pcap")] * 8)
    (tmp_path / "long.pcap").write_bytes(Path("pcaps/o2-2012.pcap").read_bytes()[:24] + octets)
    paths = (str(tmp_path / "long.pcap"),)
    one, two = read(paths, 1), read(paths, 2, limits=Limits(batch_heads=1))
    assert one == two
    assert one[2][0]["frames"] > 1000


def test_a_stop_lets_go_of_what_was_read(tmp_path: Path) -> None:
    """The books balance wherever the reading stood, and a capture that is given up is not read on."""
    octets = b"".join(path.read_bytes()[24:] for path in [Path("pcaps/o2-2012.pcap")] * 8)
    (tmp_path / "long.pcap").write_bytes(Path("pcaps/o2-2012.pcap").read_bytes()[:24] + octets)
    engine = open_engine(CaptureFiles((str(tmp_path / "long.pcap"),), 2), EVERYTHING, prefer="native")
    heads = engine.poll(0).heads
    last = engine.drain()
    skipped = sum(count for key, count in last.counts.items() if key.startswith("skipped."))
    assert last.counts["frames"] == last.counts["segments"] + skipped
    assert last.counts["half_streams"] == last.counts["memory_bytes.memory"] == 0
    assert len(heads + last.heads) >= last.counts["requests"] > 0
    engine.close()
