"""What watching costs: `python -m bench.operations` prints a scrape, its bound, an alert's way and a reload, measured.

A scrape is made in the thread of its request while a loop goes on as the packet loop does; how late that loop becomes
is what a scrape costs it (both are Python, and only one of them runs at a time).
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from bench import RULES
from monitor.agreements import load
from monitor.config import AlertmanagerAt
from monitor.pipeline import series
from monitor.report.alertmanager import Alertmanager
from monitor.report.alerts import Alerts
from monitor.report.metrics import Exporter, Sensor
from monitor.report.outbox import Outbox
from monitor.report.tallies import Tallies
from monitor.report.web import listening
from monitor.verdicts import Outcome
from tests.verdicts import one, verdict

SCRAPES = 50
HOSTS = 1_000_000


def exporter() -> Exporter:
    book = load(RULES)
    return Exporter(Tallies(series(book), frozenset({"x-msisdn"})), Sensor("native", book.sha256, 0.0, 72))


def scrapes(exporter: Exporter) -> tuple[float, float, int, int]:
    """CPU and wall-clock milliseconds of the median scrape, series and octets."""
    cpu, wall = [], []
    for _ in range(SCRAPES):
        begun_cpu, begun = time.process_time(), time.perf_counter()
        page, _kind = exporter.page("")
        cpu.append(1000 * (time.process_time() - begun_cpu))
        wall.append(1000 * (time.perf_counter() - begun))
    return median(cpu), median(wall), sum(line[:1] != b"#" for line in page.splitlines()), len(page)


def lateness(exporter: Exporter, scraped: bool) -> list[float]:
    """How many milliseconds too late a loop that wants to go round every millisecond was, each time."""
    late, over = [], Event()

    def scrape(port: int) -> None:
        while not over.wait(0.05):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()

    with listening("127.0.0.1", 0, exporter.page) as port:
        scraper = Thread(target=scrape, args=(port,)) if scraped else None
        if scraper:
            scraper.start()
        for _ in range(3000):
            begun = time.perf_counter()
            time.sleep(0.001)
            late.append(1000 * (time.perf_counter() - begun) - 1)
        over.set()
        if scraper:
            scraper.join()
    return late


@contextmanager
def alertmanager(take: Callable[[list[Any]], None]) -> Iterator[Alertmanager]:
    """An Alertmanager that accepts every alert; `take` is given those of each post."""

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield Alertmanager(AlertmanagerAt(url=f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()


def alerts_at(at: Alertmanager, outbox: Path) -> Alerts:
    return Alerts("bench", Outbox(outbox), [at], bytes.decode, lambda *_: None, quiet_s=900, runbook="")


def alert_times(kinds: int) -> list[float]:
    """Milliseconds from each verdict of a new kind to its alert at an Alertmanager, with an outbox on the disk."""
    came: dict[str, float] = {}
    arrived = Event()

    def take(alerts: list[Any]) -> None:
        for alert in alerts:
            came.setdefault(alert["labels"]["partner"], time.perf_counter())
        arrived.set()

    taken = []
    with (
        TemporaryDirectory() as folder,
        alertmanager(take) as at,
        alerts_at(at, Path(folder) / "outbox.json") as alerts,
    ):
        for kind in range(kinds):
            partner = f"p{kind}"
            arrived.clear()
            begun = time.perf_counter()
            alerts.feed(one(verdict(Outcome.EXPIRED, partner=partner), "token"))
            while partner not in came:
                arrived.wait(1)
            taken.append(1000 * (came[partner] - begun))
    return taken


def nanoseconds(work: Callable[[int], object], times: int) -> float:
    begun = time.process_time()
    for n in range(times):
        work(n)
    return 1e9 * (time.process_time() - begun) / times


def main() -> None:
    small = exporter()
    for n in range(1100):
        small.tallies.feed(one(verdict(brand=f"brand-{n}"), "token"))
    cpu, wall, lines, octets = scrapes(small)
    print(f"a scrape of {lines:,} series: {cpu:.1f} ms of CPU, {wall:.1f} ms on the clock, {octets:,} octets")
    for name, scraped in (("nobody scrapes", False), ("somebody scrapes 20 times a second", True)):
        late = lateness(small, scraped)
        print(f"a loop while {name}: late by {median(late):.2f} ms (median), {quantiles(late, n=100)[-1]:.2f} ms (p99)")
    hostile = exporter()
    cost = nanoseconds(
        lambda n: hostile.tallies.feed(one(verdict(recipient=f'\x1b"}}{n}.example', field=b"x-%d" % n), f"{n}")), HOSTS
    )
    cpu, wall, lines, octets = scrapes(hostile)
    print(f"after {HOSTS:,} hostile hosts ({cost:.0f} ns each): {lines:,} series, {octets:,} octets, {wall:.1f} ms")
    taken = alert_times(200)
    print(f"from verdict to Alertmanager: {median(taken):.1f} ms (median), {quantiles(taken, n=100)[-1]:.1f} ms (p99)")


if __name__ == "__main__":
    main()
