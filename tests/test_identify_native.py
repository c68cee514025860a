"""The engine reads a text as monitor/identify does, which is what says how it is read."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine import native_is_here, reader
from monitor.identify import Identify
from monitor.identify.hashes import table_of
from monitor.identify.numbers import OwnNumbers
from monitor.identify.search import Search, told_by
from monitor.verdicts import NumberPlan, Place
from tests.test_coded import CODED, QUOTES
from tests.test_identify import PIECES, SPELT, TRAPS

pytestmark = pytest.mark.skipif(not native_is_here(), reason="the native engine is not in this installation")

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",), frozenset({b"x-own-subscriber"}))
PLANS = {
    "few": PLAN,
    "many": PLAN._replace(msisdn_ranges=(("447700000000", "447724999999"), ("447800000000", "447899999999"))),
    "two lengths": PLAN._replace(msisdn_ranges=(("44770090000", "44770090099"), *PLAN.msisdn_ranges)),
    "no zero in front": NumberPlan("44", "7", "011", PLAN.msisdn_ranges, ("00101", "001012")),
    "no trunk": NumberPlan("44", "", "00", PLAN.msisdn_ranges, ()),
    "none": NumberPlan("44", "0", "00", (), ()),
}
BOTH = {
    name: (Search(plan, OwnNumbers(plan), table_of(plan)), told_by(native(Identify(plan).watch())))
    for name, plan in PLANS.items()
    if (native := reader("native"))
}

DIGITS = st.integers(0, 999).map("447700900{:03}".format)
GAPS = st.sampled_from(["", "", "", " ", "-", ".", "/", " (0)", ") ", "\t", "\xa0"])
GAPPED = st.tuples(DIGITS, st.lists(GAPS, min_size=12)).map(
    lambda pair: "".join(digit + gap for digit, gap in zip(*pair, strict=False)).encode("latin-1")
)
HASHED = st.tuples(DIGITS, st.sampled_from(["md5", "sha1", "sha256"])).map(
    lambda pair: hashlib.new(pair[1], pair[0].encode()).digest()
)
HASHES = HASHED.map(base64.b64encode) | HASHED.map(lambda digest: digest.hex().encode())
AROUND = st.sampled_from(
    b"msisdn= imsi: x;imei= a.b_phone: cli tel: sips:( + 00 0 x m \\n \\u002b 6f96-8b86- 51. A/ 25-01-2012 1326153600 "
    b"201201251459 @realm abc 99 99999999999 15555550123 310150123456789 001010123456789 490154203237518".split(b" ")
)
QUOTED = st.tuples(CODED | SPELT.map(lambda pair: pair[1]), QUOTES).map(lambda pair: pair[1](pair[0]).encode())
TEXTS = st.lists(st.one_of(QUOTED, GAPPED, HASHES, AROUND, PIECES), max_size=5).map(b"".join)
NAMES = st.sampled_from(
    [
        b"x-any", b"x-msisdn", b"x-own-subscriber", b"x-wap-3gpp-imsi", b"x-nokia-imei", b"x-imei", b"x-acr", b"x-uidh",
        b"a-cli-no", b"user-phone", b"",
    ]
)  # fmt: skip


@given(st.sampled_from(sorted(BOTH)), st.sampled_from(list(Place)), NAMES, TEXTS, st.integers(1, 40))
def test_both_find_the_same_in_any_text(plan, place, name, text, times):
    specified, native = BOTH[plan]
    long = text * (times if times > 30 else 1)
    assert list(native((place, name, long))) == list(specified((place, name, long)))


def test_a_name_in_coded_text_is_one_where_few_digits_show():
    for search in BOTH["few"]:
        (finding,) = search((Place.QUERY, b"query", b"NDkwMTU0MjAzMjM3NTE4imei="))
        assert finding[0][:2] == ("imei", "490154203237518")


@pytest.mark.parametrize("trap", TRAPS)
def test_both_are_caught_by_no_trap(trap):
    name, value = TRAPS[trap]
    for specified, native in BOTH.values():
        for place in Place:
            assert list(native((place, name, value))) == list(specified((place, name, value)))


@pytest.mark.parametrize("letters", [22, 27])
def test_a_digest_is_found_whatever_slash_is_in_it(letters):
    """One that is a shorter one up to a slash is still the longer one."""
    numbers = (f"447700900{number:03}" for number in range(1000))
    spelt = (text for number in numbers for text in (number, f"+{number}", f"0{number[2:]}"))
    hashed = (base64.b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=") for text in spelt)
    digest = next(each for each in hashed if each[letters : letters + 1] == b"/")
    for search in BOTH["few"]:
        (finding,) = search((Place.HEADER, b"x-any", b"/a/" + digest))
        assert finding[3] == "sha256"


def test_a_path_of_many_parts_is_no_digest():
    for search in BOTH["few"]:
        assert not search((Place.HEADER, b"x-any", b"a/" * 1000))
