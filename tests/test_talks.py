"""Random talks: both engines say the same of each, and it does not matter how a talk is brought.

Metamorphic: cutting, doubling, reordering within a window, fragments, encapsulation, another time and another address
family change no head, no sighting and no verdict. TALKS sets how many are tried: `make fuzz-long` tries thousands.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.agreements import RuleBook, load
from monitor.engine import native_is_here
from monitor.identify import Identify
from monitor.judge import Judge
from monitor.records import RequestHead
from pcaps.talk import ETHERNET, Packet, ethernet, pcap
from tests.conversations import CHANGES, DECOY_NUMBER, Teller, bereft, conversation, mixed, plain
from tests.leaks import write_rules
from tests.test_engine import agree, run

TALKS = int(os.environ.get("TALKS", "12"))
HEADS = ("requests", "trailers", "ambiguous_requests", "clean_heads")
seeds = st.integers(0, 2**32)
changes = st.frozensets(st.sampled_from(CHANGES), max_size=6)
tried = settings(max_examples=TALKS, deadline=None, derandomize="TALKS" not in os.environ)


class Told(NamedTuple):
    """What must not depend on how a conversation was brought."""

    heads: Counter[tuple[Any, ...]]
    verdicts: Counter[tuple[Any, ...]]
    counts: dict[str, int]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    """One partner, and both address families in the network: where and when a talk took place makes no difference."""
    folder = write_rules(tmp_path_factory.mktemp("rules"))
    network = json.loads((folder / "network.yaml").read_text())
    network["access"]["3g"].append("2001:db8:1::/48")
    (folder / "network.yaml").write_text(json.dumps(network))
    return load(folder)


def timeless(head: RequestHead) -> tuple[Any, ...]:
    return (*head._replace(readings=())[2:], tuple(map(timeless, head.readings)))


def told(path: Path, frames: list[Packet], link: int, book: RuleBook) -> Told:
    path.write_bytes(pcap(frames, link=link))
    heads, batch = agree(path) if native_is_here() else run("portable", path)
    identify, judge = Identify(book.plan), Judge(book, lambda number, _: number.digits)
    verdicts: Counter[tuple[Any, ...]] = Counter()
    for head in heads:
        for sighting in identify.feed(head):
            verdict = judge.feed(sighting)
            verdicts[(*sighting[1:], *(verdict[1:] if verdict else ()))] += 1
    kept = {key: count for key, count in batch.counts.items() if key in HEADS or key.startswith("oddities.")}
    return Told(Counter(map(timeless, heads)), verdicts, kept)


@tried
@given(seed=seeds, turns=st.integers(1, 4), changed=changes)
def test_how_a_talk_is_brought_changes_no_verdict(
    tmp_path_factory: pytest.TempPathFactory, book: RuleBook, seed: int, turns: int, changed: frozenset[str]
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    said = conversation(random.Random(seed), turns)
    teller = Teller(random.Random(seed), changed)
    retold = told(folder / "told.pcap", teller.frames(said), teller.link, book)
    frames = [(time_ns, ethernet(packet)) for time_ns, packet in plain(said)]
    known = told(folder / "plain.pcap", frames, ETHERNET, book)
    if known.counts["oddities.framing"] or retold.counts["oddities.framing"]:
        # where a request ends is in doubt: then segments are evidence (docs/request-head.md), and no number may hide
        assert numbers(retold) - {DECOY_NUMBER} == numbers(known) - {DECOY_NUMBER}
    else:
        assert retold == known


@tried
@given(
    seed=seeds,
    turns=st.integers(1, 3),
    together=st.integers(1, 4),
    changed=changes,
    lost=st.sampled_from((0.01, 0.1, 0.4)),
)
def test_what_a_tap_loses_invents_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    book: RuleBook,
    seed: int,
    turns: int,
    together: int,
    changed: frozenset[str],
    lost: float,
) -> None:
    folder, chance = tmp_path_factory.mktemp("talk"), random.Random(seed)
    talks = [conversation(chance, turns) for _ in range(together)]
    teller = Teller(chance, changed - {"framed"})
    tellings = [teller.frames(said, 40001 + n) for n, said in enumerate(talks)]
    retold = told(folder / "told.pcap", bereft(mixed(tellings, chance), chance, lost), teller.link, book)
    tellings = [plain(said, sport=40001 + n) for n, said in enumerate(talks)]
    frames = [(time_ns, ethernet(packet)) for telling in tellings for time_ns, packet in telling]
    known = told(folder / "plain.pcap", frames, ETHERNET, book)
    assert numbers(retold) <= numbers(known) | {DECOY_NUMBER}


def numbers(found: Told) -> set[str]:
    """What was taken for a subscriber number. A decoy lies in a body, and a tap that loses its head makes it one."""
    return {verdict[1].digits for verdict in found.verdicts}
