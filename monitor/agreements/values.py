"""The single values of rules/: one string in, one typed value out, or a ValueError that says what to write instead.

Each kind carries its part of the JSON Schema. There a value that looks like a number is one, for editors read YAML as
YAML does; only our own reader leaves every scalar a string.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from zoneinfo import ZoneInfo

from monitor.field import normalise
from monitor.recipient import host_name, is_host_name
from monitor.verdicts import Form, Identifier, Number, Outcome, Place
from monitor.written.document import quoted
from monitor.written.language import Named, Scalar
from monitor.written.scalars import listed, no_number, unlike

RESERVED = ("none", "unknown", "other")  # label values of the metrics that mean what they say
SHORT_NAME = r"^(?=.*[a-z])[a-z0-9][a-z0-9_-]{0,63}$"


class NumberRange(NamedTuple):
    """First and last number, E.164 digits of equal length."""

    first: str
    last: str


class Tunnel(StrEnum):
    """What lies between handset and gateway in the networks that we know; the names are those of Flow.path."""

    GTPU = "gtpu"  # 3GPP TS 29.281
    L2TP = "l2tp"
    PPPOE = "pppoe"
    GRE = "gre"


class Rat(StrEnum):
    """How a handset is attached: the RAT-Type of TS 29.061 section 16.4.7.2."""

    UTRAN = "utran"
    GERAN = "geran"
    WLAN = "wlan"
    GAN = "gan"
    HSPA = "hspa"
    EUTRAN = "eutran"
    VIRTUAL = "virtual"
    NB_IOT = "nb-iot"
    LTE_M = "lte-m"
    NR = "nr"


class Foreign(StrEnum):
    COUNT = "count"
    JUDGE = "judge"


class Jurisdiction(StrEnum):
    UK = "UK"
    EU = "EU"


def _id(text: str) -> str:
    if not re.fullmatch(SHORT_NAME, text):
        raise ValueError(f"{quoted(text)} is no short name; write lower-case letters, digits, `-` and `_`, at most 64")
    if text in RESERVED:
        raise ValueError(f"{quoted(text)} has a meaning of its own in the metrics; choose another name")
    return no_number(text)


def _minute(text: str, of_a_day: str) -> datetime:
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}))?", text)
    try:
        return datetime.fromisoformat(f"{found[1]} {found[2] or of_a_day}")  # type: ignore[index]
    except (TypeError, ValueError):
        raise ValueError(
            f"{quoted(text)} is no date; write year-month-day, and a time of day if it matters: `2012-01-25 14:00`"
        ) from None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{quoted(text)} is no network; write address/length, such as `203.0.113.0/24`") from None
    if network.network_address != ip_address(text.partition("/")[0]):
        raise ValueError(f"{quoted(text)} is an address inside a network; write the network, `{network}`")
    return network


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is no IP address; write one such as `203.0.113.9`") from None


def _host(text: str) -> str:
    name = text.removeprefix("*.")
    if "/" in name:
        raise ValueError(f"{quoted(text)} is the address of a page; write the host alone, and the path under `paths`")
    if "*" in name:
        raise ValueError(f"{quoted(text)}: a wildcard is `*.` in front and nothing else; write `*.partner.example`")
    if ":" in name:
        try:
            return str(ip_address(name.strip("[]")))
        except ValueError:
            raise ValueError(f"{quoted(text)} has a port; write the host alone, all ports are agreed") from None
    normal = host_name(name.encode())
    if not is_host_name(normal) or not re.search("[a-z0-9]", normal):
        raise ValueError(f"{quoted(text)} is no host name; write one such as `partner.example`")
    return text[: len(text) - len(name)] + normal


def _path(text: str) -> str:
    if not text.startswith("/") or set(text) & set("?#*"):
        raise ValueError(
            f"{quoted(text)} is no path; write how paths begin, such as `/check`, without `?`, `#` and `*`"
        )
    return text


def _field(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):  # RFC 9110 section 5.6.2
        raise ValueError(f"{quoted(text)} is no header name; write it without colon and spaces, such as `x-msisdn`")
    return no_number(normalise(text.encode()).decode())


# Numbers are not repeated in a message: a rule file may hold a subscriber's.


def _range(text: str) -> NumberRange:
    found = re.fullmatch(r"(\d{7,15})-(\d{7,15})", text)
    if found is None or len(found[1]) != len(found[2]) or found[1] > found[2]:
        raise ValueError(
            "is no range of numbers; write first-last, equally long, with the country code but without `+`"
        )
    return NumberRange(found[1], found[2])


def _range_or_network(text: str) -> NumberRange | IPv4Network | IPv6Network:
    return _network(text) if set(text) & set("/.:") else _range(text)


def _number(text: str) -> Number:
    if not re.fullmatch(r"\d{7,15}", text):
        raise ValueError("is no number; write 7 to 15 digits, a phone number with the country code but without `+`")
    return Number(text)


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise ValueError(f"{quoted(text)} is no UDP port; write 1 to 65535, such as 1813")
    return int(text)


def _apn(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?", text.lower()):  # TS 23.003 section 9.1
        raise ValueError(f"{quoted(text)} is no APN; write its network identifier, such as `wap.operator.example`")
    return text.lower()


def _digits(fewest: int, most: int, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(rf"\d{{{fewest},{most}}}", text):
            raise ValueError(f"{quoted(text)} is no {what}; write {fewest} to {most} digits")
        return text

    return parse


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{quoted(text)} is no time zone known here; write one such as `Europe/London`") from None


def _named(key: str, what: str) -> Named:
    """A name that network.yaml lists under `key`; not checked while network.yaml itself is at fault."""
    return Named(key, lambda name, names: unlike(name, names, f"{what} of network.yaml"))


MINUTE = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?$"
DIGITS = ["string", "integer"]
ID = Scalar(_id, pattern=SHORT_NAME)
FIRST_MINUTE = Scalar(lambda text: _minute(text, "00:00"), pattern=MINUTE)
LAST_MINUTE = Scalar(lambda text: _minute(text, "23:59"), pattern=MINUTE)
ZONE = Scalar(_zone)

NETWORK = Scalar(_network)
ADDRESS = Scalar(_address)
HOST = Scalar(_host, pattern=r"^(\*\.)?[^*/ ]+$")
PATH = Scalar(_path, pattern=r"^/[^?#*]*$")
FIELD = Scalar(_field, pattern=r"^[^: ]+$")

PORT = Scalar(_port, "integer")
APN = Scalar(_apn)
RANGE = Scalar(_range, pattern=r"^\d{7,15}-\d{7,15}$")
RANGE_OR_NETWORK = Scalar(_range_or_network)
NUMBER = Scalar(_number, DIGITS)
COUNTRY_CODE = Scalar(_digits(1, 3, "country code"), DIGITS)
DIALLING_PREFIX = Scalar(_digits(1, 4, "dialling prefix"), DIGITS)
IMSI_PREFIX = Scalar(_digits(5, 8, "IMSI prefix"), DIGITS)

IDENTIFIER = listed(Identifier, "identifier")
FORM = listed(Form, "form")
PLACE = listed(Place, "place")
OUTCOME = listed(Outcome, "outcome")
TUNNEL = listed(Tunnel, "tunnel")
RAT = listed(Rat, "radio access type")
FOREIGN = listed(Foreign, "way to treat foreign numbers")
JURISDICTION = listed(Jurisdiction, "jurisdiction")
PURPOSE_ID = _named("purposes", "purpose")
ACCESS_ID = _named("access", "access network")
BRAND_ID = _named("brands", "brand")
