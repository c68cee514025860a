"""Unknown identifiers: takes whole request heads, yields the fields that tell subscribers apart whatever they hold.

A field whose value stays the same for one client on unrelated sites, and is another for each client, is a subscriber
identifier in any name and any coding, keyed or not. Headers and cookies are looked at; what a browser itself writes to
describe itself (RFC 9110 and its successors) is none, and neither is the client's own address.

Everything is exact under a cap: each field keeps its first CLIENTS clients, all fields together PAIRS of field and
client. A share that is measured on 256 clients is right to within 6 percent (95 times of 100). Values are kept as keyed
digests of 64 bits, whose key lives as long as the process: two of 10,000 values are alike less than once in 10^11.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from monitor.field import LONGEST_KEPT, normalise
from monitor.recipient import recipient_of
from monitor.records import Batch, RequestHead
from monitor.report.text import address

FIELDS = 2_048
CLIENTS = 256  # of one field
PAIRS = 100_000  # 30 MB at the most
SITES = 3  # unrelated ones on which a client must have been seen
FEWEST_CLIENTS = 5  # seen on so many sites, before anything is said
CONSTANT = DISTINCT = (
    0.9  # share of these clients that have one value everywhere, and share of them that have their own
)
LOOK_NS = 1_000_000_000
LOOK_EVERY_NS = 60_000_000_000  # between two looks
MOST_LOOKED_AT = 1024  # heads of one batch
SHORTEST = 4  # octets of a value that tells many clients apart
# what a browser or an app says of itself, of the request or of the connection, and what is known already
_DESCRIBES = re.compile(
    rb":.*|host|referer|origin|user-agent|accept.*|content-.*|if-.*|range|connection|keep-alive|cache-control|pragma|te|"
    rb"trailer|transfer-encoding|upgrade.*|via|date|dnt|sec-.*|expect|from|max-forwards|proxy-connection|save-data|"
    rb"device-memory|downlink|ect|rtt|dpr|width|viewport-width|priority|x-requested-with|x-wap-profile|profile|ua-.*"
)
_SHAPES = (
    (re.compile(rb"[0-9]+"), "digits"),
    (re.compile(rb"[0-9A-Fa-f]+"), "hexadecimal"),
    (re.compile(rb"[0-9A-Za-z+/_-]+={0,2}"), "letters and digits"),
)
_Client = bytes  # its address and the tunnel that it came through, digested


class Candidate(NamedTuple):
    """A field that may identify subscribers, and why. No value."""

    field: str
    requests: int
    clients: int  # that were seen on SITES sites
    constant: float  # share of these with one value everywhere
    distinct: float  # share of these with a value of their own
    sites: int  # distinct, of these clients; counted up to 64
    shape: str  # of one value: `32 hexadecimal`


class _Seen:
    """One client in one field."""

    __slots__ = ("constant", "sites", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.constant = True
        self.sites: set[int] = set()


class _Field:
    __slots__ = ("clients", "requests", "shape", "sites")

    def __init__(self, shape: str) -> None:
        self.requests = 0
        self.clients: dict[_Client, _Seen] = {}
        self.sites: set[int] = set()
        self.shape = shape


class Survey:
    """`known` are fields that are judged already."""

    def __init__(self, known: frozenset[bytes] = frozenset()) -> None:
        self._known = known
        self._key = secrets.token_bytes(16)
        self._fields: dict[bytes, _Field] = {}
        self._pairs = 0

    def feed(self, head: RequestHead) -> None:
        """One whole head: every field of it, not the suspect ones only."""
        flow = head.flow
        client = self._digest(flow.src + repr(flow.path).encode())
        site = hash(_site(recipient_of(head).names[0]))
        own_address = address(flow.src).encode()
        for name, value in _named(head):
            if len(value) >= SHORTEST and name not in self._known and own_address not in value:
                self._see(name, value, client, site)

    def candidates(self) -> list[Candidate]:
        """The clearest first."""
        found = [candidate for name, field in self._fields.items() if (candidate := _judged(name, field))]
        return sorted(found, key=lambda one: (-one.clients * one.constant * one.distinct, one.field))

    def _see(self, name: bytes, value: bytes, client: _Client, site: int) -> None:
        field = self._fields.get(name)
        if field is None:
            if len(self._fields) >= FIELDS or _DESCRIBES.fullmatch(name):
                return
            field = self._fields[name] = _Field(_shape(value))
        field.requests += 1
        digest = self._digest(value)
        seen = field.clients.get(client)
        if seen is None:
            if len(field.clients) >= CLIENTS or self._pairs >= PAIRS:
                return
            self._pairs += 1
            seen = field.clients[client] = _Seen(digest)
        seen.constant = seen.constant and seen.value == digest
        if len(seen.sites) < SITES:
            seen.sites.add(site)
        if len(field.sites) < 64:
            field.sites.add(site)

    def _digest(self, octets: bytes) -> bytes:
        return blake2b(octets, digest_size=8, key=self._key).digest()


class Lookout:
    """A second of every minute of the capture clock, in which whole heads are looked at; else the sieve drops most.

    `looking` says whether the engine is to pass every head now.
    """

    def __init__(self, known: frozenset[bytes]) -> None:
        self._survey = Survey(known)
        self._since_ns: int | None = None
        self._told: set[str] = set()
        self._news: list[str] = []
        self.looking = False
        self.candidates = 0

    def feed(self, batch: Batch) -> bool:
        """Whether `looking` is another now. A look ends early when more heads come than can be looked at."""
        if self._since_ns is None:
            self._since_ns = batch.time_ns
        if self.looking:
            for head in batch.heads:
                self._survey.feed(head)
        over = batch.time_ns >= self._since_ns + (LOOK_NS if self.looking else LOOK_EVERY_NS)
        if not (over or (self.looking and len(batch.heads) >= MOST_LOOKED_AT)):
            return False
        if self.looking:
            fields = [candidate.field for candidate in self._survey.candidates()]
            self.candidates = len(fields)
            self._news += [field for field in fields if field not in self._told]
            self._told.update(fields)
        self.looking, self._since_ns = not self.looking, batch.time_ns
        return True

    def news(self) -> list[str]:
        """Fields that became candidates since the last call."""
        news, self._news = self._news, []
        return news


def _judged(name: bytes, field: _Field) -> Candidate | None:
    seen = [client for client in field.clients.values() if len(client.sites) >= SITES]
    if len(seen) < FEWEST_CLIENTS:
        return None
    constant = sum(client.constant for client in seen) / len(seen)
    distinct = len({client.value for client in seen}) / len(seen)
    if constant < CONSTANT or distinct < DISTINCT:
        return None
    shown = name.decode("latin-1")
    return Candidate(shown, field.requests, len(seen), constant, distinct, len(field.sites), field.shape)


def _named(head: RequestHead) -> Iterator[tuple[bytes, bytes]]:
    """Headers and single cookies, by their normalised names; what is too long to be a name is none."""
    for name, value in head.fields:
        if len(name) > LONGEST_KEPT:
            continue
        if name != b"cookie":
            yield normalise(name), value
            continue
        for cookie in value.split(b";")[:64]:
            key, equals, content = cookie.strip().partition(b"=")
            if equals and len(key) <= LONGEST_KEPT:
                yield b"cookie " + normalise(key), content


def _site(host: str) -> str:
    """The owner's part of a host name, about: two labels, or three below such as `co.uk`; an address is itself."""
    labels = host.split(".")
    if labels[-1].isdigit() or ":" in host:
        return host
    return ".".join(labels[-3 if len(labels) > 2 and len(labels[-2]) <= 3 else -2 :])


def _shape(value: bytes) -> str:
    return f"{len(value)} " + next((words for pattern, words in _SHAPES if pattern.fullmatch(value)), "octets")
