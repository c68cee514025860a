"""Sighting in, Verdict out: what the agreements say of it. Pure: no I/O, and no clock but the packet's.

A sighting is `allowed` if one grant fits in every condition. If none fits, the outcome is the first failing condition
of the nearest grant: the one that got furthest in the fixed order of CONDITIONS, and the first written of these. So
an operator reads what would have to change: where one grant fails by date and others by address, it is `expired`.

Two outcomes say where the number came from, and no grant can allow them: `client_supplied` (seen in a tunnel before the
gateway, or beside another number that the gateway added) and `secondary` (in a query, path, cookie or Referer). They go
before the conditions of any grant, for the gateway did nothing wrong then, whoever got the number: a customer who types
it into a web form must not raise the alarm of a gateway that leaks to everybody. Partner and purpose are still those of
the nearest grant.

Where two Hosts differ, the one counts that is trusted less. Where a feed tells who holds an address, the last
condition is that the number is that subscriber's own (`number_mismatch`); a verdict says it of every sighting,
whatever the outcome, for another subscriber's number is worse than one's own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from monitor.agreements import Client, RuleBook, Terms
from monitor.agreements.book import ALWAYS_NS, READABILITY, below
from monitor.agreements.prefixes import Prefixes
from monitor.recipient import LONGEST_REMEMBERED, recipient_of
from monitor.records import Certainty, RequestHead
from monitor.verdicts import Form, Holder, Identifier, Number, Outcome, Place, Sighting, Verdict, Whose

K = TypeVar("K")
V = TypeVar("V")
Token = Callable[[Number, Identifier], str]
NONE = "none"  # partner and purpose where no grant is near
REMEMBERED = 16_384  # entries of each memory; a full one starts again
FROM_GATEWAY = (Place.HEADER, Place.TRAILER)
READABLE = (Form.PLAIN, Form.ENCODED, Form.HASHED)  # forms in which the digits are known, not just that there are some
LONGEST_DIGITS = 15  # of a number in E.164; what else may stand for one is not remembered
SLASH = ord("/")
NAMING = frozenset((b"host", b":authority"))
_new = tuple.__new__  # a NamedTuple's own takes twice as long
# to look up a member takes longer than to use it
_MSISDN, _STRANGER, _ALLOWED, _NOBODY = Identifier.MSISDN, Outcome.UNKNOWN_RECIPIENT, Outcome.ALLOWED, Whose.UNKNOWN
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
    whose: Whose


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
    Condition(Outcome.NUMBER_MISMATCH, lambda _: True, lambda _, facts: facts.whose is not Whose.OTHER),
)
# how far a grant got: the index of the condition that failed, or
NO_GRANT, FITS = -1, len(CONDITIONS)


class _Served(NamedTuple):
    """A recipient, and what of a request its verdict depends on."""

    names: tuple[str, ...]
    readings: tuple[tuple[str, tuple[Terms, ...]], ...]  # the grants of each of its names; empty if it is a stranger
    networks: tuple[Prefixes, ...]  # of the grants that name some
    paths: tuple[tuple[bytes, ...], ...]  # the same
    dates_ns: tuple[int, ...]  # when a verdict may change


class _Judged(NamedTuple):
    since_ns: int  # it is so from here
    until_ns: int  # to before here
    outcome: Outcome
    recipient: str
    partner: str
    purpose: str
    grant: int


class Judge:
    """`token` is Redactor.token: the keyed pseudonym by which an opt-out list may name a subscriber."""

    def __init__(self, book: RuleBook, token: Token) -> None:
        self._book = book
        self._token = token
        self._judges_foreign = book.plan.report_foreign
        self._tunnels = frozenset(map(str, book.network.tunnels_before_gateway))
        self._opted_out = book.opted_out
        self._lists_tokens = any(len(entry) == 32 for entry in book.opted_out)
        self._by_host: dict[bytes, _Served] = {}  # by what alone decides in nearly every request
        self._served: dict[tuple[str, ...], _Served] = {}  # all others
        self._clients: dict[bytes, Client] = {}  # by address, where no feed tells more
        self._subscribers: dict[str, tuple[str | None, bool]] = {}  # by MSISDN: its brand, if it says so; opted out
        self._judged: dict[tuple[object, ...], _Judged] = {}
        self._conditions = [
            [(index, each.fits) for index, each in enumerate(CONDITIONS) if each.restricts(terms)]
            for terms in book.terms
        ]

    def feed(self, sighting: Sighting, holder: Holder | None = None) -> Verdict | None:
        """`holder` is who held the handset's address at the head's time, where a feed says so.

        None for a foreign number, unless network.yaml wants these judged too. Where readings of the head send it to
        others, the first of them counts that may not have it.
        """
        head, identifier, number, place, field, form, _, certainty, own, contested = sighting
        if not own and not self._judges_foreign:
            return None
        time_ns, (src, _, dst, _, tunnels), _, target, _, fields, _, _, _, others, _, _ = head
        only: bytes | None = None
        if target and target[0] == SLASH:
            for name, value in fields:
                if name in NAMING:
                    if only is not None:
                        only = None
                        break
                    only = value
        served = self._by_host.get(only) if only is not None else None
        if served is None:
            served = self._served_at(head, only)
        names, readings, networks, paths, _ = served
        whose = _NOBODY
        if holder is None:
            client = self._clients.get(src) or _remember(self._clients, src, self._book.client(src))
        else:
            client, whose = self._book.client(src, holder), whose_is(identifier, number.digits, form, holder)
        access, brand, _ = client
        if identifier is _MSISDN:
            known = self._subscribers.get(number.digits)
            of_number, opted_out = self._subscriber(number) if known is None else known
            brand = of_number or brand
        else:
            opted_out = self._has_opted_out(number, identifier)
        if readings:
            # what addresses and paths are in, for they are many
            inside: list[object] = [some.get(dst) for some in networks]
            if paths:
                path = path_of(target)
                inside += [below(some, path) for some in paths]
            key = names, tuple(inside), field, form, identifier, client, brand, opted_out, whose
            judged = self._judged.get(key)
            if judged is None or not judged.since_ns <= time_ns < judged.until_ns:
                judged = _remember(self._judged, key, self._nearest(served, self.facts(sighting, holder)))
            _, _, outcome, recipient, partner, purpose, grant = judged
        else:
            outcome, recipient, partner, purpose, grant = _STRANGER, names[0], NONE, NONE, -1
        if tunnels and not self._tunnels.isdisjoint(kind for kind, _ in tunnels):
            outcome = Outcome.CLIENT_SUPPLIED
        elif place not in FROM_GATEWAY:
            outcome = Outcome.SECONDARY
        elif contested:
            outcome = Outcome.CLIENT_SUPPLIED
        verdict = _new(Verdict, (sighting, outcome, recipient, partner, purpose, access, brand, grant, whose))
        if others and outcome is _ALLOWED and certainty is Certainty.AMBIGUOUS:
            judged_so = [self.feed(sighting._replace(head=reading), holder) for reading in others]
            return next((other for other in judged_so if other and other.outcome is not _ALLOWED), verdict)
        return verdict

    def explain(self, sighting: Sighting, holder: Holder | None = None) -> list[tuple[Terms, Outcome]]:
        """Every grant of the recipient: `allowed`, or its first failing condition."""
        served = self._served_at(sighting.head, None)
        facts = self.facts(sighting, holder)
        return [(terms, _outcome(self._reached(terms, facts))) for _, grants in served.readings for terms in grants]

    def facts(self, sighting: Sighting, holder: Holder | None = None) -> Facts:
        """What the conditions of a grant are asked about this sighting."""
        head, identifier, number, _, field, form, *_ = sighting
        client, brand, whose = self._book.client(head.flow.src, holder), None, _NOBODY
        if holder is not None:
            whose = whose_is(identifier, number.digits, form, holder)
        if identifier is _MSISDN:
            brand = self._book.brand_of(number.digits)
        return Facts(
            address=head.flow.dst,
            path=path_of(head.target),
            field=field,
            identifier=identifier,
            form=form,
            client=client,
            brand=brand or client.brand,
            opted_out=self._has_opted_out(number, identifier),
            time_ns=head.time_ns,
            whose=whose,
        )

    def _served_at(self, head: RequestHead, only: bytes | None) -> _Served:
        """`only` is what stands where the recipient is named, if it is one thing; None where more must be looked at."""
        names = recipient_of(head).names
        if only is not None and _is_all(only):
            return _remember(self._by_host, only, self._serve(names))
        return self._served.get(names) or _remember(self._served, names, self._serve(names))

    def _subscriber(self, number: Number) -> tuple[str | None, bool]:
        digits = number.digits
        known = self._book.brand_of(digits), self._has_opted_out(number, _MSISDN)
        return known if len(digits) > LONGEST_DIGITS else _remember(self._subscribers, digits, known)

    def _reached(self, terms: Terms, facts: Facts) -> int:
        for index, fits in self._conditions[terms.order]:
            if not fits(terms, facts):
                return index
        return FITS

    def _nearest(self, served: _Served, facts: Facts) -> _Judged:
        """The nearest grant of the name that is trusted least."""
        worst = FITS + 1
        for name, grants in served.readings:
            nearest, reached = None, NO_GRANT
            for terms in grants:
                if (further := self._reached(terms, facts)) > reached:
                    nearest, reached = terms, further
            if reached < worst:
                worst, recipient, owner = reached, name, nearest
        since_ns, until_ns = ALWAYS_NS
        for date_ns in served.dates_ns:
            if date_ns > facts.time_ns:
                until_ns = date_ns
                break
            since_ns = date_ns
        if owner is None:
            return _Judged(since_ns, until_ns, _outcome(worst), recipient, NONE, NONE, -1)
        partner, purpose = owner.partner, owner.grant.purpose
        return _Judged(since_ns, until_ns, _outcome(worst), recipient, partner, purpose, owner.order)

    def _has_opted_out(self, number: Number, identifier: Identifier) -> bool:
        listed = self._opted_out
        return number.digits in listed or (self._lists_tokens and self._token(number, identifier) in listed)

    def _serve(self, names: tuple[str, ...]) -> _Served:
        readings = tuple((name, self._book.grants_of(name)) for name in names)
        grants = [terms for _, some in readings for terms in some]
        if not grants:
            return _Served(names, (), (), (), ())
        dates = {date for terms in grants for date in (terms.from_ns, terms.until_ns)}
        networks = {terms.grant.networks: terms.networks for terms in grants if terms.networks}
        paths = {terms.paths for terms in grants if terms.paths}
        dated = tuple(sorted(dates.difference(ALWAYS_NS)))
        return _Served(names, readings, tuple(networks.values()), tuple(sorted(paths)), dated)


def whose_is(identifier: Identifier, digits: str, form: Form, holder: Holder) -> Whose:
    """Whether the number is the holder's; a value that cannot be read back is nobody's that we know."""
    true = holder.msisdn if identifier is Identifier.MSISDN else holder.imsi if identifier is Identifier.IMSI else ""
    if not true or form not in READABLE or not digits.isdigit():
        return Whose.UNKNOWN
    return Whose.HOLDER if digits == true else Whose.OTHER


def possible(book: RuleBook) -> Iterator[tuple[str, str, Outcome]]:
    """Every partner, purpose and outcome that a verdict by these rules can have, each once."""
    anywhere = {Outcome.SECONDARY, Outcome.CLIENT_SUPPLIED}
    impossible = set() if book.feed else {Outcome.NUMBER_MISMATCH}  # nobody tells whose an address is
    outcomes: dict[tuple[str, str], set[Outcome]] = {(NONE, NONE): {Outcome.UNKNOWN_RECIPIENT} | anywhere}
    for terms in book.terms:
        failing = {condition.outcome for condition in CONDITIONS if condition.restricts(terms)} - impossible
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


def _is_all(host: bytes) -> bool:
    """Whether this decides alone: where no name begins with the first octet, there may be none but the address."""
    return host[:1].isalnum() and b"@" not in host and len(host) <= LONGEST_REMEMBERED


def _outcome(reached: int) -> Outcome:
    if reached == NO_GRANT:
        return Outcome.UNKNOWN_RECIPIENT
    return Outcome.ALLOWED if reached == FITS else CONDITIONS[reached].outcome


def _remember(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
    return value
