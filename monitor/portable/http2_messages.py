"""What the field blocks of one HTTP/2 connection say (RFC 9113 section 8): takes their fields, yields request heads."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from copy import copy

from monitor.portable.request_head import AUTHORITY, certainty_of
from monitor.records import Fields, Flow, RequestHead, Section

OPEN_STREAMS = 256  # requests whose trailers may follow; servers allow 100 to 250 at a time
KEPT_OF_REQUEST = 2048  # octets of the method, target and authority of each of them
REQUEST_BYTES = 32  # of memory for each, in round figures

TOKEN = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9113 section 8.2.1: upper case is malformed
CONTROL = re.compile(rb"[\x01-\x08\x0a-\x1f\x7f]")
LOST = frozenset(("incomplete", "hpack_unresolved"))  # oddities of a block of which not every field is known


class Messages:
    """Bounded by OPEN_STREAMS."""

    def __init__(self, counts: MutableMapping[str, int], flow: Flow) -> None:
        self._counts = counts
        self._flow = flow
        self._requests: dict[int, RequestHead] = {}  # by stream: their trailers may follow
        self.asks = False  # this is a client, whatever its field blocks say
        self.answers = False  # these are responses

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return REQUEST_BYTES * len(self._requests)

    def beside(self, counts: MutableMapping[str, int]) -> Messages:
        """The same, to go on by itself."""
        other = copy(self)
        other._counts, other._requests = counts, dict(self._requests)
        return other

    def is_like(self, other: Messages) -> bool:
        """Whether both read on alike."""
        return self.asks == other.asks and list(self._requests.items()) == list(other._requests.items())

    def end(self, stream: int) -> None:
        """No trailers follow there."""
        self._requests.pop(stream, None)

    def read(
        self, stream: int, ends_stream: bool, wire_fields: Fields, oddities: list[str], time_ns: int
    ) -> RequestHead | None:
        """The head or the trailer section of these fields, as they were sent; None: they are a response's."""
        fields = tuple((name.lower(), value.strip(b" \t")) for name, value in wire_fields)
        oddities += _field_oddities(wire_fields)
        first = dict(reversed(fields))  # of a repeated field the first counts
        if b":status" in first and not self.asks:
            self.answers = True
            return None
        request = self._requests.pop(stream, None)
        is_request, is_told = bool(first.get(b":method")), LOST.isdisjoint(oddities)
        self.asks = self.asks or is_request
        # "Trailers MUST NOT include pseudo-header fields" (RFC 9113 section 8.1), every request has some (8.3.1)
        has_pseudo = any(name.startswith(b":") for name in first)
        if b":status" in first or (not is_request and is_told and (has_pseudo or (not request and b"host" in first))):
            oddities.append("not_http")
        if not is_request and (request or not has_pseudo):
            return _trailers(time_ns, self._flow, fields, oddities, request)
        head = _request_head(time_ns, self._flow, fields, first, oddities)
        if not ends_stream:
            self._await_trailers(stream, head)
        return head

    def _await_trailers(self, stream: int, head: RequestHead) -> None:
        """Keep what trailers need of their request: where it went."""
        fields = tuple(field for field in head.fields if field[0] in AUTHORITY)
        kept = RequestHead(0, self._flow, head.method, head.target, head.version, fields)
        octets = len(head.method) + len(head.target) + sum(len(value) for _, value in kept.fields)
        full = len(self._requests) >= OPEN_STREAMS
        self._counts["shed.http2_streams"] += full or octets > KEPT_OF_REQUEST
        if full:
            del self._requests[next(iter(self._requests))]
        if octets <= KEPT_OF_REQUEST:
            self._requests[stream] = kept


def _request_head(
    time_ns: int, flow: Flow, fields: Fields, first: dict[bytes, bytes], oddities: list[str]
) -> RequestHead:
    """RFC 9113 section 8.3.1."""
    method, target = first.get(b":method", b""), first.get(b":path", b"")
    authority, host = first.get(b":authority"), first.get(b"host")
    if method == b"CONNECT" and b":path" not in first:
        target = authority or b""  # as HTTP/1 writes it: section 8.5
    if not (authority or host):
        oddities.append("host_missing" if LOST.isdisjoint(oddities) else "host_unknown")
    elif authority and host and authority.lower() != host.lower():
        oddities.append("host_mismatch")
    if any(len({value.lower() for name, value in fields if name == twice}) > 1 for twice in AUTHORITY):
        oddities.append("host")
    certainty = certainty_of(tuple(oddities))
    return RequestHead(time_ns, flow, method, target, b"HTTP/2", fields, tuple(oddities), certainty)


def _trailers(
    time_ns: int, flow: Flow, fields: Fields, oddities: list[str], request: RequestHead | None
) -> RequestHead:
    """They go where their request went, if anyone knows which one that was: its authority stands before them."""
    if request is None:
        request = RequestHead(time_ns, flow, b"", b"", b"HTTP/2", ())
        if not any(name in AUTHORITY for name, _ in fields):
            oddities.append("host_unknown")
    return request._replace(
        time_ns=time_ns,
        fields=request.fields + fields,
        oddities=tuple(oddities),
        certainty=certainty_of(tuple(oddities)),
        section=Section.TRAILER,
    )


def _field_oddities(fields: Fields) -> list[str]:
    """What RFC 9113 section 8.2.1 forbids in names and values; `fields` as they were sent."""
    oddities = []
    names = [name for name, _ in fields if name]
    values = b" ".join(value for _, value in fields)
    if not all(map(TOKEN.fullmatch, names)):
        oddities.append("odd_name")
    if b"\0" in values:
        oddities.append("nul")
    if CONTROL.search(values):
        oddities.append("control")
    return oddities
