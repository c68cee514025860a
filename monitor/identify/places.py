"""The places of a request head: takes a RequestHead, yields each text in which a number may stand, with its name.

Cut in two steps, for nearly every text is clean: `texts` takes the target, the fields and the cookies as they are, and
`parts` cuts those that are suspect into parameters and cookies, so that each has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from monitor.identify.catalogue import normalise
from monitor.records import Place, RequestHead, Section

Text = tuple[Place, bytes, bytes]  # place, normalised name, octets as on the wire
_BETWEEN_PARTS = {Place.COOKIE: re.compile(rb";"), Place.QUERY: re.compile(rb"[&;]")}


def texts(head: RequestHead) -> Iterator[Text]:
    """Path, query, and the fields in wire order. Of a trailer section only the fields: the target is the head's."""
    trailer = head.section is Section.TRAILER
    if not trailer:
        path, _, query = head.target.partition(b"?")
        yield Place.PATH, b"path", path
        if query:
            yield Place.QUERY, b"query", query
    for name, value in head.fields:
        if trailer:
            yield Place.TRAILER, normalise(name), value
        elif name == b"cookie":
            yield Place.COOKIE, name, value
        elif name == b"referer":
            yield Place.REFERER, name, value
        elif name[:1] != b":" or name == b":authority":  # the other pseudo fields are target and method once more
            yield Place.HEADER, normalise(name), value


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
