"""Records as text: times, addresses, and whatever hostile traffic wrote. All of it goes through here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from monitor.redact import mask_text

LONGEST_REMEMBERED = 255
NO_NAME = "(no name)"
SECOND_NS = 1_000_000_000
LAST_SECOND = 253_402_300_799  # of the year 9999: a pcapng time stamp may claim half a million years


def rfc3339(time_ns: int) -> str:
    """`2012-01-10T02:14:07.000000001Z` (RFC 3339 section 5.6): always UTC, always nine digits, so it sorts as text."""
    second, rest = divmod(time_ns, SECOND_NS)
    return f"{to_second(second)}.{rest:09d}Z"


@lru_cache(maxsize=16)  # neighbours in a capture share their second
def to_second(second: int) -> str:
    """The same, up to the second."""
    return datetime.fromtimestamp(min(max(second, 0), LAST_SECOND), UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=8192)
def address(packed: bytes) -> str:
    """An IPv4 or IPv6 address as people write it (RFC 5952)."""
    if len(packed) == 4:
        return "{}.{}.{}.{}".format(*packed)
    import socket  # late: it takes as long as reading the rules, and many runs show no such address

    return socket.inet_ntop(socket.AF_INET6, packed)


def masked(text: str) -> str:
    """`mask_text`, remembered for what is short: in a leak the same few hosts and fields come again and again."""
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else mask_text(text)


_remembered: Callable[[str], str] = lru_cache(maxsize=8192)(mask_text)


def named(field: bytes) -> str:
    """The name of a field, cookie or parameter for people; some numbers stand where there is none."""
    return masked(field.decode("latin-1")) or NO_NAME


def printable(text: str) -> str:
    """The same text with everything escaped that could move a cursor, colour a terminal or turn its direction."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
