"""Rows 17-30: what a mirror port and a capture tool do to honest traffic."""

from __future__ import annotations

from pcaps.recipe import (
    CLEAN,
    FIELD,
    LEAK,
    NUMBER,
    OK,
    QUIET,
    ambiguous,
    answer,
    from_client,
    get,
    leak,
    recipe,
    talk_of,
)
from pcaps.talk import ACK, MS, PSH, RST, SYN, Packet, Talk, ethernet, ip, pcap

POST = get(b"Content-Length: 3000", method=b"POST", target=b"/upload")
SECOND = 1000 * MS


def up_only(talk: Talk) -> list[Packet]:
    return [(t, ethernet(packet)) for t, packet in talk.packets if from_client(talk, packet)]


# --- copies -------------------------------------------------------------------------------------------------------


@recipe(17, leak(), "duplicates")
def t05_every_packet_twice() -> list[Packet]:
    """A SPAN port that mirrors ingress and egress delivers every packet twice."""
    return [copy for t, octets in talk_of(LEAK).frames for copy in ((t, octets), (t + 2000, octets))]


@recipe(17, leak(), "duplicates")
def t06_routed_copy() -> list[Packet]:
    """The second copy was routed in between: other MAC addresses, TTL one less, other header checksum."""
    frames = []
    for t, packet in talk_of(LEAK).packets:
        source, target = (".".join(map(str, packet[i : i + 4])) for i in (12, 16))
        routed = ip(source, target, 6, packet[20:], ttl=63)
        frames += [(t, ethernet(packet)), (t + 2000, b"\x02\0\0\0\0\x12\x02\0\0\0\0\x11\x08\0" + routed)]
    return frames


# --- snap length and offload --------------------------------------------------------------------------------------


@recipe(18, QUIET, "blind.snaplen")
def t46_snaplen_cuts_the_number() -> bytes:
    """The capture keeps five digits of the number: no number may be made of them."""
    talk = talk_of(LEAK)
    return pcap(talk.frames, snap=54 + LEAK.index(NUMBER) + 5)


@recipe(19, leak(), "blind.snaplen")
def t47_snaplen_after_the_number() -> bytes:
    """The field is whole, the rest of the head was cut: the number went out all the same."""
    return pcap(talk_of(LEAK).frames, snap=54 + LEAK.index(b"Accept") + 4)


@recipe(20, leak())
def t48_offloaded_40_kilobytes() -> Talk:
    """Captured before the network card cut it (TSO), or after the kernel joined it (GRO): one frame of 40 kB."""
    talk = Talk(mss=60000).open()
    return talk.client(get(b"Cookie: a=" + b"x" * 40000, FIELD)).server(OK).close()


@recipe(20, leak())
def t49_total_length_zero() -> list[Packet]:
    """BIG TCP: the kernel leaves the IPv4 total length at 0 when it would not fit."""
    frames = []
    for t, octets in talk_of(LEAK).frames:
        big = len(octets) > 100
        frames.append((t, octets[:16] + b"\0\0" + octets[18:24] + b"\0\0" + octets[26:] if big else octets))
    return frames


# --- time ---------------------------------------------------------------------------------------------------------


@recipe(21, leak())
def t51_clock_goes_back() -> list[Packet]:
    """Every packet is stamped ten seconds before the one that came earlier."""
    return [(t - 10 * SECOND * n, octets) for n, (t, octets) in enumerate(talk_of(LEAK).frames)]


@recipe(21, leak())
def t51_clock_stands_still() -> list[Packet]:
    """All packets carry the same time."""
    return [(1_700_000_000 * SECOND, octets) for _, octets in talk_of(LEAK).frames]


@recipe(21, leak())
def t51_clock_at_1970() -> list[Packet]:
    """A probe without a clock battery begins at the epoch."""
    return [(n, octets) for n, (_, octets) in enumerate(talk_of(LEAK).frames)]


@recipe(21, leak())
def t51_clock_at_2106() -> list[Packet]:
    """The last second that 32 bits can write."""
    return [((2**32 - 1) * SECOND, octets) for _, octets in talk_of(LEAK).frames]


# --- order and direction ------------------------------------------------------------------------------------------


@recipe(22, leak())
def t52_request_before_syn_ack() -> Talk:
    """Two receive queues: client packets overtake the server's, the request stands before the SYN+ACK."""
    talk = talk_of(LEAK)
    talk.packets.insert(3, talk.packets.pop(1))
    return talk


@recipe(22, leak())
def t53_request_before_syn() -> Talk:
    """The request comes before its SYN."""
    talk = talk_of(LEAK)
    talk.packets.insert(0, talk.packets.pop(3))
    return talk


@recipe(23, leak(), "blind.midstream")
def t14_midstream() -> Talk:
    """The capture begins in the middle of a body; the next request line is where reading starts."""
    talk = Talk()
    return talk.client(b"=0.5&page=7&order=asc").server(OK).client(LEAK).server(OK).close()


@recipe(24, leak())
def t15_client_side_only() -> list[Packet]:
    """Asymmetric routing: only the client's direction passes the tap."""
    return up_only(talk_of(LEAK))


@recipe(24, leak())
def t16_client_side_only_no_handshake() -> list[Packet]:
    """The same without SYN and FIN: data and nothing else."""
    return [(t, ethernet(packet)) for t, packet in Talk().client(LEAK, acknowledged=False).packets]


@recipe(25, leak(times=600), suffix=".pcap.gz")
def h93_600_requests_client_side_only() -> list[Packet]:
    """One direction, 600 requests on one connection: nobody may wait for the responses."""
    talk = Talk().open()
    for _ in range(600):
        talk.client(get(FIELD), acknowledged=False)
    return up_only(talk.close())


# --- loss ---------------------------------------------------------------------------------------------------------


@recipe(26, leak(), "gap_bytes")
def t35_body_segment_lost() -> Talk:
    """A segment of an upload is lost; the next request is found by counting the body on."""
    talk = Talk().open().client(POST).client(b"u" * 1000).lose(b"u" * 1000).client(b"u" * 1000)
    return talk.server(OK).client(LEAK).server(OK).close()


@recipe(26, leak(), "gap_bytes")
def t36_whole_request_lost() -> Talk:
    """A whole request between two others is lost."""
    talk = Talk().open().client(CLEAN).server(OK).lose(get(target=b"/lost")).server(OK)
    return talk.client(LEAK).server(OK).close()


@recipe(26, QUIET, "gap_bytes")
def t71_last_request_lost() -> Talk:
    """The last request is lost; the FIN behind it says how many octets were never seen."""
    return Talk().open().client(CLEAN).server(OK).lose(LEAK).server(OK).close()


@recipe(26, leak())
def h85_response_segment_lost() -> Talk:
    """A hole in the response: the other direction does not care."""
    talk = Talk().open().client(CLEAN).server(answer(b"z" * 100))
    talk.ack += 1460  # sent, never captured
    return talk.server(b"z" * 40).client(LEAK).server(OK).close()


@recipe(27, leak(), "gap_bytes")
def t37_lines_before_the_number_lost() -> Talk:
    """Request line and Host were seen, some lines are missing, the number's line is whole again."""
    head = get(b"Accept: text/html", b"X-Lost: " + b"l" * 200, b"X-Kept: yes", FIELD)
    return holed(head, head.index(b"X-Lost") + 4, head.index(b"X-Kept") - 20)


@recipe(27, leak(), "gap_bytes")
def t38_request_line_lost() -> Talk:
    """The request line is missing, Host and number are whole."""
    head = b"GET /" + b"l" * 200 + b" HTTP/1.1\r\nAccept: text/html\r\nHost: shop.example\r\n" + FIELD + b"\r\n\r\n"
    return holed(head, 0, head.index(b"text/html"))


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t38_host_line_lost() -> Talk:
    """The Host line is missing: a number was sent, to a name that only the destination address hints at."""
    head = get(b"Accept: text/html", FIELD, target=b"/" + b"l" * 40)
    return holed(head, head.index(b"HTTP/1.1") - 20, head.index(b"text/html"))


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t38_host_line_lost_midstream_one_way() -> Talk:
    """The same where neither the handshake nor the server is seen: who has asked before goes on asking."""
    talk = t38_host_line_lost()
    client = talk.packets[0][1][12:16]
    talk.packets = [each for each in talk.packets[3:] if each[1][12:16] == client]
    return talk


@recipe(68, ambiguous(), "oddities.not_http")
def t101_server_alone_from_the_middle() -> Talk:
    """Only what the server sends is mirrored, and the capture begins within a response: a segment of its body that is a
    request cannot be known from one, but that it comes from a port of services."""
    talk = Talk()
    talk.server(b"<p>hello</p>" * 60, acknowledged=False).server(LEAK, acknowledged=False)
    return talk.server(b"<p>more</p>" * 20, acknowledged=False)


WRITTEN_BEHIND = get(b"Accept: text/html", FIELD)  # the gateway's line comes last


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t99_all_but_the_number_lost() -> Talk:
    """The gateway writes its line in a segment of its own, and the segment before it is lost: one line is the head."""
    return holed(WRITTEN_BEHIND, 0, WRITTEN_BEHIND.index(FIELD))


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t99_all_but_the_number_lost_from_the_request_line_on() -> Talk:
    """The same, but some octets of the request line were seen, and the hole ends within the name of the field."""
    return holed(WRITTEN_BEHIND, 10, WRITTEN_BEHIND.index(FIELD) + 4)


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t99_all_but_the_number_lost_one_way() -> Talk:
    """The same where only the client's direction is mirrored: the SYN says who speaks."""
    at = WRITTEN_BEHIND.index(FIELD)
    talk = Talk()
    talk.segment(SYN)
    talk.seq += 1
    return talk.lose(WRITTEN_BEHIND[:at]).client(WRITTEN_BEHIND[at:], acknowledged=False)


@recipe(27, ambiguous("203.0.113.9"), "gap_bytes", "oddities.host_unknown")
def t99_all_but_the_number_late() -> Talk:
    """What was lost comes after it was given up: too late to say to whom the number went."""
    at = WRITTEN_BEHIND.index(FIELD)
    talk = Talk().open()
    begin = talk.seq
    talk.lose(WRITTEN_BEHIND[:at]).client(WRITTEN_BEHIND[at:]).server(OK)
    talk.time_ns += 500 * MS
    talk.segment(PSH | ACK, WRITTEN_BEHIND[:at], seq=begin)
    return talk.client(CLEAN).server(OK).close()


@recipe(68, QUIET, "gap_bytes")
def t99_body_behind_a_hole_of_its_own() -> Talk:
    """A body that is like the rest of such a head: a length says that it is one, whatever was lost of it."""
    body = b"b" * 400 + FIELD + b"\r\n\r\n"
    post = get(b"Content-Length: %d" % len(body)).replace(b"GET", b"POST")
    return Talk().open().client(post).lose(body[:400]).client(body[400:]).server(OK).client(CLEAN).server(OK).close()


@recipe(68, QUIET, "gap_bytes")
def t99_lines_of_text_behind_a_hole() -> Talk:
    """What no field begins with is no rest of a head, though a number and an empty line are behind the hole."""
    text = b'{"msisdn": "447700900123"}\r\n\r\n'
    talk = Talk().open().client(CLEAN).server(OK).lose(b"x" * 400).client(text).server(OK)
    return talk.client(CLEAN).server(OK).close()


@recipe(68, QUIET, "gap_bytes")
def t99_mail_behind_a_hole() -> Talk:
    """Mail has fields as well; who answers does not speak HTTP."""
    mail = b"From: 447700900123\r\n\r\nIt is late.\r\n.\r\n"
    talk = Talk().open().server(b"220 mail.example ESMTP ready\r\n").lose(b"HELO shop.example\r\n")
    return talk.client(mail).server(b"250 OK\r\n").close()


def holed(head: bytes, begin: int, end: int) -> Talk:
    """A connection on which [begin, end) of the second head was never captured."""
    talk = Talk().open().client(CLEAN).server(OK)
    if begin:
        talk.client(head[:begin], acknowledged=False)
    return talk.lose(head[begin:end]).client(head[end:]).server(OK).close()


# --- ends and checksums -------------------------------------------------------------------------------------------


@recipe(29, leak())
def t57_never_acknowledged() -> Talk:
    """The capture ends with the request; its acknowledgement would have been the next packet."""
    return Talk().open().client(LEAK, acknowledged=False)


@recipe(29, leak(), "blind.head_incomplete")
def t55_head_ends_in_a_reset() -> Talk:
    """The number's line is whole, then the client resets: the number had been sent."""
    talk = Talk().open().client(get(FIELD)[:-2] + b"Accept: te")
    talk.segment(RST | ACK)
    return talk


@recipe(29, leak(), "blind.head_incomplete")
def t56_head_ends_with_the_file() -> Talk:
    """The capture stops before the head does."""
    return Talk().open().client(get(FIELD)[:-2] + b"Accept: te")


@recipe(30, leak())
def t22_client_checksums_offloaded() -> Talk:
    """Captured on the sending machine: the network card fills the checksum later. Acknowledged, so delivered."""
    talk = Talk()
    talk.segment(SYN, bad_checksum=True)
    talk.seq += 1
    talk.segment(SYN | ACK, client=False)
    talk.ack += 1
    talk.segment(ACK, bad_checksum=True)
    talk.segment(PSH | ACK, LEAK, bad_checksum=True)
    talk.seq += len(LEAK)
    return talk.server(OK, acknowledged=False)
