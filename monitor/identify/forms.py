"""The forms of a number: takes the text of one field, yields every own identifier in it and how it was written.

READERS has one reader for each form. A reader is made of the own numbers once and asked for every text; it says cheaply
whether a text is `suspect` before it reads, for nearly none is. Texts come percent-decoded (places.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple, Protocol

from monitor.identify.numbers import GAPS, OwnNumbers, is_dummy
from monitor.identify.surroundings import lead, stands_alone
from monitor.records import Form, Identifier

_BETWEEN_ELEMENTS = re.compile(rb"[\s,;|\"'<>=]+")
_FOREIGN = re.compile(rb"(?:(?:tel|sips?):)?(?:\+|00)?([1-9][0-9]{7,14})(?:@.*)?", re.IGNORECASE | re.DOTALL)


class Spelling(StrEnum):
    """How exactly a plain number was written."""

    E164 = "e164"  # 447700900123
    PLUS = "plus"
    INTERNATIONAL = "international"  # 00447700900123
    ZERO_PADDED = "zero_padded"  # 000447700900123
    NATIONAL = "national"  # 07700900123
    BARE_NATIONAL = "bare_national"  # 7700900123
    GAPS = "gaps"  # any of these with punctuation between the digits
    TEL_URI = "tel_uri"
    SIP_URI = "sip_uri"
    NAI = "nai"  # 447700900123@realm (TS 23.003 sections 13 and 19)
    MSISDN_TS = "msisdn_ts"  # Nokia: the number and the Unix time in one run
    DIGITS = "digits"  # of an IMSI or IMEI


class Found(NamedTuple):
    identifier: Identifier
    digits: str  # E.164 without `+`, or those of the IMSI or IMEI
    spelling: Spelling


class Reader(Protocol):
    def suspect(self, text: bytes) -> bool:
        """Whether `read` could find anything in this text or a part of it; never False by mistake."""
        ...

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        """Every identifier in the text of a field whose name hints at `field_hint`, as often as it stands there."""
        ...


class Plain:
    """The number as digits, in any spelling."""

    def __init__(self, own: OwnNumbers) -> None:
        self._own = own

    def suspect(self, text: bytes) -> bool:
        return self._own.may_be_in(text)

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        for start, end in self._own.rows(text):
            for identifier, pattern in self._own.patterns:
                for match in pattern.finditer(text, start, end):
                    number = self._own.number(identifier, match)
                    if number and stands_alone(match, field_hint, identifier):
                        yield Found(identifier, number, _spelling(match, identifier))


# each coded, hashed and sealed form of 4-identify.md gets its reader here
READERS: dict[Form, Callable[[OwnNumbers], Reader]] = {Form.PLAIN: Plain}


def foreign(text: bytes, identifier: Identifier) -> Found | None:
    """A number in a field that is known to carry one, whoever's it is: plain E.164, or 15 digits of an IMSI."""
    if text.startswith(b"+"):
        text = text.translate(None, GAPS)
    for element in _BETWEEN_ELEMENTS.split(text):
        match = _FOREIGN.fullmatch(element)
        if match and not is_dummy(digits := match[1].decode()):
            if identifier is Identifier.MSISDN:
                return Found(identifier, digits, Spelling.E164)
            # 2 to 7 begin the MCCs of countries (E.212 annex A)
            if identifier is Identifier.IMSI and len(digits) == 15 and digits[0] in "234567":
                return Found(identifier, digits, Spelling.DIGITS)
    return None


def _spelling(match: re.Match[bytes], identifier: Identifier) -> Spelling:
    before = lead(match)
    if before[:3] in (b"tel", b"sip"):
        return Spelling.TEL_URI if before.startswith(b"tel") else Spelling.SIP_URI
    if match.string.startswith(b"@", match.end("written")):
        return Spelling.NAI
    if not match["written"].isdigit():
        return Spelling.GAPS
    if identifier is not Identifier.MSISDN:
        return Spelling.DIGITS
    groups = match.re.groupindex
    if "weak" in groups:
        return Spelling.BARE_NATIONAL
    if "trunk" in groups:
        return Spelling.NATIONAL
    if match["clock"]:
        return Spelling.MSISDN_TS
    if before:
        return Spelling.PLUS
    if match["access"]:
        return Spelling.INTERNATIONAL
    return Spelling.ZERO_PADDED if match["zeros"] else Spelling.E164
