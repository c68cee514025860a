"""`discover`: fields that tell subscribers apart though no number was found in them; candidates on standard output."""

from __future__ import annotations

import sys
from contextlib import closing
from signal import SIGINT, SIGTERM
from typing import Literal

from monitor.commands.common import complain, stop_on
from monitor.engine import Preference, open_engine
from monitor.errors import ConfigError
from monitor.pipeline import batches, exit_code
from monitor.records import CaptureFiles, Interface, Watch
from monitor.report.journal import encode
from monitor.report.text import masked, printable
from monitor.survey import FEWEST_CLIENTS, SITES, Candidate, Survey


def discover(
    files: tuple[str, ...], interface: str | None, output: Literal["table", "jsonl"], engine: Preference
) -> int:
    """Returns 1 when there are candidates; raises MonitorError for what is wrong with the options."""
    if bool(files) == (interface is not None):
        raise ConfigError("name captures or an --interface, one of the two")
    survey = Survey()
    source = Interface((interface,)) if interface is not None else CaptureFiles(files)
    with (
        closing(open_engine(source, Watch(every_head=True), prefer=engine)) as opened,
        stop_on(SIGINT, SIGTERM) as stop,
    ):
        for batch in batches(opened, stop):
            for head in batch.heads:
                survey.feed(head)
    candidates = survey.candidates()
    lines = map(as_json, candidates) if output == "jsonl" else table(candidates, batch.counts["requests"])
    sys.stdout.writelines(f"{line}\n" for line in lines)
    complain(batch)
    if interface is not None:
        return 1 if candidates else 0
    return exit_code(batch, len(candidates))


def as_json(candidate: Candidate) -> str:
    row = candidate._asdict()
    return encode({"type": "candidate", **row, "field": masked(candidate.field)})


def table(candidates: list[Candidate], requests: int) -> list[str]:
    if not candidates:
        return [
            f"No unknown identifier in {requests:,} requests: no field has one value for a client on {SITES} or more",
            f"unrelated sites, and another for each of at least {FEWEST_CLIENTS} clients.",
        ]
    rows = [("field", "clients", "constant", "distinct", "sites", "requests", "value")]
    rows += [
        (printable(masked(field)), f"{clients:,}", f"{constant:.0%}", f"{distinct:.0%}", str(sites), f"{seen:,}", shape)
        for field, seen, clients, constant, distinct, sites, shape in candidates
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if 0 < at < len(row) - 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
