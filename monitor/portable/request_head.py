"""The head of one HTTP/1 request, line by line, as docs/request-head.md has it: bytes in, names and values out.

A witness is lenient where an endpoint is strict: whatever any real server might accept is read, and what is not as
RFC 9112 writes it gets the name of an oddity. Where servers differ, `readings` are the ways in which they differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from monitor.records import Certainty, Fields, Flow, RequestHead, Section

METHODS = frozenset(
    b"GET POST HEAD PUT DELETE OPTIONS CONNECT TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH "
    b"REPORT NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH PURGE LINK UNLINK PRI".split()
)
TCHAR = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"  # RFC 9110 section 5.6.2
AMBIGUOUS = frozenset(
    ("not_http", "framing", "host", "host_unknown", "frag_mixed")
)  # of these oddities nobody knows what was meant
AUTHORITY = (b":authority", b"host")  # who gets a request: RFC 9113 section 8.3.1, RFC 9112 section 3.2
CUT = frozenset(("incomplete", "after_gap"))
FRAMING_FIELDS = (b"content-length", b"transfer-encoding")  # RFC 9112 section 6
MOST_HOSTS = 4  # that others see: two that differ make a head ambiguous
MOST_JUNK = 64  # octets before a method that are none of a request line
WORDS_BYTES = 256  # of a line: as much of it as its first words need
TLS_BYTES = 5  # before what is in a record
MOST_NEEDED = 64  # fields of a head that are kept for what follows it

_TOKEN = re.compile(rb"[%s]+" % TCHAR)
_CLEAN_LINE = re.compile(rb"([%s]{1,64}) ([!-~]+) (HTTP/1\.[01])" % TCHAR)
_CLEAN_FIELDS = re.compile(rb"(?:[%s]+:[\t -~\x80-\xff]*\r\n)*(?:\r\n)?" % TCHAR)
SPACE = b" \t\x0b\x0c\r"  # between the parts of a request line: RFC 9112 section 3, for who is lenient
_SPACES = re.compile(rb"[%s]+" % SPACE)
_METHOD = re.compile(rb"[!-9;-~]{1,64}")  # a colon would make it a field line
_NO_TCHAR = re.compile(rb"[^%s%s]" % (TCHAR, SPACE))
_BEGUN_METHOD = re.compile(rb"[^%s%s]([A-Za-z-]{2,16})\Z" % (TCHAR, SPACE))
_NAMED = re.compile(rb"[^\x00-\x20:]+[ \t]*:")
_VERSION = re.compile(rb"HTTP/\S*", re.IGNORECASE)
_OTHER_PROTOCOL = re.compile(rb"(?:RTSP|SIP|ICAP|MSRP|MRCP)/\d.*", re.IGNORECASE)
_ODD_TARGET = re.compile(rb"[^!-~]")
_LONE_CR = re.compile(rb"\r(?!\n)")
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ABSOLUTE = re.compile(rb"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_FIELD = re.compile(rb"[ \t]|[^\x00-\x20:]{1,256}[ \t]*:")
_TLS = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]", re.DOTALL)
_NUL_IN_DIGITS = re.compile(rb"(?<=[0-9])\0+[0-9].*", re.DOTALL)  # to who reads a string of C no number goes on there
_PORT = re.compile(rb":\d*\Z")


class RequestLine(NamedTuple):
    method: bytes
    target: bytes
    version: bytes
    oddities: tuple[str, ...] = ()


NO_LINE = RequestLine(b"", b"", b"")


def request_line(line: bytes) -> RequestLine | None:
    """The three parts of a line without its end, or None: no server would take this for a request."""
    return _request_line(line) or behind_junk(line)


def _request_line(line: bytes) -> RequestLine | None:
    if clean := _CLEAN_LINE.fullmatch(line):
        return RequestLine(clean[1], clean[2], clean[3])
    text = line.strip(SPACE)
    parts = _SPACES.split(text)
    method = parts[0]
    if len(parts) == 1 or not _METHOD.fullmatch(method):
        return None
    last = parts[-1]
    oddities = []
    if _VERSION.fullmatch(last):
        version = last
        target = text[len(method) : -len(last)].strip(SPACE)
        if not target and method.upper() not in METHODS:
            return None
        if last not in (b"HTTP/1.0", b"HTTP/1.1"):
            oddities.append("odd_version")
    else:
        target = text[len(method) :].strip(SPACE)
        if method.upper() not in METHODS or not _is_target(target) or _OTHER_PROTOCOL.fullmatch(last):
            return None
        version = b""  # HTTP/0.9
        if len(parts) > 2:
            version = last
            target = target[: -len(last)].rstrip(SPACE)
            oddities.append("odd_version")
        oddities.append("not_http")
    if not _TOKEN.fullmatch(method):
        oddities.append("odd_method")
    if _ODD_TARGET.search(target):
        oddities.append("odd_target")
    if b"\r" in text and (oddities or method.upper() not in METHODS):
        return None  # a CR may stand for a space, but only between parts that leave no doubt
    if line.rstrip(b"\r") != b" ".join(filter(None, (method, target, version))):
        oddities.append("request_line_space")
    return RequestLine(method, target, version, tuple(oddities))


def behind_junk(line: bytes) -> RequestLine | None:
    """Octets that are none of a method, and behind them a method, a target that looks like one, and a version.

    To a method that is unknown they belong, as far as no space parts them.
    """
    text = line.strip(SPACE)
    junk = _junk(text)
    found = _request_line(text[junk:]) if junk else None
    if found is None or "not_http" in found.oddities or not _is_target(found.target):
        return None
    method = found.method
    if method.upper() not in METHODS:
        method = _SPACES.split(text[: junk + len(method)])[-1]
    return found._replace(method=method, oddities=(*found.oddities, "not_http"))


def _junk(text: bytes) -> int:
    """How many octets stand before what looks like method and target; the last of them is in no method. 0: none."""
    text = text[:WORDS_BYTES]
    named = _NAMED.match(text)
    for octet in _NO_TCHAR.finditer(text, 0, MOST_JUNK):
        rest = text[octet.end() :].lstrip(SPACE)
        method, *target = _SPACES.split(rest, 1)
        if target and len(method) <= MOST_JUNK and _TOKEN.fullmatch(method):
            known = method.upper() in METHODS
            if known or target[0][:1] in (b"/", b"*") or _ABSOLUTE.match(target[0]):
                return 0 if named and named.end() <= octet.end() else len(text) - len(rest)
    return 0


def begins_behind_junk(text: bytes) -> bool:
    """Whether a line that has not ended yet may become a request line behind octets that are none of a method."""
    text = text.lstrip(SPACE)
    begun = _BEGUN_METHOD.search(text[: MOST_JUNK + 16])
    return _junk(text) > 0 or (begun is not None and begins_method(begun[1]) and not _NAMED.match(text))


def begins_method(text: bytes) -> bool:
    return any(each.startswith(text.upper()) for each in METHODS)


def surely_request_line(line: bytes) -> RequestLine | None:
    """As `request_line`, where prose may stand: the line must look like a request in every part."""
    found = _request_line(line)
    if found is None or "not_http" in found.oddities:
        before, cr, behind = line.partition(b"\r")
        return surely_request_line(before) if cr and behind else None
    known = found.method.upper() in METHODS or (found.method.isupper() and _TOKEN.fullmatch(found.method))
    return found if known and _is_target(found.target) else None


def begins_request(text: bytes) -> bool:
    """Whether a line that has not ended yet may become a request line."""
    method, *rest = _SPACES.split(text.lstrip(b" \t"), 1)
    target = rest[0] if rest else b""
    return method.upper() in METHODS or target[:1] in (b"/", b"*") or _ABSOLUTE.match(target) is not None


def surely_begins_line(text: bytes) -> bool:
    """As `begins_request`, where prose may stand: method and target must both be such."""
    method, *rest = _SPACES.split(text.lstrip(b" \t"), 1)
    return method.upper() in METHODS and bool(rest) and (rest[0][:1] in (b"/", b"*") or bool(_ABSOLUTE.match(rest[0])))


def behind_records(octets: bytes | bytearray, at: int = 0) -> int:
    """Where a request begins, as its first words tell, behind records of TLS (RFC 8446 section 5.1) that are whole and
    stand at this place; the place itself where none does."""
    end = at
    while _TLS.match(octets, end) and len(octets) - end >= TLS_BYTES:
        end += TLS_BYTES + int.from_bytes(octets[end + 3 : end + TLS_BYTES], "big")
    begins = end > at and surely_begins_line(bytes(octets[end : end + WORDS_BYTES]).lstrip(b"\r\n"))
    return end if begins else at


def begins_record(octets: bytes) -> bool:
    return _TLS.match(octets) is not None


def _is_target(target: bytes) -> bool:
    """RFC 9112 section 3.2: origin, asterisk, absolute or authority form."""
    return target[:1] in (b"/", b"*") or _ABSOLUTE.match(target) is not None or _PORT.search(target) is not None


class FieldLines(NamedTuple):
    """Field lines read: in one way, and in others where servers differ."""

    fields: Fields
    oddities: tuple[str, ...] = ()
    others: tuple[Fields, ...] = ()
    hidden: Fields = ()  # of FRAMING_FIELDS: what only others take for such; Hosts are in `others`
    may_differ: bool = False  # there are others, or would be if all ways were wanted

    def has(self, wanted: bytes) -> bool:
        return any(name == wanted for name, _ in self.fields)


def looks_like_field(line: bytes) -> bool:
    """Whether a line behind a hole may be a field line, or the continuation of one."""
    return not line.strip(b"\r") or _FIELD.match(line) is not None


def may_end_field(line: bytes) -> bool:
    """Whether the only line behind a hole is what is left of a field line, from within its name at the latest."""
    name, colon, _ = line.partition(b":")
    return bool(colon) and _TOKEN.fullmatch(name) is not None


def field_lines(block: bytes, start: int = 0, *, in_all_ways: bool = True) -> FieldLines:
    """The field lines of a head or a trailer section, from `start` up to the empty line (RFC 9112 section 5)."""
    if _CLEAN_FIELDS.fullmatch(block, start):
        parted = [line.partition(b":") for line in block[start:].rstrip(b"\r\n").split(b"\r\n") if line]
        return FieldLines(tuple([(name.lower(), value.strip(b" \t")) for name, _, value in parted]))
    oddities: dict[str, None] = {}  # an ordered set
    block = block[start:]
    hidden: dict[tuple[bytes, bytes], None] = {}
    lines = _lines(block, oddities, hidden)
    fields = _joined(lines, b" ".join)
    has_host = any(name == b"host" for name, _ in hidden)
    may_differ = has_host or not oddities.keys().isdisjoint(("fold", "cr", "nul"))
    if not (may_differ and in_all_ways):
        return FieldLines(fields, tuple(oddities), (), _extents(hidden), may_differ)
    if "cr" in oddities:
        lines = _lines(_LONE_CR.sub(b"\r\n", block), {}, hidden)
    read = [_joined(lines, join) for join in (b"".join, _up_to_parted_digits)]
    read.append(tuple([(name, _NUL_IN_DIGITS.sub(b"", value)) for name, value in fields]))
    read.append(fields + tuple([field for field in hidden if field[0] == b"host"][:MOST_HOSTS]))
    others = tuple(dict.fromkeys(other for other in read if other != fields))
    for other in others:
        hidden |= dict.fromkeys(field for field in other if field[0] in FRAMING_FIELDS)
    return FieldLines(fields, tuple(oddities), others, _extents(hidden), may_differ)


def _extents(hidden: dict[tuple[bytes, bytes], None]) -> Fields:
    return tuple(field for field in hidden if field[0] != b"host")


Lines = list[tuple[bytes, list[bytes]]]  # name, and the lines of the value


def _joined(lines: Lines, join: Callable[[list[bytes]], bytes]) -> Fields:
    return tuple([(name, join(values).strip(b" \t")) for name, values in lines])


def _up_to_parted_digits(lines: list[bytes]) -> bytes:
    """A folded value up to a fold between two digits: who knows no folds has no number there."""
    if len(lines) == 1:
        return lines[0]
    pairs = enumerate(pairwise(lines), 1)
    whole = next((at for at, (one, next_) in pairs if one[-1:].isdigit() and next_[:1].isdigit()), len(lines))
    return b"".join(lines[:whole])


def _hidden(line: bytes) -> dict[tuple[bytes, bytes], None]:
    """What this line is to who reads no folds, or passes over octets that are in no name."""
    name, colon, value = line.partition(b":")
    name = b"".join(_TOKEN.findall(name)).lower().replace(b"_", b"-")
    return {(name, value.strip(b" \t\r")): None} if colon and name in (b"host", *FRAMING_FIELDS) else {}


def _lines(block: bytes, oddities: dict[str, None], hidden: dict[tuple[bytes, bytes], None]) -> Lines:
    fields: Lines = []
    for raw in block.split(b"\n"):
        line = raw.removesuffix(b"\r")
        if not line:
            continue
        if not raw.endswith(b"\r"):
            oddities["bare_lf"] = None
        if b"\r" in line:
            oddities["cr"] = None
        if b"\0" in line:
            oddities["nul"] = None
        if _CONTROL.search(line):
            oddities["control"] = None
        if line[:1] in (b" ", b"\t"):
            if fields:  # obs-fold, RFC 9112 section 5.2
                oddities["fold"] = None
                fields[-1][1].append(line.strip(b" \t\r"))
                hidden |= _hidden(line)
                continue
            oddities["leading_space"] = None
            line = line.lstrip(b" \t")
        name, colon, value = line.partition(b":")
        bare_name = name.rstrip(b" \t")
        if not colon:
            oddities["no_colon"] = None
        elif bare_name != name:
            oddities["space_before_colon"] = None
        elif not name:
            oddities["empty_name"] = None
        if bare_name and not _TOKEN.fullmatch(bare_name):
            oddities["odd_name"] = None
            hidden |= _hidden(line)
        fields.append((bare_name.lower(), [value.strip(b" \t\r")]))
    return fields


def _recipient_oddities(line: RequestLine, fields: Fields, whole: bool) -> tuple[str, ...]:
    """What is odd about who is to get the request (RFC 9112 section 3.2)."""
    hosts = [value for name, value in fields if name == b"host"]
    oddities = []
    if len({host.lower() for host in hosts}) > 1:
        oddities.append("host")
    absolute = None if line.target[:1] == b"/" else _ABSOLUTE.match(line.target)
    if absolute is None:
        if not hosts and line.method.upper() != b"CONNECT":
            oddities.append("host_missing" if whole else "host_unknown")
        return tuple(oddities)
    _, at, authority = absolute[1].rpartition(b"@")
    if at:
        oddities.append("userinfo")
    if hosts and _name(authority) not in map(_name, hosts):
        oddities.append("host_mismatch")
    return tuple(oddities)


def _name(authority: bytes) -> bytes:
    return _PORT.sub(b"", authority).lower().rstrip(b".")


def certainty_of(oddities: tuple[str, ...]) -> Certainty:
    return Certainty.CONFIRMED if AMBIGUOUS.isdisjoint(oddities) else Certainty.AMBIGUOUS


def make_head(
    time_ns: int, flow: Flow, line: RequestLine, section: FieldLines, oddities: tuple[str, ...]
) -> RequestHead:
    """A head of its parts; the other ways to read its fields are its readings."""
    head, *readings = (
        _of_fields(time_ns, flow, line, fields, section.oddities + oddities)
        for fields in (section.fields, *section.others)
    )
    return head._replace(readings=tuple(readings)) if readings else head


def continuation(
    time_ns: int, head: RequestHead, found: FieldLines, oddities: tuple[str, ...], section: Section
) -> RequestHead:
    """More fields of `head`, with its recipient; the target of a head was read with the first part."""
    target = head.target
    if section is Section.HEAD and head.method != b"CONNECT":
        absolute = _ABSOLUTE.match(target)
        target = absolute[0] + b"/" if absolute else b"/"
    hosts = tuple(field for field in head.fields if field[0] in AUTHORITY)[:MOST_NEEDED]
    more = head._replace(
        time_ns=time_ns,
        target=target,
        fields=hosts + found.fields,
        oddities=found.oddities + oddities,
        section=section,
        readings=(),
    )
    return more._replace(readings=tuple(more._replace(fields=hosts + other) for other in found.others))


def _of_fields(time_ns: int, flow: Flow, line: RequestLine, fields: Fields, oddities: tuple[str, ...]) -> RequestHead:
    whole = CUT.isdisjoint(oddities)
    oddities = line.oddities + oddities + _recipient_oddities(line, fields, whole)
    oddities = oddities and tuple(dict.fromkeys(oddities))
    return RequestHead(time_ns, flow, line.method, line.target, line.version, fields, oddities, certainty_of(oddities))
