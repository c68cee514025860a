"""Row 39 and its kin where HTTP/2 or something else than HTTP is in the decoy: tests/decoys.py tries them all."""

from __future__ import annotations

import hpack

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, ambiguous, get, leak, recipe
from pcaps.recipes_copies import decoyed
from pcaps.recipes_http2 import END_HEADERS, END_STREAM, HEADERS, LINE, OPENING, PSEUDO, SETTINGS, frame, literal
from pcaps.recipes_tcp import DATA, begun
from pcaps.talk import MS, Packet, Talk, ethernet

URG = 0x20
NAME = LINE[0]
NOTHING = b"none-was-set"
PREFACE = OPENING[: -len(frame(SETTINGS, 0, 0))]


def requests(*values: bytes) -> list[bytes]:
    """A request for each value of the field that may hold the number; what was sent before is an index."""
    encoder = hpack.Encoder()
    blocks = (encoder.encode([*PSEUDO, (NAME, value)], huffman=False) for value in values)
    return [frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, block) for n, block in enumerate(blocks)]


def copied(first: bytes, second: bytes, *rest: bytes) -> Talk:
    """HTTP/2 with two copies of one frame, then others; nobody acknowledges before the end."""
    talk = Talk().open().client(OPENING)
    talk.segment(DATA, first)
    for octets in (second, *rest):
        talk.client(octets, acknowledged=False)
    return talk.server(frame(SETTINGS, 0, 0)).close()


@recipe(39, ambiguous(times=1), "oddities.overlap")
def h111_h2c_copy_without_the_number_comes_second() -> Talk:
    """Two copies of one HEADERS frame, and only the first one holds the number."""
    return copied(*requests(NUMBER), *requests(NOTHING))


@recipe(39, ambiguous(times=1), "oddities.overlap")
def h112_h2c_copy_with_the_number_comes_second() -> Talk:
    """The same the other way round."""
    return copied(*requests(NOTHING), *requests(NUMBER))


@recipe(39, ambiguous(times=3), "oddities.overlap")
def h113_h2c_copy_changes_the_table() -> Talk:
    """What differs goes into the table of HPACK: the two requests that follow name it by its index, and whoever took
    the other copy reads another value there."""
    first, *rest = requests(NUMBER, NUMBER, NUMBER)
    return copied(*requests(NOTHING), first, *rest)


@recipe(39, ambiguous(times=1), "oddities.overlap")
def h114_h2c_copy_is_a_large_body() -> Talk:
    """The decoy is the header of a DATA frame of a megabyte: whoever takes it reads no frame again."""
    (wanted,) = requests(NUMBER)
    return copied(b"\x10\0\0\0\0\0\0\0\1".ljust(len(wanted), b"x"), wanted)


@recipe(51, ambiguous(times=1), "oddities.urgent")
def h115_h2c_urgent_octet() -> Talk:
    """RFC 6093: who takes the urgent octet out of the stream reads a frame, the others read one that is too long."""
    before, wanted = frame(SETTINGS, 0, 0), frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(*PSEUDO, LINE))
    at = wanted.index(NUMBER) + 5
    octets = before + wanted[:at] + b"-" + wanted[at:]
    talk = Talk().open().client(OPENING)
    talk.segment(DATA | URG, octets, urgent=len(before) + at)
    talk.seq += len(octets)
    return talk.server(frame(SETTINGS, 0, 0)).close()


@recipe(39, ambiguous(times=1), "oddities.overlap")
def t90_decoy_is_a_preface_of_http2() -> Talk:
    """Whoever takes the decoy reads frames from there on, of which the first one has seven megabytes."""
    return decoyed(PREFACE.ljust(len(LEAK), b"x"), LEAK)


@recipe(39, ambiguous(times=2), "oddities.overlap")
def t91_decoy_before_a_preface_of_http2() -> Talk:
    """The reverse: frames are meant, and the decoy is a request that opens a large body."""
    wanted = OPENING + b"".join(requests(NUMBER, NUMBER))
    decoy = b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 999999\r\n\r\n"
    talk = Talk().open()
    talk.segment(DATA, decoy.ljust(len(wanted), b"x"))
    return talk.client(wanted).server(frame(SETTINGS, 0, 0)).close()


def one_by_one(decoy: bytes) -> Talk:
    talk = Talk(mss=1).open()
    talk.segment(DATA, decoy.ljust(len(LEAK), b"x"))
    return talk.client(LEAK).server(OK).close()


@recipe(38, ambiguous(times=1), "opaque_streams.tls")
def t92_one_byte_segments_behind_a_record_of_tls() -> Talk:
    """The decoy looks like TLS. Where a segment begins like a request reading begins all the same, but of segments with
    one byte none does."""
    return one_by_one(b"\x16\x03\x01\x02\0\x01")


@recipe(38, ambiguous(times=1), "opaque_streams.tls")
def t97_one_byte_segments_behind_a_record_of_tls_and_out_of_order() -> Talk:
    """The same, and each four of them come backwards."""
    talk = one_by_one(b"\x16\x03\x01\x02\0\x01")
    begin = 4  # behind handshake and decoy
    for at in range(begin, begin + 4 * (len(LEAK) // 4), 4):
        talk.packets[at : at + 4] = [
            (time_ns, octets)
            for (time_ns, _), (_, octets) in zip(
                talk.packets[at : at + 4], talk.packets[at : at + 4][::-1], strict=True
            )
        ]
    return talk


@recipe(38, ambiguous(times=1), "opaque_streams.response")
def t93_one_byte_segments_behind_a_status_line() -> Talk:
    """The same behind what a server would say."""
    return one_by_one(b"HTTP/1.1 200 OK\r\n\r\n")


def astray(talk: Talk, decoy: bytes, ahead: int = 900_000) -> None:
    """Two segments out of the window, one behind the other."""
    for n, octets in enumerate((decoy, CLEAN)):
        talk.segment(DATA, octets, seq=talk.seq + ahead + n * len(decoy), ttl=1)


@recipe(45, leak(), "rejected.out_of_window")
def t94_two_far_segments_inside_a_head() -> Talk:
    """One segment far ahead is not believed. Two that fit together are, for the capture may have lost what lies before
    them: but the client goes on where it was as well, in the middle of the head."""
    at = LEAK.index(NUMBER) + 5
    talk = begun().client(LEAK[:at], acknowledged=False)
    astray(talk, CLEAN)
    return talk.client(LEAK[at:]).server(OK).close()


@recipe(45, leak(times=2) + leak("a.example"), "rejected.out_of_window", "shed.windows")
def t95_far_segments_again_and_again() -> Talk:
    """The same at three places, and what is said there holds a number too: the client that was acknowledged stays."""
    at = LEAK.index(NUMBER) + 5
    talk = begun().client(LEAK).client(LEAK[:at], acknowledged=False)
    for ahead in (900_000, 1_900_000):
        astray(talk, CLEAN, ahead)
    astray(talk, get(FIELD, host=b"a.example"), 2_900_000)
    return talk.client(LEAK[at:]).server(OK).close()


@recipe(11, leak(times=3), "twin_heads")
def l45_h2c_before_and_after_a_tag() -> list[Packet]:
    """HTTP/2 mirrored twice, once inside PPPoE: the requests happened once, as those of HTTP/1 would have."""
    talk = Talk().open().client(OPENING).server(frame(SETTINGS, 0, 0))
    for octets in requests(NUMBER, NUMBER, NUMBER):
        talk.client(octets).server(b"\0\0\1\1\5\0\0\0\1\x88")
    mirrored = []
    for time_ns, packet in talk.close().packets:
        session = b"\x11\0\0\7" + (len(packet) + 2).to_bytes(2, "big") + b"\0\x21"  # RFC 2516 section 4
        mirrored += [(time_ns, ethernet(packet)[:12] + b"\x88\x64" + session + packet)]
        mirrored += [(time_ns + MS // 10, ethernet(packet))]
    return mirrored
