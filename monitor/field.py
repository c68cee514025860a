"""Names of fields: one spelling for all that a server may take for the same."""

from __future__ import annotations

from functools import lru_cache
from string import ascii_letters

LONGEST_KEPT = 64  # octets; names are an attacker's to invent, and longer ones are not worth their memory
_NO_LETTER = bytes(set(range(256)).difference(ascii_letters.encode()))


def normalise(name: bytes) -> bytes:
    """Lower case, `-` for `_`, no `HTTP_` in front: to a CGI server (RFC 3875 section 4.1.18) they are one field."""
    return _kept(name) if len(name) <= LONGEST_KEPT else _normal(name)


def letters(name: bytes) -> bytes:
    """Nothing but its letters, in lower case: what its meaning is guessed by."""
    return name.translate(None, _NO_LETTER).lower()


def _normal(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-").removeprefix(b"http-")


_kept = lru_cache(4096)(_normal)
