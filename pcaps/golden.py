"""What the monitor says of one capture, as text that a person can compare: the golden beside it.

One request head or verdict is one line, numbers are masked, tokens are made with a key that is no secret. Left out is
what may differ without a change of behaviour: version, engine and digest of the rules, how many heads the sieve held
back (it may pass too much), how much was sent (which says nothing of how it was read), and every count that is 0. Long
captures are summed up, long heads are cut with their digest beside.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from monitor.agreements import RuleBook, load
from monitor.engine import Preference, open_engine
from monitor.pipeline import Pipeline, Stop, batches
from monitor.records import CaptureFiles, Watch
from monitor.redact import Redactor
from monitor.report.journal import request_row, verdict_row
from monitor.verdicts import Verdicts

LEFT_OUT = ("clean_heads", "http_bytes", "sent_bytes")
UNTOLD = ("version", "engine", "rules", "skipped")  # of the summary; what was skipped is among the counts
RULES = Path(__file__).parent.parent / "rules"
KEY = b"the key of the goldens: no secret"
MOST_ROWS, MOST_OCTETS = 60, 1500
SUMMED = ("recipient", "method", "certainty", "oddities")
JUDGED = ("recipient", "field", "outcome", "partner", "purpose", "access", "brand", "certainty")
Row = dict[str, Any]


class Replay(NamedTuple):
    """`verdicts` and `summary` as `replay --format jsonl` prints them, and the engine's counts. Not to be changed."""

    verdicts: list[Row]
    summary: Row
    counts: Mapping[str, int]


@cache
def book() -> RuleBook:
    return load(RULES)


@cache
def replay(path: Path, engine: Preference) -> Replay:
    redactor = Redactor(KEY)
    rows: list[Row] = []

    class Rows:
        def feed(self, verdicts: Verdicts) -> None:
            rows.extend(verdict_row(verdict, token, redactor) for verdict, token in verdicts.told)

    with Pipeline(CaptureFiles((str(path),)), book(), redactor, (Rows(),), engine) as pipeline:
        *_, last = pipeline.batches(Stop())
        summary: Row = {**pipeline.summary()}
    summary["faults"] = [fault.replace(str(path), path.name) for fault in summary["faults"]]
    return Replay(rows, summary, last.counts)


def requests(path: Path, engine: Preference) -> list[Row]:
    """The rows that `requests --format jsonl` prints."""
    with closing(open_engine(CaptureFiles((str(path),)), Watch(every_head=True), prefer=engine)) as opened:
        return [request_row(head, show_values=False) for batch in batches(opened, Stop()) for head in batch.heads]


def text(path: Path, engine: Preference) -> str:
    """The whole golden."""
    seen = replay(path, engine)
    parts: dict[str, Any] = {
        "requests": rows_of(requests(path, engine), SUMMED),
        "verdicts": rows_of(seen.verdicts, JUDGED),
        "summary": {key: value for key, value in seen.summary.items() if key not in UNTOLD},
        "counts": {key: value for key, value in sorted(seen.counts.items()) if value and key not in LEFT_OUT},
    }
    if not seen.summary["conditions"]:
        del parts["summary"]["conditions"]
    for key in ("outcomes", "blind", "shed", "opaque"):
        parts["summary"][key] = {name: times for name, times in parts["summary"][key].items() if times}
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {pretty(part)}" for name, part in parts.items()) + "\n}\n"


def rows_of(rows: Sequence[Row], keys: tuple[str, ...]) -> list[Row]:
    """The rows in the order in which they came, or how often each kind came where they are many."""
    if len(rows) <= MOST_ROWS:
        return [shortened(row) for row in rows]
    kinds = Counter(json.dumps({key: row[key] for key in keys}) for row in rows)
    return [{"times": times, **json.loads(kind)} for kind, times in sorted(kinds.items())]


def shortened(row: Row) -> Row:
    """A long head without what makes it long."""
    whole = json.dumps(row)
    if len(whole) <= MOST_OCTETS:
        return row
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return {**row, "target": row["target"][:40], "fields": len(row["fields"]), "sha256": digest}


def pretty(part: Any) -> str:
    if isinstance(part, list):
        return "[" + ",".join("\n  " + json.dumps(row) for row in part) + ("\n]" if part else "]")
    return "{" + ",".join(f"\n  {json.dumps(key)}: {json.dumps(value)}" for key, value in part.items()) + "\n}"
