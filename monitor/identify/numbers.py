"""The operator's own numbers: takes a NumberPlan, yields the patterns that find and the tests that decide.

A pattern finds what may be an own number in one spelling, whatever punctuation lies between its digits; whether it is
one is a bisection in the ranges. So a text costs the same whether the plan has one range or a thousand. Every pattern
has a fixed number of digits and gaps of bounded length, so the search is linear in the text.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from functools import cached_property
from itertools import takewhile

from monitor.verdicts import Identifier, NumberPlan

# what people and programs put between the digits of one number: spaces, hyphens, dots, brackets, slashes, the `+` of a
# form-encoded space, control octets, and the no-break spaces and dashes of UTF-8
GAPS = bytes({*range(0x21), *b"()+-./", *range(0x80, 0x100)}.difference(b"\n"))
LONGEST_GAP = 4
GAP = b"[%b]{0,%d}" % (re.escape(GAPS), LONGEST_GAP)

Pattern = re.Pattern[bytes]
_ZERO_FOR_DIGIT = bytes(0x30 if 0x30 <= octet <= 0x39 else 0x2C for octet in range(256))
_COMMA_FOR_OTHERS = bytes(octet if 0x30 <= octet <= 0x39 else 0x2C for octet in range(256))
_DAY = rb"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
# Unix time of 2001 to 2065 in seconds or milliseconds; a day, to the minute or second
_MOMENT = rb"(?:[12][0-9]{9}(?:[0-9]{3})?|%b(?:(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?)?)" % _DAY
IMEI_ROW = (b"", 15)  # as Watch.rows has it
_DUMMY = re.compile(r"(.)\1+|.*0{7}|.*(?:12345678|87654321).*")  # 99999999999, 5500000000000, 1234567890
_CENTURIES = ("19", "20")
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


class OwnNumbers:
    """Patterns for identifiers in all spellings, and whether one is the operator's (an IMEI: whether it is one).

    A pattern matches before the first digit of a group of digits, consumes nothing (a number may overlap what only
    looked like one) and ends where no digit follows. `written` is the whole spelling, `digits` the part that counts.
    Other groups say how it was spelt: `access` (00), `zeros` (padding), `before` and `clock` (a moment in the same
    run), `trunk` (national, with its prefix), `gap` (what sets off the country code or prefix), `weak` (so few marks of
    a number that its field must hint at it).
    """

    def __init__(self, plan: NumberPlan) -> None:
        lengths = sorted({len(first) for first, _ in plan.msisdn_ranges})
        self._plan, self._country = plan, plan.country
        self._spans = {length: _merged(plan, length) for length in lengths}
        self._longest = 1 + max(lengths, default=0)  # with a `+`
        self.amounts = {
            length: sum(lasts) - sum(firsts) + len(firsts) for length, (firsts, lasts) in self._spans.items()
        }
        self.ranges = [span for spans in self._spans.values() for span in zip(*spans, strict=True)]
        # own numbers of each length: the digits that all have in common, then `.` for each other
        self.templates = [(plan.country + _prefix(plan, length)).ljust(length, ".") for length in lengths]
        self.lengths = tuple(
            (length, _prefix(plan, length).encode(), tuple(zip(*spans, strict=True)))
            for length, spans in self._spans.items()
        )
        national = [(prefix := _prefix(plan, length), length - len(plan.country) - len(prefix)) for length in lengths]
        imsi = [(prefix, 15 - len(prefix)) for prefix in plan.imsi_prefixes]
        # the digits that every spelling of an own number has in a row: what they begin with, and how many others follow
        self.digit_rows = tuple((prefix.encode(), more) for prefix, more in (*national, *imsi))
        rows = (*self.digit_rows, IMEI_ROW)
        fewest = min(len(prefix) + more for prefix, more in rows)
        self._zeros = b"0" * fewest
        self._begins = re.compile(b"|".join(b"%b[0-9]{%d}" % row for row in rows)).search
        self._whole = [(prefix, re.compile(b"%b[0-9]{%d}" % (prefix, more)).search) for prefix, more in self.digit_rows]
        self._stretch = re.compile(b"[0-9%b]{%d,}" % (re.escape(GAPS), fewest))
        self._row = re.compile(rb"[0-9](?:%b[0-9]){%d,}+" % (GAP, fewest - 1))

    @cached_property  # late: they take as long to compile as reading the rules, and a clean capture needs none
    def patterns(self) -> list[tuple[Identifier, Pattern, int]]:
        """Each with the octets that it matches at the least."""
        found = [
            (Identifier.MSISDN, pattern, length - len(self._country))
            for length in self._spans
            for pattern in _msisdn(self._plan, length)
        ]
        found += [(Identifier.IMSI, _imsi(prefix), 15) for prefix in self._plan.imsi_prefixes]
        return [*found, (Identifier.IMEI, _imei(), 15)]

    def may_be_in(self, text: bytes) -> bool:
        """Whether an identifier could be found in this text or a part of it; a tenth of the cost of looking."""
        if self._zeros not in text.translate(_ZERO_FOR_DIGIT, GAPS):
            return False
        return self._begins(text.translate(_COMMA_FOR_OTHERS, GAPS)) is not None

    def is_whole_in(self, text: bytes) -> bool:
        """Whether an MSISDN or IMSI without gaps could be found there."""
        return any(prefix in text and search(text) for prefix, search in self._whole)

    def stretches(self, text: bytes) -> list[tuple[int, int]]:
        """Start and end of what consists of digits and gaps, long enough for an identifier."""
        return [stretch.span() for stretch in self._stretch.finditer(text)]

    def rows(self, text: bytes, start: int = 0, end: int = sys.maxsize) -> list[tuple[int, int]]:
        """Start and end of each row of digits, gaps included, that is long enough for an identifier."""
        return [row.span() for row in self._row.finditer(text, start, end)]

    def number(self, identifier: Identifier, match: re.Match[bytes]) -> str | None:
        """The digits in their one spelling (E.164 without `+`) if what was matched is such a number."""
        digits = match["digits"].translate(None, GAPS).decode()
        match identifier:
            case Identifier.MSISDN:
                digits = self._country + digits
                return digits if self.has_msisdn(digits) else None
            case Identifier.IMSI:
                # its pattern has the prefix; TS 23.003 section 19.3.2 allows one more digit in front in a NAI only
                return digits if not match["root"] or match.string.startswith(b"@", match.end("written")) else None
            case Identifier.IMEI:
                return digits if _is_imei(digits) else None

    def has_msisdn(self, digits: str) -> bool:
        """Whether this is an own number in E.164; what is none may be any text."""
        spans = self._spans.get(len(digits))
        if spans is None or not (digits.isascii() and digits.isdigit()):
            return False
        number = int(digits)
        firsts, lasts = spans
        at = bisect_right(firsts, number) - 1
        return at >= 0 and number <= lasts[at]

    def all_of(self, text: bytes) -> str:
        """The own number in E.164, with `+` or without, that a text is and nothing else: no date and time. Or empty."""
        digits = text.decode("latin-1").removeprefix("+") if len(text) <= self._longest else ""
        return digits if self.has_msisdn(digits) and digits[:2] not in _CENTURIES else ""


def is_dummy(digits: str) -> bool:
    """Numbers that programs put where they know none."""
    return _DUMMY.fullmatch(digits) is not None


def _is_imei(digits: str) -> bool:
    """15 digits of which the last is the check digit of ISO/IEC 7812 (TS 23.003 annex B), or 16 of an IMEISV."""
    if is_dummy(digits):
        return False
    doubled = sum(_LUHN_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return len(digits) == 16 or (doubled + sum(map(int, digits[::-2]))) % 10 == 0


def _merged(plan: NumberPlan, length: int) -> tuple[list[int], list[int]]:
    """First and last numbers of the ranges of this length, ascending, none overlapping another."""
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted((int(a), int(b)) for a, b in plan.msisdn_ranges if len(a) == length):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


def _pattern(written: bytes) -> Pattern:
    return re.compile(rb"(?<![0-9])(?=(?P<written>%b)(?![0-9]))" % written)


def _spelt(digits: str, more: int = 0) -> bytes:
    """These digits and `more` others, with room for gaps."""
    return GAP.join([digit.encode() for digit in digits] + [b"[0-9]"] * more)


def _prefix(plan: NumberPlan, length: int) -> str:
    """What all own numbers of this length begin with, behind the country code."""
    ends = [number for span in plan.msisdn_ranges for number in span if len(number) == length]
    same = takewhile(lambda pair: pair[0] == pair[1], zip(min(ends), max(ends), strict=True))
    return "".join(digit for digit, _ in same)[len(plan.country) :]


def _msisdn(plan: NumberPlan, length: int) -> list[Pattern]:
    """For the own numbers of one length: international, national where there is a trunk prefix, bare national."""
    prefix = _prefix(plan, length)
    digits = rb"(?P<digits>%b)" % _spelt(prefix, length - len(plan.country) - len(prefix))
    access, trunk = plan.international_prefix.encode() or b"(?!)", plan.trunk_prefix.encode() or b"(?!)"
    lead = rb"(?:(?P<access>%b)%b|(?P<zeros>0{1,8}))?%b" % (access, GAP, _spelt(plan.country))
    lead += rb"(?P<gap>%b(?:\(%b\)%b)?)" % (GAP, trunk, GAP)  # +44 (0)7700 900123
    # a zero in front marks a national number by itself, a 1 or 8 does not
    set_off = GAP if plan.trunk_prefix.startswith("0") else rb"(?P<gap>%b)" % GAP
    return [
        _pattern(rb"(?P<before>%b)??%b%b(?P<clock>%b)?" % (_MOMENT, lead, digits, _MOMENT)),
        _pattern(rb"(?P<trunk>%b)%b%b" % (trunk, set_off, digits)),
        _pattern(rb"(?P<weak>)%b" % digits),
    ]


def _imsi(prefix: str) -> Pattern:
    code = b"%b%b%b" % (prefix[:3].encode(), GAP, prefix[3:].encode())
    return _pattern(rb"(?P<root>[0-8])?(?P<digits>%b%b[0-9]{%d})" % (code, GAP, 15 - len(prefix)))


def _imei() -> Pattern:
    """2 + 6 + 6 digits and a check digit, or two digits of the software version (TS 23.003 section 6.2)."""
    return _pattern(rb"(?P<weak>)(?P<digits>[0-9]{2}[-./ ]?[0-9]{6}[-./ ]?[0-9]{6}[-./ ]?[0-9]{1,2})")
