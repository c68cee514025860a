from __future__ import annotations

import io
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import dpkt
import pytest

import monitor
from bench.__main__ import PRESETS as MEASURED_PRESETS
from bench.__main__ import Cost, Measured, cost, medians, page
from bench.stages import STAGE_OF, Sampler
from bench.traffic import PRESETS, Traffic, Truth, write
from pcaps.talk import internet_checksum

OCTETS = 600_000
LINE = re.compile(rb"(?:GET|POST) \S+\?r=[0-9a-f]+ HTTP/1\.1\r\n")
NUMBER = re.compile(rb"(?i)(?:msisdn|calling-line-id): 447700900\d{3}\r\n")


def made(preset: str, seed: int = 1) -> tuple[bytes, Truth]:
    file, truth = io.BytesIO(), Truth(preset, seed)
    Traffic(PRESETS[preset], seed).write(file, OCTETS, truth)
    return file.getvalue(), truth


def packets(capture: bytes) -> list[tuple[float, dpkt.ip.IP | dpkt.ip6.IP6]]:
    return [(time, dpkt.ethernet.Ethernet(frame).data) for time, frame in dpkt.pcap.Reader(io.BytesIO(capture))]


def sent(capture: bytes) -> list[bytes]:
    """The payload of each half of each TCP connection, in order of capture."""
    halves: dict[tuple, bytearray] = defaultdict(bytearray)
    for _, packet in packets(capture):
        if isinstance(packet.data, dpkt.tcp.TCP):
            segment = packet.data
            halves[packet.src, segment.sport, packet.dst, segment.dport] += segment.data
    return [bytes(half) for half in halves.values()]


def test_every_measured_preset_exists():
    assert set(MEASURED_PRESETS) == set(PRESETS)


def test_a_seed_stands_for_one_capture():
    assert made("2012") == made("2012")
    assert made("2012")[0] != made("2012", seed=2)[0]


@pytest.mark.parametrize("preset", ["2012", "today", "small"])
def test_the_truth_is_what_the_capture_holds(preset):
    capture, truth = made(preset)
    halves = sent(capture)
    assert truth.requests == truth.requests_captured == sum(len(LINE.findall(half)) for half in halves) > 0
    assert truth.numbered == truth.numbered_captured == sum(len(NUMBER.findall(half)) for half in halves)
    assert truth.packets == len(packets(capture))
    assert truth.octets == len(capture)
    assert 0.5 * OCTETS < len(capture) < 2 * OCTETS


def test_times_ascend_and_checksums_are_right():
    last = 0.0
    for time, packet in packets(made("small")[0]):
        assert time >= last
        last = time
        if isinstance(packet, dpkt.ip6.IP6):
            pseudo = packet.src + packet.dst + packet.plen.to_bytes(4, "big") + b"\0\0\0\6"
        else:
            assert internet_checksum(packet.pack_hdr()) == 0
            pseudo = packet.src + packet.dst + b"\0\6" + (packet.len - 20).to_bytes(2, "big")
        assert internet_checksum(pseudo + bytes(packet.data)) == 0


def test_gtpu_is_tunnelled_in_both_directions():
    tunnels = set()
    for _, packet in packets(made("gtpu")[0]):
        payload = bytes(packet.data.data)
        assert (packet.data.sport, packet.data.dport, payload[:2]) == (2152, 2152, b"\x30\xff")
        assert len(payload) == 8 + int.from_bytes(payload[2:4], "big")
        inner = dpkt.ip.IP(payload[8:])
        tunnels.add((inner.data.dport in (80, 8080, 3128, 8000, 443), packet.src[-1] != 254))
    assert tunnels == {(True, True), (False, False)}


def test_lossy_says_which_requests_are_whole():
    capture, truth = made("lossy")
    whole = {line for half in sent(capture) for line in LINE.findall(half)}
    assert truth.requests_captured < truth.requests
    assert truth.requests_captured <= len(whole)
    assert truth.packets == len(packets(capture))


def test_the_truth_lies_beside_the_capture(tmp_path):
    truth = write("2012", tmp_path / "x.pcap", OCTETS)
    assert json.loads((tmp_path / "x.json").read_text())["requests"] == truth.requests
    assert (tmp_path / "x.pcap").stat().st_size == truth.octets


FOLDER = Path(monitor.__file__).parent


def test_every_stage_is_there():
    there = {path.stem for path in (*FOLDER.glob("*"), *(FOLDER / "portable").glob("*"))}
    assert STAGE_OF.keys() <= there


@pytest.mark.parametrize(
    ("modules", "stage"),
    [
        (("portable/engine", "portable/decode", "portable/tunnels"), "decode"),
        (("portable/engine", "portable/stream", "portable/http1", "portable/reading"), "http"),
        (("pipeline", "identify/forms", "identify/numbers"), "identify"),
        (("pipeline", "judge", "agreements/book"), "judge"),
    ],
)
def test_the_sampler_gives_time_to_the_stage_at_work(modules, stage):
    run, scope = compile("for _ in range(2_000_000): pass", FOLDER / f"{modules[-1]}.py", "exec"), {}
    for module in reversed(modules[:-1]):
        scope = {"inner": run, "scope": scope}
        run = compile("exec(inner, scope)", FOLDER / f"{module}.py", "exec")
    with Sampler() as sampler:
        exec(run, scope)
    assert max(sampler.seconds, key=sampler.seconds.__getitem__) == stage


def test_a_command_is_charged_for_what_it_spends(tmp_path):
    assert cost([sys.executable, "-c", "x = b'1' * 50_000_000; print(sum(x))"], tmp_path / "out").peak_mb > 50
    assert (tmp_path / "out").read_text() == "2450000000\n"
    with pytest.raises(SystemExit, match="ended with 3"):
        cost([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "out")


def test_medians_keep_the_shape():
    said = [{"cpu_s": value, "stages": {"decode": value}} for value in (3, 1, 2)]
    assert medians(said) == {"cpu_s": 2, "stages": {"decode": 2}}


def test_the_page_shows_every_figure():
    engine = {"cpu_s": 2.0, "packets": 100_000, "requests": 40, "passed": 30, "stages": {"decode": 1.5, "judge": 0.5}}
    truth = {"requests_captured": 41, "numbered_captured": 12}
    costs = {"msisdn-monitor replay, portable": Cost(2.5, 60.2), "tcpdump": Cost(0.25, 10.0)}
    text = "\n".join(page([Measured("2012", 85_000_000, truth, costs, {"portable": engine})], runs=3))
    for line in (
        "Medians of 3 runs.",
        "100,000 packets; 85.0 MB; 41 requests, 12 with a number; portable read 40 requests",
        "| engine portable | 2.00 | 50,000 | 0.80 |  | alone; passes 30 heads |",
        "| msisdn-monitor replay, portable | 2.50 | 40,000 | 1.00 | 60 | everything, every number judged |",
        "| tcpdump | 0.25 | 400,000 | 0.10 | 10 | copies records |",
        "| decode | 75.0% | 15.00 |",
        "| judge | 25.0% | 5.00 |",
    ):
        assert line in text
