"""RuleBook in, remarks out: what is valid and yet probably not meant, or more than it need be.

`msisdn-monitor check` prints them as warnings. `at_ns` is the time to judge by, for only the caller has a clock, and
`suffixes` are those of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import eq
from typing import Any

from monitor.agreements.book import READABILITY, RuleBook, Terms, below
from monitor.agreements.suffixes import PublicSuffixes
from monitor.agreements.values import NumberRange
from monitor.verdicts import Form, Identifier
from monitor.written.document import Remark, quoted

SCHEMA_LINE = "# yaml-language-server: $schema="


def lint(book: RuleBook, at_ns: int, suffixes: PublicSuffixes) -> list[Remark]:
    remarks = [*_network(book)]
    for document in (book.document, *(document for document, _ in book.files)):
        if not document.text.startswith(SCHEMA_LINE):
            remarks.append(
                document.remark((), f"no editor will help; begin the file with `{SCHEMA_LINE}./schema.json`")
            )
    for terms in book.terms:
        remarks += _grant(terms, book, at_ns, suffixes)
    remarks += _pairs(book)
    return sorted(remarks, key=lambda remark: (remark.file, remark.mark))


def _network(book: RuleBook) -> Iterator[Remark]:
    network, document = book.network, book.document
    if network.opt_out_list is None:
        yield document.remark((), "no `opt_out_list`; nobody can opt out")
    elif book.opt_out_missing:
        missing = f"{quoted(network.opt_out_list)} is missing; nobody counts as opted out until it is there"
        yield document.remark(("opt_out_list",), missing)
    for brand, items in network.brands.items():
        for index, item in enumerate(items):
            if isinstance(item, NumberRange) and not any(
                len(item.first) == len(own.first) and item.first <= own.last and own.first <= item.last
                for own in network.msisdn_ranges
            ):
                yield document.remark(
                    ("brands", brand, index), "holds none of msisdn_ranges' numbers; mend one of them"
                )


def _grant(terms: Terms, book: RuleBook, at_ns: int, suffixes: PublicSuffixes) -> Iterator[Remark]:
    grant, network = terms.grant, book.network
    for index, host in enumerate(grant.hosts):
        name = host.removeprefix("*.")
        address = _address(name)
        if address is None and name in suffixes:
            yield _at(terms, f"strangers can have names below {quoted(name)}; write the partner's own", "hosts", index)
        if host != name and not grant.networks:
            yield _at(terms, f"{quoted(host)} is not held to an address; add `networks`", "hosts", index)
        if address is not None and grant.networks and not any(address in network for network in grant.networks):
            yield _at(terms, f"never matches: {quoted(host)} is outside `networks`; mend one of them", "hosts", index)
    if not grant.roaming and not network.roaming and not (book.feed and network.imsi_prefixes):
        yield _at(terms, "forbids nothing: network.yaml has no `roaming` addresses; add them there", "roaming")
    for index, access in enumerate(grant.access):
        if not network.access[access] and not book.tells_access(access):
            yield _at(terms, f"never matches: no address and no session is {quoted(access)}", "access", index)
    if (
        grant.brands
        and Identifier.MSISDN not in grant.identifiers
        and not any(not isinstance(item, NumberRange) for brand in grant.brands for item in network.brands[brand])
    ):
        yield _at(terms, "never matches: these brands are ranges of phone numbers; add their networks", "brands")
    if terms.until_ns <= at_ns:
        yield _at(terms, "has expired; renew the grant, or remove it once nobody asks about it", "valid_until")
    needs = book.purposes[grant.purpose].needs
    if needs is not None and terms.readability < READABILITY[needs]:
        yield _at(terms, f"more readable than {quoted(grant.purpose)} needs; agree on `{needs}`", "form")
    if grant.form is Form.HASHED:
        yield _at(terms, "reversible in minutes, for all numbers of a country can be tried; agree on `keyed`", "form")


def _pairs(book: RuleBook) -> Iterator[Remark]:
    """Of two grants that fit the same request the first counts, so the later one may never be reached."""
    near = {
        tuple(sorted((terms.order, other.order)))
        for terms in book.terms
        for host in terms.grant.hosts
        for other in book.grants_of(host.replace("*", "any"))
        if other is not terms
    }
    for first, later in sorted(near):
        wide, narrow = book.terms[first], book.terms[later]
        if _covers(wide, narrow):
            yield _at(narrow, f"shadowed: {wide} agrees to all of this and stands first; remove one of the two")
        elif (wide.partner, wide.grant.purpose) != (narrow.partner, narrow.grant.purpose) and _meet(wide, narrow):
            yield _at(narrow, f"overlaps with {wide}, which stands first and counts; set them apart by a condition")


def _at(terms: Terms, message: str, *path: str | int) -> Remark:
    return terms.document.remark(("grants", terms.position, *path), message)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


# --- how two grants lie to each other -----------------------------------------------------------------------------

Covers = Callable[[Any, Any], bool]


def _conditions(terms: Terms) -> Iterator[tuple[Sequence[Any], Covers]]:
    """What a grant lists, and when one entry agrees to all that another one agrees to. An empty list is everything."""
    grant = terms.grant
    yield grant.hosts, lambda wide, narrow: wide == narrow or (wide[0] == "*" and narrow.endswith(wide[1:]))
    yield grant.networks, lambda wide, narrow: wide.version == narrow.version and narrow.subnet_of(wide)
    yield terms.paths, lambda wide, narrow: below((wide,), narrow)
    for listed in (grant.identifiers, grant.fields, grant.access, grant.brands):
        yield listed, eq


def _covers(wide: Terms, narrow: Terms) -> bool:
    return (
        all(
            not some or (others and all(any(covers(one, other) for one in some) for other in others))
            for (some, covers), (others, _) in zip(_conditions(wide), _conditions(narrow), strict=True)
        )
        and wide.readability <= narrow.readability
        and (wide.grant.roaming or not narrow.grant.roaming)
        and wide.from_ns <= narrow.from_ns
        and narrow.until_ns <= wide.until_ns
    )


def _meet(a: Terms, b: Terms) -> bool:
    return max(a.from_ns, b.from_ns) < min(a.until_ns, b.until_ns) and all(
        not some or not others or any(covers(x, y) or covers(y, x) for x in some for y in others)
        for (some, covers), (others, _) in zip(_conditions(a), _conditions(b), strict=True)
    )
