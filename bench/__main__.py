"""`make bench`: measures this project and the installed peers on the same captures in turn, writes bench/RESULTS.md.

CPU seconds (user and system, of the whole process) are the measure that a shared machine allows. Every figure is the
median of several runs with the capture in the page cache. Captures are made by bench.traffic from a seed, or named with
--capture.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench import RULES
from bench.peers import PEERS
from monitor.engine import native_is_here

PRESETS = ("2012", "today", "small", "gtpu", "lossy")
ENGINES = ("native", "portable") if native_is_here() else ("portable",)
RESULTS = Path(__file__).with_name("RESULTS.md")
Line = Callable[[Path, Path], list[str]]  # of a capture and an empty folder


class Cost(NamedTuple):
    cpu_s: float
    peak_mb: float


class Measured(NamedTuple):
    """One capture. Each engine is what bench.stages says of it."""

    title: str
    octets: int
    truth: dict[str, int]  # of bench.traffic
    costs: dict[str, Cost]  # by command
    engines: dict[str, dict[str, Any]]


def cost(line: Sequence[str], output: Path, codes: tuple[int, ...] = (0,)) -> Cost:
    """Runs one command to its end; `output` gets what it prints."""
    with output.open("wb") as out, output.with_suffix(".err").open("w+b") as err:
        process = subprocess.Popen(line, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            err.seek(0)
            sys.exit(f"{line[0]} ended with {process.returncode}: {err.read().decode(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def replay(engine: str, capture: Path, _folder: Path) -> list[str]:
    program = str(Path(sys.executable).with_name("msisdn-monitor"))
    return [program, "replay", str(capture), "--rules", str(RULES), "--engine", engine]


def measure(capture: Path, title: str, engines: Sequence[str], runs: int) -> Measured:
    lines: dict[str, Line] = {f"msisdn-monitor replay, {engine}": partial(replay, engine) for engine in engines}
    lines |= {peer.command: peer.line for peer in PEERS if peer.installed}
    costs: dict[str, list[Cost]] = {name: [] for name in lines}
    said: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for _ in range(runs):
        for name, line in lines.items():
            with TemporaryDirectory() as folder:
                output = Path(folder, "output")
                costs[name].append(cost(line(capture, Path(folder)), output, codes=(0, 1)))
        for engine in engines:
            with TemporaryDirectory() as folder:
                output = Path(folder, "output")
                cost([sys.executable, "-m", "bench.stages", engine, str(capture)], output)
                said[engine].append(json.loads(output.read_text()))
    truth = capture.with_suffix(".json")
    return Measured(
        title,
        capture.stat().st_size,
        json.loads(truth.read_text()) if truth.exists() else {},
        {name: Cost(*map(median, zip(*each, strict=True))) for name, each in costs.items()},
        {engine: medians(each) for engine, each in said.items()},
    )


def medians(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One mapping of the shape of each of these: figure by figure the median."""
    return {
        key: medians([each[key] for each in said]) if isinstance(value, dict) else median(each[key] for each in said)
        for key, value in said[0].items()
    }


def page(measured: Sequence[Measured], runs: int) -> Iterator[str]:
    """The lines of RESULTS.md."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    missing = [peer for peer in PEERS if not peer.installed]
    yield "# Measured"
    yield ""
    yield f"Written by `make bench`; no figure is typed by hand. Medians of {runs} runs."
    yield ""
    yield f"- Machine: {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    yield f"- Python {platform.python_version()}, commit {git.stdout.strip() or '?'}, {datetime.now(UTC):%Y-%m-%d}"
    if missing:
        yield f"- Not installed here: {', '.join(peer.command for peer in missing)}"
        yield f"  (`apt-get install {' '.join(peer.package for peer in missing)}`)"
    for each in measured:
        yield from section(each)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def section(measured: Measured) -> Iterator[str]:
    packets = next(iter(measured.engines.values()))["packets"]
    ours = next(iter(measured.costs.values())).cpu_s
    does = {peer.command: peer.does for peer in PEERS}
    holds = [f"{packets:,.0f} packets", f"{measured.octets / 1e6:,.1f} MB"]
    if measured.truth:
        holds.append("{requests_captured:,} requests, {numbered_captured:,} with a number".format_map(measured.truth))
    holds += [f"{engine} read {said['requests']:,.0f} requests" for engine, said in measured.engines.items()]
    yield from ("", f"## {measured.title}", "", "; ".join(holds), "")
    yield "| | CPU s | packets a CPU second | CPU, ours = 1 | peak MB | what it does |"
    yield "|---|--:|--:|--:|--:|---|"
    rows = [
        (f"engine {engine}", said["cpu_s"], "", f"alone; passes {said['passed']:,.0f} heads")
        for engine, said in measured.engines.items()
    ] + [
        (name, cpu_s, f"{peak_mb:,.0f}", does.get(name, "everything, every number judged"))
        for name, (cpu_s, peak_mb) in measured.costs.items()
    ]
    for name, cpu_s, peak_mb, what in rows:
        yield f"| {name} | {cpu_s:.2f} | {packets / cpu_s:,.0f} | {cpu_s / ours:.2f} | {peak_mb} | {what} |"
    for engine, said in measured.engines.items():
        whole = sum(said["stages"].values())
        yield from ("", f"| stage, {engine} | share | µs a packet |", "|---|--:|--:|")
        for stage, seconds in said["stages"].items():
            if not seconds:
                continue
            yield f"| {stage} | {seconds / whole:.1%} | {seconds / packets * 1e6:.2f} |"


def captures(chosen: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, str]]:
    """Each capture and its title; one that is made here is gone when the next is asked for."""
    if chosen.capture:
        yield chosen.capture, chosen.capture.name
        return
    for preset in chosen.preset or PRESETS:
        path = folder / f"{preset}.pcap"
        making = ("-m", "bench.traffic", preset, str(path), "--octets", str(chosen.octets), "--seed", str(chosen.seed))
        subprocess.run([sys.executable, *making], check=True)
        yield path, f"{preset} (`bench.traffic {preset} --octets {chosen.octets} --seed {chosen.seed}`)"
        path.unlink()


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write bench/RESULTS.md.")
    options.add_argument("--preset", action="append", choices=PRESETS, help="default: all of them")
    options.add_argument("--octets", type=int, default=100_000_000, help="of each capture (%(default)s)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--capture", type=Path, help="another capture instead")
    options.add_argument("--engine", action="append", choices=ENGINES, help="default: all that are installed")
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with TemporaryDirectory() as folder:
        measured = [
            measure(path, title, chosen.engine or ENGINES, chosen.runs)
            for path, title in captures(chosen, Path(folder))
        ]
    RESULTS.write_text("\n".join(page(measured, chosen.runs)) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
