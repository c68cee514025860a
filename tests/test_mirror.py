"""What a look at a mirror port sees, and what an operator is told to change."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from monitor import mirror
from monitor.portable.survey import Surveyor
from monitor.records import Frame, Survey
from pcaps.talk import ACK, PSH, Talk, ethernet, ip, tcp

TIME_NS = 1_700_000_000_000_000_000
REQUEST = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)


def surveyed(frames: Iterable[bytes], mtu: int = 1500, link: int = 1) -> Survey:
    surveyor = Surveyor("eth1", mtu)
    for number, octets in enumerate(frames):
        surveyor.feed(Frame(TIME_NS + number * 1_000_000, link, len(octets), octets))
    survey = surveyor.finish()
    survey.frames, survey.seconds = survey.looked_at, 1.0
    return survey


def talk(number: int = 0, payload: bytes = REQUEST, *, answered: bool = True) -> list[bytes]:
    told = Talk(sport=20_000 + number)
    told.client(payload, acknowledged=answered)
    return [frame for _, frame in told.frames]


def told(survey: Survey, mark: str = mirror.CHANGE) -> str:
    return "\n".join(text for found, text in mirror.lines(survey) if found == mark)


def test_a_good_mirror_needs_no_change() -> None:
    survey = surveyed([frame for number in range(10) for frame in talk(number)])
    assert told(survey) == ""
    assert (survey.connections, survey.both_ways, survey.copies) == (10, 10, 0)
    assert "100% of 10 connections are seen in both directions" in told(survey, mirror.OK)
    assert "nothing was lost on the way" in told(survey, mirror.OK)


def test_a_silent_port_asks_for_the_mirror_session() -> None:
    assert "nothing arrived: is the mirror session on" in told(surveyed([]))


def test_a_port_of_its_own_is_no_mirror() -> None:
    survey = surveyed([ethernet(ip("192.0.2.1", "192.0.2.2", 17, bytes(20)))] * 200)
    assert "only 0% of the frames hold TCP" in told(survey)


def test_one_direction_alone_is_said_with_the_command() -> None:
    survey = surveyed([frame for number in range(10) for frame in talk(number, answered=False)])
    assert "0% of 10 connections are seen in both directions" in told(survey)
    assert "monitor session 1 source interface PORT both" in told(survey)


@pytest.mark.parametrize("gap", [1, 3])
def test_copies_are_told_from_retransmissions_by_how_soon_they_come(gap: int) -> None:
    once = [frame for number in range(10) for frame in talk(number)]
    soon = surveyed([frame for frame in once for _ in range(gap + 1)])
    assert soon.copies == 10 * gap  # the acknowledgements have no payload, and are no copies
    late = Surveyor("eth1", 1500)
    for number, octets in enumerate([*once, *once]):
        late.feed(Frame(TIME_NS + number * 10_000_000, 1, len(octets), octets))
    assert late.finish().copies == 0


def test_a_mirror_that_doubles_is_told_to_take_one_side() -> None:
    survey = surveyed([frame for number in range(10) for frame in talk(number) for _ in range(2)])
    assert "50% of the segments with payload come twice" in told(survey)
    assert "monitor session 1 source interface PORT rx" in told(survey)


def test_tags_and_tunnels_are_named() -> None:
    frames = [frame[:12] + b"\x88\xa8\x00\x64\x81\x00\x00\x07" + frame[12:] for frame in talk()]
    teid = b"\x30\xff" + len(frames[0][22:]).to_bytes(2, "big") + b"\0\0\x10\x01" + frames[0][22:]
    gtpu = b"\x08\x68\x08\x68" + (8 + len(teid)).to_bytes(2, "big") + b"\0\0" + teid
    survey = surveyed([*frames, ethernet(ip("192.0.2.1", "192.0.2.2", 17, gtpu))])
    assert (survey.vlans, survey.stacked_tags, survey.tunnels) == ({100: 2}, 2, {"gtpu": 1})
    assert "VLANs: 100 67%; two or more tags on 67%" in told(survey, mirror.OK)
    assert "tunnels: gtpu 33%" in told(survey, mirror.OK)


def test_a_frame_of_pppoe_is_one_whatever_it_holds() -> None:
    packets = [talk()[0][14:], ip("192.0.2.1", "192.0.2.2", 17, bytes(20))]
    header = b"\x88\x64\x11\0\0\x01"  # RFC 2516 section 4
    frames = [ethernet(each)[:12] + header + (len(each) + 2).to_bytes(2, "big") + b"\0\x21" + each for each in packets]
    assert surveyed(frames).tunnels == {"pppoe": 2}


def test_what_is_tls_is_said_by_octets() -> None:
    survey = surveyed([*talk(1, REQUEST), *talk(2, HELLO), *talk(2, bytes(len(REQUEST)))])
    assert survey.kinds == {"http": len(REQUEST), "tls": len(HELLO) + len(REQUEST)}
    assert "payload: tls 80%, http 20%" in told(survey, mirror.OK)


def test_frames_that_were_put_together_are_said_with_the_command() -> None:
    frames = talk(0, REQUEST + bytes(4000))
    big, answer = (frame for _, frame in Talk(mss=9000).client(REQUEST + bytes(4000)).frames)
    survey = surveyed([*frames, big, big[:16] + b"\0\0" + big[18:]])
    assert (survey.giants, survey.lengthless) == (2, 1)
    assert "ethtool -K eth1 gro off lro off" in told(survey)
    assert told(surveyed([big, answer], mtu=9000)) == ""


def test_checksums_that_a_card_was_to_fill_in() -> None:
    bad = [
        ethernet(tcp("100.64.1.2", 40000 + n, "203.0.113.9", 80, 1, 1, PSH | ACK, REQUEST, bad_checksum=True))
        for n in range(5)
    ]
    assert "100% of the TCP checksums are wrong" in told(surveyed(bad))
    assert "ethtool -K PORT tx off" in told(surveyed(bad))


@pytest.mark.parametrize(
    ("key", "remedy"),
    [("nic_drops", "ethtool -G eth1 rx 4096"), ("softnet_drops", "sysctl -w net.core.netdev_max_backlog=10000")],
)
def test_what_was_lost_is_said_with_the_command(key: str, remedy: str) -> None:
    survey = surveyed(talk())
    survey.counts[key] = 7
    assert remedy in told(survey)
    assert "lost 7 frames" in told(survey)
