from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import counts
from monitor.engine import native_is_here, reader
from monitor.identify import Identify
from monitor.portable.sieve import Sieve
from monitor.records import Flow, RequestHead, Section
from monitor.verdicts import Form, NumberPlan, Place

NUMBER = "447700900123"
PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",))
IDENTIFY = Identify(PLAN)
# an operator with 25 million numbers: many tokens look like one of them
MANY_PLAN = PLAN._replace(msisdn_ranges=(("447700000000", "447724999999"),))
MANY = Identify(MANY_PLAN)
ODD = Identify(PLAN._replace(msisdn_ranges=(("44770090000", "44770090099"),)))
FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)


def head(*fields: tuple[bytes, bytes], target: bytes = b"/", section: Section = Section.HEAD) -> RequestHead:
    return RequestHead(0, FLOW, b"GET", target, b"HTTP/1.1", ((b"host", b"shop.example"), *fields), section=section)


def swapped(nibbles: str) -> str:
    even = nibbles + "F" * (len(nibbles) % 2)
    return "".join(even[at + 1] + even[at] for at in range(0, len(even), 2))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS = {
    "ascii_hex": lambda n: n.encode().hex(),
    "ascii_hex of plus": lambda n: f"+{n}".encode().hex().upper(),
    "tbcd": swapped,
    "tbcd with its type": lambda n: "91" + swapped(n),
    "hex_integer": lambda n: f"{int(n):x}",
    "hex_integer in capitals": lambda n: f"{int(n):X}",
    "base64": b64,
    "base64 of plus": lambda n: b64(f"+{n}"),
    "base64 of a national number": lambda n: b64(f"0{n[2:]}"),
    "base64 without padding": lambda n: b64(f"tel:+{n}").rstrip("="),
    "base64 of JSON": lambda n: base64.urlsafe_b64encode(json.dumps({"sub": n, "iat": 1326153600}).encode()).decode(),
    "base64_bcd": lambda n: base64.b64encode(bytes.fromhex(n + "F" * (len(n) % 2))).decode(),
    "base64_tbcd": lambda n: base64.urlsafe_b64encode(bytes.fromhex(swapped(n))).decode(),
    "base64_tbcd with its type": lambda n: base64.b64encode(bytes.fromhex("91" + swapped(n))).decode(),
    "reversed": lambda n: n[::-1],
}
LETTERS_ONLY = ("base64", "base64_bcd", "base64_tbcd")  # do not outlive what makes letters small


def places(text: str) -> dict[Place, RequestHead]:
    quoted = quote(text, safe="").encode()
    return {
        Place.HEADER: head((b"x-any", text.encode())),
        Place.TRAILER: head((b"x-any", text.encode()), section=Section.TRAILER),
        Place.COOKIE: head((b"cookie", b"a=b; id=%b; c=d" % quoted)),
        Place.PATH: head(target=b"/account/%b/balance" % quoted),
        Place.QUERY: head(target=b"/?a=b&id=%b&c=d" % quoted),
        Place.REFERER: head((b"referer", b"http://shop.example/?id=%b&c=d" % quoted)),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("identify", "number"), [(IDENTIFY, NUMBER), (ODD, "44770090012")])
def test_every_form_is_found_once_in_every_place(form, identify, number):
    for place, request in places(FORMS[form](number)).items():
        found = [(one.number.digits, one.form, one.spelling, one.place) for one in identify.feed(request)]
        assert found == [(number, Form.ENCODED, form.partition(" ")[0], place)]
        assert Sieve(identify.watch(), counts.zeros()).passes(request)


@pytest.mark.parametrize("text", [b"683d0d991b", b"321009007744", b"91447700091032", b"RHcAkAEj"])
def test_a_token_that_many_others_look_like_needs_a_hint(text):
    assert IDENTIFY.feed(head((b"x-any", text)))
    assert not MANY.feed(head((b"x-any", text)))


@pytest.mark.parametrize("name", [b"x-msisdn", b"x-any-subno"])
def test_a_hint_is_the_name_of_the_field(name):
    for text in (b"683d0d991b", b"321009007744", b"RHcAkAEj", b"91447700091032"):
        assert [one.number.digits for one in MANY.feed(head((name, text)))] == [NUMBER]


def test_a_hint_is_a_key_in_front():
    assert [one.number.digits for one in MANY.feed(head((b"x-any", b"msisdn=683d0d991b;ts=1")))] == [NUMBER]
    assert [one.number.digits for one in MANY.feed(head(target=b"/?phone=321009007744"))] == [NUMBER]


def test_what_is_a_plain_number_is_no_coded_one():
    assert [one.spelling for one in MANY.feed(head((b"x-msisdn", b"447700091032")))] == ["e164"]


@pytest.mark.parametrize(
    "text",
    [
        b"a683d0d991b",
        b"683d0d991bc",
        b"683D0d991b",
        b"0.321009007744",
        b"3210090077441",
        b"xRHcAkAEj",
        b"RHcAkAEjx",
        b"NDQ3NzAwOTAx",  # 447700901
        b"343437373030393031",
        b"44770009103",
        b"bm90IGEgbnVtYmVy",
    ],
)
def test_what_is_no_coded_number(text):
    assert IDENTIFY.feed(head((b"x-any", text))) == []


def test_long_runs_cost_no_more_than_their_length():
    for run in (b"NDQ3", b"Mz", b"33", b"30", b"91"):
        assert IDENTIFY.feed(head((b"x-any", run * 50_000))) == []


# --- the sieve passes too much, never too little ------------------------------------------------------------------

DIGITS = st.integers(0, 999).map("447700900{:03}".format)
CODED = st.tuples(DIGITS, st.sampled_from(list(FORMS.values()))).map(lambda pair: pair[1](pair[0]))
QUOTES = st.sampled_from([str, quote, lambda text: quote(quote(text, safe=""), safe=""),
                          lambda text: "".join(f"%{ord(letter):02x}" for letter in text)])  # fmt: skip
PIECES = st.one_of(
    st.tuples(CODED, QUOTES).map(lambda pair: pair[1](pair[0]).encode()),
    st.text('0123456789abcdefMNOQTjz=+/_-%&;. "', max_size=10).map(str.encode),
    st.binary(max_size=4),
)
TEXTS = st.lists(PIECES, max_size=4).map(b"".join)
NAMES = st.sampled_from([b"x-any", b"cookie", b"referer", b"x-msisdn", b"x-any-subno", b":authority"])


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=3), TEXTS, st.booleans(), st.sampled_from([IDENTIFY, MANY, ODD]))
def test_what_identify_finds_the_sieve_passes(fields, target, as_trailer, identify):
    request = head(*fields, target=target, section=Section.TRAILER if as_trailer else Section.HEAD)
    if identify.feed(request):
        assert Sieve(identify.watch(), counts.zeros()).passes(request)


@pytest.mark.skipif(not native_is_here(), reason="the native engine is not in this installation")
@given(st.lists(st.tuples(NAMES | st.just(b"x-imei"), TEXTS), max_size=3), TEXTS, st.sampled_from([PLAN, MANY_PLAN]))
def test_what_the_engine_shows_is_what_the_readers_find(fields, target, plan):
    request = head(*fields, target=target)
    assert Identify(plan, reader("native")).feed(request) == Identify(plan).feed(request)


def test_a_number_at_the_end_of_much_coded_text_is_found():
    for code in (base64.b64encode, base64.b16encode):
        text = code(b"1234567 " * 3000 + b"447700900123").rstrip(b"=")
        assert [one.number.digits for one in IDENTIFY.feed(head((b"x-any", text)))] == [NUMBER]
