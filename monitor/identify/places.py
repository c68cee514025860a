"""The places of a request head: takes a RequestHead, yields each text in which a number may stand, with its name.

Cut in two steps, for nearly every text is clean: `of_target` and `of_field` take path, query, fields and cookies as
they are, and `parts` cuts those that are suspect into parameters and cookies, so that each has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from monitor.field import normalise
from monitor.records import Place, Section

Text = tuple[Place, bytes, bytes]  # place, normalised name, octets as on the wire
_NO_DIGIT = bytes(set(range(256)).difference(b"0123456789"))
FEWEST_DIGITS = 7  # of anything that the sieve may take for a number
_BETWEEN_PARTS = {Place.COOKIE: re.compile(rb";"), Place.QUERY: re.compile(rb"[&;]")}


def of_target(target: bytes) -> list[Text]:
    """Path and query. A trailer section has none of its own: the target is the head's."""
    path, mark, query = target.partition(b"?")
    return [(Place.PATH, b"path", path), (Place.QUERY, b"query", query)] if mark else [(Place.PATH, b"path", path)]


def of_field(name: bytes, value: bytes, section: Section) -> Text | None:
    """A field as it came; None where it says what the head's method and target have said.

    A name with as many digits as a number is looked at like a value, and is nobody's name: so is a line with no colon.
    """
    if len(name) >= FEWEST_DIGITS and len(name.translate(None, _NO_DIGIT)) >= FEWEST_DIGITS:
        return Place.TRAILER if section is Section.TRAILER else Place.HEADER, b"", name + b":" + value
    if section is Section.TRAILER:
        return Place.TRAILER, normalise(name), value
    if name == b"cookie":
        return Place.COOKIE, name, value
    if name == b"referer":
        return Place.REFERER, name, value
    if name[:1] == b":" and name != b":authority":  # a pseudo field (RFC 9113 section 8.3)
        return None
    return Place.HEADER, normalise(name), value


def parts(place: Place, name: bytes, octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and decoded text of each cookie or parameter, its own name in the text; anything else is one part."""
    between = _BETWEEN_PARTS.get(place)
    if between is None:
        yield name, decoded(octets)
        return
    for part in between.split(octets):
        key, equals, _ = part.partition(b"=")
        yield normalise(decoded(key.strip())) if equals else b"", decoded(part)


def decoded(octets: bytes) -> bytes:
    """RFC 3986 section 2.1, and once more: a Referer quotes an address that was quoted before."""
    if b"%" in octets:
        octets = unquote_to_bytes(octets)
        if b"%" in octets:
            octets = unquote_to_bytes(octets)
    return octets
