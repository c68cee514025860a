"""Where the verdicts of a live port go beside the counters: log, journal and alerts, as one sink."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from monitor.config import SensorConfig
from monitor.redact import Redactor
from monitor.report.alertmanager import Alertmanager
from monitor.report.alerts import Alerts
from monitor.report.journal import Journal
from monitor.report.late_file import LateFile
from monitor.report.log import Log
from monitor.report.metrics import Source
from monitor.report.news import News
from monitor.report.outbox import Outbox
from monitor.verdicts import Verdicts


class Outlets:
    """Opens what the configuration names; raises ConfigError for what cannot be used. Threads begin with its `with`."""

    def __init__(self, config: SensorConfig, redactor: Redactor, log: Log, label: Callable[[bytes], str]) -> None:
        self._news = News(log.say)
        self._file = LateFile(config.journal) if config.journal else None
        self._journal = Journal(self._file, redactor) if self._file else None
        self._alerts: Alerts | None = None
        if config.alertmanagers:
            self._alerts = Alerts(
                config.sensor,
                Outbox(config.outbox),
                [Alertmanager(each) for each in config.alertmanagers],
                label,
                log.say,
                quiet_s=config.resolve_after,
                runbook=config.runbook,
            )
            if config.outbox is None:
                log.say("WARNING", "alerts that wait do not survive a restart: name an `outbox` in the configuration")
        self._threads = ExitStack()

    def feed(self, verdicts: Verdicts) -> None:
        self._news.feed(verdicts)
        if self._journal:
            self._journal.feed(verdicts)
        if self._alerts:
            self._alerts.feed(verdicts)

    def flush(self) -> None:
        """After each batch."""
        if self._journal:
            self._journal.flush()

    def reopen(self) -> None:
        """Files that logrotate moved away."""
        if self._file:
            self._file.reopen()

    @property
    def sources(self) -> list[Source]:
        """What the alerts have for the metrics."""
        return [self._alerts.samples] if self._alerts else []

    @property
    def lost_to_disk(self) -> list[Callable[[], int]]:
        writers = [self._file and self._file.lost_to_disk, self._alerts and self._alerts.lost_to_disk]
        return [lost for lost in writers if lost]

    def __enter__(self) -> Self:
        for writer in (self._file, self._alerts):
            if writer:
                self._threads.enter_context(writer)
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._threads.close()
