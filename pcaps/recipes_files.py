"""Row 12 and 31: capture files in every form that tools write, and files that are broken.

pcapng as in the IETF draft (draft-ietf-opsawg-pcapng): a section header says the byte order, interface descriptions the
link type and the clock, enhanced packet blocks carry the frames.
"""

from __future__ import annotations

import struct
import zlib

from pcaps.recipe import CLEAN, LEAK, QUIET, get, leak, recipe, talk_of
from pcaps.talk import ETHERNET, RAW, Packet, pcap

MICRO, NANO, BINARY = 6, 9, 0x80 | 20  # if_tsresol: powers of ten, or of two with the high bit
SITE_A, SITE_B = b"a.example", b"b.example"


def block(order: str, kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int, resolution: int = MICRO) -> bytes:
    """`if_tsresol` is left out where it is the default."""
    options = b"" if resolution == MICRO else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(order, 1, struct.pack(order + "HHI", link, 0, 262144) + options)


def enhanced(order: str, number: int, timed: Packet, resolution: int = MICRO) -> bytes:
    time_ns, octets = timed
    ticks = time_ns * 2 ** (resolution & 0x7F) // 10**9 if resolution & 0x80 else time_ns // 10 ** (9 - resolution)
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets))
    return block(order, 6, head + octets)


def pcapng(frames: list[Packet], order: str = "<", link: int = ETHERNET, resolution: int = MICRO) -> bytes:
    """One section with one interface."""
    packets = b"".join(enhanced(order, 0, timed, resolution) for timed in frames)
    return section(order) + interface(order, link, resolution) + packets


@recipe(12, leak(), suffix=".pcapng")
def f01_pcapng() -> bytes:
    """pcapng as Wireshark and dumpcap write it."""
    return pcapng(talk_of(LEAK).frames)


@recipe(12, leak(), suffix=".pcapng")
def f02_pcapng_big_endian_nanoseconds() -> bytes:
    """Big-endian, nanosecond clock."""
    return pcapng(talk_of(LEAK).frames, ">", resolution=NANO)


@recipe(12, leak(), suffix=".pcapng")
def f03_pcapng_binary_clock() -> bytes:
    """A clock that ticks 2^20 times a second."""
    return pcapng(talk_of(LEAK).frames, resolution=BINARY)


@recipe(12, leak(), suffix=".pcapng")
def f04_pcapng_two_interfaces() -> bytes:
    """The uplink tap delivers Ethernet with microseconds, the downlink tap raw IP with nanoseconds: one connection."""
    talk = talk_of(LEAK)
    octets = section("<") + interface("<", ETHERNET) + interface("<", RAW, NANO)
    for framed, plain in zip(talk.frames, talk.packets, strict=True):
        up = plain[1][12:16] == b"\x64\x40\x01\x02"
        octets += enhanced("<", 0, framed) if up else enhanced("<", 1, plain, NANO)
    return octets


@recipe(12, leak("a.example") + leak("b.example"), suffix=".pcapng")
def f05_pcapng_two_sections() -> bytes:
    """Two captures joined by `cat`: the second has another byte order and numbers its interfaces anew."""
    one = pcapng(talk_of(LEAK.replace(b"shop.example", SITE_A)).frames)
    two = pcapng(talk_of(LEAK.replace(b"shop.example", SITE_B), sport=40002).packets, ">", RAW, NANO)
    return one + two


@recipe(12, leak(), suffix=".pcapng")
def f06_pcapng_other_blocks() -> bytes:
    """Name resolution, statistics, an unknown block and a comment between the packets are passed over."""
    noise = block("<", 4, b"\0\0\0\0") + block("<", 5, b"\0" * 12) + block("<", 0x0BAD, b"whatever")
    whole = pcapng(talk_of(LEAK).frames)
    first = len(section("<") + interface("<", ETHERNET))
    return whole[:first] + noise + whole[first:]


@recipe(12, leak())
def f07_pcap_big_endian() -> bytes:
    """Classic pcap from a big-endian machine."""
    return pcap(talk_of(LEAK).frames, order=">")


@recipe(12, leak())
def l30_pcap_nanoseconds() -> bytes:
    """Classic pcap with the nanosecond magic."""
    return pcap(talk_of(LEAK).frames, nano=True)


@recipe("link", leak(), suffix=".pcap.gz")
def f08_gzip() -> list[Packet]:
    """A rotated capture that logrotate packed."""
    return talk_of(LEAK).frames


@recipe("link", leak(), suffix=".pcap.zst")
def f09_zstandard() -> list[Packet]:
    """Packed with zstd."""
    return talk_of(LEAK).frames


@recipe("link", leak(), suffix=".pcap.xz")
def f10_xz() -> list[Packet]:
    """Packed with xz."""
    return talk_of(LEAK).frames


@recipe("link", leak(), suffix=".pcap.lz4")
def f11_lz4() -> list[Packet]:
    """Packed with lz4."""
    return talk_of(LEAK).frames


@recipe("link", leak(), suffix=".pcapng.gz")
def f12_pcapng_gzip() -> bytes:
    """Both at once."""
    return pcapng(talk_of(LEAK).frames)


# --- row 31: files that are broken --------------------------------------------------------------------------------


GZIP = b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff"  # RFC 1952 section 2.3: deflated, of no name and no time


@recipe(31, leak(), "blind.source", faulty=True)
def f20_cut_in_a_frame() -> bytes:
    """The disk was full: the last frame is cut. What came before is judged, the cut is said."""
    return pcap(talk_of(LEAK, CLEAN).frames)[:-30]


@recipe(31, leak(), "blind.source", faulty=True)
def f21_cut_in_a_record_header() -> bytes:
    """The same, eight octets into a record header."""
    talk = talk_of(LEAK)
    return pcap(talk.frames) + b"\0" * 8


@recipe(31, leak(), "blind.source", faulty=True)
def f22_record_length_lies() -> bytes:
    """After good records one that claims two gigabytes."""
    return pcap(talk_of(LEAK).frames) + struct.pack("<IIII", 1_700_000_001, 0, 0x7FFFFFFF, 0x7FFFFFFF) + b"\0" * 64


@recipe(31, QUIET, "blind.source", faulty=True)
def f23_empty_file() -> bytes:
    """No octet at all."""
    return b""


@recipe(31, QUIET, "blind.source", faulty=True)
def f24_not_a_capture() -> bytes:
    """A text file under the wrong name."""
    return get(b"X-MSISDN: none") * 3


@recipe(31, QUIET)
def f25_no_frames() -> bytes:
    """A whole header and nothing behind it: an idle port, no fault."""
    return pcap([])


@recipe(31, leak(), "blind.source", faulty=True, suffix=".pcapng")
def f26_pcapng_block_length_lies() -> bytes:
    """A block whose two lengths differ and whose first one points behind the end of the file."""
    return pcapng(talk_of(LEAK).frames) + struct.pack("<II", 6, 4096) + b"\0" * 40


@recipe(31, QUIET, "skipped.unknown_link", faulty=True)
def f27_unknown_link_type() -> bytes:
    """LINKTYPE_CAN_SOCKETCAN: nothing that this sensor reads, and it says so."""
    return pcap(talk_of(LEAK).frames, link=227)


@recipe(31, leak(), "blind.source", faulty=True)
def f28_gzip_cut() -> bytes:
    """A packed capture whose end is missing; gzip by content, whatever the name says. Stored, not deflated, so that the
    octets do not depend on a version of zlib."""
    store = zlib.compressobj(0, zlib.DEFLATED, -15)
    octets = pcap(talk_of(LEAK, CLEAN).frames)
    return (GZIP + store.compress(octets) + store.flush())[:-60]


@recipe(31, leak(), "blind.source", faulty=True)
def f29_gzip_with_a_wrong_checksum() -> bytes:
    """It came whole, but not as it was sent: everything in it is judged, and that it is damaged is said."""
    store = zlib.compressobj(0, zlib.DEFLATED, -15)
    return GZIP + store.compress(pcap(talk_of(CLEAN, LEAK).frames)) + store.flush() + b"8 wrong."
