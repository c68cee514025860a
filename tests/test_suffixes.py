from __future__ import annotations

from pathlib import Path

import pytest

from monitor.agreements.suffixes import LIST, PublicSuffixes

SOME = """\
// ===BEGIN ICANN DOMAINS===
uk
co.uk

// Cook Islands
*.ck
!www.ck
公司.cn   what stands behind a space is no part of the rule
"""


@pytest.fixture
def some(tmp_path: Path) -> PublicSuffixes:
    (tmp_path / "list.dat").write_text(SOME, "utf-8")
    return PublicSuffixes(tmp_path / "list.dat")


@pytest.mark.parametrize(
    ("name", "is_suffix"),
    [
        ("uk", True),
        ("co.uk", True),
        ("shop.co.uk", False),
        ("ck", True),
        ("any.ck", True),
        ("www.ck", False),
        ("shop.any.ck", False),
        ("xn--55qx5d.cn", True),
        ("github.io", True),  # of the few that are always known
        ("localhost", True),
        ("partner.example", False),
    ],
)
def test_a_name_is_a_suffix_by_the_longest_rule(some: PublicSuffixes, name: str, is_suffix: bool) -> None:
    assert (name in some) == is_suffix


def test_without_a_list_a_few_are_known_and_that_is_said(some: PublicSuffixes, tmp_path: Path) -> None:
    few = PublicSuffixes(tmp_path / "missing.dat")
    assert "co.uk" in few
    assert "any.ck" not in few
    assert (few.whole, some.whole) == (False, True)


@pytest.mark.skipif(not LIST.exists(), reason="needs the package publicsuffix")
def test_the_list_of_the_system_is_read() -> None:
    suffixes = PublicSuffixes()
    assert suffixes.whole
    assert "gov.uk" in suffixes
    assert "example.gov.uk" not in suffixes
