"""The single values of rules/: one string in, one typed value out, or a ValueError that says what to write instead.

Each type carries its part of the JSON Schema. There a value that looks like a number is one, for editors read YAML as
YAML does; only our own reader leaves every scalar a string.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from monitor.agreements.document import quoted
from monitor.recipient import host_name, is_host_name
from monitor.records import Form, Identifier, Number, Outcome, Place

T = TypeVar("T")
RESERVED = ("none", "unknown", "other")  # label values of the metrics that mean what they say
ID = r"^(?=.*[a-z])[a-z0-9][a-z0-9_-]{0,63}$"  # not digits alone: a number must not become a label
SECONDS = {"m": 60, "h": 3600, "d": 86400}


def unlike(word: str, choices: Iterable[str], what: str) -> ValueError:
    """`word` is none of `choices`: which one was meant, or which ones there are."""
    known = list(choices)
    near = difflib.get_close_matches(word, known, 1)
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


def _scalar(parse: Callable[..., T], *, in_context: bool = False) -> PlainValidator:
    """Refuses lists and mappings; `parse` gets the text, and the validation context if it asks for it."""

    def check(value: Any, info: ValidationInfo) -> T:
        if not isinstance(value, str):
            raise ValueError("one value is expected here, not a list or a mapping; write it behind the colon")
        return parse(value, info.context) if in_context else parse(value)

    return PlainValidator(check)


def _schema(pattern: str | None = None, kind: str | list[str] = "string") -> WithJsonSchema:
    return WithJsonSchema({"type": kind} | ({"pattern": pattern} if pattern else {}))


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a text")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(ID, text):
        raise ValueError(f"{quoted(text)} is no short name; write lower-case letters, digits, `-` and `_`, at most 64")
    if text in RESERVED:
        raise ValueError(f"{quoted(text)} has a meaning of its own in the metrics; choose another name")
    return text


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
    return normal_field(text)


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


def _listed(kind: type[StrEnum], what: str) -> tuple[PlainValidator, WithJsonSchema]:
    """One word of a closed list."""

    def parse(text: str) -> StrEnum:
        if text not in list(kind):
            raise unlike(text, kind, what)
        return kind(text)

    return _scalar(parse), WithJsonSchema({"type": "string", "enum": list(kind)})


def _named(key: str, what: str) -> PlainValidator:
    """A name that network.yaml lists under `key`; not checked while network.yaml itself is at fault."""

    def parse(text: str, network: object) -> str:
        names = text if network is None else getattr(network, key)
        if text not in names:
            raise unlike(text, names, f"{what} of network.yaml")
        return text

    return _scalar(parse, in_context=True)


MINUTE = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?$"
DIGITS = ["string", "integer"]
Text = Annotated[str, _scalar(_text), _schema(kind=["string", "number"])]
Id = Annotated[str, _scalar(_id), _schema(ID)]
Boolean = Annotated[bool, _scalar(_boolean), _schema(kind="boolean")]
Amount = Annotated[int, _scalar(_amount), _schema(kind="integer")]
Seconds = Annotated[int, _scalar(_span), _schema(r"^[1-9][0-9]{0,5}[mhd]$")]
FirstMinute = Annotated[datetime, _scalar(lambda text: _minute(text, "00:00")), _schema(MINUTE)]
LastMinute = Annotated[datetime, _scalar(lambda text: _minute(text, "23:59")), _schema(MINUTE)]
Zone = Annotated[ZoneInfo, _scalar(_zone), _schema()]

IPNetwork = Annotated[IPv4Network | IPv6Network, _scalar(_network), _schema()]
IPAddress = Annotated[IPv4Address | IPv6Address, _scalar(_address), _schema()]
Host = Annotated[str, _scalar(_host), _schema(r"^(\*\.)?[^*/ ]+$")]
Path = Annotated[str, _scalar(_path), _schema(r"^/[^?#*]*$")]
FieldName = Annotated[str, _scalar(_field), _schema(r"^[^: ]+$")]

Range = Annotated[NumberRange, _scalar(_range), _schema(r"^\d{7,15}-\d{7,15}$")]
RangeOrNetwork = Annotated[NumberRange | IPv4Network | IPv6Network, _scalar(_range_or_network), _schema()]
Digits = Annotated[Number, _scalar(_number), _schema(kind=DIGITS)]
CountryCode = Annotated[str, _scalar(_digits(1, 3, "country code")), _schema(kind=DIGITS)]
DiallingPrefix = Annotated[str, _scalar(_digits(1, 4, "dialling prefix")), _schema(kind=DIGITS)]
ImsiPrefix = Annotated[str, _scalar(_digits(5, 8, "IMSI prefix")), _schema(kind=DIGITS)]

AnIdentifier = Annotated[Identifier, *_listed(Identifier, "identifier")]
AForm = Annotated[Form, *_listed(Form, "form")]
APlace = Annotated[Place, *_listed(Place, "place")]
AnOutcome = Annotated[Outcome, *_listed(Outcome, "outcome")]
ATunnel = Annotated[Tunnel, *_listed(Tunnel, "tunnel")]
AForeign = Annotated[Foreign, *_listed(Foreign, "way to treat foreign numbers")]
AJurisdiction = Annotated[Jurisdiction, *_listed(Jurisdiction, "jurisdiction")]
PurposeId = Annotated[str, _named("purposes", "purpose"), _schema()]
AccessId = Annotated[str, _named("access", "access network"), _schema()]
BrandId = Annotated[str, _named("brands", "brand"), _schema()]
