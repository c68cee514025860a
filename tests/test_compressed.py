"""Octets of files and pipes: whole, in members, cut, damaged, and trickling in."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import zlib
from contextlib import suppress
from pathlib import Path
from unittest.mock import ANY

import lz4.frame
import pytest
import zstandard

from monitor.portable.compressed import Octets

TEXT = bytes(range(256)) * 40
PACK = {
    "plain": lambda octets: octets,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda octets: lz4.frame.compress(octets, content_checksum=True),
}
CHECKSUM = {"gzip": -8, "xz": -12, "zstd": -1, "lz4": -1}  # an octet of it
COMPRESSED = [name for name in PACK if name != "plain"]


def drained(path: Path | str) -> tuple[bytes, str]:
    source, found = Octets(str(path)), []
    while not source.done:
        found.append(source.read(0.01))
        assert len(found[-1]) <= 2**20  # a block of bzip2 is 900 kB
    source.close()
    return b"".join(found), source.wrong


@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("size", [0, 1, 5, 6, 5000, 10000])
def test_octets_come_back(tmp_path, form, size):
    (tmp_path / "x").write_bytes(PACK[form](TEXT[:size]))
    assert drained(tmp_path / "x") == (TEXT[:size], "")


@pytest.mark.parametrize("form", COMPRESSED)
def test_more_than_a_chunk(tmp_path, form):
    octets = os.urandom(2**21)
    (tmp_path / "x").write_bytes(PACK[form](octets))
    assert drained(tmp_path / "x") == (octets, "")


@pytest.mark.parametrize("form", COMPRESSED)
@pytest.mark.parametrize("padding", [0, 4, 9000])
def test_members_one_after_another_with_padding_between(tmp_path, form, padding):
    member = PACK[form](TEXT) + bytes(padding)
    (tmp_path / "x").write_bytes(member * 3)
    assert drained(tmp_path / "x") == (TEXT * 3, "")


def test_skippable_frames_before_the_first_of_zstd(tmp_path):
    (tmp_path / "x").write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0size" + PACK["zstd"](TEXT))
    assert drained(tmp_path / "x") == (TEXT, "")


@pytest.mark.parametrize("form", COMPRESSED)
def test_a_cut_keeps_what_is_whole_and_says_so(tmp_path, form):
    packed = PACK[form](TEXT)
    for size in range(6, len(packed), 7):
        (tmp_path / "x").write_bytes(packed[:size])
        octets, wrong = drained(tmp_path / "x")
        assert TEXT.startswith(octets)
        assert wrong == f"the {form} data ends in the middle"


@pytest.mark.parametrize("form", COMPRESSED)
def test_damage_keeps_the_members_before_it(tmp_path, form):
    damaged = PACK[form](b"")[:6] + b"\xff" * 60
    (tmp_path / "x").write_bytes(PACK[form](TEXT) + damaged)
    octets, wrong = drained(tmp_path / "x")
    assert octets == TEXT
    assert wrong.startswith(f"the {form} data is damaged (")


@pytest.mark.parametrize("form", [form for form in COMPRESSED if form != "bzip2"])  # it checks before it gives any
@pytest.mark.parametrize("octets", [TEXT, bytes(range(256)) * 4000], ids=["short", "long"])
def test_a_wrong_checksum_at_the_end_loses_nothing(tmp_path, form, octets):
    packed, member = bytearray(PACK[form](octets)), PACK[form](b"before")
    packed[CHECKSUM[form]] ^= 1
    (tmp_path / "x").write_bytes(member + bytes(4) + packed)
    found, wrong = drained(tmp_path / "x")
    assert found == b"before" + octets
    assert wrong.startswith(f"the {form} data is damaged (")


def octet_by_octet(packed: bytes) -> bytes:
    """What comes before the damage: slow and plain."""
    codec, found = zlib.decompressobj(wbits=31), b""
    with suppress(zlib.error):
        for octet in packed:
            found += codec.decompress(bytes([octet]))
    return found


def test_damage_in_the_middle_costs_what_is_behind_it(tmp_path):
    packed = gzip.compress(random.Random(1).randbytes(9000) + TEXT)
    for place in range(20, len(packed), 997):
        damaged = packed[:place] + b"\xff" * 40 + packed[place + 40 :]
        (tmp_path / "x").write_bytes(damaged)
        assert drained(tmp_path / "x") == (octet_by_octet(damaged), ANY)


def test_a_pipe_gives_what_it_has_and_never_blocks(tmp_path):
    out, into = os.pipe()
    source = Octets(f"/dev/fd/{out}")
    assert source.read(0) == b""
    os.write(into, b"abc")
    assert source.read(0) == b""  # it could still be a magic of six octets
    os.write(into, b"defg")
    assert source.read(0) == b"abcdefg"
    os.write(into, b"hi")
    assert source.read(0) == b"hi"
    assert not source.done
    os.close(into)
    assert source.read(0) == b""
    assert source.done
    assert source.bytes_read == 9
    source.close()
    os.close(out)


def test_a_compressed_pipe_byte_by_byte():
    out, into = os.pipe()
    source, found = Octets(f"/dev/fd/{out}"), []
    for octet in PACK["gzip"](b"abc" * 100):
        os.write(into, bytes([octet]))
        found.append(source.read(0))
    os.close(into)
    while not source.done:
        found.append(source.read(0))
    assert (b"".join(found), source.wrong) == (b"abc" * 100, "")
    source.close()
    os.close(out)


def test_an_answer_of_the_disk_is_told(tmp_path):
    source = Octets(str(tmp_path))  # a folder opens, but does not read
    source.read(0)
    assert source.done
    assert source.wrong == "the disk or the network answered: Is a directory"
    source.close()
