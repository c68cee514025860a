"""`watch`: a live port through the same pipeline, with /metrics beside it, until someone says stop."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

from monitor.agreements import load
from monitor.commands.common import redactor, stop_on
from monitor.doctor import is_up
from monitor.engine import Preference
from monitor.errors import MonitorError
from monitor.pipeline import Pipeline, Stop
from monitor.records import Interface, Outcome, Verdict
from monitor.report.metrics import Exporter, Sensor, visible_ratio
from monitor.report.tallies import Tallies
from monitor.report.text import masked, printable, rfc3339
from monitor.report.web import listening
from monitor.sandbox import Reach, Sandbox
from monitor.supervisor import Supervisor

COVERAGE_S = 600  # between two lines that say what was seen


class News:
    """A sink that logs each new kind of violation once; how many there are stands in the metrics."""

    def __init__(self) -> None:
        self._known: set[tuple[str, ...]] = set()  # bounded: every part is of a closed list

    def feed(self, verdict: Verdict, token: str) -> None:  # noqa: ARG002 - a Sink; nothing of the number is logged
        sighting, outcome = verdict.sighting, verdict.outcome
        kind = (outcome, verdict.partner, verdict.purpose, sighting.identifier, sighting.form, sighting.place)
        if outcome is Outcome.ALLOWED or kind in self._known:
            return
        self._known.add(kind)
        what = f"{sighting.form} {sighting.identifier} in {sighting.place} {masked(sighting.field.decode('latin-1'))}"
        grant = f"partner {verdict.partner}, purpose {verdict.purpose}"
        say(
            "VIOLATION",
            f"{outcome}: {what} to {masked(verdict.recipient)} ({grant}, {sighting.certainty}); first of its kind",
        )


def watch(
    interface: str,
    rules: Path,
    listen: tuple[str, int],
    engine: Preference,
    key_file: Path | None,
    own_process: bool = False,
) -> int:
    """Returns 0 when it was told to stop; raises MonitorError for what is wrong with the options.

    A process that is its own is locked in once the port is open, for good (docs/decisions/0005).
    """
    book, redact = load(rules), redactor(key_file)
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor())
        stop, again = stack.enter_context(stop_on(SIGINT, SIGTERM)), Stop()
        stack.callback(signal.signal, SIGHUP, signal.signal(SIGHUP, lambda *_: setattr(again, "told", True)))
        pipeline = stack.enter_context(Pipeline(Interface(interface), book, redact, (News(),), engine))
        sandbox = lock_in(Reach(read=(rules,), listen=(listen[1],))) if own_process else Sandbox()
        sensor = Sensor(
            pipeline.engine.name,
            book.sha256,
            time.time(),
            book.network.notification_hours,
            ports={interface: lambda: is_up(interface)},
        )
        exporter = Exporter(pipeline.tallies, sensor, (lambda: {"sandbox": held(sandbox)},))
        port = stack.enter_context(listening(*listen, exporter.page, sensor.ready))
        say("INFO", f"watching {interface}: engine {pipeline.engine.name}, rules {rules} (sha256 {book.sha256[:12]})")
        say("INFO", f"metrics: http://{listen[0]}:{port}/metrics")
        supervisor.ready(f"watching {interface}")
        due = time.monotonic() + COVERAGE_S
        for _ in pipeline.batches(stop):
            supervisor.progress(lambda: status(interface, pipeline.tallies))
            if again.told:
                again.told = False
                supervisor.reloading()
                reload(pipeline, sensor, rules)
                supervisor.ready(status(interface, pipeline.tallies))
            if time.monotonic() >= due:
                say("INFO", coverage(pipeline.tallies))
                due += COVERAGE_S
        supervisor.stopping()
        say("INFO", f"stopped; {coverage(pipeline.tallies)}")
    return 0


def lock_in(reach: Reach) -> Sandbox:
    """Before the first thread is started, and said with what is missing."""
    sandbox = Sandbox.enter(reach)
    say("INFO", f"locked in: {', '.join(part for part, holds in sandbox.parts().items() if holds) or 'nothing holds'}")
    for part, reason in sandbox.missing.items():
        say("WARNING", f"not locked in by {part}: {reason}")
    return sandbox


def held(sandbox: Sandbox) -> list[tuple[tuple[str], bool]]:
    """Each part, and whether it holds now."""
    return [((part,), holds) for part, holds in sandbox.parts().items()]


def reload(pipeline: Pipeline, sensor: Sensor, rules: Path) -> None:
    """All of the new rules or nothing of them."""
    try:
        book = load(rules)
    except MonitorError as mistake:
        sensor.reloaded = False
        say("ERROR", "the rules were not reloaded, the older ones stand:")
        for line in str(mistake).splitlines():
            say("ERROR", line)
        return
    pipeline.adopt(book)
    sensor.rules_sha256, sensor.rules_loaded_s, sensor.reloaded = book.sha256, time.time(), True
    sensor.notification_hours = book.network.notification_hours
    say("INFO", f"rules {rules} reloaded (sha256 {book.sha256[:12]})")


def status(interface: str, tallies: Tallies) -> str:
    """The line that `systemctl status` shows: what is seen now, or that nothing can be."""
    return f"{interface} {'is up' if is_up(interface) else 'IS DOWN'}: {coverage(tallies)}"


def coverage(tallies: Tallies) -> str:
    seen = tallies.counts
    return (
        f"{seen['frames']:,} frames ({seen['kernel_drops']:,} dropped by the kernel), {seen['requests']:,} requests, "
        f"{tallies.requests_with_identifier:,} with an identifier, {tallies.violations:,} violations, "
        f"visible {visible_ratio(tallies):.2%}"
    )


def say(level: str, text: str) -> None:
    """One line of the log. Whoever calls it masks what came off the wire."""
    sys.stderr.write(f"{rfc3339(time.time_ns())[:23]}Z {level} {printable(text)}\n")
    sys.stderr.flush()
