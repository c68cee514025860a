"""Identify: takes the request heads that the sieve let through, yields a Sighting for each subscriber identifier.

The value is the gate, the name is a hint (4-identify.md): an own number counts in any field, and a number outside the
operator's ranges only where the field is known to carry one. One number in one field of a head is one Sighting, however
often and in how many spellings it stands there. What only some readings of the head show is ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from monitor.field import letters
from monitor.identify.catalogue import (
    ALIAS_FIELDS,
    CLIENT_FIELDS,
    IMEI_WORD,
    IMSI_FIELDS,
    MSISDN_FIELDS,
    STEMS,
    SUBSCRIBER_FIELDS,
    hint,
)
from monitor.identify.coded import codings_of
from monitor.identify.forms import READERS, foreign, sealed
from monitor.identify.found import BASE64, HEX, NAMED, ROW, Found, Reader, Spelling
from monitor.identify.hashed import Hashed
from monitor.identify.hashes import table_of
from monitor.identify.numbers import IMEI_ROW, OwnNumbers
from monitor.identify.places import Text, decoded, of_field, of_target, parts
from monitor.records import Certainty, RequestHead, Section, Watch
from monitor.verdicts import Form, Identifier, Number, NumberPlan, Place, Sighting

REMEMBERED = 16_384  # fields; a full memory starts again
LONGEST_REMEMBERED = 256  # octets
_Key = tuple[Identifier, str, Place, bytes]
_Finding = tuple[_Key, Number, Form, str, bool]  # what all Sightings of a text share; `str` is the spelling
_Memory = dict[tuple[bytes, bytes], Sequence[_Finding]]
_new = tuple.__new__  # a NamedTuple's own takes twice as long
_HEAD, _MSISDN, _PLAIN = Section.HEAD, Identifier.MSISDN, Form.PLAIN  # to look up a member takes longer than to use it
_E164, _PLUS = Spelling.E164, Spelling.PLUS
_FIELDS = (Place.HEADER, Place.TRAILER)
_OPEN = (Form.PLAIN, Form.ENCODED, Form.HASHED)


class Identify:
    """Raises ConfigError when the plan's table of hashes cannot be used.

    `screen` says, for a Watch, what shows in a text (found.py): as the readers say themselves, or more, and faster.
    """

    def __init__(self, plan: NumberPlan, screen: Callable[[Watch], Callable[[bytes], int]] | None = None) -> None:
        own, table = OwnNumbers(plan), table_of(plan)
        self._own = own
        self._readers: list[Reader] = [reader(own) for reader in READERS]
        if table:
            self._readers.append(Hashed(table))
        self._own_fields = plan.fields
        self._carries = dict.fromkeys(MSISDN_FIELDS | ALIAS_FIELDS, Identifier.MSISDN)
        self._carries |= dict.fromkeys(IMSI_FIELDS, Identifier.IMSI)
        self._carries |= {field: hint(field) or Identifier.MSISDN for field in plan.fields}
        self._handset_fields = CLIENT_FIELDS - plan.fields
        self._of_heads: _Memory = {}
        self._of_trailers: _Memory = {}
        names = SUBSCRIBER_FIELDS | plan.fields
        codings = codings_of(own)
        self._watch = Watch(
            names=names | {b"http-" + name for name in names},
            stems=tuple(STEMS),
            rows=(
                *own.digit_rows,
                *sorted({(one.begin, one.more) for one in codings if one.of_digits}),
            ),
            named_rows=(IMEI_ROW,),
            named_by=IMEI_WORD,
            tokens=tuple(sorted({(one.begin, one.more) for one in codings if not one.of_digits})),
            digests=table,
        )
        self._screen = screen

    @cached_property  # late: a clean capture needs none
    def _shown(self) -> Callable[[bytes], int]:
        return self._screen(self._watch) if self._screen else self._suspected

    @staticmethod
    def _named(shown: int, field: bytes, text: bytes) -> int:
        """What shows in this text of this field, when a row that needs a name has one or has none."""
        if not shown & NAMED:
            return shown
        is_named = hint(field) is Identifier.IMEI or IMEI_WORD in letters(text)
        return shown | ROW | BASE64 | HEX if is_named else shown - NAMED

    def _suspected(self, text: bytes) -> int:
        shown = 0
        for reader in self._readers:
            if reader.suspect(text):
                shown |= reader.shown_by
        return shown

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
            if len(findings) == 1:
                return [_sighting(head, findings[0])]
            seen = _each_once(head, findings)
            return list(seen.values()) if len(seen) < 2 else _contested(seen.values())
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

    def _read(self, head: RequestHead) -> dict[_Key, Sighting]:
        """One reading of the head."""
        return _each_once(head, self._findings(head))

    def _findings(self, head: RequestHead) -> Sequence[_Finding]:
        """In wire order. What was in a short field is remembered: in a leak the same few come again and again."""
        _, _, _, target, _, fields, _, _, section, _, _, target_is_clean = head
        findings: Sequence[_Finding] = ()
        remembered = self._of_heads
        if section is not _HEAD:
            remembered = self._of_trailers
        elif not target_is_clean and self._shown(decoded(target)):
            findings = [finding for text in of_target(target) for finding in self._search(text)]
        for field in fields:
            known = remembered.get(field)
            if known is None:
                known = self._of_field(field, section, remembered)
            if known:
                findings = [*findings, *known] if findings else known
        return findings

    def _of_field(self, field: tuple[bytes, bytes], section: Section, remembered: _Memory) -> Sequence[_Finding]:
        text = of_field(*field, section)
        findings = self._search(text) if text else ()
        if len(field[0]) + len(field[1]) <= LONGEST_REMEMBERED:
            if len(remembered) >= REMEMBERED:
                remembered.clear()
            remembered[field] = findings
        return findings

    def _search(self, text: Text) -> Sequence[_Finding]:
        place, name, octets = text
        all_of = self._own.all_of
        if place in _FIELDS and (digits := all_of(octets)):  # nine of ten of a leak, and a tenth of the search
            return (_plain(place, name, octets, digits),)
        known = self._carries.get(name)
        whole = decoded(octets)
        shown_in_all = self._shown(whole)
        if known is None and not shown_in_all:
            return ()
        findings: list[_Finding] = []
        for field, part in parts(place, name, octets, None if known else self._shown):
            if digits := all_of(part):
                findings.append(_plain(place, field, part, digits))
            elif (shown := self._named(shown_in_all if part is whole else self._shown(part), field, part)) or known:
                findings += [
                    (
                        (found.identifier, found.digits, place, field),
                        Number(found.digits),
                        found.form,
                        found.spelling,
                        own,
                    )
                    for found, own in self._found(place, field, part, known, shown)
                ]
        return findings

    def _found(
        self, place: Place, field: bytes, text: bytes, known: Identifier | None, shown: int
    ) -> Iterator[tuple[Found, bool]]:
        nothing = True
        for reader in self._readers if shown else ():
            if not shown & reader.shown_by:
                continue
            for found in reader.read(text, known or hint(field)):
                nothing = False
                yield found, found.identifier is not Identifier.IMEI or self._from_gateway(place, field)
        if nothing and known:
            if stranger := foreign(text, known):
                yield stranger, False
            elif opaque := sealed(text, field, known):
                yield opaque, field in self._own_fields

    def _from_gateway(self, place: Place, field: bytes) -> bool:
        """Whether this IMEI may be the gateway's: an app sends its own by itself, in parameters above all."""
        return place in _FIELDS and hint(field) is Identifier.IMEI and field not in self._handset_fields


def _same(keys: Iterable[_Key], views: Sequence[dict[_Key, Sighting]]) -> Iterator[list[_Key]]:
    """The keys of each number, best first, as one where no reading shows it twice: it was sent once.

    The line in front of a lone CR may end there, and a field begin, or go on: its number is in the one or the other.
    """
    of_numbers: dict[tuple[Identifier, str], list[_Key]] = {}
    for key in keys:
        of_numbers.setdefault(key[:2], []).append(key)
    for same in of_numbers.values():
        if len(same) > 1 and all(sum(key in view for key in same) < 2 for view in views):
            yield sorted(same, key=lambda key: hint(key[3]) is not key[0])
        else:
            yield from ([key] for key in same)


def _opened(keys: Iterable[_Key], views: Sequence[dict[_Key, Sighting]]) -> dict[_Key, None]:
    """A value whose lines are joined without a space may look sealed: it is not, if a number stands in it otherwise."""
    is_open = {key: seen.form in _OPEN for view in views[::-1] for key, seen in view.items()}
    opened = {key[2:] for key in keys if is_open[key]}
    return dict.fromkeys(key for key in keys if is_open[key] or key[2:] not in opened)


def _plain(place: Place, field: bytes, text: bytes, digits: str) -> _Finding:
    """What is `digits` in E.164 and nothing else."""
    spelling = _PLUS if text[:1] == b"+" else _E164
    return (_MSISDN, digits, place, field), Number(digits), _PLAIN, spelling, True


def _sighting(head: RequestHead, finding: _Finding) -> Sighting:
    (identifier, _, place, field), number, form, spelling, own = finding
    return _new(Sighting, (head, identifier, number, place, field, form, spelling, head.certainty, own, False))


def _each_once(head: RequestHead, findings: Sequence[_Finding]) -> dict[_Key, Sighting]:
    seen: dict[_Key, Sighting] = {}
    for finding in findings:
        if finding[0] not in seen:
            seen[finding[0]] = _sighting(head, finding)
    return seen


def _contested(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Of headers that name different subscribers, the last is the gateway's: what it adds it appends.

    Sealed values are no numbers to compare.
    """
    listed = list(sightings)
    named = [one.own and one.place in _FIELDS and one.form in _OPEN for one in listed]
    last = {one.identifier: one.number.digits for one, is_named in zip(listed, named, strict=True) if is_named}
    return [
        _new(Sighting, (*one[:-1], True)) if is_named and one.number.digits != last[one.identifier] else one
        for one, is_named in zip(listed, named, strict=True)
    ]


def _destination(head: RequestHead) -> tuple[object, ...]:
    """What decides who gets a request."""
    return head.target, *(field for field in head.fields if field[0] in (b"host", b":authority"))


def _to_some(sightings: list[Sighting]) -> Sighting:
    """One Sighting of those that readings of different destinations show."""
    first, *others = sightings
    head = first.head._replace(readings=tuple(other.head._replace(readings=()) for other in others))
    return first._replace(head=head, certainty=Certainty.AMBIGUOUS)
