"""What a recipe is: a function that makes one capture, with the row it stands for and what the sensor must say of it.

    @recipe(17, leak(), "duplicates")
    def t05_every_packet_twice() -> Talk:
        \"\"\"A SPAN port that mirrors ingress and egress delivers every packet twice.\"\"\"

The function's name is the capture's, its docstring is the story. It returns a Talk, a list of Ethernet frames, or the
bytes of a whole capture file. `expect` is the intent, written down before any engine ran: the golden beside the capture
shows everything that came out, the intent says what had to.
"""

from __future__ import annotations

import gzip
import ipaddress
import lzma
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame
import zstandard

from pcaps.talk import Packet, Talk, pcap

FOLDER = Path(__file__).parent
NUMBER = b"447700900123"
SITE = "shop.example"  # nobody's partner in rules/


class Expected(NamedTuple):
    """So many verdicts (None: at least one) like this."""

    recipient: str
    times: int | None
    outcome: str
    certainty: str | None  # None: both are right


Expectation = tuple[Expected, ...]
QUIET: Expectation = ()


def leak(recipient: str = SITE, times: int = 1, outcome: str = "unknown_recipient") -> Expectation:
    """The number reached `recipient` in so many accepted heads."""
    return (Expected(recipient, times, outcome, "confirmed"),)


def ambiguous(recipient: str = SITE, times: int | None = None, outcome: str = "unknown_recipient") -> Expectation:
    """Two receivers would read the bytes differently, and one reading shows the number."""
    return (Expected(recipient, times, outcome, "ambiguous"),)


def found(recipient: str = SITE, times: int = 1) -> Expectation:
    """As `leak`, where a decoy that most receivers drop may or may not count as a second reading."""
    return (Expected(recipient, times, "unknown_recipient", None),)


def allowed(recipient: str, times: int = 1) -> Expectation:
    """A partner received what was agreed."""
    return leak(recipient, times, "allowed")


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    story: str
    row: int | str  # of the table of hostile and messy traffic, or the family where it has none
    expect: Expectation  # these verdicts and no others
    moved: tuple[str, ...]  # keys of counts.py that must not be 0
    faulty: bool  # the source cannot be read to its end, and that must be said
    suffix: str
    make: Callable[[], Talk | list[Packet] | bytes]

    @property
    def path(self) -> Path:
        return FOLDER / (self.name + self.suffix)

    @property
    def golden(self) -> Path:
        return FOLDER / (self.name + ".json")

    @property
    def intent(self) -> str:
        words = [
            f"{some.times or 'some'} {some.certainty or 'found'} {some.outcome} at {some.recipient}"
            for some in self.expect
        ] or ["no verdict"]
        return ", ".join([*words, *self.moved, *(["a faulty source"] if self.faulty else [])])

    def capture(self) -> bytes:
        """The capture as it is before compression, which is no part of a recipe: packers differ by version."""
        made = self.make()
        if isinstance(made, bytes):
            return made
        return pcap(made.frames if isinstance(made, Talk) else made)

    def unmet(self, verdicts: list[Mapping[str, Any]], counts: Mapping[str, int], faults: int) -> list[str]:
        """What falls short of the intent, in words. `verdicts` are the rows that `replay --format jsonl` prints."""
        short = []
        rest = list(verdicts)
        for wanted in self.expect:
            alike = [v for v in rest if all(getattr(wanted, key) in (None, v[key]) for key in LIKE)]
            rest = [v for v in rest if v not in alike]
            if not alike or wanted.times not in (None, len(alike)):
                short.append(f"wanted {wanted.times or 'some'} of {wanted[0]} {wanted[2:]}, got {len(alike)}")
        short += [f"nobody asked for {tuple(v[key] for key in LIKE)}" for v in rest]
        short += [f"{key} is 0" for key in self.moved if not counts[key]]
        if bool(faults) != self.faulty:
            short.append(f"{faults} faults of the source")
        return short


LIKE = ("recipient", "outcome", "certainty")
RECIPES: dict[str, Recipe] = {}
Make = Callable[[], Any]


def enter(name: str, story: str, row: int | str, expect: Expectation, make: Callable[[], Any], *moved: str,
          faulty: bool = False, suffix: str = ".pcap") -> None:  # fmt: skip
    """Put one recipe into RECIPES."""
    if name in RECIPES:
        raise ValueError(f"two recipes are called {name}")
    RECIPES[name] = Recipe(name, story, row, expect, moved, faulty, suffix, make)


def recipe(row: int | str, expect: Expectation, *moved: str, **how: Any) -> Callable[[Make], Make]:
    """Enter the function below under its name, `_` written as `-`, with its docstring as the story."""

    def decorate(make: Make) -> Make:
        story = " ".join((make.__doc__ or "").split())
        enter(make.__name__.replace("_", "-"), story, row, expect, make, *moved, **how)
        return make

    return decorate


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda octets: gzip.compress(octets, mtime=0),
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(level=19).compress,
    ".lz4": lambda octets: lz4.frame.compress(octets, store_size=False),
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda octets: zstandard.ZstdDecompressor().decompressobj().decompress(octets),
    ".lz4": lz4.frame.decompress,
}


def packed(path: Path, octets: bytes) -> bytes:
    """These octets compressed as the file's name says."""
    return PACK.get(path.suffix, bytes)(octets)


def unpacked(path: Path) -> bytes:
    return UNPACK.get(path.suffix, bytes)(path.read_bytes())


# --- ingredients --------------------------------------------------------------------------------------------------


def get(*lines: bytes, target: bytes = b"/", host: bytes | None = SITE.encode(), method: bytes = b"GET",
        version: bytes = b"HTTP/1.1", end: bytes = b"\r\n") -> bytes:  # fmt: skip
    """A request head of these field lines, Host first."""
    hosts = () if host is None else (b"Host: " + host,)
    return b"".join(line + end for line in (b" ".join((method, target, version)), *hosts, *lines, b""))


def answer(body: bytes = b"ok", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


FIELD = b"X-Up-Calling-Line-ID: " + NUMBER  # what the gateway added in January 2012
LEAK = get(FIELD, b"Accept: */*")
CLEAN = get(b"Accept: */*", target=b"/clean")
OK = answer()


def talk_of(*requests: bytes, **ends: Any) -> Talk:
    """A connection with these requests, each answered."""
    talk = Talk(**ends).open()
    for request in requests:
        talk.client(request).server(OK)
    return talk.close()


def from_client(talk: Talk, packet: bytes) -> bool:
    client = ipaddress.ip_address(talk.src).packed
    return packet[12:16] == client if packet[0] >> 4 == 4 else packet[8:24] == client
