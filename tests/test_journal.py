from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor import counts
from monitor.records import Batch, Certainty, Flow, RequestHead, Section
from monitor.redact import Redactor
from monitor.report.journal import Journal, encode, request_row, verdict_row
from monitor.report.tallies import Tallies
from monitor.verdicts import Outcome, Verdicts
from tests.verdicts import NOON, one, verdict

REDACTOR = Redactor(b"k" * 32)
VERDICT_KEYS = (
    "type time recipient address src sport dport identifier place field form certainty outcome partner purpose access "
    "brand token masked"
)
REQUEST_KEYS = "type time src sport dst dport path method target version recipient fields certainty oddities"


def head(**changes: object) -> RequestHead:
    flow = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80, (("gtpu", 4097),))
    fields = ((b"host", b"shop.example"), (b"x-msisdn", b"+44 7700 900123"), (b"x-447700900123", b"\xff\x00"))
    return RequestHead(NOON, flow, b"GET", b"/?a=447700900123", b"HTTP/1.1", fields)._replace(**changes)


def test_a_verdict_has_the_keys_that_were_promised() -> None:
    row = json.loads(encode(verdict_row(verdict(), "token", REDACTOR)))
    assert list(row) == VERDICT_KEYS.split()
    assert row | {} == {
        "type": "verdict", "time": "2012-01-10T12:00:00.000000000Z", "recipient": "shop.example",
        "address": "203.0.113.9", "src": "100.64.1.2", "sport": 40001, "dport": 80, "identifier": "msisdn",
        "place": "header", "field": "x-msisdn", "form": "plain", "certainty": "confirmed",
        "outcome": "unknown_recipient", "partner": "none", "purpose": "none", "access": "3g", "brand": "o2",
        "token": "token", "masked": "44770*****23",
    }  # fmt: skip


@given(
    kinds=st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5), st.sampled_from(Outcome)), min_size=1),
    order=st.randoms(use_true_random=False),
)
@example([('"time":null', b'%s%%"src":null', Outcome.EXPIRED)], random.Random(1))
def test_a_line_is_the_row_of_its_verdict_and_of_no_other_of_its_kind(kinds, order) -> None:
    """The journal encodes one verdict of each kind; what differs within a kind is filled in."""
    out = io.StringIO()
    journal = Journal(out, REDACTOR)
    verdicts = []
    for number in range(30):
        recipient, field, outcome = order.choice(kinds)
        each = verdict(
            outcome, recipient=recipient, field=field, number=f"4477009{number:05}", time_ns=NOON + number * 999_999_999
        )
        flow = Flow(bytes([100, 64, 1, number]), 40000 + number, bytes([203, 0, 113, number]), 8000 + number)
        if number % 3 == 0:
            flow = flow._replace(src=bytes([number]) * 16, dst=bytes([32 + number]) * 16)
        each = each._replace(sighting=each.sighting._replace(head=each.sighting.head._replace(flow=flow)))
        verdicts.append((each, f"token{number}"))
    journal.feed(Verdicts(verdicts))
    journal.flush()
    assert out.getvalue() == "".join(f"{encode(verdict_row(*each, REDACTOR))}\n" for each in verdicts)


def test_no_number_leaves_in_a_host_or_a_field_name() -> None:
    row = verdict_row(verdict(recipient="447700900123.shop.example", field=b"n447700900123"), "token", REDACTOR)
    assert "447700900123" not in encode(row)
    assert str(row["recipient"]).endswith(".shop.example")


@given(st.binary(max_size=200), st.text(max_size=200))
@example(b"\x7f\x1b[2J", "\x9b\u202e\n")
def test_whatever_the_wire_wrote_one_line_of_ascii_comes_out(field: bytes, recipient: str) -> None:
    line = encode(verdict_row(verdict(field=field, recipient=recipient), "token", REDACTOR))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["outcome"] == "unknown_recipient"


def test_lines_wait_for_the_flush_and_the_summary_is_the_last() -> None:
    out = io.StringIO()
    journal = Journal(out, REDACTOR)
    journal.feed(one(verdict(), "t1"))
    journal.feed(one(verdict(Outcome.ALLOWED), "t2"))
    assert out.getvalue() == ""
    journal.flush()
    journal.flush()
    assert out.getvalue().count("\n") == 2
    batch = Batch([], counts.zeros(), NOON, 0, (), True)
    journal.end(Tallies((), frozenset()).summary(batch, "portable", "00", stopped=False))
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["type"] for row in rows] == ["verdict", "verdict", "summary"]


def test_a_request_has_the_keys_that_were_promised() -> None:
    row = json.loads(encode(request_row(head(oddities=("host",), certainty=Certainty.AMBIGUOUS), show_values=True)))
    assert list(row) == REQUEST_KEYS.split()
    assert row["path"] == [["gtpu", 4097]]
    assert row["fields"][1:] == [["x-msisdn", "+44 7700 900123"], ["x-447700900123", "\xff\x00"]]
    assert (row["recipient"], row["oddities"], row["certainty"]) == ("shop.example", ["host"], "ambiguous")


@pytest.mark.parametrize("digits", ["447700900123", "7700900123", "900123"])
def test_digit_runs_of_a_request_are_masked_unless_asked_for(digits: str) -> None:
    assert digits in encode(request_row(head(), show_values=True)).replace(" ", "")
    assert digits not in encode(request_row(head(), show_values=False)).replace(" ", "")


def test_a_trailer_section_is_no_request() -> None:
    assert request_row(head(section=Section.TRAILER), show_values=False)["type"] == "trailer"
