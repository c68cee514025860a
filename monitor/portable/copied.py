"""Copies that differ from what came first: what was read already is read once more with them."""

from __future__ import annotations

from monitor.portable.order import Order
from monitor.records import Version


class Copied(Order):
    __slots__ = ()

    def leave_urgent_out(self, pointer: int) -> None:
        """RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is: that to
        which the urgent pointer leads, or the one before. It may be announced before it comes, or be long gone."""
        last = self._assembler.place(pointer)
        for at in range(max(last - 1, self._kept_from), last + 1):
            self._assembler.add_version(Version(at, at + 1, b"", "urgent"))

    def _read_copies(self, now_ns: int) -> None:
        """Read what was read already once more, with the copies of it that came."""
        for fresh in self._assembler.take_versions():
            if fresh.stop <= self._kept_from:
                self._counts["shed.copies"] += 1
                self._trace(fresh.start, fresh.stop, "copies")
                continue
            shed = self._shed_copies
            version = self._joined(fresh)
            self._assembler.taken.append(version)
            before = [each.start for each in self._heads.whole() if each.start <= version.start]
            for start in self._http1.starts(version.start, before, self._kept_from):
                place = start.position
                octets = self._kept[place - self._kept_from :]
                for text, until in self._copies.texts(
                    version, self._assembler.taken, octets, place, self.came, start.weight
                ):
                    heads = self._http1.reread(text, start, until, version.oddity, self._time_ns)
                    self._heads.compare(heads, place, version, now_ns)
            if self._shed_copies > shed:
                self._trace(version.start, version.stop, "copies")

    @property
    def _shed_copies(self) -> int:
        return self._counts["shed.copies"] + self._counts["shed.readings"]

    def _joined(self, version: Version) -> Version:
        """A copy that comes in many small segments is one copy."""
        taken, behind = self._assembler.taken, self._assembler.copied_to
        if not taken or not (taken[-1].stop == version.start == behind and taken[-1].oddity == version.oddity):
            return version
        last = taken.pop()
        self._http1.supersede(last.stop, version.oddity)
        start = min(max(last.start, self._kept_from), last.stop)
        return version._replace(start=start, octets=last.octets[start - last.start :] + version.octets)
