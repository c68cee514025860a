"""The only way out for a number: takes a Number or free text, yields a token or a mask.

A token is a keyed pseudonym: equal numbers have equal tokens while the key lives, and without the key nobody can try
all numbers of a country (which takes minutes for a plain hash). Destroying the key is erasure (6-operations.md). A mask
is for people: enough to recognise a number that they know, too little to learn one.
"""

from __future__ import annotations

import hmac
import os
import re
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache
from ipaddress import AddressValueError, IPv4Address
from itertools import count
from pathlib import Path
from typing import AnyStr

from monitor.errors import ConfigError
from monitor.verdicts import Identifier, Number

KEY_OCTETS = 32
TOKEN_OCTETS = 16
REMEMBERED = 16_384  # tokens; a full memory starts again
MOST_IN_FRONT = 5  # digits that a mask shows: country and network, but no subscriber
MOST_IN_TEXT = 2  # of digits that somebody wrote: they may stand in the opposite order, and begin with the subscriber
AT_END = 2
HIDDEN = 5  # at the least: one of a hundred thousand
SHORTEST_RUN = 7  # digits of the shortest national number

_DIGIT = r"(?:[0-9]|%(?:25)*3[0-9])"
# between digits of one number, percent-encoded or not: more than identify takes for one
_GAP = (
    r"(?:[\x00-\x20()+\-./_\x7f-\U0010ffff]|,(?=[0-9%])"
    r"|%(?:25)*(?:[01][0-9A-Fa-f]|2[089BCDEFbcdef]|5[Ff]|[89A-Fa-f][0-9A-Fa-f]))"
)
_ENOUGH_DIGITS = re.compile(rf"(?:[^0-9]*[0-9]){{{SHORTEST_RUN}}}")
# texts, for compiling them takes as long as the command takes for a thousand heads; re keeps what was compiled
_WORD = r"[0-9A-Za-z+/_-]{7,}={0,2}"  # of the letters of base64, base64url or hexadecimal
_TOKEN = r"[0-9A-Za-z]{7,}"
_BETWEEN_TOKENS = r"[+/_-]"  # in base64 they are letters too
_ESCAPED = r"%(?:25)*([0-9A-Fa-f]{2})"
# two groups of three digits in base64, which has one case for each letter of such a group: lower case tells as much
_DIGITS_IN_BASE64 = r"(?i)(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){2}"
_HEX_DIGESTS = (32, 40, 64)  # hexadecimal digits of MD5, SHA-1, SHA-256
_HEX_INTEGER = range(7, 14)  # hexadecimal digits of a number of 8 to 15 digits as one integer
_BASE64_DIGESTS = (22, 27, 43)  # letters of the same digests
# letters of both cases and a digit; or digits among letters in two places, for names come in lower case
_MIXED = r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])|(?:.*(?:[0-9][a-z]|[a-z][0-9])){2}"
_SHORTEST_CODED_RUN = 10  # letters of seven digits
_PACKED = range(7, 13)  # letters of 10 to 15 packed digits, perhaps with an octet in front
# every other letter of packed digits begins with four bits of a digit, each other ends with them
_PACKED_BEGIN = r"(?:[ABCEFGIJKMNOQRSUVWYZacdeghiklm][A-JQ-Zg-pw-z0-5]){2}[ABCEFGIJKMNOQRSUVWYZacdeghiklm]"
_ROW = rf"[0-9]{{{SHORTEST_RUN},}}"
_CLOCK = (  # 20120110, 201201101230, 20120110123059; seconds since 1970, or parts of them
    "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?)?"
    "|1[0-9]{9}(?:[0-9]{3}){0,3}"
)
_URL_ALPHABET = str.maketrans("-_", "+/")


class Redactor:
    """`key` is what load_key or new_key gave."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._tokens: dict[tuple[str, Identifier], str] = {}

    def token(self, number: Number, identifier: Identifier = Identifier.MSISDN) -> str:
        """HMAC-SHA-256 (RFC 2104) over the E.164 digits, or kind and digits of another identifier; 128 bits in hex."""
        token = self._tokens.get((number.digits, identifier))
        if token is None:
            kind = "" if identifier is Identifier.MSISDN else f"{identifier}:"
            token = hmac.digest(self._key, f"{kind}{number.digits}".encode(), "sha256")[:TOKEN_OCTETS].hex()
            if len(self._tokens) >= REMEMBERED:
                self._tokens.clear()
            self._tokens[number.digits, identifier] = token
        return token

    @staticmethod
    def mask(number: Number) -> str:
        """`44770*****23`."""
        digits = number.digits
        front, stars, behind = _mask(len(digits))
        return digits[:front] + stars + digits[behind:]


def mask_text(text: AnyStr) -> AnyStr:
    """Text of the wire with every run of digits masked that is long enough for a number, whatever lies between them.

    What is no digit stays, and so does the length; an IPv4 address that stands by itself stays readable. Masked as a
    whole, wherever it stands and however it is percent-encoded, is what can be turned back into a number: base64 of
    such a run or of packed digits, a number in hexadecimal, and whatever may be an unkeyed hash.
    """
    if isinstance(text, bytes):
        return mask_text(text.decode("latin-1")).encode("latin-1")
    text = _starred(text, _codes(text))
    if (masked := mask_name(text)) == text:
        return text
    return _starred(masked, _codes(masked))  # digits that touched a code are stars now


def mask_name(name: str) -> str:
    """A name that somebody of ours chose, with runs of digits masked. `face2face` is no number in hexadecimal there."""
    return _patterns()[0].sub(_masked_run, name) if _has_run(name) else name


def mask_path(path: str) -> str:
    """A file's name, which may be somebody's number; the dates and Unix times of captures stay readable."""
    return re.sub(_ROW, lambda row: row[0] if re.fullmatch(_CLOCK, row[0]) else _masked_run(row), path)


def load_key(path: str | Path) -> bytes:
    """The key in a file that nobody else may read; of text, without white space around it. Raises ConfigError."""
    remedy = f"make one with `(umask 077; python3 -c 'import secrets; print(secrets.token_hex())' > {path})`"
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the key ({error.strerror}); {remedy}") from None
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read or write this key (mode {mode:04o}); run `chmod 600 {path}`")
    text = key.strip()
    if text.isascii() and text.decode("ascii").isprintable():
        key = text  # random octets may begin or end with what looks like white space
    if len(key) < KEY_OCTETS:
        raise ConfigError(f"{path}: the key has {len(key)} octets, fewer than {KEY_OCTETS}; {remedy}")
    return key


def new_key() -> bytes:
    """For a run without a key file: its tokens compare with those of no other run."""
    return os.urandom(KEY_OCTETS)


@cache  # late: these take as long to compile as the command takes for a thousand heads, and few texts need them
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A run of digits that may be a number; and a gap (group 1) or a digit of it."""
    run = rf"{_DIGIT}(?:{_GAP}{{0,4}}{_DIGIT}){{{SHORTEST_RUN - 1},}}+"
    return re.compile(run), re.compile(rf"({_GAP})|{_DIGIT}")


def _has_run(text: str) -> bool:
    return _ENOUGH_DIGITS.match(text) is not None and _patterns()[0].search(text) is not None


def _shown(digits: int, most: int) -> tuple[int, int]:
    """How many of so many digits a mask shows in front, `most` at the most, and at the end."""
    return max(0, min(most, digits - HIDDEN - AT_END)), AT_END if digits >= HIDDEN + AT_END else 0


@lru_cache(256)  # what is sealed may be of any length
def _mask(digits: int) -> tuple[int, str, int]:
    """How many of so many digits a mask shows in front, the stars behind them, and where the end begins."""
    front, end = _shown(digits, MOST_IN_FRONT)
    return front, "*" * (digits - front - end), digits - end


def _codes(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each code in the text that a number can be read from."""
    places: list[int] | None = None
    if "%" in text:
        text, places = _unescaped(text)
    for word in re.finditer(_WORD, text):
        for start, end in _codes_in(word[0]):
            at = word.start()
            yield (at + start, at + end) if places is None else (places[at + start], places[at + end])


def _unescaped(text: str) -> tuple[str, list[int]]:
    """Percent-encoding taken off, once and for all, and where each character of what is left began; the end too."""
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for escape in re.finditer(_ESCAPED, text):
        parts += text[at : escape.start()], chr(int(escape[1], 16))
        places += range(at, escape.start() + 1)
        at = escape.end()
    return "".join((*parts, text[at:])), [*places, *range(at, len(text) + 1)]


def _codes_in(word: str) -> list[tuple[int, int]]:
    """A hash of a number is the number: all of a country can be tried in minutes (4-identify.md)."""
    end, codes = len(word), [token.span() for token in re.finditer(_TOKEN, word) if _is_token(token[0])]
    packed_begin = re.compile(_PACKED_BEGIN)
    for start in (0, *(between.end() for between in re.finditer(_BETWEEN_TOKENS, word))):
        packed = _PACKED if packed_begin.match(word, start) else ()
        for stop in (start + length for length in (*packed, *_BASE64_DIGESTS)):
            if stop <= end and (stop == end or not word[stop].isalnum()) and _is_base64(word[start:stop]):
                codes.append((start, stop if word[stop:].strip("=") else end))  # with its padding
    return codes or ([(0, end)] if _holds_run(word) else [])


def _is_token(token: str) -> bool:
    """Whether it is hexadecimal and may be a hash or a number, or base64 with digits in it."""
    if len(token) in _HEX_DIGESTS or (
        len(token) in _HEX_INTEGER
        and not token.isdigit()
        and not token.isalpha()
        and token in (token.lower(), token.upper())
    ):
        with suppress(ValueError):
            return int(token, 16) > 0
    return re.search(_DIGITS_IN_BASE64, token) is not None


def _holds_run(word: str) -> bool:
    """Whether this is base64 of text with a run of digits in it."""
    return len(word) >= _SHORTEST_CODED_RUN and _has_run(_from_base64(word).decode("latin-1"))


def _is_base64(word: str) -> bool:
    """Whether this is base64 of packed digits (BCD, or TBCD with its filler), or may be of a hash."""
    if len(word) in _BASE64_DIGESTS:
        return re.match(_MIXED, word) is not None
    octets = _from_base64(word)
    if b64encode(octets).decode().rstrip("=") != word.rstrip("=").translate(_URL_ALPHABET):
        return False  # no encoder leaves bits over
    return re.fullmatch("(?!000)[0-9]{7,}f?[0-9]?", octets.hex()) is not None


def _from_base64(word: str) -> bytes:
    """In either alphabet, padded or not; nothing where it is none."""
    letters = word.rstrip("=").translate(_URL_ALPHABET)
    return b64decode(letters + "=" * (-len(letters) % 4)) if len(letters) % 4 != 1 else b""


def _starred(text: str, codes: Iterable[tuple[int, int]]) -> str:
    letters: list[str] = []
    for start, end in codes:
        letters = letters or list(text)
        letters[start:end] = "*" * (end - start)
    return "".join(letters) or text


def _masked_run(run: re.Match[str]) -> str:
    try:
        return str(IPv4Address(run[0]))
    except AddressValueError:
        pass
    gap_or_digit = _patterns()[1]
    digits = sum(part[1] is None for part in gap_or_digit.finditer(run[0]))
    front, end = _shown(digits, MOST_IN_TEXT)
    places = count()

    def star(part: re.Match[str]) -> str:
        shown = part[1] or not front <= next(places) < digits - end
        return part[0] if shown else "*" * len(part[0])

    return gap_or_digit.sub(star, run[0])
