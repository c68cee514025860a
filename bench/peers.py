"""The tools that people use for this today: takes a capture, yields the command that reads it with each of them.

None of them judges; what each does is said beside its figures, for a tool that does less should cost less.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

PATTERN = "msisdn|calling-line-id"


class Peer(NamedTuple):
    command: str
    package: str  # of Debian
    does: str
    arguments: tuple[str, ...]  # {capture} and {folder}, an empty one, are filled in

    @property
    def installed(self) -> bool:
        return shutil.which(self.command) is not None

    def line(self, capture: Path, folder: Path) -> list[str]:
        return [self.command, *(each.format(capture=capture, folder=folder) for each in self.arguments)]


PEERS = (
    Peer("tcpdump", "tcpdump", "copies records", ("-r", "{capture}", "-w", "/dev/null")),
    Peer("ngrep", "ngrep", "one expression over each packet", ("-q", "-i", "-I", "{capture}", PATTERN, "tcp")),
    Peer("tcpflow", "tcpflow", "reassembles both halves into files", ("-r", "{capture}", "-o", "{folder}")),
    Peer(
        "tshark",
        "tshark",
        "reassembles, reads every header of HTTP on its ports",
        ("-n", "-r", "{capture}", "-Y", "http.request", "-T", "fields", "-e", "http.host", "-e", "http.request.line"),
    ),
    Peer(
        "suricata",
        "suricata",
        "reassembles, logs requests, Debian's configuration, one thread",
        ("-r", "{capture}", "-l", "{folder}", "-S", "/dev/null", "--runmode", "single", "-k", "none"),
    ),
)
