"""Where the body of an HTTP/1 request ends (RFC 9112 section 6.3): fields in, lengths out.

One length where every receiver agrees. Where they do not, all lengths that a receiver may take, the RFC's first: the
caller reads the tail in each way.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.portable.request_head import FRAMING_FIELDS, FieldLines

CHUNKED = -1
ENDLESS = 1 << 63  # more than any integer of a receiver holds: the rest of the connection

MOST_MISREAD = 3  # lengths; there is no room for more ways than these and the first
MOST_DIGITS = 64  # of a length that is looked at as a number

_NUMBER = re.compile(rb"\d+")
_OCTAL = re.compile(rb"0[0-7]+")
_HEXADECIMAL = re.compile(rb"0[xX]([0-9A-Fa-f]{1,15})(?![0-9A-Fa-f])")  # C99 section 6.4.4.1
_PLAIN = re.compile(rb"\d{1,18}")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,%d})[ \t]*(?:;.*)?\r?" % MOST_DIGITS, re.DOTALL)
# C17 section 7.24.1.4 (strtoul), and int of Python
_ODD_SIZE = re.compile(
    rb"[ \t\v\f]*(?P<sign>\+?)(?P<prefix>0[xX](?=[0-9A-Fa-f]))?+"
    rb"(?P<digits>[0-9A-Fa-f]{1,8}(?:_[0-9A-Fa-f]{1,7}(?![0-9A-Fa-f]))?)(?![0-9A-Fa-f])"
)
EXTENT = frozenset((b"content_length", b"transfer_encoding"))  # to most receivers these are other fields
_LOOSE = frozenset(("space_before_colon", "leading_space", "fold", "cr", "nul", "control", "odd_name"))


class Lengths(NamedTuple):
    lengths: tuple[int, ...]
    oddities: tuple[str, ...]
    misread: tuple[int, ...] = ()  # to who reads the digits otherwise: in a small integer, as octal or hexadecimal
    left_out: int = 0  # so many more of those
    may_stay_away: bool = False  # the client waits for 100 Continue (RFC 9110 section 10.1.1)


NO_BODY = Lengths((0,), ())


def lengths(method: bytes, version: bytes, head: FieldLines) -> Lengths:
    """The lengths that receivers may take for the body behind this head; CHUNKED is one of them."""
    sent = [name for name, _ in head.fields]
    names = [name.replace(b"_", b"-") for name in sent]
    counted = [value for name, (_, value) in zip(names, head.fields, strict=True) if name == b"content-length"]
    coded = [value for name, (_, value) in zip(names, head.fields, strict=True) if name == b"transfer-encoding"]
    if method == b"CONNECT" or not (counted or coded or head.hidden):
        return NO_BODY
    found, misread, oddities = _by_count(counted) if counted else ([0], [], [])
    if coded:
        if counted:
            oddities.append("cl_and_te")
        codings = b",".join(coded).lower().replace(b" ", b"").split(b",")
        is_plain = codings[-1] == b"chunked" and codings.count(b"chunked") == 1 and b"identity" not in codings
        if is_plain and version != b"HTTP/1.0":
            # "If a message is received with both [...], the Transfer-Encoding overrides the Content-Length"
            found = [CHUNKED, *(found if counted else [])]
        elif codings != [b"identity"]:
            oddities.append("te_odd")
            found = [CHUNKED, *found, 0]
    if not (_LOOSE.isdisjoint(head.oddities) and EXTENT.isdisjoint(sent)):
        # one of these lines may not be taken for what it seems to be, and others for what they seem not to be
        found += [*(_by_count(counted)[0] if counted else []), 0]
        hidden = [value for name, value in head.hidden if name == b"content-length"]
        found += _by_count(hidden)[0] if hidden else []
        if any(name == b"transfer-encoding" and b"chunked" in value.lower() for name, value in head.hidden):
            found.append(CHUNKED)
    dropped = [value for name, value in head.fields if name == b"connection"]
    if any(member.strip(b" \t").lower() in FRAMING_FIELDS for value in dropped for member in value.split(b",")):
        found += [] if 0 in found else [0]  # who passes the request on leaves that field out (RFC 9110 section 7.6.1)
    if set(found) == {0} and counted and b"expect" in names:  # who waits for a body that is none?
        oddities.append("cl_odd")
    if method in (b"GET", b"HEAD") and set(found) != {0}:
        oddities.append("body_of_get")
    ways, rare = tuple(dict.fromkeys(found)), tuple(dict.fromkeys(misread))
    may_stay_away = b"expect" in names and 0 not in ways
    left_out = max(0, len(rare) - MOST_MISREAD)
    return Lengths(ways, tuple(oddities), rare[:MOST_MISREAD], left_out, may_stay_away)


def _by_count(values: list[bytes]) -> tuple[list[int], list[int], list[str]]:
    """RFC 9110 section 8.6."""
    oddities = []
    members = [member.strip(b" \t") for value in values for member in value.split(b",")]
    found: list[int] = []
    misread: list[int] = []
    for member in members:
        number = _NUMBER.search(member)
        if number is not None and len(number[0]) <= MOST_DIGITS and not member.startswith(b"-"):
            misread += wraps(int(number[0]))
        if _PLAIN.fullmatch(member):
            found.append(int(member))
            if len(member) > 1 and member.startswith(b"0"):
                oddities.append("cl_odd")
                misread += [int(member, 8)] if _OCTAL.fullmatch(member) else []
            continue
        misread += [int(hexadecimal[1], 16)] if (hexadecimal := _HEXADECIMAL.match(member)) else []
        oddities.append("cl_odd")
        if number is None:
            found.append(0)
        elif len(number[0]) > 18 or member.startswith(b"-"):
            found += [ENDLESS, 0]
        else:
            found += [int(number[0]), 0]
    if len(members) > 1:
        oddities.append("cl_twice")
    return list(dict.fromkeys(found)), misread, list(dict.fromkeys(oddities))


def wraps(number: int) -> tuple[int, ...]:
    """What integers of 64 and 32 bits keep of a number that they cannot hold."""
    kept = (number & 0xFFFFFFFFFFFFFFFF, number & 0xFFFFFFFF)
    return tuple(dict.fromkeys(rest for rest in kept if rest != number and rest < ENDLESS))


def chunk_size(line: bytes) -> int | None:
    """What a chunk-size line (RFC 9112 section 7.1) says; it may have more bits than any integer. None: it is none."""
    found = _CHUNK_SIZE.fullmatch(line)
    return int(found[1], 16) if found else None


def odd_chunk_size(line: bytes) -> tuple[int | None, int | None]:
    """What some take for the size in a line that is none: the digits that it begins with (picohttpparser); and a number
    as strtoul or int of Python read it, with `+`, `0x` or `_`. None: nor do they."""
    found = _ODD_SIZE.match(line)
    if found is None:
        return None, None
    first, _, more = found["digits"].partition(b"_")
    return (None if found["sign"] else 0 if found["prefix"] else int(first, 16)), int(first + more, 16)
