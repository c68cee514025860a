"""Who held an address when: sessions against a slow obvious model, and each way in which a feed can be odd."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.subscribers import sessions as module
from monitor.subscribers.sessions import Report, Sessions, Status
from monitor.verdicts import Holder

SECOND = 10**9
HOUR = 3600 * SECOND
ADDRESS, OTHER_ADDRESS = bytes([100, 64, 1, 2]), bytes([100, 64, 1, 3])
A, B = "447700900123", "447700900124"
LONGEST, SILENCE = 24 * HOUR, 10 * 60 * SECOND


def said(second: float, status: Status = Status.START, msisdn: str = A, **more: Any) -> Report:
    plain = Report(
        time_ns=int(second * SECOND), status=status, nas=b"nas", session=msisdn.encode(), addresses=(ADDRESS,),
        msisdn=msisdn, imsi="001010000000123", apn="mobile.operator.example", rat="utran", network="00101",
    )  # fmt: skip
    return plain._replace(**more)


def heard(*reports: Report, silence: int = LONGEST, longest: int = LONGEST, most: int = 1000) -> Sessions:
    sessions = Sessions(longest, silence, most)
    for report in reports:
        sessions.feed(report)
    return sessions


def who(sessions: Sessions, second: float, address: bytes = ADDRESS) -> str | None:
    holder = sessions.holder(address, int(second * SECOND))
    return holder and holder.msisdn


def test_all_that_a_session_says() -> None:
    sessions = heard(said(10))
    assert sessions.holder(ADDRESS, 10 * SECOND) == Holder(
        A, "001010000000123", "mobile.operator.example", "utran", "00101"
    )
    assert A not in repr(sessions.holder(ADDRESS, 10 * SECOND)) + repr(said(10))
    assert (who(sessions, 9), who(sessions, 11, OTHER_ADDRESS)) == (None, None)


def test_an_ipv6_session_is_of_its_64_addresses() -> None:
    prefix = bytes.fromhex("20010db800010000")
    sessions = heard(said(1, addresses=(prefix, ADDRESS)))
    assert who(sessions, 2, prefix + bytes(7) + b"\x09") == who(sessions, 2) == A
    assert who(sessions, 2, bytes.fromhex("20010db800010001") + bytes(8)) is None


def test_a_session_ends_with_its_stop_and_the_question_may_be_older() -> None:
    sessions = heard(said(1), said(20, Status.STOP))
    assert [who(sessions, second) for second in (0, 1, 19, 20, 21)] == [None, A, A, None, None]


def test_an_address_that_is_used_again() -> None:
    sessions = heard(said(1), said(20, Status.STOP), said(30, msisdn=B), said(40, Status.STOP, B), said(50))
    asked = {second: who(sessions, second) for second in (5, 25, 35, 45, 55)}
    assert asked == {5: A, 25: None, 35: B, 45: None, 55: A}


def test_a_start_ends_the_session_before() -> None:
    sessions = heard(said(1), said(30, msisdn=B))
    assert [who(sessions, second) for second in (29, 30)] == [A, B]


def test_a_stop_of_the_session_before_comes_late() -> None:
    sessions = heard(said(1), said(30, msisdn=B), said(31, Status.STOP))
    assert [who(sessions, second) for second in (29, 32)] == [A, B]


def test_a_stop_overtakes_the_start_or_an_interim_update() -> None:
    assert who(heard(said(1), said(20, Status.STOP), said(21, Status.INTERIM)), 22) is None
    assert who(heard(said(5, Status.STOP), said(6)), 7) == A  # nothing was known of it: a Start is believed


def test_a_gateway_that_tried_for_long_speaks_of_the_past() -> None:
    late = said(60, msisdn=B, delay_ns=55 * SECOND)
    assert who(heard(said(10), late), 61) == A
    assert who(heard(said(10), late._replace(delay_ns=2 * SECOND)), 61) == B


def test_an_interim_update_is_enough_and_may_change_the_radio() -> None:
    sessions = heard(said(5, Status.INTERIM), said(50, Status.INTERIM, rat="wlan"))
    at = [sessions.holder(ADDRESS, second * SECOND) for second in (10, 60)]
    assert [holder and holder.rat for holder in at] == ["utran", "wlan"]


def test_what_an_update_leaves_out_stays_known() -> None:
    sessions = heard(said(5), said(50, Status.INTERIM, rat="", apn="", imsi=""))
    holder = sessions.holder(ADDRESS, 60 * SECOND)
    assert holder is not None
    assert (holder.rat, holder.apn, holder.imsi) == ("utran", "mobile.operator.example", "001010000000123")


def test_sessions_without_a_name_are_told_apart_by_their_subscriber() -> None:
    sessions = heard(said(1, session=b""), said(10, Status.STOP, B, session=b""))
    assert who(sessions, 11) == A
    sessions.feed(said(12, Status.STOP, session=b""))
    assert who(sessions, 13) is None


@pytest.mark.parametrize("status", [Status.ON, Status.OFF])
def test_a_gateway_that_restarts_has_no_sessions(status: Status) -> None:
    other = said(1, addresses=(OTHER_ADDRESS,), nas=b"other")
    sessions = heard(said(1), other, said(20, status, addresses=()))
    assert [who(sessions, second) for second in (19, 20, 21)] == [A, None, None]
    assert who(sessions, 21, OTHER_ADDRESS) == A
    sessions.feed(said(30))
    assert [who(sessions, second) for second in (29, 31)] == [None, A]


def test_a_session_unheard_of_for_long_is_over() -> None:
    sessions = heard(said(0), said(50, addresses=(OTHER_ADDRESS,)), longest=60 * SECOND)
    assert [who(sessions, second) for second in (60, 61)] == [A, None]
    sessions.feed(said(100, Status.INTERIM))
    assert [who(sessions, second) for second in (60, 61, 100)] == [A, None, A]  # the past does not change


def test_a_feed_that_fell_silent_is_not_believed() -> None:
    sessions = heard(said(0), silence=SILENCE)
    assert [who(sessions, second) for second in (600, 601)] == [A, None]
    sessions.feed(said(900, addresses=(OTHER_ADDRESS,)))
    assert [who(sessions, second) for second in (600, 700, 901)] == [A, None, A]


def test_when_the_table_is_full_the_one_unheard_of_for_longest_goes() -> None:
    def address(number: int) -> bytes:
        return bytes([100, 64]) + number.to_bytes(2, "big")

    sessions = Sessions(LONGEST, LONGEST, most=100)
    for number in range(300):
        sessions.feed(said(number, msisdn=str(447700900000 + number), addresses=(address(number),)))
    assert (len(sessions), sessions.shed) == (100, 200)
    known = [number for number in range(300) if who(sessions, 300, address(number))]
    assert len(known) == 100
    assert 299 in known
    assert all(who(sessions, 300, address(number)) == str(447700900000 + number) for number in known)


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    sessions = heard(*(said(n, Status.INTERIM, apn=f"apn{n}") for n in range(9)))
    assert sessions.shed > 0
    assert who(sessions, 9) == A


def test_versions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHANGED", 5)
    sessions = Sessions(LONGEST, LONGEST)
    for number in range(50):
        for second, holder in ((1, A), (2, B), (3, A), (4, B), (5, A), (6, B)):
            sessions.feed(said(second, msisdn=holder, addresses=(bytes([100, 64, 2, number]),)))
    assert len(sessions._before) == 5
    assert max(map(len, sessions._before.values())) == module.VERSIONS


def test_memory_of_a_session_is_what_was_promised() -> None:
    sessions = Sessions(LONGEST, LONGEST)
    for number in range(module.CHUNK):
        sessions.feed(said(1, addresses=(number.to_bytes(4, "big"),)))
    assert sessions.octets / len(sessions) < 64


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),  # seconds since the step before
        st.sampled_from([Status.START, Status.INTERIM, Status.STOP]),
        st.sampled_from([A, B, "447700900125"]),
        st.integers(0, 3),  # address
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def test_the_latest_answers_are_those_of_a_dictionary(steps: list[tuple[int, Status, str, int]]) -> None:
    """After each step. Names of sessions are those of subscribers, so the slow model needs but a dictionary."""
    sessions, holders, ended, second = Sessions(LONGEST, LONGEST, most=1000), {}, {}, 0
    for pause, status, subscriber, number in steps:
        second += pause + 1
        address = bytes([100, 64, 0, number])
        sessions.feed(said(second, status, subscriber, addresses=(address,)))
        if status is Status.STOP:
            if holders.get(number) == subscriber:
                del holders[number]
                ended[number] = subscriber
        elif ended.get(number) != subscriber:  # a session that has ended does not begin again under its name
            holders[number] = subscriber
            ended.pop(number, None)
        assert [who(sessions, second, bytes([100, 64, 0, n])) for n in range(4)] == [holders.get(n) for n in range(4)]


@given(STEPS)
def test_an_answer_does_not_change_when_more_is_heard(steps: list[tuple[int, Status, str, int]]) -> None:
    """Of what is asked within the versions that are kept: a replay does not depend on how it is cut into batches."""
    sessions, second, answers = Sessions(LONGEST, LONGEST, most=1000), 0, []
    for pause, status, subscriber, number in steps:
        second += pause + 1
        sessions.feed(said(second, status, subscriber, addresses=(bytes([100, 64, 0, number]),)))
        answers = [*answers[-2:], (second, [who(sessions, second, bytes([100, 64, 0, n])) for n in range(4)])]
        for then, answer in answers:
            assert [who(sessions, then, bytes([100, 64, 0, n])) for n in range(4)] == answer
