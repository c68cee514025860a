"""Verdicts, request heads and the summary as JSON lines: one object a line, in ASCII, for jq and for a SIEM.

A number leaves as token and mask only, and what the wire wrote into names and hosts goes through redact as well. JSON's
own escapes take the sting out of the rest: control bytes, terminal sequences, marks that turn the direction of text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from monitor.recipient import recipient_of
from monitor.records import RequestHead, Section
from monitor.redact import Redactor
from monitor.report.tallies import Summary
from monitor.report.text import LONGEST_REMEMBERED, SECOND_NS, address, masked, rfc3339, to_second
from monitor.verdicts import Number, Verdict, Verdicts, Whose

VERSION = len("HTTP/1.1")
REMEMBERED = 16_384  # kinds of verdict; a full memory starts again
# what is another in verdicts of one kind, in the order of verdict_row; no text can look so, for its quotes are escaped
VARYING = ("time", "address", "src", "sport", "dport", "token", "masked")

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode(row: Mapping[str, object]) -> str:
    """One line; JSON leaves DEL alone (RFC 8259 section 7), a terminal may not."""
    return _encode(row).replace("\x7f", "\\u007f")


class Out(Protocol):
    """Standard output, or a file that a thread writes."""

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...


class Journal:
    """A sink that writes each verdict; `flush` after every batch, so that a reader of the pipe is never far behind."""

    def __init__(self, out: Out, redactor: Redactor) -> None:
        self._out = out
        self._redactor = redactor
        self._lines: list[str] = []
        self._known: dict[tuple[object, ...], list[str]] = {}  # what stands around that which differs, by what does not
        self._masks: dict[str, str] = {}  # by token

    def feed(self, verdicts: Verdicts) -> None:
        known, masks, append, before = self._known, self._masks, self._lines.append, None
        for verdict, token in verdicts.told:
            sighting, outcome, recipient, partner, purpose, access, brand, _, whose = verdict
            head, identifier, number, place, field, form, _, certainty, _, _ = sighting
            if head is not before:  # a head may be full of numbers
                before = head
                src, sport, dst, dport, _ = head.flow
                second, rest = divmod(head.time_ns, SECOND_NS)
                time, to, by = f"{to_second(second)}.{rest:09d}Z", address(dst), address(src)
            mask = masks.get(token) or self._mask(number, token)
            kind = (
                outcome, recipient, partner, purpose, access, brand, whose, identifier, place, field, form, certainty
            )  # fmt: skip
            a, b, c, d, e, f, g, h = known.get(kind) or self._around(kind, verdict, token)
            append(f"{a}{time}{b}{to}{c}{by}{d}{sport}{e}{dport}{f}{token}{g}{mask}{h}")

    def _mask(self, number: Number, token: str) -> str:
        mask = self._redactor.mask(number)
        if len(mask) <= LONGEST_REMEMBERED:
            if len(self._masks) >= REMEMBERED:
                self._masks.clear()
            self._masks[token] = mask
        return mask

    def _around(self, kind: tuple[object, ...], verdict: Verdict, token: str) -> list[str]:
        around = _parts(verdict_row(verdict, token, self._redactor))
        if len(verdict.sighting.field) <= LONGEST_REMEMBERED:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[kind] = around
        return around

    def flush(self) -> None:
        if self._lines:
            self._out.write("\n".join(self._lines) + "\n")
            self._lines.clear()
            self._out.flush()

    def end(self, summary: Summary) -> None:
        self._lines.append(encode(summary))
        self.flush()


def _parts(row: dict[str, object]) -> list[str]:
    """The line of this row, cut where something varies: encoding each anew costs five times as much."""
    rest, parts, quote = encode(row | dict.fromkeys(VARYING)), [], ""
    for key in VARYING:
        part, _, rest = rest.partition(f'"{key}":null')
        behind, quote = quote, "" if isinstance(row[key], int) else '"'
        parts.append(f'{behind}{part}"{key}":{quote}')
    return [*parts, quote + rest]


def verdict_row(verdict: Verdict, token: str, redactor: Redactor) -> dict[str, object]:
    sighting = verdict.sighting
    flow = sighting.head.flow
    whose = {} if verdict.whose is Whose.UNKNOWN else {"whose": verdict.whose}  # where a feed told who has the address
    return {
        "type": "verdict",
        "time": rfc3339(sighting.head.time_ns),
        "recipient": masked(verdict.recipient),
        "address": address(flow.dst),
        "src": address(flow.src),
        "sport": flow.sport,
        "dport": flow.dport,
        "identifier": sighting.identifier,
        "place": sighting.place,
        "field": masked(sighting.field.decode("latin-1")),
        "form": sighting.form,
        "certainty": sighting.certainty,
        "outcome": verdict.outcome,
        "partner": verdict.partner,
        "purpose": verdict.purpose,
        "access": verdict.access,
        "brand": verdict.brand,
        "token": token,
        "masked": redactor.mask(sighting.number),
        **whose,
    }


def request_row(head: RequestHead, show_values: bool) -> dict[str, object]:
    """A request head as `requests` prints it, digit runs masked unless asked for; latin-1 keeps every byte."""
    read = _as_is if show_values else masked
    flow, version = head.flow, head.version.decode("latin-1")
    return {
        "type": "trailer" if head.section is Section.TRAILER else "request",
        "time": rfc3339(head.time_ns),
        "src": address(flow.src),
        "sport": flow.sport,
        "dst": address(flow.dst),
        "dport": flow.dport,
        "path": flow.path,
        "method": read(head.method.decode("latin-1")),
        "target": read(head.target.decode("latin-1")),
        "version": "".join(map(read, (version[:VERSION], version[VERSION:]))),  # what is glued to it is no part of it
        "recipient": read(recipient_of(head).names[0]),
        "fields": [_field(name.decode("latin-1"), value.decode("latin-1"), read) for name, value in head.fields],
        "certainty": head.certainty,
        "oddities": head.oddities,
    }


def _field(name: str, value: str, read: Callable[[str], str]) -> list[str]:
    if any(map(str.isalpha, name)):
        return [read(name), read(value)]
    line = read(f"{name}\0{value}")  # digits that go on behind the colon are one run
    return [line[: len(name)], line[len(name) + 1 :]]


def _as_is(text: str) -> str:
    return text
