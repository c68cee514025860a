"""Row 54: odd segments, and this machine's kernel at the other end: what it took, the sensor must have read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.attacks import GENEVA, NAMED, THEMIS
from tests.live.kernel import NUMBER, OTHER, Talk, Wire, wired
from tests.live.networks import needs_root
from tests.live.replayed import examine
from tests.live.symbolic import seeded

pytestmark = [pytest.mark.live, needs_root]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with wired() as wire:
        yield wire


def chosen(talks: dict[str, Talk]) -> tuple[int, int]:
    """How many times the kernel took the number, and how many times the other."""
    numbers = [number for talk in talks.values() for number in talk.taken]
    return numbers.count(NUMBER), numbers.count(OTHER)


def test_what_the_kernel_took_of_published_attacks_was_read(wire: Wire, tmp_path: Path) -> None:
    assert (len(THEMIS), len(GENEVA)) == (35, 24)
    talks = {name: wire.talk(case) for name, case in NAMED.items()}
    assert examine(talks, tmp_path) == []
    assert min(chosen(talks)) > 3  # the kernel had to choose


def test_what_the_kernel_took_of_random_packets_was_read(wire: Wire, tmp_path: Path) -> None:
    """More of them: python -m tests.live.replayed 1000."""
    talks = {f"case {n}": wire.talk(seeded(n)) for n in range(60)}
    assert examine(talks, tmp_path) == []
    assert min(chosen(talks)) > 5
