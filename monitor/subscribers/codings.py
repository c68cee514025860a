"""A subscriber in, every coding of his number out: what a value is compared with that cannot be read back.

A hash without a key gives a number away to whoever tries all of a country; that takes a table of gigabytes. Who holds
the address is one subscriber, so a hundred comparisons do: hashes without a key, and codings that are no form of the
catalogue. A coding with a key stays unknown (`discover` finds that its header is constant for each subscriber).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from monitor.verdicts import Form, Holder, Identifier, Number

HASHES = ("md5", "sha1", "sha256", "sha512")
SHORTEST = 8  # octets of a value that is worth a look: half a number in hexadecimal would be no proof
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_WORD = re.compile(rb"[A-Za-z0-9+/_-]+")


class Coding(NamedTuple):
    identifier: Identifier
    number: Number
    form: Form
    spelling: str  # `sha256_hex`, `base64`, ...


def found_in(text: bytes, holder: Holder, country: str, trunk: str) -> Coding | None:
    """The holder's number in a word of this text, however it is coded."""
    codings = _codings(holder.msisdn, holder.imsi, country, trunk)
    for word in _WORD.findall(text):
        if len(word) >= SHORTEST and (coding := codings.get(word.lower() if _HEX.fullmatch(word) else word)):
            return coding
    return None


@lru_cache(maxsize=1024)
def _codings(msisdn: str, imsi: str, country: str, trunk: str) -> dict[bytes, Coding]:
    """By what the wire shows: hexadecimal in lower case, base64 without its padding."""
    known: dict[bytes, Coding] = {}
    for identifier, digits in ((Identifier.MSISDN, msisdn), (Identifier.IMSI, imsi)):
        if digits:
            for shown, form, spelling in _shown(identifier, digits, country, trunk):
                known.setdefault(shown, Coding(identifier, Number(digits), form, spelling))
    return known


def _shown(identifier: Identifier, digits: str, country: str, trunk: str) -> Iterator[tuple[bytes, Form, str]]:
    for written in _written(identifier, digits, country, trunk):
        yield written[::-1], Form.ENCODED, "reversed"
        yield written.hex().encode(), Form.ENCODED, "hex"
        yield from _base64(written, Form.ENCODED, "base64")
        for name in HASHES:
            hashed = hashlib.new(name, written, usedforsecurity=False).digest()
            yield hashed.hex().encode(), Form.HASHED, f"{name}_hex"
            yield from _base64(hashed, Form.HASHED, f"{name}_base64")
            yield from _base64(hashed.hex().encode(), Form.HASHED, f"{name}_hex_base64")
    packed = (digits + "f" * (len(digits) % 2)).encode()
    swapped = b"".join(packed[at + 1 : at + 2] + packed[at : at + 1] for at in range(0, len(packed), 2))
    yield swapped, Form.ENCODED, "tbcd"  # TS 29.002 section 17.7.8
    yield from _base64(bytes.fromhex(swapped.decode()), Form.ENCODED, "tbcd_base64")


def _written(identifier: Identifier, digits: str, country: str, trunk: str) -> Iterator[bytes]:
    yield digits.encode()
    if identifier is Identifier.MSISDN:
        yield b"+" + digits.encode()
        yield b"00" + digits.encode()
        if digits.startswith(country):
            yield (trunk + digits.removeprefix(country)).encode()
            yield digits.removeprefix(country).encode()


def _base64(octets: bytes, form: Form, spelling: str) -> Iterator[tuple[bytes, Form, str]]:
    for coded in (b64encode(octets), urlsafe_b64encode(octets)):
        yield coded.rstrip(b"="), form, spelling
