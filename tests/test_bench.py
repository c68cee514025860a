from __future__ import annotations

import io
import json
import re
import sys
import zlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import dpkt
import pytest

import monitor
from bench.__main__ import ALONE, OURS, SHARES, Measured, page
from bench.cost import Cost, cost, middle
from bench.reading import by_mmap, by_read
from bench.results import put
from bench.stages import STAGE_OF, Sampler
from bench.traffic import PRESETS, Traffic, Truth, write
from bench.truth import Found, compare, key_file
from monitor.redact import Redactor, load_key
from monitor.verdicts import Number
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
    assert set(SHARES) == set(PRESETS)


def test_a_seed_stands_for_one_capture():
    assert made("2012") == made("2012")
    assert made("2012")[0] != made("2012", seed=2)[0]


@pytest.mark.parametrize("preset", ["2012", "today", "small", "storm"])
def test_the_truth_is_what_the_capture_holds(preset):
    capture, truth = made(preset)
    halves = sent(capture)
    assert truth.requests == truth.requests_captured == sum(len(LINE.findall(half)) for half in halves) > 0
    assert truth.numbered == truth.numbered_captured == sum(len(NUMBER.findall(half)) for half in halves)
    assert len(truth.senders) == truth.numbered
    assert truth.lost_senders == []
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
    file, truth = io.BytesIO(), Truth("lossy", 1)
    Traffic(replace(PRESETS["lossy"], lost=0.1, numbered=0.8), 1).write(file, OCTETS, truth)
    capture = file.getvalue()
    whole = {line for half in sent(capture) for line in LINE.findall(half)}
    assert truth.requests_captured < truth.requests
    assert truth.requests_captured <= len(whole)
    assert len(truth.senders) == truth.numbered_captured < truth.numbered == len(truth.senders + truth.lost_senders)
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


def test_the_middle_is_that_of_each_figure():
    assert middle([Cost(3, 1, 2), Cost(1, 2, 3), Cost(2, 3, 1)]) == Cost(2, 2, 2)


def test_both_ways_of_reading_read_everything(tmp_path):
    (tmp_path / "x").write_bytes(bytes(range(256)) * 5000)
    assert by_read(tmp_path / "x") == by_mmap(tmp_path / "x") == zlib.adler32(bytes(range(256)) * 5000)


@pytest.mark.parametrize(
    ("senders", "lost", "wanted"),
    [
        ([0, 1, 2], [], Found(3, 0, 0)),
        ([0, 1, 2, 2], [], Found(4, 1, 0)),  # two requests of one handset, one of them found
        ([0, 1], [], Found(2, 0, 1)),
        ([0, 1], [2], Found(2, 0, 0)),  # a part of the request was lost, and it was found all the same
        ([0, 1, 2], [3], Found(3, 0, 0)),
    ],
)
def test_what_was_found_is_held_against_what_was_sent(tmp_path, senders, lost, wanted):
    key = key_file(tmp_path)
    redactor, sender = Redactor(load_key(key)), [("100.64.0.1", port, f"44770090000{port}") for port in range(4)]
    rows = [{"type": "verdict", "src": a, "sport": b, "token": redactor.token(Number(c))} for a, b, c in sender[:3]]
    (tmp_path / "rows").write_text("\n".join(map(json.dumps, [*rows, {"type": "summary"}])))
    told = {"senders": [sender[one] for one in senders], "lost_senders": [sender[one] for one in lost]}
    (tmp_path / "truth").write_text(json.dumps(told))
    assert compare(tmp_path / "rows", tmp_path / "truth", key) == wanted


def test_a_section_is_replaced_and_the_others_stay(tmp_path):
    results = tmp_path / "RESULTS.md"
    for section, line in (("speed", "one"), ("live", r"two \1"), ("speed", r"three \g<0>")):
        put(section, [line], results)
    text = results.read_text()
    assert "one" not in text
    assert text.index(r"three \g<0>") < text.index(r"two \1")
    assert text.count("begins") == text.count("ends") == 2


def test_the_page_shows_every_figure():
    truth = {
        "packets": 100_000, "octets": 85_000_000, "planned": 90_000_000, "seed": 1,
        "requests_captured": 41, "numbered_captured": 12,
    }  # fmt: skip
    costs = {
        OURS: [Cost(2.5, 2.0, 60.2)],
        ALONE: [Cost(2.4, 3.0, 50.0), Cost(2.2, 3.4, 52.0)],
        "tcpdump": [Cost(0.25, 1, 10)],
    }  # fmt: skip
    measured = Measured("2012", truth, costs, [2.0], {"engine": 1.5, "judge": 0.5, "http": 0.0}, Found(12, 1, 2), True)
    text = "\n".join(page([measured], Cost(0.2, 0.25, 40), {"read": 0.5, "mmap": 0.4}, runs=3))
    for line in (
        "medians of 3 runs",
        "### 2012 (`bench.traffic 2012 --octets 90000000 --seed 1`)",
        "100,000 packets; 85.0 MB; 41 requests, 12 with a number",
        "| engine alone, 2012, million packets a CPU second | 0.05 | ≥ 2.5 |",
        "| replay, 2012, every number judged, one core, 85 MB, CPU s | 2.30 | ≤ 0.7 at 1 GB |",
        "| peak memory, 2012, MB | 60 | ≤ 100 |",
        "| wall clock on one core : on two, 2012 | 1.60 | ≥ 1.6 |",
        "| start to end on an empty capture, wall s (CPU s) | 0.25 (0.20) | ≤ 0.25 |",
        "| one core and two print the same to the byte | all | all |",
        "| numbers found once, 2012 | 11 of 12, 2 false | all, 0 false |",
        "| engine alone, one core | 2.00 | 0.80 | 0.05 | | | 1 | finds heads |",
        "| tcpdump | 0.25 | 0.10 | 0.40 | 1.00 | 10 | 1 | copies records |",
        "read() into one buffer 0.500 CPU s",
        "mmap 0.400 CPU s (1.25 : 1)",
        "engine 75%, judge 25%.",
    ):
        assert line in text
