from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identify.numbers import OwnNumbers, is_dummy
from monitor.verdicts import Identifier, NumberPlan

PLAN = NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101", "234101"))


def found(text: bytes, plan: NumberPlan = PLAN) -> list[tuple[Identifier, str]]:
    """What the patterns find and the ranges confirm; what stands around is not their business."""
    own = OwnNumbers(plan)
    matches = [(kind, match) for kind, pattern, _ in own.patterns for match in pattern.finditer(text)]
    return [(kind, number) for kind, match in matches if (number := own.number(kind, match))]


def msisdns(text: bytes, plan: NumberPlan = PLAN) -> list[str]:
    return [number for kind, number in found(text, plan) if kind is Identifier.MSISDN]


@pytest.mark.parametrize(
    "text",
    [
        b"447700900123",
        b"00447700900123",
        b"000447700900123",
        b"07700900123",
        b"7700900123",
        b"4477009001231326153600",
        b"44 7700 900 123",
        b"44-7700-900-123",
        b"44.7700.900.123",
        b"44/7700/900123",
        b"(44)(7700)900123",
        b"44 (0)7700 900123",
        b"44(0)7700900123",
        b"00 44 77 00 90 01 23",
        b"(07700) 900-123",
        b"44\x007700\x00900123",
        "44\u00a07700\u2011900123".encode(),
        b"9 447700900123 9",
    ],
)
def test_finds_the_number_in_every_spelling(text):
    assert "447700900123" in msisdns(text)


@pytest.mark.parametrize(
    "text",
    [
        b"447700901000",  # behind the range
        b"447700899999",
        b"4477009001234",  # a digit too many
        b"1447700900123",
        b"44770090012",
        b"447700900123326153600",  # a clock with a digit missing
        b"4477009001239326153600",  # in the year 2265
        b"000000000447700900123",  # padded beyond any field
        b"447,700,900,123",
        b"447:700:900:123",
        b"447     700900123",  # wider than a gap
        b"07700a900123",
    ],
)
def test_finds_no_other(text):
    assert "447700900123" not in msisdns(text)
    assert not [number for number in msisdns(text) if not 447700900000 <= int(number) <= 447700900999]


def test_finds_what_overlaps_a_false_beginning():
    assert msisdns(b"44770 447700900123") == ["447700900123"]
    assert msisdns(b"447 7009 447700900123 4") == ["447700900123"]


@pytest.mark.parametrize(
    ("plan", "text", "number"),
    [
        (NumberPlan("45", "", "00", (("4520000000", "4529999999"),), ()), b"45 20 12 34 56", "4520123456"),
        (NumberPlan("45", "", "00", (("4520000000", "4529999999"),), ()), b"20123456", "4520123456"),
        (NumberPlan("1", "1", "011", (("12025550100", "12025550199"),), ()), b"1-202-555-0123", "12025550123"),
        (NumberPlan("1", "1", "011", (("12025550100", "12025550199"),), ()), b"01112025550123", "12025550123"),
        (NumberPlan("7", "8", "810", (("79000000000", "79999999999"),), ()), b"8 (912) 345-67-89", "79123456789"),
        (NumberPlan("44", "0", "", (("447700900123", "447700900123"),), ()), b"447700900123", "447700900123"),
    ],
)
def test_other_countries(plan, text, number):
    assert number in msisdns(text, plan)


def test_ranges_of_several_lengths():
    plan = NumberPlan("49", "0", "00", (("491511000000", "491511999999"), ("4916000000000", "4916099999999")), ())
    assert msisdns(b"491511234567", plan) == ["491511234567"]
    assert msisdns(b"0160 1234567", plan) == []
    assert msisdns(b"0160 12345678", plan) == ["4916012345678"]


def test_a_plan_without_numbers_finds_none():
    assert found(b"447700900123 234101234567890", NumberPlan("44", "0", "00", (), ())) == []


@pytest.mark.parametrize(
    "text",
    [
        b"001010123456789",
        b"001-01-0123456789",
        b"001 010123456789",
        b"0001010123456789@ims.mnc001.mcc001.3gppnetwork.org",
    ],
)
def test_finds_an_imsi(text):
    assert found(text) == [(Identifier.IMSI, "001010123456789")]


@pytest.mark.parametrize("text", [b"001020123456789", b"00101012345678", b"0010101234567890", b"0001010123456789"])
def test_finds_no_other_imsi(text):
    assert [number for kind, number in found(text) if kind is Identifier.IMSI] == []


@pytest.mark.parametrize(
    ("text", "imei"),
    [
        (b"490154203237518", "490154203237518"),
        (b"49-015420-323751-8", "490154203237518"),
        (b"49015420-323751-8", "490154203237518"),
        (b"4901542032375106", "4901542032375106"),  # IMEISV has no check digit
    ],
)
def test_finds_an_imei(text, imei):
    assert found(text) == [(Identifier.IMEI, imei)]


@pytest.mark.parametrize("text", [b"490154203237517", b"000000000000000", b"49015420323751", b"49015420323751806"])
def test_finds_no_other_imei(text):
    assert found(text) == []


@pytest.mark.parametrize("digits", ["99999999999", "5500000000000", "1234567890", "441234567890", "000000000000000"])
def test_dummies(digits):
    assert is_dummy(digits)


def test_no_dummy():
    assert not is_dummy("447700900123")


SPAN = st.tuples(st.integers(0, 999), st.integers(0, 999)).map(sorted)


@given(st.lists(SPAN, min_size=1, max_size=6), st.integers(0, 999))
def test_bisection_is_right_for_any_ranges(spans, number):
    ranges = tuple((f"447700900{first:03}", f"447700900{last:03}") for first, last in spans)
    wanted = any(first <= number <= last for first, last in spans)
    assert msisdns(b"447700900%03d" % number, PLAN._replace(msisdn_ranges=ranges)) == (
        [f"447700900{number:03}"] if wanted else []
    )


@given(st.text("0123456789 -./()a,"), st.integers(0, 999))
def test_the_search_before_the_search_never_says_no_by_mistake(text, number):
    own = OwnNumbers(PLAN)
    for octets in (text.encode(), text.encode() + b"+44 (0)7700-900.%03d" % number):
        for identifier, pattern, _ in own.patterns:
            for match in pattern.finditer(octets):
                assert own.may_be_in(octets) or own.number(identifier, match) is None
                assert any(start <= match.start() and match.end("written") <= end for start, end in own.rows(octets))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "seed", [b"1 ", b"44 ", b"447 ", b"0", b"44(0)", b"7700900", b"44770090012 ", b"4\xff\xff\xff\xff"]
)
def test_adversarial_texts_take_linear_work(seed):
    own, text = OwnNumbers(PLAN), (seed * 2**18)[: 2**20]
    candidates = sum(
        1 for span in own.rows(text) for _, pattern, _ in own.patterns for _ in pattern.finditer(text, *span)
    )
    assert candidates <= len(text) // 3
