"""What stands in one text: takes a text of a head, yields what every Sighting of it shares.

This is the reading that says what an identifier is. The native engine has the same (engine/src/identify.rs), for a head
can be full of what is nearly a number; a difference is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from monitor.identify.catalogue import ALIAS_FIELDS, CLIENT_FIELDS, IMSI_FIELDS, MSISDN_FIELDS, hint
from monitor.identify.forms import READERS, foreign, sealed
from monitor.identify.found import Found, Reader, Spelling
from monitor.identify.hashed import Hashed
from monitor.identify.hashes import HashTable
from monitor.identify.numbers import OwnNumbers
from monitor.identify.places import Text, decoded, parts
from monitor.verdicts import Form, Identifier, Number, NumberPlan, Place

Key = tuple[Identifier, str, Place, bytes]
Finding = tuple[Key, Number, Form, str, bool]  # `str` is the spelling, the last whether the operator must answer for it
Told = tuple[int, str, bytes, int, int, bool]  # the same by the native engine: what is one of a few is its place there
FIELDS = (Place.HEADER, Place.TRAILER)
_MSISDN, _PLAIN = Identifier.MSISDN, Form.PLAIN  # to look up a member takes longer than to use it
_IDENTIFIERS, _FORMS, _SPELLINGS = tuple(Identifier), tuple(Form), tuple(Spelling)
_PLACES = {place: number for number, place in enumerate(Place)}


class Search:
    def __init__(self, plan: NumberPlan, own: OwnNumbers, table: HashTable | None) -> None:
        self._own = own
        self._readers: list[Reader] = [reader(own) for reader in READERS]
        if table:
            self._readers.append(Hashed(table))
        self._own_fields = plan.fields
        self._carries = carried(plan)
        self._handset_fields = CLIENT_FIELDS - plan.fields

    def __call__(self, text: Text) -> Sequence[Finding]:
        """Each number of a field once, as it is written first, in wire order."""
        place, name, octets = text
        all_of = self._own.all_of
        if place in FIELDS and (digits := all_of(octets)):  # nine of ten of a leak, and a tenth of the search
            return (_plain(place, name, octets, digits),)
        known = self._carries.get(name)
        if known is None and not self._is_suspect(decoded(octets)):
            return ()
        findings: dict[Key, Finding] = {}
        for field, part in parts(place, name, octets, None if known else self._is_suspect):
            if digits := all_of(part):
                finding = _plain(place, field, part, digits)
                findings.setdefault(finding[0], finding)
                continue
            for found, own in self._found(place, field, part, known):
                key = (found.identifier, found.digits, place, field)
                findings.setdefault(key, (key, Number(found.digits), found.form, found.spelling, own))
        return list(findings.values())

    def _is_suspect(self, text: bytes) -> bool:
        for reader in self._readers:  # noqa: SIM110 - nearly every text is clean
            if reader.suspect(text):
                return True
        return False

    def _found(self, place: Place, field: bytes, text: bytes, known: Identifier | None) -> Iterator[tuple[Found, bool]]:
        nothing = True
        for reader in self._readers:
            if not reader.suspect(text):
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
        return place in FIELDS and hint(field) is Identifier.IMEI and field not in self._handset_fields


def told_by(search: Callable[[int, bytes, bytes], Sequence[Told]]) -> Callable[[Text], Sequence[Finding]]:
    """The same search by the native engine."""

    def told(text: Text) -> Sequence[Finding]:
        place, name, octets = text
        return [
            (
                (_IDENTIFIERS[identifier], digits, place, field),
                Number(digits),
                _FORMS[form],
                _SPELLINGS[spelling],
                own,
            )
            for identifier, digits, field, form, spelling, own in search(_PLACES[place], name, octets)
        ]

    return told


def carried(plan: NumberPlan) -> dict[bytes, Identifier]:
    """What is known to stand in fields of these names, whoever's it is."""
    carries = dict.fromkeys(MSISDN_FIELDS | ALIAS_FIELDS, Identifier.MSISDN)
    carries |= dict.fromkeys(IMSI_FIELDS, Identifier.IMSI)
    return carries | {field: hint(field) or Identifier.MSISDN for field in plan.fields}


def _plain(place: Place, field: bytes, text: bytes, digits: str) -> Finding:
    """What is `digits` in E.164 and nothing else."""
    spelling = Spelling.PLUS if text[:1] == b"+" else Spelling.E164
    return (_MSISDN, digits, place, field), Number(digits), _PLAIN, spelling, True
