"""Messages and the reports of a file in, Holders out: the feed as the pipeline asks for it, with what it counted.

Only who network.yaml names is believed: messages from other addresses, from inside a tunnel of handsets, or (where
there is a secret) of somebody who does not know it are counted as `untrusted` and dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from monitor.counts import FEED_KINDS
from monitor.records import Message
from monitor.subscribers.radius import Malformed, Numbering, Overfull, authentic, report
from monitor.subscribers.sessions import Report, Sessions, Status
from monitor.verdicts import Holder


class Terms(NamedTuple):
    """What network.yaml says of the feed."""

    ports: frozenset[int]  # UDP; empty where there is but a file
    believed: Callable[[bytes], object]  # whether this address is a gateway's
    secret: bytes | None
    tunnels: frozenset[str]  # before the gateway: what comes in one is a handset's
    numbering: Numbering
    longest_ns: int
    silence_ns: int
    reports: tuple[Report, ...]  # of the file, by time

    def __repr__(self) -> str:
        """Without the secret."""
        return f"<feed on ports {sorted(self.ports)}, {len(self.reports)} reports>"


class Feed:
    def __init__(self, terms: Terms) -> None:
        self.sessions = Sessions(terms.longest_ns, terms.silence_ns)
        self.counts = dict.fromkeys(FEED_KINDS, 0)
        self._terms = terms
        self._waiting = list(reversed(terms.reports))

    def adopt(self, terms: Terms) -> None:
        """New rules: who is believed may change, who holds which address does not."""
        known = set(self._terms.reports)
        waiting = set(self._waiting)
        fresh = [one for one in terms.reports if one in waiting or one not in known]
        self._waiting = fresh[::-1]
        self._terms = terms
        self.sessions.believe(terms.longest_ns, terms.silence_ns)

    def take(self, messages: Iterable[Message], time_ns: int) -> None:
        """What was said up to `time_ns`; `messages` are in the order in which they came."""
        for message in messages:
            self._take_file(message.time_ns)
            self._take(message)
        self._take_file(time_ns)

    @property
    def was_heard(self) -> bool:
        """Whether anything was said so far; where nothing was, nobody holds an address."""
        return self.sessions.heard_ns is not None

    def holder(self, address: bytes, time_ns: int) -> Holder | None:
        return self.sessions.holder(address, time_ns)

    def _take(self, message: Message) -> None:
        terms, octets = self._terms, message.octets
        inside = any(kind in terms.tunnels for kind, _ in message.flow.path)
        if inside or not terms.believed(message.flow.src) or (terms.secret and not authentic(octets, terms.secret)):
            self.counts["untrusted"] += 1
            return
        try:
            said = report(octets, message.time_ns, terms.numbering)
        except Malformed:
            self.counts["malformed"] += 1
            return
        except Overfull:
            self.counts["overfull"] += 1
            return
        if said is None:
            self.counts["other"] += 1
        elif said.status in (Status.START, Status.INTERIM) and not (said.addresses and (said.msisdn or said.imsi)):
            self.counts["incomplete"] += 1
        else:
            self.counts[said.status] += 1
            self.sessions.feed(said)

    def _take_file(self, time_ns: int) -> None:
        while self._waiting and self._waiting[-1].time_ns <= time_ns:
            said = self._waiting.pop()
            self.counts[said.status] += 1
            self.sessions.feed(said)
