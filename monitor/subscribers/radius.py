"""Message in, Report out: a RADIUS Accounting-Request (RFC 2866) with what 3GPP adds (TS 29.061 section 16.4.7).

Lenient in what operators vary (a number with `+`, an APN with its operator part), strict in structure: an attribute
whose length lies makes the whole message malformed, for what follows it cannot be told.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from monitor.subscribers.sessions import Report, Status

ACCOUNTING_REQUEST = 4
HEADER, AUTHENTICATOR = 20, slice(4, 20)
VENDOR_3GPP = (10415).to_bytes(4, "big")
STATUS = {1: Status.START, 2: Status.STOP, 3: Status.INTERIM, 7: Status.ON, 8: Status.OFF}  # RFC 2866 section 5.1
RAT_TYPES = {  # TS 29.061 section 16.4.7.2, sub-attribute 21; the values of TS 29.274 section 8.17
    1: "utran", 2: "geran", 3: "wlan", 4: "gan", 5: "hspa", 6: "eutran", 7: "virtual", 8: "nb-iot", 9: "lte-m",
    10: "nr",
}  # fmt: skip
VENDOR_SPECIFIC = 26
MOST_ATTRIBUTES = 112  # of one message, with those inside others: TS 29.061 section 16.4 knows some 90
LONGEST_APN = 100  # TS 23.003 section 9.1
_OPERATOR_PART = re.compile(r"\.mnc[0-9]{2,3}\.mcc[0-9]{3}(?:\.gprs)?$")  # TS 23.003 section 9.1.2
_APN = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_CALLING = re.compile(rb"(?:tel:)?(\+|00)?([0-9]{7,15})(?:[@;].*)?", re.IGNORECASE | re.DOTALL)
_IMSI = re.compile(rb"([0-9]{14,15})\x00?")
_NETWORK = re.compile(rb"([0-9]{5,6})\x00?")


class Attribute(IntEnum):
    """RFC 2865, 2866 and 3162."""

    NAS_IP_ADDRESS = 4
    FRAMED_IP_ADDRESS = 8
    CALLED_STATION_ID = 30
    CALLING_STATION_ID = 31
    NAS_IDENTIFIER = 32
    STATUS_TYPE = 40
    DELAY_TIME = 41
    SESSION_ID = 44
    NAS_IPV6_ADDRESS = 95
    FRAMED_IPV6_PREFIX = 97
    FRAMED_IPV6_ADDRESS = 168  # RFC 6911


class Sub(IntEnum):
    """Sub-attributes of 3GPP."""

    IMSI = 1
    SGSN_MCC_MNC = 18
    RAT_TYPE = 21


_ATTRIBUTES, _SUBS = frozenset(map(int, Attribute)), frozenset(map(int, Sub))


class Malformed(ValueError):
    """The message says nothing that can be believed."""


class Overfull(ValueError):
    """The message has more attributes than are looked at."""


class Numbering(NamedTuple):
    """How the operator writes its own numbers, as in NumberPlan."""

    country: str
    trunk_prefix: str


def authentic(octets: bytes, secret: bytes) -> bool:
    """Whether who wrote this knows the secret (RFC 2866 section 3, Request Authenticator)."""
    length = int.from_bytes(octets[2:4], "big")
    blank = octets[:4] + bytes(16) + octets[HEADER:length] + secret
    made = hashlib.md5(blank, usedforsecurity=False).digest()
    return hmac.compare_digest(made, octets[AUTHENTICATOR])


def report(octets: bytes, time_ns: int, numbering: Numbering) -> Report | None:
    """What the message says; None for one that is no Accounting-Request. Raises Malformed, Overfull."""
    if len(octets) < HEADER:
        raise Malformed
    if octets[0] != ACCOUNTING_REQUEST:
        return None
    said: dict[int, bytes] = {}
    third: dict[int, bytes] = {}
    _attributes(octets, HEADER, int.from_bytes(octets[2:4], "big"), said, third, iter(range(MOST_ATTRIBUTES)))
    status = STATUS.get(_number(said.get(Attribute.STATUS_TYPE)))
    if status is None:
        return None  # tunnels and what else is accounted
    nas = said.get(Attribute.NAS_IP_ADDRESS) or said.get(Attribute.NAS_IPV6_ADDRESS) or b""
    return Report(
        time_ns=time_ns,
        status=status,
        nas=nas or said.get(Attribute.NAS_IDENTIFIER, b""),
        session=said.get(Attribute.SESSION_ID, b""),
        addresses=tuple(_addresses(said)),
        msisdn=_msisdn(said.get(Attribute.CALLING_STATION_ID, b""), numbering),
        imsi=_digits(_IMSI, third.get(Sub.IMSI, b"")),
        apn=_apn(said.get(Attribute.CALLED_STATION_ID, b"")),
        rat=RAT_TYPES.get(_number(third.get(Sub.RAT_TYPE)), ""),
        network=_digits(_NETWORK, third.get(Sub.SGSN_MCC_MNC, b"")),
        delay_ns=max(0, _number(said.get(Attribute.DELAY_TIME))) * 10**9,
    )


def _attributes(
    octets: bytes, at: int, end: int, said: dict[int, bytes], third: dict[int, bytes] | None, room: Iterator[int]
) -> None:
    """The attributes in [at, end), of those asked for, each the first time that it stands there; 3GPP's apart.

    `room` yields once for each attribute that may still come, here and inside of others.
    """
    if not at <= end <= len(octets):
        raise Malformed
    last, asked = end - 2, _SUBS if third is None else _ATTRIBUTES
    if at <= last:
        for _ in room:
            kind, size = octets[at], octets[at + 1]
            if size < 2:
                raise Malformed
            if kind == VENDOR_SPECIFIC and third is not None:
                if size >= 6 and octets[at + 2 : at + 6] == VENDOR_3GPP:
                    _attributes(octets, at + 6, at + size, third, None, room)
            elif kind in asked and kind not in said:
                said[kind] = octets[at + 2 : at + size]
            at += size
            if at > last:
                break
        else:
            raise Overfull
    if at != end:
        raise Malformed


def _number(value: bytes | None) -> int:
    return -1 if value is None else int.from_bytes(value, "big")


def _addresses(said: dict[int, bytes]) -> list[bytes]:
    """IPv4 as 4 bytes, IPv6 as its /64: a handset chooses the rest itself (TS 23.060 section 9.2.1.1)."""
    found = []
    if address := said.get(Attribute.FRAMED_IP_ADDRESS):
        if len(address) != 4:
            raise Malformed
        if address not in (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe"):  # RFC 2865 section 5.8: not an address
            found.append(address)
    if prefix := said.get(Attribute.FRAMED_IPV6_PREFIX):
        if len(prefix) < 2 or prefix[1] > 128:
            raise Malformed
        if prefix[1] >= 64:
            found.append(prefix[2:10].ljust(8, b"\0"))
    elif address := said.get(Attribute.FRAMED_IPV6_ADDRESS):
        if len(address) != 16:
            raise Malformed
        found.append(address[:8])
    return found


def _msisdn(written: bytes, numbering: Numbering) -> str:
    """E.164 digits, or nothing where this is no number."""
    match = _CALLING.fullmatch(written.strip(b" \0"))
    if match is None:
        return ""
    international, digits = match[1], match[2].decode()
    trunk = numbering.trunk_prefix
    if not international and trunk and digits.startswith(trunk):
        digits = numbering.country + digits.removeprefix(trunk)
    return "" if digits.startswith("0") else digits


def _digits(pattern: re.Pattern[bytes], written: bytes) -> str:
    match = pattern.fullmatch(written)
    return match[1].decode() if match else ""


def _apn(written: bytes) -> str:
    """The network identifier in lower case, without the operator's part."""
    name = _OPERATOR_PART.sub("", written.rstrip(b"\0").decode("latin-1").lower())
    return name if len(name) <= LONGEST_APN and _APN.fullmatch(name) else ""
