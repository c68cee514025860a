"""What floods cost, each at the size at which other sensors were measured: `make bench-floods`.

    python -m bench.floods                     every flood, each in a process of its own -> bench/RESULTS.md
    python -m bench.floods syns folds --keep DIR

The floods themselves are in pcaps/floods.py. Beside the cost of each stands what was found: work may be shed, with a
count; a promised number may not. Of floods of names and of leaks the whole pipeline is measured, with alerts at an
Alertmanager, and then /metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import time
import urllib.request
from collections import deque
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench import RULES
from bench.operations import alertmanager, alerts_at
from bench.reading import CHUNK
from bench.results import put, where_and_when
from monitor.agreements import load
from monitor.counts import values
from monitor.engine import Preference, open_engine
from monitor.identify import Identify
from monitor.pipeline import Pipeline, Stop
from monitor.records import CaptureFiles
from monitor.redact import Redactor, new_key
from monitor.report.metrics import Exporter, Sensor
from monitor.report.web import listening
from pcaps.floods import FLOODS, Frames
from pcaps.talk import pcap

MB = 1_000_000
SCRAPES = 20
RUNS = 3  # of which that counts which took the least
MOST_SERIES, MOST_PAGE_BYTES, MOST_PAGE_MS = 2_000, MB, 100  # of /metrics


class Bar(NamedTuple):
    """What issue 5 allows."""

    cpu_s: float
    memory_mb: float  # over the idle process
    watched: bool = False  # of the whole pipeline, and what it says afterwards
    read: bool = True  # False: what reading the file takes is not in `cpu_s`, for a port need not be read so


BARS: dict[str, Bar] = {
    "bombs": Bar(0.4, 10),
    "fragments": Bar(2, 64),
    "nearly": Bar(0.02, 10),
    "hosts": Bar(60, 512, watched=True),
    "forged": Bar(10, 512, watched=True),
    "syns": Bar(0.5, 10),
    "unfinished": Bar(1, 160),
    "short": Bar(1, 128),
    "holes": Bar(1, 64),
    "folds": Bar(0.1, 10),
    "lines": Bar(0.1, 10),
    "cookie": Bar(0.1, 10),
    "crlf": Bar(0.1, 10),
    "pipeline": Bar(0.3, 30),
    "chunks": Bar(0.1, 10),
    "octets": Bar(0.5, 10),
    "alike": Bar(1, 512),
    "elephant": Bar(0.086, 10, read=False),
}


def write(frames: Frames, path: Path) -> None:
    with path.open("wb") as file:
        file.write(pcap([]))
        for place, frame in enumerate(frames):
            file.write(
                struct.pack("<IIII", 1_326_153_600 + place // 100_000, place % 100_000 * 10, len(frame), len(frame))
                + frame
            )


def idle_kb() -> int:
    """Memory that the process has now; its peak is measured from here on (proc(5): clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_kb("VmRSS")


def grown_mb(since_kb: int) -> float:
    return (status_kb("VmHWM") - since_kb) / 1024


def status_kb(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def measure(engine: Preference, capture: str) -> dict[str, Any]:
    """The engine alone, and numbers counted by identify as its heads come: CPU seconds, MB over idle, what it found."""
    identify = Identify(load(RULES).plan)
    reading_s = reading(Path(capture))
    since_kb = idle_kb()
    running = open_engine(CaptureFiles((capture,)), identify.watch(), prefer=engine)
    numbers, done, spent = 0, False, 0.0
    while not done:
        begun = time.process_time()
        batch = running.poll(1.0)
        spent += time.process_time() - begun
        numbers += sum(1 for head in batch.heads for _ in identify.feed(head))
        done = batch.done
    running.close()
    return {
        "packets": batch.counts["frames"],
        "cpu_s": spent,
        "reading_s": reading_s,
        "grown_mb": grown_mb(since_kb),
        "numbers": numbers,
        "shed": {bound: amount for bound, amount in values(batch.counts, "shed").items() if amount},
    }


def reading(path: Path) -> float:
    """CPU seconds that reading the file takes into a buffer that is used again, and nothing else: the least of some."""
    spent, buffer = [], bytearray(CHUNK)
    for _ in range(3):
        begun = time.process_time()
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        spent.append(time.process_time() - begun)
    return min(spent)


def watched(engine: Preference, capture: str) -> dict[str, Any]:
    """Everything that `watch` does with it, alerts at an Alertmanager as well; then /metrics is fetched."""
    book = load(RULES)
    since_kb = idle_kb()
    told: list[Any] = []
    source = CaptureFiles((capture,))
    with TemporaryDirectory() as folder, alertmanager(told.extend) as at:
        begun = time.process_time()
        with (
            alerts_at(at, Path(folder) / "outbox.json") as alerts,
            Pipeline(source, book, Redactor(new_key()), (alerts,), engine) as pipeline,
        ):
            (batch,) = deque(pipeline.batches(Stop()), maxlen=1)  # none is kept but the last
        spent = time.process_time() - begun
    exporter = Exporter(pipeline.tallies, Sensor(pipeline.engine.name, book.sha256, 0.0, 72), [alerts.samples])
    with listening("127.0.0.1", 0, exporter.page) as port:
        pages = [fetched(port) for _ in range(SCRAPES)]
    page, slowest_ms = pages[-1][0], max(ms for _, ms in pages)
    return {
        "packets": batch.counts["frames"],
        "cpu_s": spent,
        "grown_mb": grown_mb(since_kb),
        "numbers": pipeline.summary()["sightings"],
        "shed": {bound: amount for bound, amount in values(batch.counts, "shed").items() if amount},
        "series": sum(line[:1] != b"#" for line in page.splitlines()),
        "page_bytes": len(page),
        "page_ms": slowest_ms,
        "alerts": len(told),
    }


def fetched(port: int) -> tuple[bytes, float]:
    """/metrics, and how many milliseconds it took on the clock."""
    begun = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        page: bytes = answer.read()
    return page, 1000 * (time.perf_counter() - begun)


def row(name: str, told: dict[str, Any]) -> str:
    flood, bar = FLOODS[name], BARS[name]
    what = flood.what % format(flood.full, ",")
    cpu_s = told["cpu_s"] if bar.read else told["cpu_s"] - told["reading_s"]
    if not bar.read:
        what += f" (without reading the file, which takes {told['reading_s']:.2f})"
    shed = ", ".join(f"{bound} {amount:,}" for bound, amount in told["shed"].items())
    numbers = f"{told['numbers']:,} of {flood.numbers(flood.full):,}"
    return (
        f"| {flood.row} | {what} | {told['packets']:,} | {cpu_s:.2f} | {bar.cpu_s:g} "
        f"| {told['grown_mb']:.0f} | {bar.memory_mb:g} | {numbers} | {shed} |"
    )


def afterwards(name: str, told: dict[str, Any]) -> str:
    what = FLOODS[name].what % format(FLOODS[name].full, ",")
    return f"| {what} | {told['series']:,} | {told['page_bytes']:,} | {told['page_ms']:.0f} | {told['alerts']} |"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.floods", description="What floods cost the sensor.")
    options.add_argument("flood", nargs="*", metavar="FLOOD", help=f"default: all of {', '.join(FLOODS)}")
    options.add_argument("--engine", default="auto", choices=("auto", "native", "portable"))
    options.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the captures here, and use those that are there"
    )
    options.add_argument("--measure", metavar="CAPTURE", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if unknown := set(chosen.flood) - FLOODS.keys():
        options.error(f"no flood is called {', '.join(sorted(unknown))}")
    if chosen.measure:
        (name,) = chosen.flood
        print(json.dumps((watched if BARS[name].watched else measure)(chosen.engine, chosen.measure)))
        return
    lines = [
        "## Floods (`make bench-floods`)",
        "",
        *where_and_when(),
        f"- Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; engine: {chosen.engine}",
        "- CPU seconds of the engine (rows 87 and 88: of everything, numbers judged and alerts sent), memory of the",
        f"  process over idle, each beside what issue 5 allows; rows 90 to 98: the cheapest of {RUNS} runs",
        "",
        "| row | flood | packets | CPU s | bar | MB over idle | bar | numbers found | shed |",
        "|--:|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    print("\n".join(lines))
    pages = []
    with TemporaryDirectory() as scratch:
        for name in chosen.flood or FLOODS:
            path = (chosen.keep or Path(scratch)) / f"{name}.pcap"
            if not path.exists():
                write(FLOODS[name].frames(FLOODS[name].full), path)
            line = [sys.executable, "-m", "bench.floods", name, "--engine", chosen.engine, "--measure", str(path)]
            runs = 1 if BARS[name].watched else RUNS
            told = min(
                (json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout) for _ in range(runs)),
                key=itemgetter("cpu_s"),
            )
            lines.append(row(name, told))
            print(lines[-1], flush=True)
            if BARS[name].watched:
                pages.append(afterwards(name, told))
            if not chosen.keep:
                path.unlink()
    if pages:
        bars = f"≤ {MOST_SERIES:,} | ≤ {MOST_PAGE_BYTES:,} | ≤ {MOST_PAGE_MS} | 1"
        page = ["", "| /metrics after | series | bytes | slowest of 20, ms | alerts |", "|---|--:|--:|--:|--:|"]
        page += [*pages, f"| bar | {bars} |"]
        print("\n".join(page))
        lines += page
    if not chosen.flood:
        put("floods", lines)


if __name__ == "__main__":
    main()
