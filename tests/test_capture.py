"""Paths in, frames out: what a path may name, in which order, and what becomes of captures that cannot be read."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from monitor.counts import zeros
from monitor.portable.capture import FOREIGN, CaptureReader
from monitor.records import Fault, Frame
from pcaps.talk import MS, Talk, pcap
from tests.test_pcapng import Writer

SECOND = 10**9
PACKERS = [gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress, lz4.frame.compress, bytes]


def read(*paths: Path | str, limit: int = 3) -> tuple[list[Frame], list[Fault]]:
    """Every frame and every fault; the counts must agree with them."""
    counts = zeros()
    reader = CaptureReader(tuple(map(str, paths)), counts)
    frames: list[Frame] = []
    while not reader.done:
        frames += reader.read(limit, 0)
    reader.close()
    assert counts["frames"] == len(frames)
    assert counts["captured_bytes"] == sum(len(frame.data) for frame in frames)
    assert counts["blind.source"] == len(reader.faults)
    if not reader.faults:
        assert reader.bytes_read == reader.bytes_total
    return frames, reader.faults


def frame(second: int, link: int = 1) -> Frame:
    return Frame(second * SECOND, link, 3, b"abc")


def write(path: Path, *seconds: int, link: int = 1) -> Path:
    path.write_bytes(pcap([(second * SECOND, b"abc") for second in seconds], link=link))
    return path


# --- order --------------------------------------------------------------------------------------------------------


def test_captures_are_read_in_the_order_of_their_first_frames(tmp_path):
    late, early = write(tmp_path / "a", 30, 5), write(tmp_path / "b", 10, 40)
    assert read(late, early) == ([frame(10), frame(40), frame(30), frame(5)], [])


def test_a_folder_is_every_capture_in_it(tmp_path):
    write(tmp_path / "x.2", 2)
    write(tmp_path / "x.10", 1)
    write(tmp_path / ".hidden", 3)
    (tmp_path / "README").write_text("not a capture, and nobody said that it was")
    (tmp_path / "inside").mkdir()
    write(tmp_path / "inside" / "x.3", 4)
    assert read(tmp_path) == ([frame(1), frame(2)], [])


def test_a_connection_that_spans_rotated_files_stays_whole(tmp_path):
    frames = Talk().open().client(b"GET / HTTP/1.1\r\n\r\n").close().frames
    for number in range(len(frames)):
        octets = pcap(frames[number : number + 1])
        (tmp_path / f"{-number}.pcap.gz").write_bytes(gzip.compress(octets))
    found, faults = read(tmp_path)
    assert [(one.time_ns, one.data) for one in found] == frames
    assert faults == []


def test_a_pattern_that_the_shell_left_alone(tmp_path):
    write(tmp_path / "a1", 1)
    write(tmp_path / "a2", 2)
    write(tmp_path / "b", 3)
    assert read(f"{tmp_path}/a*") == ([frame(1), frame(2)], [])


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path):
    write(tmp_path / "[ab]", 1)
    write(tmp_path / "a", 2)
    assert read(tmp_path / "[ab]") == ([frame(1)], [])


def test_a_capture_that_is_named_twice_is_read_once(tmp_path):
    write(tmp_path / "a", 1)
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    assert read(tmp_path, f"{tmp_path}/*", tmp_path / "a")[0] == [frame(1)]


def test_a_pipe_comes_last_and_never_blocks(tmp_path):
    out, into = os.pipe()
    counts = zeros()
    reader = CaptureReader((f"/dev/fd/{out}", str(write(tmp_path / "a", 9))), counts)
    assert reader.bytes_total is None
    octets = pcap([(SECOND, b"abc")])
    os.write(into, octets[:30])
    found = [reader.read(10, 0) for _ in range(6)]
    assert [one for some in found for one in some] == [frame(9)]
    os.write(into, octets[30:])
    assert reader.read(10, 0) == [frame(1)]
    assert not reader.done
    os.close(into)
    while not reader.done:
        assert reader.read(10, 0) == []
    assert reader.faults == []
    assert reader.read(10, 0) == []
    reader.close()
    os.close(out)


def test_standard_input(tmp_path, monkeypatch):
    saved = os.dup(0)
    with write(tmp_path / "a", 1).open("rb") as capture:
        os.dup2(capture.fileno(), 0)
    try:
        counts = zeros()
        reader = CaptureReader(("-",), counts)
        assert (reader.read(10, 0), reader.bytes_total) == ([frame(1)], None)
        reader.close()
        os.fstat(0)  # still open: it is not ours to close
    finally:
        os.dup2(saved, 0)
        os.close(saved)


# --- captures that cannot be read ---------------------------------------------------------------------------------


def cases() -> list[tuple[str, bytes, Fault]]:
    sound = pcap([(SECOND, b"abc")])
    again = "copy it again, or wait until it is complete"
    claim = struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30)
    convert = "convert it: editcap -F pcap IN OUT"
    rows: list[tuple[str, bytes, int | None, bool, str]] = [
        ("empty", b"", 0, False, "is empty (0 bytes); check that the capture was written"),
        ("text", b"GET / HTTP/1.1\r\n\r\n", 0, False, f"is no capture; if Wireshark opens it, {convert}"),
        ("long text", bytes(100), 0, False, f"is no capture; if Wireshark opens it, {convert}"),
        ("header cut", sound[:23], 0, False, f"is cut at byte 0, in the middle of a record; {again}"),
        ("frame cut", sound + sound[24:-1], 43, True, f"is cut at byte 43, in the middle of a record; {again}"),
        ("first cut", sound[:-1], 24, False, f"is cut at byte 24, in the middle of a record; {again}"),
        (
            "length lies", sound + claim, 43, True,
            f"is damaged at byte 43: a frame of 1073741824 octets is claimed, which cannot be; {again}",
        ),
        (
            "gzip cut", gzip.compress(sound)[:-1], 43, True,
            f"is cut at byte 43 of what it holds compressed: the gzip data ends in the middle; {again}",
        ),
        ("gzip of text", gzip.compress(b"text" * 20), 0, False, f"is no capture; if Wireshark opens it, {convert}"),
        (
            "snoop", b"snoop\0\0\0" + bytes(40), 0, False,
            f"is a snoop capture, which this sensor does not read; {convert}",
        ),
        (
            "zip", b"PK\x03\x04" + bytes(40), 0, False,
            "is a zip archive, which this sensor does not read; unpack it first",
        ),
        (
            "usb", pcap([(SECOND, b"abc")], link=220), None, False,
            "holds frames of link type 220, which this sensor does not read; capture on Ethernet or IP",
        ),
    ]  # fmt: skip
    return [(name, octets, Fault(name, offset, cut, f"{name} {what}")) for name, octets, offset, cut, what in rows]


@pytest.mark.parametrize(("name", "octets", "fault"), [pytest.param(*case, id=case[0]) for case in cases()])
def test_one_clear_sentence_and_the_others_go_on(tmp_path, monkeypatch, name, octets, fault):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(octets)
    write(tmp_path / "sound", 7)
    frames, faults = read(name, "sound")
    assert faults == [fault]
    assert frame(7) in frames


@pytest.mark.parametrize("magic", FOREIGN)
def test_every_foreign_format_is_told_by_name(tmp_path, magic):
    (tmp_path / "x").write_bytes(magic + bytes(40))
    (fault,) = read(tmp_path / "x")[1]
    assert FOREIGN[magic][0] in fault.message
    assert read(tmp_path)[1] == [fault]  # a folder does not hide what somebody captured


def test_missing_forbidden_and_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    assert read("nowhere", "no*", "folder")[1] == [
        Fault("no*", None, False, "no* matches no file; check the pattern"),
        Fault("folder", None, False, "folder holds no capture; name the folder that does"),
        Fault("nowhere", None, False, "nowhere cannot be opened (No such file or directory); check the path"),
    ]


def test_what_may_not_be_opened(tmp_path, monkeypatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    write(tmp_path / "x", 1)
    monkeypatch.setattr(os, "open", refuse)
    message = f"{tmp_path}/x cannot be opened (Permission denied); give this user the right to read it"
    assert read(tmp_path / "x") == ([], [Fault(f"{tmp_path}/x", None, False, message)])


def test_a_capture_of_which_some_interfaces_can_be_read(tmp_path):
    writer = Writer().section("<").interface(1, resolution=0).interface(220).interface(220)
    for number in (0, 1, 1, 0, 2):
        writer.enhanced(number, 1, b"abc", 3)
    (tmp_path / "x").write_bytes(writer.octets)
    frames, faults = read(tmp_path / "x")
    assert len(frames) == 5  # decode counts the three that it cannot read
    assert [fault.cut for fault in faults] == [True]


def test_each_capture_of_an_odd_link_type_is_named(tmp_path):
    write(tmp_path / "a", 1, 2, link=220)
    write(tmp_path / "b", 3, 4, link=220)
    assert [fault.source for fault in read(tmp_path, limit=1)[1]] == [f"{tmp_path}/a", f"{tmp_path}/b"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("cut") / "x"


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6), order=st.sampled_from("<>"), where=st.floats(0, 1))
def test_a_classic_capture_cut_at_any_byte(scratch, sizes, order, where):
    frames = [(number * MS, b"x" * size) for number, size in enumerate(sizes)]
    ends = [24]
    for size in sizes:
        ends.append(ends[-1] + 16 + size)
    octets = pcap(frames, order=order)
    check_cut(scratch, octets, int(where * len(octets)), ends)


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6), order=st.sampled_from("<>"), where=st.floats(0, 1))
def test_a_pcapng_cut_at_any_byte(scratch, sizes, order, where):
    writer = Writer().section(order).interface(1)
    ends = [len(writer.octets)]
    for size in sizes:
        writer.enhanced(0, 1, b"x" * size, size)
        ends.append(len(writer.octets))
    section = len(Writer().section(order).octets)
    check_cut(scratch, writer.octets, int(where * len(writer.octets)), ends, {section})


def check_cut(path: Path, octets: bytes, cut: int, ends: list[int], borders: set[int] = frozenset()) -> None:
    """Frames that end before the cut are read; there is one fault, but for a cut between two records."""
    path.write_bytes(octets[:cut])
    frames, faults = read(path)
    whole = sum(end <= cut for end in ends[1:])
    assert len(frames) == whole
    if cut in ends or cut in borders:
        assert faults == []
    else:
        (fault,) = faults
        assert fault.cut == bool(whole)
        assert fault.offset == max([0, *(end for end in (*ends, *borders) if end <= cut)])


@given(packer=st.sampled_from(PACKERS), where=st.floats(0, 1, exclude_max=True), count=st.integers(1, 50))
def test_a_compressed_capture_cut_at_any_byte(scratch, packer, where, count):
    frames = [(number * MS, bytes([number]) * 40) for number in range(count)]
    packed = packer(pcap(frames))
    scratch.write_bytes(packed[: int(where * len(packed))])
    found, faults = read(scratch)
    assert [(one.time_ns, one.data) for one in found] == frames[: len(found)]
    assert len(faults) == (packer is not bytes or (int(where * len(packed)) - 24) % 56 != 0)


@given(octets=st.binary(max_size=200), magic=st.sampled_from([b"", b"\n\r\r\n", b"\xd4\xc3\xb2\xa1", b"\x1f\x8b"]))
def test_any_octets_are_read_or_faulted(scratch, octets, magic):
    scratch.write_bytes(magic + octets)
    assert len(read(scratch)[1]) <= 2  # an odd link type, and a bad end


def test_a_buffer_boundary_inside_a_frame(tmp_path):
    frames = [(number * MS, os.urandom(1400)) for number in range(400)]  # of several chunks
    (tmp_path / "x").write_bytes(pcap(frames))
    found, faults = read(tmp_path / "x", limit=4096)
    assert [(one.time_ns, one.data) for one in found] == frames
    assert faults == []


def test_a_name_too_long_is_a_fault_like_any_other(tmp_path: Path) -> None:
    _, faults = read(tmp_path / ("x" * 300), tmp_path / ("x" * 300 + "*"))
    assert faults[0].message.endswith("matches no file; check the pattern")
    assert faults[1].message.endswith("cannot be opened (File name too long); check the path")
