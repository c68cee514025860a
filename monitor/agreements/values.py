"""The single values of rules/: one string in, one typed value out, or a ValueError that says what to write instead.

Each kind carries its part of the JSON Schema. There a value that looks like a number is one, for editors read YAML as
YAML does; only our own reader leaves every scalar a string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from zoneinfo import ZoneInfo

from monitor.agreements.document import quoted
from monitor.agreements.language import Named, Scalar
from monitor.recipient import host_name, is_host_name
from monitor.records import Form, Identifier, Number, Outcome, Place
from monitor.redact import mask_text

RESERVED = ("none", "unknown", "other")  # label values of the metrics that mean what they say
SHORT_NAME = r"^(?=.*[a-z])[a-z0-9][a-z0-9_-]{0,63}$"
SECONDS = {"m": 60, "h": 3600, "d": 86400}


def unlike(word: str, choices: Iterable[str], what: str) -> ValueError:
    """`word` is none of `choices`: which one was meant, or which ones there are."""
    from difflib import get_close_matches  # late: only for who wrote the wrong word

    known = list(choices)
    near = get_close_matches(word, known, 1)
    remedy = f"did you mean {quoted(near[0])}?" if near else f"write one of {', '.join(known[:12])}"
    return ValueError(f"{quoted(word)} is no {what}; {remedy}")


def normal_field(name: str) -> str:
    """The one spelling of a header name, as in identify: a CGI server takes `HTTP_X_MSISDN` and `x-msisdn` for one."""
    return name.lower().replace("_", "-").removeprefix("http-")


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


class Foreign(StrEnum):
    COUNT = "count"
    JUDGE = "judge"


class Jurisdiction(StrEnum):
    UK = "UK"
    EU = "EU"


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a text")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(SHORT_NAME, text):
        raise ValueError(f"{quoted(text)} is no short name; write lower-case letters, digits, `-` and `_`, at most 64")
    if text in RESERVED:
        raise ValueError(f"{quoted(text)} has a meaning of its own in the metrics; choose another name")
    return _no_number(text)


def _no_number(name: str) -> str:
    """What is to be a label, where no number may stand."""
    if mask_text(name) != name:
        raise ValueError(f"{quoted(name)} may hold a phone number, and names are public; choose one with fewer digits")
    return name


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{quoted(text)} is neither `true` nor `false`; write one of them")
    return text == "true"


def _amount(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise ValueError(f"{quoted(text)} is no amount; write a whole number above 0, such as `50000`")
    return int(text)


def _span(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise ValueError(
            f"{quoted(text)} is no span of time; write a number and m, h or d, such as `30m`, `1h` or `1d`"
        )
    return int(found[1]) * SECONDS[found[2]]


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
    if not is_host_name(normal):
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
    return _no_number(normal_field(text))


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


def _listed(kind: type[StrEnum], what: str) -> Scalar:
    """One word of a closed list."""

    def parse(text: str) -> StrEnum:
        if text not in list(kind):
            raise unlike(text, kind, what)
        return kind(text)

    return Scalar(parse, enum=list(kind))


def _named(key: str, what: str) -> Named:
    """A name that network.yaml lists under `key`; not checked while network.yaml itself is at fault."""
    return Named(key, lambda name, names: unlike(name, names, f"{what} of network.yaml"))


MINUTE = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?$"
DIGITS = ["string", "integer"]
TEXT = Scalar(_text, ["string", "number"])
ID = Scalar(_id, pattern=SHORT_NAME)
BOOLEAN = Scalar(_boolean, "boolean")
AMOUNT = Scalar(_amount, "integer")
SPAN = Scalar(_span, pattern=r"^[1-9][0-9]{0,5}[mhd]$")
FIRST_MINUTE = Scalar(lambda text: _minute(text, "00:00"), pattern=MINUTE)
LAST_MINUTE = Scalar(lambda text: _minute(text, "23:59"), pattern=MINUTE)
ZONE = Scalar(_zone)

NETWORK = Scalar(_network)
ADDRESS = Scalar(_address)
HOST = Scalar(_host, pattern=r"^(\*\.)?[^*/ ]+$")
PATH = Scalar(_path, pattern=r"^/[^?#*]*$")
FIELD = Scalar(_field, pattern=r"^[^: ]+$")

RANGE = Scalar(_range, pattern=r"^\d{7,15}-\d{7,15}$")
RANGE_OR_NETWORK = Scalar(_range_or_network)
NUMBER = Scalar(_number, DIGITS)
COUNTRY_CODE = Scalar(_digits(1, 3, "country code"), DIGITS)
DIALLING_PREFIX = Scalar(_digits(1, 4, "dialling prefix"), DIGITS)
IMSI_PREFIX = Scalar(_digits(5, 8, "IMSI prefix"), DIGITS)

IDENTIFIER = _listed(Identifier, "identifier")
FORM = _listed(Form, "form")
PLACE = _listed(Place, "place")
OUTCOME = _listed(Outcome, "outcome")
TUNNEL = _listed(Tunnel, "tunnel")
FOREIGN = _listed(Foreign, "way to treat foreign numbers")
JURISDICTION = _listed(Jurisdiction, "jurisdiction")
PURPOSE_ID = _named("purposes", "purpose")
ACCESS_ID = _named("access", "access network")
BRAND_ID = _named("brands", "brand")
