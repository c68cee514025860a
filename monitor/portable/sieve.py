"""Drops the request heads in which `identify` can find nothing: takes a RequestHead, yields a bool.

The sieve may pass too much, never too little (2-house.md), so of the number plan it knows only with which digits an
identifier begins and how many it has: a head passes when that many stand in a row, or when a field name hints at a
subscriber identifier. An identifier that only its name gives away (15 digits are an IMEI or anything) needs that name
in the same field. What may lie between the digits of one number is drawn wider than `identify` draws it; letters
and the delimiters of lists, parameters and clock times end a row. One `translate` over the joined head leaves out what
may lie between. Then every test is a search for fixed octets, which costs a tenth of an expression without any.

A number by itself in another code shows as a token of letters: what those begin with is Watch.tokens. Text in base64 or
hex in which digits show is decoded and looked at likewise: in base64 they are of forty letters only, in an order of
their own.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from string import ascii_letters
from urllib.parse import unquote_to_bytes

from monitor.field import letters, normalise
from monitor.records import RequestHead, Watch

NAMES_KEPT = 4096  # field names are an attacker's to invent; beyond this many the memory of them starts anew

DIGITS = b"0123456789"
ROW_ENDS = ascii_letters.encode() + b",;:=&?@#*|\"'<>"
BETWEEN_DIGITS = bytes(set(range(256)).difference(DIGITS, ROW_ENDS))
COMMA_FOR_OTHERS = bytes(octet if octet in DIGITS else 0x2C for octet in range(256))
ZERO_FOR_DIGIT = bytes(0x30 if octet in DIGITS else 0x2C for octet in range(256))
# three digits in base64 are four of these letters, and any ten digits have two such groups (identify/coded.py)
DIGITS_IN_BASE64 = re.compile(rb"(?=(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){2})")
DIGITS_IN_HEX = re.compile(rb"(?=(?:3[0-9]){8})")
BASE64, HEX = re.compile(rb"[0-9A-Za-z]+"), re.compile(rb"[0-9A-Fa-f]+")

_Test = Callable[[bytes], bool]


class Sieve:
    def __init__(self, watch: Watch, counts: dict[str, int]) -> None:
        self._watch = watch
        self._counts = counts
        self._rows, self._named_rows = list(map(_search, watch.rows)), list(map(_search, watch.named_rows))
        self._tokens = [
            (begin, re.compile(rb"(?<![0-9A-Za-z])%b[0-9A-Za-z]{%d}" % (re.escape(begin), more)).search)
            for begin, more in watch.tokens
        ]
        self._plain_names: set[bytes] = set()  # seen before, and no hint

    def passes(self, head: RequestHead) -> bool:
        """Whether the head must be judged; counts `clean_heads` when not."""
        if self._watch.every_head or self._suspect(head) or any(map(self._suspect, head.readings)):
            return True
        self._counts["clean_heads"] += 1
        return False

    def strip(self, head: RequestHead) -> RequestHead:
        """A suspect head, and whether its target is clean. Fields that nobody needs may stay: nothing is copied."""
        target = head._replace(fields=(), readings=())
        clean = not self._watch.every_head and not self._suspect(target)
        return head._replace(readings=tuple(map(self.strip, head.readings)), target_is_clean=clean)

    def _suspect(self, head: RequestHead) -> bool:
        fields = head.fields
        # a line without a colon may have come as a name, so names are searched like values
        text = b",".join((head.target, *chain.from_iterable(fields)))
        if self._has_number(text):
            return True
        if not self._plain_names.issuperset([name for name, _ in fields]) and self._hinted(head):
            return True
        return (b"%" in text and any(map(self._has_number, _unquoted(text)))) or self._has_named_row(head, text)

    def _has_named_row(self, head: RequestHead, text: bytes) -> bool:
        if not any(_has_row(each, self._named_rows) for each in _with_coded(_spelt(text))):
            return False
        for field in ((b"", head.target), *head.fields):
            texts = list(chain.from_iterable(map(_spelt, field)))
            named = any(self._watch.named_by in letters(each) for each in texts)
            if named and any(_has_row(each, self._named_rows) for each in _with_coded(texts)):
                return True
        return False

    def _has_number(self, text: bytes) -> bool:
        return (
            _has_row(text, self._rows)
            or self._has_token(text)
            or any(map(self._is_number, _coded(text)))
            or (self._watch.digests is not None and any(self._watch.digests.found_in(text)))
        )

    def _is_number(self, text: bytes) -> bool:
        """Of text that was decoded: a row that is one where it is named may have its name in there as well."""
        return _has_row(text, self._rows) or (
            _has_row(text, self._named_rows) and self._watch.named_by in letters(text)
        )

    def _has_token(self, text: bytes) -> bool:
        for begin, search in self._tokens:  # noqa: SIM110 - as fast as it can be for the heads that have none
            if begin in text and search(text):
                return True
        return False

    def _hinted(self, head: RequestHead) -> bool:
        watch, plain = self._watch, self._plain_names
        for name, _ in head.fields:
            if name in plain:
                continue
            normal = normalise(name)
            if normal in watch.names or letters(normal).endswith(watch.stems):
                return True
            if len(plain) >= NAMES_KEPT:
                plain.clear()
            plain.add(name)
        return False


def _search(row: tuple[bytes, int]) -> _Test:
    """Whether a text of digits and commas has this row."""
    begin, more = row
    if begin:
        search = re.compile(b"%b[0-9]{%d}" % (begin.replace(b".", b"[0-9]"), more)).search
        return lambda digits: search(digits) is not None
    zeros = b"0" * more
    return lambda digits: zeros in digits.translate(ZERO_FOR_DIGIT)


def _has_row(text: bytes, rows: Iterable[_Test]) -> bool:
    digits = text.translate(COMMA_FOR_OTHERS, BETWEEN_DIGITS)
    for search in rows:  # noqa: SIM110 - as above
        if search(digits):
            return True
    return False


def _with_coded(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield text
        yield from _coded(text)


def _coded(text: bytes) -> Iterator[bytes]:
    """What the letters around digits in base64 (RFC 4648 section 4) and hex (section 8) stand for."""
    if DIGITS_IN_BASE64.search(text):
        for run in BASE64.findall(text):
            for at in {digits.start() % 4 for digits in DIGITS_IN_BASE64.finditer(run)}:
                part = run[at:]
                yield b64decode(part[: len(part) - (len(part) % 4 == 1)] + b"==")
    if DIGITS_IN_HEX.search(text):
        for run in HEX.findall(text):
            for at in {digits.start() % 2 for digits in DIGITS_IN_HEX.finditer(run)}:
                yield bytes.fromhex(run[at : len(run) - (len(run) - at) % 2].decode())


def _spelt(text: bytes) -> Iterator[bytes]:
    """As it is and, where that is another text, unquoted."""
    yield text
    if b"%" in text:
        yield from _unquoted(text)


def _unquoted(text: bytes) -> Iterator[bytes]:
    """RFC 3986 section 2.1, and once more: a Referer quotes an address that was quoted before."""
    for _ in range(2):
        text = unquote_to_bytes(text)
        yield text
