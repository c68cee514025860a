"""What the worst input costs each parser, beside typical input of as many bytes: `make bench-cost`.

    python -m bench.parsers                    every parser -> bench/RESULTS.md
    python -m bench.parsers http1 yaml

10 MB of typical input and 10 MB of each kind of worst input, the least CPU seconds of several runs in one process, by
turns, so that whatever else the machine does meets all alike. The bar of issue 5 is three times the typical cost.
Typical and worst frames are of one size where a parser sees frames: what a frame costs by itself is in the floods.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import RULES
from bench.cost import cost
from bench.floods import MB
from bench.inputs import (
    BARE,
    CHUNKED,
    OPTIONS,
    OTHER_BLOCK,
    PAGE,
    PAGES,
    POST,
    SIZE,
    TYPICAL,
    almost_numbers,
    any_chunk_lines,
    any_chunks,
    blocks,
    by_many,
    chunk_head,
    chunked,
    classic,
    contested,
    digits,
    folds,
    full_heads,
    glued,
    glued_in_hex,
    glued_in_percent,
    hexadecimal,
    http2,
    long_trailers,
    many_hosts,
    many_lengths,
    named_again,
    other_base64,
    other_base64_and_one,
    other_hex,
    own_numbers,
    percents,
    repeated,
    repeated_frames,
    requests,
    separated,
    small,
    tokens,
    tunnelled,
    web_token,
    with_fields,
)
from bench.layers import contested as contested_bytes
from bench.layers import (
    extended,
    fragments,
    halves,
    in_gre,
    in_gtpu,
    in_ip,
    in_ip6,
    nested,
    numbered,
    of_label,
    of_port,
    of_teid,
    of_teid_and_port,
    of_vlans,
    small_halves,
    tagged,
    tls,
    upload,
)
from bench.results import put, where_and_when
from monitor.agreements import load
from monitor.engine import open_engine, reader
from monitor.identify import Identify
from monitor.records import CaptureFiles, Flow, RequestHead
from monitor.subscribers.radius import Malformed, Numbering, Overfull, report
from monitor.written.document import Document
from pcaps.floods import REQUEST, Frames, head, stream
from pcaps.recipes_feed import accounting
from tests.encapsulations import TUNNELS

PROGRAM = str(Path(sys.executable).with_name("msisdn-monitor"))
BAR = 3.0
MOST_ROWS = 12  # of one parser, the dearest first, and all that are over the bar
RUNS = 5
RULES_SIZE = 200_000  # of YAML: a large operator's partners, and all that a loader is to be troubled with here
Work = Callable[[], float]  # CPU seconds


class Parser(NamedTuple):
    typical: Callable[[Path], Work]
    worst: dict[str, Callable[[Path], Work]]


# --- captures through the engine ------------------------------------------------------------------------------------


def captured(
    frames: Callable[[], Frames], write: Callable[[list[bytes]], bytes] | None = None
) -> Callable[[Path], Work]:
    """So many of these frames as have the size, read from a file by the native engine."""

    def prepare(path: Path) -> Work:
        kept, size = [], 0
        for frame in frames():
            kept.append(frame)
            size += len(frame)
            if size >= SIZE:
                break
        path.write_bytes((write or classic)(kept))
        watch = Identify(load(RULES).plan).watch()

        def work() -> float:
            engine = open_engine(CaptureFiles((str(path),)), watch, prefer="native")
            begun = time.process_time()
            while not engine.poll(1.0).done:
                pass
            spent = time.process_time() - begun
            engine.close()
            return spent

        return work

    return prepare


def commanded(frames: Callable[[], Frames]) -> Callable[[Path], Work]:
    """The same, but a whole `replay` of it: a head that the engine lets through is looked at and judged."""

    def prepare(path: Path) -> Work:
        captured(frames)(path)
        line = (PROGRAM, "replay", str(path), "--rules", str(RULES), "--format", "jsonl", "--workers", "1")
        return lambda: cost(line, path.with_suffix(".out"), codes=(0, 1)).cpu_s

    return prepare


# --- parsers in Python ------------------------------------------------------------------------------------------------


def timed(prepare: Callable[[], Callable[[], object]]) -> Callable[[Path], Work]:
    def with_path(_: Path) -> Work:
        act = prepare()

        def work() -> float:
            begun = time.process_time()
            act()
            return time.process_time() - begun

        return work

    return with_path


def identified(field: Callable[[random.Random], bytes]) -> Callable[[Path], Work]:
    """Heads as the engine hands them over, each with one such field of its own; a tenth of the size."""

    def prepare() -> Callable[[], object]:
        chance, fields = random.Random(2), []
        while sum(map(len, fields)) < SIZE // 10:
            fields.append(field(chance))
        split = [tuple(each.split(b": ", 1)) for each in fields]
        heads = [HEAD._replace(fields=((b"host", b"a.example"), (name.lower(), value))) for name, value in split]

        def act() -> None:
            identify = Identify(load(RULES).plan, reader("native"))
            for each in heads:
                identify.feed(each)

        return act

    return timed(prepare)


def suspect(chance: random.Random) -> bytes:
    """A field that the sieve lets through, as partners get it."""
    number = b"447700900%03d" % chance.randrange(1000)
    return chance.choice(
        (b"X-MSISDN: " + number, b"X-Up-Calling-Line-Id: +" + number, b"Cookie: lang=en; msisdn=" + number)
    )


def accounts(more: bytes) -> Callable[[Path], Work]:
    """RADIUS messages with so many more attributes, each 600 bytes."""

    def prepare() -> Callable[[], object]:
        message = accounting()[42:]
        octets = message + more * ((600 - len(message)) // len(more))
        octets = octets[:2] + len(octets).to_bytes(2, "big") + octets[4:]

        def act() -> None:
            for _ in range(SIZE // 10 // len(octets)):
                try:
                    report(octets, 0, UK)
                except (Malformed, Overfull):
                    continue

        return act

    return timed(prepare)


def rules(text: Callable[[int], bytes]) -> Callable[[Path], Work]:
    """A rule file of one size; what is wrong in it is said and not loaded."""

    def prepare() -> Callable[[], object]:
        octets, number = b"", 0
        while len(octets) < RULES_SIZE:
            octets += text(number)
            number += 1
        return lambda: Document("rules.yaml", octets)

    return timed(prepare)


HEAD = RequestHead(0, Flow(bytes(4), 1, bytes(4), 80), b"GET", b"/", b"HTTP/1.1", ())
UK = Numbering("44", "0")
GRANT = b"grant-%d:\n  purpose: billing\n  hosts: [a.example, b.example]\n  fields: [x-msisdn]\n  form: plain\n"

PARSERS = {
    "decode": Parser(
        captured(tls),
        {name: captured(partial(tls, name)) for name in sorted(TUNNELS)}
        | {
            "IP in IP, 14 times": captured(nested(in_ip, 14)),
            "IPv6 in IPv6, 10 times": captured(nested(in_ip6, 10)),
            "other VLANs in each": captured(numbered(of_vlans)),
            "another label in each": captured(numbered(of_label)),
            "GRE in GRE, 7 times": captured(nested(in_gre, 7)),
            "GTP-U in GTP-U, 7 times": captured(nested(in_gtpu, 7)),
            "GTP-U in GTP-U, too many times": captured(nested(in_gtpu, 12)),
            "32 extension headers of GTP-U": captured(nested(partial(in_gtpu, extensions=32), 1)),
            "100 extension headers of GTP-U": captured(nested(partial(in_gtpu, extensions=100), 1)),
            "60 extension headers of IPv6": captured(extended(60, 60)),
            "15 tags": captured(tagged(b"\x81\0\0\1", 15)),
            "100 tags": captured(tagged(b"\x81\0\0\1", 100)),
        },
    ),
    "new half-streams": Parser(
        captured(numbered(of_port)),
        {
            "in tunnels of GTP-U, another TEID each": captured(numbered(of_teid_and_port)),
            "the same, all of one port": captured(numbered(of_teid)),
        },
    ),
    "defrag": Parser(
        captured(partial(halves, "in order")),
        {
            order: captured(partial(halves, order))
            for order in ("in reverse", "first ones alone", "last ones alone", "each twice and different")
        }
        | {
            f"64 kB, {order}": captured(partial(fragments, order))
            for order in ("in order", "reverse", "alternating", "unfinished", "overlapping")
        },
    ),
    "defrag, small datagrams": Parser(
        captured(partial(small_halves, "in order")),
        {
            order: captured(partial(small_halves, order))
            for order in ("in reverse", "first ones alone", "each twice", "each twice and different")
        },
    ),
    "reassembly": Parser(
        captured(partial(upload, "in order")),
        {
            order: captured(partial(upload, order))
            for order in ("reverse", "every other one first", "each again, and different")
        },
    ),
    "reassembly, of requests": Parser(
        captured(requests),
        {
            order: captured(partial(contested_bytes, order))
            for order in ("each again, and different", "bytes that differ", "no beginning", "each before the last")
        },
    ),
    "http1": Parser(
        captured(requests),
        {
            "folded lines": captured(lambda: stream(head(b" folded\r\n", SIZE))),
            "short lines": captured(lambda: stream(head(b"A: b\r\n", SIZE))),
            "one cookie": captured(lambda: stream(head(b"Cookie=" * 20, SIZE))),
            "CRLF": captured(repeated(b"\r\n")),
            "CR": captured(repeated(REQUEST % 1 + b"a: b\r" * 100 + b"\r\n\r\n")),
            "no request at all": captured(repeated(b"GET / HTTP/1.1 x\n")),
            "shortest requests": captured(repeated(b"GET / HTTP/1.1\r\n\r\n")),
            "short requests, two framings each": captured(contested),
            "lengths by the thousand": captured(many_lengths),
            "four lengths each": captured(repeated(POST + b"Content-Length: 5,6,7,8\r\n\r\nxxxxxAAA")),
            "a loose line and three lengths each": captured(
                repeated(POST + b" A: b\r\nContent-Length: 5,6,7\r\n\r\nxxxxxAAA")
            ),
            "a trailer section and a length each": captured(
                repeated(POST + b"Content-Length: 6\r\n" + CHUNKED + b"1\r\nx\r\n0\r\nA: b\r\n\r\n")
            ),
            "short heads, one fold each, by many": captured(by_many(b"GET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n", 7000)),
            "requests in place of trailers, by many": captured(by_many(POST + CHUNKED + b"0\r\n", 7000)),
            "short heads, one fold each": captured(repeated(b"GET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n")),
            "short heads that end in CR": captured(repeated(b"GET / HTTP/1.1\rA: b\r\r")),
            "HTTP/0.9": captured(repeated(b"GET /\n\n")),
            "a long target, and a long trailer section": captured(long_trailers),
            "a long CONNECT, in parts": captured(
                repeated(b"CONNECT " + b"a" * 120_000 + b":80 HTTP/1.1\r\nHost: a\r\n" + b"a:\n" * 45_000 + b"\r\n")
            ),
            "many Hosts, in parts": captured(many_hosts),
            "lines of one letter": captured(repeated(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a\n" * 1000 + b"\r\n")),
            "folds between digits": captured(
                repeated(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n" + b" 1\r\n" * 1000 + b"\r\n")
            ),
            "lone CRs and folds": captured(
                repeated(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n" + b"b:1\r 2\r" * 1000 + b"\r\n\r\n")
            ),
            "request lines with a tab": captured(repeated(b"GET\t/  HTTP/1.1\r\n\r\n")),
            "an upgrade and a line each": captured(repeated(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nx\n")),
            "lines that only seem to be requests": captured(repeated(b"a b HTTP/1.1\n")),
            "a CR before the version": captured(repeated(b"GET /\rHTTP/\n")),
            "a head and a line of junk each": captured(repeated(b"GET / HTTP/1.1\r\nA: b\r\n\r\nx\n")),
            "no chunk, and a trailer section each": captured(repeated(POST + CHUNKED + b"0\r\na:b\r\n\r\n")),
            "requests in place of trailers": captured(repeated(POST + CHUNKED + b"0\r\n")),
            "a coding that nobody knows each": captured(repeated(POST + b"Transfer-Encoding: x\r\n\r\n0\r\n\r\n")),
            "empty lines in place of a body": captured(
                lambda: stream(POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n" + b"\n" * SIZE)
            ),
            "bodies that never come": captured(
                repeated(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            ),
            "lengths in folds": captured(
                repeated(POST + b"A: b\r\n" + b"".join(b" Content-Length: %d\r\n" % n for n in range(40)) + b"\r\n")
            ),
            "Hosts in folds": captured(repeated(POST + b"A: b\r\n Host: c\r\n\r\n")),
        },
    ),
    "http1, small segments": Parser(
        captured(small(b"".join(TYPICAL % number for number in range(300)))),
        {
            "line without end": captured(small(b"GET /" + b"x" * 240_000)),
            "CR CR in a line that begins no head": captured(small(b"GET x\r" + b"\r\rx" * 80_000)),
            "one chunk extension": captured(small(chunk_head(b"1;" + b"x" * 15_000))),
        },
    ),
    "bodies": Parser(
        captured(chunked(b"3e8\r\n" + b"x" * 1000 + b"\r\n")),
        {
            "1-byte chunks": captured(chunked(b"1\r\nx\r\n")),
            "1-byte chunks, bare LF": captured(chunked(b"1\nx\n")),
            "1-byte chunks, blanks": captured(chunked(b" 1\r\nx\r\n")),
            "1-byte chunks, empty extension": captured(chunked(b"1;\r\nx\r\n")),
            "1-byte chunks, 10 digits": captured(chunked(b"0000000001\r\nx\r\n")),
            "small chunks, any size": captured(chunked(any_chunks())),
            "small chunks, any line": captured(chunked(any_chunk_lines())),
            "small chunks, 2 sizes": captured(chunked(b"1\nx\n2\nxx\n")),
            "chunks, 4 sizes": captured(chunked(b"1\nx\n3\r\nxxx\r\n2\nxx\na\nxxxxxxxxxx\n")),
            "chunks of 10": captured(chunked(b"a\nxxxxxxxxxx\n")),
            "1-byte chunks, empty extension, bare LF": captured(chunked(b"1;\nx\n")),
            "chunks with extensions": captured(chunked(b"1" + b";a=b" * 20 + b"\r\nx\r\n")),
        },
    ),
    "http2": Parser(
        captured(http2(*PAGES)),
        {
            "without Huffman coding": captured(http2(*PAGES, huffman=False)),
            "all of it in the table": captured(http2(PAGE)),
            "names and values never twice": captured(
                http2(*[[*BARE, (f"x-{n:06d}", f"{n:032d}")] for n in range(5000)])
            ),
            "one long value": captured(http2([*BARE, ("cookie", "~" * 10_000)])),
            "continuations of one byte": captured(http2(*PAGES, split=1)),
            "empty frames": captured(repeated_frames(bytes((0, 0, 0, 0, 0, 0, 0, 0, 1)))),
            "an entry of 4 kB, named 64 times": captured(named_again(64)),
            "the same, named once": captured(named_again(1)),
            "an entry of 16 bytes, named 64 times": captured(named_again(64, value=15)),
            "a name of 4 kB, named 60 times": captured(named_again(60, name=3900, value=0)),
            "settings": captured(repeated_frames(bytes((0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 16, 0)))),
            "requests in a tunnel": captured(tunnelled(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")),
            "a head in a tunnel, octet by octet": captured(tunnelled(b"a")),
        },
    ),
    "sieve": Parser(
        captured(requests),
        {
            "digits": captured(with_fields(digits)),
            "almost numbers": captured(with_fields(almost_numbers)),
            "hexadecimal": captured(with_fields(hexadecimal)),
            "percent signs, coded twice": captured(with_fields(percents)),
            "the same, long heads": captured(full_heads(b"Cookie", lambda chance: percents(chance) * 30)),
        },
    ),
    "pcap": Parser(
        captured(tls),
        {
            "pcapng": captured(tls, blocks),
            "pcapng with options": captured(tls, partial(blocks, options=OPTIONS)),
            "pcapng with other blocks": captured(tls, partial(blocks, between=OTHER_BLOCK)),
        },
    ),
    "identify, whole command": Parser(
        commanded(requests),
        {
            "other digits in base64": commanded(full_heads(b"Cookie", other_base64)),
            "the same and almost a number": commanded(full_heads(b"Cookie", other_base64_and_one)),
            "other digits in hex": commanded(full_heads(b"Cookie", other_hex)),
            "hexadecimal in a known field": commanded(full_heads(b"X-MSISDN", tokens)),
            "almost numbers in folds": commanded(full_heads(b"X-A", folds)),
            "almost numbers, other marks between": commanded(full_heads(b"X-A", separated)),
            "own numbers that are refused": commanded(full_heads(b"Cookie", glued)),
            "the same in hex": commanded(full_heads(b"Cookie", glued_in_hex)),
            "the same in percent-encoding": commanded(full_heads(b"Cookie", glued_in_percent)),
            "the same in a web token": commanded(full_heads(b"Authorization", web_token)),
            "slashes": commanded(full_heads(b"X-A", lambda _: b"/" * 4000)),
            "a known field with nothing in it": commanded(
                repeated(b"GET / HTTP/1.1\r\nHost: a.example\r\nX-MSISDN: x\r\n\r\n")
            ),
        },
    ),
    "identify": Parser(
        identified(suspect),
        {
            "digits": identified(digits),
            "almost numbers": identified(almost_numbers),
            "hexadecimal": identified(hexadecimal),
            "300 own numbers a head": identified(lambda chance: b"X-A: " + own_numbers(chance)),
        },
    ),
    "radius": Parser(
        accounts(b"\x19\x20" + bytes(30)),
        {
            "empty attributes": accounts(b"\x19\x02"),
            "as many attributes as are looked at": accounts(b"\x19\x04ab"),
            "each of another kind": accounts(b"".join(bytes((kind, 4)) + b"ab" for kind in range(150, 250))),
            "sub-attributes": accounts(b"\x1a\x0c\0\0\x28\xaf" + b"\x63\x02" * 3),
            "fewer sub-attributes": accounts(b"\x1a\x08\0\0\x28\xaf" + b"\x63\x02"),
        },
    ),
    "yaml": Parser(
        rules(lambda n: GRANT % n),
        {
            "one list": rules(lambda _: b"- a\n"),
            "brackets": rules(lambda n: b"a: [" if n == 0 else b"[" if n < 10_000 else b"a,"),
            "list in brackets": rules(lambda n: b"a: [" if n == 0 else b"a,"),
            "lists in lists": rules(lambda n: b"a: [" if n == 0 else b"[[[a]]],"),
            "aliases": rules(lambda n: b"a: &a [x]\n" if n == 0 else b"k%d: *a\n" % n),
            "unknown keys": rules(lambda n: b"k%d: v\n" % n),
            "quotes": rules(lambda n: b'k%d: "\\x41\\x41\\x41\\x41\\x41\\x41"\n' % n),
        },
    ),
}  # fmt: skip


def compared(parser: Parser, folder: Path) -> tuple[float, dict[str, float]]:
    """CPU seconds of the typical input and of each of the worst: the least of so many runs, by turns."""
    works = {"": parser.typical(folder / "typical")}
    works |= {name: prepare(folder / str(place)) for place, (name, prepare) in enumerate(parser.worst.items())}
    least = dict.fromkeys(works, float("inf"))
    for _ in range(RUNS):
        for name, work in works.items():
            least[name] = min(least[name], work())
    return least.pop(""), least


def main() -> None:
    options = argparse.ArgumentParser(
        prog="python -m bench.parsers", description="What the worst input costs a parser."
    )
    options.add_argument("parser", nargs="*", metavar="PARSER", help=f"default: all of {', '.join(PARSERS)}")
    chosen = options.parse_args()
    lines = [
        "## Worst input beside typical input (`make bench-cost`)",
        "",
        *where_and_when(),
        f"- CPU seconds of {SIZE // MB} MB (identify, radius: 1 MB, yaml: {RULES_SIZE // 1000} kB), the least "
        f"of {RUNS} runs; the bar of issue 5 is {BAR:g} times the typical cost",
        "",
        "| parser | typical, CPU s | worst input | CPU s | ratio |",
        "|---|--:|---|--:|--:|",
    ]
    print("\n".join(lines))
    for name in chosen.parser or PARSERS:
        with TemporaryDirectory() as folder:
            typical, worst = compared(PARSERS[name], Path(folder))
        dearest = sorted(worst.items(), key=lambda row: -row[1])
        over = sum(spent > BAR * typical for spent in worst.values())
        for kind, spent in dearest[: max(MOST_ROWS, over)]:
            ratio = spent / typical
            mark = "**" if ratio > BAR else ""
            lines.append(f"| {name} | {typical:.3f} | {kind} | {spent:.3f} | {mark}{ratio:.1f}{mark} |")
            print(lines[-1], flush=True)
    if not chosen.parser:
        put("cost", lines)


if __name__ == "__main__":
    main()
