"""The canary: a marked number, in every form and at every place of a request, shows in nothing that the sensor says."""

from __future__ import annotations

from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import hpack
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from monitor.agreements import load
from monitor.cli import PROGRAM, cli
from monitor.config import AlertmanagerAt
from monitor.identify import Identify
from monitor.pipeline import Pipeline, Stop
from monitor.pytest_plugin import complaint, replay
from monitor.records import CaptureFiles, Flow, RequestHead
from monitor.redact import Redactor
from monitor.report.alertmanager import Alertmanager
from monitor.report.alerts import Alerts
from monitor.report.journal import Journal
from monitor.report.metrics import Exporter, Sensor
from monitor.report.news import News
from monitor.report.outbox import Outbox
from monitor.verdicts import Form
from pcaps.recipe import NUMBER, answer, get
from pcaps.recipes_forms import CODED
from pcaps.talk import Talk, pcap
from tests.leaks import RULES

SPELT = (
    NUMBER, b"+" + NUMBER, b"00" + NUMBER, b"0" + NUMBER[2:], NUMBER[2:], b"000" + NUMBER, b"+44 7700 900 123",
    b"44-7700-900123", b"+44(0)7700.900123", b"tel:+" + NUMBER, b"sip:+" + NUMBER + b"@ims.example",
    NUMBER + b"1326161655", b"GPRS,," + NUMBER + b",unsecured", b"%2B" + NUMBER, b"%34%34" + NUMBER[2:],
)  # fmt: skip
FORMS = (*SPELT, *CODED)
# base64 of packed digits in lower case, as names come: many numbers would be alike, and none can be told from a word
LOST_WITH_ITS_CASE = [code for code in CODED if len(code) <= 12 and any(map(str.isupper, code.decode()))]
BOOK = load(RULES)
NOBODY = Alertmanager(AlertmanagerAt(url="http://127.0.0.1:1"))
IDENTIFY = Identify(BOOK.plan)


def requests(form: bytes) -> list[bytes]:
    """This form of the number at every place where a number may stand, and at some where none does."""
    plain = b"X-MSISDN: " + NUMBER
    at_last = get(b"Transfer-Encoding: chunked", method=b"POST") + b"0\r\nX-Any: %b\r\n\r\n" % form
    return [
        get(b"X-Any: " + form),
        get(b"X-MSISDN: a/" + form),
        get(form + b": a"),
        get(form[:6] + b":" + form[6:]),
        get(b"X-%b-Y: %b" % (form, NUMBER)),
        get(b"Cookie: id=%b; %b=%b" % (form, form, NUMBER)),
        get(b"Referer: http://portal.example/%b/?%b=%b" % (form, form, NUMBER)),
        get(target=b"/account/%b/balance?id=%b&%b=%b" % (form, form, form, NUMBER)),
        get(plain, target=b"http://%b@%b.example/%b" % (form, form, form)),
        get(plain, host=form + b".shop.example"),
        get(plain, method=form.replace(b" ", b"")),
        get(plain, version=b"HTTP/1.1" + form.replace(b" ", b"")),
        at_last,
    ]


def of_http2(form: bytes) -> bytes:
    """The same in names, values and pseudo fields of HTTP/2 (RFC 9113 sections 3.4, 4.1 and 8.3)."""
    octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    coder = hpack.Encoder()
    pseudo = [(b":method", b"GET"), (b":scheme", form), (b":authority", form), (b":path", b"/%b?id=%b" % (form, form))]
    for n, field in enumerate(((b"x-any", form), (form.lower(), b"a"), (b"x-%b-y" % form.lower(), NUMBER))):
        octets += frame(1, 5, 2 * n + 1, coder.encode([*pseudo, field]))
    return octets


def frame(kind: int, flags: int, stream: int, octets: bytes) -> bytes:
    return len(octets).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + octets


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = []
    for n, form in enumerate(FORMS):
        talk = Talk(sport=20_000 + n, time_ns=1_326_196_800 * 10**9).open()
        for request in requests(form):
            talk.client(request).server(answer())
        frames += talk.close().frames
        frames += Talk(sport=30_000 + n, time_ns=talk.time_ns).open().client(of_http2(form)).close().frames
    path = tmp_path_factory.mktemp("canary") / "marked.pcap"
    path.write_bytes(pcap(frames))
    return path


def shown_in(text: str) -> list[str]:
    """The lines of this output in which the number stands, in any form that somebody could read back."""
    flow, found = Flow(bytes(4), 40_001, bytes(4), 80), []
    literal = [form.decode().lower() for form in FORMS if form not in LOST_WITH_ITS_CASE]
    for line in set(text.splitlines()):
        octets = line.encode("ascii", "backslashreplace")
        sightings = IDENTIFY.feed(RequestHead(0, flow, b"GET", b"/", b"HTTP/1.1", ((b"x-any", octets),)))
        if any(form in line.lower() for form in literal) or any(one.form is not Form.ENCRYPTED for one in sightings):
            found.append(line)
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "--rules", str(RULES)),
        ("replay", "--rules", str(RULES), "--format", "jsonl"),
        ("replay", "--rules", str(RULES), "--audit"),
        ("requests",),
        ("requests", "--format", "jsonl"),
        ("discover",),
    ],
    ids=" ".join,
)
def test_no_command_shows_it(capture: Path, command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*command, str(capture)], prog_name=PROGRAM)
    assert len(result.stdout) > 100
    assert shown_in(result.output) == []


def test_neither_log_nor_journal_nor_metrics_nor_alerts_show_it(capture: Path, tmp_path: Path) -> None:
    log: list[str] = []
    journal, outbox = StringIO(), tmp_path / "outbox.json"
    redactor = Redactor(bytes(32))

    def label(field: bytes) -> str:
        return pipeline.tallies.label(field)

    with ExitStack() as stack:
        alerts = stack.enter_context(
            Alerts("lon-1", Outbox(outbox), [NOBODY], label, print, quiet_s=900, runbook="docs/runbook/")
        )
        rows = Journal(journal, redactor)
        sinks = (News(lambda level, text: log.append(f"{level} {text}")), rows, alerts)
        pipeline = stack.enter_context(Pipeline(CaptureFiles((str(capture),)), BOOK, redactor, sinks))
        for _ in pipeline.batches(Stop()):
            rows.flush()
    registry = CollectorRegistry()
    registry.register(Exporter(pipeline.tallies, Sensor("native", "00ff", 1.5, 72)))
    assert len(log) > 5
    assert pipeline.tallies.violations > 10 * len(FORMS)
    for said in ("\n".join(log), journal.getvalue(), generate_latest(registry).decode(), outbox.read_text()):
        assert len(said) > 500
        assert shown_in(said) == []


def test_the_pytest_plugin_does_not_show_it(capture: Path) -> None:
    assert shown_in(complaint(replay(capture, RULES))) == []


@pytest.mark.parametrize("form", FORMS)
def test_the_canary_sings(form: bytes) -> None:
    """Each form would be seen in an output that showed it."""
    assert shown_in(f"to {form.decode()}.example")
