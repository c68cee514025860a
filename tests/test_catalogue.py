from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from monitor.field import normalise
from monitor.identify.catalogue import (
    CATALOGUE,
    CLIENT_FIELDS,
    IMSI_FIELDS,
    MSISDN_FIELDS,
    STEMS,
    SUBSCRIBER_FIELDS,
    hint,
)
from monitor.verdicts import Identifier

MSISDN, IMSI, IMEI = Identifier.MSISDN, Identifier.IMSI, Identifier.IMEI
SURVEY = Path(__file__).parents[2] / "shared" / "data" / "header_names.tsv"


@pytest.mark.parametrize("name", [b"X-MSISDN", b"x_msisdn", b"HTTP_X_MSISDN", b"http-x-msisdn", b"X_Msisdn"])
def test_case_underscore_and_the_prefix_of_cgi_make_no_other_name(name):
    assert normalise(name) == b"x-msisdn"


@pytest.mark.parametrize(
    ("name", "carries"),
    [
        (b"x-msisdn", MSISDN),
        (b"X_Up_Calling_Line_ID", MSISDN),
        (b"radius-calling-station-id", MSISDN),
        (b"msisdn-no-cc", MSISDN),
        (b"x-acme-subno", MSISDN),
        (b"mobileNumber", MSISDN),
        (b"user[phone]", MSISDN),
        (b"tel", MSISDN),
        (b"contact.tel.no", MSISDN),
        (b"x-network-info", MSISDN),  # only the catalogue knows
        (b"x-uidh", MSISDN),  # a pseudonym of one
        (b"x-wap-3gpp-imsi", IMSI),
        (b"imsi", IMSI),
        (b"device_imei", IMEI),
        (b"x-up-3gpp-imeisv", IMEI),
        (b"x-nokia-chargingid", None),
        (b"x-forwarded-for", None),
        (b"hotel", None),
        (b"gclid", None),
        (b"content-length", None),
        (b"msisdn-count-of-visits", None),
        (b"", None),
    ],
)
def test_hints(name, carries):
    assert hint(name) is carries


def test_a_long_name_hints_by_its_end():
    assert hint(b"x" * 300_000 + b"-msisdn") is MSISDN
    assert hint(b"msisdn" + b"-x" * 300_000) is None


def test_every_stem_hints_at_what_it_says():
    assert {stem: hint(b"x-any-" + stem) for stem in STEMS} == STEMS


def test_what_the_catalogue_says():
    assert CATALOGUE[b"x-up-calling-line-id"].evidence == "seen-live"
    assert {b"x-msisdn", b"x-jinny.cid", b"x-network-info", b"cli"} <= MSISDN_FIELDS
    assert {b"x-nokia-imsi", b"imsi"} <= IMSI_FIELDS
    assert {b"x-imei", b"x-up-gl-imei"} <= CLIENT_FIELDS
    assert {b"x-uidh", b"x-acr", b"x-up-3gpp-imeisv"} <= SUBSCRIBER_FIELDS
    assert SUBSCRIBER_FIELDS.isdisjoint({b"via", b"x-forwarded-for", b"cookie", b"referer", b"x-nokia-chargingid"})


def test_every_name_is_normalised():
    assert [name for name in CATALOGUE if normalise(name) != name] == []
    assert {known.evidence for known in CATALOGUE.values()} == {"seen-live", "vendor-doc", "code", "list"}
    assert {known.identifier for known in CATALOGUE.values()} == {"msisdn", "imsi", "imei", "alias", "client", "-"}


def test_the_list_names_its_source_and_holds_no_number():
    text = files("monitor.identify").joinpath("header_names.tsv").read_text("utf-8")
    assert text.startswith("#")
    assert "Source:" in text
    assert not re.search(r"[0-9]{10}", re.sub(r"@[0-9a-f]{8}\b", "", text))


@pytest.mark.shared
def test_no_name_of_the_survey_is_missing():
    if not SURVEY.exists():
        pytest.skip("the shared folder is not beside the project")
    names = [line.split("\t")[0] for line in SURVEY.read_text("utf-8").splitlines()[1:]]
    real = [name.removeprefix("cookie: ") for name in names if not re.match(r"\(|query |referer$", name)]
    assert [name for name in real if normalise(name.encode()) not in CATALOGUE] == []
