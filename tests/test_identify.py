from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import benign
from monitor import counts
from monitor.field import letters
from monitor.identify import Identify
from monitor.identify.catalogue import CATALOGUE, STEMS, hint
from monitor.identify.numbers import OwnNumbers
from monitor.identify.plain import Plain
from monitor.portable.sieve import Sieve
from monitor.records import Certainty, Fields, Flow, RequestHead, Section, Watch
from monitor.verdicts import Form, Identifier, NumberPlan, Place, Sighting

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",), frozenset({b"x-own-subscriber"}))
IDENTIFY = Identify(PLAN)
ORACLE = Path(__file__).parents[2] / "shared" / "captures" / "oracle"


def head(*fields: tuple[bytes, bytes], target: bytes = b"/", **more: object) -> RequestHead:
    return RequestHead(0, FLOW, b"GET", target, b"HTTP/1.1", fields, **more)  # type: ignore[arg-type]


def seen(request: RequestHead, identify: Identify = IDENTIFY) -> list[tuple[str, Place, bytes]]:
    return [(one.number.digits, one.place, one.field) for one in identify.feed(request)]


def test_a_folded_value_is_not_sealed_where_a_number_stands_in_it() -> None:
    values = (b"447700900123 " + b"folded " * 9, b"447700900123" + b"folded" * 9)
    for first, second in (values, values[::-1]):
        other = head((b"x-msisdn", second))
        folded = head((b"x-msisdn", first), oddities=("fold",), readings=(other,))
        (sighting,) = IDENTIFY.feed(folded)
        assert (sighting.form, sighting.certainty) == (Form.PLAIN, Certainty.AMBIGUOUS)


def test_a_number_that_is_in_one_field_or_another_was_sent_once() -> None:
    """What stands behind a lone CR belongs to the field in front or is one by itself: the one with the telling name."""
    apart = head((b"x-a", b"b"), (b"x-msisdn", b"447700900123"))
    together = head((b"x-a", b"b\rX-MSISDN: 447700900123"))
    for first, second in ((apart, together), (together, apart)):
        (sighting,) = IDENTIFY.feed(first._replace(oddities=("cr",), readings=(second,)))
        assert (sighting.field, sighting.certainty) == (b"x-msisdn", Certainty.AMBIGUOUS)
    twice = head((b"x-a", b"447700900123"), (b"x-msisdn", b"447700900123"))
    assert len(IDENTIFY.feed(twice._replace(readings=(together,)))) == 2


def test_of_many_subscribers_all_but_the_last_are_contested() -> None:
    numbers = [b"447700900%03d" % number for number in range(300)]
    sightings = IDENTIFY.feed(head((b"x-a", b",".join(numbers))))
    assert [one.number.digits.encode() for one in sightings] == numbers
    assert [one.contested for one in sightings] == [True] * 299 + [False]


# --- where --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_head", "place", "field"),
    [
        (head((b"x-any", b"447700900123")), Place.HEADER, b"x-any"),
        (head((b"http_x_msisdn", b"447700900123")), Place.HEADER, b"x-msisdn"),
        (head((b"host", b"447700900123.shop.example")), Place.HEADER, b"host"),
        (head((b":authority", b"447700900123.shop.example")), Place.HEADER, b":authority"),
        (head((b"cookie", b"a=b; MSISDN=447700900123; c=d")), Place.COOKIE, b"msisdn"),
        (head((b"cookie", b"a=b; 447700900123")), Place.COOKIE, b""),
        (head((b"referer", b"http://shop.example/?n=%2B447700900123")), Place.REFERER, b"referer"),
        (head(target=b"/account/447700900123/balance"), Place.PATH, b"path"),
        (head(target=b"http://shop.example/447700900123"), Place.PATH, b"path"),
        (head(target=b"/?a=b&Tel_No=%2b44%207700%20900123"), Place.QUERY, b"tel-no"),
        (head(target=b"/?447700900123"), Place.QUERY, b""),
        (head((b"x-any", b"447700900123"), section=Section.TRAILER), Place.TRAILER, b"x-any"),
    ],
)
def test_places(request_head, place, field):
    assert seen(request_head) == [("447700900123", place, field)]


def test_a_sighting_says_all():
    request = head((b"x-any", b"tel:+447700900123"))
    (sighting,) = IDENTIFY.feed(request)
    assert sighting == Sighting(
        request,
        Identifier.MSISDN,
        sighting.number,
        Place.HEADER,
        b"x-any",
        Form.PLAIN,
        "tel_uri",
        Certainty.CONFIRMED,
        True,
    )


def test_wire_order():
    request = head(
        (b"x-b", b"447700900001"), (b"cookie", b"c=447700900002"), (b"x-a", b"447700900003"), target=b"/447700900004"
    )
    assert [field for _, _, field in seen(request)] == [b"path", b"x-b", b"c", b"x-a"]


def test_one_number_in_one_field_is_one_sighting():
    request = head((b"x-any", b"447700900123, 07700 900123"), (b"X-ANY", b"+447700900123"), (b"x-any", b"nothing"))
    assert seen(request) == [("447700900123", Place.HEADER, b"x-any")]
    assert IDENTIFY.feed(request)[0].spelling == "e164"


def test_other_numbers_and_other_fields_are_others():
    request = head((b"x-any", b"447700900123 447700900124"), (b"x-other", b"447700900123"), target=b"/447700900123")
    assert len(seen(request)) == 4


def test_pseudo_fields_do_not_repeat_the_target():
    request = head((b":path", b"/?a=447700900123"), target=b"/?a=447700900123")
    assert seen(request) == [("447700900123", Place.QUERY, b"a")]


def test_a_trailer_does_not_repeat_the_target():
    assert seen(head(target=b"/447700900123", section=Section.TRAILER)) == []


# --- how sure -----------------------------------------------------------------------------------------------------


def certainties(request: RequestHead) -> dict[str, Certainty]:
    return {one.number.digits[-3:]: one.certainty for one in IDENTIFY.feed(request)}


def test_what_all_readings_show_is_as_certain_as_the_head():
    other = head((b"x-any", b"447700900123"), (b"x", b"y"))
    request = head((b"x-any", b"447700900123"), readings=(other,))
    assert certainties(request) == {"123": Certainty.CONFIRMED}
    assert [one.head for one in IDENTIFY.feed(request)] == [request]


def test_what_some_readings_show_is_ambiguous():
    other = head((b"x-any", b"447700900124"))
    request = head((b"x-any", b"447700900123"), readings=(other,))
    assert certainties(request) == {"123": Certainty.AMBIGUOUS, "124": Certainty.AMBIGUOUS}
    assert {one.number.digits[-3:]: one.head for one in IDENTIFY.feed(request)} == {"123": request, "124": other}


def test_a_field_that_only_some_readings_have_is_ambiguous():
    request = head((b"x-any", b"447700900123"), readings=(head((b"x-other", b"447700900123")),))
    assert certainties(request) == {"123": Certainty.AMBIGUOUS}


def test_all_of_an_ambiguous_head_is_ambiguous():
    request = head((b"x-any", b"447700900123"), certainty=Certainty.AMBIGUOUS)
    assert certainties(request) == {"123": Certainty.AMBIGUOUS}


# --- who said so --------------------------------------------------------------------------------------------------


def contested(*fields: tuple[bytes, bytes]) -> list[tuple[str, bool]]:
    return [(one.number.digits[-3:], one.contested) for one in IDENTIFY.feed(head(*fields))]


@pytest.mark.parametrize("name", [b"x-msisdn", b"X_MSISDN", b"x-other"])
def test_of_headers_that_differ_the_last_is_the_gateways(name):
    assert contested((name, b"447700900123"), (b"x-msisdn", b"447700900124")) == [("123", True), ("124", False)]
    assert contested((name, b"NDQ3NzAwOTAwMTIz"), (b"x-msisdn", b"447700900124")) == [("123", True), ("124", False)]


def test_the_same_number_twice_is_no_contest():
    assert contested((b"x-other", b"447700900123"), (b"x-msisdn", b"+447700900123")) == [("123", False), ("123", False)]


def test_only_headers_and_own_numbers_of_one_kind_contest():
    gateways = (b"x-msisdn", b"447700900124")
    assert contested((b"cookie", b"n=447700900123"), gateways) == [("123", False), ("124", False)]
    assert contested((b"x-up-calling-line-id", b"15555550123"), gateways) == [("123", False), ("124", False)]
    assert contested((b"x-imsi", b"001010123456789"), gateways) == [("789", False), ("124", False)]
    assert contested((b"x-acr", b"40ce120a3509087f921cad996518742b"), gateways) == [("42b", False), ("124", False)]


# --- whose --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"x-msisdn", b"HTTP_X_MSISDN", b"x-up-calling-line-id", b"x-own-subscriber"])
def test_foreign_numbers_count_in_fields_that_carry_numbers(name):
    (sighting,) = IDENTIFY.feed(head((name, b"15555550123")))
    assert (sighting.number.digits, sighting.own, sighting.form) == ("15555550123", False, Form.PLAIN)


@pytest.mark.parametrize(
    "request_head",
    [
        head((b"x-any", b"15555550123")),
        head((b"x-any-msisdn", b"15555550123")),  # a name like that, but nobody's
        head((b"x-nokia-chargingid", b"15555550123")),
        head((b"cookie", b"msisdn=15555550123")),
        head(target=b"/?msisdn=15555550123"),
        head((b"referer", b"http://shop.example/?msisdn=15555550123")),
        head((b"x-msisdn", b"99999999999")),
    ],
)
def test_foreign_numbers_count_nowhere_else(request_head):
    assert seen(request_head) == []


def test_an_own_number_hides_what_stands_beside_it():
    assert seen(head((b"x-msisdn", b"15555550123, 447700900123"))) == [("447700900123", Place.HEADER, b"x-msisdn")]


def test_a_trailer_carries_foreign_numbers_too():
    (sighting,) = IDENTIFY.feed(head((b"x-msisdn", b"15555550123"), section=Section.TRAILER))
    assert (sighting.place, sighting.own) == (Place.TRAILER, False)


@pytest.mark.parametrize(
    ("request_head", "own"),
    [
        (head((b"x-wap-3gpp-imsi", b"001010123456789")), True),
        (head((b"x-any", b"001010123456789")), True),
        (head((b"x-wap-3gpp-imsi", b"310150102030405")), False),
    ],
)
def test_imsi(request_head, own):
    assert [(one.identifier, one.own) for one in IDENTIFY.feed(request_head)] == [(Identifier.IMSI, own)]


@pytest.mark.parametrize(
    ("request_head", "own"),
    [
        (head((b"x-nokia-imei", b"490154203237518")), True),
        (head((b"x-anybody-imei", b"490154203237518")), True),
        (head((b"x-imei", b"490154203237518")), False),  # apps send it under that name
        (head((b"cookie", b"imei=490154203237518")), False),
        (head(target=b"/ads?imei=490154203237518"), False),
        (head((b"referer", b"http://ads.example/?imei=490154203237518")), False),
    ],
)
def test_an_imei_is_the_operators_only_where_no_app_writes(request_head, own):
    assert [(one.identifier, one.own) for one in IDENTIFY.feed(request_head)] == [(Identifier.IMEI, own)]


def test_a_field_of_the_operators_is_no_apps():
    identify = Identify(PLAN._replace(fields=frozenset({b"x-imei"})))
    assert [one.own for one in identify.feed(head((b"x-imei", b"490154203237518")))] == [True]


def test_a_bare_national_number_counts_where_the_name_hints():
    for name in (b"x-any-msisdn", b"x-network-info", b"x-own-subscriber"):
        assert seen(head((name, b"GPRS,,7700900123,unsecured"))) == [("447700900123", Place.HEADER, name)]
    assert seen(head(target=b"/?mobileNumber=7700900123")) == [("447700900123", Place.QUERY, b"mobilenumber")]
    assert seen(head(target=b"/msisdn/7700900123/")) == [("447700900123", Place.PATH, b"path")]
    assert seen(head((b"x-order", b"7700900123"), target=b"/order/7700900123?id=7700900123")) == []


@pytest.mark.parametrize("text", [b"447700900123", b"+447700900123", b"447700900999", b"447700901000", b"+"])
def test_a_number_alone_is_what_the_reader_finds_in_it(text):
    own = OwnNumbers(PLAN)
    read = [(one.digits, one.spelling, one.form) for one in Plain(own).read(text, None)]
    alone = [(one.number.digits, one.spelling, one.form) for one in IDENTIFY.feed(head((b"x-any", text)))]
    assert alone == read
    assert own.all_of(text) == next((digits for digits, _, _ in read), "")


# --- every spelling, everywhere, once -----------------------------------------------------------------------------

SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda e164: e164,
    lambda e164: f"+{e164}",
    lambda e164: f"00{e164}",
    lambda e164: f"0{e164[2:]}",
    lambda e164: e164.rjust(15, "0"),
    lambda e164: f"+{e164[:2]} {e164[2:6]} {e164[6:]}",
    lambda e164: f"{e164[:2]}-{e164[2:6]}-{e164[6:9]}-{e164[9:]}",
    lambda e164: f"+{e164[:2]} (0){e164[2:6]}.{e164[6:]}",
    lambda e164: f"(0{e164[2:6]}) {e164[6:]}",
    lambda e164: f"0{e164[2:6]}/{e164[6:]}",
    lambda e164: f"tel:+{e164}",
    lambda e164: f"sip:+{e164}@ims.mnc010.mcc234.3gppnetwork.org",
    lambda e164: f"{e164}@ims.mnc010.mcc234.3gppnetwork.org",
    lambda e164: f"{e164}1326153600",
    lambda e164: quote(f"+{e164}"),
    lambda e164: quote(quote(f"+{e164[:2]} {e164[2:]}")),
    lambda e164: quote(f"+{e164[:2]}-{e164[2:]}", safe=""),
    lambda e164: json.dumps({"msisdn": e164}),
    lambda e164: f"msisdn={e164[2:]}",
    lambda e164: f"msisdn{e164}",
)
NUMBER = st.integers(0, 999).map("447700900{:03}".format)
SPELT = st.tuples(NUMBER, st.sampled_from(SPELLINGS)).map(lambda pair: (pair[0], pair[1](pair[0])))
# anything that ends where a list, a parameter or a quotation ends
INNOCENT = st.text("abcxyz0189=&;,/. -_", max_size=30).filter(lambda text: "44" not in text and "77" not in text)
BEFORE = st.tuples(INNOCENT, st.sampled_from(["", *',"<[{|>'])).map(lambda pair: pair[0] + pair[1] if pair[1] else "")
AFTER = st.tuples(st.sampled_from(["", *',"<[{|>']), INNOCENT).map(lambda pair: pair[0] + pair[1] if pair[0] else "")


@given(SPELT, BEFORE, AFTER)
def test_every_spelling_in_innocent_surroundings_is_found_once(spelt, before, after):
    number, text = spelt
    value = f"{before}{text}{after}".encode()
    assert seen(head((b"x-any", value))) == [(number, Place.HEADER, b"x-any")]
    assert seen(head((b"referer", value))) == [(number, Place.REFERER, b"referer")]


@given(SPELT, st.sampled_from([b"a", b"x-id", b"q[1]"]))
def test_every_spelling_in_a_cookie_or_parameter_is_found_once(spelt, name):
    number, text = spelt
    escaped = quote(text, safe="").encode()
    if "%" not in text:  # cookies and parameters quote once more, and what was quoted twice is nobody's any more
        assert seen(head((b"cookie", b"b=c; %b=%b; d=e" % (name, escaped)))) == [(number, Place.COOKIE, name)]
        assert seen(head(target=b"/?b=c&%b=%b&d=e" % (name, escaped))) == [(number, Place.QUERY, name)]


# --- the sieve passes too much, never too little ------------------------------------------------------------------

NAMES = st.sampled_from(
    [
        b"x-any",
        b"x-msisdn",
        b"X_MSISDN",
        b"http-x-msisdn",
        b"x-own-subscriber",
        b"cookie",
        b"referer",
        b"x-imsi",
        b"imei",
        b"",
    ]
)
PIECES = st.one_of(
    SPELT.map(lambda pair: pair[1].encode()),
    st.sampled_from(
        [b"15555550123", b"31015012", b"001010123456789", b"490154203237518", b"%", b"%20", b"imei=", b"\\u002b"]
    ),
    st.text("0123456789 +-./()%,;&=\n", max_size=12).map(str.encode),
    st.binary(max_size=8),
)
VALUES = st.lists(PIECES, max_size=4).map(b"".join)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), VALUES, st.booleans())
def test_what_identify_finds_the_sieve_passes(fields, target, as_reading):
    request = head(*fields, target=target)
    if as_reading:
        request = head(readings=(request,))
    if IDENTIFY.feed(request):
        assert Sieve(IDENTIFY.watch(), counts.zeros()).passes(request)


def test_what_is_remembered_of_a_field_is_what_it_shows_each_time(monkeypatch):
    """The same field of a head and of a trailer, of several heads, and when the memory is full."""
    monkeypatch.setattr("monitor.identify.REMEMBERED", 2)
    identify = Identify(PLAN)
    fields = [(b"x-msisdn", b"447700900%03d" % number) for number in (1, 2, 3, 1, 2)] + [(b"x-msisdn", b"none")] * 2
    for name, value in fields:
        for section, place in ((Section.HEAD, Place.HEADER), (Section.TRAILER, Place.TRAILER)):
            request = head((name, value), section=section)
            assert seen(request, identify) == ([(value.decode(), place, name)] if value != b"none" else [])
            assert all(one.head is request for one in identify.feed(request))


def test_watch():
    watch = Identify(PLAN).watch()
    assert isinstance(watch, Watch)
    assert watch.rows[:2] == ((b"7700900", 3), (b"00101", 10))
    assert (watch.named_rows, watch.named_by) == (((b"", 15),), b"imei")
    assert {(b"...009007744", 0), (b"44770009.0..", 0)} <= set(watch.rows[2:])
    assert {(b"683d0d9", 3), (b"RHcAkA", 2), (b"RHcAC", 3)} <= set(watch.tokens)
    assert {b"x-msisdn", b"http-x-msisdn", b"x-own-subscriber", b"x-uidh"} <= watch.names
    assert b"msisdn" in watch.stems
    assert not watch.every_head
    assert Identify(NumberPlan("44", "0", "00", (), ())).watch().rows == ()
    for name in {*CATALOGUE, *STEMS}:
        assert watch.named_by in letters(name) or hint(name) is not Identifier.IMEI


# --- what must not fire -------------------------------------------------------------------------------------------

TRAPS: dict[str, tuple[bytes, bytes]] = {
    "charging id": (b"x-nokia-chargingid", b"-1770090012"),
    "charging id of ten digits": (b"x-nokia-chargingid", b"7700900123"),
    "clock in milliseconds": (b"x-start", b"1326153600123"),
    "clock in seconds": (b"x-start", b"t=1326153600"),
    "clock behind a short number": (b"x-start", b"441326153600"),
    "order": (b"x-order", b"7700900123"),
    "longer order": (b"x-order", b"4477009001234567"),
    "card": (b"x-card", b"4477009001234567"),
    "card in groups": (b"x-card", b"4477 0090 0123 4567"),
    "address without dots": (b"x-ip", b"447790123"),
    "address": (b"x-ip", b"44.77.90.123"),
    "dummy": (b"x-msisdn", b"99999999999"),
    "Brazilian dummy": (b"x-msisdn", b"5500000000000"),
    "forwarded": (b"x-forwarded-for", b"10.44.77.0, 192.0.2.12, 10.77.0.90"),
    "length": (b"content-length", b"7700900123"),
    "range": (b"range", b"bytes=0-7700900123"),
    "ranges": (b"range", b"bytes=447700-900123"),
    "validator": (b"if-none-match", b'W/"447700900123abc"'),
    "hexadecimal validator": (b"if-none-match", b'"5d8-447700900123f"'),
    "version": (b"user-agent", b"Opera/44.7700.900.1.23"),
    "GUID": (b"x-request-id", b"6f9619ff-8b86-d011-b42d-447700900123"),
    "digest": (b"x-digest", b"a447700900123b447700900123c"),
    "latitude": (b"x-where", b"51.447700900123,-0.7700900123"),
    "app's IMEI": (b"x-device", b"490154203237518"),
    "foreign mobile": (b"x-any", b"447911123456"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_traps(trap):
    name, value = TRAPS[trap]
    key = b"id=" if name == b"x-msisdn" else b""
    assert seen(head((name, value))) == []
    assert seen(head((b"cookie", b"a=b; c=%b" % value), target=b"/x?" + key + quote(value).encode())) == []


# the drama numbers alone would hit nothing by chance: a plan of a whole operator tells more
OPERATOR = Identify(PLAN._replace(msisdn_ranges=(("447700000000", "447749999999"), ("447800000000", "447899999999"))))


def test_a_benign_corpus_shows_no_number():
    for name, value in benign.values(2012, 20_000):
        octets = value.encode()
        request = head(target=octets) if name == ":target" else head((name.lower().encode(), octets))
        assert [(request.fields, one.spelling) for one in OPERATOR.feed(request) if one.own] == []


@pytest.mark.shared
def test_real_captures_show_no_number():
    if not ORACLE.exists():
        pytest.skip("the shared folder is not beside the project")
    mobiles = Identify(PLAN._replace(msisdn_ranges=(("447000000000", "447999999999"),), imsi_prefixes=("234",)))
    for path in sorted(ORACLE.glob("*.jsonl")):
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            fields: Fields = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in row["headers"])
            request = head(*fields, target=(row["uri"] or "").encode("latin-1", "replace"))
            assert [one.spelling for one in mobiles.feed(request) if one.own] == []
