"""Whatever octets a handset writes as host, target, field name and value, every output can be read back and shows them
harmless: journal, rows of requests, metrics, terminal, log (rows 86 and 87 of hostile and messy traffic)."""

from __future__ import annotations

import io
import json
import os
import random
import re
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from monitor.engine import Preference, open_engine
from monitor.pipeline import Pipeline, Stop, batches
from monitor.records import CaptureFiles, Watch
from monitor.redact import Redactor
from monitor.report.journal import Journal, encode, request_row
from monitor.report.log import Log
from monitor.report.metrics import Exporter, Sensor
from monitor.report.terminal import Findings
from pcaps import golden
from pcaps.recipe import NUMBER
from pcaps.talk import Packet, Talk, pcap

TALKS = int(os.environ.get("TALKS", "150"))
LINE_ENDS = b"\r\n"
CUT = b"@:[]%. \t"  # what host_name reads as no part of a name
NASTY = (
    b'"}', b"\\", b"'; --", b"<script>", b"\x1b[2J", b"\x07", b"\x00", b"\x7f", b"\x9b2J", b"{a='b'}", b"#", b"=cmd",
    b"+1", b"\\n", b"[red]", b"\x0b\x0c", b"\x85", b"x" * 3000, b"%0a", b"../../etc", b"a,b;c", b"`id`", b"$(id)",
    b"\xe2\x80\xae",
)  # fmt: skip


def octets(dice: random.Random, without: bytes) -> bytes:
    text = dice.choice(NASTY) if dice.random() < 0.5 else dice.randbytes(dice.randint(1, 30))
    text = dice.choice((b"", b"a")) + text + dice.choice((b"", b"z"))
    return text.translate(None, without) or b"a"


def unescaped(name: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode("ascii"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], Path]:
    dice = random.Random(86)
    hosts: list[bytes] = []
    packets: list[Packet] = []
    for turn in range(TALKS):
        host = octets(dice, LINE_ENDS + CUT + bytes(range(128, 256)))
        target, name, value = octets(dice, LINE_ENDS + b" \t\x0b\x0c"), octets(dice, LINE_ENDS), octets(dice, LINE_ENDS)
        lines = (
            b"GET /" + target + b" HTTP/1.1",
            b"Host: " + host,
            b"X-A" + name + b": " + value,
            b"X-MSISDN: " + NUMBER,
        )
        packets += Talk(sport=30_000 + turn).open().client(b"\r\n".join((*lines, b"", b""))).close().frames
        hosts.append(host)
    capture = tmp_path_factory.mktemp("sinks") / "hostile.pcap"
    capture.write_bytes(pcap(packets))
    return hosts, capture


def test_every_output_reads_back(engine_name: Preference, hostile: tuple[list[bytes], Path]) -> None:
    hosts, capture = hostile
    out, redactor = io.StringIO(), Redactor(golden.KEY)
    journal, findings = Journal(out, redactor), Findings(("3g",), ("o2",))
    with Pipeline(CaptureFiles((str(capture),)), golden.book(), redactor, (journal, findings), engine_name) as pipeline:
        *_, _ = pipeline.batches(Stop())
        registry = CollectorRegistry()
        registry.register(Exporter(pipeline.tallies, Sensor("portable", "00ff", 1.5, 72)))
        page = generate_latest(registry).decode()
        summary = pipeline.summary()
    journal.end(summary)

    lines = out.getvalue().split("\n")[:-1]
    assert all(line.isascii() and line.isprintable() for line in lines)
    rows = [json.loads(line) for line in lines]
    shown = {row["sport"]: row["recipient"] for row in rows if row["type"] == "verdict"}
    for turn, host in enumerate(hosts):
        name = shown[30_000 + turn]
        assert name.isprintable()
        assert unescaped(name) == host.lower() or (len(name) == 253 and name.endswith("...")), host
    assert len(rows) == len(hosts) + 1

    families = list(text_string_to_metric_families(page))
    assert page.replace("\n", "").isprintable()
    assert sum(len(family.samples) for family in families) < 2000
    labels = {text for family in families for sample in family.samples for text in sample.labels.values()}
    assert not any(re.search(r"[^\w.:+/ -]", text) for text in labels)

    paper = io.StringIO()
    console = Console(file=paper, width=120, highlight=False, force_terminal=False)
    for part in findings.parts(summary):
        console.print(part)
    assert paper.getvalue().replace("\n", "").isprintable()


def test_every_row_of_a_request_reads_back(engine_name: Preference, hostile: tuple[list[bytes], Path]) -> None:
    hosts, capture = hostile
    with closing(open_engine(CaptureFiles((str(capture),)), Watch(every_head=True), prefer=engine_name)) as opened:
        heads = [head for batch in batches(opened, Stop()) for head in batch.heads]
    for head in heads:
        line = encode(request_row(head, show_values=True))
        assert line.isascii()
        assert line.isprintable()
        row = json.loads(line)
        assert len(row["fields"]) == len(head.fields)
        assert NUMBER.decode() in line
    assert len(heads) == len(hosts)


def test_a_log_is_one_line_for_each_thing_said(
    hostile: tuple[list[bytes], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    hosts, _ = hostile
    for host in hosts:
        Log().say("WARNING", host.decode("latin-1"))
    log = capsys.readouterr().err
    assert log.count("\n") == len(hosts)
    assert log.replace("\n", "").isprintable()
