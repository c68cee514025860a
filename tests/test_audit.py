"""The books balance: every number that a plain scan of each packet sees has one fate, on each engine."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import audit, counts
from monitor.audit import FATES, Audit
from monitor.cli import cli
from monitor.engine import Preference, open_engine
from monitor.identify import Identify
from monitor.records import Batch, CaptureFiles, Carried, Fate, NumberPlan, Stretch, Trace
from pcaps.recipes import RECIPES
from pcaps.talk import pcap
from tests.conversations import CHANGES, Teller, bereft, conversation, mixed
from tests.leaks import RULES, leak, write

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",))
ANY_PLAN = NumberPlan("", "", "00", (("1000000000", "9999999999"), ("100000000000", "999999999999")), ())
PAYLOAD = b"GET / HTTP/1.1\r\nX-MSISDN: 447700900123\r\n\r\n"
identify_by = cache(Identify)
TALKS = int(os.environ.get("TALKS", "8"))


def balanced(capture: Path, engine: Preference, plan: NumberPlan = PLAN) -> Audit:
    """The audit of a capture; the sieve must have let through all that identify finds without it."""
    identify = identify_by(plan)
    books, sightings = Audit(plan, identify), 0
    running = open_engine(CaptureFiles((str(capture),)), identify.watch()._replace(audited=1), prefer=engine)
    done = False
    while not done:
        batch = running.poll(1.0)
        books.feed(batch)
        sightings += sum(len(identify.feed(head)) for head in batch.heads)
        done = batch.done
    running.close()
    told = books.books()
    assert told["unaccounted"] == 0, f"{capture.name}: {told}"
    assert books.candidates == sum(books.fates.values()), f"{capture.name}: {told}"
    assert sightings == books.sightings, f"{capture.name}: the sieve kept something back"
    return books


def batch(*trace: Trace, done: bool = True) -> Batch:
    return Batch([], counts.zeros(), 0, 0, (), done, trace=trace)


# --- on traffic ---------------------------------------------------------------------------------------------------


def test_every_recipe_balances(engine_name: Preference) -> None:
    found = [balanced(recipe.path, engine_name) for recipe in RECIPES.values()]
    fates = {what for books in found for what, amount in books.fates.items() if amount}
    assert fates >= {"confirmed", "ambiguous", "body", "duplicate", "twin", "unknown_tunnel", "fragments", "depth"}


@settings(max_examples=TALKS, derandomize="TALKS" not in os.environ)
@given(
    seed=st.integers(0, 2**32),
    changed=st.frozensets(st.sampled_from(CHANGES), max_size=6),
    lost=st.sampled_from((0.0, 0.05, 0.3)),
)
def test_random_talks_balance(
    tmp_path_factory: pytest.TempPathFactory, seed: int, changed: frozenset[str], lost: float
) -> None:
    chance = random.Random(seed)
    teller = Teller(chance, changed)
    tellings = [teller.frames(conversation(chance, 2), 40001 + n) for n in range(2)]
    capture = tmp_path_factory.mktemp("talk") / "talk.pcap"
    capture.write_bytes(pcap(bereft(mixed(tellings, chance), chance, lost), link=teller.link))
    by_engine = [balanced(capture, engine).fates for engine in ("portable", "auto")]
    assert by_engine[0] == by_engine[1]


@pytest.mark.shared
def test_real_captures_balance(engine_name: Preference) -> None:
    folder = Path(__file__).parents[2] / "shared" / "captures" / "files"
    if not folder.exists():
        pytest.skip("needs the shared captures")
    small = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 100_000)
    assert sum(balanced(path, engine_name, ANY_PLAN).candidates for path in small[::8]) > 100


def test_a_half_stream_that_is_not_sampled_leaves_no_trace(engine_name: Preference, tmp_path: Path) -> None:
    capture = write(tmp_path / "leak.pcap", leak())
    watch = identify_by(PLAN).watch()._replace(audited=2**61)
    running = open_engine(CaptureFiles((str(capture),)), watch, prefer=engine_name)
    assert not [step for step in running.poll(1.0).trace if not isinstance(step, Carried)]
    running.close()


# --- by itself ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "candidates"),
    [
        (b"447700900123", 1),
        (b"+447700900123 and 00447700900124, 07700900125", 3),
        (b"4477009001234", 0),
        (b"x1447700900123", 0),
        (b"447700901000", 0),  # nobody's
        (b"44770090012", 0),
    ],
)
def test_what_the_shadow_scan_sees(octets: bytes, candidates: int) -> None:
    books = Audit(PLAN, identify_by(PLAN))
    books.feed(batch(Carried(0, octets, "not_tcp")))
    assert books.candidates == books.fates["not_tcp"] == candidates


def test_a_number_of_which_nobody_says_anything_is_unaccounted() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    books.feed(batch(Carried(1, PAYLOAD), done=False))
    assert books.unaccounted == 1


def test_a_number_in_a_reading_that_never_ends_is_unaccounted() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    books.feed(batch(Carried(1, PAYLOAD), Fate(1, "taken", 1, 100)))
    assert books.unaccounted == 1


def test_the_latest_fate_is_it() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    books.feed(batch(Carried(1, PAYLOAD), Fate(1, "taken", 1, 100), Fate(1, "duplicate")))
    assert books.books()["rejected"] == {"duplicate": 1}


@pytest.mark.parametrize(
    ("stretches", "fate"),
    [
        ([("gap", 100, 140)], "gap"),
        ([("gap", 100, 110)], "body"),  # not where the number stands
        ([("bad_checksum", 90, 200), ("body", 100, 142)], "bad_checksum"),
        ([], "body"),
    ],
)
def test_bytes_in_no_head(stretches: list[tuple[str, int, int]], fate: str) -> None:
    books = Audit(PLAN, identify_by(PLAN))
    steps = [Stretch(1, start, stop, what) for what, start, stop in stretches]
    books.feed(batch(Carried(1, PAYLOAD), Fate(1, "taken", 1, 100), *steps, Stretch(1, 100, 142, "end")))
    assert books.fates == {fate: 1}


def test_a_connection_that_lasts_has_a_bound() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    for turn in range(2 * audit.MOST_STRETCHES):
        start = 100 * turn
        steps = Carried(turn + 1, PAYLOAD), Fate(turn + 1, "taken", 1, start), Stretch(1, start + 50, start + 99, "gap")
        books.feed(batch(*steps, done=False))
    reading = books._readings[1]
    assert len(reading.stretches) <= audit.MOST_STRETCHES
    assert len(reading.waiting) <= audit.MOST_STRETCHES + 1
    assert books.fates["body"] > audit.MOST_STRETCHES


def test_records_show_no_number() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    carried = Carried(1, PAYLOAD)
    assert "7700" not in repr(carried) + repr(list(books._candidates(PAYLOAD)))


def test_every_skip_has_a_fate() -> None:
    assert set(counts.SKIPPED) - {"empty", "fragment"} <= FATES.keys()


# --- as a user sees it --------------------------------------------------------------------------------------------


def replayed(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["replay", "--rules", str(RULES), "--audit", *args])
    return result.exit_code, result.stdout


def test_the_books_stand_on_the_page(tmp_path: Path) -> None:
    code, page = replayed(str(write(tmp_path / "leak.pcap", leak())))
    assert code == 1
    assert "The books" in page
    assert "must be 0" in page


def test_the_books_stand_in_the_last_line(tmp_path: Path) -> None:
    _, lines = replayed(str(write(tmp_path / "leak.pcap", leak())), "--format", "jsonl")
    books = json.loads(lines.splitlines()[-1])["audit"]
    assert (books["candidates"], books["confirmed"], books["unaccounted"]) == (1, 1, 0)


def test_books_that_do_not_balance_end_with_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Audit, "unaccounted", property(lambda _: 1))
    assert replayed(str(write(tmp_path / "leak.pcap", leak())))[0] == 4


def test_without_being_asked_nobody_keeps_books(tmp_path: Path) -> None:
    capture = write(tmp_path / "leak.pcap", leak())
    result = CliRunner().invoke(cli, ["replay", "--rules", str(RULES), "--format", "jsonl", str(capture)])
    assert "audit" not in json.loads(result.stdout.splitlines()[-1])
