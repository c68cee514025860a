"""Row 39 and its kin: a decoy that does more than to hide a number in its own octets; and the same for what is mirrored
before and after the enriching gateway."""

from __future__ import annotations

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, SITE, allowed, ambiguous, found, get, leak, recipe, talk_of
from pcaps.recipes_rules import AGEVERIFY
from pcaps.recipes_tcp import DATA, MASKED, begun, ended
from pcaps.talk import ACK, FIN, RST, Packet, Talk, ethernet

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


# --- decoys that end a connection -----------------------------------------------------------------------------------


def paused(flags: int) -> Talk:
    """A head whose second half, with the number, comes three seconds after a segment with these flags."""
    at = LEAK.index(FIELD)
    talk = begun().client(LEAK[:at])
    talk.segment(flags, ttl=1)
    talk.time_ns += 3 * 10**9
    return talk.client(LEAK[at:]).server(OK).close()


@recipe(42, leak(), "oddities.incomplete")
def t83_reset_inside_a_head_and_a_pause() -> Talk:
    """A reset that never arrives, and a pause: long after it would have ended the connection, the head goes on."""
    return paused(RST)


@recipe(42, leak(), "oddities.incomplete")
def t84_fin_inside_a_head_and_a_pause() -> Talk:
    """The same with a FIN."""
    return paused(FIN | ACK)


@recipe("B", leak())
def t97_request_and_fin_sent_again_and_again() -> Talk:
    """Nobody answers: each time later the client sends its request once more, and the FIN that came with it."""
    talk = begun()
    for wait_s in (0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8):
        talk.time_ns += int(wait_s * 10**9)
        talk.segment(DATA | FIN, LEAK)
    return talk


@recipe("B", leak())
def t97_acknowledged_request_sent_again_long_after_the_end() -> Talk:
    """The acknowledgement was mirrored and then lost in the air: the client sends once more what was answered, when the
    connection has long been forgotten."""
    talk = begun()
    before = talk.seq
    talk.client(LEAK).server(OK).close()
    for wait_s in (3, 10, 30):
        talk.time_ns += wait_s * 10**9
        talk.segment(DATA, LEAK, seq=before)
    return talk


@recipe("B", found(times=2))
def t98_another_request_where_one_has_ended() -> Talk:
    """Not the same bytes: the first request, and its FIN, may never have arrived."""
    talk = begun()
    for octets in (LEAK, LEAK.replace(b"GET / ", b"GET /a")):
        talk.segment(DATA | FIN, octets)
        talk.time_ns += 3 * 10**9
    return talk


@recipe(17, leak(times=2), "duplicates")
def t101_connection_mirrored_once_more_later() -> list[Packet]:
    """A mirror that stalls, or files that overlap: all of a connection comes again when it has long been forgotten."""
    frames = talk_of(LEAK, CLEAN, LEAK).frames
    return frames + [(time_ns + 150 * 10**9, frame) for time_ns, frame in frames]


@recipe(48, leak(times=2))
def t101_same_sequence_numbers_and_another_request() -> list[Packet]:
    """A device that begins each connection with the same number, from the same port: the second asks for something
    else."""
    frames = talk_of(LEAK.replace(b"GET / ", b"GET /a ")).frames
    return talk_of(LEAK).frames + [(time_ns + 3 * 10**9, frame) for time_ns, frame in frames]


# --- who got it -----------------------------------------------------------------------------------------------------


def to_a_partner(first: bytes, second: bytes) -> Talk:
    talk = Talk(dst=AGEVERIFY).open()
    talk.segment(DATA, first)
    return talk.client(second).server(OK).close()


AGREED = get(b"X-MSISDN: " + NUMBER, host=b"ageverify.example", target=b"/check")


@recipe(39, ambiguous("badverify.example"), "oddities.overlap")
def t81_copy_names_a_stranger() -> Talk:
    """Both copies have the number, one is for the partner and one for somebody else: whom nobody trusts counts."""
    return to_a_partner(AGREED, AGREED.replace(b"ageverify", b"badverify"))


@recipe(39, ambiguous("ageverify.example", outcome="wrong_path"), "oddities.overlap")
def t82_copy_names_another_path() -> Talk:
    """The same with a path that was not agreed."""
    return to_a_partner(AGREED, AGREED.replace(b"/check", b"/other"))


@recipe(39, allowed("ageverify.example") + ambiguous("badverify.example"), "oddities.overlap")
def t96_late_copy_names_a_stranger() -> Talk:
    """The same, one-sided and after the first copy was let go: it has been reported, and nothing can be taken back. So
    the second one is a head of its own, in doubt, and says all of it once more."""
    talk = Talk(dst=AGEVERIFY)
    talk.client(AGREED, acknowledged=False)
    talk.time_ns += 3 * 10**9
    talk.segment(DATA, AGREED.replace(b"ageverify", b"badverify"), seq=talk.seq - len(AGREED))
    return talk


# --- who speaks -----------------------------------------------------------------------------------------------------


@recipe(71, leak(), "oddities.not_http")
def h101_server_speaks_first_like_a_client() -> Talk:
    """The server greets with what looks like a request: that must not make a response of what the client sends."""
    return Talk().open().server(CLEAN).client(LEAK).server(OK).close()


@recipe(71, ambiguous(times=1) + leak(), "oddities.not_http")
def h102_server_speaks_first_and_no_syn_was_seen() -> Talk:
    """The same, and nobody knows whose side is whose: what is read beside the other side's requests is in doubt."""
    return Talk().server(CLEAN).client(LEAK).server(OK).client(LEAK).server(OK)


@recipe(66, ambiguous(), "opaque_streams.tls")
def h103_begins_like_tls() -> Talk:
    """A segment that looks like a record of TLS, then a request: every segment may be a new beginning."""
    return Talk().open().client(b"\x16\x03\x01\x00\x05hello").client(LEAK).server(OK).close()


@recipe(66, ambiguous(), "opaque_streams.response")
def h104_begins_like_a_response() -> Talk:
    """The client begins with a status line."""
    return Talk().open().client(b"HTTP/1.1 200 OK\r\n\r\n").client(LEAK).server(OK).close()


# --- lines ----------------------------------------------------------------------------------------------------------


@recipe(63, leak(), "oddities.request_line_space")
def h105_vertical_tab_in_the_request_line() -> Talk:
    """RFC 9112 section 3: a lenient receiver takes VT for a space."""
    return Talk().open().client(LEAK.replace(b"GET / ", b"GET\x0b/\x0b")).server(OK).close()


@recipe(63, leak(), "oddities.request_line_space")
def h106_form_feed_in_the_request_line() -> Talk:
    """And FF."""
    return Talk().open().client(LEAK.replace(b"GET / ", b"GET\x0c/\x0c")).server(OK).close()


@recipe(63, leak(), "oddities.request_line_space")
def h107_cr_in_the_request_line() -> Talk:
    """And a bare CR."""
    return Talk().open().client(LEAK.replace(b"GET / ", b"GET\r/\r")).server(OK).close()


@recipe(60, leak(), "oddities.no_colon")
def h108_number_without_a_colon() -> Talk:
    """The colon is missing in the very line that holds the number."""
    return Talk().open().client(get(FIELD.replace(b": ", b" "))).server(OK).close()


@recipe(60, leak())
def h109_number_in_a_field_name() -> Talk:
    """The number is the name of a field, so it must show as nobody's name."""
    return Talk().open().client(get(NUMBER + b": yes")).server(OK).close()
