"""The /metrics page after the story of 2012, as tests/metrics.txt keeps it: `python -m tests.metrics_page` writes it.

Left out is what differs between machines and days (process, build, hash of the rules), and what is 0: the closed lists
of labels are in docs/metrics.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from monitor.agreements import load
from monitor.engine import Preference
from monitor.pipeline import Pipeline, Stop
from monitor.records import CaptureFiles
from monitor.redact import Redactor
from monitor.report.metrics import Exporter, Sensor
from tests.leaks import RULES

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).with_name("metrics.txt")
VARYING = re.compile(r"process_|msisdn_monitor_(?:build_info|rules_info|config_last_reload_success_|sandbox)")


def page(engine: Preference) -> str:
    book = load(RULES)
    source = CaptureFiles((str(ROOT / "pcaps/o2-2012.pcap"),))
    with Pipeline(source, book, Redactor(b"k" * 32), prefer=engine) as ran:
        for _ in ran.batches(Stop()):
            pass
    sensor = Sensor(engine, book.sha256, 0.0, book.network.notification_hours)
    text, _ = Exporter(ran.tallies, sensor).page("")
    lines = text.decode().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("#") and _told(line))


def _told(line: str) -> bool:
    return not VARYING.match(line) and not line.endswith(" 0.0")


if __name__ == "__main__":
    GOLDEN.write_text(page("portable"))
