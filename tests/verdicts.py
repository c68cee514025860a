"""Verdicts made by hand, for tests of what comes after the judge."""

from __future__ import annotations

from monitor.records import (
    Certainty,
    Flow,
    Form,
    Identifier,
    Number,
    Outcome,
    Place,
    RequestHead,
    Sighting,
    Verdict,
)  # fmt: skip

SECOND = 10**9
NOON = 1_326_196_800 * SECOND  # 2012-01-10T12:00:00Z


def verdict(
    outcome: Outcome = Outcome.UNKNOWN_RECIPIENT,
    *,
    recipient: str = "shop.example",
    field: bytes = b"x-msisdn",
    number: str = "447700900123",
    time_ns: int = NOON,
    partner: str = "none",
    purpose: str = "none",
    access: str = "3g",
    brand: str = "o2",
    certainty: Certainty = Certainty.CONFIRMED,
    place: Place = Place.HEADER,
    form: Form = Form.PLAIN,
) -> Verdict:
    flow = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
    head = RequestHead(time_ns, flow, b"GET", b"/", b"HTTP/1.1", ((b"host", b"shop.example"), (field, number.encode())))
    sighting = Sighting(head, Identifier.MSISDN, Number(number), place, field, form, "e164", certainty, True)
    return Verdict(sighting, outcome, recipient, partner, purpose, access, brand)
