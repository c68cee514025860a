"""Text of CSV or JSON in, Reports out: who holds which address, for tests and for operators with another source.

A CSV file has a line of column names first; a JSON file is a list of objects, or one object a line. Columns are those
of COLUMNS; `address`, `from` and `msisdn` or `imsi` are needed. Times are RFC 3339 with an offset or `Z`. What is
wrong is said by line, without repeating it: the file is full of numbers.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from monitor.subscribers.sessions import RATS, Report, Status

COLUMNS = ("address", "msisdn", "imsi", "apn", "rat", "network", "from", "until")
Fault = tuple[int, str]  # line, what is wrong and the remedy


def read(text: str, name: str) -> tuple[list[Report], list[Fault]]:
    """Reports in the order of their times; `name` ends with .csv, or else it is JSON."""
    reports: list[Report] = []
    faults: list[Fault] = []
    try:
        for line, row in _csv(text) if name.endswith(".csv") else _json(text):
            try:
                reports += list(_reports(row))  # all of a row, or nothing of it
            except ValueError as error:
                faults.append((line, str(error)))
    except ValueError as error:
        faults.append((getattr(error, "lineno", 1), "is not JSON; write a list of objects, or one object a line"))
    except csv.Error:
        faults.append((1, "is not CSV; write columns with commas between, their names in the first line"))
    return sorted(reports, key=lambda report: report.time_ns), faults


def _csv(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    for row in rows:
        yield rows.line_num, row


def _json(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if text.lstrip().startswith("["):
        for row in json.loads(text):
            yield 1, row
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                error.lineno = number
                raise


def _reports(row: Any) -> Iterator[Report]:
    if not isinstance(row, dict) or None in row:
        raise ValueError("is no session; write the columns " + ", ".join(COLUMNS))
    if unknown := [name for name in row if name not in COLUMNS]:
        raise ValueError(f"has {len(unknown)} columns too many; known are {', '.join(COLUMNS)}")
    said = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    msisdn, imsi = said["msisdn"].removeprefix("+"), said["imsi"]
    if not (msisdn or imsi):
        raise ValueError("has neither msisdn nor imsi; write one of them")
    _must("msisdn", msisdn, r"(?:[1-9][0-9]{6,14})?", "7 to 15 digits with the country code")
    _must("imsi", imsi, r"(?:[0-9]{14,15})?", "14 or 15 digits")
    _must("network", said["network"], r"(?:[0-9]{5,6})?", "MCC and MNC, 5 or 6 digits")
    _must("rat", said["rat"], "|".join(RATS), "one of " + ", ".join(RATS[1:]))
    begin = _time_ns(said["from"], "from")
    report = Report(
        begin, Status.START, b"file", f"{said['address']} {begin}".encode(), (_address(said["address"]),),
        msisdn, imsi, said["apn"].lower(), said["rat"], said["network"],
    )  # fmt: skip
    yield report
    if said["until"]:
        until = _time_ns(said["until"], "until")
        if until < begin:
            raise ValueError("ends before it begins; swap the two")
        yield report._replace(time_ns=until, status=Status.STOP)


def _must(name: str, value: str, pattern: str, what: str) -> None:
    if not re.fullmatch(pattern, value):
        raise ValueError(f"`{name}` is wrong; write {what}")


def _address(text: str) -> bytes:
    try:
        if "/" not in text:
            packed = ip_address(text).packed
            return packed if len(packed) == 4 else packed[:8]
        network = ip_network(text)
        if network.version == 6 and network.prefixlen == 64:
            return network.network_address.packed[:8]
    except ValueError:
        pass
    raise ValueError("`address` is wrong; write an IPv4 address, or the /64 of IPv6") from None


def _time_ns(text: str, name: str) -> int:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
    except ValueError:
        raise ValueError(f"`{name}` is no time with an offset; write one such as 2012-01-10T02:14:07Z") from None
    return int(time.timestamp()) * 10**9 + time.microsecond * 1000
