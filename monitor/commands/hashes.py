"""`hashes`: the table that turns unkeyed digests of own numbers back into numbers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.agreements import load
from monitor.engine import native_is_here
from monitor.errors import ConfigError, EngineError
from monitor.identify.hashes import ALGORITHMS, MOST, MOST_IN_PYTHON, Layout, Progress, written


def write(rules: Path, out: Path) -> int:
    """Writes `out`, whole or not at all. Raises MonitorError for what is wrong with the rules or with `out`."""
    layout = Layout(load(rules).plan)
    native = native_is_here()
    if layout.amount > MOST:
        raise ConfigError(f"{rules}: {layout.amount:,} numbers are more than a table can hold ({MOST:,})")
    if layout.amount > MOST_IN_PYTHON and not native:
        raise EngineError(
            f"a table of {layout.amount:,} numbers needs the native engine (more than {MOST_IN_PYTHON:,}); "
            "install Rust (cargo) and run pip install . again, or build it on another machine: the file is the same"
        )
    begun, part = time.monotonic(), out.with_name(f"{out.name}.part")
    try:
        with _shown(layout.entries * len(ALGORITHMS)) as progress:
            _octets(part, layout, progress, native)
        part.rename(out)
    except OSError as fault:
        raise ConfigError(f"{out}: cannot write the table ({fault.strerror or fault}); name another place") from None
    finally:
        part.unlink(missing_ok=True)
    sys.stdout.write(
        f"{out}: {layout.amount:,} numbers, {layout.entries * len(ALGORITHMS):,} digests, {layout.size / 1e6:,.1f} MB "
        f"({layout.size / layout.amount:.1f} bytes a number), {time.monotonic() - begun:.1f} s\n"
        f"network.yaml uses it with `hash_table: {out}`\n"
    )
    return 0


def _octets(path: Path, layout: Layout, progress: Progress, native: bool) -> None:
    if native:
        from monitor._engine import write_hashes  # late: it may not be there

        line = layout.line.ljust(layout.begin, b"\0")
        write_hashes(str(path), line, layout.country, layout.trunk, layout.ranges, progress)
        return
    with path.open("wb") as file:
        file.writelines(written(layout, progress))


@contextmanager
def _shown(digests: int) -> Iterator[Progress]:
    """A bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _made: None
        return
    from rich.console import Console  # late: only people want it
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("hashing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=digests)
        yield lambda made: bar.advance(task, made)
