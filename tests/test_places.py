from __future__ import annotations

import pytest

from monitor.identify.places import decoded, of_field, of_target, parts
from monitor.records import Section
from monitor.verdicts import Place


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (b"/a/b?c=1&d=2", [(Place.PATH, b"path", b"/a/b"), (Place.QUERY, b"query", b"c=1&d=2")]),
        (b"/a/b", [(Place.PATH, b"path", b"/a/b")]),
        (b"http://a@x.example/p?q", [(Place.PATH, b"path", b"http://a@x.example/p"), (Place.QUERY, b"query", b"q")]),
    ],
)
def test_a_target_has_a_path_and_perhaps_a_query(target, wanted):
    assert of_target(target) == wanted


@pytest.mark.parametrize(
    ("name", "section", "wanted"),
    [
        (b"host", Section.HEAD, (Place.HEADER, b"host", b"1")),
        (b"x_y", Section.HEAD, (Place.HEADER, b"x-y", b"1")),
        (b"cookie", Section.HEAD, (Place.COOKIE, b"cookie", b"1")),
        (b"referer", Section.HEAD, (Place.REFERER, b"referer", b"1")),
        (b"cookie", Section.TRAILER, (Place.TRAILER, b"cookie", b"1")),
        (b"x_y", Section.TRAILER, (Place.TRAILER, b"x-y", b"1")),
        (b":authority", Section.HEAD, (Place.HEADER, b":authority", b"1")),
        (b":path", Section.HEAD, (Place.HEADER, b":path", b"1")),
    ],
)
def test_where_a_field_stands(name, section, wanted):
    assert of_field(name, b"1", section) == wanted


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


def test_parts_that_show_something():
    octets = b"a=1; b=%32; c"
    assert list(parts(Place.COOKIE, b"cookie", octets, lambda text: b"2" in text)) == [(b"b", b" b=2")]


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
