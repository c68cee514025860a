"""Row 39 and its kin: a decoy that does more than to hide a number in its own octets; and the same for what is mirrored
before and after the enriching gateway."""

from __future__ import annotations

from pcaps.recipe import CLEAN, FIELD, LEAK, OK, SITE, ambiguous, recipe
from pcaps.recipes_tcp import DATA, MASKED, begun, ended
from pcaps.talk import Packet, Talk, ethernet

HOST = b"Host: " + SITE.encode()
OTHER = b"GET /other HTTP/1.1\r\n" + HOST + b"\r\n"
BODY = b"POST / HTTP/1.1\r\n" + HOST + b"\r\nContent-Length: 999999\r\n\r\n"
CHUNKS = b"POST / HTTP/1.1\r\n" + HOST + b"\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"


def clean(size: int) -> bytes:
    """A clean request of so many octets."""
    return OTHER + b"A: " + b"a" * (size - len(OTHER) - 7) + b"\r\n\r\n"


def decoyed(decoy: bytes, *sent: bytes) -> Talk:
    """The decoy first, then what is sent in earnest, each in segments of its own."""
    talk = begun()
    talk.segment(DATA, decoy)
    for octets in sent:
        talk.client(octets)
    return talk.server(OK).close()


@recipe(39, ambiguous(), "oddities.overlap")
def t72_decoy_ends_the_head_early() -> Talk:
    """The decoy's head ends before the number: where it says that the head is over, the others read on."""
    decoy = OTHER + b"\r\n"
    return decoyed(decoy + b"x" * (len(LEAK) - len(decoy)), LEAK)


@recipe(39, ambiguous(times=2), "oddities.overlap")
def t73_decoy_opens_a_large_body() -> Talk:
    """The decoy says that a megabyte of body follows: whoever takes it reads no request again."""
    return decoyed(BODY, clean(len(BODY)), LEAK, CLEAN, LEAK)


@recipe(39, ambiguous(times=1), "oddities.overlap")
def t74_decoy_opens_a_large_body_and_part_of_it_comes() -> Talk:
    """The same, and two segments have come as a body before the request is sent again as it was meant."""
    talk = begun()
    talk.segment(DATA, BODY)
    talk.segment(DATA, LEAK, seq=talk.seq + len(BODY))
    talk.client(clean(len(BODY)), acknowledged=False)
    talk.seq += len(LEAK)
    return talk.client(CLEAN).server(OK).close()


@recipe(39, ambiguous(), "oddities.overlap")
def t75_decoy_opens_chunks() -> Talk:
    """The decoy opens a chunked body of which the first chunk is endless."""
    return decoyed(CHUNKS, clean(len(CHUNKS)), LEAK)


@recipe(39, ambiguous(), "oddities.overlap")
def t76_copy_is_longer() -> Talk:
    """The copy that holds the number ends later than the first one, which was a whole head."""
    talk = begun()
    talk.segment(DATA, CLEAN)
    return ended(talk)


@recipe(39, ambiguous(), "oddities.overlap")
def t77_copy_ends_later_still() -> Talk:
    """The same, and the number comes in a segment that has no other copy."""
    talk = begun()
    talk.segment(DATA, CLEAN)
    longer = OTHER + b"A: " + b"a" * len(CLEAN) + b"\r\n"
    return talk.client(longer).client(FIELD + b"\r\n\r\n").server(OK).close()


@recipe(11, ambiguous(times=3), "oddities.overlap")
def l44_before_and_after_the_gateway_in_one_network() -> list[Packet]:
    """Both sides of the gateway on one mirror port, in two VLANs, which are no part of a connection's identity: what
    the gateway adds makes the second copy longer, and every number of its side is one of the other as well."""
    before, after = Talk(), Talk(time_ns=Talk.time_ns + 100_000)
    for talk, octets in ((before, CLEAN), (after, CLEAN[:-2] + FIELD + b"\r\n\r\n")):
        talk.open()
        for _ in range(3):
            talk.client(octets).server(OK)
        talk.close()
    packets = sorted([(*p, b"\0\x0a") for p in before.packets] + [(*p, b"\0\x0b") for p in after.packets])
    tagged = []
    for time_ns, packet, tag in packets:
        frame = ethernet(packet)
        tagged.append((time_ns, frame[:12] + b"\x81\0" + tag + frame[12:]))
    return tagged


@recipe(39, ambiguous(), "oddities.overlap")
def t78_copy_of_an_earlier_head() -> Talk:
    """Three requests in a row, nobody acknowledges, and the copy is of the first one."""
    talk = Talk().open()
    talk.segment(DATA, MASKED)
    first = talk.seq
    talk.seq += len(MASKED)
    talk.client(CLEAN + CLEAN, acknowledged=False)
    talk.segment(DATA, LEAK, seq=first)
    return talk.close()


@recipe(39, ambiguous(), "oddities.overlap")
def t79_late_copy_of_an_earlier_head() -> Talk:
    """The same, one-sided and after the heads were counted."""
    talk = Talk()
    talk.client(CLEAN, acknowledged=False)
    first = talk.seq
    talk.client(MASKED, acknowledged=False)
    talk.client(CLEAN, acknowledged=False)
    talk.time_ns += 3 * 10**9
    talk.client(CLEAN, acknowledged=False)
    talk.segment(DATA, LEAK, seq=first)
    return talk


@recipe(51, ambiguous(), "oddities.urgent")
def t80_urgent_octet_in_the_method() -> Talk:
    """RFC 6093: to who takes the urgent octet out of the stream, a word that is no method is one."""
    octets = b"PO\0ST" + LEAK[3:]
    talk = begun()
    talk.segment(DATA | 32, octets, urgent=3)
    talk.seq += len(octets)
    return talk.server(OK).close()
