"""RequestHead and Holder in, further Sightings out: the holder's own number in fields where nothing could be read.

A value counts only if it is a coding of the very number that holds the address. What `identify` read stays as it is;
what it could only see to be sealed has a name now.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.identify.places import Text, is_said, of_field, of_target, parts
from monitor.records import RequestHead, Section
from monitor.subscribers.codings import found_in
from monitor.verdicts import Holder, NumberPlan, Place, Sighting


def confirm(head: RequestHead, holder: Holder, plan: NumberPlan, known: Sequence[Sighting]) -> list[Sighting]:
    """`known`, and one more for each place and field that it has no digits of; such a one takes the place of a value
    that was only seen to be sealed."""
    read = {(sighting.place, sighting.field) for sighting in known if sighting.number.digits.isdigit()}
    found: dict[tuple[Place, bytes], Sighting] = {}
    for place, name, octets in _texts(head):
        for field, text in parts(place, name, octets):
            if (place, field) in read or (place, field) in found:
                continue
            if coding := found_in(text, holder, plan.country, plan.trunk_prefix):
                identifier, number, form, spelling = coding
                found[place, field] = Sighting(
                    head, identifier, number, place, field, form, spelling, head.certainty, True
                )
    return [sighting for sighting in known if (sighting.place, sighting.field) not in found] + list(found.values())


def _texts(head: RequestHead) -> list[Text]:
    section = head.section
    fields = [of_field(*field, section) for field in head.fields if not is_said(field, head)]
    return (of_target(head.target) if section is Section.HEAD else []) + fields
