"""`make bench`: this project and the installed peers on the same captures in turn; the section `speed` of RESULTS.md.

    python -m bench --size 1000 --runs 5

CPU seconds (user and system, of the whole process) are the measure that a shared machine allows; wall clock only where
two cores are the point. Every figure is the median of several runs with the capture in the page cache. A command that
has run long enough on one capture is run no more there: its runs are stated. Captures are made by bench.traffic from a
seed. Ends with 1 when a number was missed, or one found that nobody sent.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench import RULES
from bench.cost import Cost, cost, middle
from bench.peers import PEERS
from bench.results import RESULTS, put, where_and_when
from bench.truth import Found, compare, key_file
from monitor.engine import native_is_here
from pcaps.talk import pcap

SHARES = {"2012": 1.0, "today": 1.0, "small": 0.2, "gtpu": 0.5, "lossy": 0.5, "storm": 1.0}  # of --size, by preset
ENGINE = "native" if native_is_here() else "portable"
PROGRAM = str(Path(sys.executable).with_name("msisdn-monitor"))
OURS, ALONE = "msisdn-monitor", "msisdn-monitor --workers 1"
BARS = {"2012": 2.5, "today": 2.5, "small": 2.5, "gtpu": 1.8, "lossy": 1.8}  # million packets a CPU second (issue 3)
Line = Callable[[Path, Path], list[str]]  # of a capture and an empty folder


class Measured(NamedTuple):
    """One capture."""

    preset: str
    truth: Mapping[str, Any]  # of bench.traffic
    costs: dict[str, list[Cost]]  # by command
    engine_s: list[float]  # CPU, of the engine alone
    shares: Mapping[str, float]  # of the stages of the pipeline, CPU seconds
    found: Found
    alike: bool  # two cores printed what one core did, in one of its runs at the least

    def million_a_second(self, cpu_s: float) -> float:
        return float(self.truth["packets"]) / cpu_s / 1e6


def replay(capture: Path, _folder: Path, *, key: Path, workers: int | None = None) -> list[str]:
    line = [PROGRAM, "replay", str(capture), "--rules", str(RULES), "--format", "jsonl", "--token-key", str(key)]
    return line if workers is None else [*line, "--workers", str(workers)]


def measure(capture: Path, preset: str, *, runs: int, seconds: float, key: Path) -> Measured:
    lines: dict[str, Line] = {OURS: partial(replay, key=key), ALONE: partial(replay, key=key, workers=1)}
    lines |= {peer.command: peer.line for peer in PEERS if peer.installed}
    costs: dict[str, list[Cost]] = {name: [] for name in lines}
    printed: dict[str, set[str]] = {OURS: set(), ALONE: set()}
    engine_s: list[float] = []
    for _ in range(runs):
        for name, line in lines.items():
            if sum(each.wall_s for each in costs[name]) > seconds:
                continue
            with TemporaryDirectory() as folder:
                output = Path(folder, "output")
                costs[name].append(cost(line(capture, Path(folder)), output, codes=(0, 1)))
                if name in printed:
                    printed[name].add(hashlib.sha256(output.read_bytes()).hexdigest())
                    found = compare(output, capture.with_suffix(".json"), key)
        engine_s.append(said("bench.stages", ENGINE, str(capture))["cpu_s"])
    shares = said("bench.stages", ENGINE, str(capture), "--shares")
    return Measured(
        preset, json.loads(capture.with_suffix(".json").read_text()), costs, engine_s, shares, found,
        alike=not printed[OURS].isdisjoint(printed[ALONE]),
    )  # fmt: skip


def said(module: str, *arguments: str) -> dict[str, Any]:
    """What a program of this folder prints in a process of its own."""
    ran = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def reading(capture: Path, runs: int) -> dict[str, float]:
    each = [said("bench.reading", str(capture)) for _ in range(runs)]
    return {way: median(one[way] for one in each) for way in each[0]}


def start(folder: Path, runs: int) -> Cost:
    """An empty capture: what is left is the start."""
    empty = folder / "empty.pcap"
    empty.write_bytes(pcap([]))
    line = replay(empty, folder, key=key_file(folder))
    return middle([cost(line, folder / "output", codes=(4,)) for _ in range(runs)])  # 4: nothing was seen


# --- the page -----------------------------------------------------------------------------------------------------


def page(measured: Sequence[Measured], started: Cost, read: Mapping[str, float], runs: int) -> Iterator[str]:
    missing = [peer for peer in PEERS if not peer.installed]
    yield f"## Speed: `make bench`, medians of {runs} runs where no other number is stated"
    yield ""
    yield from where_and_when()
    yield f"- Engine {ENGINE}; CPU seconds are user and system of the whole process, captures in the page cache"
    if missing:
        yield f"- Not installed here: {', '.join(peer.command for peer in missing)}"
        yield f"  (`apt-get install {' '.join(peer.package for peer in missing)}`)"
    yield ""
    yield from bars(measured, started)
    yield ""
    yield f"Reading the largest capture and summing up every octet: read() into one buffer {read['read']:.3f} CPU s, "
    yield f"mmap {read['mmap']:.3f} CPU s ({read['read'] / read['mmap']:.2f} : 1). Why the engine reads all the same: "
    yield "docs/decisions/0011-read-not-mmap.md."
    for each in measured:
        yield from section(each)


def bars(measured: Sequence[Measured], started: Cost) -> Iterator[str]:
    """The table of issue 3. Its bars are for the sizes that it names; the size that was measured is stated."""
    by_preset = {each.preset: each for each in measured}
    yield "| what | measured | bar of issue 3 |"
    yield "|---|--:|--:|"
    for preset, bar in BARS.items():
        if each := by_preset.get(preset):
            rate = each.million_a_second(median(each.engine_s))
            yield f"| engine alone, {preset}, million packets a CPU second | {rate:.2f} | ≥ {bar} |"
    for preset, what, bar in (("2012", "every number judged", 0.7), ("storm", "a number in every request", 1.4)):
        if each := by_preset.get(preset):
            size = each.truth["octets"] / 1e6
            for name in (ALONE, OURS):
                spent = middle(each.costs[name]).cpu_s
                cores = "one core" if name == ALONE else "as it comes"
                yield f"| replay, {preset}, {what}, {cores}, {size:,.0f} MB, CPU s | {spent:.2f} | ≤ {bar} at 1 GB |"
    if each := by_preset.get("2012"):
        both, one = middle(each.costs[OURS]), middle(each.costs[ALONE])
        yield f"| peak memory, 2012, MB | {both.peak_mb:.0f} | ≤ 100 |"
        yield f"| wall clock on one core : on two, 2012 | {one.wall_s / both.wall_s:.2f} | ≥ 1.6 |"
    yield f"| start to end on an empty capture, wall s (CPU s) | {started.wall_s:.2f} ({started.cpu_s:.2f}) | ≤ 0.25 |"
    other = [each.preset for each in measured if not each.alike]
    yield f"| one core and two print the same to the byte | {', '.join(other) or 'all'}{' NOT' * bool(other)} | all |"
    for each in measured:
        of, missed, false = each.found
        yield f"| numbers found once, {each.preset} | {of - missed:,} of {of:,}, {false} false | all, 0 false |"


def section(measured: Measured) -> Iterator[str]:
    truth, preset = measured.truth, measured.preset
    ours = middle(measured.costs[OURS]).cpu_s
    does = {peer.command: peer.does for peer in PEERS} | {ALONE: "the same"}
    yield ""
    yield f"### {preset} (`bench.traffic {preset} --octets {truth['planned']} --seed {truth['seed']}`)"
    yield ""
    holds = "{packets:,} packets; {mb:,.1f} MB; {requests_captured:,} requests, {numbered_captured:,} with a number"
    yield holds.format_map({**truth, "mb": truth["octets"] / 1e6})
    yield ""
    yield "| | CPU s | ours = 1 | million packets a CPU second | wall s | peak MB | runs | what it does |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    alone, runs = median(measured.engine_s), len(measured.engine_s)
    rate = measured.million_a_second(alone)
    yield f"| engine alone, one core | {alone:.2f} | {alone / ours:.2f} | {rate:.2f} | | | {runs} | finds heads |"
    for name, costs in measured.costs.items():
        cpu_s, wall_s, peak_mb = middle(costs)
        yield (
            f"| {name} | {cpu_s:.2f} | {cpu_s / ours:.2f} | {measured.million_a_second(cpu_s):.2f} | {wall_s:.2f} "
            f"| {peak_mb:,.0f} | {len(costs)} | {does.get(name, 'everything: every number judged')} |"
        )
    whole = sum(measured.shares.values())
    shares = ", ".join(f"{stage} {seconds / whole:.0%}" for stage, seconds in measured.shares.items() if seconds)
    yield ""
    yield f"Where the time of the pipeline goes: {shares}."


def captures(chosen: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, str]]:
    """Each capture and its preset; it is gone when the next is asked for."""
    for preset in chosen.preset or SHARES:
        path, octets = folder / f"{preset}.pcap", int(chosen.size * 1e6 * SHARES[preset])
        making = ("-m", "bench.traffic", preset, str(path), "--octets", str(octets), "--seed", str(chosen.seed))
        subprocess.run([sys.executable, *making], check=True)
        print(f"{preset}: {path.stat().st_size / 1e6:,.0f} MB", file=sys.stderr)
        yield path, preset
        path.unlink()


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write bench/RESULTS.md.")
    options.add_argument("--preset", action="append", choices=SHARES, help="default: all of them")
    options.add_argument("--size", type=float, default=100, help="MB of the largest captures (%(default)s)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument(
        "--seconds", type=float, default=6, help="of one command on one capture; no further runs then (%(default)s)"
    )
    chosen = options.parse_args()
    compileall.compile_dir("monitor", quiet=1)  # as pip does when it installs: a start must not compile
    with TemporaryDirectory() as name:
        folder = Path(name)
        started, key = start(folder, chosen.runs), key_file(folder)
        measured, read = [], {}
        for path, preset in captures(chosen, folder):
            read = read or reading(path, chosen.runs)
            measured.append(measure(path, preset, runs=chosen.runs, seconds=chosen.seconds, key=key))
    put("speed", page(measured, started, read, chosen.runs))
    print(RESULTS.read_text())
    return 0 if all(each.found.all_and_no_other and each.alike for each in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
