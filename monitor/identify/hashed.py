"""Unkeyed digests of own numbers: takes the text of one field, yields the numbers that they are of."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.identify.found import Found, Spelling
from monitor.identify.hashes import HashTable
from monitor.verdicts import Form, Identifier

_SPELLINGS = {16: Spelling.MD5, 20: Spelling.SHA1, 32: Spelling.SHA256}


class Hashed:
    """A Reader."""

    def __init__(self, table: HashTable) -> None:
        self._table = table

    def suspect(self, text: bytes) -> bool:
        return self._table.may_be_in(text)

    def read(self, text: bytes, field_hint: Identifier | None) -> Iterator[Found]:  # noqa: ARG002 - as Reader has it
        for octets, number in self._table.found_in(text):
            yield Found(Identifier.MSISDN, number, _SPELLINGS[octets], Form.HASHED)
