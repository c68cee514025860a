"""Single values that several languages have: one string in, one typed value out, or a ValueError with what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from monitor.redact import mask_name
from monitor.written.document import quoted
from monitor.written.language import Scalar

SECONDS = {"m": 60, "h": 3600, "d": 86400}


def unlike(word: str, choices: Iterable[str], what: str) -> ValueError:
    """`word` is none of `choices`: which one was meant, or which ones there are."""
    from difflib import get_close_matches  # late: only for who wrote the wrong word

    known = {choice.lower(): choice for choice in choices}
    near = get_close_matches(word.lower(), known, 1)
    remedy = f"did you mean {quoted(known[near[0]])}?" if near else f"write one of {', '.join([*known.values()][:12])}"
    return ValueError(f"{quoted(word)} is no {what}; {remedy}")


def no_number(name: str) -> str:
    """What is to be a label, where no number may stand."""
    if mask_name(name) != name:
        raise ValueError(f"{quoted(name)} may hold a phone number, and names are public; choose one with fewer digits")
    return name


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a text")
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{quoted(text)} is neither `true` nor `false`; write one of them")
    return text == "true"


def _amount(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise ValueError(f"{quoted(text)} is no amount; write a whole number above 0, such as `50000`")
    return int(text)


def _span(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise ValueError(
            f"{quoted(text)} is no span of time; write a number and m, h or d, such as `30m`, `1h` or `1d`"
        )
    return int(found[1]) * SECONDS[found[2]]


def one_of(words: Iterable[str], what: str) -> Scalar:
    """One word of a closed list."""
    known = tuple(words)

    def parse(text: str) -> str:
        if text not in known:
            raise unlike(text, known, what)
        return text

    return Scalar(parse, enum=list(known))


def listed(kind: type[StrEnum], what: str) -> Scalar:
    """One word of a closed list."""

    def parse(text: str) -> StrEnum:
        if text not in list(kind):
            raise unlike(text, kind, what)
        return kind(text)

    return Scalar(parse, enum=list(kind))


TEXT = Scalar(_text, ["string", "number"])
BOOLEAN = Scalar(_boolean, "boolean")
AMOUNT = Scalar(_amount, "integer")
SPAN = Scalar(_span, pattern=r"^[1-9][0-9]{0,5}[mhd]$")
