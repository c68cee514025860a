"""Copies of a client's bytes that differ from those that came first: takes them, yields the bytes to be read again.

Receivers disagree on which copy they take (Novak and Sturges 2007), so what follows is read with each: with this copy
alone, and with all copies that came, as for a receiver whose last copy wins. What only some readings show is ambiguous.
Here is also what is to be said of heads that are made of certain bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.portable.parts import Octets
from monitor.portable.request_head import AUTHORITY, FieldLines, certainty_of, continuation
from monitor.records import Certainty, Fields, PlacedHead, RequestHead, Section, Version

MOST_MARKS = 256
MOST_READINGS = 4  # of one head
REREAD_BYTES = 256 * 1024  # that may be read again in any case, and
REREAD_SHARE = 4  # so many for each byte that came in order: what copies cost is in proportion


class Mark(NamedTuple):
    """What is to be said of a head that is made of the bytes [start, stop)."""

    start: int
    stop: int
    oddity: str


class Text(NamedTuple):
    """Bytes as somebody may have them; from `until` on they are those of everybody."""

    octets: bytearray
    until: int


class Copies:
    __slots__ = ("_counts", "_marks", "_spent")

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._marks: list[Mark] = []
        self._spent = 0  # bytes read again

    def mark(self, start: int, stop: int, oddity: str) -> None:
        if len(self._marks) < MOST_MARKS:
            self._marks.append(Mark(start, stop, oddity))
        else:
            self._counts["shed.marks"] += 1

    def marked(self, placed: PlacedHead) -> PlacedHead:
        """The head with what is to be said of its bytes."""
        oddities = [each.oddity for each in self._marks if overlap(each, placed)]
        return noted(placed, *oddities) if oddities else placed

    def forget(self, before: int) -> None:
        """No head that begins before this position waits."""
        if self._marks:
            self._marks = [each for each in self._marks if each.stop > before]

    def texts(
        self, version: Version, taken: list[Version], octets: Octets, first: int, came: int, weight: int = 0
    ) -> Iterator[Text]:
        """What there is to read because of this copy: `octets` from position `first` on with it alone, with all of its
        kind that were `taken` before as well, and with all of any kind. `came` bytes came so far; to begin there takes
        as long as `weight` bytes."""
        choices = [[version]]
        before = [each for each in taken if each is not version and each.stop > first]
        like = [each for each in before if each.oddity == version.oddity]
        choices += [[*others, version] for others in (like, before) if others]
        if len(like) == len(before):
            del choices[2:]
        for chosen in choices:
            self._spent += weight + len(octets)
            if self._spent > REREAD_BYTES + REREAD_SHARE * came:
                self._spent -= weight + len(octets)
                self._counts["shed.copies"] += 1
            else:
                yield _patched(octets, first, chosen)

    def with_reading(self, placed: PlacedHead, other: PlacedHead) -> PlacedHead:
        """A head with another way to read it, the newest first."""
        head = placed.head
        readings = [each._replace(time_ns=head.time_ns, readings=()) for each in (other.head, *other.head.readings)]
        readings += [each for each in head.readings if not any(alike(each, new) for new in readings)]
        self._counts["shed.readings"] += max(0, len(readings) - MOST_READINGS)
        return noted(placed._replace(head=head._replace(readings=tuple(readings[:MOST_READINGS]))), other.why)


def late(past: PlacedHead, other: PlacedHead) -> PlacedHead | None:
    """What a copy of a head shows besides that was let go: a head of its own.

    All of it when it goes elsewhere: what the first one said is said to somebody else as well.
    """
    if not {*map(_way, (other.head, *other.head.readings))} <= {*map(_way, (past.head, *past.head.readings))}:
        return other
    seen = set(past.head.fields)
    fields, *others = (
        tuple(field for field in each.fields if field not in seen) for each in (other.head, *other.head.readings)
    )
    if not (fields or any(others)):
        return None
    more = continuation(other.head.time_ns, other.head, FieldLines(fields, (), tuple(others)), (), Section.HEAD)
    return other._replace(head=more)


def _way(head: RequestHead) -> tuple[bytes, Fields]:
    """Where a request goes."""
    return head.target, tuple(field for field in head.fields if field[0] in AUTHORITY)


def alike(one: RequestHead, other: RequestHead) -> bool:
    return (one.method, one.target, one.fields) == (other.method, other.target, other.fields)


def overlap(one: Version | Mark, placed: PlacedHead) -> bool:
    return one.start < placed.end and placed.start < one.stop


def in_doubt(placed: PlacedHead, oddity: str) -> PlacedHead:
    """To some receivers this is no head."""
    return noted(placed._replace(head=placed.head._replace(certainty=Certainty.AMBIGUOUS)), oddity)


def noted(placed: PlacedHead, *oddities: str) -> PlacedHead:
    head = placed.head
    certainty = Certainty.AMBIGUOUS if certainty_of(oddities) is Certainty.AMBIGUOUS else head.certainty
    oddities = tuple(dict.fromkeys((*head.oddities, *oddities)))
    return placed._replace(head=head._replace(oddities=oddities, certainty=certainty))


def _patched(octets: Octets, first: int, chosen: list[Version]) -> Text:
    text = bytearray(octets)
    for each in sorted(chosen, reverse=True):  # the last first: a copy may be shorter than what it stands for
        begin = max(each.start, first) - first
        text[begin : each.stop - first] = each.octets[max(0, first - each.start) :]
    return Text(text, max(each.stop for each in chosen))
