from __future__ import annotations

import pytest

from monitor.identify.places import decoded, parts, texts
from monitor.records import Flow, Place, RequestHead, Section

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)


def head(target: bytes, *fields: tuple[bytes, bytes], section: Section = Section.HEAD) -> RequestHead:
    return RequestHead(0, FLOW, b"GET", target, b"HTTP/1.1", fields, section=section)


def test_every_place_of_a_head():
    request = head(
        b"/a/b?c=1&d=2",
        (b"host", b"shop.example"),
        (b"cookie", b"e=3"),
        (b"referer", b"http://x.example/?f"),
        (b"x_y", b"4"),
    )
    assert list(texts(request)) == [
        (Place.PATH, b"path", b"/a/b"),
        (Place.QUERY, b"query", b"c=1&d=2"),
        (Place.HEADER, b"host", b"shop.example"),
        (Place.COOKIE, b"cookie", b"e=3"),
        (Place.REFERER, b"referer", b"http://x.example/?f"),
        (Place.HEADER, b"x-y", b"4"),
    ]


def test_pseudo_fields_say_nothing_new_but_the_authority():
    request = head(
        b"/a", (b":method", b"GET"), (b":path", b"/a"), (b":scheme", b"http"), (b":authority", b"shop.example")
    )
    assert list(texts(request)) == [(Place.PATH, b"path", b"/a"), (Place.HEADER, b":authority", b"shop.example")]


def test_a_trailer_section_has_only_its_fields():
    request = head(b"/a?b=1", (b"x-y", b"4"), (b"cookie", b"e=3"), section=Section.TRAILER)
    assert list(texts(request)) == [(Place.TRAILER, b"x-y", b"4"), (Place.TRAILER, b"cookie", b"e=3")]


def test_an_absolute_target_is_cut_like_any():
    assert [text for _, _, text in texts(head(b"http://a@shop.example:80/p?q"))] == [
        b"http://a@shop.example:80/p",
        b"q",
    ]


@pytest.mark.parametrize(
    ("place", "octets", "wanted"),
    [
        (Place.QUERY, b"a=1&B_c=2;d", [(b"a", b"a=1"), (b"b-c", b"B_c=2"), (b"", b"d")]),
        (Place.QUERY, b"a=1%262&b%3D=%33", [(b"a", b"a=1&2"), (b"b=", b"b==3")]),
        (Place.COOKIE, b"a=1; b=2&c=3", [(b"a", b"a=1"), (b"b", b" b=2&c=3")]),
        (Place.HEADER, b"a=1; b=2", [(b"name", b"a=1; b=2")]),
        (Place.REFERER, b"http://x.example/?a=1&b=%2B2", [(b"name", b"http://x.example/?a=1&b=+2")]),
    ],
)
def test_parts(place, octets, wanted):
    assert list(parts(place, b"name", octets)) == wanted


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"%2B44", b"+44"),
        (b"%252b44", b"+44"),
        (b"%25252b44", b"%2b44"),  # nobody quotes three times
        (b"100%", b"100%"),
        (b"%zz", b"%zz"),
        (b"plain", b"plain"),
    ],
)
def test_decodes_twice(octets, wanted):
    assert decoded(octets) == wanted
