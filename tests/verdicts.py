"""Sightings and verdicts made by hand, for tests of the judge and of what comes after it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from monitor.records import Certainty, Flow, RequestHead, Section
from monitor.verdicts import Form, Identifier, Number, Outcome, Place, Sighting, Verdict, Verdicts

SECOND = 10**9
NOON = 1_326_196_800 * SECOND  # 2012-01-10T12:00:00Z
TWELFTH = 1_326_369_600 * SECOND  # 2012-01-12T12:00:00Z


def sighting(host: str | None = "ageverify.example", dst: str = "198.51.100.10", **changes: Any) -> Sighting:
    """What ageverify's first grant agrees to, but for the changes."""
    flow = Flow(
        ip_address(changes.pop("src", "100.64.1.2")).packed,
        40001,
        ip_address(dst).packed,
        80,
        changes.pop("path", ()),
    )
    hosts = tuple((b"host", name.encode()) for name in ([host] if host else []) + changes.pop("more_hosts", []))
    head = RequestHead(
        time_ns=changes.pop("time_ns", TWELFTH),
        flow=flow,
        method=b"GET",
        target=changes.pop("target", b"/check"),
        version=b"HTTP/1.1",
        fields=hosts + changes.pop("lines", ()),
        section=Section.TRAILER if changes.get("place") is Place.TRAILER else Section.HEAD,
    )
    sound = Sighting(
        head=head,
        identifier=Identifier.MSISDN,
        number=Number(changes.pop("number", "447700900123")),
        place=Place.HEADER,
        field=b"x-msisdn",
        form=Form.PLAIN,
        spelling="e164",
        certainty=Certainty.CONFIRMED,
        own=True,
    )
    return sound._replace(**changes)


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
    seen = sighting(
        "shop.example", "203.0.113.9", target=b"/", lines=((field, number.encode()),), number=number, time_ns=time_ns,
        field=field, form=form, place=place, certainty=certainty,
    )  # fmt: skip
    return Verdict(seen, outcome, recipient, partner, purpose, access, brand)


def one(verdict: Verdict, token: str) -> Verdicts:
    """As a sink is fed."""
    return Verdicts([(verdict, token)])
