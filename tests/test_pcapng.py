"""pcapng captures, from a writer of a few lines: whole, byte by byte, and broken one field at a time."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.pcapng import BLOCK_LIMIT, LAST_NS, Pcapng
from monitor.records import Frame

UNKNOWN_BLOCKS = (4, 5, 10, 0x80000001, 0xBAD)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


@dataclass
class Writer:
    """Blocks in `octets`, and the frames that a reader should see in them."""

    order: str = "<"
    octets: bytes = b""
    frames: list[Frame] = field(default_factory=list)

    def block(self, kind: int, body: bytes) -> Writer:
        body += bytes(-len(body) % 4)
        length = struct.pack(self.order + "I", len(body) + 12)
        self.octets += struct.pack(self.order + "I", kind) + length + body + length
        return self

    def section(self, order: str) -> Writer:
        self.order = order
        return self.block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(
        self, link: int, *, snap: int = 0, resolution: int | None = None, offset: int | None = None
    ) -> Writer:
        options = option(self.order, 2, b"odd")  # if_name
        if resolution is not None:
            options += option(self.order, 9, bytes([resolution]))
        if offset is not None:
            options += option(self.order, 14, struct.pack(self.order + "q", offset))
        options += option(self.order, 0, b"") + b"rest"
        return self.block(1, struct.pack(self.order + "HHI", link, 0, snap) + options)

    def enhanced(self, number: int, ticks: int, data: bytes, wire_len: int, frame: Frame | None = None) -> Writer:
        head = struct.pack(self.order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire_len)
        return self._expect(frame).block(6, head + data + bytes(-len(data) % 4) + option(self.order, 2, b"\1\0\0\0"))

    def packet(self, number: int, ticks: int, data: bytes, wire_len: int, frame: Frame | None = None) -> Writer:
        head = struct.pack(self.order + "HHIIII", number, 3, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire_len)
        return self._expect(frame).block(2, head + data)

    def simple(self, data: bytes, wire_len: int, frame: Frame | None = None) -> Writer:
        return self._expect(frame).block(3, struct.pack(self.order + "I", wire_len) + data)

    def _expect(self, frame: Frame | None) -> Writer:
        if frame:
            self.frames.append(frame)
        return self


@st.composite
def captures(draw: st.DrawFn) -> Writer:
    """Sections of either byte order, each with its interfaces and with blocks of every kind."""
    writer, time_ns = Writer(), 0
    for order in draw(st.lists(st.sampled_from("<>"), min_size=1, max_size=3)):
        writer.section(order)
        links = draw(st.lists(st.sampled_from([1, 101, 113, 276]), min_size=1, max_size=3))
        for link in links:
            writer.interface(link, resolution=9)
        for kind in draw(st.lists(st.sampled_from(["enhanced", "packet", "simple", "other"]), max_size=5)):
            data = draw(st.binary(max_size=40))
            number = draw(st.integers(0, len(links) - 1))
            if kind == "other":
                writer.block(draw(st.sampled_from(UNKNOWN_BLOCKS)), data)
            elif kind == "simple":
                writer.simple(data, len(data), Frame(time_ns, links[0], len(data), data))
            else:
                time_ns = draw(st.integers(0, LAST_NS))
                frame = Frame(time_ns, links[number], len(data) + 7, data)
                getattr(writer, kind)(number, time_ns, data, len(data) + 7, frame)
    return writer


def walked(octets: bytes) -> tuple[list[Frame], int, str]:
    return Pcapng().walk(octets, 0, 1000)


@given(writer=captures())
def test_every_frame_comes_back(writer):
    assert walked(writer.octets) == (writer.frames, len(writer.octets), "")


@given(writer=captures())
def test_byte_by_byte_gives_the_same_as_whole(writer):
    reader, at, found = Pcapng(), 0, []
    for end in range(len(writer.octets) + 1):
        more, at, wrong = reader.walk(writer.octets[:end], at, 1)
        assert not wrong
        found += more
    while at < len(writer.octets):  # the limit of one frame left blocks over
        more, at, _ = reader.walk(writer.octets, at, 1)
        found += more
    assert found == writer.frames


@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),  # microseconds unless told otherwise
        (0, 1_700_000_000, 1_700_000_000 * 10**9),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_700_000_123_456_789_999, 1_700_000_123_456_789),
        (0x80 | 10, 3 * 1024 + 512, 3_500_000_000),
        (0x80, 3, 3_000_000_000),
    ],
)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("offset", [None, 3600, -3600])
def test_time_resolution_and_offset(order, resolution, ticks, time_ns, offset):
    writer = Writer().section(order).interface(1, resolution=resolution, offset=offset)
    found = walked(writer.enhanced(0, ticks, b"abc", 3).octets)[0]
    assert found[0].time_ns == time_ns + (offset or 0) * 10**9


def test_a_simple_packet_is_cut_at_the_snap_length_of_the_first_interface():
    writer = Writer().section("<").interface(113, snap=4).interface(1)
    assert walked(writer.simple(b"abcd", 900).octets)[0] == [Frame(0, 113, 900, b"abcd")]


def sound() -> Writer:
    return Writer().section("<").interface(1).enhanced(0, 1, b"abcd", 4, Frame(1000, 1, 4, b"abcd"))


def raw(kind: int, length: int, body: bytes, at_its_end: int | None = None) -> bytes:
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length if at_its_end is None else at_its_end)


@pytest.mark.parametrize(
    "block",
    [
        raw(5, 16, b"abcd", 20),  # two lengths that differ
        raw(5, 8, b""),  # shorter than a block can be
        raw(5, 0, b""),
        raw(5, BLOCK_LIMIT + 4, b"abcd"),
        raw(6, 16, bytes(4)),  # no room for the fields
        raw(6, 36, struct.pack("<IIIII", 0, 0, 0, 5, 5) + bytes(4)),  # a packet longer than its block
        raw(6, 32, struct.pack("<IIIII", 1, 0, 0, 0, 0)),  # an interface that was not described
        raw(2, 36, struct.pack("<HHIIII", 0, 0, 0, 0, 5, 5) + bytes(4)),
        raw(3, 12, b""),
        raw(3, 20, struct.pack("<I", 5) + bytes(4)),
        raw(1, 12, b""),
        raw(0x0A0D0D0A, 28, b"none" + bytes(12)),
    ],
)
def test_a_block_that_lies_ends_the_walk_where_it_begins(block):
    writer = sound()
    assert walked(writer.octets + block + writer.octets)[:2] == (writer.frames, len(writer.octets))
    assert walked(writer.octets + block + writer.octets)[2]


def test_a_section_forgets_the_interfaces_of_the_one_before():
    writer = sound()
    octets = Writer(octets=writer.octets).section(">").enhanced(0, 1, b"abcd", 4).octets
    assert walked(octets)[2] == "a packet block begins that does not hold its packet, or names no interface"


def test_an_option_that_overruns_its_block_is_left_out():
    writer = Writer().section("<").block(1, struct.pack("<HHIHH", 1, 0, 0, 9, 4000)).enhanced(0, 5, b"abcd", 4)
    assert walked(writer.octets)[0] == [Frame(5000, 1, 4, b"abcd")]


def test_a_time_that_no_clock_shows_is_the_last_that_one_does():
    writer = Writer("<")
    writer.interface(1, resolution=9)
    writer.enhanced(0, 2**64 - 1, b"", 0, Frame(LAST_NS, 1, 0, b""))
    assert walked(writer.octets)[0] == writer.frames
