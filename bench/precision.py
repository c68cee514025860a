"""How often a number is found where there is none, and what looking costs: `make precision`.

A million benign values of bench.benign, ten to a head, go through the native engine and `identify` with the numbers of
a large operator (25 million from +44 7700 000000 on), then through `identify` alone, without a sieve in front. Prints
what was found, and values a CPU second. Ends with 1 when anything was found.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benign import BY_CHANCE, filled, values
from monitor.engine import native_is_here, open_engine
from monitor.identify import Identify
from monitor.records import CaptureFiles, Fields, Flow, RequestHead
from monitor.verdicts import NumberPlan
from pcaps.recipe import get
from pcaps.talk import Talk, pcap

OPERATOR = NumberPlan("44", "0", "00", (("447700000000", "447724999999"),), ("23410",))
FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
EACH = 10  # values of one head
REQUESTS = 200  # of one connection


def heads(seed: int, amount: int, everyday: bool = False) -> Iterator[tuple[str, Fields]]:
    """Target and fields; of several targets the last counts."""
    all_values = values(seed, amount, everyday)
    while some := list(islice(all_values, EACH)):
        target = next((value for name, value in reversed(some) if name == ":target"), "/")
        yield target, tuple((name.lower().encode(), value.encode()) for name, value in some if name != ":target")


def capture(seed: int, amount: int, everyday: bool) -> bytes:
    frames = []
    requests = (
        get(*(b": ".join(field) for field in fields), target=target.encode())
        for target, fields in heads(seed, amount, everyday)
    )
    at = 0
    while some := list(islice(requests, REQUESTS)):
        talk = Talk(sport=10_000 + at % 50_000, src=f"100.64.{at // 50_000}.7").open()
        frames += talk.client(b"".join(some)).close().frames
        at += 1
    return pcap(frames)


def sieved(identify: Identify, path: Path) -> tuple[int, int, int, float]:
    """Requests, heads that the sieve let through, own numbers in them, CPU seconds."""
    begun = time.process_time()
    passed = found = 0
    with closing(open_engine(CaptureFiles((str(path),)), identify.watch(), prefer="native")) as engine:
        done = False
        while not done:
            batch = engine.poll(1)
            passed += len(batch.heads)
            found += sum(one.own for head in batch.heads for one in identify.feed(head))
            done = batch.done
    return batch.counts["requests"], passed, found, time.process_time() - begun


def unsieved(identify: Identify, seed: int, amount: int) -> tuple[list[str], float]:
    """What was found, and CPU seconds of `identify` alone."""
    found, spent = [], 0.0
    for target, fields in heads(seed, amount):
        head = RequestHead(0, FLOW, b"GET", target.encode(), b"HTTP/1.1", fields)
        begun = time.process_time()
        sightings = identify.feed(head)
        spent += time.process_time() - begun
        found += [f"{one.spelling} in {one.field.decode()}" for one in sightings if one.own]
    return found, spent


def by_chance(identify: Identify, amount: int) -> int:
    """How many of so many random rows of twelve digits are taken for a number, as every such row in the ranges is."""
    name, template = BY_CHANCE
    dice = random.Random(12)
    rows = (filled(template, dice).encode() for _ in range(amount))
    return sum(
        one.own
        for row in rows
        for one in identify.feed(RequestHead(0, FLOW, b"GET", b"/", b"HTTP/1.1", ((name.lower().encode(), row),)))
    )


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench.precision", description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("--values", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    amount, seed, wrong = chosen.values, chosen.seed, 0
    for everyday in (True, False) if native_is_here() else ():
        with TemporaryDirectory() as folder:
            path = Path(folder, "benign.pcap")
            path.write_bytes(capture(seed, amount, everyday))
            requests, passed, found, spent = sieved(Identify(OPERATOR), path)
        wrong += found
        kind = "everyday values" if everyday else "traps"
        print(f"{amount:,} {kind}, native engine and identify: {found} numbers found,")
        print(
            f"  {spent:.2f} CPU s, {amount / spent:,.0f} values a second; the sieve passed {passed:,} of {requests:,}"
        )
    all_found, spent = unsieved(Identify(OPERATOR), seed, amount)
    wrong += len(all_found)
    print(f"{amount:,} traps, identify alone: {len(all_found)} numbers found,")
    print(f"  {spent:.2f} CPU s, {amount / spent:,.0f} values a second")
    for line in sorted(set(all_found)):
        print(f"  {all_found.count(line)} {line}")
    rows = amount // 10
    found = by_chance(Identify(OPERATOR), rows)
    print(f"by chance: {found} of {rows:,} rows of twelve random digits; 25 of a million are own numbers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
