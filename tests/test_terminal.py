from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from monitor import counts
from monitor.records import Batch, Certainty
from monitor.report import terminal
from monitor.report.tallies import Summary, Tallies
from monitor.report.terminal import Findings
from monitor.verdicts import Outcome
from tests.verdicts import NOON, SECOND, one, verdict


class Story:
    """Verdicts through the tallies and the findings, as the pipeline feeds them, and then the page."""

    def __init__(self) -> None:
        self.tallies = Tallies((), frozenset())
        self.findings = Findings(("3g", "wap", "wifi"), ("o2", "giggle"))
        self.counts: dict[str, int] = {}
        self.stopped = False

    def feed(self, *args: object, token: str = "t1", **changes: object) -> None:
        judged = verdict(*args, **changes)  # type: ignore[arg-type]
        self.tallies.requests_with_violation += judged.outcome is not Outcome.ALLOWED
        for sink in (self.tallies, self.findings):
            sink.feed(one(judged, token))

    @property
    def summary(self) -> Summary:
        batch = Batch([], counts.zeros() | self.counts, NOON, 0, (), True)
        return self.tallies.summary(batch, "portable", "00", self.stopped)

    def page(self, width: int = 100, **console: object) -> str:
        out = io.StringIO()
        shown = Console(file=out, width=width, highlight=False, **console)  # type: ignore[arg-type]
        for part in self.findings.parts(self.summary):
            shown.print(part)
        return out.getvalue()


@pytest.fixture
def story() -> Story:
    return Story()


def test_one_glance_tells_of_the_leak(story: Story) -> None:
    story.feed(Outcome.ALLOWED, partner="ageverify", purpose="age_verification")
    for n in range(1234):
        story.feed(recipient=f"s{n % 17}.example", token=f"t{n % 212}", time_ns=NOON + n * SECOND)
    story.counts = {"requests": 1300, "blind.gap": 3, "opaque_streams.tls": 58}
    page = story.page()
    assert " ".join(page.split()).startswith(
        "LEAKING 1,234 of 1,300 requests carried a subscriber number to 17 recipients against the agreements, from "
        "2012-01-10 12:00:00 to 2012-01-10 12:20:33 UTC: 212 subscribers."
    )
    assert "and 5 more recipients and fields" in page  # of 17 recipients
    assert "access  3g 1,234   wap 0   wifi 0" in page
    assert "brand   o2 1,234   giggle 0" in page
    assert "1  ageverify, age_verification" in page
    assert "3  holes in HTTP connections" in page
    assert "58  half-streams of TLS" in page
    assert "--format jsonl" in page


def test_the_worst_stands_first(story: Story) -> None:
    story.feed(recipient="once.example")
    for _ in range(3):
        story.feed(recipient="thrice.example")
    page = story.page()
    assert page.index("thrice.example") < page.index("once.example")


def test_a_recipient_stands_below_each_of_its_outcomes_with_what_is_of_it(story: Story) -> None:
    for _ in range(2):
        story.feed(Outcome.WRONG_PATH, recipient="partner.example")
    story.feed(Outcome.WRONG_FIELD, recipient="partner.example")
    story.feed(Outcome.WRONG_FIELD, recipient="other.example")
    story.feed(Outcome.WRONG_FIELD, recipient="other.example", field=b"x-imsi")
    rows = [line.split()[:2] for line in story.page().partition("since (UTC)")[2].partition("Who")[0].splitlines()]
    assert [row for row in rows if row] == [
        ["3", "wrong_field"], ["1", "partner.example"], ["1", "other.example"], ["1", "other.example"],
        ["2", "wrong_path"], ["2", "partner.example"],
    ]  # fmt: skip


def test_a_clean_capture_says_so_and_what_was_not_seen(story: Story) -> None:
    story.feed(Outcome.ALLOWED, partner="ageverify", purpose="age_verification")
    story.counts = {"requests": 5, "frames": 9}
    page = story.page()
    assert "NO VIOLATION  1 subscriber number seen in 5 requests of 9 frames, each allowed" in page
    assert "0  blind spots: every frame was read to its end" in page


def test_what_is_no_http_is_not_said_to_be_read(story: Story) -> None:
    story.counts = {
        "requests": 5, "frames": 9_000, "skipped.not_ip": 1200, "skipped.not_tcp": 34, "skipped.malformed": 1,
        "opaque_streams.other": 2,
    }  # fmt: skip
    page = story.page()
    assert "0  blind spots; 1,234 frames no TCP, 1 frame malformed, 2 half-streams no HTTP" in page
    story.counts["blind.gap"] = 1
    assert "1,234 frames no TCP, 1 frame malformed, 2 half-streams no HTTP: in them nothing was looked" in story.page()


def test_a_capture_without_a_frame_is_not_called_clean(story: Story) -> None:
    page = story.page()
    assert page.startswith("NOTHING WAS SEEN  not one request could be read in 0 frames")
    assert "0  frames: nothing was captured" in page


def test_what_was_let_go_unread_is_said_first(story: Story) -> None:
    story.counts = {"frames": 9, "requests": 5, "shed.half_streams": 2}
    assert story.page().startswith("NO VIOLATION IN WHAT WAS READ")
    story.counts = {"frames": 9, "requests": 5, "shed.settle": 2}
    assert story.page().startswith("NO VIOLATION  ")


def test_a_stopped_replay_says_what_is_missing(story: Story) -> None:
    story.stopped = True
    story.counts = {"shed.hold": 2, "frames": 1}
    page = story.page()
    assert page.startswith("NO VIOLATION IN WHAT WAS READ")
    assert "after the replay was stopped" in page
    assert "2  times the bound `hold` was reached" in page


@pytest.mark.parametrize(("unseen", "shown"), [(105, "~1 %"), (8, "~0.03 %"), (205, "~2 %"), (2505, "~25 %")])
def test_what_was_lost_before_the_sensor_stands_first(story: Story, unseen: int, shown: str) -> None:
    story.counts = {"sent_bytes": 10_000, "unseen_bytes": unseen, "late_bytes": 5, "requests": 3, "frames": 9}
    page = story.page(width=140)
    assert page.startswith("NO VIOLATION IN WHAT WAS READ")
    assert f"{shown}  of the TCP payload was lost before the sensor" in page.partition("Not seen")[2]
    story.counts = {"sent_bytes": 10_000, "unseen_bytes": 5, "late_bytes": 5, "frames": 9}
    assert "lost" not in story.page()


def test_a_number_that_stands_under_no_name_says_so(story: Story) -> None:
    story.feed(field=b"")
    assert re.search(r"1 +shop.example +\(no name\) ", story.page())


def test_only_what_every_sighting_shows_is_not_ambiguous(story: Story) -> None:
    story.feed(certainty=Certainty.AMBIGUOUS)
    assert "(ambiguous)" in story.page()
    story.feed()
    assert "(ambiguous)" not in story.page()


def test_hostile_names_neither_colour_nor_move_nor_show_a_number(story: Story) -> None:
    story.feed(recipient="\x1b[31m[red]447700900123\r\u202e.example", field=b"\x9b2J[/]447700900124")
    page = story.page(width=200)
    assert page.replace("\n", "").isprintable()
    assert "[red]" in page  # as text, no markup
    assert "4477009001" not in page


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal(story: Story, width: int) -> None:
    story.feed(recipient="a-very-long-name-of-a-shop-that-sells-many-things.and.a.subdomain.of.it.shop.example" * 3)
    story.feed(Outcome.ROAMING_FORBIDDEN, field=b"x-operator-very-long-name-of-a-header-field")
    story.counts = dict.fromkeys((f"blind.{reason}" for reason in counts.BLIND), 123_456_789)
    assert max(map(len, story.page(width).splitlines())) <= width


def test_colours_only_on_a_terminal(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    story.feed()
    assert "\x1b[" not in story.page()
    assert "\x1b[" in story.page(force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in story.page(force_terminal=True)


def test_recipients_beyond_the_bound_share_a_row(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "MOST_GROUPS", 3)
    for n in range(10):
        story.feed(recipient=f"{n}.example")
    assert len(story.findings.groups) == 4
    assert story.findings.groups[terminal.MANY, Outcome.UNKNOWN_RECIPIENT, ""].sightings == 7


def test_every_blind_spot_has_plain_words() -> None:
    assert set(terminal.BLIND_WORDS) == set(counts.BLIND)


def test_the_headline_is_text_and_no_markup(story: Story) -> None:
    assert isinstance(terminal.headline(story.summary), Text)


def test_a_closed_pipe_is_left_to_the_command_line() -> None:
    with pytest.raises(BrokenPipeError):
        terminal.Paper().on_broken_pipe()


def test_what_no_single_request_shows_has_a_place_of_its_own(story: Story) -> None:
    over = {
        "condition": "over_volume", "partner": "acme", "purpose": "billing", "grant": 0, "agreed": 1000,
        "since": "2012-01-12T12:10:00.000000000Z", "until": None, "subscribers": 1001,
    }  # fmt: skip
    gone = over | {"condition": "missing_expected", "until": "2012-01-12T13:10:00.000000000Z", "agreed": 1800}
    summary: Summary = {**story.summary, "conditions": [over, gone, *[gone] * 20]}
    out = io.StringIO()
    shown = Console(file=out, width=200, highlight=False)
    for part in story.findings.parts(summary):
        shown.print(part)
    page = " ".join(out.getvalue().split())
    assert page.startswith(
        "MORE THAN AGREED each number was allowed, but 1 grant reached more subscribers in a day than agreed."
    )
    assert (
        "What no single request shows over_volume acme, billing: 1,001 subscribers in a day, 1,000 are agreed; "
        "over since 2012-01-12 12:10:00 UTC missing_expected acme, billing: nothing came since 2012-01-12 12:10:00 "
        "UTC, until 2012-01-12 13:10:00; expected every 30 minutes" in page
    )
    assert "and 10 more" in page
