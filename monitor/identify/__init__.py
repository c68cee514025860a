"""Identify: takes the request heads that the sieve let through, yields a Sighting for each subscriber identifier.

The value is the gate, the name is a hint (4-identify.md): an own number counts in any field, and a number outside the
operator's ranges only where the field is known to carry one. One number in one field of a head is one Sighting, however
often and in how many spellings it stands there. What only some readings of the head show is ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from monitor.identify.catalogue import hint
from monitor.identify.hashes import table_of
from monitor.identify.numbers import OwnNumbers
from monitor.identify.places import Text, is_said, of_field, of_target
from monitor.identify.search import FIELDS, Finding, Key, Search, Told, told_by
from monitor.identify.watched import watch_of
from monitor.records import Certainty, RequestHead, Section, Watch
from monitor.verdicts import Form, Identifier, NumberPlan, Sighting

REMEMBERED = 16_384  # fields; a full memory starts again
LONGEST_REMEMBERED = 256  # octets
_Memory = dict[tuple[bytes, bytes], Sequence[Finding]]
_new = tuple.__new__  # a NamedTuple's own takes twice as long
_HEAD = Section.HEAD  # to look up a member takes longer than to use it
_OPEN = (Form.PLAIN, Form.ENCODED, Form.HASHED)


class Identify:
    """Raises ConfigError when the plan's table of hashes cannot be used.

    `reader` makes of a Watch what searches a text as Search does, and faster.
    """

    def __init__(
        self,
        plan: NumberPlan,
        reader: Callable[[Watch], Callable[[int, bytes, bytes], Sequence[Told]]] | None = None,
    ) -> None:
        self._plan, self._own, self._table, self._reader = plan, OwnNumbers(plan), table_of(plan), reader
        self._of_heads: _Memory = {}
        self._of_trailers: _Memory = {}
        self._watch = watch_of(plan, self._own, self._table)

    @cached_property  # late: a clean capture needs none
    def _search(self) -> Callable[[Text], Sequence[Finding]]:
        if self._reader:
            return told_by(self._reader(self._watch))
        return Search(self._plan, self._own, self._table)

    def watch(self) -> Watch:
        """What the sieve must let through for `feed` to find all that it would find in the whole traffic."""
        return self._watch

    def feed(self, head: RequestHead) -> list[Sighting]:
        """At most one for each number, place and field of the head, in wire order.

        `own` says that the operator must answer for it: an own MSISDN or IMSI, or an IMEI in a header that no handset
        writes. The head of a Sighting is the reading that shows it; where others show it as well, and to somebody
        else, these are its readings, and nobody knows who got it.
        """
        if not head.readings:
            findings = self._findings(head)
            if not findings:
                return []
            return [_sighting(head, findings[0])] if len(findings) == 1 else _several(head, findings)
        views = [self._read(head), *map(self._read, head.readings)]
        keys = dict.fromkeys(key for view in views for key in view)
        if "fold" in head.oddities:
            keys = _opened(keys, views)
        groups = [[[view[key] for view in views if key in view] for key in same] for same in _same(keys, views)]
        if len(set(map(_destination, (head, *head.readings)))) > 1:
            return [_to_some([one for sightings in group for one in sightings]) for group in groups]
        return [
            group[0][0] if len(group[0]) == len(views) else group[0][0]._replace(certainty=Certainty.AMBIGUOUS)
            for group in groups
        ]

    def _read(self, head: RequestHead) -> dict[Key, Sighting]:
        """One reading of the head."""
        return _each_once(head, self._findings(head))

    def _findings(self, head: RequestHead) -> Sequence[Finding]:
        """In wire order. What was in a short field is remembered: in a leak the same few come again and again."""
        _, _, _, target, _, fields, _, _, section, _, _, target_is_clean = head
        findings: Sequence[Finding] = ()
        remembered = self._of_heads
        if section is not _HEAD:
            remembered = self._of_trailers
        elif not target_is_clean:
            findings = [finding for text in of_target(target) for finding in self._search(text)]
        for field in fields:
            known = remembered.get(field)
            if known is None:
                known = self._of_field(field, section, remembered)
            if known and not is_said(field, head):
                findings = [*findings, *known] if findings else known
        return findings

    def _of_field(self, field: tuple[bytes, bytes], section: Section, remembered: _Memory) -> Sequence[Finding]:
        findings = self._search(of_field(*field, section))
        if len(field[0]) + len(field[1]) <= LONGEST_REMEMBERED:
            if len(remembered) >= REMEMBERED:
                remembered.clear()
            remembered[field] = findings
        return findings


def _same(keys: Iterable[Key], views: Sequence[dict[Key, Sighting]]) -> Iterator[list[Key]]:
    """The keys of each number, best first, as one where no reading shows it twice: it was sent once.

    The line in front of a lone CR may end there, and a field begin, or go on: its number is in the one or the other.
    """
    of_numbers: dict[tuple[Identifier, str], list[Key]] = {}
    for key in keys:
        of_numbers.setdefault(key[:2], []).append(key)
    for same in of_numbers.values():
        if len(same) > 1 and all(sum(key in view for key in same) < 2 for view in views):
            yield sorted(same, key=lambda key: hint(key[3]) is not key[0])
        else:
            yield from ([key] for key in same)


def _opened(keys: Iterable[Key], views: Sequence[dict[Key, Sighting]]) -> dict[Key, None]:
    """A value whose lines are joined without a space may look sealed: it is not, if a number stands in it otherwise."""
    is_open = {key: seen.form in _OPEN for view in views[::-1] for key, seen in view.items()}
    opened = {key[2:] for key in keys if is_open[key]}
    return dict.fromkeys(key for key in keys if is_open[key] or key[2:] not in opened)


def _sighting(head: RequestHead, finding: Finding) -> Sighting:
    (identifier, _, place, field), number, form, spelling, own = finding
    return _new(Sighting, (head, identifier, number, place, field, form, spelling, head.certainty, own, False))


def _each_once(head: RequestHead, findings: Sequence[Finding]) -> dict[Key, Sighting]:
    seen: dict[Key, Sighting] = {}
    for finding in findings:
        if finding[0] not in seen:
            seen[finding[0]] = _sighting(head, finding)
    return seen


def _several(head: RequestHead, findings: Sequence[Finding]) -> list[Sighting]:
    """Of headers that name different subscribers, the last is the gateway's: what it adds it appends.

    Sealed values are no numbers to compare.
    """
    seen: dict[Key, Finding] = {}
    for finding in findings:
        seen.setdefault(finding[0], finding)
    certainty, last, sightings = head.certainty, dict[Identifier, str](), list[Sighting]()
    for (identifier, digits, place, field), number, form, spelling, own in reversed(seen.values()):
        contested = own and place in FIELDS and form in _OPEN and last.setdefault(identifier, digits) != digits
        shared = (identifier, number, place, field, form, spelling, certainty, own, contested)
        sightings.append(_new(Sighting, (head, *shared)))
    sightings.reverse()
    return sightings


def _destination(head: RequestHead) -> tuple[object, ...]:
    """What decides who gets a request."""
    return head.target, *(field for field in head.fields if field[0] in (b"host", b":authority"))


def _to_some(sightings: list[Sighting]) -> Sighting:
    """One Sighting of those that readings of different destinations show."""
    first, *others = sightings
    head = first.head._replace(readings=tuple(other.head._replace(readings=()) for other in others))
    return first._replace(head=head, certainty=Certainty.AMBIGUOUS)
