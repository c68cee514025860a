"""Decoys of every kind (5-hostile.md, rows 39 and 42): a sample of tests/decoys.py; `make fuzz-long` tries them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.engine import native_is_here
from pcaps.talk import pcap
from tests.decoys import CASES, Case, hidden, sample
from tests.test_engine import agree, both

TRIED = 250


@pytest.mark.parametrize("engine", ["portable", pytest.param("native", marks=both)])
def test_no_decoy_hides_a_number_unless_a_bound_that_is_counted_says_so(engine) -> None:
    assert not [
        each for each in hidden(engine, sample(TRIED)) if not any(key.startswith("shed.") for key in each.counts)
    ]


@pytest.mark.skipif(not native_is_here(), reason="the native engine is not in this installation")
def test_both_engines_say_the_same_of_decoys(tmp_path: Path) -> None:
    path = tmp_path / "decoys.pcap"
    path.write_bytes(pcap([frame for n, case in enumerate(sample(TRIED, 6)) for frame in case.talk(n).frames]))
    agree(path)


def test_a_decoy_that_hides_is_told() -> None:
    assert len(CASES) == len(set(CASES)) > 30_000

    class Mute(Case):
        """Only the decoy ever comes."""

        def talk(self, n: int):
            talk = super().talk(n)
            del talk.packets[7:]
            return talk

    case = ("a_request", "masked", "field", 0, True, 1460, True, True)
    assert not [*hidden("portable", [Case(*case)])]
    assert len([*hidden("portable", [Mute(*case)])]) == 1
