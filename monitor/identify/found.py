"""What a reader of numbers is, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, Protocol

from monitor.verdicts import Form, Identifier


class Spelling(StrEnum):
    """How exactly a number was written."""

    E164 = "e164"  # 447700900123
    PLUS = "plus"
    INTERNATIONAL = "international"  # 00447700900123
    ZERO_PADDED = "zero_padded"  # 000447700900123
    NATIONAL = "national"  # 07700900123
    BARE_NATIONAL = "bare_national"  # 7700900123
    GAPS = "gaps"  # any of these with punctuation between the digits
    TEL_URI = "tel_uri"
    SIP_URI = "sip_uri"
    NAI = "nai"  # 447700900123@realm (TS 23.003 sections 13 and 19)
    MSISDN_TS = "msisdn_ts"  # Nokia: the number and the Unix time in one run
    DIGITS = "digits"  # of an IMSI or IMEI
    # encoded: anybody can decode it
    REVERSED = "reversed"
    HEX_INTEGER = "hex_integer"
    ASCII_HEX = "ascii_hex"  # text that holds the number, each octet in hex
    BASE64 = "base64"  # text that holds the number
    TBCD = "tbcd"  # nibbles swapped, in hex (TS 29.002 section 17.7.8)
    BASE64_BCD = "base64_bcd"
    BASE64_TBCD = "base64_tbcd"
    # unkeyed digests of the number as e164, plus or national, in hex or base64
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    # sealed: known by its field only
    OPAQUE = "opaque"


class Found(NamedTuple):
    identifier: Identifier
    digits: str  # E.164 without `+`, or those of the IMSI or IMEI; what is sealed is as it stands there
    spelling: Spelling
    form: Form = Form.PLAIN


class Reader(Protocol):
    def suspect(self, text: bytes) -> bool:
        """Whether `read` could find anything in this text or a part of it; never False by mistake."""
        ...

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:
        """Every identifier in the text of a field whose name hints at `field_hint`, as often as it stands there."""
        ...
