from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import RuleError
from monitor.pytest_plugin import assert_no_violations, replay
from pcaps.talk import Talk, pcap
from tests.leaks import NUMBER, RULES, agreed, clean, leak, write, write_cut

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("talk", [clean, agreed])
def test_what_is_agreed_passes(talk: object, tmp_path: Path) -> None:
    assert_no_violations(write(tmp_path / "a.pcap", talk()), RULES)  # type: ignore[operator]


def test_a_leak_fails_and_says_what_leaked_to_whom(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.pcap", leak(b"shop.example", requests=3))
    with pytest.raises(AssertionError) as failure:
        assert_no_violations(path, rules=RULES)
    assert str(failure.value).splitlines() == [
        f"{path}:",
        f"3 violations of the agreements in {RULES}:",
        "  unknown_recipient: plain msisdn in header 'x-msisdn' to 'shop.example', 3 times, first 44770*****23 at "
        "2012-01-10T12:00:00.004000000Z",
    ]


def test_many_leaks_are_summed_up(tmp_path: Path) -> None:
    talk = leak()
    for n in range(30):
        talk.packets += leak(b"s%d.example" % n, sport=50000 + n).packets
    with pytest.raises(AssertionError, match="and 11 more kinds"):
        assert_no_violations(write(tmp_path / "leak.pcap", talk), rules=RULES)


def test_a_capture_that_was_not_read_to_its_end_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"not all of it was read: .*is cut at byte"):
        assert_no_violations(write_cut(tmp_path / "cut.pcap", clean()), RULES)
    with pytest.raises(AssertionError, match=r"not all of it was read: .*cannot be opened"):
        assert_no_violations(tmp_path / "missing.pcap", RULES)


def test_a_capture_in_which_nothing_was_seen_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing was seen: not one request could be read in 0 frames"):
        assert_no_violations(write(tmp_path / "empty.pcap", Talk()), RULES)
    (tmp_path / "sliced.pcap").write_bytes(pcap(clean().frames, snap=56))
    with pytest.raises(AssertionError, match="nothing was seen: not one request could be read in 8 frames"):
        assert_no_violations(tmp_path / "sliced.pcap", RULES)


def test_a_replay_can_be_looked_at_and_asserted(tmp_path: Path) -> None:
    seen = replay(write(tmp_path / "agreed.pcap", agreed()), RULES)
    assert [row["partner"] for row in seen.allowed] == ["ageverify"]
    assert (seen.violations, seen.summary["requests"]) == ([], 1)
    assert_no_violations(seen)
    assert NUMBER.decode() not in repr(seen)


def test_rules_that_are_missing_are_an_error_and_no_failure(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no such folder"):
        replay(write(tmp_path / "a.pcap", clean()), tmp_path / "missing")


TESTS = """
from monitor.pytest_plugin import assert_no_violations

def test_function():
    assert_no_violations("leak.pcap")

def test_fixture(msisdn_monitor):
    assert len(msisdn_monitor("leak.pcap").violations) == 1
"""


@pytest.mark.parametrize("way", ["default", "ini", "option"])
def test_the_rules_of_a_project(pytester: pytest.Pytester, way: str) -> None:
    shutil.copytree(RULES, pytester.path / ("rules" if way == "default" else "agreements"))
    if way == "ini":
        pytester.makeini("[pytest]\nmsisdn_rules = agreements\n")
    write(pytester.path / "leak.pcap", leak())
    pytester.makepyfile(TESTS)
    result = pytester.runpytest(*(["--msisdn-rules", "agreements"] if way == "option" else []))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: leak.pcap:", "*unknown_recipient: plain msisdn in header*"])
    result.stdout.no_fnmatch_line("*447700900123*")


def test_the_plugin_costs_pytest_nothing() -> None:
    code = (
        "import sys, monitor.pytest_plugin\n"
        "print(*{'rich', 'prometheus_client', 'dpkt', 'yaml', 'click'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
