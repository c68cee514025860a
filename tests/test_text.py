from __future__ import annotations

import ipaddress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report.text import address, masked, printable, rfc3339


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_326_196_800_000_000_001, "2012-01-10T12:00:00.000000001Z"),
        (2**32 * 10**9, "2106-02-07T06:28:16.000000000Z"),
        (2**64 * 1000, "9999-12-31T23:59:59.551616000Z"),  # a time stamp that no calendar holds is no error
        (-1, "1970-01-01T00:00:00.999999999Z"),
    ],
)
def test_a_time_is_rfc_3339_with_nine_digits(time_ns: int, text: str) -> None:
    assert rfc3339(time_ns) == text


@given(st.integers(0, 2**62))
def test_every_time_reads_back(time_ns: int) -> None:
    assert int(datetime.fromisoformat(rfc3339(time_ns)).timestamp()) == time_ns // 10**9


@given(st.ip_addresses())
def test_an_address_reads_back(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert ipaddress.ip_address(address(ip.packed)) == ip


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred", "a\rb", "a\nb", "\x9b2J", "\u202emoc.elpmaxe", "a\x00b", "\x07", "\u2028", "\ud800"]
)
def test_nothing_that_moves_a_cursor_is_printed(hostile: str) -> None:
    assert printable(hostile).isascii()
    assert printable(hostile).isprintable()


def test_what_is_harmless_stays() -> None:
    assert printable("bücher.example [x]") == "bücher.example [x]"


@pytest.mark.parametrize("length", [0, 300])
def test_a_number_in_a_name_is_masked_however_long_the_name(length: int) -> None:
    assert "447700900123" not in masked("447700900123.shop.example" + "x" * length)
