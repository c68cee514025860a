"""Copies of a client's bytes that differ: takes a head as the first copies have it, yields it with its other readings.

Receivers disagree on which copy they take (Novak and Sturges 2007), so every head is read again with each. What only
some readings show is ambiguous; that is for `identify` to see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from monitor.portable.looks import may_begin_request
from monitor.portable.parts import InOrder, Octets, Reader
from monitor.portable.request_head import FieldLines, continuation
from monitor.records import Certainty, PlacedHead, RequestHead, Section, Version

NewReader = Callable[[int], Reader]

MOST_READINGS = 4
MOST_MARKS = 256


class Mark(NamedTuple):
    """What is to be said of a head that is made of the bytes [start, stop)."""

    start: int
    stop: int
    oddity: str


class Copies:
    """`new_reader` makes a reader for what is read beside the rest, at a position."""

    __slots__ = ("_assembler", "_marks", "_used", "past")

    def __init__(self, assembler: InOrder) -> None:
        self._assembler = assembler
        self._marks: list[Mark] = []
        self._used: list[Version] = []  # by a head
        self.past: PlacedHead | None = None  # the latest head that was let go without an acknowledgement

    def __bool__(self) -> bool:
        return bool(self._assembler.versions or self._marks)

    def mark(self, start: int, stop: int, oddity: str) -> None:
        if len(self._marks) < MOST_MARKS:
            self._marks.append(Mark(start, stop, oddity))

    def without_urgent(self, position: int, octets: bytes, urgent: int) -> None:
        """RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is."""
        for at in (position + urgent - 1, position + urgent):
            if position <= at < position + len(octets):
                self._assembler.add_version(Version(at, at + 1, b"", "urgent"))

    def drop(self, start: int, stop: int) -> None:
        """These bytes are skipped by count: no copy of them matters."""
        self._assembler.versions[:] = [
            each for each in self._assembler.versions if each.start < start or each.stop > stop
        ]

    def with_readings(self, placed: PlacedHead, new_reader: NewReader) -> list[PlacedHead]:
        """The head with its other readings, and heads that it hides in one of them."""
        versions = [each for each in self._assembler.versions if _overlap(each, placed)]
        noted = [each.oddity for each in versions] + [each.oddity for each in self._marks if _overlap(each, placed)]
        if not noted:
            return [placed]
        self._used += versions
        head, hidden = placed.head, []
        readings = list(head.readings)
        certainty = head.certainty
        for chosen in _choices(versions):
            others = _reread(placed, chosen, new_reader) if placed.octets else []
            if not others:
                certainty = Certainty.AMBIGUOUS  # to whoever takes the copy this is no head
            elif not _alike(others[0].head, head):
                readings.append(others[0].head)
            hidden += [other for other in others[1:] if other.end <= placed.end]
        head = head._replace(
            oddities=tuple(dict.fromkeys((*head.oddities, *noted))), certainty=certainty, readings=tuple(readings)
        )
        return [placed._replace(head=head), *(_doubted(other, "overlap") for other in hidden)]

    def forget(self, before: int, time_ns: int, new_reader: NewReader) -> list[PlacedHead]:
        """No head that begins before this position waits. What do copies show that were part of none?"""
        found: list[PlacedHead] = []
        self._marks = [each for each in self._marks if each.stop > before]
        versions = self._assembler.versions
        for each in [each for each in versions if each.stop <= before]:
            versions.remove(each)
            if each in self._used:
                continue
            if self.past is not None and _overlap(each, self.past):
                found += _late(self.past, each, new_reader)
            elif may_begin_request(each.octets):
                alone = _read(each.octets, each.start, time_ns, new_reader)
                found += [_doubted(placed, each.oddity) for placed in alone]
        self._used = [each for each in self._used if each in versions]
        return found


def _reread(placed: PlacedHead, versions: list[Version], new_reader: NewReader) -> list[PlacedHead]:
    """The heads at this place when these copies are taken."""
    octets = bytearray(placed.octets)
    for each in sorted(versions, reverse=True):
        begin = max(each.start, placed.start) - placed.start
        octets[begin : each.stop - placed.start] = each.octets[max(0, placed.start - each.start) :]
    return _read(octets, placed.start, placed.head.time_ns, new_reader)


def _read(octets: Octets, position: int, time_ns: int, new_reader: NewReader) -> list[PlacedHead]:
    reader = new_reader(position)
    heads = reader.feed(octets, position, time_ns)
    start = reader.start
    return heads + reader.finish(octets[start - position :], start)


def _late(placed: PlacedHead, version: Version, new_reader: NewReader) -> list[PlacedHead]:
    """A copy that came when the head had been let go: what it shows besides is a head of its own."""
    others = _reread(placed, [version], new_reader)
    if not others:
        return []
    head, other = placed.head, others[0].head
    fields = tuple(field for field in other.fields if field not in head.fields)
    if not fields and other.target == head.target:
        return []
    more = continuation(head.time_ns, other, FieldLines(fields), (), Section.HEAD)
    if other.target != head.target:
        more = more._replace(target=other.target)
    return [_doubted(placed._replace(head=more), version.oddity)]


def _choices(versions: list[Version]) -> list[list[Version]]:
    """All copies taken, and each alone."""
    if len(versions) < 2:
        return [versions] if versions else []
    return [versions, *([each] for each in versions)][:MOST_READINGS]


def _overlap(one: Version | Mark, placed: PlacedHead) -> bool:
    return one.start < placed.end and placed.start < one.stop


def _alike(one: RequestHead, other: RequestHead) -> bool:
    return (one.method, one.target, one.fields) == (other.method, other.target, other.fields)


def _doubted(placed: PlacedHead, oddity: str) -> PlacedHead:
    head = placed.head
    oddities = tuple(dict.fromkeys((*head.oddities, oddity)))
    return placed._replace(octets=b"", head=head._replace(oddities=oddities, certainty=Certainty.AMBIGUOUS))
