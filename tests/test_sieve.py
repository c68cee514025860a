from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import counts
from monitor.identify import Identify
from monitor.portable import sieve
from monitor.portable.sieve import Sieve
from monitor.records import Flow, RequestHead, Section, Watch
from monitor.verdicts import NumberPlan

FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
WATCH = Watch(
    names=frozenset({b"x-up-calling-line-id"}),
    stems=(b"msisdn", b"subno"),
    rows=((b"7700900", 3),),
    named_rows=((b"", 15),),
    named_by=b"imei",
)
CLEAN = (
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (Linux; Android 14; SM-A546B) Chrome/126.0.0.0 Mobile Safari/537.36"),
    (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
    (b"if-modified-since", b"Wed, 25 Jan 2012 14:00:00 GMT"),
    (b"cookie", b"a=ab12cd34; b=0099aaff"),
)


def head(*fields: tuple[bytes, bytes], target: bytes = b"/news?id=17", readings: tuple[RequestHead, ...] = ()):
    return RequestHead(0, FLOW, b"GET", target, b"HTTP/1.1", (*CLEAN, *fields), readings=readings)


def passes(request: RequestHead, watch: Watch = WATCH) -> bool:
    return Sieve(watch, counts.zeros()).passes(request)


def test_drops_and_counts_a_clean_head():
    book = counts.zeros()
    one = Sieve(WATCH, book)
    assert not one.passes(head())
    assert not one.passes(head())
    assert book["clean_heads"] == 2


def test_passes_every_head_when_asked():
    book = counts.zeros()
    assert Sieve(Watch(every_head=True), book).passes(head())
    assert book["clean_heads"] == 0


@pytest.mark.parametrize(
    "value",
    [
        b"447700900123",
        b"+44 7700 900123",
        b"+44 (0) 7700-900.123",
        b"07700/900123",
        b"000447700900123",
        b"4477009001231326153600",
        b"GPRS,,447700900123,unsecured",
        b'"447700900123"',
        b"tel:+447700900123",
        b"44\x0077\x0000900123",
        b"447700\r\n 900123",
        "+44\u00a07700\u2011900\u2011123".encode(),
        b"%2B44%2D7700%2D900%2D123",
        b"%252B44%252D7700%252D900123",
        b"%34%34%37%37%30%30%39%30%30%31%32%33",
    ],
)
def test_passes_every_spelling_of_a_number_everywhere(value):
    assert passes(head((b"x-odd", value)))
    assert passes(head((value, b"")))
    assert passes(head(target=b"/find?who=" + value))
    assert passes(head(readings=(head((b"x-odd", value)),)))


def test_says_whether_the_target_of_a_suspect_head_is_clean():
    strip = Sieve(WATCH, counts.zeros()).strip
    number, clean = head(target=b"/find?who=447700900123"), head((b"x-odd", b"447700900123"))
    stripped = strip(number._replace(readings=(clean,)))
    assert (stripped.target_is_clean, stripped.readings[0].target_is_clean) == (False, True)
    assert not Sieve(Watch(every_head=True), counts.zeros()).strip(clean).target_is_clean


@pytest.mark.parametrize(
    "name",
    [
        b"x-up-calling-line-id",
        b"X_Up_Calling_Line_Id",
        b"HTTP_X_UP_CALLING_LINE_ID",
        b"http-x-msisdn",
        b"x_msisdn2",
        b"x-sub-no",
    ],
)
def test_passes_names_that_hint_at_an_identifier(name):
    assert passes(head((name, b"opaque")))
    assert passes(head(readings=(head((name, b"opaque")),)))


@pytest.mark.parametrize("name", [b"msisdn-x", b"calling-line", b"x-up-calling-line-id-not", b""])
def test_drops_other_names(name):
    assert not passes(head((name, b"opaque")))


@pytest.mark.parametrize(
    "value", [b"770090012", b"7700900,123", b"7700900;123", b"a=77009&b=00123", b"25 Jan 2012 14:00:00", b"77009f00123"]
)
def test_drops_shorter_rows_of_digits(value):
    assert not passes(head((b"x-odd", value)))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"NDQ3NzAwOTAwMTIz", True),  # 447700900123
        (b"xxNDQ3NzAwOTAwMTIz", True),  # and from the third letter on
        (b"eyJtc2lzZG4iOiI0NDc3MDA5MDAxMjMifQ", True),
        (b"MTIzNDU2Nzg5MDEyMzQ1", False),  # 123456789012345
        (b"aW1laT0xMjM0NTY3ODkwMTIzNDU", True),  # imei=123456789012345
        (b"imei=MTIzNDU2Nzg5MDEyMzQ1", True),
        (b"343437373030393030313233", True),
        (b"a343437373030393030313233", True),
        (b"313233343536373839303132333435", False),
        (b"%4EDQ3NzAwOTAwMTIz", True),
    ],
)
def test_looks_into_base64_and_hex(value, wanted):
    assert passes(head((b"x-odd", value))) == wanted


IMEI = b"49-015420-323751-8"


@pytest.mark.parametrize(
    "field",
    [
        (b"x-imei-no", IMEI),
        (b"x-imei-no", b"%34%39%30%31%35%34%32%30%33%32%33%37%35%31%38"),
        (b"im%65ei-no", IMEI),
        (b"x-device", b"a=1; I.M-E_I=490154203237518"),
        (b"x-device", b"%2569mei:490154203237518"),
        (b"490154203237518-imei", b""),
    ],
)
def test_passes_what_only_its_name_gives_away_beside_that_name(field):
    assert passes(head(field))
    assert passes(head(target=b"/?" + b"=".join(field)))


@pytest.mark.parametrize("field", [(b"x-device", IMEI), (b"x-ime", IMEI), (b"x-imei", b"0"), (b"x", b"1" * 20)])
def test_drops_what_only_its_name_would_give_away(field):
    assert not passes(head(field, target=b"/imei"))


def test_a_name_seen_clean_does_not_hide_a_hint_behind_it():
    one = Sieve(WATCH, counts.zeros())
    assert not one.passes(head((b"x-a", b"")))
    assert one.passes(head((b"x-a", b""), (b"x-msisdn", b"")))
    assert one.passes(head((b"x-msisdn", b"")))  # a name that hints is never taken for a plain one


def test_memory_of_names_is_bounded():
    one = Sieve(WATCH, counts.zeros())
    for number in range(3 * sieve.NAMES_KEPT):
        one.passes(head((b"x-%x-z" % number, b"")))
        assert len(one._plain_names) <= sieve.NAMES_KEPT
    assert one.passes(head((b"x-msisdn", b"")))


BETWEEN = st.text("-. ()[]/+\t\u00a0\u2011", max_size=3)


@given(st.lists(BETWEEN, min_size=11, max_size=11), st.binary(max_size=20), st.binary(max_size=20))
def test_punctuation_between_digits_never_hides_a_number(between, before, after):
    spelt = "".join(f"{digit}{gap}" for digit, gap in zip("44770090012", between, strict=True)) + "3"
    assert passes(head((b"x-odd", before + spelt.encode() + after)))


PLAN = NumberPlan(
    country="44",
    trunk_prefix="0",
    international_prefix="00",
    msisdn_ranges=(("447700900000", "447700900999"),),
    imsi_prefixes=("00101",),
    fields=frozenset({b"x-operator-subno"}),
    report_foreign=True,
)
IDENTIFY = Identify(PLAN)
MSISDNS = ("447700900123", "07700900123", "7700900123", "00447700900123", "4477009001231326153600")
OTHERS = ("001010123456789", "490154203237518", "32475123456", "51234567", "12345")
GAPS = st.sampled_from([" ", "-", ".", "(0)", "%20", "%2D", "%252D", "%2f", "\xa0", "+", "/", "\x00", "\r\n "])
WORDS = st.just("") | st.sampled_from(
    ["tel:", "+", "%2B", "a=1&msisdn=", "imei:", "GPRS,,", ", x", "@ims.example", '{"phone":"', '"}', "; "]
)
NAMES = st.sampled_from(
    b"host x-msisdn HTTP_X_MSISDN x-imsi imei x-odd cookie referer :authority x-operator-subno x-phone".split()
)


@st.composite
def spelt(draw) -> bytes:
    digits = draw(st.sampled_from((*MSISDNS, *OTHERS)))
    for at in sorted(draw(st.sets(st.integers(1, len(digits) - 1), max_size=3)), reverse=True):
        digits = digits[:at] + draw(GAPS) + digits[at:]
    return (draw(WORDS) + digits + draw(WORDS)).encode()


@given(st.one_of(spelt(), st.just(b"/")), st.lists(st.tuples(NAMES, spelt()), max_size=3), st.booleans(), st.booleans())
def test_identify_finds_nothing_in_what_the_sieve_drops(target, fields, trailer, behind):
    request = RequestHead(0, FLOW, b"GET", target, b"HTTP/1.1", tuple(fields))
    if trailer:
        request = request._replace(section=Section.TRAILER)
    if behind:
        request = head(readings=(request,))
    sieve = Sieve(IDENTIFY.watch(), counts.zeros())
    found = [one._replace(head=request) for one in IDENTIFY.feed(sieve.strip(request))]
    assert found == [one._replace(head=request) for one in IDENTIFY.feed(request)]
    assert sieve.passes(request) or not found
