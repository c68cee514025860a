"""Where the body of an HTTP/1 request ends (RFC 9112 section 6.3): fields in, lengths out.

One length where every receiver agrees. Where they do not, all lengths that a receiver may take, the RFC's first: the
caller reads the tail in each way.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.portable.request_head import FieldLines

CHUNKED = -1
ENDLESS = 1 << 63  # more than any integer of a receiver holds: the rest of the connection

_NUMBER = re.compile(rb"\d+")
_PLAIN = re.compile(rb"\d{1,18}")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,64})[ \t]*(?:;.*)?\r?", re.DOTALL)
_LOOSE = frozenset(("space_before_colon", "leading_space", "fold", "cr", "nul", "control", "odd_name"))


class Lengths(NamedTuple):
    lengths: tuple[int, ...]
    oddities: tuple[str, ...]


NO_BODY = Lengths((0,), ())


def lengths(method: bytes, version: bytes, head: FieldLines) -> Lengths:
    """The lengths that receivers may take for the body behind this head; CHUNKED is one of them."""
    counted = [value for name, value in head.fields if name == b"content-length"]
    coded = [value for name, value in head.fields if name == b"transfer-encoding"]
    if method == b"CONNECT" or not (counted or coded):
        return NO_BODY
    found, oddities = _by_count(counted) if counted else ([0], [])
    if coded:
        if counted:
            oddities.append("cl_and_te")
        codings = b",".join(coded).lower().replace(b" ", b"").split(b",")
        if codings[-1] == b"chunked" and codings.count(b"chunked") == 1 and version != b"HTTP/1.0":
            # "If a message is received with both [...], the Transfer-Encoding overrides the Content-Length"
            found = [CHUNKED, *(found if counted else [])]
        elif codings != [b"identity"]:
            oddities.append("te_odd")
            found = [CHUNKED, *found, 0]
    if not _LOOSE.isdisjoint(head.oddities):  # one of these lines may not be taken for what it seems to be
        found += [*(_by_count(counted)[0] if counted else []), 0]
    if method in (b"GET", b"HEAD") and found != [0]:
        oddities.append("body_of_get")
    return Lengths(tuple(dict.fromkeys(found)), tuple(oddities))


def _by_count(values: list[bytes]) -> tuple[list[int], list[str]]:
    """RFC 9110 section 8.6."""
    oddities = []
    members = [member.strip(b" \t") for value in values for member in value.split(b",")]
    found: list[int] = []
    for member in members:
        if _PLAIN.fullmatch(member):
            found.append(int(member))
            continue
        oddities.append("cl_odd")
        number = _NUMBER.search(member)
        if number is None:
            found.append(0)
        elif len(number[0]) > 18 or member.startswith(b"-"):
            found += [ENDLESS, 0]
        else:
            found += [int(number[0]), 0]
    if len(members) > 1:
        oddities.append("cl_twice")
    return list(dict.fromkeys(found)), list(dict.fromkeys(oddities))


def chunk_sizes(line: bytes) -> tuple[int, ...]:
    """What a chunk-size line (RFC 9112 section 7.1) may mean to receivers; nothing when it is none."""
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        return ()
    size = int(found[1], 16)
    return (size,) if size < ENDLESS else (ENDLESS, size & 0xFFFFFFFFFFFFFFFF)
