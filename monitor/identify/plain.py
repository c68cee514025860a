"""The number as digits, in any spelling: takes the text of one field, yields every own identifier in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.identify.found import Found, Spelling
from monitor.identify.numbers import OwnNumbers
from monitor.identify.surroundings import lead, stands_alone
from monitor.records import Identifier


class Plain:
    """A Reader."""

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
