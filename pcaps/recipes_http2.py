"""Row 82: cleartext HTTP/2."""

from __future__ import annotations

import struct

import hpack

from pcaps.recipe import LEAK, NUMBER, OK, QUIET, ambiguous, get, leak, recipe, talk_of
from pcaps.talk import Talk

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, CONTINUATION, END_STREAM, END_HEADERS, PADDED = 0, 1, 4, 9, 1, 4, 8
PSEUDO = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"shop.example")]
LINE = (b"x-up-calling-line-id", NUMBER)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113 section 4.1."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal(*fields: tuple[bytes, bytes]) -> bytes:
    """HPACK without table and Huffman code (RFC 7541 section 6.2.2)."""
    return b"".join(b"\0%c%s%c%s" % (len(name), name, len(value), value) for name, value in fields)


OPENING = PREFACE + frame(SETTINGS, 0, 0)


@recipe(82, leak())
def h54_h2c_prior_knowledge() -> Talk:
    """Cleartext HTTP/2 from the first octet (RFC 9113 section 3.3)."""
    head = frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(*PSEUDO, LINE))
    return Talk().open().client(OPENING + head).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, leak(), "blind.midstream")
def h110_h2c_picked_up_in_the_middle() -> Talk:
    """Nobody saw the preface; the frames of both sides look alike, but only a response has a status."""
    head = frame(HEADERS, END_STREAM | END_HEADERS, 7, literal(*PSEUDO, LINE))
    answer = frame(HEADERS, END_HEADERS, 5, b"\x88") + frame(SETTINGS, 1, 0)
    return Talk().server(answer).client(frame(SETTINGS, 1, 0) + head).server(answer)


@recipe(82, leak())
def h119_h2c_pseudo_field_that_is_none() -> Talk:
    """The number's name begins with a colon, as only names that RFC 9113 knows may."""
    head = frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(*PSEUDO, (b":" + LINE[0], NUMBER)))
    return Talk().open().client(OPENING + head).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, leak(times=3))
def h177_h2c_pseudo_fields_with_a_number() -> Talk:
    """A second `:path`, a second `:method`, and a `:scheme`: to who takes the last one, and in any case on the wire."""
    odd = [(*PSEUDO, (name, NUMBER)) for name in (b":path", b":method")]
    odd.append([(name, NUMBER if name == b":scheme" else value) for name, value in PSEUDO])
    heads = [frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * at, literal(*each)) for at, each in enumerate(odd)]
    return Talk().open().client(OPENING + b"".join(heads)).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, ambiguous("203.0.113.9", 1), "oddities.host_unknown")
def h120_h2c_fields_without_a_request() -> Talk:
    """No pseudo field, and no request whose trailers these could be. Receivers refuse them (RFC 9113 section 8.1.1),
    but the number has left."""
    head = frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(LINE))
    return Talk().open().client(OPENING + head).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, leak(), "oddities.not_http")
def h121_h2c_client_that_answers() -> Talk:
    """A client sends a status, which the server refuses on that stream alone; the next request is like any other."""
    status = frame(HEADERS, END_STREAM | END_HEADERS, 1, literal((b":status", b"200")))
    head = frame(HEADERS, END_STREAM | END_HEADERS, 3, literal(*PSEUDO, LINE))
    return Talk().open().client(OPENING + status).client(head).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, QUIET, "not_requests")
def h122_h2c_trailers_of_nobody_knows_whom() -> Talk:
    """Picked up in the middle, one direction only: a server's trailers are like a client's."""
    return Talk().client(frame(SETTINGS, 1, 0) + frame(HEADERS, END_STREAM | END_HEADERS, 5, literal(LINE)))


@recipe(82, ambiguous(), "oddities.not_http")
def h117_preface_of_http2_and_then_http1() -> Talk:
    """The server knows no HTTP/2; the client asks again as HTTP/1.1, and a segment ends where a frame would begin."""
    talk = Talk().open().client(OPENING).server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    return talk.client(LEAK[:3]).client(LEAK[3:]).server(OK).close()


@recipe(82, ambiguous(), "oddities.not_http")
def h118_half_a_preface_of_http2() -> Talk:
    """It ends where a head of HTTP/1 does, and a request follows."""
    return talk_of(b"PRI * HTTP/2.0\r\n\r\n" + LEAK)


@recipe(82, leak())
def h55_h2c_continuation() -> Talk:
    """The field block in three frames, cut inside the number."""
    block = literal(*PSEUDO, LINE)
    cut = block.index(NUMBER) + 5
    head = frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, 0, 1, block[9:cut])
    head += frame(CONTINUATION, END_HEADERS, 1, block[cut:])
    return Talk().open().client(OPENING + head).server(frame(SETTINGS, 0, 0)).close()


@recipe(82, leak())
def h56_h2c_upgrade() -> Talk:
    """HTTP/1.1 asks for h2c; the number comes after the switch."""
    lines = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    talk = Talk().open().client(get(*lines))
    talk.server(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    talk.client(OPENING).server(frame(SETTINGS, 0, 0))
    return talk.client(frame(HEADERS, END_STREAM | END_HEADERS, 3, literal(*PSEUDO, LINE))).close()


@recipe(82, leak(times=3))
def h96_h2c_dynamic_table() -> Talk:
    """As browsers do it: Huffman code, and from the second request on the number is an index of one octet."""
    encoder = hpack.Encoder()
    talk = Talk().open().client(OPENING).server(frame(SETTINGS, 0, 0))
    for stream in (1, 3, 5):
        block = encoder.encode([*PSEUDO, LINE], huffman=True)
        talk.client(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
    return talk.close()


@recipe(82, leak(times=3))
def h131_h2c_entries_named_again_and_again() -> Talk:
    """A cookie of 200 octets and the number, each an index of one octet from the second request on, named thrice."""
    long = (b"cookie", b"theme=light; " * 15)
    name, length, line = long[0], bytes((127, len(long[1]) - 127)), literal(LINE)[1:]
    added = b"\x40%c%s%s%s" % (len(name), name, length, long[1]) + b"\x40" + line  # RFC 7541 section 6.2.1
    talk = Talk().open().client(OPENING).server(frame(SETTINGS, 0, 0))
    talk.client(frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(*PSEUDO) + added))
    for stream in (3, 5):
        talk.client(frame(HEADERS, END_STREAM | END_HEADERS, stream, literal(*PSEUDO) + b"\xbf\xbe" * 3))
    return talk.close()


def connect(*fields: tuple[bytes, bytes]) -> bytes:
    """A tunnel to the shop, on stream 1 (RFC 9113 section 8.5)."""
    asked = literal((b":method", b"CONNECT"), (b":authority", b"shop.example:80"), *fields)
    return OPENING + frame(HEADERS, END_HEADERS, 1, asked)


@recipe(82, leak(times=2), "oddities.in_connect")
def h161_h2c_tunnel() -> Talk:
    """HTTP/1.1 inside a stream of CONNECT: a request in two frames of DATA with another stream between, and in one
    that is padded."""
    other = frame(HEADERS, END_STREAM | END_HEADERS, 3, literal(*PSEUDO))
    talk = Talk().open().client(connect()).server(frame(HEADERS, END_HEADERS, 1, b"\x88"))
    talk.client(frame(DATA, 0, 1, LEAK[:30]) + other + frame(DATA, 0, 1, LEAK[30:]))
    return talk.client(frame(DATA, PADDED, 1, b"\3" + LEAK + bytes(3))).close()


@recipe(82, leak(), "oddities.in_connect", "body_bytes")
def h162_h2c_tunnel_with_a_body() -> Talk:
    """Inside the tunnel a body is a body."""
    upload = get(b"Content-Length: %d" % len(LEAK), method=b"POST") + LEAK
    return Talk().open().client(connect() + frame(DATA, 0, 1, upload + LEAK)).close()


@recipe(82, leak(), "gap_bytes")
def h163_h2c_tunnel_with_a_hole() -> Talk:
    """A frame of the tunnel is lost; the next one begins with a request."""
    talk = Talk().open().client(connect() + frame(DATA, 0, 1, get()))
    talk.lose(frame(DATA, 0, 1, b"?" * 90))
    return talk.client(frame(DATA, 0, 1, LEAK) + frame(SETTINGS, 0, 0)).server(OK).close()


@recipe(82, QUIET, "body_bytes")
def h164_h2c_tunnel_of_a_websocket() -> Talk:
    """Extended CONNECT (RFC 8441): what follows are frames of a WebSocket, whatever they look like."""
    talk = Talk().open().client(connect((b":protocol", b"websocket"), *PSEUDO[1:3]))
    return talk.client(frame(DATA, 0, 1, LEAK)).close()
