"""`replay`: captures through the pipeline; results on standard output, all else on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Literal

from monitor.agreements import load
from monitor.commands.common import complain, lock_in_to_read, no_search_for_cycles, redactor, stop_on
from monitor.engine import Preference
from monitor.pipeline import Pipeline, exit_code
from monitor.records import CaptureFiles

if TYPE_CHECKING:
    from monitor.report.journal import Journal
    from monitor.report.terminal import Findings


@no_search_for_cycles()
def replay(
    files: tuple[str, ...],
    rules: Path,
    output: Literal["table", "jsonl"],
    engine: Preference,
    listen: tuple[str, int] | None,
    workers: int,
    memory_mib: int | None,
    key_file: Path | None,
    max_blind: int | None,
    audit: bool,
    own_process: bool = False,
) -> int:
    """Returns the exit code (pipeline.exit_code); raises MonitorError for what is wrong with the options."""
    with ExitStack() as stack:
        book, redact = load(rules), redactor(key_file)
        if own_process:
            lock_in_to_read(*(listen or ())[1:])
        sink: Journal | Findings
        if output == "jsonl":
            from monitor.report.journal import Journal  # late, as Findings

            sink = Journal(sys.stdout, redact)
        else:
            from monitor.report.terminal import Findings  # late: rich is for people

            sink = Findings(tuple(book.network.access), tuple(book.network.brands))
        budget = None if memory_mib is None else memory_mib << 20
        pipeline = stack.enter_context(
            Pipeline(CaptureFiles(files, workers), book, redact, (sink,), engine, int(audit), budget)
        )
        if listen:
            from monitor.report.metrics import Exporter, Sensor
            from monitor.report.web import listening

            sensor = Sensor(pipeline.engine.name, book.sha256, time.time(), book.network.notification_hours)
            stack.enter_context(listening(*listen, Exporter(pipeline.tallies, sensor).page))
        show = None
        if sys.stderr.isatty() and not (output == "jsonl" and sys.stdout.isatty()):
            from monitor.report.terminal import progress

            show = stack.enter_context(progress())
        stop = stack.enter_context(stop_on(SIGINT, SIGTERM))
        for batch in pipeline.batches(stop):
            sink.flush()
            if show:
                show(batch)
        summary = pipeline.summary()
    sink.end(summary)
    complain(batch)
    books = pipeline.tallies.audit
    return exit_code(batch, pipeline.tallies.broken, max_blind, books.unaccounted if books else 0)
