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
from base64 import b64decode
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from itertools import count
from pathlib import Path
from string import hexdigits
from typing import AnyStr

from monitor.errors import ConfigError
from monitor.records import Identifier, Number

KEY_OCTETS = 32
TOKEN_OCTETS = 16
REMEMBERED = 16_384  # tokens; a full memory starts again
MOST_IN_FRONT = 5  # digits that a mask shows: country and network, but no subscriber
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
_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")  # in base64, base64url or hexadecimal, perhaps
_HEX_DIGESTS = (32, 40, 64)  # hexadecimal digits of MD5, SHA-1, SHA-256
_DIGESTS = (16, 20, 32)  # octets of them
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
        front, end = _shown(len(digits))
        hidden = len(digits) - front - end
        return digits[:front] + "*" * hidden + digits[front + hidden :]


def mask_text(text: AnyStr) -> AnyStr:
    """Text of the wire with every run of digits masked that is long enough for a number, whatever lies between them.

    What is no digit stays, and so does the length; an IPv4 address that stands by itself stays readable. Base64 of such
    a run or of packed digits, and whatever may be an unkeyed hash, is masked as a whole.
    """
    if isinstance(text, bytes):
        return mask_text(text.decode("latin-1")).encode("latin-1")
    text = _CODED.sub(_masked_code, text)
    return _patterns()[0].sub(_masked_run, text) if _has_run(text) else text


def load_key(path: str | Path) -> bytes:
    """The key in a file that nobody else may read, without white space around it. Raises ConfigError."""
    remedy = f"make one with `(umask 077; python3 -c 'import secrets; print(secrets.token_hex())' > {path})`"
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read().strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the key ({error.strerror}); {remedy}") from None
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read or write this key (mode {mode:04o}); run `chmod 600 {path}`")
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


def _shown(digits: int) -> tuple[int, int]:
    """How many of so many digits a mask shows in front and at the end."""
    return max(0, min(MOST_IN_FRONT, digits - HIDDEN - AT_END)), AT_END if digits >= HIDDEN + AT_END else 0


def _masked_code(code: re.Match[str]) -> str:
    """A hash of a number is the number: all of a country can be tried in minutes (4-identify.md)."""
    word = code[0]
    if len(word) in _HEX_DIGESTS and all(c in hexdigits for c in word):
        return "*" * len(word)
    bare = word.rstrip("=").translate(_URL_ALPHABET)
    try:
        octets = b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return word
    mixed = any(map(str.isupper, bare)) and any(map(str.islower, bare)) and any(map(str.isdigit, bare))
    packed = re.fullmatch("(?!000)[0-9]{7,}f?[0-9]?", octets.hex())  # BCD, or TBCD with its filler
    if packed or _has_run(octets.decode("latin-1")) or (mixed and len(octets) in _DIGESTS):
        return "*" * len(word)
    return word


def _masked_run(run: re.Match[str]) -> str:
    try:
        return str(IPv4Address(run[0]))
    except AddressValueError:
        pass
    gap_or_digit = _patterns()[1]
    digits = sum(part[1] is None for part in gap_or_digit.finditer(run[0]))
    front, end = _shown(digits)
    places = count()

    def star(part: re.Match[str]) -> str:
        shown = part[1] or not front <= next(places) < digits - end
        return part[0] if shown else "*" * len(part[0])

    return gap_or_digit.sub(star, run[0])
