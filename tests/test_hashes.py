from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import pytest

from monitor.agreements import load
from monitor.commands.hashes import write
from monitor.engine import native_is_here
from monitor.errors import ConfigError, EngineError
from monitor.identify import Identify
from monitor.identify.hashes import ALGORITHMS, Layout, open_table, small_table, table_of, written
from monitor.records import Flow, RequestHead
from monitor.verdicts import Form, NumberPlan

# two ranges of one length, one of another, and more entries than two to a power
PLAN = NumberPlan(
    "44",
    "0",
    "00",
    (("447700900000", "447700900999"), ("447700900500", "447700901233"), ("44770090000", "44770090009")),
    (),
)
RULES = Path(__file__).parents[1] / "rules"
FLOW = Flow(bytes([100, 64, 1, 2]), 40001, bytes([203, 0, 113, 9]), 80)
SPELLINGS = ("447700900123", "+447700900123", "07700900123")


def digest(name: str, text: str) -> bytes:
    return hashlib.new(name, text.encode(), usedforsecurity=False).digest()


def head(name: bytes, value: bytes) -> RequestHead:
    return RequestHead(0, FLOW, b"GET", b"/", b"HTTP/1.1", ((name, value),))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_number_is_found_by_each_of_its_digests(name):
    table = small_table(PLAN)
    assert table
    layout = Layout(PLAN)
    assert layout.amount == 1234 + 10
    for index in range(layout.amount):
        number = layout.number(index)
        for spelt in (number, f"+{number}", f"0{number[2:]}"):
            assert table.find(digest(name, spelt)) == number


def test_nothing_else_is_found():
    table = small_table(PLAN)
    assert table
    random_octets = random.Random(6)
    for octets in (16, 20, 32):
        assert not any(table.find(random_octets.randbytes(octets)) for _ in range(3_000))
    # a digest that shares all the bits that the table keeps with one that it has
    for name in ALGORITHMS:
        near = bytearray(digest(name, SPELLINGS[0]))
        near[-1] ^= 1
        assert table.find(bytes(near)) is None


@pytest.mark.parametrize("spelt", SPELLINGS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_hash_is_a_number_in_hex_and_base64(name, spelt):
    octets = digest(name, spelt)
    standard = base64.b64encode(octets).decode()
    url_safe = base64.urlsafe_b64encode(octets).decode().rstrip("=")
    for text in (octets.hex(), octets.hex().upper(), standard, url_safe, f"id={standard};x", f"/a/{url_safe}/b"):
        found = [(one.number.digits, one.form, one.spelling) for one in Identify(PLAN).feed(head(b"x", text.encode()))]
        assert found == [("447700900123", Form.HASHED, name)]


def test_a_keyed_digest_is_nobodys():
    assert not Identify(PLAN).feed(head(b"x", hashlib.sha256(b"key447700900123").hexdigest().encode()))


@pytest.mark.skipif(not native_is_here(), reason="the native engine is not in this installation")
def test_both_builders_write_the_same(tmp_path):
    from monitor._engine import write_hashes

    layout, told = Layout(PLAN), []
    line = layout.line.ljust(layout.begin, b"\0")
    write_hashes(str(tmp_path / "a"), line, layout.country, layout.trunk, layout.ranges, told.append)
    assert (tmp_path / "a").read_bytes() == b"".join(written(layout, lambda _: None))
    assert sum(told) == layout.entries * len(ALGORITHMS)
    with pytest.raises(KeyboardInterrupt):
        write_hashes(str(tmp_path / "b"), line, layout.country, layout.trunk, layout.ranges, interrupt)


def interrupt(_made: int) -> None:
    raise KeyboardInterrupt


# --- the file -----------------------------------------------------------------------------------------------------


def test_it_writes_what_network_yaml_names(tmp_path, capsys):
    assert write(RULES, tmp_path / "numbers.hashes") == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/numbers.hashes: 1,000 numbers, 9,000 digests, ")
    table = table_of(load(RULES).plan._replace(hash_table=str(tmp_path / "numbers.hashes")))
    assert table
    assert table.find(digest("sha1", "+447700900999")) == "447700900999"
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.hashes"]


def test_the_file_shows_ranges_and_no_number(tmp_path):
    write(RULES, tmp_path / "numbers.hashes")
    octets = (tmp_path / "numbers.hashes").read_bytes()
    assert octets.startswith(b"msisdn-monitor hashes 1; country 44; trunk 0; numbers 447700900000-447700900999\n")
    assert octets.count(b"7700900") == 2


def test_a_table_that_cannot_be_used_says_why(tmp_path):
    path = tmp_path / "numbers.hashes"
    with pytest.raises(ConfigError, match=r"cannot read the table of hashes .*make it with `msisdn-mon"):
        open_table(path, PLAN)
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot read the table of hashes"):
        open_table(path, PLAN)
    write(RULES, path)
    with pytest.raises(ConfigError, match=r"is not of the ranges in network\.yaml; make it with"):
        open_table(path, PLAN)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="is not whole; make it with"):
        open_table(path, load(RULES).plan)


def test_it_says_where_it_cannot_write(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write the table .*; name another place"):
        write(RULES, tmp_path / "nowhere" / "numbers.hashes")


def test_many_numbers_need_the_native_engine_and_a_table(tmp_path, monkeypatch):
    many = PLAN._replace(msisdn_ranges=(("447700000000", "447724999999"),))
    assert small_table(many) is None
    assert table_of(many) is None
    monkeypatch.setattr("monitor.commands.hashes.native_is_here", lambda: False)
    monkeypatch.setattr("monitor.commands.hashes.MOST_IN_PYTHON", 999)
    with pytest.raises(EngineError, match="needs the native engine"):
        write(RULES, tmp_path / "numbers.hashes")
