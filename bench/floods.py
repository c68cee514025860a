"""Traffic that is made to exhaust a sensor, and what it costs: `make bench-floods`.

    python -m bench.floods                     every flood, each in a process of its own -> bench/RESULTS.md
    python -m bench.floods syn folds --keep DIR

Each flood is an attack at the size at which other tools were measured (Suricata, tshark: seconds to minutes, hundreds
of megabytes). Beside its cost stands what was found: work may be shed, with a count; a promised number may not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import RULES
from bench.results import put, where_and_when
from monitor.agreements import load
from monitor.counts import values
from monitor.engine import Preference, open_engine
from monitor.identify import Identify
from monitor.records import CaptureFiles
from pcaps.talk import pcap

MB = 1_000_000
MSS = 1448
SYN, PSH, ACK = 2, 8, 16
SERVER = bytes((203, 0, 113, 9))
ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
REQUEST = b"GET /%d HTTP/1.1\r\nHost: www.shop.example\r\n"
NUMBER = b"X-MSISDN: 447700900%03d\r\n"

Frames = Iterator[bytes]


class Flood(NamedTuple):
    what: str
    frames: Frames
    numbers: int  # how many must be found
    cpu_s: float  # bar of issue 5
    memory_mb: float  # bar, over the idle process


def segment(
    client: int, port: int, seq: int, flags: int, payload: bytes = b"", *, back: bool = False, ack: int = 1
) -> bytes:
    """A frame between client number `client` of 100.64.0.0/10 and the server; `back` is the server's half."""
    near, far = struct.pack("!I", 0x64400000 + client), SERVER
    ends = (80, port) if back else (port, 80)
    addresses = far + near if back else near + far
    tcp = struct.pack("!HHIIBBHHH", *ends, seq, ack if flags & ACK else 0, 0x50, flags, 65535, 0, 0)
    total = int.from_bytes(addresses + struct.pack("!HH", 6, len(tcp) + len(payload)) + tcp, "big")
    total += int.from_bytes(payload if len(payload) % 2 == 0 else payload + b"\0", "big")
    checksum = 0xFFFF - (total % 0xFFFF)  # 2**16 is 1 modulo 65535: the sum of RFC 1071 is this remainder
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0)
    return ETHERNET + ip + addresses + tcp[:16] + struct.pack("!H", checksum) + tcp[18:] + payload


def stream(octets: bytes, mss: int = MSS) -> Frames:
    """One client's half with a handshake."""
    yield segment(1, 40000, 0, SYN)
    yield segment(1, 40000, 0, SYN | ACK, back=True)
    for at in range(0, len(octets), mss):
        yield segment(1, 40000, 1 + at, PSH | ACK, octets[at : at + mss])


def connections(amount: int) -> Iterator[tuple[int, int]]:
    return ((number // 50, 20000 + number % 50) for number in range(amount))


def syns() -> Frames:
    return (segment(client, port, 7, SYN) for client, port in connections(1_000_000))


def short() -> Frames:
    """All open at once: every connection takes its step before any takes the next."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n" + b"." * 600

    def request(number: int) -> bytes:
        return REQUEST % number + NUMBER % (number % 1000) + b"\r\n"

    for client, port in connections(100_000):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 0, SYN | ACK, back=True)
        yield segment(client, port, 1, ACK)
    for number, (client, port) in enumerate(connections(100_000)):
        yield segment(client, port, 1, PSH | ACK, request(number))
    for number, (client, port) in enumerate(connections(100_000)):
        yield segment(client, port, 1, ACK, back=True)
        yield segment(client, port, 1, PSH | ACK, answer, back=True)
        yield segment(client, port, 1 + len(request(number)), ACK)


def unfinished() -> Frames:
    filling = b"Cookie: " + b"c" * 930
    for number, (client, port) in enumerate(connections(100_000)):
        yield segment(client, port, 0, SYN)
        yield segment(client, port, 1, PSH | ACK, REQUEST % number + NUMBER % (number % 1000) + filling)


def holes() -> Frames:
    piece = b"x" * MSS
    for client, port in connections(20_000):
        yield segment(client, port, 1, PSH | ACK, REQUEST % 1)
        for place in range(14):
            yield segment(client, port, 3000 + place * MSS, PSH | ACK, piece)


def head(line: bytes) -> bytes:
    """10 MB of one line after the other inside a head, the number behind the first 200 kB."""
    front = line * (200_000 // len(line))
    return (
        REQUEST % 1
        + b"A: b\r\n"
        + front
        + b"\r\n" * (not line.endswith(b"\n"))
        + NUMBER % 1
        + line * (10 * MB // len(line))
    )


def chunks() -> bytes:
    begin = b"POST / HTTP/1.1\r\nHost: www.shop.example\r\n" + NUMBER % 1 + b"Transfer-Encoding: chunked\r\n\r\n"
    return begin + b"1\r\nx\r\n" * (10 * MB // 6) + b"0\r\n\r\n"


def pipeline(amount: int = 110_000) -> bytes:
    return b"".join(REQUEST % number + NUMBER % (number % 1000) + b"\r\n" for number in range(amount))


def hosts() -> Frames:
    for number, (client, port) in enumerate(connections(1_000_000)):
        host = b"GET / HTTP/1.1\r\nHost: h%d.shop.example\r\n" % number
        yield segment(client, port, 1, PSH | ACK, host + NUMBER % (number % 1000) + b"\r\n")


def floods() -> dict[str, Flood]:
    one_byte = pipeline(11_000)[:MB]
    return {
        "syn": Flood("1,000,000 SYNs", syns(), 0, 0.5, 10),
        "short": Flood("100,000 short connections open at once", short(), 100_000, 1, 128),
        "unfinished": Flood("100,000 unfinished 1 kB heads", unfinished(), 100_000, 1, 160),
        "holes": Flood("20,000 flows, each 20 kB after a hole", holes(), 0, 1, 64),
        "folds": Flood("10 MB of folded lines", stream(head(b" folded\r\n")), 1, 0.1, 10),
        "lines": Flood("10 MB of header lines", stream(head(b"A: b\r\n")), 1, 0.1, 10),
        "cookie": Flood("10 MB of one cookie", stream(head(b"Cookie=" * 20)), 1, 0.1, 10),
        "crlf": Flood("10 MB of CRLF, then a request", stream(b"\r\n" * (5 * MB) + pipeline(1)), 1, 0.1, 10),
        "chunks": Flood("10 MB of 1-byte chunks", stream(chunks() + pipeline(1)), 2, 0.1, 10),
        "pipeline": Flood("110,000 requests in a pipeline, no answers", stream(pipeline()), 110_000, 0.3, 30),
        "onebyte": Flood("1,000,000 one-byte segments", stream(one_byte, 1), one_byte.count(b"\r\n\r\n"), 0.5, 10),
        "hosts": Flood("1,000,000 Hosts, a number to each", hosts(), 1_000_000, 60, 512),
    }


def write(frames: Frames, path: Path) -> None:
    with path.open("wb") as file:
        file.write(pcap([]))
        for place, frame in enumerate(frames):
            file.write(
                struct.pack("<IIII", 1_326_153_600 + place // 100_000, place % 100_000 * 10, len(frame), len(frame))
                + frame
            )


def measure(engine: Preference, capture: str) -> dict[str, object]:
    """The engine alone, and numbers counted by identify as its heads come: CPU seconds, MB over idle, what it found."""
    identify = Identify(load(RULES).plan)
    idle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    running = open_engine(CaptureFiles((capture,)), identify.watch(), prefer=engine)
    numbers, done, spent = 0, False, 0.0
    while not done:
        begun = time.process_time()
        batch = running.poll(1.0)
        spent += time.process_time() - begun
        numbers += sum(1 for head in batch.heads for _ in identify.feed(head))
        done = batch.done
    running.close()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle_kb) / 1024
    shed = {bound: amount for bound, amount in values(batch.counts, "shed").items() if amount}
    return {
        "packets": batch.counts["frames"],
        "cpu_s": spent,
        "grown_mb": grown_mb,
        "requests": batch.counts["requests"],
        "numbers": numbers,
        "shed": shed,
    }


def main() -> None:
    every = floods()
    options = argparse.ArgumentParser(prog="python -m bench.floods", description="What floods cost the sensor.")
    options.add_argument("flood", nargs="*", metavar="FLOOD", help=f"default: all of {', '.join(every)}")
    options.add_argument("--engine", default="auto", choices=("auto", "native", "portable"))
    options.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the captures here, and use those that are there"
    )
    options.add_argument("--measure", metavar="CAPTURE", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.engine, chosen.measure)))
        return
    lines = [
        "## Floods (`make bench-floods`)",
        "",
        *where_and_when(),
        f"- Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; engine: {chosen.engine}",
        "- CPU seconds of the engine, memory of the process over idle, beside what issue 5 allows",
        "",
        "| flood | packets | CPU s | bar | MB over idle | bar | numbers found | shed |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    print("\n".join(lines))
    with TemporaryDirectory() as scratch:
        for name in chosen.flood or every:
            flood = every[name]
            path = (chosen.keep or Path(scratch)) / f"{name}.pcap"
            if not path.exists():
                write(flood.frames, path)
            line = [sys.executable, "-m", "bench.floods", "--engine", chosen.engine, "--measure", str(path)]
            told = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
            shed = ", ".join(f"{bound} {amount:,}" for bound, amount in told["shed"].items())
            lines.append(
                f"| {flood.what} | {told['packets']:,} | {told['cpu_s']:.2f} | {flood.cpu_s:g} "
                f"| {told['grown_mb']:.0f} | {flood.memory_mb:g} | {told['numbers']:,} of {flood.numbers:,} | {shed} |"
            )
            print(lines[-1], flush=True)
            if not chosen.keep:
                path.unlink()
    if not chosen.flood:
        put("floods", lines)


if __name__ == "__main__":
    main()
