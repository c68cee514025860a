"""Attacks on sensors that others published, by the names that they gave them, and a few of our own.

THEMIS: the 35 of Wang and others, "Themis: Ambiguity-Aware Network Intrusion Detection based on Symbolic Model
Comparison" (CCS 2021), which gathers those of INTANG (IMC 2017) and SymTCP (NDSS 2020); COMPOSITE: like its composite
ones. GENEVA: the 24 in the list of strategies of Bock and others, "Geneva: Evolving Censorship Evasion Strategies" (CCS
2019), each told as what passes the tap. Written here from what they say. The number is what the client means to send, a
decoy carries another one.
"""

from __future__ import annotations

import struct

from pcaps.talk import ACK, FIN, PSH, RST, SYN, URG
from tests.live.kernel import AT, DECOY, FALSE, HEAD, INLINE, OPEN_FAST, OPENING, WHOLE, Act, Case, Sent, Step, part

ECE, CWR, NONCE = 0x40, 0x80, 0x100
ODD = FIN | RST | ACK | PSH | URG  # and NONCE, which shares its octet with the data offset
MD5 = b"\x13\x12" + bytes(range(16))  # RFC 2385
SACK_PERMITTED = b"\x01\x01\x04\x02"  # RFC 2018
COOKIE = b"\x22\x02\x01\x01"  # RFC 7413: asks for one
USER_TIMEOUT = b"\x1c\x04\x00\x78"  # RFC 5482
SCALE = b"\x03\x03\xff\x01"  # RFC 7323, and more than its 14
OLD = 12_345_678
BEGUN, REST = part(HEAD, 0, 20), part(HEAD, 20)


def stamp(value: int) -> bytes:
    """RFC 7323, behind two NOPs."""
    return b"\x01\x01\x08\x0a" + struct.pack("!II", value, 0)


def amid(*steps: Step, **connection: bytes) -> Case:
    """The head in two parts, and these between them."""
    return Case((BEGUN, *steps, REST), **connection)  # type: ignore[arg-type]


def before(*steps: Step, **connection: bytes) -> Case:
    return Case((*steps, WHOLE), **connection)  # type: ignore[arg-type]


def one_by_one(start: int) -> tuple[Step, ...]:
    return tuple(part(HEAD, at, at + 1) for at in range(start, len(HEAD)))


def again(*steps: Step) -> Case:
    """The first connection comes to an end in some way; the next one has the same ports."""
    first = Sent(-101, flags=SYN), Sent(-100, flags=ACK), WHOLE._replace(at=-100)
    return Case((part(DECOY, 0, 20), Sent(20, flags=FIN | ACK), *steps, *first), ends=False)


THEMIS: dict[str, Case] = {
    "BAD_ACKNUM_DATA": before(FALSE._replace(ack=900_000_000)),
    "BAD_ACKNUM_RSTACK": amid(Sent(20, flags=RST | ACK, ack=900_000_000)),
    "BAD_CHECKSUM_DATA": before(FALSE._replace(bad_checksum=True)),
    "BAD_CHECKSUM_RST": amid(Sent(20, flags=RST, bad_checksum=True)),
    "BAD_FLAGS_DATA": before(FALSE._replace(flags=ODD, urgent=1)),
    "BAD_SEQNUM_DATA": before(FALSE._replace(at=-12_346)),
    "BAD_SEQNUM_FIN": amid(Sent(-12_346, flags=FIN | ACK)),
    "BAD_SEQNUM_RST": amid(Sent(-12_346, flags=RST)),
    "BAD_TIMESTAMP_DATA": before(FALSE._replace(options=stamp(100)), options=stamp(1000)),
    "BAD_TIMESTAMP_RST": amid(Sent(20, flags=RST, options=stamp(100)), options=stamp(1000)),
    "BIG_GAP": amid(Sent(99_999, b"A" * 20)),
    "DATA_IN_CLOSING_STATE": again(Sent(10, b"A" * 20, ack=-OLD), Act.CLOSE, Sent(21, flags=ACK, ack=1)),
    "DATA_OVERLAPPING": Case((part(DECOY, 20, AT + 12), part(HEAD, 20, AT + 12), WHOLE)),
    "DATAOFS_LARGE_DATA": before(FALSE._replace(data_offset=10)),
    "DATAOFS_SMALL_DATA": before(FALSE._replace(data_offset=4)),
    "IN_WINDOW_FIN": amid(Sent(30, flags=FIN | ACK)),
    "IN_WINDOW_RST": amid(Sent(21, flags=RST)),
    "IN_WINDOW_SYN": amid(Sent(21, flags=SYN)),
    "MD5_DATA": before(FALSE._replace(options=MD5)),
    "MD5_RST": amid(Sent(20, flags=RST, options=MD5)),
    "MULTI_SEGMENTATION": Case((part(HEAD, 0, 8), part(HEAD, 8, 12), part(HEAD, 12))),
    "MULTIPLE_SYN": before(Sent(-12_346, flags=SYN)),
    "NO_ACK_FLAG_DATA": before(FALSE._replace(flags=PSH)),
    "NO_ACK_FLAG_FIN": amid(Sent(20, flags=FIN)),
    "PARTIAL_IN_WINDOW_RST": amid(Sent(0, b"A" * 30, flags=RST)),
    "RST_AFTER_FIN": again(Sent(20, flags=RST)),
    "RST_RIGHTMOST_SACK": Case((REST, Sent(len(HEAD), flags=RST), BEGUN), syn_options=SACK_PERMITTED),
    "SEQ_BEFORE_ISN": Case((Sent(-10, b"A" * 10 + HEAD),)),
    "SMALL_SEGMENTS": Case(one_by_one(0)),
    "SYN_DATA": Case((WHOLE,), (Sent(-1, DECOY, SYN), Sent(0, flags=ACK))),
    "SYN_DATA2": Case((WHOLE,), (Sent(-1, flags=SYN), Sent(-1, DECOY, SYN), Sent(0, flags=ACK))),
    "SYN_FIN": Case((WHOLE,), (Sent(-1, flags=SYN | FIN), *OPENING)),
    "TCB_TURNAROUND": Case((WHOLE,), (Sent(-1, flags=SYN | ACK), *OPENING)),
    "TIME_GAP": Case((BEGUN, REST._replace(options=stamp(3000 + 2**31)), REST), options=stamp(3000)),
    "URGENT_DATA": Case((BEGUN, REST._replace(flags=ACK | URG, urgent=1))),
}
COMPOSITE: dict[str, Case] = {
    "in-window SYN, too old an ACK, in-window RST, one byte at a time": Case(
        (BEGUN, Sent(21, flags=SYN), part(DECOY, 20)._replace(ack=-OLD), Sent(21, flags=RST), *one_by_one(20)),
        syn_options=SACK_PERMITTED,
    ),
    "MD5 signatures, with data and with an RST": amid(
        part(DECOY, 20)._replace(options=MD5), Sent(20, flags=RST, options=MD5)
    ),
    "no ACK flag, then an RST at the end of what was acknowledged selectively": Case(
        (REST, part(DECOY, 20)._replace(flags=PSH), Sent(len(HEAD), flags=RST), BEGUN), syn_options=SACK_PERMITTED
    ),
    "another SYN and FIN in one before each": Case(
        (WHOLE,), (Sent(-1, flags=SYN | FIN), *OPENING, Sent(21, flags=SYN))
    ),
}


def data(*decoys: Sent) -> Case:
    """[TCP:flags:PA]: the request is preceded by these."""
    return before(*decoys)


def teardown(flags: int, **header: object) -> Case:
    """[TCP:flags:A]: the ACK that ends the handshake is followed by something that is to end the connection."""
    return before(Sent(0, flags=flags, **header))  # type: ignore[arg-type]


SHIFTED = FALSE._replace(data_offset=10)
GENEVA: dict[str, Case] = {
    "data offset 10, bad checksum": data(SHIFTED._replace(bad_checksum=True)),
    "data offset 10, TTL 10": data(SHIFTED._replace(dies=True)),
    "data offset 10, bad ACK": data(SHIFTED._replace(ack=900_000_000)),
    "data offset 8, bad window scale": data(FALSE._replace(data_offset=8, options=SCALE)),
    "corrupt payload, bad checksum": data(FALSE._replace(bad_checksum=True)),
    "corrupt payload, TTL 8": data(FALSE._replace(dies=True)),
    "corrupt payload, bad ACK": data(FALSE._replace(ack=900_000_000)),
    "SYN, then a SYN with a payload": Case((WHOLE,), (OPENING[0], Sent(-1, DECOY, SYN), OPENING[1])),
    "IP length 64": data(WHOLE._replace(total_length=64)),
    "RST, bad checksum": teardown(RST, bad_checksum=True),
    "RST, TTL 10": teardown(RST, dies=True),
    "RST, MD5": teardown(RST, options=MD5),
    "RST and ACK, bad checksum": teardown(RST | ACK, bad_checksum=True),
    "RST and ACK, TTL 10": teardown(RST | ACK, dies=True),
    "RST and ACK, MD5": teardown(RST | ACK, options=MD5),
    "FRAPUEN, bad checksum": teardown(ODD | ECE, bad_checksum=True),
    "FREACN, TTL 10": teardown(FIN | RST | ECE | ACK | CWR, dies=True),
    "FRAPUN, MD5": teardown(ODD, options=MD5),
    "segments at 8, a bad sequence number in the ACK": Case(
        (part(HEAD, 0, 8), part(HEAD, 8)), (OPENING[0], Sent(OLD, flags=ACK), OPENING[1])
    ),
    "segments at 8, then at 4": Case((part(HEAD, 0, 8), part(HEAD, 8, 12), part(HEAD, 12))),
    "segments at the middle": Case((part(HEAD, 0, len(HEAD) // 2), part(HEAD, len(HEAD) // 2))),
    "FIN, IP length 78": data(WHOLE._replace(flags=FIN, total_length=78)),
    "SYN and ACK, then the SYN": Case((WHOLE,), (Sent(-1, flags=SYN | ACK), *OPENING)),
    "user timeout option": Case((WHOLE._replace(options=USER_TIMEOUT),)),
}
OURS: dict[str, Case] = {
    "in order": Case((BEGUN, REST)),
    "reverse": Case(tuple(part(HEAD, at, at + 10) for at in reversed(range(0, len(HEAD), 10)))),
    "sent again with other bytes": Case((WHOLE, FALSE)),
    "two versions ahead of a hole": Case((REST, part(DECOY, 20), BEGUN)),
    "two versions ahead of a hole, the other first": Case((part(DECOY, 20), REST, BEGUN)),
    "a longer version over a shorter one": Case((part(DECOY, AT, AT + 12), REST, BEGUN)),
    "a shorter version over a longer one": Case((REST, part(DECOY, AT, AT + 12), BEGUN)),
    "overlap from the left": Case((part(HEAD, AT + 4), part(DECOY, 0, AT + 12))),
    "overlap from the right": Case((part(HEAD, 0, AT + 4), part(DECOY, AT - 4))),
    "far ahead": before(FALSE._replace(at=900_000)),
    "far behind": before(FALSE._replace(at=-900_000)),
    "RST out of the window": amid(Sent(900_000, flags=RST)),
    "FIN with a bad checksum": amid(Sent(20, flags=FIN | ACK, bad_checksum=True)),
    "a SYN amid": amid(Sent(20, flags=SYN)),
    "urgent byte in the number": Case((WHOLE._replace(flags=PSH | ACK | URG, urgent=AT + 6),)),
    "urgent byte in the number, left in place": Case(
        (WHOLE._replace(flags=PSH | ACK | URG, urgent=AT + 6),), port=INLINE
    ),
    "urgent byte before the number": Case((WHOLE._replace(flags=PSH | ACK | URG, urgent=AT),)),
    "urgent byte behind the number": Case((WHOLE._replace(flags=PSH | ACK | URG, urgent=AT + 13),)),
    "an urgent pointer beyond all": Case((WHOLE._replace(flags=PSH | ACK | URG, urgent=60_000),)),
    "keep-alive with a byte": amid(Sent(19, b"x")),
    "Fast Open": Case((REST,), (Sent(-1, HEAD[:20], SYN, options=COOKIE), Sent(20, flags=ACK)), port=OPEN_FAST),
    "Fast Open with all": Case((), (Sent(-1, HEAD, SYN, options=COOKIE), Sent(len(HEAD), flags=ACK)), port=OPEN_FAST),
    "Fast Open, and other data again": Case(
        (FALSE,), (Sent(-1, HEAD, SYN, options=COOKIE), OPENING[1]), port=OPEN_FAST
    ),
    "Fast Open that is refused": Case((WHOLE,), (Sent(-1, DECOY, SYN, options=COOKIE), OPENING[1])),
    "Fast Open without an option": Case((FALSE,), (Sent(-1, HEAD, SYN), OPENING[1]), port=OPEN_FAST),
    "a timestamp option where none was agreed": before(FALSE._replace(options=stamp(1))),
    "no timestamp option where one was agreed": Case((FALSE, WHOLE), OPENING, stamp(1000)),
    "data with the ACK of the handshake": Case((REST,), (OPENING[0], Sent(0, HEAD[:20], ACK))),
    "data before the ACK of the handshake": Case((REST,), (OPENING[0], Sent(0, HEAD[:20], PSH), OPENING[1], BEGUN)),
    "data behind the FIN": Case((WHOLE, Sent(len(HEAD), flags=FIN | ACK), Sent(len(HEAD) + 1, DECOY))),
    "FIN with the data": Case((FALSE._replace(flags=FIN | PSH | ACK), WHOLE)),
    "two FINs": Case((BEGUN._replace(flags=FIN | ACK), REST, WHOLE)),
}
NAMED = {
    f"{kind}: {name}": case
    for kind, cases in (("Themis", THEMIS), ("composite", COMPOSITE), ("Geneva", GENEVA), ("ours", OURS))
    for name, case in cases.items()
}
