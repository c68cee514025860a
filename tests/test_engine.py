"""The two engines against each other: whatever the traffic, they must say the same to the byte."""

from __future__ import annotations

import gzip
import os
import random
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import counts
from monitor.engine import Preference, native_is_here, open_engine
from monitor.errors import EngineError
from monitor.identify import Identify
from monitor.records import Batch, CaptureFiles, Limits, RequestHead, Watch
from monitor.verdicts import Identifier, NumberPlan
from pcaps.recipe import FOLDER, get
from pcaps.talk import ETHERNET, Packet, Talk, ethernet, pcap
from tests import laws
from tests.heads import CLEAN, LEAK, head

SAMPLES = sorted(path for path in FOLDER.glob("*.pcap") if path.stat().st_size < 20_000)
LAST_NS = (2**32 - 1) * 10**9  # that a classic capture can hold
both = pytest.mark.skipif(not native_is_here(), reason="the native engine is not in this installation")


EVERY_HEAD = Watch(every_head=True)


def run(
    engine: Preference, *paths: Path | str, limits: Limits | None = None, watch: Watch = EVERY_HEAD, workers: int = 1
) -> tuple[list[RequestHead], Batch]:
    opened = open_engine(CaptureFiles(tuple(map(str, paths)), workers), watch, limits, engine)
    heads: list[RequestHead] = []
    try:
        while True:
            batch = opened.poll(1)
            heads += batch.heads
            if batch.done:
                laws.hold(heads, batch)
                return heads, batch
    finally:
        opened.close()


def agree(*paths: Path | str, limits: Limits | None = None) -> tuple[list[RequestHead], Batch]:
    """What both engines say, the native one with one thread and with two."""
    heads, batch = run("portable", *paths, limits=limits)
    for workers in (1, 2):
        native_heads, native_batch = run("native", *paths, limits=limits, workers=workers)
        assert native_heads == heads
        assert native_batch.counts == batch.counts
        assert native_batch.faults == batch.faults
        assert (native_batch.time_ns, native_batch.bytes_read) == (batch.time_ns, batch.bytes_read)
    return heads, batch


NUMBERS = ("447700900123", "+44 7700 900123", "07700900123", "7700900123", "001010123456789", "321009007744")
CODED = ("683d0d991b", "NDQ3NzAwOTAwMTIz", "343437373030393030313233", "40ce120a3509087f921cad996518742a")
CLEAN_VALUES = (
    "GA1.2.770090012.1326153600", "4477009001234567", "2012-01-10 12:30", "a=1&b=2", "MTIzNDU2Nzg5MDEy",
    "MTIzNDU2Nzg5MDEyMzQ1", "313233343536373839303132",
)  # fmt: skip
IMEIS = (
    "490154203237518",
    "49-015420-323751-8",
    "imei=490154203237518",
    "I.M-E_I:490154203237518",
    "%69mei=49015420323%37518",
)
FIELDS = [
    "X-Odd",
    "X-Imei-No",
    "Im%65ei-No",
    "X-Device",
    "Cookie",
    "Referer",
    "X-Up-Calling-Line-Id",
    "490154203237518-Imei",
]


@pytest.mark.parametrize("engine", ["portable", pytest.param("native", marks=both)])
def test_identify_finds_in_sieved_heads_what_it_finds_in_whole_ones(engine: Preference, tmp_path):
    dice = random.Random(6)

    def text() -> str:
        plain = dice.choice(dice.choice((NUMBERS, CODED, CLEAN_VALUES, CLEAN_VALUES, IMEIS, IMEIS)))
        quoted = "".join(f"%{ord(each):02X}" if dice.random() < 0.2 else each for each in plain)
        return dice.choice(("", "id=", "msisdn=", "x;imei=", "a,")) + dice.choice((plain, quoted, quoted))

    requests = []
    for _ in range(1500):
        fields = (f"{dice.choice(FIELDS)}: {text()}".encode() for _ in range(dice.randrange(3)))
        target = "/?" + text().replace(" ", "+") if dice.random() < 0.3 else "/"
        requests.append(get(*fields, target=target.encode()))
    path = tmp_path / "any.pcap"
    path.write_bytes(pcap(Talk().open().client(b"".join(requests)).close().frames))
    identify = Identify(NumberPlan("44", "0", "00", (("447700900000", "447700900999"),), ("00101",)))
    (whole, _), (sieved, batch) = run(engine, path), run(engine, path, watch=identify.watch())
    assert len(whole) == 1500 == len(sieved) + batch.counts["clean_heads"]
    assert batch.counts["clean_heads"] > 200
    assert {head.target_is_clean for head in sieved} == {True, False}
    shown = [[one._replace(head=whole[0]) for one in identify.feed(head)] for head in whole]
    sieved_shown = [[one._replace(head=whole[0]) for one in identify.feed(head)] for head in sieved]
    assert list(filter(None, sieved_shown)) == list(filter(None, shown))
    assert {one.identifier for each in shown for one in each} == set(Identifier)


def frames_of(path: Path) -> list[Packet]:
    """The frames of a sample, for those that are classic captures of Ethernet."""
    octets = path.read_bytes()
    frames, at = [], 24
    if octets[:4] != b"\xd4\xc3\xb2\xa1" or octets[20] != ETHERNET:
        return []
    while at + 16 <= len(octets):
        seconds, micros, kept = (int.from_bytes(octets[at + i : at + i + 4], "little") for i in (0, 4, 8))
        frames.append((seconds * 10**9 + micros * 1000, octets[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return frames


def disturbed(frames: list[Packet], chance: random.Random) -> list[Packet]:
    """Frames as a bad mirror or an attacker would bring them: lost, doubled, out of order, damaged, cut, late."""
    rate = chance.choice((0.02, 0.1, 0.3))
    found: list[Packet] = []
    for sent_ns, frame in frames:
        time_ns = sent_ns
        odd = chance.random() < rate
        what = chance.randrange(7) if odd else None
        octets = bytearray(frame)
        if what == 0:
            continue
        if what == 1:
            found.append((time_ns, frame))
        elif what == 2:
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        elif what == 3:
            del octets[chance.randrange(len(octets)) :]
        elif what == 4:
            at = chance.randrange(14, len(octets) + 1)
            octets[at:at] = chance.choice((b"\r\n", b"\n", b" ", b"\0", b"GET / HTTP/1.1\r\n", b"0\r\n\r\n"))
        elif what == 5:
            time_ns += chance.choice((-1, 1)) * chance.choice((10**6, 10**8, 10**10, 10**13))
            time_ns = min(max(time_ns, 0), LAST_NS)
        place = len(found) - chance.randrange(4) if what == 6 and found else len(found)
        found.insert(max(0, place), (time_ns, bytes(octets)))
    return found


@both
def test_both_count_by_the_same_keys() -> None:
    _, batch = run("native", FOLDER / "o2-2012.pcap")
    assert batch.counts.keys() == counts.BY_KEY.keys()


@both
@settings(
    max_examples=int(os.environ.get("ENGINE_EXAMPLES", "60")),
    deadline=None,
    derandomize="ENGINE_EXAMPLES" not in os.environ,
)
@given(seed=st.integers(0, 2**32), together=st.integers(1, 4))
def test_any_disturbed_traffic_is_read_alike(
    tmp_path_factory: pytest.TempPathFactory, seed: int, together: int
) -> None:
    chance = random.Random(seed)
    frames = [frame for path in chance.sample(SAMPLES, together) for frame in frames_of(path)]
    if chance.random() < 0.3:
        frames.sort(key=lambda frame: frame[0])  # the connections of several samples at once
    path = tmp_path_factory.mktemp("disturbed") / "a.pcap"
    path.write_bytes(pcap(disturbed(frames, chance), snap=chance.choice((262144, 262144, 90, 300))))
    small = Limits(
        head_bytes=chance.choice((400, 262144)),
        half_streams=chance.choice((3, 1_000_000)),
        memory_bytes=chance.choice((5000, 1 << 29)),
        hold_bytes=chance.choice((2000, 1 << 26)),
        fragments_bytes=chance.choice((500, 1 << 25)),
    )
    agree(path, limits=chance.choice((None, small)))


@both
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=200), at=st.integers(0, 400))
def test_damaged_files_are_faulted_alike(tmp_path: Path, octets: bytes, at: int) -> None:
    whole = pcap(Talk().open().client(LEAK).frames)
    for name, damaged in (("cut", whole[:at]), ("odd", whole[:at] + octets), ("noise", octets)):
        (tmp_path / name).write_bytes(damaged)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(damaged)[: max(12, at)])
        agree(tmp_path / name)
        agree(tmp_path / f"{name}.gz")


@both
def test_a_connection_goes_on_in_the_next_file_whatever_it_is_packed_in(tmp_path: Path) -> None:
    frames = Talk(mss=20).open().client(LEAK).client(CLEAN).close().frames
    (tmp_path / "a.pcap").write_bytes(pcap(frames[:6]))
    (tmp_path / "b.pcap.gz").write_bytes(gzip.compress(pcap(frames[6:], order=">")))
    heads, _ = agree(tmp_path)
    assert len(heads) == 2


@both
def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    octets = pcap(Talk().open().client(LEAK).close().frames)
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            for at in range(0, len(octets), 100):
                pipe.write(octets[at : at + 100])

    writer = threading.Thread(target=write)
    writer.start()
    heads, batch = run("native", tmp_path / "pipe")
    writer.join()
    assert (len(heads), batch.bytes_read, batch.faults) == (1, len(octets), ())


@both
def test_only_what_somebody_will_look_at_crosses_into_python(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(Talk().open().client(LEAK).close().frames))
    (head,), _ = run("native", path, watch=Watch(rows=((b"7700900", 3),)))
    assert [name for name, _ in head.fields] == [b"host", b"x-msisdn"]


@both
def test_what_came_before_is_not_taken_for_its_like(tmp_path: Path) -> None:
    """The native engine remembers fields, words and connections that come again."""
    talk = Talk().open()
    for lines in ((b"ab: c", b"a: bc"), (b"a: bc", b"ab: c", b"abc:"), (b"a: bc", b"a: bc")):
        talk.client(head(*lines))
    path = tmp_path / "alike.pcap"
    path.write_bytes(pcap(talk.close().frames))
    heads, _ = agree(path)
    assert [head.fields[1:] for head in heads] == [
        ((b"ab", b"c"), (b"a", b"bc")),
        ((b"a", b"bc"), (b"ab", b"c"), (b"abc", b"")),
        ((b"a", b"bc"), (b"a", b"bc")),
    ]


@both
def test_an_empty_first_fragment_hides_no_protocol(tmp_path: Path) -> None:
    """RFC 8200 section 4.5: the first fragment names it, and here there are two of them."""
    talk = Talk(src="2001:db8:1::2", dst="2001:db8:2::9").open().client(LEAK)
    sent_ns, packet = talk.packets[3]
    addresses, octets = packet[8:40], packet[40:]

    def fragment(protocol: int, offset: int, data: bytes, *, more: bool) -> Packet:
        data = struct.pack("!BBHI", protocol, 0, offset | more, 7) + data
        return sent_ns, struct.pack("!IHBB", 0x60000000, len(data), 44, 64) + addresses + data

    for empty in (0, 1):
        parts = [fragment(6, 0, octets[:32], more=True), fragment(6, 32, octets[32:], more=False)]
        parts.insert(empty, fragment(17, 0, b"", more=True))
        path = tmp_path / "a.pcap"
        path.write_bytes(pcap((at, ethernet(each)) for at, each in [*talk.packets[:3], *parts, *talk.packets[4:]]))
        heads, batch = agree(path)
        assert (len(heads), batch.counts["second_readings"]) == (1, 1)


def test_native_means_that_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.engine.native_is_here", lambda: False)
    with pytest.raises(EngineError, match="engine native is not in this installation; install Rust"):
        open_engine(CaptureFiles(()), Watch(), prefer="native")
    assert open_engine(CaptureFiles(()), Watch()).name == "portable"


@both
def test_native_serves_where_it_is() -> None:
    assert open_engine(CaptureFiles(()), Watch()).name == "native"
