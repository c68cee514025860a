"""Rows 46-53: how connections begin, pause and end, urgent data, and options that confuse."""

from __future__ import annotations

from pcaps.recipe import LEAK, NUMBER, OK, ambiguous, leak, recipe
from pcaps.recipes_tcp import DATA, MASKED, SECOND, begun, ended
from pcaps.talk import ACK, FIN, SYN, URG, Talk

ECE, CWR = 64, 128


# --- handshakes ---------------------------------------------------------------------------------------------------


def syn_with(octets: bytes, options: bytes, accepted: bool) -> Talk:
    talk = Talk()
    talk.segment(SYN, octets, options=options)
    talk.seq += 1 + (len(octets) if accepted else 0)
    talk.segment(SYN | ACK, client=False)
    talk.ack += 1
    talk.segment(ACK)
    return talk


TFO = b"\x22\x0a" + b"\x11" * 8  # RFC 7413


@recipe(46, leak())
def t17_syn_data_with_fast_open() -> Talk:
    """TCP Fast Open: the whole request is in the SYN, and the SYN+ACK acknowledges it."""
    return syn_with(LEAK, TFO, accepted=True).server(OK).close()


@recipe(46, leak())
def t18_syn_data_without_fast_open() -> Talk:
    """Half of the request in a plain SYN, accepted; the rest follows."""
    talk = syn_with(LEAK[:30], b"", accepted=True)
    return ended(talk, LEAK[30:])


@recipe(46, leak())
def t103_syn_data_behind_what_acknowledges_it() -> Talk:
    """The same where the mirror delivers the SYN behind its SYN+ACK, which acknowledges just its data."""
    talk = t18_syn_data_without_fast_open()
    (first_ns, syn), (second_ns, answer) = talk.packets[:2]
    talk.packets[:2] = [(first_ns, answer), (second_ns, syn)]
    return talk


@recipe(46, leak(), "rejected.not_accepted")
def t19_syn_data_refused() -> Talk:
    """The SYN+ACK does not acknowledge the data of the SYN: it counts for nothing, the request is sent after."""
    return ended(syn_with(MASKED, TFO, accepted=False))


@recipe(47, leak())
def t39_syn_again_with_other_number() -> Talk:
    """The SYN is sent again with another initial sequence number, and that one is answered."""
    talk = Talk()
    talk.segment(SYN, seq=900_000)
    return ended(talk.open())


@recipe(47, leak())
def t60_two_syn_acks() -> Talk:
    """A forged SYN+ACK before the real one."""
    talk = Talk()
    talk.segment(SYN)
    talk.seq += 1
    talk.segment(SYN | ACK, client=False, seq=777_777)
    talk.segment(SYN | ACK, client=False)
    talk.ack += 1
    talk.segment(ACK)
    return ended(talk)


@recipe(47, leak())
def t40_split_handshake() -> Talk:
    """The server answers a SYN with a SYN: four packets instead of three (RFC 9293 section 3.5)."""
    talk = Talk()
    talk.segment(SYN)
    talk.segment(SYN, client=False)
    talk.ack += 1
    talk.segment(SYN | ACK)
    talk.seq += 1
    talk.segment(ACK, client=False)
    return ended(talk)


@recipe(47, leak())
def t67_syn_with_fin() -> Talk:
    """SYN and FIN in one segment."""
    talk = Talk()
    talk.segment(SYN | FIN)
    return ended(talk.open())


@recipe(48, leak())
def t41_ports_used_again() -> Talk:
    """A new SYN on ports whose connection never ended: the second connection leaks."""
    talk = begun()
    talk.seq, talk.ack, talk.time_ns = 3_000_000_000, 4_000_000_000, talk.time_ns + 5 * SECOND
    return ended(talk.open())


# --- ends, probes, urgent data, pauses ----------------------------------------------------------------------------


@recipe(49, leak())
def t29_request_after_half_close() -> Talk:
    """The server closed its half; the client goes on."""
    talk = begun()
    talk.segment(FIN | ACK, client=False)
    talk.ack += 1
    talk.segment(ACK)
    return talk.client(LEAK)


@recipe(49, leak())
def t68_fin_ahead_of_a_hole() -> Talk:
    """A forged FIN inside the window, ahead of the data: the data goes on behind it."""
    talk = begun()
    talk.segment(FIN | ACK, seq=talk.seq + 20)
    return ended(talk)


@recipe(50, leak())
def t30_keep_alive_probe() -> Talk:
    """A probe with one garbage octet before the next sequence number."""
    talk = begun()
    talk.segment(ACK, b"Z", seq=talk.seq - 1)
    talk.segment(ACK, client=False)
    return ended(talk)


@recipe(50, leak())
def t30_keep_alive_probe_one_way() -> Talk:
    """Only the client is mirrored: nobody says that the last octet of the first request was taken long ago."""
    talk = t30_keep_alive_probe()
    talk.packets = [each for each in talk.packets if each[1][12:16] == talk.packets[0][1][12:16]]
    return talk


@recipe(50, leak())
def t87_keep_alive_probe_inside_a_head() -> Talk:
    """The client pauses inside the number; the probe's garbage stands where a digit was that is acknowledged."""
    at = LEAK.index(NUMBER) + 5
    talk = begun().client(LEAK[:at])
    talk.segment(ACK, b"9", seq=talk.seq - 1)
    talk.segment(ACK, client=False)
    return ended(talk, LEAK[at:])


@recipe(50, leak())
def t31_zero_window_probe() -> Talk:
    """The server's window is closed; the probe's octet is refused, and is not the one that is sent later."""
    talk = begun()
    talk.segment(ACK, client=False, window=0)
    talk.segment(ACK, b"\0")
    talk.segment(ACK, client=False, window=0)
    talk.segment(ACK, client=False)
    return ended(talk)


@recipe(50, leak())
def t100_zero_window_probe_inside_a_head() -> Talk:
    """The server has taken half of the number and shuts its window: it refuses the probe's octet, whatever that is, and
    says so. Three seconds later it opens, and the octet that stands there comes."""
    at = LEAK.index(NUMBER) + 5
    talk = begun().client(LEAK[:at], acknowledged=False)
    talk.segment(ACK, client=False, window=0)
    for octet in (b"9", b"8"):
        talk.segment(ACK, octet)
        talk.segment(ACK, client=False, window=0)
        talk.time_ns += 3 * SECOND
    talk.segment(ACK, client=False)
    return ended(talk, LEAK[at:])


@recipe(50, leak())
def t100_zero_window_probe_and_a_pause() -> Talk:
    """Between two requests, and the window stays shut for long: what the server leaves out is no part of the next."""
    talk = begun()
    talk.segment(ACK, client=False, window=0)
    talk.segment(ACK, b"\0")
    talk.segment(ACK, client=False, window=0)
    talk.time_ns += 5 * SECOND
    talk.segment(ACK, client=False)
    return ended(talk)


@recipe(50, leak())
def t100_zero_window_probe_and_a_pause_one_way() -> Talk:
    """The same where only the client is mirrored."""
    talk = t100_zero_window_probe_and_a_pause()
    talk.packets = [each for each in talk.packets if each[1][12:16] == talk.packets[0][1][12:16]]
    return talk


def urgent(head: bytes, at: int) -> Talk:
    """The octet at `at` is urgent, as BSD and Linux count it: the pointer is one behind (RFC 6093 section 2.1)."""
    talk = begun()
    talk.segment(DATA | URG, head, urgent=at + 1)
    talk.seq += len(head)
    return talk.server(OK).close()


@recipe(51, ambiguous(), "oddities.urgent")
def t32_urgent_octet_too_many() -> Talk:
    """An urgent octet inside the number: who takes it out of the stream sees the number."""
    at = LEAK.index(NUMBER) + 6
    return urgent(LEAK[:at] + b"x" + LEAK[at:], at)


@recipe(51, ambiguous(), "oddities.urgent")
def t33_urgent_digit() -> Talk:
    """A digit of the number is urgent: who leaves it in the stream sees the number."""
    return urgent(LEAK, LEAK.index(NUMBER) + 6)


def announced(*before: bytes) -> Talk:
    """An urgent octet inside the number, announced before it comes: with these first octets, or with none."""
    at = LEAK.index(NUMBER) + 6
    head, sent = LEAK[:at] + b"x" + LEAK[at:], b"".join(before)
    talk = begun()
    for octets in before or (b"",):
        talk.segment((DATA if octets else ACK) | URG, octets, urgent=at + 1)
        talk.seq += len(octets)
    return talk.client(head[len(sent) :]).server(OK).close()


@recipe(51, ambiguous(), "oddities.urgent")
def t86_urgent_octet_announced_behind_it() -> Talk:
    """The mirror delivers the announcement, which has no octets, behind the octets themselves."""
    talk = t86_urgent_octet_announced_before_any_octet()
    at = next(at for at, (_, packet) in enumerate(talk.packets) if packet[33] & URG)
    talk.packets[at : at + 2] = talk.packets[at : at + 2][::-1]
    return talk


@recipe(51, ambiguous(), "oddities.urgent")
def t33_urgent_pointer_of_nought() -> Talk:
    """URG is set and the pointer is 0: Linux takes the first octet of the segment out, BSD heeds no such pointer."""
    at = LEAK.index(NUMBER) + 5
    octets = LEAK[:at] + b"x" + LEAK[at:]
    talk = begun().client(octets[:at])
    talk.segment(DATA | URG, octets[at:], urgent=0)
    talk.seq += len(octets) - at
    return talk.server(OK).close()


@recipe(51, ambiguous(), "oddities.urgent")
def t85_urgent_octet_announced_by_an_earlier_segment() -> Talk:
    """The pointer leads into the next segment."""
    return announced(LEAK[:10])


@recipe(51, ambiguous(), "oddities.urgent")
def t86_urgent_octet_announced_before_any_octet() -> Talk:
    """The pointer comes with an acknowledgement, before the first octet."""
    return announced()


@recipe(52, leak())
def t54_pause_in_the_head() -> Talk:
    """400 seconds of silence before the number's line."""
    talk = begun().client(LEAK[:40])
    talk.time_ns += 400 * SECOND
    return ended(talk, LEAK[40:])


@recipe(52, leak())
def t61_idle_for_twenty_minutes() -> Talk:
    """Kept alive for twenty minutes, then the request."""
    talk = begun()
    talk.time_ns += 1200 * SECOND
    return ended(talk)


@recipe(52, leak())
def t69_idle_for_an_hour() -> Talk:
    """Longer than the sensor remembers: it resumes in the middle of the stream."""
    talk = begun()
    talk.time_ns += 3600 * SECOND
    return ended(talk)


def syn_options(options: bytes, flags: int = SYN) -> Talk:
    talk = Talk()
    talk.segment(flags, options=options)
    talk.seq += 1
    talk.segment(SYN | ACK, client=False, options=options)
    talk.ack += 1
    talk.segment(ACK)
    return ended(talk)


@recipe(53, leak())
def t58_ecn_syn() -> Talk:
    """A SYN that asks for congestion notification: ECE and CWR are set (RFC 3168)."""
    return syn_options(b"", SYN | ECE | CWR)


@recipe(53, leak())
def t59_multipath_option() -> Talk:
    """MP_CAPABLE (RFC 8684)."""
    return syn_options(b"\x1e\x0c\x01\x81" + b"\x33" * 8)


@recipe(53, leak())
def t70_window_scale_out_of_range() -> Talk:
    """A shift of 99, where 14 is the most (RFC 7323 section 2.3)."""
    return syn_options(b"\x03\x03\x63")
