"""Row 54: what talks with a real kernel taught of rows 39 to 51 (tests/live/replayed.py), each as small as it can be.

A kernel drops these decoys and takes the request; whoever believed a decoy lost the number.
"""

from __future__ import annotations

from pcaps.recipe import LEAK, NUMBER, OK, ambiguous, found, leak, recipe
from pcaps.recipes_tcp import CLEAN, DATA, MASKED, begun, ended
from pcaps.talk import ACK, FIN, SYN, URG, Talk

AT = LEAK.index(NUMBER)


def torn(at: int = AT) -> Talk:
    """An open connection, and so much of the request."""
    return begun().client(LEAK[:at])


def one_sided() -> Talk:
    """The client's half of an open connection."""
    talk = Talk()
    talk.segment(SYN)
    talk.seq += 1
    talk.segment(ACK)
    return talk


@recipe(54, leak())
def k01_syn_amid_the_first_line() -> Talk:
    """A SYN whose data would begin with the very next byte, amid the request line: an endpoint only challenges it."""
    talk = torn(9)
    talk.segment(SYN, seq=talk.seq - 1)
    return ended(talk, LEAK[9:])


@recipe(54, found())
def k02_syn_with_data_amid_the_head() -> Talk:
    """The same with SYN and FIN in one, and another head in it."""
    talk = torn(9)
    talk.segment(SYN | FIN, MASKED, seq=talk.seq - 1)
    return ended(talk, LEAK[9:])


@recipe(54, leak())
def k03_syn_far_away_amid_the_head() -> Talk:
    """A SYN with a request of its own, a gigabyte away: what was begun goes on nevertheless."""
    talk = torn()
    talk.segment(SYN, MASKED, seq=talk.seq + 2**30)
    return ended(talk, LEAK[AT:])


@recipe(54, leak())
def k04_syn_far_away_with_garbage() -> Talk:
    """The same with data that begin like nothing."""
    talk = torn()
    talk.segment(SYN, b"\xff" * 20, seq=talk.seq + 2**30)
    return ended(talk, LEAK[AT:])


@recipe(54, found())
def k05_syn_far_away_before_the_request() -> Talk:
    """One-sided: a second SYN, a gigabyte away, then the request in one segment where the first SYN said."""
    talk = one_sided()
    talk.segment(SYN, seq=talk.seq + 2**30)
    return talk.client(LEAK, acknowledged=False)


@recipe(54, found())
def k06_syn_far_away_before_a_torn_request() -> Talk:
    """The same, and the request comes in two segments."""
    talk = one_sided()
    talk.segment(SYN, seq=talk.seq + 2**30)
    return talk.client(LEAK[:4], acknowledged=False).client(LEAK[4:], acknowledged=False)


@recipe(54, leak())
def k07_request_from_before_the_first_byte() -> Talk:
    """A masked request at numbers from before the SYN's, then the real one: the sensor must not believe both."""
    talk = Talk().open()
    talk.segment(DATA, MASKED, seq=talk.seq - 12_345)
    return ended(talk)


@recipe(54, leak() + ambiguous("other.example"))
def k08_late_request_from_before_the_first_byte() -> Talk:
    """A forged request for another site, at numbers from before the SYN's, when the connection is open for long."""
    talk = begun()
    talk.segment(DATA, LEAK.replace(b"shop.example", b"other.example"), seq=talk.seq - 12_345)
    return ended(talk)


@recipe(54, ambiguous())
def k09_syn_data_one_sided() -> Talk:
    """One-sided: the request in the SYN, then a masked one in its place. With TCP Fast Open the server took the first,
    without it the second."""
    talk = Talk()
    talk.segment(SYN, LEAK)
    talk.seq += 1
    talk.segment(ACK)
    return talk.client(MASKED, acknowledged=False)


@recipe(54, found())
def k10_syn_data_before_the_beginning() -> Talk:
    """One-sided: a decoy in a second SYN that begins amid the head, before any of it was seen."""
    talk = one_sided()
    talk.segment(SYN, b"A" * 20, seq=talk.seq + 4)
    return talk.client(LEAK, acknowledged=False)


@recipe(54, found())
def k11_answer_to_a_server_by_the_client() -> Talk:
    """One-sided: a SYN+ACK with data from the client tells where the server's bytes begin, and is a lie."""
    talk = Talk()
    talk.segment(SYN | ACK, b"A" * 20, seq=talk.seq + 60_000, ack=300_000)
    talk.segment(SYN)
    talk.seq += 1
    talk.segment(ACK)
    return talk.client(LEAK[:AT], acknowledged=False).client(LEAK[AT:], acknowledged=False)


@recipe(54, found())
def k12_urgent_pointer_of_a_decoy() -> Talk:
    """A decoy without the number says that a byte is urgent that lies in the number, which comes later: of the copies,
    the bytes that were sent again count together, without what the decoy said of others."""
    talk = torn(4)
    talk.segment(DATA | URG, MASKED[36 : AT - 2], urgent=AT + 6 - 4)
    for start, stop in ((4, 24), (24, AT), (AT, len(LEAK))):
        talk.segment(DATA, LEAK[start:stop], seq=talk.seq + start - 4)
    talk.seq += len(LEAK) - 4
    return talk.server(OK).close()


@recipe(54, found())
def k13_decoy_ends_the_line_that_was_acknowledged() -> Talk:
    """Four bytes of the head are acknowledged, then a decoy makes an empty line of them: to whoever drops the decoy
    they are the beginning of the request that follows."""
    talk = torn(4)
    talk.segment(DATA, b"\n" + b"x" * 30)
    return ended(talk, LEAK[4:])


@recipe(54, leak())
def k14_request_of_a_decoy_before_the_request() -> Talk:
    """One-sided: a second SYN, a gigabyte away, and its request come before that of the first SYN: both are read."""
    talk = one_sided()
    talk.segment(SYN, seq=talk.seq + 2**30)
    talk.segment(DATA, MASKED, seq=talk.seq + 2**30 + 1)
    return talk.client(LEAK, acknowledged=False)


@recipe(54, leak())
def k15_request_of_a_decoy_close_before_a_torn_request() -> Talk:
    """One-sided: the second SYN is so near that its bytes are in the window, and the number comes in two segments."""
    talk = one_sided()
    talk.segment(SYN, seq=talk.seq + 20_000)
    talk.segment(DATA, MASKED, seq=talk.seq + 20_001)
    return talk.client(LEAK[: AT + 3], acknowledged=False).client(LEAK[AT + 3 :], acknowledged=False)


@recipe(54, leak())
def k16_decoy_between_the_handshake_and_the_request() -> Talk:
    """Ports are used again, one-sided; before the new connection says anything comes a SYN that leads elsewhere."""
    talk = one_sided().client(CLEAN, acknowledged=False)
    talk.seq += 2**31
    talk.segment(SYN)
    talk.seq += 1
    talk.segment(SYN, seq=talk.seq + 2**30)
    return talk.client(LEAK, acknowledged=False)


@recipe(54, leak())
def k17_syn_data_over_what_was_read() -> Talk:
    """A SYN whose data would lie where the request does that was just read, and that comes again: all are copies."""
    talk = begun()
    talk.segment(DATA, LEAK)
    talk.segment(SYN, MASKED, seq=talk.seq - 1)
    return ended(talk)


@recipe(54, leak())
def k18_syn_data_in_place_of_the_number() -> Talk:
    """Before any payload comes a SYN whose data would lie in the number: the server answered the SYN before it."""
    talk = Talk().open()
    talk.segment(SYN, b"none-was-set", seq=talk.seq + AT - 1)
    return ended(talk)


@recipe(54, found())
def k19_first_segment_begins_before_the_first_byte() -> Talk:
    """A decoy without flags, and one whose acknowledgement is too old, which a kernel drops; what comes then differs
    from all of it, piece by piece, and the first piece is acknowledged before the second one comes. Case 300813."""
    talk = Talk().open()
    talk.segment(0, MASKED, seq=talk.seq + 20)
    talk.segment(DATA, MASKED[AT - 40 : AT + 20], seq=talk.seq - 1, ack=talk.ack - 1000)
    return ended(talk.client(LEAK[:4]), LEAK[4:])


@recipe(54, found())
def k20_end_of_the_request_from_before_a_far_syn() -> Talk:
    """One-sided: the last octet of the number comes once more and differs, then a SYN with data that is far ahead, yet
    in the window. What follows stands before its first byte, and is the rest of the request. Case 100479."""
    talk = one_sided().client(LEAK[: AT + 12], acknowledged=False)
    talk.segment(SYN | FIN, MASKED, seq=talk.seq - 2)
    talk.segment(ACK, b"=" + b"9" * 13, seq=talk.seq - 1)
    talk.segment(SYN, MASKED, seq=talk.seq + 65_000)
    return talk.client(LEAK[AT + 12 :], acknowledged=False)


@recipe(54, leak())
def k21_answer_to_a_server_by_the_client_and_out_of_order() -> Talk:
    """As k11, and the mirror swaps the last two segments: one from before the lie is no beginning where a SYN told of
    another one."""
    talk = k11_answer_to_a_server_by_the_client()
    (first_ns, first), (second_ns, second) = talk.packets[-2:]
    talk.packets[-2:] = [(first_ns, second), (second_ns, first)]
    return talk
