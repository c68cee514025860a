from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identify.forms import READERS, foreign, sealed
from monitor.identify.found import Spelling
from monitor.identify.numbers import OwnNumbers
from monitor.identify.plain import Plain
from monitor.verdicts import Form, Identifier, NumberPlan

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",))
PLAIN = Plain(OwnNumbers(PLAN))
MSISDN, IMSI, IMEI = Identifier.MSISDN, Identifier.IMSI, Identifier.IMEI


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        (b"447700900123", Spelling.E164),
        (b"+447700900123", Spelling.PLUS),
        (b"00447700900123", Spelling.INTERNATIONAL),
        (b"000447700900123", Spelling.ZERO_PADDED),
        (b"0447700900123", Spelling.ZERO_PADDED),
        (b"07700900123", Spelling.NATIONAL),
        (b"7700900123", Spelling.BARE_NATIONAL),
        (b"+44 7700 900123", Spelling.GAPS),
        (b"+44-7700-900-123", Spelling.GAPS),
        (b"+44 (0)7700 900123", Spelling.GAPS),
        (b"07700.900.123", Spelling.GAPS),
        (b"00 44 7700/900123", Spelling.GAPS),
        (b"tel:+447700900123", Spelling.TEL_URI),
        (b"tel:+44-7700-900123;phone-context=example.net", Spelling.TEL_URI),
        (b"sip:+447700900123@ims.mnc010.mcc234.3gppnetwork.org", Spelling.SIP_URI),
        (b"SIPS:447700900123@ims.example", Spelling.SIP_URI),
        (b"447700900123@ims.mnc010.mcc234.3gppnetwork.org", Spelling.NAI),
        (b"4477009001231326153600", Spelling.MSISDN_TS),
        (b"4477009001231326153600123", Spelling.MSISDN_TS),
        (b"1326153600447700900123", Spelling.MSISDN_TS),
        (b"1326153600123447700900123", Spelling.MSISDN_TS),
        (b"20120110447700900123", Spelling.MSISDN_TS),
        (b"44770090012320120110020015", Spelling.MSISDN_TS),
        (b'{"msisdn":"447700900123"}', Spelling.E164),
        (b'{"msisdn":447700900123}', Spelling.E164),
        (b"'447700900123'", Spelling.E164),
        (b"<+447700900123>", Spelling.PLUS),
        (b"GPRS,,447700900123,unsecured", Spelling.E164),
        (b"msisdn=447700900123;x", Spelling.E164),
    ],
)
def test_spellings(text, spelling):
    assert PLAIN.suspect(text)
    assert set(PLAIN.read(text, MSISDN)) == {(MSISDN, "447700900123", spelling, Form.PLAIN)}


def test_of_two_spellings_both_are_read():
    assert [found.spelling for found in PLAIN.read(b"447700900123;+447700900123", None)] == ["e164", "plus"]


def test_of_one_row_each_number_is_read():
    found = PLAIN.read(b"447700900123 447700900124 07700900125", None)
    assert sorted(number.digits[-3:] for number in found) == ["123", "124", "125"]


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        (b"001010123456789", Spelling.DIGITS),
        (b"0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org", Spelling.NAI),
        (b"001-01-0123456789", Spelling.GAPS),
    ],
)
def test_spellings_of_an_imsi(text, spelling):
    assert list(PLAIN.read(text, None)) == [(IMSI, "001010123456789", spelling, Form.PLAIN)]


@pytest.mark.parametrize(
    ("text", "digits", "spelling"),
    [
        (b"490154203237518", "490154203237518", Spelling.DIGITS),
        (b"49-015420-323751-8", "490154203237518", Spelling.GAPS),
        (b"4901542032375106", "4901542032375106", Spelling.DIGITS),
    ],
)
def test_spellings_of_an_imei(text, digits, spelling):
    assert list(PLAIN.read(text, IMEI)) == [(IMEI, digits, spelling, Form.PLAIN)]


@pytest.mark.parametrize(
    ("text", "identifier", "digits"),
    [
        (b"15555550123", MSISDN, "15555550123"),
        (b"+1 555 555 0123", MSISDN, "15555550123"),
        (b"0015555550123", MSISDN, "15555550123"),
        (b"tel:+15555550123", MSISDN, "15555550123"),
        (b"15555550123@example.net", MSISDN, "15555550123"),
        (b"GPRS,,15555550123,unsecured", MSISDN, "15555550123"),
        (b'msisdn="15555550123"', MSISDN, "15555550123"),
        (b"310150102030405", IMSI, "310150102030405"),
    ],
)
def test_foreign_numbers(text, identifier, digits):
    found = foreign(text, identifier)
    assert found
    assert (found.identifier, found.digits) == (identifier, digits)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        (b"", MSISDN),
        (b"1234567", MSISDN),  # too short
        (b"1555555012345678", MSISDN),  # too long
        (b"07700901234", MSISDN),  # of which country?
        (b"99999999999", MSISDN),
        (b"5500000000000", MSISDN),
        (b"192.0.2.1", MSISDN),
        (b"swm_15555550123_gw", MSISDN),
        (b"6f9619ff8b86d011b42d00c04fc964ff", MSISDN),
        (b"31015012345678", IMSI),
        (b"910150123456789", IMSI),
    ],
)
def test_what_is_no_foreign_number(text, identifier):
    assert foreign(text, identifier) is None


@pytest.mark.parametrize(
    ("text", "field", "form"),
    [
        (b"40ce120a3509087f921cad996518742a", b"x-msisdn", Form.KEYED),
        (b"a2123f05f7dc0f779dba8ffa52a1cdaebe3530e45269abe84b769bbd69a43810", b"x-msisdn", Form.KEYED),
        (b"QM4SCjUJCH+SHK2ZZRh0Kg==", b"x-msisdn", Form.KEYED),
        (b"U2FsdGVkX1+vupppZksvRf5pq5g5XjFRlIPZJQ", b"x-msisdn", Form.ENCRYPTED),
        (b"QM4SCjUJCH+SHK2ZZRh0Kg==;ncc=310410", b"x-acr", Form.KEYED),
        (b"OTgxNTk2NDk0ADJVquRu5NS5+rSbBANlrp+13QL7CXLGsFHpMi4LsUHw", b"x-uidh", Form.PSEUDONYM),
    ],
)
def test_what_stands_for_a_subscriber_and_cannot_be_opened(text, field, form):
    found = sealed(text, field, MSISDN)
    assert found
    assert (found.form, found.spelling) == (form, Spelling.OPAQUE)
    assert text.startswith(found.digits.encode())


@pytest.mark.parametrize("text", [b"", b"unknown", b"not-provisioned-for-this-customer", b"99999999999", b"1" * 40])
def test_words_and_digits_are_not_sealed(text):
    assert sealed(text, b"x-msisdn", MSISDN) is None


@pytest.mark.parametrize("make", READERS)
def test_every_reader_keeps_the_promise_of_its_search(make):
    reader = make(OwnNumbers(PLAN))
    assert not reader.suspect(b"text/html,application/xhtml+xml;q=0.9")
    assert not list(reader.read(b"text/html,application/xhtml+xml;q=0.9", None))


SUBSCRIBER = st.integers(0, 999).map("{:03}".format)
LAYOUTS = (
    "+447700900#",
    "00447700900#",
    "+44 7700 900#",
    "+44(0)7700900#",
    "07700 900#",
    "(07700) 900-#",
    "tel:+44-7700-900#",
)


@given(SUBSCRIBER, st.sampled_from(LAYOUTS))
def test_reads_what_phonenumbers_reads(subscriber, layout):
    spelt = layout.replace("#", subscriber)
    parsed = phonenumbers.parse(spelt, "GB")
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == f"+447700900{subscriber}"
    assert {found.digits for found in PLAIN.read(spelt.encode(), None)} == {f"447700900{subscriber}"}


@given(st.text("0123456789 +-./()%a=", max_size=40), st.sampled_from([None, MSISDN, IMSI, IMEI]))
def test_whatever_is_read_stands_there(text, field_hint):
    for found in PLAIN.read(text.encode(), field_hint):
        digits = "".join(filter(str.isdigit, text))
        assert found.digits.removeprefix("44") in digits
        assert PLAIN.suspect(text.encode())
