"""The books balance: every number that a plain scan of each packet sees has one fate, on each engine."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import hpack
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import audit, counts
from monitor.audit import FATES, Audit
from monitor.cli import cli
from monitor.engine import Preference, open_engine
from monitor.identify import Identify
from monitor.portable.http2 import PREFACE
from monitor.portable.http2_frames import DATA, HEADERS
from monitor.records import Batch, CaptureFiles, Carried, Fate, RequestHead, Stretch, Trace
from monitor.verdicts import NumberPlan
from pcaps.recipes import RECIPES
from pcaps.talk import ACK, PSH, SYN, Talk, pcap
from tests import laws
from tests.conversations import CHANGES, Teller, bereft, conversation, mixed
from tests.leaks import NUMBER, RULES, leak, write
from tests.test_engine import SAMPLES, frames_of
from tests.test_http2 import REQUEST, SETTINGS, frame, headers

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",))
ANY_PLAN = NumberPlan("", "", "00", (("1000000000", "9999999999"), ("100000000000", "999999999999")), ())
PAYLOAD = b"GET / HTTP/1.1\r\nX-MSISDN: 447700900123\r\n\r\n"
identify_by = cache(Identify)
TALKS = int(os.environ.get("TALKS", "8"))


class Covered:
    """The numbers that stand where a head shows them: all that was ever traced is kept, and nothing placed early."""

    def __init__(self, plan: NumberPlan) -> None:
        self._identify, self._scan = identify_by(plan), Audit(plan, identify_by(plan))._candidates
        self._carried: dict[int, bytes] = {}
        self._fates: dict[int, Fate] = {}
        self._heads: dict[int, list[tuple[int, int, set[str]]]] = {}

    def feed(self, batch: Batch) -> None:
        for step in batch.trace:
            if isinstance(step, Carried):
                self._carried[step.number] = step.octets
            elif isinstance(step, Fate):
                self._fates[step.number] = step
            elif step.head is not None:
                shown = {sighting.number.digits for sighting in self._identify.feed(step.head)}
                self._heads.setdefault(step.reading, []).append((step.start, step.stop, shown))

    @property
    def candidates(self) -> int:
        found = 0
        for number, fate in self._fates.items():
            if fate.what == "taken" and number:
                for each in self._scan(self._carried[number]):
                    start = fate.position + each.place
                    found += any(
                        begin < start + each.size and start < end and each.digits in shown
                        for begin, end, shown in self._heads.get(fate.reading, ())
                    )
        return found


def balanced(capture: Path, engine: Preference, plan: NumberPlan = PLAN) -> Audit:
    """The audit of a capture; the sieve must have let through all that identify finds without it."""
    identify = identify_by(plan)
    books, covered, sightings = Audit(plan, identify), Covered(plan), 0
    running = open_engine(CaptureFiles((str(capture),)), identify.watch()._replace(audited=1), prefer=engine)
    heads: list[RequestHead] = []
    done = False
    while not done:
        batch = running.poll(1.0)
        books.feed(batch)
        heads += batch.heads
        sightings += sum(len(identify.feed(head)) for head in batch.heads)
        done = batch.done
        covered.feed(batch)
    running.close()
    laws.hold(heads, batch)
    told = books.books()
    assert told["unaccounted"] == 0, f"{capture.name}: {told}"
    assert books.fates["confirmed"] + books.fates["ambiguous"] == covered.candidates, f"{capture.name}: {told}"
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


def every(so_many: int) -> list[Path]:
    """One in so many of the samples, all where TALKS asks for more; each run of the suite sees the same."""
    return SAMPLES[:: 1 if "TALKS" in os.environ else so_many]


@pytest.mark.parametrize("lost", [0.01, 0.05, 0.3])
def test_every_recipe_balances_whatever_a_tap_loses_of_it(lost: float, engine_name: Preference, tmp_path: Path) -> None:
    """Row 28: each through a seeded dropper."""
    chance = random.Random(os.environ.get("TALKS", "28"))
    for sample in every(20):
        capture = tmp_path / sample.name
        capture.write_bytes(pcap(bereft(frames_of(sample), chance, lost)))
        balanced(capture, engine_name)


def one_way(turns: int, step: Callable[[Talk, int], object]) -> Talk:
    talk = Talk()
    talk.segment(SYN)
    talk.seq += 1
    for turn in range(turns):
        step(talk, turn)
    return talk


def leaking(turn: int, number: bytes = NUMBER) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: %b\r\n\r\n" % (turn, number)


def late(talk: Talk, turn: int) -> None:
    """The server acknowledges four hundred requests at once."""
    talk.client(leaking(turn), acknowledged=turn % 400 == 399)


def posts(talk: Talk, turn: int) -> None:
    octets = leaking(turn).replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 12\r\n\r\n")
    talk.client(octets + NUMBER, acknowledged=False)


def copies(talk: Talk, turn: int) -> None:
    octets, other = leaking(turn), leaking(turn, b"447700900%03d" % (turn % 100 + 200))
    talk.segment(PSH | ACK, other)
    talk.client(octets, acknowledged=False)


def frames(talk: Talk, turn: int) -> None:
    preface = [] if turn else [PREFACE, SETTINGS]
    fields = [(":method", "GET"), (":path", "/"), (":authority", "shop.example"), ("x-msisdn", NUMBER.decode())]
    block = frame(HEADERS, hpack.Encoder().encode(fields, huffman=False), flags=4, stream=2 * turn + 1)
    talk.client(
        b"".join([*preface, block, frame(DATA, b"number " + NUMBER, flags=1, stream=2 * turn + 1)]), acknowledged=False
    )


ASKS = b"GET /asks HTTP/1.1\r\nHost: shop.example\r\n\r\n"
ENDS = {
    "in a body": (
        Talk().open().client(ASKS[:-2] + b"Content-Length: 14\r\n\r\n<" + NUMBER + b">").client(ASKS),
        "body",
    ),
    "right behind a hole": (Talk().open().client(ASKS).lose(b"X-MSISDN: ").client(NUMBER + b"\r\n\r\n"), "gap"),
    "right behind a hole in a head": (
        Talk().open().client(ASKS[:-2]).lose(b"X-MSISDN:").client(NUMBER + b"\r\nAccept: */*\r\n\r\n"),
        "gap",
    ),
    "right before a hole": (Talk().open().client(ASKS[:-2] + b"A: " + NUMBER).lose(b"1").client(b"2\r\n\r\n"), "gap"),
    "between requests": (Talk().open().client(ASKS + b"junk " + NUMBER + b"\r\n").client(ASKS), "not_http"),
    "before what was captured": (Talk().client(b"it/5.0\r\nX-A: " + NUMBER + b"\r\n\r\n").client(ASKS), "midstream"),
    "in a line without an end": (Talk().open().client(ASKS[:-2] + b"X-MSISDN: " + NUMBER), "head_incomplete"),
    "in a frame of no meaning": (
        Talk().open().client(PREFACE + SETTINGS + headers(REQUEST[:4]) + frame(99, NUMBER)),
        "frames",
    ),
}


@pytest.mark.parametrize("where", ENDS)
def test_what_is_in_no_head_is_called_what_it_is(engine_name: Preference, tmp_path: Path, where: str) -> None:
    talk, fate = ENDS[where]
    assert +balanced(write(tmp_path / "end.pcap", talk), engine_name).fates == {fate: 1}


LONG = {
    "one way": (one_way(600, lambda talk, turn: talk.client(leaking(turn), acknowledged=False)), 600, 0),
    "one way and longer": (one_way(1200, lambda talk, turn: talk.client(leaking(turn), acknowledged=False)), 1200, 0),
    "acknowledged late": (one_way(1200, late), 1200, 0),
    "pipelined": (Talk().open().client(b"".join(map(leaking, range(600)))), 600, 0),
    "posts": (one_way(600, posts), 600, 600),
    "copies": (one_way(600, copies), 1194, 0),  # the last ones are more than is read again
    "http2": (one_way(600, frames), 600, 600),
}


@pytest.mark.parametrize("told", LONG)
def test_long_connections_balance(engine_name: Preference, tmp_path: Path, told: str) -> None:
    talk, found, bodies = LONG[told]
    books = balanced(write(tmp_path / "long.pcap", talk), engine_name)
    cut = 12 if told == "pipelined" else 0  # numbers that the edge of a segment cuts, at the most
    assert books.sightings == found
    assert books.fates["body"] == bodies
    covered = books.fates["confirmed"] + books.fates["ambiguous"]
    assert found - cut <= covered == books.candidates - bodies - books.fates["copies"] <= found


def test_a_number_in_a_reading_that_was_shed_is_shed(engine_name: Preference) -> None:
    books = balanced(RECIPES["x73-more-odd-heads-than-are-read-otherwise"].path, engine_name)
    assert +books.fates == {"ambiguous": 1, "readings": 1, "confirmed": 1}


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
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    small = files if "TALKS" in os.environ else [path for path in files if path.stat().st_size < 100_000][::8]
    assert sum(balanced(path, engine_name, ANY_PLAN).candidates for path in small) > 100


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
        ([("gap", 100, 110)], ""),  # not where the number stands
        ([("bad_checksum", 90, 200), ("body", 100, 142)], "bad_checksum"),
        ([("midstream", 90, 200), ("body", 100, 142)], "body"),  # more is known
        ([("not_http", 90, 110), ("not_http", 110, 142)], "not_http"),
        ([], ""),
    ],
)
def test_bytes_in_no_head(stretches: list[tuple[str, int, int]], fate: str) -> None:
    books = Audit(PLAN, identify_by(PLAN))
    steps = [Stretch(1, start, stop, what) for what, start, stop in stretches]
    books.feed(batch(Carried(1, PAYLOAD), Fate(1, "taken", 1, 100), *steps, Stretch(1, 100, 142, "end")))
    assert books.fates == {fate: 1}


def lasting(books: Audit, turns: int, *, settled: bool) -> audit.Reading:
    """A connection with a number in each of so many bodies, of which the engine says when they are settled, or not."""
    for turn in range(turns):
        start = 100 * turn
        carried = [Carried(turn + 1, PAYLOAD), Fate(turn + 1, "taken", 1, start), Stretch(1, start, start + 90, "body")]
        books.feed(batch(*([Stretch(1, 0, start - 500, "settled")] if settled else []), *carried, done=False))
    return books._readings[1]


def test_a_connection_that_lasts_has_a_bound() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    reading = lasting(books, 1000, settled=True)
    assert len(reading.stretches) + len(reading.waiting) < 4 * audit.SETTLED_AT_ONCE
    books.feed(batch())
    assert books.fates == {"body": 1000}


def test_what_comes_again_when_nothing_is_kept_of_it_is_shed() -> None:
    books = Audit(PLAN, identify_by(PLAN))
    lasting(books, 1000, settled=True)
    books.feed(batch(Carried(5000, PAYLOAD), Fate(5000, "taken", 1, 100)))
    assert books.fates == {"body": 1000, "copies": 1}


def test_an_audit_that_has_no_room_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_STRETCHES", 20)
    books = Audit(PLAN, identify_by(PLAN))
    assert len(lasting(books, 50, settled=False).stretches) <= 20
    books.feed(batch(Carried(5000, PAYLOAD), Fate(5000, "taken", 1, 100), Stretch(1, 0, 5000, "end")))
    assert books.fates == {"body": 50, "stretches": 1}


def test_an_audit_that_has_no_room_for_numbers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_WAITING", 3)
    books = Audit(PLAN, identify_by(PLAN))
    books.feed(batch(Carried(1, b" 447700900123" * 4), Fate(1, "taken", 1, 100)))
    assert books.books()["shed"] == {"stretches": 4}


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
