"""The number as digits, in any spelling: takes the text of one field, yields every own identifier in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.identify.found import Found, Spelling
from monitor.identify.numbers import GAPS, LONGEST_GAP, OwnNumbers
from monitor.identify.surroundings import lead, stands_alone
from monitor.verdicts import Identifier

LONGEST_SPELT = 256  # octets of a row of digits, far more than any number has in any spelling
_DIGITS = b"0123456789"
_BESIDE = frozenset((b"", b",", b";", b"=", b"|", b'"'))  # a number between two of these is that and nothing else
_LONGEST_MSISDN = 14  # digits that are no IMSI or IMEI


class Plain:
    """A Reader."""

    def __init__(self, own: OwnNumbers) -> None:
        self._own = own

    def suspect(self, text: bytes) -> bool:
        return self._own.may_be_in(text)

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        for start, end in self._own.stretches(text):
            stretch = text[start:end]
            alone = stretch.strip(b" ")
            if (
                len(alone) <= _LONGEST_MSISDN
                and text[start - 1 : start] in _BESIDE
                and text[end : end + 1] in _BESIDE
                and (number := self._own.all_of(alone))
            ):
                yield Found(Identifier.MSISDN, number, Spelling.PLUS if alone[:1] == b"+" else Spelling.E164)
            elif end - start > LONGEST_SPELT and not field_hint and self._goes_on(stretch):
                yield from self._at(text, end - len(stretch.lstrip(GAPS)), end, field_hint)
            else:
                for row in self._own.rows(text, start, end):
                    yield from self._in_row(text, *row, field_hint)

    def _in_row(self, text: bytes, start: int, end: int, field_hint: Identifier | None) -> Iterator[Found]:
        for identifier, pattern, fewest in self._own.patterns:
            if fewest <= end - start:
                for match in pattern.finditer(text, start, end):
                    yield from self._found(match, field_hint, identifier)

    def _at(self, text: bytes, start: int, end: int, field_hint: Identifier | None) -> Iterator[Found]:
        for identifier, pattern, _ in self._own.patterns:
            if match := pattern.match(text, start, end):
                yield from self._found(match, field_hint, identifier)

    def _found(
        self, match: re.Match[bytes], field_hint: Identifier | None, identifier: Identifier
    ) -> tuple[Found, ...]:
        number = self._own.number(identifier, match)
        if number and stands_alone(match, field_hint, identifier):
            return (Found(identifier, number, _spelling(match, identifier)),)
        return ()

    def _goes_on(self, stretch: bytes) -> bool:
        """Whether no number stands in this long stretch but at its beginning, where something may introduce it.

        All of its gaps are of one kind and none is too long, so a number with gaps would go on with the same
        punctuation (surroundings.py).
        """
        gaps = bytes(set(stretch.translate(None, _DIGITS)))
        if len(gaps) != 1:
            return not gaps
        return gaps != b"+" and gaps * (LONGEST_GAP + 1) not in stretch and not self._own.is_whole_in(stretch)


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
    if match["before"] or match["clock"]:
        return Spelling.MSISDN_TS
    if before:
        return Spelling.PLUS
    if match["access"]:
        return Spelling.INTERNATIONAL
    return Spelling.ZERO_PADDED if match["zeros"] else Spelling.E164
