"""Field names: takes the name of a header, cookie or parameter, says what is known of it and whether it hints.

The value is the gate, the name is a hint (4-identify.md): gateways let operators choose any name, so a list misses
some. What a name decides here is only how weak a spelling is still believed, whether a number outside the operator's
ranges is worth a look, and what a metric may call the field. The list is header_names.tsv, with its evidence.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from monitor.field import LONGEST_KEPT, letters, normalise
from monitor.verdicts import Identifier

# what the letters of a name end with when it carries such a thing, whatever stands before (`x-up-calling-line-id`)
STEMS: dict[bytes, Identifier] = {
    b"msisdn": Identifier.MSISDN,
    b"callinglineid": Identifier.MSISDN,
    b"callingline": Identifier.MSISDN,
    b"callingstationid": Identifier.MSISDN,  # RADIUS attribute 31 (RFC 2865 section 5.31)
    b"subno": Identifier.MSISDN,
    b"mdn": Identifier.MSISDN,
    b"mobile": Identifier.MSISDN,
    b"phone": Identifier.MSISDN,
    b"imsi": Identifier.IMSI,
    b"imei": Identifier.IMEI,
    b"imeisv": Identifier.IMEI,
}
IMEI_WORD = b"imei"  # stands in the letters of every name that hints at an IMEI
_STEM = re.compile(rb"(%b)(?:no|nr|num|number|ts|nocc|withoutcc)?\Z" % b"|".join(STEMS))
# short words count only where a word begins: `gclid` and `hotel` are neither `clid` nor `tel`
_SHORT_WORD = re.compile(rb"(?<![a-z])(?:clid|cli|tel|cell|gsm)[^a-z]?(?:no|nr|num|number)?\Z")
LONGEST_HINT = 64  # octets at the end of a name that are looked at: names are an attacker's to invent
_CARRIES = {"alias": Identifier.MSISDN, **{each.value: each for each in Identifier}}


class Known(NamedTuple):
    """One row of header_names.tsv."""

    name: bytes  # normalised
    identifier: str  # msisdn | imsi | imei | alias | client | -
    carries: str
    evidence: str  # seen-live | vendor-doc | code | list


def hint(name: bytes) -> Identifier | None:
    """What the name of a header, cookie or parameter says that it carries, by the catalogue or by its stem."""
    return _kept(name) if len(name) <= LONGEST_KEPT else _hint(name)


def _hint(name: bytes) -> Identifier | None:
    if known := CATALOGUE.get(normalise(name)):
        carries = _CARRIES.get(known.identifier)
        if carries:
            return carries
    lower = name[-LONGEST_HINT:].lower()
    if stem := _STEM.search(letters(lower)):
        return STEMS[stem[1]]
    return Identifier.MSISDN if _SHORT_WORD.search(lower) else None


_kept = lru_cache(4096)(_hint)


def _read() -> dict[bytes, Known]:
    """The catalogue by normalised name; the first row of a name is the one with the best evidence."""
    lines = Path(__file__).with_name("header_names.tsv").read_text("utf-8").splitlines()
    known: dict[bytes, Known] = {}
    for row in [line for line in lines if not line.startswith("#")][1:]:
        name, identifier, carries, _encoding, _seen_at, _source, evidence = row.split("\t")
        key = normalise(name.removeprefix("cookie: ").encode())
        known.setdefault(key, Known(key, identifier, carries, evidence))
    return known


CATALOGUE = _read()
MSISDN_FIELDS = frozenset(name for name, known in CATALOGUE.items() if known.identifier == "msisdn")
IMSI_FIELDS = frozenset(name for name, known in CATALOGUE.items() if known.identifier == "imsi")
ALIAS_FIELDS = frozenset(name for name, known in CATALOGUE.items() if known.identifier == "alias")
CLIENT_FIELDS = frozenset(name for name, known in CATALOGUE.items() if known.identifier == "client")
SUBSCRIBER_FIELDS = frozenset(
    name for name, known in CATALOGUE.items() if known.identifier in ("msisdn", "imsi", "imei", "alias")
)
