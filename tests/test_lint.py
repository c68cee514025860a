"""Rules that are valid and probably not meant: each warning, and the example, which has but one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.agreements import load
from monitor.agreements.lint import lint
from monitor.agreements.suffixes import PublicSuffixes

RULES = Path(__file__).parent.parent / "rules"
JANUARY_2012 = 1_326_369_600 * 10**9
FEW = PublicSuffixes(Path("no/such/list"))  # the same on every machine
Warnings = Callable[[str], list[str]]

NETWORK = """# yaml-language-server: $schema=./schema.json
operator: Operator Example
country: 44
msisdn_ranges: [447700900000-447700900999]
access: {3g: [100.64.0.0/16]}
roaming: [100.64.240.0/20]
brands: {o2: [447700900000-447700900699], giggle: [447700900700-447700900999, 100.64.128.0/18]}
purposes: {billing: {title: To bill}, statistics: {title: To count, needs: keyed}}
opt_out_list: opt-out.txt
jurisdiction: UK
time_zone: Europe/London
"""
HEAD = """# yaml-language-server: $schema=./schema.json
partner: acme
name: Acme Ltd
contract: HE-1
contact: privacy@acme.example
grants:
"""
GRANT = """  - purpose: billing
    hosts: [acme.example]
    networks: [203.0.113.0/24]
    identifiers: [msisdn]
    fields: [x-msisdn]
    form: plain
"""


@pytest.fixture
def warnings(tmp_path: Path) -> Warnings:
    """What is said of one partner's grants, without the file's name."""

    def warn(grants: str, network: str = NETWORK, opt_out: bool = True, head: str = HEAD) -> list[str]:
        (tmp_path / "network.yaml").write_text(network)
        (tmp_path / "acme.yaml").write_text(head + grants)
        if opt_out:
            (tmp_path / "opt-out.txt").touch()
        remarks = map(str, lint(load(tmp_path), JANUARY_2012, FEW))
        return [remark.replace(f"{tmp_path}/", "").removeprefix("acme.yaml:") for remark in remarks]

    return warn


def test_sound_rules_have_no_warning(warnings: Warnings) -> None:
    assert warnings(GRANT) == []


def test_the_example_has_one_warning() -> None:
    remarks = [str(remark).rpartition("/")[2] for remark in lint(load(RULES), JANUARY_2012, FEW)]
    assert [remark.partition(": ")[2] for remark in remarks] == [
        "grants[1].valid_until: has expired; renew the grant, or remove it once nobody asks about it"
    ]


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "    networks: [203.0.113.0/24]\n    identifiers",
            "    identifiers",
            None,
        ),
        (
            "[acme.example]\n    networks: [203.0.113.0/24]",
            '["*.acme.example"]',
            "8:13: grants[0].hosts[0]: `*.acme.example` is not held to an address; add `networks`",
        ),
        ("[acme.example]", '["*.acme.example", acme.example]', None),
        (
            "[acme.example]",
            '["*.co.uk"]',
            "8:13: grants[0].hosts[0]: strangers can have names below `co.uk`; write the partner's own",
        ),
        (
            "[acme.example]",
            "[github.io]",
            "8:13: grants[0].hosts[0]: strangers can have names below `github.io`; write the partner's own",
        ),
        (
            "[acme.example]",
            "[localhost]",
            "8:13: grants[0].hosts[0]: strangers can have names below `localhost`; write the partner's own",
        ),
        ("[acme.example]", "[203.0.113.9]", None),
        (
            "[acme.example]",
            "[198.51.100.9]",
            "8:13: grants[0].hosts[0]: never matches: `198.51.100.9` is outside `networks`; mend one of them",
        ),
        (
            "[acme.example]",
            "['2001:db8::1']",
            "8:13: grants[0].hosts[0]: never matches: `2001:db8::1` is outside `networks`; mend one of them",
        ),
        (
            "form: plain",
            "form: plain\n    valid_until: 2012-01-11",
            "13:18: grants[0].valid_until: has expired; renew the grant, or remove it once nobody asks about it",
        ),
        ("form: plain", "form: plain\n    valid_until: 2012-01-12", None),
        (
            "form: plain",
            "form: hashed",
            "12:11: grants[0].form: reversible in minutes, for all numbers of a country can be tried; agree on `keyed`",
        ),
        (
            "purpose: billing",
            "purpose: statistics",
            "12:11: grants[0].form: more readable than `statistics` needs; agree on `keyed`",
        ),
        (
            "[msisdn]",
            "[imsi]\n    brands: [o2]",
            "11:13: grants[0].brands: never matches: these brands are ranges of phone numbers; add their networks",
        ),
        ("[msisdn]", "[imsi]\n    brands: [o2, giggle]", None),
        ("[msisdn]", "[msisdn, imsi]\n    brands: [o2]", None),
        ("form: plain", "form: plain\n    roaming: false", None),
    ],
)
def test_one_grant(warnings: Warnings, old: str, new: str, warning: str | None) -> None:
    assert old in GRANT
    assert warnings(GRANT.replace(old, new)) == ([] if warning is None else [warning])


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "opt_out_list: opt-out.txt\n",
            "",
            "network.yaml:2:1: no `opt_out_list`; nobody can opt out",
        ),
        (
            "opt-out.txt",
            "other.txt",
            "network.yaml:9:15: opt_out_list: `other.txt` is missing; nobody counts as opted out until it is there",
        ),
        (
            "[447700900000-447700900999]",
            "[447700900000-447700900699]",
            "network.yaml:7:52: brands.giggle[0]: holds none of msisdn_ranges' numbers; mend one of them",
        ),
        (
            "# yaml-language-server: $schema=./schema.json\n",
            "",
            "network.yaml:1:1: no editor will help; begin the file with "
            "`# yaml-language-server: $schema=./schema.json`",
        ),
        (
            "roaming: [100.64.240.0/20]\n",
            "",
            "13:14: grants[0].roaming: forbids nothing: network.yaml has no `roaming` addresses; add them there",
        ),
    ],
    ids=[
        "no list",
        "list missing",
        "brand without numbers",
        "no schema",
        "no roaming",
    ],  # of a file, so without numbers
)
def test_the_network(warnings: Warnings, old: str, new: str, warning: str) -> None:
    assert old in NETWORK
    assert warnings(f"{GRANT}    roaming: false\n", NETWORK.replace(old, new, 1)) == [warning]


SHADOWED = "grants[1]: shadowed: grants[0] of acme agrees to all of this and stands first; remove one of the two"
OVERLAPS = "grants[1]: overlaps with grants[0] of acme, which stands first and counts; set them apart by a condition"
WILD, STATISTICS = '["*.acme.example"]', GRANT.replace("billing", "statistics").replace("plain", "keyed")


@pytest.mark.parametrize(
    ("first", "second", "warning"),
    [
        (GRANT, GRANT, SHADOWED),
        (GRANT, GRANT.replace("billing", "statistics").replace("plain", "encrypted"), SHADOWED),
        (GRANT.replace("[acme.example]", WILD), GRANT.replace("[acme", "[www.acme"), SHADOWED),
        (GRANT.replace("[acme.example]", WILD), GRANT.replace("[acme.example]", '["*.eu.acme.example"]'), SHADOWED),
        (GRANT.replace("[acme.example]", WILD), GRANT, None),
        (GRANT, GRANT.replace("203.0.113.0/24", "203.0.113.0/26"), SHADOWED),
        (GRANT, GRANT.replace("203.0.113.0/24", "203.0.0.0/16"), None),
        (GRANT, STATISTICS.replace("203.0.113.0/24", "203.0.0.0/16"), OVERLAPS),
        (GRANT, STATISTICS.replace("203.0.113.0/24", "198.51.100.0/24"), None),
        (GRANT + "    paths: [/a]\n", GRANT + "    paths: [/a/b]\n", SHADOWED),
        (GRANT + "    paths: [/a]\n", STATISTICS + "    paths: [/ab]\n", None),
        (GRANT + "    paths: [/a/b]\n", STATISTICS + "    paths: [/a]\n", OVERLAPS),
        (GRANT + "    access: [3g]\n", GRANT, None),
        (GRANT + "    access: [3g]\n", STATISTICS, OVERLAPS),
        (GRANT + "    brands: [o2]\n", STATISTICS + "    brands: [giggle]\n", None),
        (GRANT + "    roaming: false\n", GRANT, None),
        (GRANT, GRANT + "    roaming: false\n", SHADOWED),
        (GRANT.replace("plain", "keyed"), GRANT, None),
        (GRANT + "    valid_from: 2012-01-01\n", GRANT + "    valid_from: 2011-01-01\n", None),
        (GRANT + "    valid_until: 2012-12-31\n", GRANT, None),
        (GRANT + "    valid_until: 2012-12-31\n", STATISTICS + "    valid_from: 2013-01-01\n", None),
        (GRANT + "    valid_until: 2012-12-31\n", STATISTICS + "    valid_from: 2012-12-31\n", OVERLAPS),
        (GRANT.replace("[acme", "[www.acme"), STATISTICS.replace("[acme.example]", WILD), OVERLAPS),
        (GRANT, STATISTICS.replace("x-msisdn", "x-acr"), None),
    ],
)
def test_two_grants(warnings: Warnings, first: str, second: str, warning: str | None) -> None:
    line = (HEAD + first).count("\n") + 1
    assert warnings(first + second) == ([] if warning is None else [f"{line}:5: {warning}"])


def test_grants_of_two_partners_overlap(warnings: Warnings, tmp_path: Path) -> None:
    (tmp_path / "zed.yaml").write_text(
        HEAD.replace("partner: acme", "partner: zed") + STATISTICS + "    access: [3g]\n"
    )
    expected = "zed.yaml:7:5: grants[0]: shadowed: grants[0] of acme agrees to all of this and stands first; "
    assert warnings(GRANT) == [expected + "remove one of the two"]


def test_the_order_of_warnings_is_that_of_the_files(tmp_path: Path) -> None:
    rules = Path(shutil.copytree(RULES, tmp_path / "rules"))
    for file in rules.glob("*.yaml"):
        file.write_text(file.read_text("utf-8").partition("\n")[2], "utf-8")
    remarks = lint(load(rules), JANUARY_2012, FEW)
    assert remarks == sorted(remarks)
    assert len(remarks) == 5
