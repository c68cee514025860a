"""`make bench-live`: how fast a port may be before frames are lost, here and with the tools that others use; how late a
number is seen; and with --soak, whether memory stays where it is.

A cable (a veth pair in a network of its own) leads from the sender to whoever listens. tcpreplay sends a capture of
bench.traffic again and again, each round with other addresses, so that every round's connections are new. Sender and
listener run above everything else on the machine, and one listener at a time.
"""

from __future__ import annotations

import argparse
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import RULES
from bench.results import put, where_and_when
from pcaps.talk import Talk
from tests.live.cables import cabled

RATES = (25_000, 50_000, 100_000, 200_000, 400_000, 800_000, 0)  # frames a second; 0: as fast as it goes
FIRST = ("chrt", "-f", "10")  # before everything else that the machine does
PROGRAM = str(Path(sys.executable).with_name("msisdn-monitor"))
QUIET_REQUESTS = 200
WITHIN = ("0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "+Inf")
SLOPE_MB_H = 1.0
WARM_MINUTES = 3.0  # of a soak that are not looked at: tables and caches find their size


class Sent(NamedTuple):
    frames: int
    rate: float


class Listener(NamedTuple):
    """A tool that listens at `far`: how it is started, what it says then, and how many frames it says it lost."""

    name: str
    line: tuple[str, ...]
    ready: str
    dropped: str  # in its last words


WATCH = (PROGRAM, "watch", "--interface", "far", "--rules", str(RULES), "--listen", "127.0.0.1:0")
OURS = Listener("msisdn-monitor watch", WATCH, "metrics: ", "")
PEERS = (
    Listener("tcpdump -w /dev/null", ("tcpdump", "-i", "far", "-s", "0", "-w", "/dev/null"), "listening on",
             r"(\d+) packets? dropped by kernel"),
    Listener("tshark -Y http.request", ("tshark", "-n", "-i", "far", "-Y", "http.request"),
             "Capturing on", r"(\d+) packets? dropped"),
    Listener("suricata", ("suricata", "-i", "far", "-S", "/dev/null", "-l", "{folder}", "--runmode", "single"),
             "started", r"drops: (\d+)"),
)  # fmt: skip


class Running:
    """A listener at its port; `said` is all that it wrote on standard error."""

    def __init__(self, listener: Listener, process: subprocess.Popen[str]) -> None:
        self.listener, self.process, self.said = listener, process, ""
        assert process.stderr
        for line in process.stderr:
            self.said += line
            if listener.ready in line:
                return
        sys.exit(f"{listener.name} did not start: {self.said}")

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        self.said += self.process.communicate(timeout=300)[1]
        return self.said

    def metrics(self) -> dict[str, float]:
        """Of ours: every series by its name and labels, without the prefix."""
        found = re.search(r"http://\S+/metrics", self.said)
        assert found
        page = urllib.request.urlopen(found[0], timeout=10).read().decode()
        return {name: float(value) for name, value in re.findall(r"^msisdn_monitor_(\S+) (\S+)$", page, re.MULTILINE)}


@contextmanager
def running(listener: Listener) -> Iterator[Running]:
    with TemporaryDirectory() as folder:
        line = [*FIRST, *(word.format(folder=folder) for word in listener.line)]
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield Running(listener, process)
            finally:
                process.kill()


def replay(capture: Path, rate: int, frames: int) -> Sent:
    speed = f"--pps={rate}" if rate else "--topspeed"
    line = (*FIRST, "tcpreplay", "-q", "-i", "near", "--preload-pcap", "--unique-ip", speed, "--loop=100000")
    said = subprocess.run([*line, f"--limit={frames}", str(capture)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", said)
    assert found, said
    return Sent(int(found[1]), int(found[1]) / max(1e-9, float(found[2])))


def lost(listener: Listener, capture: Path, rate: int, seconds: float) -> tuple[Sent, int]:
    """What was sent, and how many frames of it the listener did not have."""
    with running(listener) as here:
        sent = replay(capture, rate, int((rate or 2_000_000) * seconds))
        if listener is OURS:
            metrics = settled(here)
            here.end()
            return sent, max(0, sent.frames - int(metrics["frames_total"]))
        time.sleep(0.5)
        said = here.end()
    found = re.search(listener.dropped, said)
    return sent, int(found[1]) if found else 0


def settled(here: Running) -> dict[str, float]:
    """The metrics once they stand still."""
    before = here.metrics()
    while True:
        time.sleep(0.3)
        now = here.metrics()
        if now["frames_total"] == before["frames_total"]:
            return now
        before = now


# --- latency ------------------------------------------------------------------------------------------------------


def quiet(end: socket.socket) -> None:
    """Requests that nobody acknowledges, of one side alone, on a port on which nothing else passes."""
    for number in range(QUIET_REQUESTS):
        talk = Talk(sport=10_000 + number)
        head = f"GET /{number} HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: 447700900{number:03}\r\n\r\n"
        talk.client(head.encode(), acknowledged=False)
        for _, frame in talk.frames:
            end.send(frame)
        time.sleep(0.02)


def latency(metrics: dict[str, float], before: dict[str, float] | None = None) -> tuple[str, str, int]:
    """Within which bound the half and ninety-nine of a hundred were since `before`, and how many there were."""

    def count(bound: str) -> float:
        series = f'detection_latency_seconds_bucket{{le="{bound}"}}'
        return metrics.get(series, 0) - (before or {}).get(series, 0)

    buckets = [(bound, count(bound)) for bound in WITHIN]
    total = buckets[-1][1]

    def within(share: float) -> str:
        bound = next(bound for bound, count in buckets if count >= share * total)
        return "later" if bound == "+Inf" else f"≤ {float(bound) * 1000:g} ms"

    return within(0.5), within(0.99), int(total)


# --- the page -----------------------------------------------------------------------------------------------------


def curve(capture: Path, rates: Sequence[int], seconds: float, listeners: Sequence[Listener]) -> Iterator[str]:
    yield "| asked for, frames/s | " + " | ".join(f"{each.name}: sent/s, lost" for each in listeners) + " |"
    yield "|--:|" + "--:|" * len(listeners)
    sound = dict.fromkeys((each.name for each in listeners), 0.0)
    losing: set[str] = set()
    for rate in rates:
        cells = []
        for each in listeners:
            sent, missed = lost(each, capture, rate, seconds)
            cells.append(f"{sent.rate:,.0f}, {missed / sent.frames:.2%}" if missed else f"{sent.rate:,.0f}, **0**")
            if missed:
                losing.add(each.name)
            elif each.name not in losing:
                sound[each.name] = max(sound[each.name], sent.rate)
        yield f"| {f'{rate:,}' if rate else 'all there is'} | {' | '.join(cells)} |"
    yield ""
    yield "Highest rate up to which nothing was lost: " + "; ".join(
        f"{name} {rate:,.0f}/s" + ("" if name in losing else " (the sender's limit)") for name, rate in sound.items()
    )


def late(captures: dict[str, Path], rate: int, seconds: float, end: socket.socket) -> Iterator[str]:
    yield "| | half of them | 99 % | requests with a number | lost |"
    yield "|---|--:|--:|--:|--:|"
    with running(OURS) as here:
        quiet(end)
        half, most, count = latency(settled(here))
        yield f"| quiet port, one side only, nobody acknowledges | {half} | {most} | {count:,} | 0 |"
    for title, capture in captures.items():
        with running(OURS) as here:
            replay(capture, rate, rate)  # a second that fills the caches of a sensor that has just been started
            before = settled(here)
            sent = replay(capture, rate, int(rate * seconds))
            metrics = settled(here)
        half, most, count = latency(metrics, before)
        missed = max(0, sent.frames - int(metrics["frames_total"] - before["frames_total"]))
        yield f"| {title}, {sent.rate:,.0f} frames/s | {half} | {most} | {count:,} | {missed / sent.frames:.2%} |"


def soak(capture: Path, minutes: float, rate: int) -> bool:
    """Whether the memory of `watch` stays where it is while frames come."""
    samples: list[tuple[float, float]] = []
    with running(OURS) as here:
        words = ("--unique-ip", f"--pps={rate}", "--loop=1000000", f"--duration={int(minutes * 60) + 1}")
        line = ("tcpreplay", "-q", "-i", "near", "--preload-pcap", *words, str(capture))
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
            begun = time.monotonic()
            while sender.poll() is None:
                time.sleep(5)
                samples.append(((time.monotonic() - begun) / 3600, resident_mb(here.process.pid)))
        metrics = settled(here)
    warm = [sample for sample in samples if sample[0] * 60 >= WARM_MINUTES]
    slope = linear_regression(*zip(*warm, strict=True)).slope
    steady = slope < SLOPE_MB_H
    print(
        f"{metrics['frames_total']:,.0f} frames, {metrics['requests_total']:,.0f} requests in {minutes:g} minutes, "
        f"{metrics['kernel_drops_total']:,.0f} dropped; memory {warm[0][1]:.1f} -> {warm[-1][1]:.1f} MB, "
        f"slope {slope:+.2f} MB/h: {'flat' if steady else 'IT GROWS'} (bar: {SLOPE_MB_H:g} MB/h)"
    )
    return steady


def resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def made(preset: str, folder: Path, octets: int) -> Path:
    path = folder / f"{preset}.pcap"
    subprocess.run([sys.executable, "-m", "bench.traffic", preset, str(path), "--octets", str(octets)], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return path


def installed(listener: Listener) -> bool:
    return subprocess.run(("which", listener.line[0]), stdout=subprocess.DEVNULL, check=False).returncode == 0


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.live", description="Drop curve and latency, or a soak.")
    options.add_argument("--rates", type=int, nargs="+", default=RATES)
    options.add_argument("--seconds", type=float, default=2.0, help="of each step (%(default)s)")
    options.add_argument("--octets", type=int, default=20_000_000, help="of the capture that is repeated (%(default)s)")
    options.add_argument("--half", type=int, default=180_000, help="frames a second while latency is measured")
    options.add_argument("--soak", type=float, metavar="MINUTES", help="look at the memory instead")
    chosen = options.parse_args()
    if chosen.soak is not None and chosen.soak <= WARM_MINUTES + 0.5:
        options.error(f"a soak takes more than the {WARM_MINUTES:g} minutes in which memory finds its size")
    peers = [each for each in PEERS if installed(each)]
    missing = [each.line[0] for each in PEERS if not installed(each)]
    with TemporaryDirectory() as temporary, cabled() as end:
        folder = Path(temporary)
        mixed = made("2012", folder, chosen.octets)
        if chosen.soak is not None:
            sys.exit(not soak(mixed, chosen.soak, 20_000))
        storm = {
            "mixed traffic of 2012": mixed,
            "a storm: a number in every second request": made("small", folder, chosen.octets),
        }
        lines = [
            "## On a live port (`make bench-live`)",
            "",
            *where_and_when(),
            *([f"- Not installed here: {', '.join(missing)}"] if missing else []),
            f"- tcpreplay into a veth pair, {chosen.seconds:g} s a step; sender and listener before all (SCHED_FIFO)",
            "",
            *curve(mixed, chosen.rates, chosen.seconds, [OURS, *peers]),
            "",
            "From the last packet of a head with a number to the counter (`detection_latency_seconds`), of a sensor",
            "that has been busy for a second:",
            "",
            *late(storm, chosen.half, max(3.0, chosen.seconds), end),
        ]
    put("live", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
