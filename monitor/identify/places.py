"""The places of a request head: takes a RequestHead, yields each text in which a number may stand, with its name.

Cut in two steps, for nearly every text is clean: `of_target` and `of_field` take path, query, fields and cookies as
they are, and `parts` cuts those that are suspect into parameters and cookies, so that each has its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from monitor.field import LONGEST_KEPT, normalise
from monitor.records import RequestHead, Section
from monitor.verdicts import Place

Text = tuple[Place, bytes, bytes]  # place, normalised name, octets as on the wire
_NO_DIGIT = bytes(set(range(256)).difference(b"0123456789"))
FEWEST_DIGITS = 7  # of anything that the sieve may take for a number
_BETWEEN_PARTS = {Place.COOKIE: re.compile(rb";"), Place.QUERY: re.compile(rb"[&;]")}


def of_target(target: bytes) -> list[Text]:
    """Path and query. A trailer section has none of its own: the target is the head's."""
    path, mark, query = target.partition(b"?")
    return [(Place.PATH, b"path", path), (Place.QUERY, b"query", query)] if mark else [(Place.PATH, b"path", path)]


def is_said(field: tuple[bytes, bytes], head: RequestHead) -> bool:
    """Whether the head's method or target says what this field says (RFC 9113 section 8.3); a second one may differ."""
    is_same = field in ((b":path", head.target), (b":method", head.method))
    return is_same and head.section is Section.HEAD


def of_field(name: bytes, value: bytes, section: Section) -> Text:
    """A field as it came.

    A name with as many digits as a number is looked at like a value, and is nobody's name: so is a line with no colon.
    """
    place, normal, has_digits = _remembered(name, section) if len(name) <= LONGEST_KEPT else _named(name, section)
    return place, normal, name + b":" + value if has_digits else value


def _named(name: bytes, section: Section) -> tuple[Place, bytes, bool]:
    """Place, normalised name, and whether the name has the digits of a number itself."""
    has_digits = len(name) >= FEWEST_DIGITS and len(name.translate(None, _NO_DIGIT)) >= FEWEST_DIGITS
    normal = b"" if has_digits else normalise(name)
    if section is Section.TRAILER:
        return Place.TRAILER, normal, has_digits
    if name == b"cookie":
        return Place.COOKIE, name, False
    if name == b"referer":
        return Place.REFERER, name, False
    return Place.HEADER, normal, has_digits


_remembered = lru_cache(4096)(_named)


def parts(
    place: Place, name: bytes, octets: bytes, shown: Callable[[bytes], object] | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Name and decoded text of each cookie or parameter, its own name in the text; anything else is one part.

    With `shown` only those for which it says so: a head has room for thousands.
    """
    between = _BETWEEN_PARTS.get(place)
    if between is None:
        yield name, decoded(octets)
        return
    for part in between.split(octets):
        text = decoded(part)
        if shown is None or shown(text):
            key, equals, _ = part.partition(b"=")
            yield normalise(decoded(key.strip())) if equals else b"", text


def decoded(octets: bytes) -> bytes:
    """RFC 3986 section 2.1, and once more: a Referer quotes an address that was quoted before."""
    if b"%" in octets:
        octets = unquote_to_bytes(octets)
        if b"%" in octets:
            octets = unquote_to_bytes(octets)
    return octets
