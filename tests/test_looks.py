"""What a first payload looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.looks import Looks, looks_of
from tests.heads import LEAK


@pytest.mark.parametrize(
    ("payload", "looks"),
    [
        (LEAK, Looks.REQUEST),
        (b"get /", Looks.REQUEST),
        (b"FROB /a HTTP/1.1\r\n", Looks.REQUEST),
        (b"M-SEARCH * HTTP/1.1\r\n", Looks.REQUEST),
        (b"\r\n\r\nGET / HTTP/1.1\r\n", Looks.REQUEST),
        (b"BAD\r\n\r\n" + LEAK, Looks.REQUEST),
        (b"GET /" + b"a" * 10_000, Looks.REQUEST),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Looks.REQUEST),
        (b"PROXY TCP4 192.0.2.1 203.0.113.9 1 2\r\n", Looks.REQUEST),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Looks.REQUEST),
        (b"HTTP/1.1 200 OK\r\n", Looks.RESPONSE),
        (b"HTTP/1.", Looks.PART),
        (b": shop.example\r\nA: b", Looks.PART),
        (b"EHLO client.example\r\n", Looks.PART),
        (b"FROB /a\r\n", Looks.PART),
        (b"OPTIONS * RTSP/1.0\r\n", Looks.PART),
        (b"\x16\x03\x01\x02\0", Looks.TLS),
        (b"\x15\x03\x01\0\x02\x02\x28GET / HTTP/1.1\r\n", Looks.REQUEST),
        (b"\x15\x03\x01\0\x02\x02\x28\x16\x03\x01\0\0\r\nGET /", Looks.REQUEST),
        (b"\x15\x03\x01\0\x02\x02GET / HTTP/1.1\r\n", Looks.TLS),
        (b"\0\0\4\x08\0\0\0\0\0\0\1\0\0", Looks.HTTP2),
        (b"\0\0\0\4\1\0\0\0\0" + b"\0\0\1\1\5\0\0\0\3\x88", Looks.HTTP2),
        (b"\0\0\4\x08\0\0\0\0\0\0\1\0\0 and more", Looks.OTHER),
        (b"\x00\x01\x02", Looks.OTHER),
        (b"\xff" * 20, Looks.OTHER),
    ],
)
def test_the_first_bytes_tell(payload: bytes, looks: Looks) -> None:
    assert looks_of(payload) is looks


def test_bytes_from_the_middle_may_look_like_anything() -> None:
    for payload in (b"HTTP/1.1 200 OK\r\n", b"\x16\x03\x01\x02\0", b"\x00\x01"):
        assert looks_of(payload, later=True) is Looks.PART


@given(st.integers(1, len(LEAK)))
def test_any_beginning_of_a_request_looks_like_one(size: int) -> None:
    assert looks_of(LEAK[:size]) is Looks.REQUEST


@given(st.binary(min_size=1))
def test_everything_looks_like_something(payload: bytes) -> None:
    assert looks_of(payload) in Looks
