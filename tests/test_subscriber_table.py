"""A file of sessions: CSV, JSON, JSON lines, and every line that is wrong, said without what stands in it."""

from __future__ import annotations

import pytest

from monitor.subscribers.sessions import Status
from monitor.subscribers.table import read

HEAD = "address,msisdn,imsi,apn,rat,network,from,until\n"
ROW = (
    "100.64.1.2,447700900123,001010000000123,WAP.operator.example,utran,00101,"
    "2012-01-10T02:14:07Z,2012-01-10T03:00:00+00:00\n"
)
COLUMNS = "address, msisdn, imsi, apn, rat, network, from, until"
RATS = "utran, geran, wlan, gan, hspa, eutran, virtual, nb-iot, lte-m, nr"
JSON = '{"address": "2001:db8:1::/64", "msisdn": "+447700900123", "from": "2012-01-10T02:14:07.5Z"}'


def test_csv() -> None:
    (start, stop), faults = read(HEAD + ROW, "sessions.csv")
    assert faults == []
    assert (start.status, stop.status) == (Status.START, Status.STOP)
    assert (start.time_ns, stop.time_ns) == (1_326_161_647 * 10**9, 1_326_164_400 * 10**9)
    assert start.addresses == (bytes([100, 64, 1, 2]),)
    assert (start.msisdn, start.imsi, start.apn) == ("447700900123", "001010000000123", "wap.operator.example")
    assert (start.rat, start.network, start.session) == ("utran", "00101", stop.session)


@pytest.mark.parametrize("text", [f"[{JSON}]", f"{JSON}\n\n"])
def test_json(text: str) -> None:
    (start,), faults = read(text, "sessions.json")
    assert faults == []
    assert start.addresses == (bytes.fromhex("20010db800010000"),)
    assert (start.msisdn, start.time_ns % 10**9) == ("447700900123", 500_000_000)


def test_rows_come_by_time() -> None:
    later = ROW.replace("T02:14:07Z", "T02:59:00Z").replace("100.64.1.2", "100.64.1.3")
    reports, _ = read(HEAD + later + ROW, "sessions.csv")
    assert [report.time_ns for report in reports] == sorted(report.time_ns for report in reports)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("100.64.1.2", "100.64.1", "`address` is wrong; write an IPv4 address, or the /64 of IPv6"),
        ("100.64.1.2", "2001:db8::/56", "`address` is wrong; write an IPv4 address, or the /64 of IPv6"),
        ("447700900123", "07700900123", "`msisdn` is wrong; write 7 to 15 digits with the country code"),
        ("447700900123,001010000000123", ",", "has neither msisdn nor imsi; write one of them"),
        ("001010000000123", "00101", "`imsi` is wrong; write 14 or 15 digits"),
        ("utran", "3g", f"`rat` is wrong; write one of {RATS}"),
        (",00101,", ",GB,", "`network` is wrong; write MCC and MNC, 5 or 6 digits"),
        ("02:14:07Z", "02:14:07", "`from` is no time with an offset; write one such as 2012-01-10T02:14:07Z"),
        ("T03:00:00", "T01:00:00", "ends before it begins; swap the two"),
        ("+00:00\n", "+00:00,x\n", f"is no session; write the columns {COLUMNS}"),
    ],
)  # fmt: skip
def test_a_wrong_line(old: str, new: str, fault: str) -> None:
    reports, faults = read(HEAD + ROW + ROW.replace(old, new), "sessions.csv")
    assert faults == [(3, fault)]
    assert len(reports) == 2


@pytest.mark.parametrize(
    ("text", "name", "fault"),
    [
        ("[1, 2", "x.json", (1, "is not JSON; write a list of objects, or one object a line")),
        (f"{JSON}\n{{", "x.json", (2, "is not JSON; write a list of objects, or one object a line")),
        ("[1]", "x.json", (1, f"is no session; write the columns {COLUMNS}")),
        (
            HEAD.replace("apn", "number") + ROW,
            "x.csv",
            (2, f"has 1 columns too many; known are {COLUMNS}"),
        ),
        (HEAD + '"100', "x.csv", (1, "is not CSV; write columns with commas between, their names in the first line")),
    ],
)  # fmt: skip
def test_a_file_that_is_none(text: str, name: str, fault: tuple[int, str]) -> None:
    assert read(text, name)[1] == [fault]


def test_no_message_repeats_a_number() -> None:
    for wrong in (ROW.replace("100.64.1.2", "447700900123"), ROW.replace("utran", "447700900123")):
        assert "7700" not in str(read(HEAD + wrong, "sessions.csv")[1])
