"""What the first payload of a half-stream looks like: bytes in, one word out."""

from __future__ import annotations

import re
from enum import StrEnum

from monitor.portable.request_head import (
    SPACE,
    TCHAR,
    WORDS_BYTES,
    begins_behind_junk,
    begins_record,
    begins_request,
    behind_records,
    request_line,
    surely_begins_line,
    surely_request_line,
)

PROXY_1, PROXY_2 = b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"  # haproxy.org, proxy-protocol.txt, section 2
LINE_BYTES = 8192  # that are searched for the end of the request line

_BEGUN_WORD = re.compile(rb"[\r\n]*[%s]{0,64}\Z" % TCHAR)
_WORD = re.compile(rb"[\r\n]*()[ \t]*[!-9;-~]{1,64}[%s]" % SPACE)
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+\d")
_FRAME = re.compile(rb"(?!\0{9})\0[\0-\x40].[\0-\x09][\0-\x2d][\0-\x7f]...", re.DOTALL)  # RFC 9113 section 4.1
_TEXT = re.compile(rb"[\t\r\n -~]*")


class Looks(StrEnum):
    REQUEST = "request"  # or the beginning of one
    PART = "part"  # a later part of a request, perhaps
    TLS = "tls"
    HTTP2 = "http2"  # frames, but no preface: nobody knows which side sends them
    RESPONSE = "response"
    OTHER = "other"


def looks_of(payload: bytes, later: bool = False) -> Looks:
    """What these bytes begin, as far as they tell; `later`: they are known to be no beginning."""
    if may_begin_request(payload):
        return Looks.REQUEST
    if later:
        return Looks.PART
    if _STATUS_LINE.match(payload):
        return Looks.RESPONSE
    if begins_record(payload):
        return Looks.REQUEST if behind_records(payload) else Looks.TLS
    if b"HTTP/1" in payload and any(request_line(line) for line in payload.split(b"\n")):
        return Looks.REQUEST  # behind a line or two of something else
    if _begins_with_frame(payload):
        return Looks.HTTP2
    return Looks.PART if _TEXT.fullmatch(payload, 0, 16) else Looks.OTHER


def may_begin_request(payload: bytes) -> bool:
    """Whether a request may begin with these bytes; a part of its first word is enough."""
    if _BEGUN_WORD.match(payload):
        return True
    word = _WORD.match(payload)
    if word is None:
        return payload.startswith(PROXY_2[: len(payload)]) or _begins_behind_junk(payload)
    start = word.start(1)
    eol = payload.find(b"\n", start, start + LINE_BYTES)
    if eol < 0:
        return begins_request(payload[start : start + WORDS_BYTES]) or payload.startswith(PROXY_1)
    line = payload[start:eol]
    return (
        request_line(line) is not None
        or payload.startswith(PROXY_1)
        or (b"\r" in line and request_line(line.partition(b"\r")[0]) is not None)
    )


def _begins_behind_junk(payload: bytes) -> bool:
    """The same behind octets that no protocol begins with that is known here."""
    if begins_record(payload) or _begins_with_frame(payload):
        return False
    line = payload.lstrip(b"\r\n")
    eol = line.find(b"\n", 0, LINE_BYTES)
    return begins_behind_junk(line[:WORDS_BYTES]) if eol < 0 else request_line(line[:eol]) is not None


def surely_begins_request(payload: bytes) -> bool:
    """As `may_begin_request`, where something else stood before: the first line must be or become a request line."""
    word = _WORD.match(payload, behind_records(payload))
    if word is None:
        return False
    start = word.start(1)
    eol = payload.find(b"\n", start, start + LINE_BYTES)
    if eol < 0:
        return surely_begins_line(payload[start : start + WORDS_BYTES])
    return surely_request_line(payload[start:eol]) is not None


def _begins_with_frame(payload: bytes) -> bool:
    """Whether a frame of HTTP/2 begins here, and another one where it ends."""
    if not _FRAME.match(payload):
        return False
    end = 9 + int.from_bytes(payload[:3], "big")
    return end == len(payload) or _FRAME.match(payload, end) is not None
