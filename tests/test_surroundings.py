from __future__ import annotations

import pytest

from monitor.identify.numbers import OwnNumbers
from monitor.identify.plain import Plain
from monitor.identify.surroundings import LOOK_BACK, lead, stands_alone
from monitor.verdicts import Identifier, NumberPlan

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",))
MSISDN = Identifier.MSISDN


def believed(text: bytes, field_hint: Identifier | None = None, plan: NumberPlan = PLAN) -> list[str]:
    """The numbers that the ranges confirm and the surroundings allow."""
    own = OwnNumbers(plan)
    matches = [(kind, match) for kind, pattern, _ in own.patterns for match in pattern.finditer(text)]
    return [
        number
        for kind, match in matches
        if (number := own.number(kind, match)) and stands_alone(match, field_hint, kind)
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"447700900123",
        b'"447700900123"',
        b"<447700900123>",
        b"GPRS,,447700900123,unsecured",
        b"swm_447700900123_gw.example.net",
        b"id=447700900123;x",
        b"/account/447700900123/balance",
        b"447700900123.shop.example",
        b"1326153600.447700900123.1326153600",  # a dotted list, no fraction
        b"a-447700900123-1",
        b"msisdn447700900123",
        b"X-MSISDN447700900123",
        b"tel447700900123",
        rb'{"text":"\n447700900123"}',
        rb'{"to":"\u002b447700900123"}',
        b"12 447700900123",
        b"12 07700-900123",  # the row goes on, but with other punctuation
        b"24, 07700 900123, 7",
        b"07700 900123",
        b"(0)7700 900123",
        b"+44 7700 900123 12",
        b"(+44) 7700 900123 12",
        b"tel:44-7700-900123-12",
        b"+4 4 7 7 0 0 9 0 0 1 2 3",
    ],
)
def test_believes(text):
    assert set(believed(text)) == {"447700900123"}


@pytest.mark.parametrize(
    "text",
    [
        b"a447700900123",  # hex
        b"447700900123f",
        b"5f3b447700900123",
        b"hotel447700900123",
        b"447700900123Z",
        b"6f9619ff-8b86-d011-b42d-447700900123",  # GUID
        b"00000000-0000-0000-0000-447700900123",
        b"51.447700900123",  # latitude
        b"0.07700900123",
        b"lat=-0.447700900123",
        b"4477 0090 0123 4567",  # card number
        b"4477-0090-0123-4567",
        b"1.44.7700.900123",  # version
        b"44.7700.900123.1",
        b"447700-900123",  # byte range
        b"bytes=1-1,447700-900123",
        b"4.4.7.7.0.0.900123",
        b"12 07700 900123",
        b"7700900123",  # weak, and nothing announces it
        b"order=7700900123",
        b"hotel=7700900123",
        b"bytes=0-7700900123",
    ],
)
def test_does_not_believe(text):
    assert believed(text) == []


@pytest.mark.parametrize(
    "text",
    [
        b"7700900123",
        b"7700 900123",
        b"07700 900123 12",
        b"447700-900123",
        b"0-7700900123",
    ],
)
def test_a_hint_lifts_doubts(text):
    assert believed(text) == []
    assert believed(text, Identifier.IMSI) == []
    assert believed(text, MSISDN) == ["447700900123"]
    for key in (b"msisdn=", b'{"msisdn": "', b"phone_number: ", b"/mobile/", b"Tel.: "):
        assert believed(key + text) == ["447700900123"], key


@pytest.mark.parametrize(
    "text", [b"+7700900123", b"+1 7700900123", b"+7 700 900 123", b"12 7700900123", b"a7700900123", b"7700900123a"]
)
def test_a_hint_does_not_make_another_number_ours(text):
    assert believed(text, MSISDN) == []


@pytest.mark.parametrize(
    "text",
    [
        b"m447700900123",
        b"447700900123A",
        b"+447700900123x1",
        b"447700900123abcdef",
        b"a07700900123b",
        b"T447700900123T",
    ],
)
def test_a_hint_makes_a_number_of_digits_between_letters(text):
    assert believed(text) == believed(b"id=" + text) == []
    assert believed(text, MSISDN) == believed(b"msisdn=" + text) == ["447700900123"]
    assert believed(text, Identifier.IMSI) == []


@pytest.mark.parametrize(
    "text",
    [
        b"a447700900123b447700900123cdefab",  # as long as MD5
        b"5f3b9a0c447700900123f",
        b"a7700900123",
    ],
)
def test_a_hint_makes_no_number_of_a_digest(text):
    assert believed(text, MSISDN) == believed(b"msisdn=" + text) == []


def test_a_hint_of_the_field_makes_a_fraction_a_number():
    assert believed(b"1.447700900123", MSISDN) == ["447700900123"]


def test_a_key_counts_only_near_the_number():
    assert believed(b"msisdn=" + b" " * 6 + b"7700900123") == []
    assert believed(b"msisdn" + b"x" * LOOK_BACK + b"=7700900123") == []
    assert believed(b"msisdn=1&id=7700900123") == []


NANP = NumberPlan("1", "1", "011", (("12000000000", "19999999999"),), ())
EGYPT = NumberPlan("20", "0", "00", (("201000000000", "201299999999"),), ())


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (NANP, b"192.168.100.11"),
        (NANP, b"tel:192.168.100.11"),
        (NANP, b"1413746055.1"),  # a clock with a fraction
        (NANP, b"gtk-gnutella/1.2.2 (2022-02-25)"),
        (EGYPT, b"201201101230"),
        (EGYPT, b"v=201201101230&css=base.201201101230.css"),
        (EGYPT, b"2012-01-10 1230"),
        (EGYPT, b"20 12-01-2012 10"),
    ],
)
def test_traps_of_other_countries(plan, text):
    assert believed(text, plan=plan) == []


def test_a_date_only_counts_as_such_when_nothing_says_number():
    assert believed(b"+201201101230", plan=EGYPT) == ["201201101230"]
    assert believed(b"msisdn=201201101230", plan=EGYPT) == ["201201101230"]
    assert believed(b"201201991230", plan=EGYPT) == ["201201991230"]


def test_an_imei_needs_a_hint_of_its_own():
    assert believed(b"490154203237518") == []
    assert believed(b"490154203237518", MSISDN) == []
    assert believed(b"490154203237518", Identifier.IMEI) == ["490154203237518"]
    assert believed(b"imei=490154203237518") == ["490154203237518"]


def test_an_imsi_needs_none():
    assert believed(b"001010123456789") == ["001010123456789"]
    assert believed(b"a001010123456789") == []


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        (b"447700900123", b""),
        (b"x+447700900123", b"+"),
        (b"(+ 447700900123", b"+"),
        (b"TEL:447700900123", b"tel:"),
        (b"tel:+(447700900123", b"tel:+"),
        (b"sips:447700900123", b"sips:"),
    ],
)
def test_lead(text, leads):
    _, pattern, _ = OwnNumbers(PLAN).patterns[0]
    match = pattern.search(text)
    assert match
    assert lead(match) == leads


@pytest.mark.parametrize("gap", [b" ", b"-", b"+", b"(", b""])
@pytest.mark.parametrize("front", [b"", b"+", b"msisdn: ", b"tel:"])
@pytest.mark.parametrize(
    "groups",
    [
        [b"4477009001"],
        [b"44", b"7700", b"900123"],
        [b"1", b"447700900123", b"44", b"7700", b"900124"],
        [b"490154203237518", b"12"],
        [b"001", b"010123456789"],
    ],
)
def test_a_long_row_shows_what_each_of_its_places_shows(monkeypatch, gap, front, groups):
    """Of a row whose gaps are all alike only the beginning is read: nothing else of it can be a number."""
    plain = Plain(OwnNumbers(PLAN))
    text = front + gap.join(groups * 60)
    found = list(plain.read(text, None))
    monkeypatch.setattr("monitor.identify.plain.LONGEST_SPELT", len(text))
    assert found == list(plain.read(text, None))
