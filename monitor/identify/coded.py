"""Coded numbers: takes the text of one field, yields the own numbers in it that anybody can decode.

There are two kinds. Text that holds a number and was coded as a whole, in base64 or hex (`+447700900123`, the JSON of a
web token), is decoded where runs of digits show and read like any other text: a `Text` for each way. A number that was
coded by itself is one token of letters and digits, which `Token` reads: CODINGS has a function for each way, and what
the sieve must look for follows from it.

A token is no more than its shape: where others of that shape would be own numbers by chance more often than once in
10^8, the name of the field or a key in front must say that a number stands there.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import takewhile
from string import ascii_letters, digits
from typing import NamedTuple

from monitor.identify.found import Found, Spelling
from monitor.identify.numbers import OwnNumbers
from monitor.identify.plain import Plain
from monitor.identify.surroundings import hinted
from monitor.verdicts import Form, Identifier

BY_CHANCE = 1e-8  # share of all tokens of a shape that may be own numbers where nothing hints at one
INTERNATIONAL = "91"  # octet in front of TBCD: an international number of the plan of E.164 (TS 29.002 section 17.7.8)
SHORTEST = 8  # letters and digits that stand together in any coded number
_A_FOR_LETTER = bytes(0x41 if chr(octet) in ascii_letters + digits else 0x2C for octet in range(256))


class Coding(NamedTuple):
    """One way to write one number as a token."""

    spelling: Spelling
    pattern: bytes  # of the token
    of_digits: bool  # it is a row of digits, else of letters and digits
    begin: bytes  # what the token of every own number begins with; `.` is any digit in a row of digits
    more: int  # how many of these follow at the least
    decode: Callable[[bytes], str]  # of a token: E.164 digits, if it is one
    alike: float  # tokens that have this shape
    skip: int = 0  # digits in front that say what the others are
    own: int = 0  # of them, those that are own numbers

    @property
    def believed(self) -> bool:
        return self.own <= BY_CHANCE * self.alike

    @property
    def core(self) -> bytes:
        """What stands in each of these tokens, as much as is known of it."""
        return max(self.begin.split(b"."), key=len) if self.of_digits else self.begin


class Token:
    """A Reader."""

    def __init__(self, own: OwnNumbers) -> None:
        self._own = own
        self._codings = codings = codings_of(own)
        self._cores = tuple({coding.core for coding in codings})
        self._token = re.compile(_token(b"|".join(coding.pattern for coding in codings) or b"(?!)")).search
        self._shortest = b"A" * min([SHORTEST, *(len(coding.begin) + coding.more for coding in codings)])

    @cached_property  # late: few captures have any
    def _tokens(self) -> list[tuple[Coding, bytes, re.Pattern[bytes], bool]]:
        return [(each, each.core, re.compile(_token(each.pattern)), each.believed) for each in self._codings]

    def suspect(self, text: bytes) -> bool:
        if self._shortest not in text.translate(_A_FOR_LETTER):
            return False
        return self._may_have(text) and self._token(text) is not None

    def _may_have(self, text: bytes) -> bool:
        for core in self._cores:  # noqa: SIM110 - nearly every text has none
            if core in text:
                return True
        return False

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        if not self._may_have(text):
            return
        read: set[int] = set()
        for coding, core, pattern, believed in self._tokens:
            if core not in text:
                continue
            for match in pattern.finditer(text):
                number = coding.decode(match[0])
                if not self._own.has_msisdn(number) or self._own.has_msisdn(match[0].decode()):
                    continue  # plain is the nearer reading
                if match.start() not in read and (believed or hinted(match, field_hint, Identifier.MSISDN)):
                    read.add(match.start())
                    yield Found(Identifier.MSISDN, number, coding.spelling, Form.ENCODED)


def _token(pattern: bytes) -> bytes:
    """No letter or digit touches it, and it is not the fraction of a decimal."""
    return rb"(?<![0-9A-Za-z])(?<![0-9]\.)(?:%b)(?![0-9A-Za-z])" % pattern


# --- text coded as a whole ----------------------------------------------------------------------------------------


class Text:
    """A Reader of what one coding makes of text."""

    spelling: Spelling
    shortest: bytes  # of its letters, each an A
    digits: re.Pattern[bytes]  # some of the coded digits of any number
    run: re.Pattern[bytes]  # of letters
    group: int  # of so many letters, the first of which the digits that show begin with
    decode: Callable[[bytes], bytes]

    def __init__(self, own: OwnNumbers) -> None:
        self._plain = Plain(own)

    def suspect(self, text: bytes) -> bool:
        return self.shortest in text.translate(_A_FOR_LETTER) and self.digits.search(text) is not None

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        for run in self.run.finditer(text) if self.digits.search(text) else ():
            firsts = {match.start() % self.group: match for match in self.digits.finditer(text, *run.span())}
            for match in firsts.values():
                begin = run.start() + (match.start() - run.start()) % self.group
                decoded = self.decode(text[begin : run.end()])
                if not self._plain.suspect(decoded):
                    continue
                is_hinted = hinted(match, field_hint, Identifier.MSISDN) or hinted(run, field_hint, Identifier.MSISDN)
                for found in self._plain.read(decoded, Identifier.MSISDN if is_hinted else field_hint):
                    yield found._replace(spelling=self.spelling, form=Form.ENCODED)


class Base64(Text):
    # a digit is 0x30 to 0x39, so three of them are four such letters (RFC 4648 section 4); ten have two such groups
    spelling, shortest = Spelling.BASE64, b"A" * 8
    digits = re.compile(rb"(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){2,}")
    run, group = re.compile(rb"[0-9A-Za-z]{8,}"), 4
    decode = staticmethod(lambda run: b64decode(run[: len(run) - (len(run) % 4 == 1)] + b"=="))


class Hex(Text):
    spelling, shortest = Spelling.ASCII_HEX, b"A" * 16
    digits = re.compile(rb"(?:3[0-9]){8,}")
    run, group = re.compile(rb"[0-9A-Fa-f]{16,}"), 2
    decode = staticmethod(lambda run: bytes.fromhex(run[: len(run) // 2 * 2].decode()))


# --- one number as one token --------------------------------------------------------------------------------------
# A template is E.164 digits of one length with `.` for those in which own numbers differ: 447700900...


def _reversed(template: str) -> Iterator[Coding]:
    yield _of_digits(Spelling.REVERSED, template[::-1], lambda token: token.decode()[::-1])


def _tbcd(template: str) -> Iterator[Coding]:
    swapped = _swapped(template)
    yield _of_digits(Spelling.TBCD, swapped, lambda token: _number(_swapped(token.decode())))
    yield _of_digits(Spelling.TBCD, INTERNATIONAL + swapped, lambda token: _number(_swapped(token[2:].decode())), 2)


def _base64_bcd(template: str) -> Iterator[Coding]:
    even, swapped = template + "F" * (len(template) % 2), _swapped(template)
    yield _of_nibbles(Spelling.BASE64_BCD, even, _number)
    yield _of_nibbles(Spelling.BASE64_TBCD, swapped, lambda nibbles: _number(_swapped(nibbles)))
    yield _of_nibbles(Spelling.BASE64_TBCD, INTERNATIONAL + swapped, lambda nibbles: _number(_swapped(nibbles[2:])), 2)


def _hex_integer(template: str) -> Iterator[Coding]:
    first, last = (b"%x" % int(template.replace(".", digit)) for digit in "09")
    widths = range(len(first), len(last) + 1)
    for width in widths:
        begin = _same(first, last) if len(widths) == 1 else b""
        for letters, case in ((b"0-9a-f", bytes.lower), (b"0-9A-F", bytes.upper)):
            pattern = rb"%b[%b]{%d}" % (case(begin), letters, width - len(begin))
            yield Coding(Spelling.HEX_INTEGER, pattern, False, case(begin), width - len(begin), _of_hex, 16.0**width)


CODINGS: tuple[Callable[[str], Iterator[Coding]], ...] = (_reversed, _tbcd, _base64_bcd, _hex_integer)


def codings_of(own: OwnNumbers) -> list[Coding]:
    """Every way in which every own number may be coded by itself."""
    return [
        coding._replace(own=own.amounts[len(template)])
        for template in own.templates
        for code in CODINGS
        for coding in code(template)
    ]


def _swapped(digits: str) -> str:
    """Each pair the other way round, filled to an even number: 447700 of 44770 is 44770F swapped, 4477F0."""
    even = digits + "F" * (len(digits) % 2)
    return "".join(even[at + 1] + even[at] for at in range(0, len(even), 2))


def _same(one: bytes, other: bytes) -> bytes:
    """What both begin with."""
    return bytes(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=True)))


def _of_hex(token: bytes) -> str:
    return str(int(token, 16))


def _number(nibbles: str) -> str:
    return nibbles.upper().removesuffix("F")


def _of_digits(spelling: Spelling, template: str, decode: Callable[[bytes], str], skip: int = 0) -> Coding:
    row = template.partition("F")[0]
    pattern = template.replace(".", "[0-9]").replace("F", "[Ff]")
    return Coding(spelling, pattern.encode(), True, row.encode(), 0, decode, 10.0 ** len(row), skip)


def _of_nibbles(spelling: Spelling, template: str, decode: Callable[[str], str], skip: int = 0) -> Coding:
    """In base64 of either alphabet, padded or not."""
    first, last = (b64encode(bytes.fromhex(template.replace(".", nibble))).rstrip(b"=") for nibble in "0F")
    begin = _same(first, last)
    more = len(first) - len(begin)
    pattern = rb"%b[0-9A-Za-z+/_-]{%d}" % (re.escape(begin), more)
    ends_odd = 2 * ("F" in template)  # only the filler makes letters that are none, in the last two places
    return Coding(
        spelling,
        pattern,
        False,
        begin,
        more - ends_odd,
        lambda token: decode(_nibbles(token)),
        64.0 ** len(first),
        skip,
    )


def _nibbles(token: bytes) -> str:
    return urlsafe_b64decode(token.translate(_URL_SAFE) + b"==").hex()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
