"""The forms of a number: each is found wherever it stands, and what only looks like one is not."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

from pcaps.recipe import NUMBER, QUIET, get, leak, recipe, talk_of
from pcaps.talk import Talk

SWAPPED = b"447700091032"
DIGESTS = [
    hashlib.new(name, text, usedforsecurity=False).digest()
    for name in ("md5", "sha1", "sha256")
    for text in (NUMBER, b"+" + NUMBER, b"0" + NUMBER[2:])
]
CODED = (
    NUMBER.hex().encode(),
    SWAPPED,
    b"91" + SWAPPED,
    b"%x" % int(NUMBER),
    base64.b64encode(NUMBER),
    base64.b64encode(b'{"sub":"%b"}' % NUMBER).rstrip(b"="),
    base64.b64encode(bytes.fromhex(NUMBER.decode())),
    base64.b64encode(bytes.fromhex(SWAPPED.decode())),
    base64.b64encode(b"\x91" + bytes.fromhex(SWAPPED.decode())),
    NUMBER[::-1],
    *(digest.hex().encode() for digest in DIGESTS),
    *(base64.b64encode(digest) for digest in DIGESTS),
)
QUOTED = [quote(text, safe="").encode() for text in CODED]
IN_ONE_RUN = (  # with a moment, as gateways write it against caches
    NUMBER + b"1326153600",
    NUMBER + b"1326153600123",
    b"1326153600" + NUMBER,
    b"1326153600123" + NUMBER,
    b"20120110" + NUMBER,
    NUMBER + b"20120110020015",
)
BETWEEN_LETTERS = (b"m" + NUMBER, NUMBER + b"A", b"+" + NUMBER + b"x1", b"T" + NUMBER + b"T", b"m0" + NUMBER[2:])
LIKE_A_NUMBER = (
    b"X-Nokia-ChargingId: -1770090012",
    b"X-Start: 1326153600123",
    b"X-Order: 7700900123",
    b"X-Card: 4477 0090 0123 4567",
    b"X-Device: 490154203237518",
    b"X-Forwarded-For: 10.44.77.0, 192.0.2.12, 10.77.0.90",
    b'If-None-Match: W/"447700900123abc"',
    b"X-Request-Id: 6f9619ff-8b86-d011-b42d-447700900123",
    b"X-Where: 51.447700900123,-0.7700900123",
    b"X-Id: 40ce120a3509087f921cad996518742b",
    b"X-Id: 683d0d991bff",
    b"X-Id: RHcAkAEjxyz",
    b"X-Id: NDQ3NzAwOTAx",
    b"User-Agent: Opera/44.7700.900.1.23",
    *(b"X-Id: " + text for text in BETWEEN_LETTERS),
    b"X-Id: 313233343536373839303132",
    b"X-Ids:" + b" 4477009001" * 50,
)


@recipe("forms", leak(times=len(CODED)))
def form_in_a_header() -> Talk:
    """Hex, nibbles, base64, backwards, and the digests that anybody can look up, in a header of any name."""
    return talk_of(*(get(b"X-Any: " + text) for text in CODED))


@recipe("forms", leak(times=len(CODED), outcome="secondary"))
def form_in_a_cookie() -> Talk:
    """The same as one cookie of several."""
    return talk_of(*(get(b"Cookie: a=b; id=%b; c=d" % text) for text in QUOTED))


@recipe("forms", leak(times=2 * len(CODED), outcome="secondary"))
def form_in_a_target() -> Talk:
    """The same as a step of the path, and as a parameter."""
    paths = (get(target=b"/account/%b/balance" % text) for text in QUOTED)
    return talk_of(*paths, *(get(target=b"/?a=b&id=%b&c=d" % text) for text in QUOTED))


@recipe("forms", leak(times=len(CODED), outcome="secondary"))
def form_in_a_referer() -> Talk:
    """The same in the address of the page before."""
    return talk_of(*(get(b"Referer: http://portal.example/?id=%b" % text) for text in QUOTED))


@recipe("forms", leak(times=len(CODED)))
def form_in_a_trailer() -> Talk:
    """The same behind the body."""
    post = get(b"Transfer-Encoding: chunked", method=b"POST")
    return talk_of(*(post + b"0\r\nX-Any: %b\r\n\r\n" % text for text in CODED))


@recipe("forms", leak(times=len(IN_ONE_RUN)))
def form_with_a_moment() -> Talk:
    """The number and a clock or a date in one run of digits: nobody sees where the one ends."""
    return talk_of(*(get(b"X-Any: " + text) for text in IN_ONE_RUN))


@recipe("forms", leak(times=len(BETWEEN_LETTERS)) + leak(times=len(BETWEEN_LETTERS), outcome="secondary"))
def form_between_letters() -> Talk:
    """Letters touch the number, in a header and in a parameter that are known to carry one."""
    headers = (get(b"X-MSISDN: " + text) for text in BETWEEN_LETTERS)
    return talk_of(*headers, *(get(target=b"/?msisdn=" + quote(text).encode()) for text in BETWEEN_LETTERS))


@recipe("forms", (*leak(), *leak(outcome="client_supplied")))
def two_subscribers() -> Talk:
    """The handset sent X_MSISDN itself, which a gateway that strips only X-MSISDN lets pass and adds its own to."""
    return talk_of(get(b"X_MSISDN: 447700900456", b"X-MSISDN: " + NUMBER))


@recipe("forms", QUIET)
def like_a_number() -> Talk:
    """Charging ids, clocks, cards, devices, validators, coordinates and digests of something else."""
    return talk_of(*(get(line) for line in LIKE_A_NUMBER))
