"""What stands around a run of digits: takes the match of a pattern, says whether it may be a number there.

Own ranges decide what is a number; these rules keep the digits of other things from being taken for one:

  any spelling    no letter touches it: digits inside a hex, base64 or product token are no number, unless the word in
                  front names it (`msisdn447700900123`), or a hint announces the word that it is in (`m447700900123`)
                  and that is too short for a digest; it is not the last group of a GUID, nor an IPv4 address
  without gaps    it is not the fraction of a decimal (`51.447700900123`), nor a date and time (201201101230)
  with gaps       the country code or the trunk prefix is set off as people do, which two numbers side by side are not
                  (`448416-463668`); the row of digit groups does not go on with the same punctuation (card numbers,
                  versions); there is no date in it
  weak            a hint announces it (ten digits are also a clock, fifteen an order), and it is a row of its own

`+`, a scheme or a hint lifts the second and the third. No rule looks further than LOOK_BACK octets.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

from monitor.identify.catalogue import hint
from monitor.identify.numbers import GAP
from monitor.verdicts import Identifier

LOOK_BACK = 40  # octets before a number in which its key may stand
MOST_GLUED = 8  # letters and digits beside a number in one word

_LEAD = re.compile(rb"(?:(?:tel|sips?):[+ (]{0,3}|\+[ (]{0,2})\Z", re.IGNORECASE)
_KEY = re.compile(rb"([A-Za-z][A-Za-z0-9_.-]*)[^A-Za-z0-9]{0,6}\Z")
_WORD = re.compile(rb"[A-Za-z]+\Z")
_WORD_BEFORE, _WORD_BEHIND = re.compile(rb"[0-9A-Za-z]*\Z"), re.compile(rb"[0-9A-Za-z]*")
_ESCAPE = re.compile(rb"\\(?:[bfnrt]|u002b)\Z", re.IGNORECASE)  # RFC 8259 section 7; some libraries escape `+` so
_GUID = re.compile(rb"[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-\Z")  # the groups before the last (RFC 9562 section 4)
_INTEGER_PART = re.compile(rb"(?<![0-9A-Za-z.])[0-9]+\.\Z")
_GROUP_BEFORE = re.compile(rb"[0-9](%b)\Z" % GAP)
_GROUP_AFTER = re.compile(rb"(%b)[0-9]" % GAP)
_LONE_DIGIT = re.compile(rb"[^0-9(][0-9](?![0-9])")
_LONE_ZERO = re.compile(rb"0[^0-9)]")
_PRODUCT = re.compile(rb"[A-Za-z]/\Z")  # of a version (RFC 9110 section 10.1.5)
_DAY = rb"(?:0[1-9]|[12][0-9]|3[01])", rb"(?:0[1-9]|1[0-2])", rb"(?:19|20)[0-9]{2}"
_DATE = re.compile(rb"\b(?:%b([-./ ])%b\1%b|%b([-./ ])%b\2%b)\b" % (*_DAY, *reversed(_DAY)))
_DATE_AND_TIME = re.compile(rb"%b%b%b(?:[01][0-9]|2[0-3])[0-5][0-9]" % (*reversed(_DAY),))


def stands_alone(match: re.Match[bytes], field_hint: Identifier | None, identifier: Identifier) -> bool:
    """Whether `written` of this match is such an identifier, and no part of something else, in a field so named."""
    text, (start, end) = match.string, match.span("written")
    if text[end : end + 1].isalpha() or (text[start - 1 : start].isalpha() and not _introduced(text, start)):
        return "weak" not in match.re.groupindex and _is_in_named_word(match, field_hint, identifier)
    written = match["written"]
    gaps = written.translate(None, b"0123456789")
    if gaps and _is_ipv4(written):
        return False
    if not gaps and _GUID.search(text, max(0, start - 10), start):
        return False
    if "weak" in match.re.groupindex:
        return not (lead(match).endswith(b"+") or _row_before(text, start)) and hinted(match, field_hint, identifier)
    doubtful = _is_several(match, gaps) if gaps else _is_fraction(text, start, end) or _DATE_AND_TIME.fullmatch(written)
    return not doubtful or lead(match) != b"" or hinted(match, field_hint, identifier)


def hinted(match: re.Match[bytes], field_hint: Identifier | None, identifier: Identifier) -> bool:
    """Whether the name of the field, or a key in front of the number, says that it is one."""
    return field_hint is identifier or _keyed(match.string, match.start(), identifier)


def _keyed(text: bytes, start: int, identifier: Identifier) -> bool:
    """Whether the key in front of this place names such an identifier."""
    key = _KEY.search(text, max(0, start - LOOK_BACK), start)
    return key is not None and hint(key[1]) is identifier


def _is_in_named_word(match: re.Match[bytes], field_hint: Identifier | None, identifier: Identifier) -> bool:
    """Whether something announces the word that the number is a part of, and that word is not much longer."""
    text, (start, end) = match.string, match.span("written")
    before = _WORD_BEFORE.search(text, max(0, start - MOST_GLUED - 1), start)
    behind = _WORD_BEHIND.match(text, end, end + MOST_GLUED + 1)
    glued = (len(before[0]) if before else 0, len(behind[0]) if behind else 0)
    return sum(glued) <= MOST_GLUED and (field_hint is identifier or _keyed(text, start - glued[0], identifier))


def lead(match: re.Match[bytes]) -> bytes:
    """What introduces the number: `tel:` (RFC 3966), `sip:` or `sips:` (RFC 3261 section 19.1), `+`, or b""."""
    start = match.start()
    before = _LEAD.search(match.string, max(0, start - 8), start) if start else None
    return before[0].translate(None, b" (").lower() if before else b""


def _introduced(text: bytes, start: int) -> bool:
    """Whether the letters that touch the number name it, or are the end of an escaped character of JSON."""
    if _ESCAPE.search(text, max(0, start - 6), start):
        return True
    word = _WORD.search(text, max(0, start - LOOK_BACK), start)
    return word is not None and hint(word[0]) is not None


def _row_before(text: bytes, start: int) -> re.Match[bytes] | None:
    return _GROUP_BEFORE.search(text, max(0, start - 5), start)


def _is_several(match: re.Match[bytes], gaps: bytes) -> bool:
    """Whether the groups of digits are rather several numbers, a part of a longer row, or a date."""
    text, written = match.string, match["written"]
    before, after = _row_before(text, match.start()), _GROUP_AFTER.match(text, match.end("written"))
    around = (before[1] if before else b"") + (after[1] if after else b"")
    return (
        match.groupdict().get("gap") == b""
        or _LONE_ZERO.match(written) is not None
        or len(_LONE_DIGIT.findall(written)) > 1
        or not set(around).isdisjoint(gaps)
        or _DATE.search(written) is not None
        or (set(gaps) == set(b".") and _PRODUCT.search(text, max(0, match.start() - 2), match.start()) is not None)
    )


def _is_fraction(text: bytes, start: int, end: int) -> bool:
    if text[start - 1 : start] != b"." or text[end : end + 1] == b".":
        return False
    return _INTEGER_PART.search(text, max(0, start - LOOK_BACK), start) is not None


def _is_ipv4(written: bytes) -> bool:
    try:
        IPv4Address(written.decode("latin-1"))
    except AddressValueError:
        return False
    return True
