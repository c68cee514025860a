"""Sighting in, Verdict out: what the agreements say of it. Pure: no I/O, and no clock but the packet's.

A sighting is `allowed` if one grant fits in every condition. If none fits, the outcome is the first failing condition
of the nearest grant: the one that got furthest in the fixed order of CONDITIONS, and the first written of these. So an
operator reads what would have to change: where one grant fails by date and others by address, it is `expired`.

Two outcomes say where the number came from, and no grant can allow them: `client_supplied` (seen in a tunnel before the
gateway) and `secondary` (in a query, path, cookie or Referer). They go before the conditions of any grant, for the
gateway did nothing wrong then, whoever got the number: a customer who types it into a web form must not raise the alarm
of a gateway that leaks to everybody. Partner and purpose are still those of the nearest grant.

Where two Hosts differ, the one counts that is trusted less. `number_mismatch` will be the last of CONDITIONS, once it
is known who holds an address.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from monitor.agreements import Client, RuleBook, Terms
from monitor.agreements.book import ALWAYS_NS, READABILITY, below
from monitor.recipient import recipient_of
from monitor.records import Form, Identifier, Number, Outcome, Place, Sighting, Verdict

K = TypeVar("K")
V = TypeVar("V")
Token = Callable[[Number, Identifier], str]
NONE = "none"  # partner and purpose where no grant is near
REMEMBERED = 16_384  # entries of each memory; a full one starts again
FROM_GATEWAY = (Place.HEADER, Place.TRAILER)
_AUTHORITY = re.compile(rb"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


class Facts(NamedTuple):
    """What conditions ask of a sighting, beside its recipient."""

    address: bytes
    path: bytes  # as path_of gives it
    field: bytes
    identifier: Identifier
    form: Form
    client: Client
    brand: str
    opted_out: bool
    time_ns: int


class Condition(NamedTuple):
    outcome: Outcome  # when it fails
    restricts: Callable[[Terms], object]  # whether it can fail at all
    fits: Callable[[Terms, Facts], object]


CONDITIONS = (
    Condition(
        Outcome.WRONG_ADDRESS,
        lambda terms: terms.networks,
        lambda terms, facts: terms.networks is None or terms.networks.get(facts.address),
    ),
    Condition(
        Outcome.WRONG_PATH,
        lambda terms: terms.paths,
        lambda terms, facts: not terms.paths or below(terms.paths, facts.path),
    ),
    Condition(Outcome.WRONG_FIELD, lambda _: True, lambda terms, facts: facts.field in terms.fields),
    Condition(Outcome.WRONG_IDENTIFIER, lambda _: True, lambda terms, facts: facts.identifier in terms.identifiers),
    Condition(
        Outcome.WRONG_FORM,
        lambda terms: terms.readability,
        lambda terms, facts: READABILITY[facts.form] >= terms.readability,
    ),
    Condition(
        Outcome.WRONG_ACCESS,
        lambda terms: terms.access,
        lambda terms, facts: not terms.access or facts.client.access in terms.access,
    ),
    Condition(
        Outcome.WRONG_BRAND,
        lambda terms: terms.brands,
        lambda terms, facts: not terms.brands or facts.brand in terms.brands,
    ),
    Condition(
        Outcome.ROAMING_FORBIDDEN,
        lambda terms: not terms.grant.roaming,
        lambda terms, facts: terms.grant.roaming or not facts.client.roaming,
    ),
    Condition(Outcome.OPTED_OUT, lambda _: True, lambda _, facts: not facts.opted_out),
    Condition(
        Outcome.NOT_YET_VALID,
        lambda terms: terms.grant.valid_from,
        lambda terms, facts: facts.time_ns >= terms.from_ns,
    ),
    Condition(
        Outcome.EXPIRED,
        lambda terms: terms.grant.valid_until,
        lambda terms, facts: facts.time_ns < terms.until_ns,
    ),
)
# how far a grant got: the index of the condition that failed, or
NO_GRANT, FITS = -1, len(CONDITIONS)


class _Served(NamedTuple):
    """A recipient, and what of a request its verdict depends on."""

    readings: tuple[tuple[str, tuple[Terms, ...]], ...]  # the grants of each of its names; empty if it is a stranger
    paths: tuple[tuple[bytes, ...], ...]  # of the grants that name some
    dates_ns: tuple[int, ...]  # when a verdict may change


class _Judged(NamedTuple):
    since_ns: int  # it is so from here
    until_ns: int  # to before here
    outcome: Outcome
    recipient: str
    partner: str
    purpose: str


class Judge:
    """`token` is Redactor.token: the keyed pseudonym by which an opt-out list may name a subscriber."""

    def __init__(self, book: RuleBook, token: Token) -> None:
        self._book = book
        self._token = token
        self._tunnels = frozenset(map(str, book.network.tunnels_before_gateway))
        self._lists_tokens = any(len(entry) == 32 for entry in book.opted_out)
        self._served: dict[tuple[str, ...], _Served] = {}
        self._clients: dict[bytes, Client] = {}
        self._judged: dict[tuple[object, ...], _Judged] = {}

    def feed(self, sighting: Sighting) -> Verdict | None:
        """None for a foreign number, unless network.yaml wants these judged too."""
        if not sighting.own and not self._book.plan.report_foreign:
            return None
        head = sighting.head
        client, brand = self._subscriber(sighting)
        names = recipient_of(head).names
        served = self._served.get(names) or self._serve(names)
        if served.readings:
            judged = self._weighed(sighting, names, served, client, brand)
        else:
            judged = _Judged(*ALWAYS_NS, Outcome.UNKNOWN_RECIPIENT, names[0], NONE, NONE)
        outcome = judged.outcome
        if head.flow.path and not self._tunnels.isdisjoint(kind for kind, _ in head.flow.path):
            outcome = Outcome.CLIENT_SUPPLIED
        elif sighting.place not in FROM_GATEWAY:
            outcome = Outcome.SECONDARY
        return Verdict(sighting, outcome, judged.recipient, judged.partner, judged.purpose, client.access, brand)

    def explain(self, sighting: Sighting) -> list[tuple[Terms, Outcome]]:
        """Every grant of the recipient: `allowed`, or its first failing condition."""
        served = self._serve(recipient_of(sighting.head).names)
        facts = self._facts(sighting, *self._subscriber(sighting))
        return [(terms, _outcome(_reached(terms, facts))) for _, grants in served.readings for terms in grants]

    def _subscriber(self, sighting: Sighting) -> tuple[Client, str]:
        """What the address says of the handset, and the brand: by the number where its range has one."""
        address = sighting.head.flow.src
        client = self._clients.get(address)
        if client is None:
            client = _remember(self._clients, address, self._book.client(address))
        if sighting.identifier is Identifier.MSISDN:
            return client, self._book.brand_of(sighting.number.digits) or client.brand
        return client, client.brand

    def _serve(self, names: tuple[str, ...]) -> _Served:
        readings = tuple((name, self._book.grants_of(name)) for name in names)
        grants = [terms for _, some in readings for terms in some]
        dates = {date for terms in grants for date in (terms.from_ns, terms.until_ns)}
        paths = {terms.paths for terms in grants if terms.paths}
        served = _Served(readings if grants else (), tuple(sorted(paths)), tuple(sorted(dates.difference(ALWAYS_NS))))
        return _remember(self._served, names, served)

    def _weighed(
        self, sighting: Sighting, names: tuple[str, ...], served: _Served, client: Client, brand: str
    ) -> _Judged:
        head = sighting.head
        path = path_of(head.target) if served.paths else b""
        reached = [below(paths, path) for paths in served.paths]  # paths are many, what they are below is not
        opted_out = self._opted_out(sighting.number, sighting.identifier)
        key = (
            names, head.flow.dst, *reached, sighting.field, sighting.form, sighting.identifier, client, brand, opted_out
        )  # fmt: skip
        judged = self._judged.get(key)
        if judged is not None and judged.since_ns <= head.time_ns < judged.until_ns:
            return judged
        return _remember(self._judged, key, _nearest(served, self._facts(sighting, client, brand)))

    def _facts(self, sighting: Sighting, client: Client, brand: str) -> Facts:
        head = sighting.head
        return Facts(
            address=head.flow.dst,
            path=path_of(head.target),
            field=sighting.field,
            identifier=sighting.identifier,
            form=sighting.form,
            client=client,
            brand=brand,
            opted_out=self._opted_out(sighting.number, sighting.identifier),
            time_ns=head.time_ns,
        )

    def _opted_out(self, number: Number, identifier: Identifier) -> bool:
        listed = self._book.opted_out
        return number.digits in listed or (self._lists_tokens and self._token(number, identifier) in listed)


def possible(book: RuleBook) -> Iterator[tuple[str, str, Outcome]]:
    """Every partner, purpose and outcome that a verdict by these rules can have, each once."""
    anywhere = {Outcome.SECONDARY} | ({Outcome.CLIENT_SUPPLIED} if book.network.tunnels_before_gateway else set())
    outcomes: dict[tuple[str, str], set[Outcome]] = {(NONE, NONE): {Outcome.UNKNOWN_RECIPIENT} | anywhere}
    for terms in book.terms:
        failing = {condition.outcome for condition in CONDITIONS if condition.restricts(terms)}
        outcomes.setdefault((terms.partner, terms.grant.purpose), {Outcome.ALLOWED} | anywhere).update(failing)
    for (partner, purpose), some in outcomes.items():
        for outcome in Outcome:
            if outcome in some:
                yield partner, purpose, outcome


def path_of(target: bytes) -> bytes:
    """The path of a request target as a server resolves it: no query, escapes, dot segments (RFC 3986 section 6.2)."""
    if target[:1] != b"/" and (absolute := _AUTHORITY.match(target)):
        target = target[absolute.end() :] or b"/"
    path = target.partition(b"?")[0].partition(b"#")[0]
    if b"%" in path or b"/." in path or b"//" in path:
        path = unquote_to_bytes(path)
        return posixpath.normpath(path) if path.startswith(b"/") else path
    return path


def _reached(terms: Terms, facts: Facts) -> int:
    for index, condition in enumerate(CONDITIONS):
        if not condition.fits(terms, facts):
            return index
    return FITS


def _outcome(reached: int) -> Outcome:
    if reached == NO_GRANT:
        return Outcome.UNKNOWN_RECIPIENT
    return Outcome.ALLOWED if reached == FITS else CONDITIONS[reached].outcome


def _nearest(served: _Served, facts: Facts) -> _Judged:
    """The nearest grant of the name that is trusted least."""
    worst = FITS + 1
    for name, grants in served.readings:
        nearest, reached = None, NO_GRANT
        for terms in grants:
            if (further := _reached(terms, facts)) > reached:
                nearest, reached = terms, further
        if reached < worst:
            worst, recipient, owner = reached, name, nearest
    since_ns = max((date for date in served.dates_ns if date <= facts.time_ns), default=ALWAYS_NS[0])
    until_ns = min((date for date in served.dates_ns if date > facts.time_ns), default=ALWAYS_NS[1])
    partner, purpose = (NONE, NONE) if owner is None else (owner.partner, owner.grant.purpose)
    return _Judged(since_ns, until_ns, _outcome(worst), recipient, partner, purpose)


def _remember(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
    return value
