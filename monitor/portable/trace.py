"""What became of every payload, written down while it happens: for the audit, which knows nothing of reassembly.

The stages call it where bytes are taken, read, doubted or dropped; what they say is named in audit.FATES. Nothing here
decides anything, and without an audit there is no Tracer.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.records import Carried, Fate, Flow, RequestHead, Stretch, Trace

Steps = list[Trace]
Tell = Callable[[int, int, str], None]  # of the bytes [start, stop) of a reading: what


class Tracer:
    """`share`: one in so many half-streams is traced (Watch.audited)."""

    def __init__(self, share: int) -> None:
        self.steps: Steps = []
        self._share = share
        self._payloads = 0
        self._readings = 0
        self._now = 0  # number of the payload that is being fed; 0: it is not traced
        self._position = 0  # where it stands

    def skipped(self, octets: bytes, reason: str) -> None:
        """A frame, or a datagram's fragment, that became no segment."""
        if self._share == 1 and octets:
            self.steps.append(Carried(0, octets, reason))

    def carried(self, flow: Flow, octets: bytes) -> None:
        """A segment comes."""
        self._now = 0
        if octets and hash(flow) % self._share == 0:
            self._payloads += 1
            self._now = self._payloads
            self.steps.append(Carried(self._now, octets))

    def reading(self, flow: Flow) -> int:
        """A number for a new client; 0 when its half-stream is not traced."""
        if hash(flow) % self._share:
            return 0
        self._readings += 1
        return self._readings

    def fate(self, what: str) -> None:
        """Of the payload that is being fed."""
        if self._now:
            self.steps.append(Fate(self._now, what))

    def taken(self, reading: int, position: int) -> None:
        """The payload that is being fed has its place in a reading."""
        self._position = position
        if self._now:
            self.steps.append(Fate(self._now, "taken", reading, position))

    def fate_at(self, position: int, what: str) -> None:
        """Of the payload that has been taken, if it stands there: what stands elsewhere was put aside before."""
        if position == self._position:
            self.fate(what)

    def stretch(self, reading: int, start: int, stop: int, what: str, head: RequestHead | None = None) -> None:
        if reading:
            self.steps.append(Stretch(reading, start, stop, what, head))

    def take(self) -> Steps:
        """What was written since the last call."""
        steps, self.steps = self.steps, []
        return steps
