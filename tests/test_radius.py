"""RADIUS accounting as gateways write it, and as nobody should."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.agreements.prefixes import Prefixes
from monitor.agreements.values import _network
from monitor.records import Flow, Message
from monitor.subscribers.feed import Feed, Terms
from monitor.subscribers.radius import MOST_ATTRIBUTES, Malformed, Numbering, Overfull, authentic, report
from monitor.subscribers.sessions import Report, Status
from pcaps.recipes_feed import GATEWAY, INTERIM, OFF, ON, START, STOP, accounting, attribute

SECOND = 10**9
HEADERS = 14 + 20 + 8
UK = Numbering("44", "0")


def octets(*args: object, **how: object) -> bytes:
    return accounting(*args, **how)[HEADERS:]  # type: ignore[arg-type]


def read(*args: object, **how: object) -> Report:
    found = report(octets(*args, **how), SECOND, UK)
    assert found is not None
    return found


def test_all_that_a_gateway_says() -> None:
    assert read() == Report(
        SECOND, Status.START, ip_address(GATEWAY).packed, b"5F00A1", (bytes([100, 64, 1, 2]),), "447700900123",
        "001010000000123", "mobile.operator.example", "utran", "00101",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"),
    [(START, Status.START), (STOP, Status.STOP), (INTERIM, Status.INTERIM), (ON, Status.ON), (OFF, Status.OFF)],
)
def test_every_status(code: int, status: Status) -> None:
    assert read(code).status is status


def test_what_is_no_session_is_none() -> None:
    assert report(octets(9), SECOND, UK) is None  # Tunnel-Start
    assert report(b"\x05" + octets()[1:], SECOND, UK) is None  # Accounting-Response


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (b"447700900123", "447700900123"),
        (b"+447700900123", "447700900123"),
        (b"00447700900123", "447700900123"),
        (b"07700900123", "447700900123"),
        (b"tel:+447700900123", "447700900123"),
        (b"447700900123\0", "447700900123"),
        (b"447700900123@operator.example", "447700900123"),
        (b"4477009001234567", ""),
        (b"00-1B-77-49-54-FD", ""),  # a Wi-Fi controller writes the handset's hardware address
        (b"", ""),
    ],
)
def test_numbers_as_gateways_write_them(written: bytes, number: str) -> None:
    assert read(msisdn=written).msisdn == number


@pytest.mark.parametrize(
    ("written", "apn"),
    [
        (b"wap.operator.example", "wap.operator.example"),
        (b"WAP.Operator.Example.mnc010.mcc234.gprs", "wap.operator.example"),
        (b"wap", "wap"),
        (b"a" * 101, ""),
        (b"\xff\xfe", ""),
    ],
)
def test_apns(written: bytes, apn: str) -> None:
    assert read(apn=written).apn == apn


def test_addresses_of_both_families() -> None:
    prefix = attribute(97, b"\0\x40" + bytes.fromhex("20010db800010000"))
    assert read(more=prefix).addresses == (bytes([100, 64, 1, 2]), bytes.fromhex("20010db800010000"))
    short = attribute(97, b"\0\x40" + bytes.fromhex("20010db80001"))  # zeros may be left out (RFC 3162 section 2.3)
    assert read(more=short).addresses[1] == bytes.fromhex("20010db800010000")
    wide = attribute(97, b"\0\x38" + bytes.fromhex("20010db8000100"))
    assert len(read(more=wide).addresses) == 1
    whole = attribute(168, ip_address("2001:db8:1::9").packed)
    assert read(more=whole).addresses[1] == bytes.fromhex("20010db800010000")
    assert read(address="255.255.255.254").addresses == ()  # RFC 2865 section 5.8: the NAS should select one


@pytest.mark.parametrize(
    "more",
    [
        b"\x1f",
        b"\x1f\x01",
        b"\x1f\x00",
        b"\x1f\xff",
        attribute(97, b"\0"),
        attribute(97, b"\0\x81" + bytes(16)),
        attribute(26, struct.pack("!I", 10415) + b"\x01\x09x"),
        attribute(168, b"short"),
    ],
)
def test_lengths_that_lie(more: bytes) -> None:
    with pytest.raises(Malformed):
        read(more=more)


@pytest.mark.parametrize("written", [b"\x19\x02", b"\x1f\x02", b"\x1a\x08" + struct.pack("!I", 10415) + b"\x63\x02"])
def test_so_many_attributes_and_no_more(written: bytes) -> None:
    """Those inside others count as well; what stands before too many is not believed either."""
    each, before = 1 + (written[0] == 26), len(list(parts(octets())))
    room = (MOST_ATTRIBUTES - before) // each
    assert read(more=written * room) == read()
    with pytest.raises(Overfull):
        read(more=written * (room + 1))
    with pytest.raises(Malformed):
        read(more=written * (room - 1) + b"\x1f\x01")


def parts(message: bytes, at: int = 20) -> Iterator[int]:
    """Where the attributes of an accounting message are, with those inside others."""
    while at < len(message):
        yield at
        if message[at] == 26:
            yield from parts(message[: at + message[at + 1]], at + 6)
        at += message[at + 1]


def test_a_vendor_attribute_that_is_too_short_for_a_vendor() -> None:
    assert read(more=b"\x1a\x02\0\x04\x28\xaf") == read()


def test_a_length_beyond_the_datagram() -> None:
    with pytest.raises(Malformed):
        report(octets()[:-1], SECOND, UK)
    assert report(octets() + b"padding", SECOND, UK) == read()


@given(st.binary(max_size=80))
def test_any_octets_are_a_report_or_malformed(tail: bytes) -> None:
    for some in (tail, b"\x04\x01" + struct.pack("!H", 20 + len(tail)) + bytes(16) + tail):
        with suppress(Malformed):
            report(some, SECOND, UK)


def signed(message: bytes, secret: bytes) -> bytes:
    made = hashlib.md5(message[:4] + bytes(16) + message[20:] + secret, usedforsecurity=False).digest()
    return message[:4] + made + message[20:]


def test_who_knows_the_secret_is_authentic() -> None:
    assert authentic(signed(octets(), b"s3cret"), b"s3cret")
    assert not authentic(signed(octets(), b"guess"), b"s3cret")
    assert not authentic(b"", b"s3cret")


# --- the feed ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def feed() -> Callable[..., Feed]:
    def make(secret: bytes | None = None, reports: tuple[Report, ...] = ()) -> Feed:
        gateways = Prefixes([(_network("192.0.2.64/28"), "gateway")])
        return Feed(
            Terms(
                frozenset({1813}), gateways.get, secret, frozenset({"gtpu"}), UK, 86_400 * SECOND, 600 * SECOND, reports
            )
        )

    return make


def message(payload: bytes, src: str = GATEWAY, path: tuple[tuple[str, int], ...] = (), second: int = 1) -> Message:
    return Message(second * SECOND, Flow(ip_address(src).packed, 50000, bytes(4), 1813, path), payload)


def counted(feed: Feed) -> dict[str, int]:
    return {kind: times for kind, times in feed.counts.items() if times}


def test_whom_the_feed_believes(feed: Callable[..., Feed]) -> None:
    told = feed()
    told.take(
        [
            message(octets()),
            message(octets(), src="100.64.7.7"),
            message(octets(), path=(("gtpu", 1),)),
            message(octets(), path=(("vxlan", 1),)),
            message(octets(STOP)),
            message(octets(more=b"\x1f\x00")),
            message(octets(msisdn=b"", imsi=b"")),
            message(octets(more=b"\x19\x02" * 200)),
            message(b"\x02" + octets()[1:]),
        ],
        SECOND,
    )
    one_each = dict.fromkeys(("stop", "malformed", "overfull", "incomplete", "other"), 1)
    assert counted(told) == {"start": 2, "untrusted": 2, **one_each}


def test_a_secret_makes_forgery_plain(feed: Callable[..., Feed]) -> None:
    told = feed(secret=b"s3cret")
    told.take([message(octets()), message(signed(octets(), b"s3cret"))], SECOND)
    assert counted(told) == {"start": 1, "untrusted": 1}


def test_a_file_is_told_when_its_time_comes_and_only_news_after_a_reload(feed: Callable[..., Feed]) -> None:
    reports = tuple(read()._replace(time_ns=second * SECOND, session=b"%d" % second) for second in (1, 5, 9))
    told = feed(reports=reports[:2])
    told.take([], 1 * SECOND)
    assert counted(told) == {"start": 1}
    told.adopt(feed(reports=reports)._terms)
    told.take([], 9 * SECOND)
    assert counted(told) == {"start": 3}
