"""Rows 38-45: segments in every size, order and contradiction. A decoy is as long as the request and has no number."""

from __future__ import annotations

import struct

from pcaps.recipe import (
    CLEAN,
    FIELD,
    LEAK,
    NUMBER,
    OK,
    QUIET,
    ambiguous,
    found,
    get,
    leak,
    recipe,
    talk_of,
)
from pcaps.talk import ACK, FIN, MS, PSH, RST, SYN, Talk

DATA = PSH | ACK
MASKED = LEAK.replace(NUMBER, b"none-was-set")
MD5 = b"\x13\x12" + b"\x5a" * 16  # RFC 2385
SECOND = 1000 * MS


def begun() -> Talk:
    """An open connection with one clean request behind it."""
    return Talk().open().client(CLEAN).server(OK)


def ended(talk: Talk, head: bytes = LEAK) -> Talk:
    """The client sends the leaking request in earnest, the server answers, both close."""
    return talk.client(head).server(OK).close()


# --- segments in every size and order -----------------------------------------------------------------------------


@recipe(38, leak())
def t03_one_byte_segments() -> Talk:
    """Every octet in a segment of its own."""
    return talk_of(LEAK, mss=1)


@recipe(38, leak())
def t04_reverse_order() -> Talk:
    """The last segment first."""
    talk = Talk(mss=16).open()
    talk.client(LEAK)
    talk.packets[3:-1] = talk.packets[-2:2:-1]
    return talk.server(OK).close()


@recipe(38, leak(), suffix=".pcap.gz")
def t04_early_octets_one_by_one() -> Talk:
    """Seven thousand octets in segments of their own, the last first: more pieces than one direction may hold, but for
    the first 16 kB, which are never let go."""
    talk = Talk(mss=1, step_ns=MS // 10).open()
    talk.client(get(b"Cookie: " + b"c" * 6900, FIELD), acknowledged=False)
    talk.packets[3:] = talk.packets[:2:-1]
    talk.segment(ACK, client=False)
    return talk.server(OK).close()


@recipe(38, leak())
def t07_sequence_wraps() -> Talk:
    """Sequence numbers pass 2^32 inside the head."""
    return talk_of(LEAK, seq=2**32 - 40, mss=16)


@recipe(38, leak())
def t08_sequence_passes_the_sign_bit() -> Talk:
    """Sequence numbers pass 2^31: a signed comparison breaks here."""
    return talk_of(LEAK, seq=2**31 - 40, mss=16)


@recipe(38, leak())
def t34_no_pure_acknowledgements() -> Talk:
    """The server acknowledges only with its response."""
    talk = Talk().open().client(LEAK, acknowledged=False)
    return talk.server(OK, acknowledged=False).close()


# --- conflicting copies -------------------------------------------------------------------------------------------


@recipe(39, ambiguous(), "oddities.overlap")
def t09_retransmission_differs_number_first() -> Talk:
    """Two copies of the segment before the acknowledgement, the number in the first."""
    talk = begun()
    talk.segment(DATA, LEAK)
    return ended(talk, MASKED)


@recipe(39, ambiguous(), "oddities.overlap")
def t10_retransmission_differs_number_second() -> Talk:
    """The number in the second copy."""
    talk = begun()
    talk.segment(DATA, MASKED)
    return ended(talk)


@recipe(39, ambiguous(), "oddities.overlap")
def t102_acknowledgement_before_a_copy_that_differs() -> Talk:
    """The number in the second copy, which the mirror brings behind the acknowledgement: it may have come before."""
    talk = begun().client(MASKED)
    talk.segment(DATA, LEAK, seq=talk.seq - len(LEAK))
    return talk.server(OK).close()


def ahead_of_a_hole(first: bytes, second: bytes) -> Talk:
    talk = begun()
    for head in (first, second):
        talk.segment(DATA, head[10:], seq=talk.seq + 10)
    talk.segment(DATA, LEAK[:10])
    talk.seq += len(LEAK)
    talk.segment(ACK, client=False)
    return talk.server(OK).close()


@recipe(39, ambiguous(), "oddities.overlap")
def t11_overlap_ahead_of_a_hole_number_first() -> Talk:
    """Both copies wait for the octets before them; stacks differ in which one they keep."""
    return ahead_of_a_hole(LEAK, MASKED)


@recipe(39, ambiguous(), "oddities.overlap")
def t12_overlap_ahead_of_a_hole_number_second() -> Talk:
    """The same, the number in the second copy."""
    return ahead_of_a_hole(MASKED, LEAK)


@recipe(39, ambiguous())
def t13_left_overlap_of_four_octets() -> Talk:
    """A segment begins four octets before the end of the last one, with others: the number is in both readings, and
    the Host is another in each."""
    talk = begun()
    at = LEAK.index(b"example") + 4
    talk.segment(DATA, LEAK[:at])
    talk.segment(DATA, b"ANKS" + LEAK[at:], seq=talk.seq + at - 4)
    talk.seq += len(LEAK)
    return talk.server(OK).close()


# --- decoys that a receiver drops ---------------------------------------------------------------------------------


@recipe(40, leak(), "rejected.bad_checksum")
def t20_bad_checksum_decoy() -> Talk:
    """A decoy with a bad checksum, then the real segment."""
    talk = begun()
    talk.segment(DATA, MASKED, bad_checksum=True)
    return ended(talk)


@recipe(41, QUIET, "rejected.bad_checksum")
def t21_number_only_under_a_bad_checksum() -> Talk:
    """The number stands in a segment that no receiver takes; what it takes instead is clean."""
    talk = begun()
    talk.segment(DATA, LEAK, bad_checksum=True)
    return ended(talk, MASKED)


@recipe(42, ambiguous(), "oddities.overlap")
def t23_low_ttl_decoy() -> Talk:
    """The decoy dies on the way, but nobody can know that here."""
    talk = begun()
    talk.segment(DATA, MASKED, ttl=1)
    return ended(talk)


@recipe(42, leak())
def t26_low_ttl_reset() -> Talk:
    """A reset that never arrives; data keeps flowing."""
    talk = begun()
    talk.segment(RST, ttl=1)
    return ended(talk)


@recipe(42, leak())
def t28_low_ttl_fin() -> Talk:
    """A FIN that never arrives."""
    talk = begun()
    talk.segment(FIN | ACK, ttl=1)
    return ended(talk)


@recipe(43, leak())
def t24_reset_out_of_window() -> Talk:
    """A reset far outside the window."""
    talk = begun()
    talk.segment(RST, seq=talk.seq + 10_000_000)
    return ended(talk)


@recipe(43, leak())
def t25_reset_with_bad_checksum() -> Talk:
    """A reset that no stack looks at."""
    talk = begun()
    talk.segment(RST, bad_checksum=True)
    return ended(talk)


@recipe(43, leak())
def t27_reset_with_md5() -> Talk:
    """A reset signed with a key that nobody agreed on (RFC 2385)."""
    talk = begun()
    talk.segment(RST, options=MD5)
    return ended(talk)


@recipe(43, leak())
def t64_reset_with_bad_acknowledgement() -> Talk:
    """A reset whose acknowledgement number lies in the future, inside the window (RFC 5961)."""
    talk = begun()
    talk.segment(RST | ACK, seq=talk.seq + 100, ack=talk.ack + 5_000_000)
    return ended(talk)


@recipe(44, found())
def t43_decoy_without_ack_flag() -> Talk:
    """RFC 9293 drops a segment without ACK."""
    talk = begun()
    talk.segment(PSH, MASKED)
    return ended(talk)


@recipe(44, found())
def t44_decoy_acknowledges_the_future() -> Talk:
    """A segment that acknowledges what was never sent is dropped."""
    talk = begun()
    talk.segment(DATA, MASKED, ack=talk.ack + 5_000_000)
    return ended(talk)


def clock(value: int) -> bytes:
    return b"\x01\x01\x08\x0a" + struct.pack("!II", value, 1)


@recipe(44, found())
def t42_decoy_with_old_timestamp() -> Talk:
    """PAWS (RFC 7323 section 5) drops a segment from the past."""
    talk = Talk()
    talk.segment(SYN, options=clock(100_000))
    talk.seq += 1
    talk.segment(SYN | ACK, client=False, options=clock(7))
    talk.ack += 1
    talk.segment(ACK, options=clock(100_001))
    talk.segment(DATA, MASKED, options=clock(5))
    talk.segment(DATA, LEAK, options=clock(100_002))
    talk.seq += len(LEAK)
    return talk.server(OK)


@recipe(44, found())
def t65_decoy_with_md5() -> Talk:
    """A segment with a signature nobody agreed on."""
    talk = begun()
    talk.segment(DATA, MASKED, options=MD5)
    return ended(talk)


@recipe(44, leak(), "skipped.malformed")
def t66_decoy_with_wrong_data_offset() -> Talk:
    """The data offset points into the header: no payload can be read."""
    talk = begun()
    talk.segment(DATA, MASKED)
    t, packet = talk.packets.pop()
    talk.packets.append((t, packet[:32] + b"\x40" + packet[33:]))
    return ended(talk)


@recipe(45, leak(), "rejected.out_of_window")
def t45_far_future_segment() -> Talk:
    """900 kB ahead: not believed, whatever it holds."""
    talk = begun()
    talk.segment(DATA, get(FIELD, host=b"a.example"), seq=talk.seq + 900_000)
    return ended(talk)
