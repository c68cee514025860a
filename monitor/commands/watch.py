"""`watch`: a live port through the same pipeline, with everything around it, until someone says stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

from monitor.commands.common import redactor, stop_on
from monitor.commands.reload import Reload, Settings, read_all
from monitor.config import SensorConfig, changed
from monitor.errors import ConfigError, MonitorError
from monitor.pipeline import Pipeline
from monitor.ports import is_up
from monitor.records import Interface
from monitor.report.log import Log
from monitor.report.metrics import Exporter, Sensor, visible_ratio
from monitor.report.news import ConditionNews
from monitor.report.outlets import Outlets
from monitor.report.tallies import Tallies
from monitor.report.text import masked
from monitor.report.web import listening
from monitor.sandbox import Reach, Sandbox
from monitor.supervisor import Supervisor

COVERAGE_S = 600  # between two lines that say what was seen
PORTS_S = 0.2  # between two looks at the ports
STANDSTILL_S = 30  # a turn of the packet loop takes a fraction of a second
AUDITED = 64  # one in so many half-streams goes through the audit
LIVE_KEYS = {"rules", "web_config", "log"}  # what SIGHUP can change; all else needs a restart


class Watch:
    """The parts that a reload touches, and the reload."""

    def __init__(self, settings: Settings, pipeline: Pipeline, outlets: Outlets, log: Log) -> None:
        self.settings = settings
        self.pipeline, self.outlets, self.log = pipeline, outlets, log
        self.turned_s = time.monotonic()  # when the packet loop last went round
        config = settings.config
        self.sensor = Sensor(
            pipeline.engine.name,
            settings.book.sha256,
            time.time(),
            settings.book.network.notification_hours,
            ports={name: partial(is_up, name) for name in config.interfaces},
            lost_to_disk=outlets.lost_to_disk,
        )

    def adopt(self, new: Settings | MonitorError) -> None:
        """Between two batches: all of it, or nothing."""
        sensor, say = self.sensor, self.log.say
        self.outlets.reopen()
        if not isinstance(new, MonitorError):
            try:
                self.pipeline.adopt(new.book)
            except MonitorError as mistake:  # a table of hashes that is not of the new ranges
                new = mistake
        if isinstance(new, MonitorError):
            sensor.reloaded = False
            say("ERROR", "nothing was reloaded, what was in force stands:")
            for line in str(new).splitlines():
                say("ERROR", line)
            return
        if late := [name for name in changed(self.settings.config, new.config) if name not in LIVE_KEYS]:
            say("WARNING", f"needs a restart: {', '.join(late)}")
        self.settings, self.log.how = new, new.config.log
        sensor.rules_sha256, sensor.rules_loaded_s, sensor.reloaded = new.book.sha256, time.time(), True
        sensor.notification_hours = new.book.network.notification_hours
        say("INFO", f"rules {new.config.rules} reloaded (sha256 {new.book.sha256[:12]})")

    def healthy(self) -> bool:
        return time.monotonic() < self.turned_s + STANDSTILL_S

    def status(self) -> str:
        """The line that `systemctl status` shows: what is seen now, or that nothing can be."""
        ports = (f"{name} {'is up' if up() else 'IS DOWN'}" for name, up in self.sensor.ports.items())
        return f"{', '.join(ports)}: {coverage(self.pipeline.tallies)}"


class PortNews:
    """Logs that a port went down, or is there again; a silent log would look as if nobody had been on the wire."""

    def __init__(self, names: tuple[str, ...], log: Log) -> None:
        self._up = dict.fromkeys(names, True)
        self._log = log
        self._due = 0.0

    def look(self) -> None:
        if (now := time.monotonic()) < self._due:
            return
        self._due = now + PORTS_S
        for name, was_up in self._up.items():
            if (up := is_up(name)) != was_up:
                self._up[name] = up
                if up:
                    self._log.say("INFO", f"{name} is up again, and read on")
                else:
                    self._log.say("WARNING", f"{name} is down or gone, nothing of it is seen: ip link set {name} up")


def watch(read: Callable[[], SensorConfig], own_process: bool = False) -> int:
    """Returns 0 when it was told to stop; raises MonitorError for what is wrong with the configuration.

    `read` gives the configuration as it stands, now and at each reload. A process that is its own is locked in once
    the port is open, for good (docs/decisions/0005).
    """
    log = Log()
    settings = read_all(read, log.say)
    config, book = settings.config, settings.book
    log.how = config.log
    if not config.interfaces:
        raise ConfigError("no port is named: use --interface IF, or `interfaces` in the file of --config")
    redact = redactor(config.token_key)

    def label(field: bytes) -> str:
        return pipeline.tallies.label(field)  # which is made with the outlets, so after them

    outlets = Outlets(config, redact, log, label)
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor())
        stop, reload = stack.enter_context(stop_on(SIGINT, SIGTERM)), Reload(lambda: read_all(read, log.say))
        stack.callback(signal.signal, SIGHUP, signal.signal(SIGHUP, lambda *_: setattr(reload, "wanted", True)))
        named = tuple(dict.fromkeys(config.interfaces))
        source = Interface(named, config.workers, config.filter, config.hardware_stamps)
        memory_bytes = config.memory_mib << 20
        pipeline = stack.enter_context(Pipeline(source, book, redact, (outlets,), config.engine, AUDITED, memory_bytes))
        sandbox = lock_in(reach(config), log) if own_process else Sandbox()
        stack.enter_context(outlets)
        around = Watch(settings, pipeline, outlets, log)
        page = Exporter(pipeline.tallies, around.sensor, (lambda: {"sandbox": held(sandbox)}, *outlets.sources)).page
        port = stack.enter_context(
            listening(*config.listen, page, around.sensor.ready, around.healthy, lambda: around.settings.web)
        )
        names, by = ", ".join(config.interfaces), f"rules {config.rules} (sha256 {book.sha256[:12]})"
        log.say("INFO", f"watching {names}: engine {pipeline.engine.name}, {by}")
        for remark in pipeline.engine.remarks:
            log.say("WARNING", remark)
        scheme = "https" if settings.web.encrypted else "http"
        log.say("INFO", f"metrics: {scheme}://{config.listen[0]}:{port}/metrics")
        supervisor.ready(f"watching {names}")
        due, ports = time.monotonic() + COVERAGE_S, PortNews(config.interfaces, log)
        turns = 0
        conditions = ConditionNews(log.say)
        for batch in pipeline.batches(stop):
            ports.look()
            outlets.flush()
            conditions.look(pipeline.tallies.conditions)
            for field in pipeline.lookout.news() if pipeline.lookout else ():
                log.say("WARNING", f"an unknown identifier may be in {masked(field)}; `discover` lists the evidence")
            if batch.counts["turns"] > turns:  # a thread that stands still is not hidden by us, who go on
                turns = batch.counts["turns"]
                around.turned_s = time.monotonic()
                supervisor.progress(around.status)
            if reload.begins():
                supervisor.reloading()
            elif new := reload.ready():
                around.adopt(new)
                supervisor.ready(around.status())
            if time.monotonic() >= due:
                log.say("INFO", coverage(pipeline.tallies))
                due += COVERAGE_S
        supervisor.stopping()
        log.say("INFO", f"stopped; {coverage(pipeline.tallies)}")
    return 0


def reach(config: SensorConfig) -> Reach:
    """What the process still needs once it is locked in: what it reads again, writes, listens on and speaks to."""
    written = [file for file in (config.outbox, config.journal) if file]
    secrets = [said for each in config.alertmanagers for said in vars(each).values() if isinstance(said, Path)]
    read = [config.rules, *_folders([file for file in (config.file, config.web_config, *secrets) if file])]
    return Reach(
        read=tuple(dict.fromkeys(read)),
        write=tuple(_folders(written)),
        connect=tuple({each.port for each in config.alertmanagers}),
        listen=(config.listen[1],),
    )


def _folders(files: list[Path]) -> list[Path]:
    return list(dict.fromkeys(file.absolute().parent for file in files))


def lock_in(reach: Reach, log: Log) -> Sandbox:
    """Before the first thread is started, and said with what is missing."""
    sandbox = Sandbox.enter(reach)
    holds = ", ".join(part for part, does in sandbox.parts().items() if does)
    log.say("INFO", f"locked in: {holds or 'nothing holds'}")
    for part, reason in sandbox.missing.items():
        log.say("WARNING", f"not locked in by {part}: {reason}")
    return sandbox


def held(sandbox: Sandbox) -> list[tuple[tuple[str], bool]]:
    """Each part, and whether it holds now."""
    return [((part,), holds) for part, holds in sandbox.parts().items()]


def coverage(tallies: Tallies) -> str:
    seen = tallies.counts
    return (
        f"{seen['frames']:,} frames ({seen['kernel_drops']:,} dropped by the kernel), {seen['requests']:,} requests, "
        f"{tallies.requests_with_identifier:,} with an identifier, {tallies.violations:,} violations, "
        f"visible {visible_ratio(tallies):.2%}"
    )
