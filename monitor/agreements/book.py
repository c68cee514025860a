"""Valid rule files in, the RuleBook out: the agreements as the judge asks for them.

Who may get something at this host, what the address of a handset says of its subscriber, whose brand a number is: each
is one look-up, so two thousand partners are judged as fast as three.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from monitor.agreements.models import Grant, Network, Partner
from monitor.agreements.prefixes import Prefixes
from monitor.agreements.values import Foreign, NumberRange
from monitor.recipient import is_host_name
from monitor.verdicts import Form, Holder, Identifier, NumberPlan
from monitor.written.document import Document

if TYPE_CHECKING:
    from monitor.subscribers.feed import Terms as FeedTerms

UNKNOWN = "unknown"
ALWAYS_NS = -(2**63), 2**63  # where a grant names no date
READABILITY = {form: rank for rank, form in enumerate(Form)}  # most readable first


def below(paths: tuple[bytes, ...], path: bytes) -> bool:
    """Whether `path` begins with one of `paths` in whole steps: /check/now is below /check, /checkout is not."""
    for start in paths:  # noqa: SIM110 - a generator takes three times as long
        if path.startswith(start) and path[len(start) : len(start) + 1] in b"/;":
            return True
    return False


class Terms(NamedTuple):
    """One grant, ready to judge with. A condition that is empty does not restrict."""

    partner: str
    grant: Grant
    document: Document
    position: int  # it is `grants[position]` of the document
    order: int  # in the rule book; of grants that fit, the first counts
    networks: Prefixes | None
    paths: tuple[bytes, ...]
    fields: frozenset[bytes]
    identifiers: frozenset[Identifier]
    readability: int  # of Grant.form; what is harder to read is agreed as well
    access: frozenset[str]
    brands: frozenset[str]
    from_ns: int
    until_ns: int  # the first nanosecond that is no longer agreed

    def __str__(self) -> str:
        return f"grants[{self.position}] of {self.partner}"


class Client(NamedTuple):
    """What the address of a handset says of its subscriber."""

    access: str  # of network.yaml, or `unknown`
    brand: str  # of network.yaml, or `unknown`
    roaming: bool


class RuleBook:
    """`files` are the partners' in the order that counts where two grants fit: by file name, then as written.

    `opted_out` holds numbers as digits and tokens as they are; `sha256` is of the YAML files.
    """

    def __init__(
        self,
        network: tuple[Document, Network],
        files: Sequence[tuple[Document, Partner]],
        opted_out: frozenset[str] | None,
        sha256: str,
        feed: FeedTerms | None = None,
    ) -> None:
        self.document, self.network = network
        self.files = files
        self.sha256 = sha256
        self.feed = feed
        self.opted_out = opted_out or frozenset()
        self.opt_out_missing = opted_out is None
        self.partners = tuple(partner for _, partner in files)
        self.purposes = self.network.purposes
        grants = ((*file, position) for file in files for position in range(len(file[1].grants)))
        self.terms = tuple(self._terms(*grant, order) for order, grant in enumerate(grants))
        self.fields = frozenset(chain(self.network.own_fields, *(terms.grant.fields for terms in self.terms)))
        self.plan = self._plan()
        self._exact: dict[str, list[Terms]] = defaultdict(list)
        self._below: dict[str, list[Terms]] = defaultdict(list)
        for terms in self.terms:
            for host in terms.grant.hosts:
                (self._below[host[2:]] if host.startswith("*.") else self._exact[host]).append(terms)
        brands = [(item, name) for name, items in self.network.brands.items() for item in items]
        self._brands = Prefixes((item, name) for item, name in brands if not isinstance(item, NumberRange))
        self._numbers: dict[int, tuple[list[str], list[str], list[str]]] = {}  # by length: first, last, whose
        for first, last, name in sorted((*item, name) for item, name in brands if isinstance(item, NumberRange)):
            firsts, lasts, names = self._numbers.setdefault(len(first), ([], [], []))
            firsts.append(first)
            lasts.append(last)
            names.append(name)
        self._access = Prefixes((item, name) for name, items in self.network.access.items() for item in items)
        said = self.network.subscriber_feed
        self._feed_access = {str(each): name for name, some in said.rat_types.items() for each in some} if said else {}
        self._feed_access |= {each: name for name, some in said.apns.items() for each in some} if said else {}
        self._apn_brands = {each: name for name, some in said.brand_apns.items() for each in some} if said else {}
        self._roaming = Prefixes((item, "roaming") for item in self.network.roaming)

    def tells_access(self, access: str) -> bool:
        """Whether a session of the feed can be in this access network."""
        return access in self._feed_access.values()

    def grants_of(self, host: str) -> tuple[Terms, ...]:
        """Every grant that names this host or a wildcard above it; `host` as recipient.host_name spells it."""
        found = self._exact.get(host, [])
        if self._below and is_host_name(host):
            dot = host.find(".")
            while dot >= 0:
                found = found + self._below.get(host[dot + 1 :], [])
                dot = host.find(".", dot + 1)
        if len(found) > 1:
            found = sorted({terms.order: terms for terms in found}.values(), key=lambda terms: terms.order)
        return tuple(found)

    def client(self, address: bytes, holder: Holder | None = None) -> Client:
        """What is known of the handset: by what the feed says, and by its address where that says nothing."""
        access, brand, roaming = self._access.get(address), self._brands.get(address), self._roaming.get(address)
        away = roaming is not None
        if holder is not None:
            access = self._feed_access.get(holder.apn) or self._feed_access.get(holder.rat) or access
            brand = self._apn_brands.get(holder.apn) or brand
            if holder.network:
                away = not any(self._is_home(prefix, holder.network) for prefix in self.network.imsi_prefixes)
        return Client(access or UNKNOWN, brand or UNKNOWN, away)

    @staticmethod
    def _is_home(prefix: str, network: str) -> bool:
        """An IMSI prefix may say more than MCC and MNC, or MNC in two digits where the feed writes three."""
        return prefix.startswith(network) or network.startswith(prefix)

    def brand_of(self, msisdn: str) -> str | None:
        """The brand whose range of numbers this is in, if the ranges say so."""
        ranges = self._numbers.get(len(msisdn))
        if ranges is None:
            return None
        firsts, lasts, names = ranges
        place = bisect_right(firsts, msisdn) - 1
        return names[place] if place >= 0 and msisdn <= lasts[place] else None

    def _terms(self, document: Document, partner: Partner, position: int, order: int) -> Terms:
        grant = partner.grants[position]
        always_from, always_until = ALWAYS_NS
        return Terms(
            partner=partner.partner,
            grant=grant,
            document=document,
            position=position,
            order=order,
            networks=Prefixes((network, partner.partner) for network in grant.networks) if grant.networks else None,
            paths=tuple(unquote_to_bytes(path.rstrip("/")) for path in grant.paths),
            fields=frozenset(field.encode() for field in grant.fields),
            identifiers=frozenset(grant.identifiers),
            readability=READABILITY[grant.form],
            access=frozenset(grant.access),
            brands=frozenset(grant.brands),
            from_ns=always_from if grant.valid_from is None else self.time_ns(grant.valid_from),
            # the last minute is agreed to its end, and where clocks go back it is the later one of that name
            until_ns=always_until
            if grant.valid_until is None
            else self.time_ns(grant.valid_until.replace(fold=1)) + 60 * 10**9,
        )

    def time_ns(self, local: datetime) -> int:
        """A date and time of the rules, which are in the operator's time zone, on the capture clock."""
        return int(local.replace(tzinfo=self.network.time_zone).timestamp()) * 10**9

    def _plan(self) -> NumberPlan:
        network = self.network
        return NumberPlan(
            country=network.country,
            trunk_prefix=network.trunk_prefix or "",
            international_prefix=network.international_prefix,
            msisdn_ranges=tuple((item.first, item.last) for item in network.msisdn_ranges),
            imsi_prefixes=network.imsi_prefixes,
            fields=frozenset(field.encode() for field in self.fields),
            report_foreign=network.foreign is Foreign.JUDGE,
            hash_table=str(Path(self.document.file).parent / network.hash_table) if network.hash_table else "",
        )
