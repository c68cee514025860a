"""Unkeyed digests of own numbers: takes a digest, yields the number that it is of.

All mobile numbers of a country are hashed in minutes, so whoever gets an MD5, SHA-1 or SHA-256 of a number has the
number; so must we. A table holds the digests of every own number in the three ways that people write it before they
hash it (SPELT). It is a file that `msisdn-monitor hashes` writes and both engines read in place.

The file is a line that says whose numbers it is of, then for each algorithm the digests in order, without the digests:
buckets of about sixteen by their first bits, and in them four octets a digest. These are a few more bits of it, and
which number in which spelling it is of. What the bits leave open is settled by hashing that number, so nothing is found
that is not there, and no number stands in the file. A look-up touches two places; the rest need not be in memory.

    line | zeros to ALIGN | for each of ALGORITHMS: u32 begin[2^b + 1], u32 entry[3 n]

Little endian. Of n numbers with 3 n codes of k bits, a bucket is the first b = k - 4 bits of a digest; an entry is the
next 32 - k bits and the code, 3 * (index of the number) + (index in Layout.spelt).
"""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
import sys
from array import array
from base64 import urlsafe_b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from itertools import accumulate, chain
from pathlib import Path
from string import ascii_letters, digits

from monitor.errors import ConfigError
from monitor.identify.numbers import OwnNumbers
from monitor.verdicts import NumberPlan

ALGORITHMS = ("md5", "sha1", "sha256")
SPELT = 3  # e164, +e164, national
ALIGN = 4096
FORMAT = 1
MOST = 2**32 // SPELT  # numbers
MOST_IN_PYTHON = 1_000_000  # it takes some 20 s for these, and sorts them as objects
SMALL = 10_000  # numbers for which every run makes its own table, in a tenth of a second, where there is none
REMEDY = "make it with `msisdn-monitor hashes`"
# 16, 20 or 32 octets in hex; the same in base64 of either alphabet, behind any slash of a path
_HEX = re.compile(rb"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})(?![0-9A-Za-z])")
_BASE64 = [
    re.compile(rb"(?<![0-9A-Za-z+_-])(?=([0-9A-Za-z+/_-]{%d})(?![0-9A-Za-z+_-]))" % letters) for letters in (22, 27, 43)
]
MOST_SLASHES = 7  # of 22 letters behind a slash: more are a path, for of 10^9 digests one has eight
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SHORTEST = b"A" * 22  # letters of MD5 in base64
_A_FOR_LETTER = bytes(0x41 if chr(octet) in ascii_letters + digits + "+/_-" else 0x2C for octet in range(256))
Progress = Callable[[int], None]  # digests made since the last call


class Layout:
    """Where things lie in the table of these numbers."""

    def __init__(self, plan: NumberPlan) -> None:
        self.country, self.trunk = plan.country, plan.trunk_prefix
        self.ranges = OwnNumbers(plan).ranges
        self._before = [0, *accumulate(last - first + 1 for first, last in self.ranges)]
        self.amount = self._before[-1]
        self.entries = SPELT * self.amount
        self.code_bits = max(self.entries - 1, 1).bit_length()
        self.bucket_bits = max(self.code_bits - 4, 0)
        ranges = " ".join(f"{first}-{last}" for first, last in self.ranges)
        words = f"msisdn-monitor hashes {FORMAT}; country {self.country}; trunk {self.trunk}; numbers {ranges}\n"
        self.line = words.encode()
        self.begin = -(-len(self.line) // ALIGN) * ALIGN
        self.section = 4 * (2**self.bucket_bits + 1 + self.entries)
        self.size = self.begin + len(ALGORITHMS) * self.section

    def number(self, index: int) -> str:
        at = bisect_right(self._before, index) - 1
        return str(self.ranges[at][0] + index - self._before[at])

    def spelt(self, number: str) -> tuple[bytes, bytes, bytes]:
        """In the order of a code."""
        national = self.trunk + number[len(self.country) :]
        return number.encode(), f"+{number}".encode(), national.encode()


class HashTable:
    """The table of a plan. `file` is a whole one, and `path` where it lies; without, it is made when first asked."""

    def __init__(self, layout: Layout, file: mmap.mmap | None = None, path: str | None = None) -> None:
        self.layout, self.path = layout, path
        self._file = file
        sections = range(layout.begin, layout.size, layout.section)
        made = (hashlib.new(name, usedforsecurity=False).digest_size for name in ALGORITHMS)
        self._sections = dict(zip(made, zip(ALGORITHMS, sections, strict=True), strict=True))

    @cached_property
    def octets(self) -> bytes | mmap.mmap:
        return b"".join(written(self.layout, lambda _: None)) if self._file is None else self._file

    def may_be_in(self, text: bytes) -> bool:
        """Whether something as long as a digest stands there."""
        if _SHORTEST not in text.translate(_A_FOR_LETTER):
            return False
        return _HEX.search(text) is not None or any(one.search(text) for one in _BASE64)

    def found_in(self, text: bytes) -> Iterator[tuple[int, str]]:
        """Of each digest of an own number that stands in a text, how many octets it has and whose it is."""
        hexadecimal = (bytes.fromhex(match[0].decode()) for match in _HEX.finditer(text))
        letters = (match[1] for one in _BASE64 for match in one.finditer(text) if not _is_path(match))
        base64 = (urlsafe_b64decode(some.translate(_URL_SAFE) + b"==") for some in letters)
        for digest in chain(hexadecimal, base64):
            if number := self.find(digest):
                yield len(digest), number

    def find(self, digest: bytes) -> str | None:
        """E.164 digits of the own number that has this digest of 16, 20 or 32 octets."""
        layout, (name, section) = self.layout, self._sections[len(digest)]
        bits = int.from_bytes(digest[:8], "big")
        begin, end = struct.unpack_from("<II", self.octets, section + 4 * (bits >> 64 - layout.bucket_bits))
        more = bits >> 32 - layout.bucket_bits + layout.code_bits & 2 ** (32 - layout.code_bits) - 1
        first = section + 4 * (2**layout.bucket_bits + 1 + begin)
        for entry in struct.unpack_from(f"<{end - begin}I", self.octets, first):
            if entry >> layout.code_bits == more:
                index, spelling = divmod(entry & 2**layout.code_bits - 1, SPELT)
                number = layout.number(index)
                if _digest(name, layout.spelt(number)[spelling]) == digest:
                    return number
        return None

    @property
    def native(self) -> tuple[str, str, list[tuple[int, int]], int, str | None]:
        """As Digests says."""
        layout = self.layout
        return layout.country, layout.trunk, layout.ranges, layout.begin, self.path


def table_of(plan: NumberPlan) -> HashTable | None:
    """The table that the plan names; without one, of few numbers a table in memory. Raises as open_table."""
    return open_table(Path(plan.hash_table), plan) if plan.hash_table else small_table(plan)


def open_table(path: Path, plan: NumberPlan) -> HashTable:
    """The table in a file, mapped into memory. Raises ConfigError where it cannot be read or is of other numbers."""
    layout = Layout(plan)
    try:
        with path.open("rb") as file:
            octets = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path}: cannot read the table of hashes ({fault}); {REMEDY}") from None
    if octets[: len(layout.line)] != layout.line:
        raise ConfigError(f"{path}: this table of hashes is not of the ranges in network.yaml; {REMEDY}")
    if len(octets) != layout.size:
        raise ConfigError(f"{path}: this table of hashes is not whole; {REMEDY}")
    return HashTable(layout, octets, str(path.absolute()))


def small_table(plan: NumberPlan) -> HashTable | None:
    """A table in memory, if it takes little time to make one."""
    return _made(plan.country, plan.trunk_prefix, plan.msisdn_ranges)


@lru_cache(8)
def _made(country: str, trunk: str, ranges: tuple[tuple[str, str], ...]) -> HashTable | None:
    layout = Layout(NumberPlan(country, trunk, "", ranges, ()))
    if not 0 < layout.amount <= SMALL:
        return None
    return HashTable(layout)


def written(layout: Layout, progress: Progress) -> Iterator[bytes]:
    """The octets of a table, piece by piece."""
    yield layout.line.ljust(layout.begin, b"\0")
    kept_bits = layout.bucket_bits + 32 - layout.code_bits
    for name in ALGORITHMS:
        keys = []
        for index in range(layout.amount):
            for spelling, text in enumerate(layout.spelt(layout.number(index))):
                bits = int.from_bytes(_digest(name, text)[:8], "big") >> 64 - kept_bits
                keys.append(bits << layout.code_bits | SPELT * index + spelling)
            if index % 10_000 == 0:
                progress(min(10_000, layout.amount - index) * SPELT)
        keys.sort()
        sizes = array("I", [0]) * (2**layout.bucket_bits + 1)
        for key in keys:
            sizes[(key >> 32) + 1] += 1
        yield _little_endian(array("I", accumulate(sizes)))
        yield _little_endian(array("I", [key & 0xFFFFFFFF for key in keys]))


def _is_path(match: re.Match[bytes]) -> bool:
    """Whether what seems a digest behind a slash is a path of many short parts."""
    begin = match.start()
    return match.string[begin - 1 : begin] == b"/" and match.string.count(b"/", begin, begin + 22) > MOST_SLASHES


def _little_endian(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def _digest(name: str, text: bytes) -> bytes:
    return hashlib.new(name, text, usedforsecurity=False).digest()
