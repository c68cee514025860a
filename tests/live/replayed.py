"""What the sensor makes of talks with a real kernel (kernel.py): each engine, from both halves and from the client's.

Whichever number the server's application was given must be seen, for sure or as ambiguous; where both halves are seen,
what it was not given, but other bytes in its place, is never sure. The engines agree to the byte; the books balance.

    python -m tests.live.replayed [COUNT [FIRST]]    # named cases, and COUNT seeded ones from number FIRST on; as root
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

from monitor.identify import Identify
from monitor.records import Certainty
from pcaps.talk import ETHERNET, Packet, pcap
from tests.live.attacks import NAMED
from tests.live.kernel import FROM_SERVER, NUMBER, OTHER, Talk, wired
from tests.live.symbolic import seeded
from tests.test_audit import PLAN, balanced
from tests.test_engine import agree


class View(Enum):
    """What of the connection passes the tap."""

    BOTH = "both halves"
    CLIENT = "the client's half"


def seen_of(view: View, frames: Iterable[Packet]) -> list[Packet]:
    return [frame for frame in frames if view is View.BOTH or frame[1][:12] != FROM_SERVER]


Seen = dict[int, set[tuple[bytes, Certainty]]]


def sighted(capture: Path) -> Seen:
    """By port of the client, each number that was seen, and how sure that is; both engines must agree to the byte."""
    identify = Identify(PLAN)
    found: Seen = {}
    for head in agree(capture)[0]:
        for each in identify.feed(head):
            found.setdefault(head.flow.sport, set()).add((each.number.digits.encode(), each.certainty))
    return found


def faults(talk: Talk, seen: Seen, view: View) -> list[str]:
    """What is wrong with what was seen of a talk."""
    found = seen.get(talk.port, set())
    missed = talk.taken - {number for number, _ in found}
    sure = {number for number, certainty in found if certainty is Certainty.CONFIRMED}
    wrong = sure & talk.refused if view is View.BOTH else set()
    names = {NUMBER: "the number", OTHER: "the other number"}
    return [
        *(f"{view.value}: {names[each]} was taken and not seen" for each in sorted(missed)),
        *(f"{view.value}: {names[each]} was confirmed, and other bytes taken" for each in sorted(wrong)),
    ]


def examine(talks: Mapping[str, Talk], folder: Path) -> list[tuple[str, str]]:
    """All that is wrong with what was read of the talks, each with the name of its talk; the books must balance."""
    wrong = []
    for view in View:
        capture = folder / f"{view.name.lower()}.pcap"
        capture.write_bytes(
            pcap([each for talk in talks.values() for each in seen_of(view, talk.frames)], link=ETHERNET)
        )
        seen = sighted(capture)
        wrong += [(name, fault) for name, talk in talks.items() for fault in faults(talk, seen, view)]
        for engine in ("portable", "native"):
            balanced(capture, engine)
    return wrong


AT_ONCE = 250  # talks in a capture


def main(count: int, first: int) -> int:
    cases = NAMED | {f"case {n}": seeded(n) for n in range(first, first + count)}
    with wired() as wire:
        talks = {name: wire.talk(case) for name, case in cases.items()}
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        names = list(talks)
        for at in range(0, len(names), AT_ONCE):
            wrong += examine({name: talks[name] for name in names[at : at + AT_ONCE]}, Path(folder))
    for name, fault in wrong:
        print(f"{name}: {fault}", *cases[name].opening, *cases[name].steps, *talks[name].delivered, sep="\n    ")
    took = [talk.taken for talk in talks.values()]
    number, other = (sum(each in taken for taken in took) for each in (NUMBER, OTHER))
    print(f"{len(talks)} talks: the kernel took the number in {number}, the other in {other}; {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    given = [*map(int, sys.argv[1:])]
    sys.exit(main(*given, *(1000, 0)[len(given) :]))
