"""Verdicts and a summary as a person sees them: one glance at what leaked, to whom, since when, and what was not seen.

The only module that imports rich. Everything that came off the wire is masked by redact, escaped by `printable` and put
into `Text`, never into markup: a Host can neither colour a terminal nor move its cursor.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.records import Batch, Certainty
from monitor.report.tallies import Summary, all_seen, nothing_seen
from monitor.report.text import NO_NAME, masked, printable, rfc3339
from monitor.verdicts import Amount, Kind, Outcome, Verdicts

ROWS_SHOWN = 12
MOST_GROUPS = 100_000
LONGEST_SHOWN = 100  # characters of a recipient or field
MANY = "(further recipients)"

BLIND_WORDS = {
    "snaplen": "packets cut by the capture's snap length: take it with a larger one (tcpdump -s 0)",
    "gap": "holes in HTTP connections: packets that the capture lost",
    "midstream": "connections picked up in the middle: their first partial request is unknown",
    "head_incomplete": "request heads that never ended (reset or end of capture): judged as far as they went",
    "unknown_tunnel": "packets in a tunnel that cannot be read, or of a type that is not known",
    "depth": "packets inside more tunnels and tags than are opened",
    "truncated": "packets cut before their headers were whole",
    "encrypted": "encrypted packets (ESP): nothing in them can be read",
    "fragments": "IP datagrams of which a fragment is missing",
    "unknown_link": "frames of a link type that no reader is written for",
    "source": "captures that were cut or could not be read",
    "hpack": "HTTP/2 fields that were named before the capture began",
}


BOOK_WORDS = {
    "confirmed": "found in a request head",
    "ambiguous": "found in a head that two receivers would read differently",
    "rejected": "in no request head that a receiver accepts, or something else in one (not_identified)",
    "gap": "where the sensor knows that it could not look",
    "shed": "dropped at a bound",
    "unaccounted": "of which nobody knows what became: must be 0",
}


class Paper(Console):
    """A console that leaves a closed pipe to the command line: rich would end with 1, which means violations."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


@dataclass(slots=True)
class Leak:
    """Violations of one recipient, outcome and field."""

    first_ns: int
    sightings: int = 0
    ambiguous: int = 0

    @property
    def doubt(self) -> str:
        return " (ambiguous)" if self.ambiguous == self.sightings else ""


class Findings:
    """A sink that keeps what the table at the end shows; `accesses` and `brands` are those of network.yaml."""

    def __init__(self, accesses: Sequence[str], brands: Sequence[str]) -> None:
        self.groups: dict[tuple[str, Outcome, str], Leak] = {}
        self.allowed: dict[tuple[str, str], int] = {}
        self.accesses = dict.fromkeys(accesses, 0)
        self.brands = dict.fromkeys(brands, 0)

    def feed(self, verdicts: Verdicts) -> None:
        for kind, amount in verdicts.kinds.items():
            self._count(kind, amount)

    def _count(self, kind: Kind, amount: Amount) -> None:
        outcome, seen = kind.outcome, amount.verdicts
        if outcome is Outcome.ALLOWED:
            grant = kind.partner, kind.purpose
            self.allowed[grant] = self.allowed.get(grant, 0) + seen
            return
        key = (wire(kind.recipient), outcome, wire(kind.field.decode("latin-1")) or NO_NAME)
        if key not in self.groups and len(self.groups) >= MOST_GROUPS:
            key = (MANY, outcome, "")
        group = self.groups.setdefault(key, Leak(amount.first_ns))
        group.first_ns = min(group.first_ns, amount.first_ns)
        group.sightings += seen
        if kind.certainty is Certainty.AMBIGUOUS:
            group.ambiguous += seen
        self.accesses[kind.access] = self.accesses.get(kind.access, 0) + seen
        self.brands[kind.brand] = self.brands.get(kind.brand, 0) + seen

    def flush(self) -> None:
        """Nothing is shown before the end."""

    def end(self, summary: Summary) -> None:
        console = Paper(highlight=False)
        for part in self.parts(summary):
            console.print(part)

    def parts(self, summary: Summary) -> Iterator[RenderableType]:
        yield headline(summary)
        if self.groups:
            yield from section("What leaked, and to whom", self._groups())
            hit = [("access", amounts(self.accesses)), ("brand", amounts(self.brands))]
            yield from section("Who was hit, by violations", pairs(hit))
        if self.allowed:
            ranked = sorted(self.allowed.items(), key=lambda row: -row[1])
            rows = [(f"{seen:,}", f"{partner}, {purpose}") for (partner, purpose), seen in ranked]
            yield from section("Allowed by an agreement", pairs(rows, numbers=True))
        if summary["conditions"]:
            yield from section("What no single request shows", pairs(conditions(summary)))
        yield from section("Not seen", pairs(unseen(summary), numbers=True))
        if "audit" in summary:
            yield from section("The books", pairs(books(summary["audit"]), numbers=True))
        yield from section("Next", pairs(advice(summary)))

    def _groups(self) -> RenderableType:
        """Each outcome with its total, and below it those of the largest groups that are of it: one at the least."""
        ranked = sorted(self.groups.items(), key=lambda row: (-row[1].sightings, row[1].first_ns))
        totals = Counter[Outcome]()
        for (_, outcome, _), leak in ranked:
            totals[outcome] += leak.sightings
        largest = {key[1]: (key, leak) for key, leak in reversed(ranked)}  # no outcome goes without a recipient
        shown = dict(ranked[:ROWS_SHOWN]) | dict(largest.values())
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("seen", justify="right")
        table.add_column("recipient", overflow="fold")
        table.add_column("field", overflow="fold")
        table.add_column("since (UTC)", no_wrap=True)
        for outcome, seen in totals.most_common():
            of_it = [(recipient, leak) for (recipient, its, _), leak in ranked if its is outcome]
            recipients = plural(len({recipient for recipient, _ in of_it}), "recipient")
            since = clock(rfc3339(min(leak.first_ns for _, leak in of_it)))
            table.add_row(f"{seen:,}", outcome, recipients, since, style="bold red")
            for (recipient, its, field), leak in shown.items():
                if its is outcome:
                    since = clock(rfc3339(leak.first_ns))
                    table.add_row(f"{leak.sightings:,}", Text(f"  {recipient}"), Text(field + leak.doubt), since)
        more = len(ranked) - len(shown)
        return Group(table, f"and {more:,} more recipients and fields") if more > 0 else table


def headline(summary: Summary) -> Text:
    """One sentence for a person who reads nothing else."""
    requests = plural(summary["requests"], "request")
    if summary["violations"]:
        return Text.assemble(
            ("LEAKING", "bold red"),
            f"  {summary['requests_with_violation']:,} of {requests} carried a subscriber number to ",
            f"{plural(summary['recipients'], 'recipient')} against the agreements, ",
            f"from {clock(summary['since'])} to {clock(summary['until'])} UTC: ",
            f"{plural(summary['subscribers'], 'subscriber')}.",
        )
    over = sum(row["condition"] == "over_volume" for row in summary["conditions"])
    if over:
        return Text.assemble(
            ("MORE THAN AGREED", "bold red"),
            f"  each number was allowed, but {plural(over, 'grant')} reached more subscribers in a day than agreed.",
        )
    seen = plural(summary["sightings"], "subscriber number") if summary["sightings"] else "no subscriber number"
    allowed = ", each allowed by an agreement" if summary["sightings"] else ""
    if nothing_seen(summary):
        return Text.assemble(
            ("NOTHING WAS SEEN", "bold yellow"),
            f"  not one request could be read in {plural(summary['frames'], 'frame')}: see what was in the way below.",
        )
    whole = all_seen(summary) and "lost" not in summary
    return Text.assemble(
        ("NO VIOLATION", "bold green") if whole else ("NO VIOLATION IN WHAT WAS READ", "bold yellow"),
        f"  {seen} seen in {requests} of {plural(summary['frames'], 'frame')}{allowed}.",
    )


def conditions(summary: Summary) -> list[tuple[str, str]]:
    """Each condition with its facts: who, how much against how much, since when."""
    rows = []
    for row in summary["conditions"][:ROWS_SHOWN]:
        who, since, until = f"{row['partner']}, {row['purpose']}", clock(str(row["since"])), row["until"]
        if row["condition"] == "over_volume":
            what = f"{row['subscribers']:,} subscribers in a day, {row['agreed']:,} are agreed; over since {since} UTC"
        else:
            lasts = "and still nothing" if until is None else f"until {clock(str(until))}"
            what = f"nothing came since {since} UTC, {lasts}; expected every {int(str(row['agreed'])) // 60:,} minutes"
        rows.append((str(row["condition"]), f"{who}: {what}"))
    more = len(summary["conditions"]) - ROWS_SHOWN
    return [*rows, ("", f"and {more:,} more")] if more > 0 else rows


def unseen(summary: Summary) -> list[tuple[str, str]]:
    """What the sensor knows it could not look at: amounts and plain words."""
    rows = [(f"{amount:,}", BLIND_WORDS[reason]) for reason, amount in summary["blind"].items() if amount]
    if lost := summary.get("lost"):
        rows.insert(0, (share(lost), "of the TCP payload was lost before the sensor, by sequence numbers"))
    if summary["opaque"]["tls"]:
        rows.append((f"{summary['opaque']['tls']:,}", "half-streams of TLS: nothing in them can be read, nor enriched"))
    rows += [
        (f"{n:,}", f"times the bound `{bound}` was reached and work dropped")
        for bound, n in summary["shed"].items()
        if n
    ]
    if summary["foreign"]:
        rows.append((f"{summary['foreign']:,}", "numbers outside the operator's own ranges: not judged"))
    if summary["stopped"]:
        rows.append(("", "what came after the replay was stopped"))
    if not summary["frames"]:
        rows.append(("0", "frames: nothing was captured"))
    if apart := no_http(summary):
        rows.append(("", f"{apart}: in them nothing was looked for") if rows else ("0", f"blind spots; {apart}"))
    return rows or [("0", "blind spots: every frame was read to its end")]


def no_http(summary: Summary) -> str:
    """How much is no blind spot, for it is nothing that a request is carried in."""
    skipped, other = summary["skipped"], summary["opaque"]["other"]
    frames = {
        "no TCP": sum(skipped[reason] for reason in ("empty", "not_ip", "not_tcp", "tunnel_control")),
        "malformed": skipped["malformed"],
    }
    parts = [f"{plural(amount, 'frame')} {what}" for what, amount in frames.items() if amount]
    if other:
        parts.append(f"{plural(other, 'half-stream')} no HTTP")
    return ", ".join(parts)


def books(audit: Mapping[str, object]) -> list[tuple[str, str]]:
    """What became of each number that a scan of every packet by itself saw."""
    rows = [(f"{audit['candidates']:,}", "numbers that a scan of each packet by itself saw, written plainly")]
    for kind, words in BOOK_WORDS.items():
        found = audit[kind]
        if isinstance(found, dict):
            reasons = ", ".join(f"{reason} {amount:,}" for reason, amount in found.items())
            rows.append((f"{sum(found.values()):,}", f"{words}: {reasons}" if found else words))
        else:
            rows.append((f"{found:,}", words))
    return rows


def advice(summary: Summary) -> list[tuple[str, str]]:
    rows = [("--format jsonl", "each sighting, masked, for jq or a SIEM")] if summary["sightings"] else []
    if summary["violations"]:
        rows.append(("msisdn-monitor check rules/", "are the agreements as they should be?"))
    if not summary["requests"]:
        rows.append(("msisdn-monitor requests FILE", "which request heads the engine reads"))
    rows.append(("msisdn-monitor watch --help", "the same on a live port, with metrics for Prometheus"))
    return rows


def section(title: str, body: RenderableType) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, style="bold")
    yield Padding(body, (0, 0, 0, 2), expand=False)


def pairs(rows: Iterable[tuple[str, str]], *, numbers: bool = False) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right" if numbers else "left", no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for left, right in rows:
        table.add_row(Text(left), Text(right))
    return table


def wire(text: str) -> str:
    """Something that traffic wrote: masked, escaped, and not too long."""
    return printable(masked(text))[:LONGEST_SHOWN]


def clock(time: str | None) -> str:
    """`2012-01-10 02:14:07` of an RFC 3339 time."""
    return (time or "")[:19].replace("T", " ")


def plural(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def share(part: float) -> str:
    """About how much: two digits that say something."""
    return f"~{100 * part:.2g} %" if part < 0.1 else f"~{100 * part:.0f} %"


def amounts(by_name: dict[str, int]) -> str:
    return "   ".join(f"{name} {amount:,}" for name, amount in by_name.items())


@contextmanager
def progress() -> Iterator[Callable[[Batch], None]]:
    """A bar on standard error with bytes, packets a second and the time left; it goes when the replay is over."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rate]:,.0f} packets/s"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None, rate=0.0)
    begun = time.monotonic()

    def show(batch: Batch) -> None:
        rate = batch.counts["frames"] / max(time.monotonic() - begun, 1e-3)
        bar.update(task, completed=batch.bytes_read, total=batch.bytes_total, rate=rate)

    with bar:
        yield show
