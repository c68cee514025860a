"""The forms of a number, and the readers that find them: takes the own numbers, yields one Reader for each kind.

A reader is made of the own numbers once and asked for every text; it says cheaply whether a text is `suspect` before it
reads, for nearly none is. Texts come percent-decoded (places.py). What no reader can open is known by its field alone:
`foreign` numbers, and those that are `sealed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from monitor.identify.catalogue import ALIAS_FIELDS
from monitor.identify.coded import Base64, Hex, Token
from monitor.identify.found import Found, Reader, Spelling
from monitor.identify.numbers import GAPS, OwnNumbers, is_dummy
from monitor.identify.plain import Plain
from monitor.verdicts import Form, Identifier

READERS: tuple[Callable[[OwnNumbers], Reader], ...] = (Plain, Base64, Hex, Token)

_BETWEEN_ELEMENTS = re.compile(rb"[\s,;|\"'<>=]+")
_DIGITS_ALONE = re.compile(rb"(?<![0-9A-Za-z])[0-9]{8,17}(?![0-9A-Za-z])")  # any such number has them, and few others
_FOREIGN = re.compile(rb"(?:(?:tel|sips?):)?(?:\+|00)?([1-9][0-9]{7,14})(?:@.*)?", re.IGNORECASE | re.DOTALL)
# at least 16 octets of a digest or cipher, in hex or base64, and no words: a digit among the letters
_OPAQUE = re.compile(rb"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])(?:[0-9A-Fa-f]{32,}|[0-9A-Za-z+/_-]{22,}={0,2})")
_DIGEST = re.compile(
    rb"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Za-z+/_-]{22}(?:[0-9A-Za-z+/_-]{5}"
    rb"|[0-9A-Za-z+/_-]{21})?={0,2})"
)  # of 16, 20 or 32 octets


def foreign(text: bytes, identifier: Identifier) -> Found | None:
    """A number in a field that is known to carry one, whoever's it is: plain E.164, or 15 digits of an IMSI."""
    if text.startswith(b"+"):
        text = text.translate(None, GAPS)
    if not _DIGITS_ALONE.search(text):
        return None
    for element in _BETWEEN_ELEMENTS.split(text):
        match = _FOREIGN.fullmatch(element)
        if match and not is_dummy(digits := match[1].decode()):
            if identifier is Identifier.MSISDN:
                return Found(identifier, digits, Spelling.E164)
            # 2 to 7 begin the MCCs of countries (E.212 annex A)
            if identifier is Identifier.IMSI and len(digits) == 15 and digits[0] in "234567":
                return Found(identifier, digits, Spelling.DIGITS)
    return None


def sealed(text: bytes, field: bytes, identifier: Identifier) -> Found | None:
    """What stands for a subscriber in a field that is known to carry one, and cannot be opened.

    Keyed if it is as long as a digest; else a pseudonym where the catalogue calls the field an alias, or encrypted.
    """
    for element in _BETWEEN_ELEMENTS.split(text, 1)[:1]:
        if _OPAQUE.fullmatch(element):
            unlike_digest = Form.PSEUDONYM if field in ALIAS_FIELDS else Form.ENCRYPTED
            form = Form.KEYED if _DIGEST.fullmatch(element) else unlike_digest
            return Found(identifier, element.decode(), Spelling.OPAQUE, form)
    return None
