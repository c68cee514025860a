"""Rule files read right, and every way to get one wrong that we could think of, each with its exact message."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.agreements import RuleBook, load, schema
from monitor.agreements.prefixes import Prefixes
from monitor.errors import RuleError
from monitor.verdicts import NumberPlan
from monitor.written import document
from monitor.written.document import Document

RULES = Path(__file__).parent.parent / "rules"
BAD = Path(__file__).parent / "bad_rules"
EXPECTED = (BAD / "expected.txt").read_text("utf-8").splitlines()
NUMBER = "447700900404"  # of the example's opt-out list
Spoil = Callable[[str, str, str], None]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the example, to be spoilt."""
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


@pytest.fixture
def spoil(rules: Path) -> Spoil:
    def replace(file: str, old: str, new: str) -> None:
        text = (rules / file).read_text("utf-8")
        assert old in text
        (rules / file).write_text(text.replace(old, new, 1), "utf-8")

    return replace


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load(RULES)


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(RuleError) as error:
        load(folder)
    return str(error.value).replace(f"{folder}/", "").split("\n")


def unplaced(faults: list[str]) -> list[str]:
    """Without line and column, which move with every edit of the example; the bad files have them."""
    return [re.sub(r":\d+:\d+:", ":", fault) for fault in faults]


# --- every way to get it wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("bad", sorted(BAD.glob("*.yaml")), ids=lambda bad: bad.stem)
def test_a_bad_file_says_exactly_what_is_wrong(
    bad: Path, parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "PARSER", getattr(yaml, parser, yaml.SafeLoader))
    for name in ("network.yaml", "portal.yaml"):
        shutil.copy(RULES / name, tmp_path)
    (tmp_path / "opt-out.txt").touch()
    if bad.name.startswith("network-"):
        (tmp_path / "portal.yaml").unlink()
        shutil.copy(bad, tmp_path / "network.yaml")
        found = [line.replace("network.yaml:", f"{bad.name}:", 1) for line in faults_of(tmp_path)]
    else:
        shutil.copy(bad, tmp_path)
        found = faults_of(tmp_path)
    assert found == [line for line in EXPECTED if line.startswith(f"{bad.name}:") or f" {bad.name} " in line]


def test_no_message_repeats_a_number() -> None:
    assert not [line for line in EXPECTED if "7700" in line]


def test_every_fault_of_every_file_is_told_at_once(rules: Path, spoil: Spoil) -> None:
    spoil("ageverify.yaml", "contract: HE", "contrakt: HE")
    spoil("ageverify.yaml", "[3g, wap]", "[3g, wop]")
    spoil("portal.yaml", "purpose: statistics", "purpose: statistic")
    spoil("paybyphone.yaml", "expect_every: 30m", "expect_every: 30")
    assert unplaced(faults_of(rules)) == [
        "ageverify.yaml: contrakt: unknown key; did you mean `contract`?",
        "ageverify.yaml: grants[0].access[1]: `wop` is no access network of network.yaml; did you mean `wap`?",
        "paybyphone.yaml: grants[0].expect_every: `30` is no span of time; "
        "write a number and m, h or d, such as `30m`, `1h` or `1d`",
        "portal.yaml: grants[2].purpose: `statistic` is no purpose of network.yaml; did you mean `statistics`?",
    ]


def test_a_fault_in_network_yaml_does_not_hide_those_of_the_partners(rules: Path, spoil: Spoil) -> None:
    spoil("network.yaml", "country: 44", "country: GB")
    spoil("portal.yaml", "form: keyed", "form: keyd")
    spoil("portal.yaml", "purpose: statistics", "purpose: nobody-knows")  # cannot be looked up now
    assert unplaced(faults_of(rules)) == [
        "network.yaml: country: `GB` is no country code; write 1 to 3 digits",
        "portal.yaml: grants[2].form: `keyd` is no form; did you mean `keyed`?",
    ]


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remedy = "the rules are a folder with network.yaml and a file for each partner"
    with pytest.raises(RuleError) as error:
        load(tmp_path / "rules")
    assert str(error.value) == f"{tmp_path}/rules: no such folder; {remedy}"
    with pytest.raises(RuleError) as error:
        load(tmp_path / "file")
    assert str(error.value) == f"{tmp_path}/file: is a file; give the folder that it lies in; {remedy}"


def test_no_network_yaml(rules: Path, spoil: Spoil) -> None:
    (rules / "network.yaml").unlink()
    missing = "network.yaml: is missing; it describes the operator: copy the example's"
    assert faults_of(rules) == [missing]
    spoil("portal.yaml", "form: keyed", "form: keyd")
    assert unplaced(faults_of(rules)) == [
        missing,
        "portal.yaml: grants[2].form: `keyd` is no form; did you mean `keyed`?",
    ]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert faults_of(tmp_path) == ["network.yaml: is missing; it describes the operator: copy the example's"]


def test_files_that_cannot_be_read(rules: Path) -> None:
    (rules / "portal.yaml").unlink()
    (rules / "portal.yaml").mkdir()
    (rules / "network.yaml").unlink()
    (rules / "network.yaml").symlink_to("nowhere.yaml")
    assert faults_of(rules) == [
        "network.yaml: cannot be read: No such file or directory; mend its permissions or move it",
        "portal.yaml: cannot be read: Is a directory; mend its permissions or move it",
    ]


def test_network_yml_is_almost_right(rules: Path) -> None:
    (rules / "network.yaml").rename(rules / "Network.yml")
    assert faults_of(rules) == ["network.yaml: is missing; rename Network.yml to it"]


def test_links_that_go_round(rules: Path, tmp_path: Path) -> None:
    (rules / "portal.yaml").unlink()
    (rules / "portal.yaml").symlink_to("portal.yaml")
    remedy = "cannot be read: Too many levels of symbolic links; mend its permissions or move it"
    assert faults_of(rules) == [f"portal.yaml: {remedy}"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(
        RuleError, match="loop: cannot be read: Too many levels of symbolic links; mend its permissions"
    ):
        load(tmp_path / "loop")


def test_a_pipe_is_not_waited_for(rules: Path) -> None:
    (rules / "portal.yaml").unlink()
    os.mkfifo(rules / "portal.yaml")
    (rules / "opt-out.txt").unlink()
    os.mkfifo(rules / "opt-out.txt")
    assert faults_of(rules) == [
        "portal.yaml: is no file of text; move it",
        "opt-out.txt: is no file of text; move it",
    ]


def test_a_huge_file_is_not_read(rules: Path) -> None:
    with (rules / "portal.yaml").open("ab") as file:
        file.truncate(3_000_000_000)  # no block of which is on the disk
    assert faults_of(rules) == ["portal.yaml: has 3,000,000,000 bytes, a rule file at most 1,048,576; split it"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_what_may_not_be_read_or_entered(rules: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    (rules / "portal.yaml").chmod(0)
    os.seteuid(65534)
    try:
        remedy = "cannot be read: Permission denied; mend its permissions"
        assert faults_of(rules) == [f"portal.yaml: {remedy} or move it"]
        os.seteuid(0)
        rules.chmod(0o644)  # may be listed, not entered
        os.seteuid(65534)
        assert all(fault.endswith(f"{remedy} or move it") for fault in faults_of(rules))
        os.seteuid(0)
        rules.chmod(0)
        os.seteuid(65534)
        with pytest.raises(RuleError, match=f"rules: {remedy}"):
            load(rules)
    finally:
        os.seteuid(0)


def test_a_name_that_no_file_can_have(rules: Path, spoil: Spoil) -> None:
    spoil("network.yaml", "opt_out_list: opt-out.txt", f"opt_out_list: {'x' * 300}")
    (fault,) = faults_of(rules)
    assert fault.endswith("xxx: cannot be read: File name too long; mend its permissions or move it")


def test_two_files_with_one_partner_and_a_third(rules: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        shutil.copy(rules / "portal.yaml", rules / name)
    assert unplaced(faults_of(rules)) == [
        "b.yaml: partner: `portal` is the partner of a.yaml too; choose another",
        "portal.yaml: partner: `portal` is the partner of a.yaml too; choose another",
    ]


# --- the feed of subscribers ------------------------------------------------------------------------------------------


def test_a_file_of_sessions(rules: Path, spoil: Spoil) -> None:
    spoil("network.yaml", "  # file: sessions.csv", "  file: sessions.csv")
    assert faults_of(rules) == [
        "sessions.csv: cannot be read: No such file or directory; mend its permissions or move it"
    ]
    (rules / "sessions.csv").write_text(
        "address,msisdn,from\n100.64.1.2,447700900123,2012-01-10T00:00:00Z\n100.64.1,x,y\n"
    )
    assert faults_of(rules) == ["sessions.csv:3:1: `msisdn` is wrong; write 7 to 15 digits with the country code"]
    (rules / "sessions.csv").write_text("address,msisdn,from\n100.64.1.2,447700900123,2012-01-10T00:00:00Z\n")
    feed = load(rules).feed
    assert feed is not None
    assert (len(feed.reports), feed.ports, feed.silence_ns) == (1, {1813, 1646}, 600 * 10**9)


def test_the_secret_of_the_gateways(rules: Path, spoil: Spoil) -> None:
    spoil("network.yaml", "  # radius_secret: radius.secret", "  radius_secret: radius.secret")
    secret = rules / "radius.secret"
    secret.write_text("\n")
    secret.chmod(0o600)
    assert faults_of(rules) == ["radius.secret: is empty; write the secret that your gateways share"]
    secret.write_text("s3cret\n")
    feed = load(rules).feed
    assert feed is not None
    assert feed.secret == b"s3cret"
    assert "s3cret" not in repr(feed)
    secret.chmod(0o644)
    assert faults_of(rules) == ["radius.secret: others may read it; run `chmod 600 radius.secret`"]


def test_only_yaml_files_count_and_hidden_ones_do_not(rules: Path, book: RuleBook) -> None:
    (rules / "README.md").write_text("not yaml: [")
    (rules / ".portal.yaml").write_text("an editor's copy: [")
    (rules / "portal.yaml~").write_text("another: [")
    (rules / "portal.yaml").rename(rules / "portal.yml")
    assert [partner.partner for partner in load(rules).partners] == ["ageverify", "paybyphone", "portal"]


def test_the_sha256_is_of_the_yaml_files(rules: Path, spoil: Spoil, book: RuleBook) -> None:
    assert load(rules).sha256 == book.sha256
    (rules / "opt-out.txt").write_text("")
    assert load(rules).sha256 == book.sha256
    spoil("portal.yaml", "partner: portal", "partner: portal ")
    changed = load(rules).sha256
    (rules / "portal.yaml").rename(rules / "own.yaml")
    assert len({book.sha256, changed, load(rules).sha256}) == 3


def test_the_opt_out_list(rules: Path, book: RuleBook) -> None:
    assert book.opted_out == {NUMBER, "447700900405", "447700900904"}
    token = "0123456789abcdef" * 2
    (rules / "opt-out.txt").write_text(f"\n# a comment\n +{NUMBER}  # and one here\n{token}\n")
    assert load(rules).opted_out == {NUMBER, token}
    (rules / "opt-out.txt").write_text(f"{NUMBER}\n07700 900404\n{NUMBER}00000\n{token}0\n")
    remedy = "write a number (7 to 15 digits with the country code) or a token (32 hexadecimal digits)"
    assert faults_of(rules) == [
        f"opt-out.txt:{line}:1: is neither a number nor a token; {remedy}" for line in (2, 3, 4)
    ]


def test_a_missing_opt_out_list_loads(rules: Path, spoil: Spoil) -> None:
    (rules / "opt-out.txt").unlink()
    assert load(rules).opt_out_missing
    spoil("network.yaml", "opt_out_list: opt-out.txt", "")
    assert load(rules).opted_out == frozenset()


# --- what is read ---------------------------------------------------------------------------------------------------


def test_the_example_is_read(book: RuleBook) -> None:
    ageverify = book.partners[0]
    grant = ageverify.grants[0]
    assert (ageverify.name, ageverify.contract) == ("AgeVerify Ltd", "HE-2011-042")
    assert grant.hosts == ("ageverify.example", "*.ageverify.example")
    assert (grant.roaming, grant.max_subscribers_per_day, grant.expect_every) == (False, 50_000, 3600)
    assert (book.network.notification_hours, list(book.network.access)) == (72, ["3g", "wap", "wifi"])
    assert [partner.partner for partner in book.partners] == ["ageverify", "paybyphone", "portal"]


def test_the_plan_is_what_identify_needs(book: RuleBook) -> None:
    assert book.plan == NumberPlan(
        country="44",
        trunk_prefix="0",
        international_prefix="00",
        msisdn_ranges=(("447700900000", "447700900999"),),
        imsi_prefixes=("00101",),
        fields=frozenset({b"x-operator-subno", b"x-msisdn", b"x-up-calling-line-id", b"x-imsi", b"x-acr"}),
        report_foreign=False,
    )


def test_scalars_are_what_they_look_like_to_a_person(rules: Path, spoil: Spoil) -> None:
    spoil("portal.yaml", "contract: internal HE-2008-001", "contract: 0x1F")
    spoil("portal.yaml", "name: Operator Example, customer portal", "name: no")
    portal = load(rules).partners[2]
    assert (portal.contract, portal.name) == ("0x1F", "no")


def test_hosts_and_fields_have_one_spelling(rules: Path, spoil: Spoil) -> None:
    spoil("portal.yaml", "[sim.operator.example]", '["*.Bücher.example.", "[2001:DB8::0:1]", 203.0.113.9]')
    spoil("portal.yaml", "[x-imsi]", "[HTTP_X_IMSI]")
    grant = load(rules).partners[2].grants[1]
    assert grant.hosts == ("*.xn--bcher-kva.example", "2001:db8::1", "203.0.113.9")
    assert grant.fields == ("x-imsi",)


@pytest.mark.parametrize(
    ("host", "grants"),
    [
        ("ageverify.example", ["grants[0] of ageverify"]),
        ("www.ageverify.example", ["grants[0] of ageverify"]),
        ("a.b.c.ageverify.example", ["grants[0] of ageverify"]),
        ("old-ageverify.example", ["grants[1] of ageverify"]),
        ("notageverify.example", []),
        ("example", []),
        ("shop.example", []),
        (r"shop.example\x00.ageverify.example", []),
        ("shop.example/.ageverify.example", []),
        ("", []),
    ],
)
def test_grants_of_a_host(book: RuleBook, host: str, grants: list[str]) -> None:
    assert [str(terms) for terms in book.grants_of(host)] == grants


@pytest.mark.parametrize(
    ("address", "access", "brand", "roaming"),
    [
        ("100.64.1.2", "3g", "unknown", False),
        ("100.64.128.1", "3g", "giggle", False),
        ("100.64.240.9", "3g", "unknown", True),
        ("100.65.255.255", "wap", "unknown", False),
        ("2001:db8:1:ffff::1", "3g", "unknown", False),
        ("2001:db8:2::1", "unknown", "unknown", False),
        ("198.51.100.1", "unknown", "unknown", False),
    ],
)
def test_an_address_tells_access_and_brand(
    book: RuleBook, address: str, access: str, brand: str, roaming: bool
) -> None:
    assert book.client(ip_address(address).packed) == (access, brand, roaming)


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("447700900000", "o2"),
        ("447700900699", "o2"),
        ("447700900700", "giggle"),
        ("447700900999", "giggle"),
        ("447700901000", None),
        ("447700899999", None),
        ("4477009000000", None),
        ("44770090000", None),
    ],
)
def test_a_number_tells_the_brand(book: RuleBook, number: str, brand: str | None) -> None:
    assert book.brand_of(number) == brand


@pytest.mark.parametrize(
    ("key", "written", "utc_ns"),
    [
        ("valid_from", "2012-01-10", 1326153600),
        ("valid_from", "2012-07-10", 1341874800),  # British summer time
        ("valid_from", "2012-07-10 14:30", 1341927000),
        ("valid_until", "2012-01-25", 1327536000),  # through the 25th
        ("valid_until", "2012-01-25 14:00", 1327500060),  # through 14:00:59
        ("valid_until", "2012-01-25T14:00", 1327500060),
        ("valid_until", "2012-10-28 01:30", 1351387860),  # the second half past one of that night
    ],
)
def test_dates_are_inclusive_in_the_operators_time_zone(
    rules: Path, spoil: Spoil, key: str, written: str, utc_ns: int
) -> None:
    spoil("ageverify.yaml", "valid_from: 2011-06-01", f"{key}: {written}")
    terms = load(rules).terms[0]
    assert (terms.from_ns if key == "valid_from" else terms.until_ns) == utc_ns * 10**9


def test_neither_book_nor_number_shows_who_opted_out(book: RuleBook) -> None:
    assert NUMBER not in repr(book) + repr(vars(book)["network"].tests) + repr(book.partners)


# --- schema.json ----------------------------------------------------------------------------------------------------


def test_the_schema_is_current() -> None:
    assert (RULES / "schema.json").read_text("utf-8") == schema.text(), (
        "python -m monitor.agreements.schema > rules/schema.json"
    )


class Yaml12(yaml.SafeLoader):
    """As editors read YAML: a date is a string."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(("timestamp", "merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize("file", sorted(RULES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_schema_fits_the_example(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=./schema.json\n")
    validator = jsonschema.Draft202012Validator(json.loads((RULES / "schema.json").read_text("utf-8")))
    tree = yaml.load(text, Loader=Yaml12)
    assert [error.message for error in validator.iter_errors(tree)] == []
    assert list(validator.iter_errors(tree | {"unknown": 1}))


# --- bounds ---------------------------------------------------------------------------------------------------------


def said_of(text: str) -> list[str]:
    return [str(fault) for fault in Document("x.yaml", text.encode()).faults]


def test_so_many_faults_are_worded_and_no_more() -> None:
    most = document.MOST_FAULTS
    text = "".join(f"k{line}:\n" for line in range(most - 1))
    assert len(said_of(text)) == most - 1
    *_, last, rest = said_of(text + "a: *x\nb: *x\n")
    assert last.startswith(f"x.yaml:{most}:4: a: `*x` is a YAML alias")
    assert rest == f"x.yaml:{most}:4: the rest is not read; mend the 100 faults above first"


def test_so_many_values_and_no_more() -> None:
    most = document.MOST_VALUES - 1  # but for the mapping around them
    assert said_of("a: [" + "b," * (most - 1) + "]") == []
    assert said_of("a:\n" + "- b\n" * most) == [
        f"x.yaml:{most + 1}:3: more than 30,000 values; make several files of it"
    ]


# --- properties -----------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("ab:-[]{}\"'*&!|>%@#?, \n\t\r\ufeff\x85\x07é"), max_size=40) | st.binary(max_size=40))
def test_any_text_is_a_tree_or_has_faults(text: str | bytes) -> None:
    read = Document("x.yaml", text if isinstance(text, bytes) else text.encode())
    assert read.tree is not None or read.faults
    for fault in read.faults:
        assert str(fault).startswith("x.yaml:")
        assert fault.mark is not None
        assert min(fault.mark) >= 1


NETWORKS = st.builds(
    lambda address, length: ip_network((address, length), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)


CLOSE_NETWORKS = st.builds(  # that hold, touch and end with each other
    lambda eighth, length: ip_network((eighth << 29, length), strict=False), st.integers(0, 7), st.integers(0, 4)
)
CLOSE_NUMBERS = st.builds(lambda eighth, step: (eighth << 29) + step & 2**32 - 1, st.integers(0, 8), st.integers(-1, 1))


@given(
    st.dictionaries(NETWORKS | CLOSE_NETWORKS, st.sampled_from("abc"), max_size=20),
    st.integers(0, 2**32 - 1) | CLOSE_NUMBERS,
)
def test_the_narrowest_network_decides(named: dict[ip_network, str], number: int) -> None:
    address = ip_address(number)
    holding = [network for network in named if address in network]
    narrowest = max(holding, key=lambda network: network.prefixlen, default=None)
    assert Prefixes(named.items()).get(address.packed) == (named[narrowest] if narrowest else None)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML without libyaml is ten times as slow")
def test_two_thousand_partners_load_in_two_seconds(tmp_path: Path) -> None:
    shutil.copy(RULES / "network.yaml", tmp_path)
    grant = (RULES / "ageverify.yaml").read_text("utf-8").partition("grants:")[2].partition("\n\n")[0]
    for index in range(2000):
        text = f"partner: p{index}\nname: x\ncontract: x\ncontact: x\ngrants:{grant}\n"
        (tmp_path / f"p{index}.yaml").write_text(text.replace("ageverify.example", f"p{index}.example"))
    begun = time.process_time()
    assert len(load(tmp_path).grants_of("www.p1999.example")) == 1
    assert time.process_time() - begun < 2
