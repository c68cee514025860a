"""Identify: takes the request heads that the sieve let through, yields a Sighting for each subscriber identifier.

The value is the gate, the name is a hint (4-identify.md): an own number counts in any field, and a number outside the
operator's ranges only where the field is known to carry one. One number in one field of a head is one Sighting, however
often and in how many spellings it stands there. What only some readings of the head show is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.identify.catalogue import CLIENT_FIELDS, IMSI_FIELDS, MSISDN_FIELDS, STEMS, SUBSCRIBER_FIELDS, hint
from monitor.identify.forms import READERS, Found, foreign
from monitor.identify.numbers import OwnNumbers
from monitor.identify.places import decoded, parts, texts
from monitor.records import Certainty, Form, Identifier, Number, NumberPlan, Place, RequestHead, Sighting, Watch

_Key = tuple[Identifier, str, Place, bytes]
_FIELDS = (Place.HEADER, Place.TRAILER)


class Identify:
    def __init__(self, plan: NumberPlan) -> None:
        own = OwnNumbers(plan)
        self._readers = [(form, reader(own)) for form, reader in READERS.items()]
        self._carries = dict.fromkeys(MSISDN_FIELDS, Identifier.MSISDN) | dict.fromkeys(IMSI_FIELDS, Identifier.IMSI)
        self._carries |= {field: hint(field) or Identifier.MSISDN for field in plan.fields}
        self._handset_fields = CLIENT_FIELDS - plan.fields
        names = SUBSCRIBER_FIELDS | plan.fields
        self._watch = Watch(names | {b"http-" + name for name in names}, stems=tuple(STEMS), rows=own.digit_rows)

    def watch(self) -> Watch:
        """What the sieve must let through for `feed` to find all that it would find in the whole traffic."""
        return self._watch

    def feed(self, head: RequestHead) -> list[Sighting]:
        """At most one for each number, place and field of the head, in wire order.

        `own` says that the operator must answer for it: an own MSISDN or IMSI, or an IMEI in a header that no handset
        writes. The head of a Sighting is the reading that shows it.
        """
        seen = self._read(head)
        if not head.readings:
            return list(seen.values())
        views = [seen, *map(self._read, head.readings)]
        sightings: dict[_Key, Sighting] = {}
        for view in views:
            sightings |= {key: view[key] for key in view.keys() - sightings.keys()}
        return [
            sighting if all(key in view for view in views) else sighting._replace(certainty=Certainty.AMBIGUOUS)
            for key, sighting in sightings.items()
        ]

    def _read(self, head: RequestHead) -> dict[_Key, Sighting]:
        """One reading of the head."""
        seen: dict[_Key, Sighting] = {}
        for place, name, octets in texts(head):
            known = self._carries.get(name)
            if known is None and not self._suspect(decoded(octets)):
                continue
            for field, text in parts(place, name, octets):
                if known is None and not self._suspect(text):
                    continue
                for form, found, own in self._found(place, field, text, known):
                    key = (found.identifier, found.digits, place, field)
                    if key not in seen:
                        number = Number(found.digits)
                        seen[key] = Sighting(
                            head, found.identifier, number, place, field, form, found.spelling, head.certainty, own
                        )
        return seen

    def _suspect(self, text: bytes) -> bool:
        for _, reader in self._readers:  # noqa: SIM110 - a generator for every text of a head costs more than the search
            if reader.suspect(text):
                return True
        return False

    def _found(
        self, place: Place, field: bytes, text: bytes, known: Identifier | None
    ) -> Iterator[tuple[Form, Found, bool]]:
        nothing = True
        for form, reader in self._readers:
            for found in reader.read(text, known or hint(field)):
                nothing = False
                yield form, found, found.identifier is not Identifier.IMEI or self._from_gateway(place, field)
        if nothing and known and (stranger := foreign(text, known)):
            yield Form.PLAIN, stranger, False

    def _from_gateway(self, place: Place, field: bytes) -> bool:
        """Whether this IMEI may be the gateway's: an app sends its own by itself, in parameters above all."""
        return place in _FIELDS and hint(field) is Identifier.IMEI and field not in self._handset_fields
