"""The octets of one capture, from a file or a pipe, decompressed on the way.

Takes a path, yields octets a chunk at a time; nothing holds more than a chunk. What a file is compressed with is seen
by its first octets, never by its name. The decompressors are fed pieces of 4 KiB: so little bounds what one step can
put out (zstd at most 128 KiB for 4 octets: 128 MiB, the others less). One that meets damage, or a wrong checksum at its
end, keeps to itself what it made of the piece: so the member is read once more up to there, and from there octet by
octet. Only a pipe cannot be read twice, and loses the piece.
"""

from __future__ import annotations

import os
import re
import select
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

CHUNK = 1 << 17  # fits the cache: 0.8 us a frame; with 1 MiB 1.1
PIECE = 4096
MAGIC_SIZE = 6  # of the longest magic below


class Codec(Protocol):
    """What zlib, bz2, lzma, lz4.frame and zstandard have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Format(NamedTuple):
    name: str
    magic: re.Pattern[bytes]
    codec: Callable[[], tuple[Codec, type[Exception]]]  # a decompressor for one member, and what it raises


# the imports are late: each costs time at start, and few captures are compressed


def _gzip() -> tuple[Codec, type[Exception]]:
    import zlib

    return zlib.decompressobj(wbits=31), zlib.error


def _bzip2() -> tuple[Codec, type[Exception]]:
    import bz2

    return bz2.BZ2Decompressor(), OSError


def _xz() -> tuple[Codec, type[Exception]]:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ), lzma.LZMAError


def _zstd() -> tuple[Codec, type[Exception]]:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError


def _lz4() -> tuple[Codec, type[Exception]]:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor(), RuntimeError


FORMATS = (
    Format("gzip", re.compile(rb"\x1f\x8b"), _gzip),  # RFC 1952 section 2.3.1
    Format("bzip2", re.compile(rb"BZh[1-9]"), _bzip2),
    Format("xz", re.compile(rb"\xfd7zXZ\0"), _xz),
    Format("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstd),  # RFC 8878 section 3.1
    Format("lz4", re.compile(rb"\x04\x22\x4d\x18"), _lz4),
)


class Octets:
    """The octets of `path` (`-` is standard input). Raises OSError when it cannot be opened.

    `bytes_read` counts them as they lie on disk. `done` means that no more will come; `wrong` then says why the end is
    no proper end, or is empty.
    """

    def __init__(self, path: str) -> None:
        self._fd = 0 if path == "-" else os.open(path, os.O_RDONLY)
        self._waits = not stat.S_ISREG(os.fstat(self._fd).st_mode)  # a pipe, a terminal: may have nothing yet
        self._held = b""  # as read, not yet given on
        self._at = 0  # how much of it the decompressor has had
        self._ended = False
        self._known = False  # the first octets were looked at
        self.format: Format | None = None  # None also for what is not compressed
        self._codec: Codec | None = None  # None between two members
        self._member = 0  # where the one at hand begins, in octets as they lie on disk
        self._error: type[Exception] = OSError
        self.bytes_read = 0
        self.wrong = ""

    @property
    def done(self) -> bool:
        return bool(self.wrong) or (self._ended and self._at == len(self._held))

    def read(self, timeout: float) -> bytes:
        """The next octets, about CHUNK of them; empty when a pipe has none within `timeout` seconds, or when done."""
        if len(self._held) - self._at < MAGIC_SIZE and not self._ended:
            self._fetch(timeout)
        if not self._known:
            if len(self._held) < MAGIC_SIZE and not self._ended:
                return b""
            self._known = True
            self.format = next((known for known in FORMATS if known.magic.match(self._held)), None)
        if self.format is None:
            octets, self._held = self._held, b""
            return octets
        return self._unpack(self.format)

    def close(self) -> None:
        if self._fd > 0:
            os.close(self._fd)

    def _fetch(self, timeout: float) -> None:
        if self._waits and not select.select([self._fd], [], [], timeout)[0]:
            return
        try:
            fresh = os.read(self._fd, CHUNK)
        except OSError as error:
            self.wrong = answered(error.errno or 0)
            return
        self._ended = not fresh
        self._held, self._at = self._held[self._at :] + fresh, 0
        self.bytes_read += len(fresh)

    def _unpack(self, form: Format) -> bytes:
        found: list[bytes] = []
        size = 0
        while self._at < len(self._held) and size < CHUNK:
            piece = self._held[self._at : self._at + PIECE]
            self._at += len(piece)
            if self._codec is None:
                piece = piece.lstrip(b"\0")  # padding between members, and after the last
                if not piece:
                    continue
                self._codec, self._error = form.codec()
                self._member = self._place - len(piece)
            try:
                found.append(self._codec.decompress(piece))
            except self._error as error:
                self.wrong = f"the {form.name} data is damaged ({error})"
                found += self._before_damage(form, piece)
                break
            size += len(found[-1])
            if self._codec.eof:
                self._at -= len(self._codec.unused_data or b"")  # lz4 says None
                self._codec = None
        if self._ended and self._at == len(self._held) and self._codec is not None:
            self.wrong = f"the {form.name} data ends in the middle"
        return b"".join(found)

    @property
    def _place(self) -> int:
        """Octets, as they lie on disk, that the decompressor has had."""
        return self.bytes_read - len(self._held) + self._at

    def _before_damage(self, form: Format, piece: bytes) -> Iterator[bytes]:
        """What this piece shows up to the damage in it."""
        if self._waits:
            return
        codec, error = form.codec()
        start, stop = self._member, self._place - len(piece)
        with suppress(error):
            while start < stop and (known := os.pread(self._fd, min(PIECE, stop - start), start)):
                codec.decompress(known)
                start += len(known)
            for at in range(len(piece)):
                yield codec.decompress(piece[at : at + 1])


def answered(number: int) -> str:
    """What stopped a reader, by its errno."""
    return f"the disk or the network answered: {os.strerror(number)}"
