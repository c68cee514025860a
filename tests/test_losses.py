"""The loss that the sensor estimates, against the truth: what of all bytes that both ends sent no frame brought."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.counts import loss_ratio, zeros
from monitor.engine import Preference
from monitor.portable.losses import HOLES_BYTES, MOST_HOLES, Sent
from monitor.records import Segment
from pcaps.talk import ACK, PSH, Packet, Talk, pcap
from tests.connections import OK, begun, read, segments
from tests.heads import CLEAN, LEAK
from tests.test_engine import run

SECOND = 10**9
NOON_NS = 1_700_000_000 * SECOND
UPLOAD = b"POST /up HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9000\r\n\r\n" + bytes(9000)
HELLO = b"\x16\x03\x01\x02\x00" + bytes(512)


def talk(number: int, chance: random.Random) -> list[Packet]:
    """One of many connections: page after page, or a download, or TLS; what was lost before the tap comes again."""
    said = Talk(sport=10_000 + number, time_ns=NOON_NS + number * 7_000_000, seq=chance.randrange(2**32))
    said.open()
    for _ in range(chance.choice((1, 1, 4, 9))):
        kind = chance.random()
        if kind < 0.6:
            said.client(chance.choice((LEAK, CLEAN))).server(OK * chance.choice((1, 3, 200)))
        elif kind < 0.7:
            said.client(UPLOAD).server(OK)
        elif number % 2:
            said.client(HELLO).server(bytes(chance.choice((100, 3000, 20_000))))
        if chance.random() < 0.2:  # lost before the tap: TCP sends it again, behind what follows
            again = said.seq
            said.lose(CLEAN).client(CLEAN, acknowledged=False)
            said.segment(PSH | ACK, CLEAN, seq=again)
            said.segment(ACK, client=False)
            said.server(OK * 2)
    if chance.random() < 0.8:
        said.close()
    return said.frames


def traffic(seed: int, talks: int = max(250, int(os.environ.get("TALKS", "0")))) -> list[Packet]:
    chance = random.Random(seed)
    return sorted(frame for number in range(talks) for frame in talk(number, chance))


def texts(frames: list[Packet]) -> dict[tuple[bytes, bytes], int]:
    """The text of each segment once (IPv4 without options): flow and sequence number -> bytes."""
    sizes = ((octets, int.from_bytes(octets[16:18], "big") - 40) for _, octets in frames)
    return {(octets[26:38], octets[38:42]): size for octets, size in sizes if size}


def truth(sent: list[Packet], kept: list[Packet]) -> float:
    """Share of the bytes of all segments that no kept frame brought."""
    everything, seen = texts(sent), texts(kept)
    return sum(size for text, size in everything.items() if text not in seen) / sum(everything.values())


def as_sent(frames: list[Packet], _: random.Random) -> list[Packet]:
    return frames


def mirrored_twice(frames: list[Packet], _: random.Random) -> list[Packet]:
    return [frame for frame in frames for _ in range(2)]


def out_of_order(frames: list[Packet], chance: random.Random) -> list[Packet]:
    places = sorted(range(len(frames)), key=lambda at: at + chance.uniform(0, 4))
    return [(frames[at][0], frames[place][1]) for at, place in enumerate(places)]


def one_side(frames: list[Packet], *, clients: bool) -> list[Packet]:
    return [frame for frame in frames if (frame[1][36:38] == b"\0\x50") == clients]


BROUGHT = {
    "as sent": as_sent,
    "mirrored twice": mirrored_twice,
    "out of order": out_of_order,
    "clients alone": lambda frames, _: one_side(frames, clients=True),
    "servers alone": lambda frames, _: one_side(frames, clients=False),
}


@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_the_estimate_is_within_a_fifth_of_the_truth(
    rate: float, brought: str, engine_name: Preference, tmp_path: Path
) -> None:
    chance = random.Random(f"{rate} {brought}")
    sent = BROUGHT[brought](traffic(5), chance)
    kept = [frame for frame in sent if chance.random() >= rate]
    (tmp_path / "lossy.pcap").write_bytes(pcap(kept))
    _, batch = run(engine_name, tmp_path / "lossy.pcap")
    assert loss_ratio(batch.counts) == pytest.approx(truth(sent, kept), rel=0.2)


@pytest.mark.parametrize("brought", BROUGHT)
def test_nothing_is_lost_where_nothing_is(brought: str, engine_name: Preference, tmp_path: Path) -> None:
    (tmp_path / "whole.pcap").write_bytes(pcap(BROUGHT[brought](traffic(6, 60), random.Random(1))))
    _, batch = run(engine_name, tmp_path / "whole.pcap")
    assert batch.counts["unseen_bytes"] == batch.counts["late_bytes"]
    assert loss_ratio(batch.counts) == 0


# --- one half-stream ------------------------------------------------------------------------------------------------

LATEST = 2**32 - 300  # numbers wrap soon behind it


@given(st.lists(st.tuples(st.integers(-200, 400), st.integers(0, 60)), min_size=1, max_size=40))
def test_what_is_lost_is_what_a_map_of_all_bytes_lacks(placed: list[tuple[int, int]]) -> None:
    """As long as not more holes are open at once than are remembered."""
    counts, seen, end = zeros(), set[int](), 0
    sent = Sent(LATEST)
    for place, size in placed:
        fresh = sent.take(LATEST + place & 0xFFFFFFFF, size, counts)
        new = {at for at in range(place, place + size) if at >= 0} - seen
        seen |= new
        end = max(end, place + size)
        holes = sum(at not in seen and (at == 0 or at - 1 in seen) for at in range(end))
        if holes > MOST_HOLES:
            return
        assert fresh == len(new)
        assert counts["sent_bytes"] == end
        assert counts["unseen_bytes"] - counts["late_bytes"] == end - len(seen)


def test_of_more_holes_than_are_remembered_the_oldest_are_lost_for_good() -> None:
    counts, sent = zeros(), Sent(0)
    for number in range(MOST_HOLES + 1):
        sent.take(number * 20 + 10, 10, counts)
    for number in range(MOST_HOLES + 1):
        sent.take(number * 20, 10, counts)
    assert counts["unseen_bytes"] - counts["late_bytes"] == 10


def test_a_segment_far_away_is_no_loss_before_another_one_follows_on_it() -> None:
    counts, sent = zeros(), Sent(0)
    sent.take(0, 100, counts)
    sent.take(5_000_000, 100, counts)
    sent.take(100, 100, counts)
    assert (counts["sent_bytes"], counts["unseen_bytes"]) == (200, 0)
    sent.take(5_000_000, 100, counts)
    sent.take(5_000_100, 100, counts)
    assert (counts["sent_bytes"], counts["unseen_bytes"]) == (5_000_200, 4_999_800)
    sent.take(3_000_000_000, 100, counts)  # other sequence numbers: a connection whose SYN was not seen
    sent.take(3_000_000_100, 100, counts)
    assert (counts["sent_bytes"], counts["unseen_bytes"]) == (5_000_400, 4_999_800)


def test_what_only_an_acknowledgement_or_a_fin_tells_of() -> None:
    whole = read(segments(begun().client(LEAK).server(OK).close())).counts
    assert whole["unseen_bytes"] == 0
    for told in (
        begun().lose(LEAK).server(OK),  # the last one, acknowledged by what answers it
        begun().lose(LEAK).close(),  # by its FIN
        Talk().open().lose(LEAK).server(OK).close(),  # the only one
    ):
        counts = read(segments(told)).counts
        assert (counts["unseen_bytes"], counts["late_bytes"]) == (len(LEAK), 0)


def test_a_fin_that_comes_before_the_only_text_is_no_loss() -> None:
    talk = Talk().open().client(LEAK, acknowledged=False).close()
    talk.packets.insert(4, talk.packets.pop(3))
    counts = read(segments(talk)).counts
    assert counts["unseen_bytes"] == counts["late_bytes"] == len(LEAK)
    assert (counts["sent_bytes"], counts["requests"]) == (len(LEAK), 1)


def test_probes_and_ports_that_are_used_again_are_no_loss() -> None:
    talk = begun()
    talk.segment(ACK, b"\0", seq=talk.seq - 1)  # keep-alive
    talk.segment(ACK, client=False)
    talk.close()
    talk.seq += 500_000
    talk.ack += 500_000
    talk.open().client(LEAK).server(OK).close()
    assert read(segments(talk)).counts["unseen_bytes"] == 0


def test_holes_take_memory_of_the_budget() -> None:
    """Half-streams that something is missing of weigh more, so fewer of them fit."""

    def pieces(seq: int) -> list[Segment]:
        talks = [Talk(sport=port, seq=1) for port in range(2000, 2030)]
        for talk in talks:
            talk.segment(PSH | ACK, b"\x16\x03", seq=1)
        for talk in talks:
            talk.segment(PSH | ACK, b"\x16\x03", seq=seq)
        return segments(Talk(packets=sorted(packet for talk in talks for packet in talk.packets)))

    limit = 30 * 160 + 20 * HOLES_BYTES
    assert read(pieces(3), memory_bytes=limit).counts["shed.memory"] == 0
    assert read(pieces(5), memory_bytes=limit).counts["shed.memory"] > 0
