"""The language of rules/: what network.yaml and a partner's file may say, and in which words.

The descriptions are for whoever writes the files: they stand in rules/schema.json, so an editor shows them, and in the
message about a key that is missing. Names of purposes, access networks and brands are looked up in the validation
context, the Network.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from monitor.agreements import values as v
from monitor.agreements.values import Foreign, Jurisdiction
from monitor.records import Form, Identifier, Place

NOTIFICATION_HOURS = {Jurisdiction.UK: 72, Jurisdiction.EU: 24}  # UK since 20 August 2025; Regulation (EU) 611/2013


def _said(description: str, **more: Any) -> Any:
    return Field(description=description, **more)


def _any(description: str) -> Any:
    """A condition that does not restrict when it is left out."""
    return Field(default=(), min_length=1, description=f"{description}; any, if left out")


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Request(Model):
    """A request of a test; what it does not say is taken from usual_request."""

    host: v.Text | None = _said("what the request calls its host; its address, if left out", default=None)
    address: v.IPAddress | None = _said("where the packet goes", default=None)
    path: v.Text = _said("target of the request", default="/")
    field: v.FieldName = _said("header, cookie or parameter that holds the number", default="x-msisdn")
    place: v.APlace = _said("where in the request the number stands", default=Place.HEADER)
    identifier: v.AnIdentifier = _said("what kind of number it is", default=Identifier.MSISDN)
    form: v.AForm = _said("how readable it is", default=Form.PLAIN)
    number: v.Digits | None = _said("the number; the first own one, if left out", default=None)
    client: v.IPAddress | None = _said("address of the handset", default=None)
    access: v.AccessId | None = _said("access network of the handset, instead of its address", default=None)
    tunnel: v.ATunnel | None = _said("seen inside this tunnel", default=None)
    at: v.FirstMinute | None = _said("day, or day and time", default=None)


class Case(Model):
    """A request, and what the agreements must say of it."""

    case: v.Text = _said("what is tried, in words")
    request: Request = _said("the request")
    expect: v.AnOutcome = _said("the outcome that the agreements must give")


USUAL_REQUEST = _said("what the requests of the tests have in common", default=None)
TESTS = _said("what `msisdn-monitor check` tries out", default=())


class Purpose(Model):
    title: v.Text = _said("the purpose in one sentence, for customers and the regulator")
    needs: v.AForm | None = _said("the most readable form that the purpose needs", default=None)


class Network(Model):
    """network.yaml: the operator itself."""

    operator: v.Text = _said("name of the operator")
    country: v.CountryCode = _said("E.164 country code, such as 44")
    trunk_prefix: v.DiallingPrefix | None = _said("digits before a national number, such as 0", default=None)
    international_prefix: v.DiallingPrefix = _said("digits dialled before a country code", default="00")
    msisdn_ranges: tuple[v.Range, ...] = _said("own subscriber numbers, first-last", min_length=1)
    imsi_prefixes: tuple[v.ImsiPrefix, ...] = _said(
        "country and network code of own SIM cards", default=(), min_length=1
    )
    own_fields: tuple[v.FieldName, ...] = _said("header names that this operator invented", default=(), min_length=1)
    foreign: v.AForeign = _said("other operators' numbers: only count them, or judge them too", default=Foreign.COUNT)
    access: dict[v.Id, tuple[v.IPNetwork, ...]] = _said("access networks and the addresses that their handsets have")
    roaming: tuple[v.IPNetwork, ...] = _said("addresses of own subscribers abroad", default=(), min_length=1)
    brands: dict[v.Id, tuple[v.RangeOrNetwork, ...]] = _said(
        "brands and their ranges of numbers, or networks of their handsets", default_factory=dict
    )
    tunnels_before_gateway: tuple[v.ATunnel, ...] = _said(
        "tunnels between handset and gateway; a number seen inside one was sent by the handset",
        default=(),
        min_length=1,
    )
    purposes: dict[v.Id, Purpose] = _said("everything that a number may be used for", min_length=1)
    opt_out_list: v.Text | None = _said("file with the numbers or tokens of those who opted out", default=None)
    jurisdiction: v.AJurisdiction = _said("whose law says how soon the regulator must know: UK 72 hours, EU 24 hours")
    time_zone: v.Zone = _said("of every date in the rules, such as Europe/London")
    usual_request: Request | None = USUAL_REQUEST
    tests: tuple[Case, ...] = TESTS

    @field_validator("access", "brands")
    @classmethod
    def _one_name_each(cls, named: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        """Networks may nest, the narrowest decides; ranges of numbers may not."""
        items = [(item, name) for name, some in named.items() for item in some]
        ranges = sorted((len(item.first), *item, name) for item, name in items if isinstance(item, v.NumberRange))
        owners: dict[Any, str] = {}
        clashes = [(owner, name) for item, name in items if (owner := owners.setdefault(item, name)) != name]
        clashes += [(a[3], b[3]) for a, b in pairwise(ranges) if a[0] == b[0] and a[2] >= b[1]]
        if clashes:
            raise ValueError("`{}` and `{}` claim the same; leave it to one of them".format(*clashes[0]))
        return named

    @property
    def notification_hours(self) -> int:
        return NOTIFICATION_HOURS[self.jurisdiction]


class Grant(Model):
    """One purpose: who may get what, in which form, from whose handsets and until when."""

    purpose: v.PurposeId = _said("what the number is for, one of network.yaml's purposes")
    hosts: tuple[v.Host, ...] = _said("host names that may get the number; `*.` in front for all below", min_length=1)
    networks: tuple[v.IPNetwork, ...] = _any("where the packet must really go")
    paths: tuple[v.Path, ...] = _any("how the path begins, in whole steps")
    identifiers: tuple[v.AnIdentifier, ...] = _said("msisdn, imsi or imei", min_length=1)
    fields: tuple[v.FieldName, ...] = _said("header names; `-` and `_` are the same, case does not count", min_length=1)
    form: v.AForm = _said("how readable the number may be; harder to read is always agreed")
    access: tuple[v.AccessId, ...] = _any("of network.yaml's access networks")
    brands: tuple[v.BrandId, ...] = _any("of network.yaml's brands")
    roaming: v.Boolean = _said("false: not while the customer is abroad", default=True)
    valid_from: v.FirstMinute | None = _said("first day or minute, in network.yaml's time zone", default=None)
    valid_until: v.LastMinute | None = _said("last day or minute, inclusive", default=None)
    max_subscribers_per_day: v.Amount | None = _said("more is `over_volume`", default=None)
    expect_every: v.Seconds | None = _said("a longer silence is `missing_expected`", default=None)

    @field_validator("valid_until")
    @classmethod
    def _ends_after_it_begins(cls, until: Any, info: ValidationInfo) -> Any:
        begins = info.data.get("valid_from")
        if until is not None and begins is not None and until < begins:
            raise ValueError("ends before valid_from; swap the two or mend the year")
        return until


class Partner(Model):
    """A partner's file."""

    partner: v.Id = _said("short name in tables, metrics and alerts")
    name: v.Text = _said("full name")
    contract: v.Text = _said("number of the contract, for the audit trail")
    contact: v.Text = _said("whom to ask about this agreement")
    grants: tuple[Grant, ...] = _said("what is agreed, one entry for each purpose or condition", min_length=1)
    usual_request: Request | None = USUAL_REQUEST
    tests: tuple[Case, ...] = TESTS
