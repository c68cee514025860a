"""RequestHead in, who gets it out: the request itself says so, for each request anew.

The authority of an absolute target decides, else `:authority`, else the target of CONNECT, else Host (RFC 9112 section
3.2.2, RFC 9113 section 8.3.1), else the address that the packet went to. Names are brought to one spelling, so that the
agreements compare text with text: case, trailing dot, port, userinfo, percent-encoding, brackets, IDNA.

A host name is whatever a handset wrote. What comes out is printable ASCII of at most 253 characters, safe for a log, a
label or a terminal; bytes that no host name has are shown as `\\x1b`, so such a name is nobody's in the agreements.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from monitor.records import RequestHead

LONGEST_NAME = 253  # RFC 1035 section 2.3.4, as text
MOST_NAMES = 4  # of one request: two that differ already make it ambiguous
FURTHER = "further-hosts.invalid"  # stands for all that are more: nobody's name (RFC 2606), so nobody's partner
LONGEST_REMEMBERED = 512  # bytes of one request's authority and Hosts
_ABSOLUTE = re.compile(rb"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_PLAIN = re.compile(rb"[a-z0-9.-]*")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_SHOWN = [chr(byte) if 0x21 <= byte <= 0x7E and byte not in b"\"'<>\\`" else f"\\x{byte:02x}" for byte in range(256)]


class Recipient(NamedTuple):
    names: tuple[str, ...]  # one; several when Hosts differ, for each may be the one that is served
    claim: str | None = None  # a Host that the authority overrules


def recipient_of(head: RequestHead) -> Recipient:
    authority: bytes | None = None
    hosts: tuple[bytes, ...] = ()
    for name, value in head.fields:
        if name == b"host":
            hosts += (value,)
        elif name == b":authority" and authority is None:
            authority = value
    if head.target[:1] != b"/":
        if absolute := _ABSOLUTE.match(head.target):
            authority = absolute[1]
        elif authority is None and head.method.upper() == b"CONNECT":
            authority = head.target
    short = len(authority or b"") + sum(map(len, hosts)) <= LONGEST_REMEMBERED
    found = (_remembered if short else _named)(authority, hosts)
    return found if found.names else _of_address(head.flow.dst)


def _named(authority: bytes | None, hosts: tuple[bytes, ...]) -> Recipient:
    """Who is named; nobody where there is no name."""
    claims = tuple(dict.fromkeys(filter(None, map(host_name, hosts))))
    if authority and (name := host_name(authority)):
        return Recipient((name,), next((claim for claim in claims if claim != name), None))
    return Recipient(claims if len(claims) <= MOST_NAMES else (*claims[: MOST_NAMES - 1], FURTHER))


_remembered = lru_cache(maxsize=8192)(_named)


@lru_cache(maxsize=8192)  # in a flood of requests without a Host it is the same again and again
def _of_address(dst: bytes) -> Recipient:
    return Recipient((str(ip_address(dst)),))


def host_name(authority: bytes) -> str:
    """The host of `[userinfo@]host[:port]` (RFC 3986 section 3.2) in its one spelling; empty when there is none."""
    host = authority.rpartition(b"@")[2].strip(b" \t")[: 4 * LONGEST_NAME]
    if host.startswith(b"["):
        host = host[1:].partition(b"]")[0].partition(b"%")[0]  # without port and zone (RFC 6874)
    elif host.count(b":") == 1:
        host = host.partition(b":")[0]
    if b":" in host and (address := _ipv6(host)):
        return address
    if b"%" in host:
        host = unquote_to_bytes(host)
    if not host.isascii():
        host = _a_labels(host)
    host = host.lower().rstrip(b".")
    # nearly every name is what a name may be, and one look says so
    name = host.decode() if _PLAIN.fullmatch(host) else "".join([_SHOWN[byte] for byte in host])
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def is_host_name(name: str) -> bool:
    """Whether `name` can be a host at all. `shop.example\\x00.partner.example` cannot, and is below no wildcard."""
    return _HOST_NAME.fullmatch(name) is not None


def _ipv6(host: bytes) -> str | None:
    try:
        return str(IPv6Address(host.decode("ascii", "replace")))
    except ValueError:
        return None


def _a_labels(host: bytes) -> bytes:
    """The ASCII form of a name in UTF-8 (RFC 5891); what IDNA forbids, such as emoji, in plain Punycode."""
    try:
        text = host.decode("utf-8")
    except UnicodeDecodeError:
        return host
    import idna  # late: few names are not ASCII

    try:
        return idna.encode(text, uts46=True)
    except idna.IDNAError:
        labels = text.lower().split(".")
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in labels
        ).encode("ascii")
