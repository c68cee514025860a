"""The sensor's own alerts: the first violation of its kind reaches Alertmanager at once, without waiting for a scrape.

A kind is what the labels say, all from closed lists; the recipient is an annotation, for in a leak every website is
one. The packet loop only notes a kind: a look-up under a lock that nobody holds during I/O. Threads of their own write
the outbox and deliver, one for each Alertmanager, so that one that hangs keeps no other waiting.

An alert is sent again every minute while it lasts, for an Alertmanager forgets what it knew when it restarts. It ends
by itself: each time it is told to last until so long after the latest sighting, or after it was first accepted, so what
came and went while an Alertmanager was away is still told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from threading import Condition, Thread
from typing import Self

from monitor.records import Certainty
from monitor.redact import mask_name
from monitor.report.alertmanager import Alertmanager
from monitor.report.outbox import Alert, Outbox
from monitor.report.text import masked, rfc3339
from monitor.verdicts import Amount, Kind, Outcome, Verdicts

NAME = "MsisdnMonitorFirstViolation"
MOST_ALERTS = 1_000
AGAIN_S = 60.0  # between two sendings of what lasts; a restarted Alertmanager knows nothing until then
RETRY_S = (0.5, 15.0)  # after a failure, doubled up to the second
OLDEST_S = 7 * 86400.0  # what an Alertmanager did not take for so long is given up
TIDY_S = 5.0
LAST_S = 1.5  # for a last attempt when the sensor is stopped
BY_HANDSET = (Outcome.CLIENT_SUPPLIED, Outcome.SECONDARY)  # the gateway did not put it there
SUMMARY = {
    Outcome.UNKNOWN_RECIPIENT: "A subscriber identifier goes to somebody without an agreement",
    Outcome.NUMBER_MISMATCH: "A request carries the identifier of another subscriber",
    Outcome.CLIENT_SUPPLIED: "A handset sends a subscriber identifier itself",
    Outcome.SECONDARY: "A subscriber identifier stands where no gateway puts it",
}
OF_A_PARTNER = "A partner gets a subscriber identifier otherwise than agreed"

Say = Callable[[str, str], None]  # level and text of a line of the log


class Courier:
    """One Alertmanager, and when it is next spoken to (monotonic clock, but for `success_s`)."""

    def __init__(self, alertmanager: Alertmanager) -> None:
        self.alertmanager, self.name = alertmanager, alertmanager.name
        self.failures, self.success_s = 0, 0.0
        self._again_s = self._retry_s = self._delay_s = 0.0

    def due(self, alerts: Sequence[Alert], *, last: bool) -> list[Alert]:
        """What to send now: all that lasts, once a minute, else what is new to it. `last`: there will be no later."""
        now_s = time.monotonic()
        if last or now_s < self._again_s:
            return [alert for alert in alerts if self.name not in alert.accepted_s]
        if now_s < self._retry_s:
            return []
        self._again_s = now_s + AGAIN_S
        return list(alerts)

    def idle_s(self) -> float:
        """How long there is nothing to do, unless something new comes."""
        return max(self._retry_s if self._delay_s else self._again_s, self._retry_s) - time.monotonic()

    def accepted(self, alerts: Sequence[Alert]) -> None:
        self.success_s, self._delay_s = time.time(), 0.0
        for alert in alerts:
            alert.accepted_s.setdefault(self.name, self.success_s)

    def refused(self) -> None:
        self.failures += 1
        self._delay_s = min(2 * self._delay_s, RETRY_S[1]) or RETRY_S[0]
        self._retry_s = time.monotonic() + self._delay_s
        self._again_s = 0.0

    @property
    def away(self) -> bool:
        return self._delay_s > 0

    def end_s(self, alert: Alert, quiet_s: float) -> float:
        return max(alert.seen_s, alert.accepted_s.get(self.name, time.time())) + quiet_s


class Alerts:
    """A sink. `field` makes a label value of a field name; `quiet_s` after the latest sighting an alert ends."""

    def __init__(
        self,
        sensor: str,
        outbox: Outbox,
        alertmanagers: Sequence[Alertmanager],
        field: Callable[[bytes], str],
        say: Say,
        *,
        quiet_s: float,
        runbook: str,
    ) -> None:
        self._sensor, self._outbox, self._field, self._say = sensor, outbox, field, say
        self._quiet_s, self._runbook = quiet_s, runbook
        self._couriers = [Courier(alertmanager) for alertmanager in alertmanagers]
        self._changed = Condition()  # guards the alerts and what is below; nobody holds it during I/O
        self._alerts = {alert.identity: alert for alert in outbox.open()}
        self._kinds: dict[tuple[str, ...], Alert] = {}  # the same by what a verdict says, for a look-up without labels
        self._unwritten = False
        self._written_s = 0.0
        self._dropped = 0
        self._stopped = False
        self._threads = [Thread(target=self._keep, name="outbox", daemon=True)] + [
            Thread(target=self._deliver, args=(courier,), name="alerts", daemon=True) for courier in self._couriers
        ]

    def feed(self, verdicts: Verdicts) -> None:
        now_s = time.time()
        for kind, amount in verdicts.kinds.items():
            if kind.outcome is not Outcome.ALLOWED:
                self._note(kind, amount, now_s)

    def _note(self, kind: Kind, amount: Amount, now_s: float) -> None:
        about = (
            kind.outcome, kind.partner, kind.purpose, kind.identifier, self._field(kind.field), kind.form, kind.place,
            kind.certainty,
        )  # fmt: skip
        with self._changed:
            if alert := self._kinds.get(about) or self._begun(about, kind, now_s):
                alert.seen_s = now_s
            else:
                self._dropped += amount.verdicts

    def _begun(self, about: tuple[str, ...], kind: Kind, now_s: float) -> Alert | None:
        """A new alert, or the one that the outbox remembered; None when there is no room."""
        labels = self._labels(kind)
        identity = tuple(labels.values())
        if identity not in self._alerts:
            if len(self._alerts) >= MOST_ALERTS:
                return None
            self._alerts[identity] = Alert(labels, self._annotations(kind), now_s, now_s)
            self._unwritten = True
            self._changed.notify_all()
        return self._kinds.setdefault(about, self._alerts[identity])

    def samples(self) -> dict[str, list[tuple[tuple[str, ...], float]]]:
        """For counts.METRICS."""
        with self._changed:
            names = {courier.name for courier in self._couriers}
            pending = sum(not names <= alert.accepted_s.keys() for alert in self._alerts.values())
            return {
                "alerts_active": [((), len(self._alerts))],
                "outbox_pending": [((), pending)],
                "outbox_dropped_total": [((), self._dropped)],
                "outbox_last_success_timestamp_seconds": [((each.name,), each.success_s) for each in self._couriers],
                "outbox_failures_total": [((each.name,), each.failures) for each in self._couriers],
            }

    def lost_to_disk(self) -> int:
        return self._outbox.lost

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What is new is tried once more, for a short time; the outbox keeps it for the next start."""
        with ExitStack() as stack:
            stack.callback(self._outbox.close)
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            until_s = time.monotonic() + LAST_S
            for thread in reversed(self._threads):
                thread.join(max(0, until_s - time.monotonic()))

    def _deliver(self, courier: Courier) -> None:
        stopped = False
        while not stopped:
            with self._changed:
                while not (due := courier.due(tuple(self._alerts.values()), last=self._stopped)) and not self._stopped:
                    self._changed.wait(max(0.01, courier.idle_s()))
                stopped = self._stopped
                bodies = [self._body(alert, courier) for alert in due]
            if not bodies:
                continue
            was_away, fault = courier.away, courier.alertmanager.post(bodies)
            with self._changed:
                if fault is None:
                    courier.accepted(due)
                    self._unwritten = True
                    self._changed.notify_all()
                else:
                    courier.refused()
            if fault and not was_away:
                self._say("WARNING", f"Alertmanager {courier.name} does not take alerts; trying again: {fault}")
            elif was_away and not fault:
                self._say("INFO", f"Alertmanager {courier.name} takes alerts again")

    def _keep(self) -> None:
        """Writes what is new, every minute what was seen again, and lets go of what ended."""
        stopped = False
        while not stopped:
            with self._changed:
                if not self._unwritten and not self._stopped:
                    self._changed.wait(TIDY_S)
                self._let_go()
                stopped = self._stopped
                late = self._alerts and time.monotonic() > self._written_s + AGAIN_S
                if not self._unwritten and not late and not stopped:
                    continue
                kept = [replace(each, accepted_s=each.accepted_s.copy()) for each in self._alerts.values()]
                self._unwritten = False
                self._written_s = time.monotonic()
            if not self._outbox.write(kept):
                with self._changed:
                    self._unwritten = not self._changed.wait_for(lambda: self._stopped, TIDY_S)

    def _let_go(self) -> None:
        now_s = time.time()
        for identity, alert in tuple(self._alerts.items()):
            waiting = any(courier.name not in alert.accepted_s for courier in self._couriers)
            if waiting and now_s < alert.seen_s + OLDEST_S:
                continue
            if waiting or now_s > max(courier.end_s(alert, self._quiet_s) for courier in self._couriers):
                del self._alerts[identity]
                self._kinds = {kind: each for kind, each in self._kinds.items() if each is not alert}
                self._dropped += waiting
                self._unwritten = True

    def _labels(self, kind: Kind) -> dict[str, str]:
        """What makes a kind: the identity of the alert, so nothing here may come off the wire."""
        sure = kind.certainty is Certainty.CONFIRMED and kind.outcome not in BY_HANDSET
        return {
            "alertname": NAME,
            "severity": "critical" if sure else "warning",
            "sensor": self._sensor,
            "outcome": kind.outcome,
            "partner": mask_name(kind.partner),
            "purpose": mask_name(kind.purpose),
            "identifier": kind.identifier,
            "field": self._field(kind.field),
            "form": kind.form,
            "place": kind.place,
            "certainty": kind.certainty,
        }

    def _annotations(self, kind: Kind) -> dict[str, str]:
        unsure = "; two servers could read the request differently, and one reading shows it" if (
            kind.certainty is Certainty.AMBIGUOUS
        ) else ""  # fmt: skip
        return {
            "summary": SUMMARY.get(kind.outcome, OF_A_PARTNER),
            "description": f"Outcome {kind.outcome}, seen as {kind.form} {kind.identifier} in a "
            f"{kind.place}{unsure}. This is the first of its kind; how many follow is in the metrics.",
            "recipient": masked(kind.recipient),
            "runbook_url": f"{self._runbook}{NAME}.md",
        }

    def _body(self, alert: Alert, courier: Courier) -> dict[str, object]:
        """An alert as the v2 API has it (alertmanager/api/v2/openapi.yaml, postableAlert)."""
        return {
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": rfc3339(int(alert.begun_s * 1e9)),
            "endsAt": rfc3339(int(courier.end_s(alert, self._quiet_s) * 1e9)),
        }
