"""A story of some minutes on a cable of our own, watched by the real sensor and the real Prometheus: `make grafana`.

A morning as it should be; then a change lets the gateway add the number for every site; then the mirror begins to lose
packets; then the change is taken back. What Prometheus answers to every query of the dashboards is kept for draw.jsx; a
query for which it has no series is a mistake of the dashboard, and ends the story.
Needs root: the cable is a veth pair in a network namespace of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pcaps.talk import Talk

HERE = Path(__file__).parent
TOP = HERE.parents[2]
DASHBOARDS = sorted((HERE.parent / "dashboards").glob("*.json"))
PROGRAM = Path(sys.executable).with_name("msisdn-monitor")
SENSOR, PROMETHEUS = "127.0.0.1:9108", "127.0.0.1:9109"
PARTNERS = ((b"ageverify.example", "198.51.100.10", b"/check"), (b"pay.paybyphone.example", "198.51.100.70", b"/buy"))
NAMES = (b"news", b"shop", b"maps", b"video")
SITES = tuple((b"www.%s.example" % name, f"203.0.113.{i}", b"/") for i, name in enumerate(NAMES, 10))
FIELDS = (b"X-MSISDN", b"x-up-calling-line-id", b"X-Nokia-MSISDN")
TALKS_A_SECOND = 40
STEP_S = 2


def talk(chance: random.Random, leaking: bool) -> list[bytes]:
    """The frames of one short connection to a partner or to a site."""
    partner = chance.random() < 0.1
    subscriber = chance.randrange(400 if partner else 1000)  # the first are those whose number a partner may have
    network = 64 if partner else chance.choices((64, 65, 66), (8, 1, 2))[0]  # 3g, wap, wifi
    host, address, path = chance.choice(PARTNERS if partner else SITES)
    if partner and path == b"/check":
        number = b"X-MSISDN: 447700900%03d\r\n" % subscriber
    elif partner or leaking:
        number = chance.choice(FIELDS[:2] if partner else FIELDS) + b": 447700900%03d\r\n" % subscriber
    else:
        number = b""
    made = Talk(f"100.{network}.{subscriber >> 8}.{subscriber & 255}", chance.randrange(20000, 60000), address).open()
    made.client(b"GET %s HTTP/1.1\r\nHost: %s\r\n%sAccept: */*\r\n\r\n" % (path, host, number))
    made.server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"." * 1000).close()
    return [frame for _, frame in made.frames]


def play(port: str, minutes: float) -> None:
    """Sends the story into `port`."""
    chance = random.Random(2012)
    line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    line.bind((port, 0))
    begun = time.monotonic()
    for second in range(int(minutes * 60)):
        share = second / (minutes * 60)
        leaking, losing = 0.35 <= share < 0.85, 0.6 <= share < 0.75
        for _ in range(int(TALKS_A_SECOND * chance.uniform(0.7, 1.3))):
            for frame in talk(chance, leaking):
                if not (losing and chance.random() < 0.05):
                    line.send(frame)
        time.sleep(max(0.0, begun + second + 1 - time.monotonic()))


def ask(path: str, **question: Any) -> Any:
    with urllib.request.urlopen(f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(question)}") as answer:
        return json.load(answer)["data"]["result"]


def answers(page: dict[str, Any], start: float, end: float) -> Iterator[tuple[int, list[Any]]]:
    """Of each panel, by its id: a list a query, of series with labels and values."""
    for panel in page["panels"]:
        told = []
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "15s").replace("$__range", f"{int(end - start)}s")
            query = query.replace('"$instance"', '".*"')
            first = end if target["instant"] else start
            found = ask("query_range", query=query, start=first, end=end, step=STEP_S)
            if not found and not ask("query_range", query=query.replace(" > 0", ""), start=start, end=end, step=STEP_S):
                sys.exit(f"{page['title']}, {panel['title']}: Prometheus has no series for {query}")
            told.append([{"labels": series["metric"], "values": series["values"]} for series in found])
        yield panel["id"], told


def main() -> None:
    options = argparse.ArgumentParser(description="Runs the story; writes build/NAME.json for each dashboard.")
    options.add_argument("--minutes", type=float, default=6.0)
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if not chosen.inside:
        name = f"story-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        try:
            again = [sys.executable, __file__, "--inside", "--minutes", str(chosen.minutes)]
            subprocess.run(["ip", "netns", "exec", name, *again], check=True)
        finally:
            subprocess.run(["ip", "netns", "del", name], check=True)
        return
    for words in ("link add near type veth peer name far", "link set lo up", "link set near up", "link set far up"):
        subprocess.run(["ip", *words.split()], check=True)
    build = HERE / "build"
    build.mkdir(exist_ok=True)
    config = build / "prometheus.json"
    job = {"job_name": "msisdn-monitor", "scrape_interval": f"{STEP_S}s", "static_configs": [{"targets": [SENSOR]}]}
    config.write_text(json.dumps({"scrape_configs": [job]}))
    store = [f"--config.file={config}", f"--storage.tsdb.path={build / 'tsdb'}", f"--web.listen-address={PROMETHEUS}"]
    settings = build / "sensor.yaml"  # its Alertmanager is away, so that the outbox has something to say
    settings.write_text(f'rules: {TOP / "rules"}\nlisten: {SENSOR}\nalertmanagers: [{{url: "http://127.0.0.1:9"}}]\n')
    watch = [PROGRAM, "watch", "--interface", "far", "--config", settings]
    with subprocess.Popen(["prometheus", *store, "--log.level=error"]) as prometheus, subprocess.Popen(watch) as sensor:
        try:
            start = time.time()
            play("near", chosen.minutes)
            end = time.time()
            for path in DASHBOARDS:
                page = json.loads(path.read_text())
                kept = {"page": page, "answers": dict(answers(page, start, end)), "start": start, "end": end}
                (build / path.name).write_text(json.dumps(kept))
        finally:
            sensor.terminate()
            prometheus.terminate()


if __name__ == "__main__":
    main()
