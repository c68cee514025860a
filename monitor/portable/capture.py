"""Replay: paths in, frames out, in the order in which they were captured.

A path is a file, a folder (every capture in it, but no hidden file and no folder), a pattern that the shell did not
expand, or `-` for standard input. The captures are read one after another in the order of their first frames, however
they were named, so that a connection which spans two files of a rotating capture stays whole; pipes, which cannot be
looked into before their turn, come last. Captures that overlap in time are not interleaved: that is mergecap's work.

Nothing here raises for what a file holds. What cannot be read becomes a Fault that says where and what to do, is
counted as blind{source}, and the other captures go on.
"""

from __future__ import annotations

import errno
import glob
import math
import os
from collections import deque
from collections.abc import Callable
from operator import attrgetter, itemgetter
from pathlib import Path

from monitor.portable.compressed import Octets
from monitor.portable.pcap import HEADER_SIZE, MAGICS, Pcap
from monitor.portable.pcapng import MAGIC, Pcapng
from monitor.portable.source import READABLE, count_frames
from monitor.records import Fault, Frame
from monitor.redact import mask_path

STANDARD_INPUT = "-"
WILDCARDS = frozenset("*?[")
BEFORE, AFTER = -math.inf, math.inf  # every time stamp

CONVERT = "convert it: editcap -F pcap IN OUT"
UNPACK = "unpack it first"
AGAIN = "copy it again, or wait until it is complete"
FOREIGN = {  # how the files of other programs begin; what they are; the remedy
    b"snoop\0\0\0": ("a snoop capture", CONVERT),
    b"btsnoop\0": ("a Bluetooth snoop capture", CONVERT),
    b"GMBU": ("a Network Monitor capture", CONVERT),
    b"RTSS": ("a Network Monitor 1 capture", CONVERT),
    b"XCP\0": ("a NetXRay or Windows Sniffer capture", CONVERT),
    b"TRSNIFF data": ("a DOS Sniffer capture", CONVERT),
    b"iptrace ": ("an AIX iptrace capture", CONVERT),
    b"\x7fver": ("an EtherPeek capture", CONVERT),
    b"\x05VNF": ("a Visual Networks capture", CONVERT),
    b"\xaaU\xaaU": ("a 5View capture", CONVERT),
    b"\x1c\x00\x01\xab": ("an IXIA capture", CONVERT),
    b"\xab\x01\x00\x1c": ("an IXIA capture", CONVERT),
    b"\x1c\x00\x01\xac": ("an IXIA capture", CONVERT),
    b"\xac\x01\x00\x1c": ("an IXIA capture", CONVERT),
    b"PK\x03\x04": ("a zip archive", UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", UNPACK),
    b"\x02\x21\x4c\x18": ("a legacy lz4 file", UNPACK),
    b"\x1f\x9d": ("a file of compress", UNPACK),
}


class Capture:
    """One capture: its frames, and when it is `done` the Fault for which the rest is missing, if there is one."""

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.done = False
        self.fault: Fault | None = None
        self.links: set[int] = set()  # link types of its frames so far
        self.foreign = False  # it begins like nothing that is known: no capture, and nothing that could hold one
        self._begun = False  # a frame was read
        self._octets = b""
        self._at = 0  # where in `_octets` the next record begins
        self._base = 0  # where in the capture `_octets` begin
        self._reader: Pcap | Pcapng | None = None
        self._source: Octets | None = None
        try:
            self._source = Octets(path)
        except OSError as error:
            self._stop(f"cannot be opened ({error.strerror}); {_remedy(error)}")

    @property
    def bytes_read(self) -> int:
        return self._source.bytes_read if self._source else 0

    def read(self, limit: int, timeout: float) -> list[Frame]:
        """At most `limit` frames; none while they are still to come, and when the capture is done."""
        frames = self._walk(limit)
        if frames or self.done or not self._source:
            return frames
        if self._source.done:
            self._end(self._source)
            return []
        fresh = self._source.read(timeout)
        self._octets, self._base, self._at = self._octets[self._at :] + fresh, self._base + self._at, 0
        return self._walk(limit)

    def close(self) -> None:
        if self._source:
            self._source.close()

    def _walk(self, limit: int) -> list[Frame]:
        if not self._reader:
            if len(self._octets) >= HEADER_SIZE and not self.done:
                self._recognise()
            if not self._reader:
                return []
        frames, self._at, wrong = self._reader.walk(self._octets, self._at, limit)
        if frames:
            self._begun = True
            self.links.update(map(_link, frames))
        if wrong:
            self._stop(f"is damaged at {self._place}: {wrong}; {AGAIN}", self._base + self._at)
        return frames

    def _recognise(self) -> None:
        magic = self._octets[:4]
        if magic == MAGIC:
            self._reader = Pcapng()
        elif magic in MAGICS:
            self._reader, self._at = Pcap(self._octets[:HEADER_SIZE]), HEADER_SIZE
        else:
            self._stop_at_foreign()

    def _stop_at_foreign(self) -> None:
        for magic, (kind, remedy) in FOREIGN.items():
            if self._octets.startswith(magic):
                self._stop(f"is {kind}, which this sensor does not read; {remedy}", 0)
                return
        self.foreign = True
        self._stop(f"is no capture; if Wireshark opens it, {CONVERT}", 0)

    def _end(self, source: Octets) -> None:
        """No more octets come: is this a proper end?"""
        if source.wrong:
            self._stop(f"is cut at {self._place}: {source.wrong}; {AGAIN}", self._base + self._at)
        elif self._reader and self._at == len(self._octets):
            self.done = True
        elif self._reader or self._octets[:4] in (MAGIC, *MAGICS):
            self._stop(f"is cut at {self._place}, in the middle of a record; {AGAIN}", self._base + self._at)
        elif self._octets:
            self._stop_at_foreign()
        else:
            self._stop("is empty (0 bytes); check that the capture was written", 0)

    @property
    def _place(self) -> str:
        inside = " of what it holds compressed" if self._source and self._source.format else ""
        return f"byte {self._base + self._at}{inside}"

    def _stop(self, what: str, offset: int | None = None) -> None:
        self.done = True
        self.fault = Fault(self.name, offset, self._begun, f"{self.name} {what}")


class CaptureReader:
    """The frames of all captures that `paths` name, counted into `counts`. Raises nothing: see `faults`.

    `bytes_total` is their size as they lie on disk, None where a pipe is among them.
    """

    def __init__(
        self, paths: tuple[str, ...], counts: dict[str, int], open_capture: Callable[[str], Capture] = Capture
    ) -> None:
        self.faults: list[Fault] = []
        self._counts = counts
        self._open_capture = open_capture
        self._capture: Capture | None = None
        self._links: set[int] = set()  # of the current capture that were looked at
        self._bytes_before = 0  # of the captures before it
        self._to_come = deque(self._in_time_order(paths))
        self.bytes_total = None if any(map(_is_pipe, self._to_come)) else sum(map(_size, self._to_come))

    @property
    def done(self) -> bool:
        return not self._capture and not self._to_come

    @property
    def bytes_read(self) -> int:
        """As the files lie on disk, or as they came from a pipe."""
        return self._bytes_before + (self._capture.bytes_read if self._capture else 0)

    def read(self, limit: int, timeout: float) -> list[Frame]:
        """At most `limit` frames, all of one capture; may be none. Waits for a pipe at most `timeout` seconds."""
        if not self._capture:
            if not self._to_come:
                return []
            self._capture, self._links = self._open_capture(self._to_come.popleft()), set()
        capture = self._capture
        frames = capture.read(limit, timeout)
        if frames:
            count_frames(self._counts, frames)
        if len(capture.links) > len(self._links):
            self._note_links(capture)
        if capture.done:
            if capture.fault:
                self._add(capture.fault)
            self._bytes_before += capture.bytes_read
            capture.close()
            self._capture = None
        return frames

    def close(self) -> None:
        if self._capture:
            self._capture.close()

    def _note_links(self, capture: Capture) -> None:
        for link in capture.links - self._links:
            self._links.add(link)
            if link not in READABLE:
                what = f"holds frames of link type {link}, which this sensor does not read; capture on Ethernet or IP"
                cut = not self._links.isdisjoint(READABLE)
                self._add(Fault(capture.name, None, cut, f"{capture.name} {what}"))

    def _add(self, fault: Fault) -> None:
        message = fault.message.replace(fault.source, mask_path(fault.source), 1)
        self.faults.append(fault._replace(message=message))
        self._counts["blind.source"] += 1

    def _in_time_order(self, paths: tuple[str, ...]) -> list[str]:
        begins: dict[str, tuple[float, str]] = {}  # by real path: a file that is named twice is read once
        for path in paths:
            for begin, file in self._files(path):
                begins.setdefault(os.path.realpath(file), (begin, file))
        return [file for _, file in sorted(begins.values(), key=itemgetter(0))]

    def _files(self, path: str) -> list[tuple[float, str]]:
        """What a path names, each with the time of its first frame."""
        if not WILDCARDS.isdisjoint(path) and not os.path.exists(path):
            matches = sorted(glob.glob(path))
            if not matches:
                self._add(Fault(path, None, False, f"{path} matches no file; check the pattern"))
            return [file for match in matches for file in self._files(match)]
        if not os.path.isdir(path):
            return [(_first_time(path) or BEFORE, path)]
        try:
            inside = [
                str(file) for file in sorted(Path(path).iterdir()) if file.name[0] != "." and os.path.isfile(file)
            ]
        except OSError as error:
            self._add(Fault(path, None, False, f"{path} cannot be opened ({error.strerror}); {_remedy(error)}"))
            return []
        begins = [(begin, file) for file in inside if (begin := _first_time(file)) is not None]
        if not begins:
            self._add(Fault(path, None, False, f"{path} holds no capture; name the folder that does"))
        return begins


def _first_time(path: str) -> float | None:
    """Time stamp of the first frame: BEFORE where there is none, AFTER for a pipe, None for what is no capture."""
    if _is_pipe(path):
        return AFTER
    capture = Capture(path)
    frames: list[Frame] = []
    while not frames and not capture.done:
        frames = capture.read(1, 0)
    capture.close()
    if frames:
        return frames[0].time_ns
    return None if capture.foreign else BEFORE


def _is_pipe(path: str) -> bool:
    return path == STANDARD_INPUT or (os.path.exists(path) and not os.path.isfile(path))


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _remedy(error: OSError) -> str:
    return "give this user the right to read it" if error.errno == errno.EACCES else "check the path"


_link = attrgetter("link")
