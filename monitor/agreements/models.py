"""The language of rules/: what network.yaml and a partner's file may say, and in which words.

The descriptions are for whoever writes the files: they stand in rules/schema.json, so an editor shows them, and in the
message about a key that is missing. Names of purposes, access networks and brands are looked up in the context of the
reading, the Network.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from monitor.agreements import values as v
from monitor.agreements.prefixes import Network as IPNetwork
from monitor.agreements.values import Foreign, Jurisdiction, NumberRange, Rat, Tunnel
from monitor.verdicts import Form, Identifier, Number, Outcome, Place
from monitor.written.document import quoted
from monitor.written.language import ByName, Entry, Kind, Model, Some, key
from monitor.written.scalars import AMOUNT, BOOLEAN, SPAN, TEXT

NOTIFICATION_HOURS = {Jurisdiction.UK: 72, Jurisdiction.EU: 24}  # UK since 20 August 2025; Regulation (EU) 611/2013


def _any(kind: Kind, purpose: str) -> Any:
    """A condition that does not restrict when it is left out."""
    return key(Some(kind), f"{purpose}; any, if left out", default=())


def _one_name_each(named: Mapping[str, tuple[Any, ...]]) -> str | None:
    """Networks may nest, the narrowest decides; ranges of numbers may not."""
    items = [(item, name) for name, some in named.items() for item in some]
    ranges = sorted((len(item.first), *item, name) for item, name in items if isinstance(item, NumberRange))
    owners: dict[Any, str] = {}
    clashes = [(owner, name) for item, name in items if (owner := owners.setdefault(item, name)) != name]
    clashes += [(a[3], b[3]) for a, b in pairwise(ranges) if a[0] == b[0] and a[2] >= b[1]]
    return "`{}` and `{}` claim the same; leave it to one of them".format(*clashes[0]) if clashes else None


class Request(Model):
    """A request of a test; what it does not say is taken from usual_request."""

    host: str | None = key(TEXT, "what the request calls its host; its address, if left out", default=None)
    address: IPv4Address | IPv6Address | None = key(v.ADDRESS, "where the packet goes", default=None)
    path: str | None = key(TEXT, "target of the request; `/`, if left out", default=None)
    field: str | None = key(
        v.FIELD, "header, cookie or parameter that holds the number; x-msisdn, if left out", default=None
    )
    place: Place | None = key(v.PLACE, "where in the request the number stands; header, if left out", default=None)
    identifier: Identifier | None = key(v.IDENTIFIER, "what kind of number; msisdn, if left out", default=None)
    form: Form | None = key(v.FORM, "how readable it is; plain, if left out", default=None)
    number: Number | None = key(v.NUMBER, "the number; the first own one, if left out", default=None)
    client: IPv4Address | IPv6Address | None = key(v.ADDRESS, "address of the handset", default=None)
    access: str | None = key(v.ACCESS_ID, "access network of the handset, instead of its address", default=None)
    holder: Number | None = key(v.NUMBER, "phone number of who holds that address, where a feed tells", default=None)
    tunnel: Tunnel | None = key(v.TUNNEL, "seen inside this tunnel", default=None)
    at: datetime | None = key(v.FIRST_MINUTE, "day, or day and time", default=None)


class Case(Model):
    """A request, and what the agreements must say of it."""

    case: str = key(TEXT, "what is tried, in words")
    request: Request = key(Entry(Request), "the request")
    expect: Outcome = key(v.OUTCOME, "the outcome that the agreements must give")


USUAL_REQUEST = key(Entry(Request), "what the requests of the tests have in common", default=None)
TESTS = key(Some(Entry(Case), fewest=0), "what `msisdn-monitor check` tries out", default=())


class Purpose(Model):
    """What a number may be used for."""

    title: str = key(TEXT, "the purpose in one sentence, for customers and the regulator")
    needs: Form | None = key(v.FORM, "the most readable form that the purpose needs", default=None)


class SubscriberFeed(Model):
    """Who holds which address: RADIUS accounting on the mirrored traffic, a file, or both."""

    radius_ports: tuple[int, ...] = key(Some(v.PORT), "UDP ports of RADIUS accounting in the mirror", default=())
    radius_from: tuple[IPNetwork, ...] = key(Some(v.NETWORK), "the gateways that are believed", default=())
    radius_secret: str | None = key(TEXT, "file with the shared secret, to know forged messages", default=None)
    file: str | None = key(TEXT, "file of sessions, .csv or .json", default=None)
    rat_types: dict[str, tuple[Rat, ...]] = key(
        ByName(v.ID, Some(v.RAT), check=_one_name_each), "access networks and their radio access types", default={}
    )
    apns: dict[str, tuple[str, ...]] = key(
        ByName(v.ID, Some(v.APN), check=_one_name_each), "access networks by APN; an APN says more than a radio type",
        default={},
    )  # fmt: skip
    brand_apns: dict[str, tuple[str, ...]] = key(
        ByName(v.ID, Some(v.APN), check=_one_name_each), "brands by APN", default={}
    )
    longest_session: int = key(SPAN, "nobody is believed to hold an address for longer unheard of", default=86_400)
    silence: int = key(SPAN, "a feed silent for longer than this is believed no more", default=600)

    @classmethod
    def clash(cls, said: Mapping[str, Any]) -> tuple[str, str] | None:
        if said.get("radius_ports") and not said.get("radius_from"):
            return "radius_ports", "anybody could tell; add `radius_from` with the networks of your gateways"
        if not said.get("radius_ports") and not said.get("file"):
            return "radius_ports", "is missing, and so is `file`; name at least one of them"
        return None


class Network(Model):
    """network.yaml: the operator itself."""

    operator: str = key(TEXT, "name of the operator")
    country: str = key(v.COUNTRY_CODE, "E.164 country code, such as 44")
    trunk_prefix: str | None = key(v.DIALLING_PREFIX, "digits before a national number, such as 0", default=None)
    international_prefix: str = key(v.DIALLING_PREFIX, "digits dialled before a country code", default="00")
    msisdn_ranges: tuple[NumberRange, ...] = key(Some(v.RANGE), "own subscriber numbers, first-last")
    imsi_prefixes: tuple[str, ...] = key(Some(v.IMSI_PREFIX), "country and network code of own SIM cards", default=())
    own_fields: tuple[str, ...] = key(Some(v.FIELD), "header names that this operator invented", default=())
    foreign: Foreign = key(
        v.FOREIGN, "other operators' numbers: only count them, or judge them too", default=Foreign.COUNT
    )
    access: dict[str, tuple[IPNetwork, ...]] = key(
        ByName(v.ID, Some(v.NETWORK, fewest=0), check=_one_name_each),
        "access networks and the addresses that their handsets have",
    )
    roaming: tuple[IPNetwork, ...] = key(Some(v.NETWORK), "addresses of own subscribers abroad", default=())
    brands: dict[str, tuple[NumberRange | IPNetwork, ...]] = key(
        ByName(v.ID, Some(v.RANGE_OR_NETWORK, fewest=0), check=_one_name_each),
        "brands and their ranges of numbers, or networks of their handsets",
        default={},
    )
    tunnels_before_gateway: tuple[Tunnel, ...] = key(
        Some(v.TUNNEL),
        "tunnels between handset and gateway; a number seen inside one was sent by the handset",
        default=(),
    )
    purposes: dict[str, Purpose] = key(
        ByName(v.ID, Entry(Purpose), fewest=1), "everything that a number may be used for"
    )
    subscriber_feed: SubscriberFeed | None = key(
        Entry(SubscriberFeed), "who holds which address, where somebody tells", default=None
    )
    opt_out_list: str | None = key(TEXT, "file with the numbers or tokens of those who opted out", default=None)
    hash_table: str | None = key(
        TEXT, "file of `msisdn-monitor hashes` that turns unkeyed hashes back into numbers", default=None
    )
    public_contact: str | None = key(TEXT, "whom customers ask, on the page that `publish` writes", default=None)
    jurisdiction: Jurisdiction = key(
        v.JURISDICTION, "whose law says how soon the regulator must know: UK 72 hours, EU 24 hours"
    )
    time_zone: ZoneInfo = key(v.ZONE, "of every date in the rules, such as Europe/London")
    usual_request: Request | None = USUAL_REQUEST
    tests: tuple[Case, ...] = TESTS

    @classmethod
    def clash(cls, said: Mapping[str, Any]) -> tuple[str, str] | None:
        feed = said.get("subscriber_feed")
        if feed is None:
            return None
        for listed, named in (("rat_types", "access"), ("apns", "access"), ("brand_apns", "brands")):
            for name in getattr(feed, listed):
                if name not in said.get(named, {}):
                    return "subscriber_feed", f"`{listed}` names {quoted(name)}, which is not under `{named}`; add it"
        return None

    @property
    def notification_hours(self) -> int:
        return NOTIFICATION_HOURS[self.jurisdiction]


class Grant(Model):
    """One purpose: who may get what, in which form, from whose handsets and until when."""

    purpose: str = key(v.PURPOSE_ID, "what the number is for, one of network.yaml's purposes")
    hosts: tuple[str, ...] = key(Some(v.HOST), "host names that may get the number; `*.` in front for all below")
    networks: tuple[IPNetwork, ...] = _any(v.NETWORK, "where the packet must really go")
    paths: tuple[str, ...] = _any(v.PATH, "how the path begins, in whole steps")
    identifiers: tuple[Identifier, ...] = key(Some(v.IDENTIFIER), "msisdn, imsi or imei")
    fields: tuple[str, ...] = key(Some(v.FIELD), "header names; `-` and `_` are the same, case does not count")
    form: Form = key(v.FORM, "how readable the number may be; harder to read is always agreed")
    access: tuple[str, ...] = _any(v.ACCESS_ID, "of network.yaml's access networks")
    brands: tuple[str, ...] = _any(v.BRAND_ID, "of network.yaml's brands")
    roaming: bool = key(BOOLEAN, "false: not while the customer is abroad", default=True)
    valid_from: datetime | None = key(v.FIRST_MINUTE, "first day or minute, in network.yaml's time zone", default=None)
    valid_until: datetime | None = key(v.LAST_MINUTE, "last day or minute, inclusive", default=None)
    max_subscribers_per_day: int | None = key(AMOUNT, "more is `over_volume`", default=None)
    expect_every: int | None = key(SPAN, "a longer silence is `missing_expected`", default=None)  # seconds

    @classmethod
    def clash(cls, values: Mapping[str, Any]) -> tuple[str, str] | None:
        begins, ends = values.get("valid_from"), values.get("valid_until")
        if begins is not None and ends is not None and ends < begins:
            return "valid_until", "ends before valid_from; swap the two or mend the year"
        return None


class Partner(Model):
    """A partner's file."""

    partner: str = key(v.ID, "short name in tables, metrics and alerts")
    name: str = key(TEXT, "full name")
    contract: str = key(TEXT, "number of the contract, for the audit trail")
    contact: str = key(TEXT, "whom to ask about this agreement")
    grants: tuple[Grant, ...] = key(Some(Entry(Grant)), "what is agreed, one entry for each purpose or condition")
    usual_request: Request | None = USUAL_REQUEST
    tests: tuple[Case, ...] = TESTS
