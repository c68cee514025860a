"""`publish`: the public page of the agreements, as HTML and as JSON."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path

from monitor.agreements import load
from monitor.errors import ConfigError
from monitor.report.public import page, public
from monitor.written.document import quoted


def publish(rules: Path, out: Path, at: str | None) -> int:
    """0; raises RuleError, and ConfigError where the page cannot be written."""
    book = load(rules)
    try:
        day = date.fromisoformat(at) if at else datetime.now(book.network.time_zone).date()
    except ValueError:
        raise ConfigError(f"--at: {quoted(str(at))} is no day; write year-month-day, such as 2012-01-25") from None
    said = public(book, day)
    texts = {"index.html": page(said), "agreements.json": json.dumps(said, indent=2, ensure_ascii=False) + "\n"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}; name a folder of yours") from None
    agreements = sum(len(partner["agreements"]) for partner in said["partners"])
    sys.stdout.write(f"{out}/index.html: {len(said['partners'])} partners, {agreements} agreements\n")
    return 0
