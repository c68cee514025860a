from __future__ import annotations

import dataclasses
import re
import stat
import subprocess
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.identify import Identify
from monitor.records import Flow, RequestHead
from monitor.redact import Redactor, load_key, mask_name, mask_path, mask_text, new_key
from monitor.verdicts import Form, Identifier, Number, NumberPlan

NUMBER = Number("447700900123")
KEY = bytes(range(32))


def test_tokens_are_the_same_when_the_memory_of_them_is_full(monkeypatch):
    """And an IMSI of the same digits has another."""
    monkeypatch.setattr("monitor.redact.REMEMBERED", 3)
    redactor, numbers = Redactor(KEY), [Number(f"4477009000{n:02}") for n in (*range(8), *range(8))]
    tokens = [redactor.token(number, kind) for number in numbers for kind in (Identifier.MSISDN, Identifier.IMSI)]
    assert tokens == [
        Redactor(KEY).token(number, kind) for number in numbers for kind in (Identifier.MSISDN, Identifier.IMSI)
    ]
    assert len(set(tokens)) == 16


# --- a number by itself -------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Holder:
    number: Number


@pytest.mark.parametrize(
    "text",
    [
        repr(NUMBER),
        str(NUMBER),
        f"{NUMBER}",
        f"{NUMBER!r:>20}",
        "%s" % NUMBER,  # noqa: UP031
        repr([NUMBER]),
        repr({NUMBER: NUMBER}),
        repr(Holder(NUMBER)),
        repr(ValueError(NUMBER)),
        str(ValueError(NUMBER)),
        "".join(traceback.format_exception_only(ValueError(NUMBER))),
    ],
)
def test_a_number_shows_itself_nowhere(text):
    assert "447700900123" not in text
    assert not re.search("[0-9]{4}", text)


def test_a_number_has_no_attributes_to_dump():
    assert not hasattr(NUMBER, "__dict__")
    with pytest.raises(AttributeError):
        NUMBER.digits = "1"  # type: ignore[misc]


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_token_is_128_bits_of_hmac_sha_256():
    # python -c 'import hmac; print(hmac.new(bytes(range(32)), b"447700900123", "sha256").hexdigest()[:32])'
    assert Redactor(KEY).token(NUMBER) == "befd614b429b09e7dfbe9cc89222b76d"


def test_equal_numbers_have_equal_tokens_under_one_key_only():
    token = Redactor(KEY).token
    assert token(NUMBER) == token(Number("447700900123"))
    assert token(NUMBER) != token(Number("447700900124"))
    assert token(NUMBER) != Redactor(new_key()).token(NUMBER)


def test_equal_digits_of_another_kind_have_another_token():
    redactor = Redactor(KEY)
    assert len({redactor.token(NUMBER, kind) for kind in Identifier}) == 3
    assert redactor.token(NUMBER, Identifier.MSISDN) == redactor.token(NUMBER)


# --- masks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "mask"),
    [
        ("447700900123", "44770*****23"),
        ("4477009001234", "44770******34"),
        ("001010123456789", "00101********89"),
        ("15555550123", "1555*****23"),
        ("4520123456", "452*****56"),
        ("12345678", "1*****78"),
        ("1234567", "*****67"),
        ("123456", "******"),
        ("1", "*"),
        ("", ""),
    ],
)
def test_masks(digits, mask):
    assert Redactor.mask(Number(digits)) == mask


@given(st.text("0123456789", max_size=20))
def test_a_mask_hides_enough_and_keeps_the_length(digits):
    mask = Redactor.mask(Number(digits))
    assert len(mask) == len(digits)
    assert mask.count("*") >= min(5, len(digits))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("447700900123", "44********23"),
        ("447_700_900_123", "44*_***_***_*23"),
        ("447,700,900,123", "44*,***,***,*23"),
        ("447%2C700%2C900%5F123", "44*%2C***%2C***%5F*23"),
        ("NDQ3NzAwOTAwMTIz", "*" * 16),  # base64 of the digits
        ("id=RHcAkAEj; a=b", "id=********; a=b"),  # of packed BCD
        ("t=RHcACQEy8g==", "t=" + "*" * 12),  # of TBCD with its filler
        ("u=9f86d081884c7d659a2feaa0c55ad015", "u=" + "*" * 32),  # may be MD5 of a number
        ("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "*" * 44),
        ("/account/NDQ3NzAwOTAwMTIz/balance", "/account/" + "*" * 16 + "/balance"),  # `/` is a letter of base64 as well
        ("a-RHcAkAEj_b", "a-********_b"),
        ("/QM4SCjUJCH+SHK2ZZRh0Kg==", "/" + "*" * 24),  # base64 of MD5
        ("QM4SCjUJCH%2BSHK2ZZRh0Kg%3D%3D", "*" * 30),
        ("/9f86d081884c7d659a2feaa0c55ad015/", "/" + "*" * 32 + "/"),
        ("0NDQ3NzAwOTAwMTIz", "*" * 17),  # the digits begin behind the first letter
        ("eyJzdWIiOiI0NDc3MDA5MDAxMjMifQ", "*" * 30),  # a part of a web token
        ("ndq3nzawotawmtiz.example", "*" * 16 + ".example"),  # a name in lower case
        ("xc3lkphh1cc9gfqbydrmqvxh0jq=.example", "*" * 28 + ".example"),  # base64 of SHA-1, likewise
        ("id=683d0d991b, 683D0D991B", "id=**********, **********"),  # the number as one integer
        ("id=5f5e1ff.38d7ea4c67fff", "id=*******.*************"),  # of 9 digits, of 15
        ("cafe-facade1-a1b2c3", "cafe-*******-a1b2c3"),
        (
            "-" + "abcdef01" * 8 + "-" + "abcdef01" * 5,
            "-" + "*" * 64 + "-" + "*" * 40,
        ),  # a part of a hash tells as much
        ("Build/GINGERBREAD", "Build/GINGERBREAD"),  # no encoder of packed digits ends so
        ("/static/js/main.js?v=3", "/static/js/main.js?v=3"),
        ("Mozilla/5.0 AppleWebKit/537.36", "Mozilla/5.0 AppleWebKit/537.36"),
        ("447700900123.shop.example", "44********23.shop.example"),
        ("x447700900123y", "x44********23y"),
        ("+44 (0)7700-900.123", "+44 (*)****-***.*23"),
        ("a=447700900123&b=447700900124", "a=44********23&b=44********24"),
        ("%2B44%207700%20900123", "%2B44%20****%20****23"),
        ("07700%2520900123", "07***%2520****23"),
        ("07700%C2%A0900123", "07***%C2%A0****23"),
        ("%34%34%37%37%30%30%39%30%30%31%32%33", "%34%34************************%32%33"),
        ("07700\u00a0900\u2011123", "07***\u00a0***\u2011*23"),
        ("4477009001231326153600", "44******************00"),
        ("203.0.113.129", "203.0.113.129"),
        ("10.1.2.3, 192.0.2.44", "10.1.2.3, 192.0.2.44"),
        ("[2001:db8::7700:9001]:8080", "[2001:db8::7700:9001]:8080"),
        ("447.700.900.123", "44*.***.***.*23"),
        ("Wed, 25 Jan 2012 14:00:00 GMT", "Wed, 25 Jan 2012 14:00:00 GMT"),
        ("Chrome/126.0.0.0 Mobile", "Chrome/126.0.0.0 Mobile"),
        ("q=0.9, 123456", "q=0.9, 123456"),
        ("321009007744", "32********44"),  # the other way round: whose digits are at the end is in front now
        ("1234567", "*****67"),
        ("", ""),
    ],
)
def test_masks_runs_of_digits_in_text(text, masked):
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/captures/447700900123.pcap", "/captures/44********23.pcap"),
        ("case-07700900123-20120110.pcap", "case-07*******23-20120110.pcap"),
        ("mirror-20120110023000.pcap", "mirror-20120110023000.pcap"),
        ("mirror_00001_201201100230.pcap", "mirror_00001_201201100230.pcap"),
        ("a.pcap1326161655", "a.pcap1326161655"),
        ("20129910.pcap", "2*****10.pcap"),
        ("/var/2012/01/10/12/part-000123", "/var/2012/01/10/12/part-000123"),
    ],
)
def test_masks_the_name_of_a_file_but_for_its_clock(path, shown):
    assert mask_path(path) == shown


def test_a_name_of_ours_may_be_spelt_in_hexadecimal():
    assert mask_text("face2face.example") != "face2face.example"
    assert mask_name("face2face, br-1a2b3c4d5e6f") == "face2face, br-1a2b3c4d5e6f"
    assert mask_name("case 447700 900123") == "case 44**** ****23"


def test_masks_octets_likewise():
    assert mask_text(b"\xff447700900123\xff") == b"\xff44********23\xff"


IDENTIFY = Identify(NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",)))
PIECES = st.sampled_from(
    ["447700900123", "+44 7700 900", "123", "07700", "900124", "%20", "%2B", "%C2%A0", "%2520", "%34", "(0)", "-", "/",
     "001010123456789", "1326153600", "msisdn=", "a", ",", "\xa0", "\x00", "%", "_", "+", "=", "%2F", "%3D", ";",
     "NDQ3NzAwOTAwMTIz", "RHcAkAEj", "kUR3AAkQMg==", "683d0d991b", "683D0D991B", "eyJzdWIiOiI0NDc3MDA5MDAxMjMifQ",
     "40ce120a3509087f921cad996518742a", "QM4SCjUJCH+SHK2ZZRh0Kg==", "xC3LKPHH1Cc9gFQbYDRmQVxH0JQ="]
)  # fmt: skip


@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_is_masked_shows_nothing_to_identify(text):
    masked = mask_text(text)
    assert len(masked) == len(text)
    octets = masked.encode("latin-1")
    flow = Flow(bytes(4), 40001, bytes(4), 80)
    seen = IDENTIFY.feed(RequestHead(0, flow, b"GET", octets, b"HTTP/1.1", ((b"x-msisdn", octets),)))
    assert [one for one in seen if one.form is not Form.ENCRYPTED] == []  # which nobody can read


# --- keys ---------------------------------------------------------------------------------------------------------


def key_file(folder: Path, octets: bytes, mode: int) -> Path:
    path = folder / "token.key"
    path.write_bytes(octets)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_loads_a_key(tmp_path, mode):
    assert load_key(key_file(tmp_path, KEY.hex().encode() + b"\n", mode)) == KEY.hex().encode()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_refuses_a_key_that_others_may_read(tmp_path, mode):
    path = key_file(tmp_path, KEY, mode)
    with pytest.raises(
        ConfigError, match=rf"{path}: others may read or write this key \(mode {mode:04o}\); run `chmod 600"
    ):
        load_key(path)


def test_refuses_a_key_that_can_be_guessed(tmp_path):
    with pytest.raises(ConfigError, match=r"the key has 31 octets, fewer than 32; make one with"):
        load_key(key_file(tmp_path, b"x" * 31 + b"\n", 0o600))


def test_takes_random_octets_as_they_are(tmp_path):
    """White space around a key is an editor's, but of random octets any may look like it."""
    octets = b"\x0c" + bytes(range(200, 230)) + b"\n"
    assert load_key(key_file(tmp_path, octets, 0o600)) == octets
    assert load_key(key_file(tmp_path, b" " + b"k" * 32 + b"\n", 0o600)) == b"k" * 32


def test_says_how_to_make_the_key_that_is_missing(tmp_path):
    path = tmp_path / "token.key"
    with pytest.raises(ConfigError, match=rf"{path}: cannot read the key \(No such file or directory\); make one with"):
        load_key(str(path))


def test_the_remedy_is_one(tmp_path):
    path = tmp_path / "token.key"
    with pytest.raises(ConfigError) as error:
        load_key(path)
    remedy = re.search("`(.*)`", str(error.value))
    assert remedy
    subprocess.run(["sh", "-c", remedy[1]], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(load_key(path)) == 64


def test_a_new_key_is_new():
    assert len(new_key()) == 32
    assert new_key() != new_key()
