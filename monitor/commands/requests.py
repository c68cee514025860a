"""`requests`: every request head that the engine reads, without rules; heads on standard output, faults beside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from signal import SIGINT, SIGTERM
from typing import Any, Literal

from monitor.commands.common import complain, lock_in_to_read, stop_on
from monitor.engine import Preference, open_engine
from monitor.pipeline import batches, exit_code
from monitor.records import CaptureFiles, Watch
from monitor.report.journal import encode, request_row
from monitor.report.text import printable


def requests(
    files: tuple[str, ...],
    output: Literal["text", "jsonl"],
    show_values: bool,
    engine: Preference,
    own_process: bool = False,
) -> int:
    if own_process:
        lock_in_to_read()
    show = encode if output == "jsonl" else as_text
    with (
        closing(open_engine(CaptureFiles(files), Watch(every_head=True), prefer=engine)) as opened,
        stop_on(SIGINT, SIGTERM) as stop,
    ):
        for batch in batches(opened, stop):
            sys.stdout.writelines(f"{show(request_row(head, show_values))}\n" for head in batch.heads)
            sys.stdout.flush()
    complain(batch)
    return exit_code(batch)


def as_text(row: dict[str, Any]) -> str:
    return "\n".join(map(printable, _lines(row)))


def _lines(row: dict[str, Any]) -> Iterator[str]:
    path = "".join(f"{kind} {number:#x} " for kind, number in row["path"])
    flow = f"{row['src']}:{row['sport']} > {row['dst']}:{row['dport']}"
    yield f"{row['time']} {path}{flow} {row['type']} to {row['recipient']}"
    yield f"    {row['method']} {row['target']} {row['version']}"
    for name, value in row["fields"]:
        yield f"    {name}: {value}"
    if row["oddities"]:
        yield f"    [{row['certainty']}: {', '.join(row['oddities'])}]"
