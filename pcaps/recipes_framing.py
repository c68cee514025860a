"""Rows 68-81: where a request begins and ends, which site received it, and switches of protocol."""

from __future__ import annotations

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, QUIET, ambiguous, answer, get, leak, recipe, talk_of
from pcaps.talk import Talk

CHUNKED = b"Transfer-Encoding: chunked"


def post(*lines: bytes, body: bytes = b"", target: bytes = b"/form") -> bytes:
    return get(*lines, method=b"POST", target=target) + body


def sized(body: bytes, *lines: bytes) -> bytes:
    return post(*lines, b"Content-Length: %d" % len(body), body=body)


def chunks(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join(b"%x" % len(part) + end + part + end for part in (*parts, b""))


# --- bodies -------------------------------------------------------------------------------------------------------


@recipe(68, QUIET, "body_bytes")
def h51_request_in_a_body() -> Talk:
    """An upload that looks like a leaking request: the main way to raise a false alarm."""
    return talk_of(sized(LEAK), CLEAN)


@recipe(68, QUIET, "body_bytes")
def h88_request_in_a_chunked_body() -> Talk:
    """The same in a chunked body, cut inside the number."""
    at = LEAK.index(NUMBER) + 4
    return talk_of(post(CHUNKED, body=chunks(LEAK[:at], LEAK[at:])), CLEAN)


@recipe(68, QUIET)
def h52_request_in_a_response() -> Talk:
    """A page that shows a leaking request; its direction is not the subscriber's."""
    return Talk().open().client(CLEAN).server(answer(LEAK)).close()


@recipe(69, leak())
def h35_pipelined_tenth() -> Talk:
    """Ten requests in one go, the tenth leaks."""
    return talk_of(CLEAN * 9 + LEAK)


@recipe(69, leak())
def h36_keep_alive_tenth() -> Talk:
    """Ten requests one after the other."""
    return talk_of(*[CLEAN] * 9, LEAK)


@recipe(69, leak(), suffix=".pcap.gz")
def h37_keep_alive_thousand_and_first() -> Talk:
    """A connection that lives long."""
    return talk_of(*[CLEAN] * 1000, LEAK)


@recipe(69, leak())
def h38_after_a_body() -> Talk:
    """The body is skipped by its length."""
    return talk_of(sized(b"name=value&" * 20), LEAK)


@recipe(69, leak())
def h86_get_with_a_body() -> Talk:
    """A GET may have a body (RFC 9110 section 9.3.1)."""
    return talk_of(get(b"Content-Length: 9") + b"surprise!" + LEAK)


@recipe(70, leak(), suffix=".pcap.gz")
def h90_after_an_upload_of_2_megabytes() -> Talk:
    """Bodies are counted, not kept: no depth ends the reading."""
    return talk_of(sized(b"u" * 2_000_000), LEAK)


@recipe(70, leak(), suffix=".pcap.gz")
def h91_after_a_download_of_5_megabytes() -> Talk:
    """The same for the other direction."""
    return Talk().open().client(CLEAN).server(answer(b"d" * 5_000_000)).client(LEAK).server(OK).close()


@recipe(71, leak())
def h39_after_100_continue() -> Talk:
    """The client waits for `100 Continue` before its body."""
    talk = Talk().open().client(post(b"Content-Length: 4", b"Expect: 100-continue"))
    talk.server(b"HTTP/1.1 100 Continue\r\n\r\n").client(b"body").server(OK)
    return talk.client(LEAK).server(OK).close()


@recipe(71, leak())
def h81_several_interim_responses() -> Talk:
    """102, 103 and then the answer."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    return Talk().open().client(CLEAN).server(interim + OK).client(LEAK).server(OK).close()


@recipe(71, leak())
def h82_response_nobody_asked_for() -> Talk:
    """The server speaks first."""
    return Talk().open().server(OK).client(LEAK).server(OK).close()


@recipe(71, leak())
def h83_timeout_before_the_request() -> Talk:
    """408 crosses the request on the way."""
    return Talk().open().server(answer(b"", b"408 Request Timeout")).client(LEAK).close()


@recipe(71, leak())
def h84_head_and_not_modified() -> Talk:
    """Responses to HEAD and 304 have a Content-Length and no body."""
    talk = Talk().open().client(get(method=b"HEAD")).server(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    talk.client(CLEAN).server(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9999\r\n\r\n")
    return talk.client(LEAK).server(OK).close()


# --- chunks and lengths -------------------------------------------------------------------------------------------


@recipe(72, leak())
def h40_after_a_chunked_body() -> Talk:
    """Chunked, then the next request."""
    return talk_of(post(CHUNKED, body=chunks(b"a" * 10, b"b" * 300)), LEAK)


@recipe(72, leak())
def h48_chunk_extensions() -> Talk:
    """Extensions after the chunk sizes (RFC 9112 section 7.1.1)."""
    body = b'5;name="v;\\"x"\r\nhello\r\n0;last\r\n\r\n'
    return talk_of(post(CHUNKED, body=body), LEAK)


@recipe(72, leak(), "oddities.chunk_odd")
def h49_chunks_with_bare_lf() -> Talk:
    """Chunk lines that end in LF alone."""
    return talk_of(post(CHUNKED, body=chunks(b"hello", end=b"\n")), LEAK)


@recipe(96, leak(), "oddities.chunk_odd")
def h130_small_chunks_in_every_spelling() -> Talk:
    """The smallest chunks by the hundred: an engine that hurries through them must not lose count of one."""
    spellings = (
        b"1\r\nx\r\n",
        b"1\nx\n",
        b" 1 \r\n\n\r\n",
        b"0000000002\r\n\r\n\r\n",
        b"a;x=1\r\n0123456789\n",
        b"3\n0\r\n\n",
    )
    body = b"".join(each * 40 for each in spellings) + b"".join(spellings) * 40 + chunks()
    return talk_of(post(CHUNKED, body=b"%x\r\n" % len(LEAK) + LEAK + b"\r\n" + body), LEAK)


@recipe(72, leak(), "trailers")
def h41_number_in_a_trailer() -> Talk:
    """The field comes after the body, in the trailer section."""
    return talk_of(post(CHUNKED, b"Trailer: X-Up-Calling-Line-ID", body=b"5\r\nhello\r\n0\r\n" + FIELD + b"\r\n\r\n"))


@recipe(73, leak(), "oddities.cl_and_te")
def h42_both_lengths_agree() -> Talk:
    """Content-Length and chunked, and both end at the same place."""
    body = chunks(b"hello")
    return talk_of(post(b"Content-Length: %d" % len(body), CHUNKED, body=body), LEAK)


@recipe(73, ambiguous(times=1) + leak(), "shed.readings", suffix=".pcap.gz")
def x73_more_odd_heads_than_are_read_otherwise() -> Talk:
    """A request that only one framing shows, before and behind some hundred short heads that can be read in two ways:
    in the end the second way is shed, and said to be. What the first way shows is found as ever."""
    folded = get(b"A: 1", b" 2")
    smuggled = post(b"Content-Length: 0", CHUNKED, body=chunks(LEAK))
    return talk_of(smuggled, *[folded * 24] * 40, folded * 16 + smuggled, LEAK)


@recipe(73, ambiguous(times=1) + leak(), "shed.readings", "shed.head_bytes", suffix=".pcap.gz")
def x135_folds_of_one_octet_cost_what_they_take() -> Talk:
    """A request that only one framing shows, before and behind thousands of folds that are an octet each: one of the
    heads is longer than any that is read at once. In the end the second way is shed, and said to be."""
    smuggled = post(b"Content-Length: 0", CHUNKED, body=chunks(LEAK))
    folds = [b" 1"] * 6000
    return talk_of(smuggled, get(b"A: 1", *folds), get(b"A: 1", *folds * 11), get(b"A: 1", *folds) + smuggled, LEAK)


@recipe(73, leak(), "oddities.cl_and_te")
def h89_both_lengths_agree_pipelined() -> Talk:
    """The same, the next request in the same segment, the coding before the length."""
    body = chunks(b"hello")
    return talk_of(post(CHUNKED, b"Content-Length: %d" % len(body), body=body) + LEAK)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h43_lengths_disagree() -> Talk:
    """By Content-Length the next request is part of a body, by chunked it is a request of its own: smuggling."""
    body = chunks() + LEAK
    return talk_of(post(b"Content-Length: %d" % len(body), CHUNKED, body=body), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h44_two_content_lengths() -> Talk:
    """0 and the real one: who takes the first sees another request."""
    return talk_of(post(b"Content-Length: 0", b"Content-Length: %d" % len(LEAK), body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h45_content_length_with_plus() -> Talk:
    """A sign before the digits: the length to some, no length at all to others, an error to most."""
    return talk_of(post(b"Content-Length: +%d" % len(LEAK), body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h46_content_length_huge() -> Talk:
    """A length of 24 digits: a body without end, or a number that overflowed."""
    return talk_of(post(b"Content-Length: 100000000000000000000000"), LEAK)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h47_content_length_negative() -> Talk:
    """A length below nought."""
    return talk_of(post(b"Content-Length: -1"), LEAK)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h50_space_after_transfer_encoding() -> Talk:
    """`Transfer-Encoding : chunked`: whoever drops the name with the space reads a body of the Content-Length."""
    body = chunks() + LEAK
    lines = (b"Content-Length: %d" % len(body), b"Transfer-Encoding : chunked")
    return talk_of(post(*lines, body=body), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.te_odd")
def h78_unknown_transfer_encoding() -> Talk:
    """A coding that no receiver knows: by the length the number is in a body."""
    return talk_of(post(b"Transfer-Encoding: x-cow", b"Content-Length: %d" % len(LEAK), body=LEAK), CLEAN)


@recipe(76, ambiguous(times=1), "oddities.chunk_odd")
def h94_chunk_size_wraps() -> Talk:
    """A chunk of 2^64 + 5 octets: an integer of 64 bits wraps to 5, and the next request is behind it."""
    return talk_of(post(CHUNKED, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"), LEAK)


@recipe(76, ambiguous(times=1), "oddities.framing")
def h126_content_length_wraps_at_32_bits() -> Talk:
    """2^32 + 5 octets: 5 are left of them in an integer of 32 bits, and the next request is behind those."""
    return talk_of(post(b"Content-Length: 4294967301", body=b"a=42\n"), LEAK)


@recipe(76, ambiguous(times=1), "oddities.framing")
def h127_content_length_wraps_at_64_bits() -> Talk:
    """The same of 2^64 + 5."""
    return talk_of(post(b"Content-Length: 18446744073709551621", body=b"a=42\n"), LEAK)


@recipe(76, ambiguous(times=1), "oddities.framing")
def h128_chunk_size_wraps_at_32_bits() -> Talk:
    """A chunk of 2^32 + 5 octets, of which 5 are left."""
    return talk_of(post(CHUNKED, body=b"100000005\r\nhello\r\n0\r\n\r\n"), LEAK)


@recipe(76, QUIET, "body_bytes")
def h129_large_upload() -> Talk:
    """5 GB indeed: what stands where a small integer ends is no request, so what looks like one further on is none."""
    body = (b"=" * 99 + b"\n") * 8 + LEAK
    return talk_of(post(b"Content-Length: 4294967396", body=body))


@recipe(76, ambiguous(times=1), "oddities.framing", "oddities.cl_odd")
def h131_content_length_of_all_ones() -> Talk:
    """2^64 - 1: the largest number of 64 bits, and -1 to who takes it for signed."""
    return talk_of(post(b"Content-Length: 18446744073709551615"), LEAK)


@recipe(76, ambiguous(times=1), "oddities.framing", "oddities.cl_odd")
def h132_content_length_in_octal() -> Talk:
    """A nought in front: octal to who reads numbers as C does, and then the next request begins earlier."""
    return talk_of(post(b"Content-Length: 0144", body=b"=" * 100 + LEAK), CLEAN)


@recipe(76, ambiguous(times=1), "oddities.framing", "oddities.cl_odd")
def h133_content_length_in_hexadecimal() -> Talk:
    """`0x`: no length to most, or nought; to who reads numbers as C does the request is a body."""
    return talk_of(post(b"Content-Length: 0x%x" % len(LEAK), body=LEAK), CLEAN)


@recipe(76, leak(), "oddities.cl_odd")
def h134_body_of_nothing_is_announced() -> Talk:
    """The client waits for `100 Continue` and has nothing to send."""
    return talk_of(post(b"Expect: 100-continue", b"Content-Length: 0"), LEAK)


@recipe(76, ambiguous(times=1), "oddities.framing", "oddities.fold")
def h135_transfer_encoding_folded() -> Talk:
    """`Transfer-Encoding:` and `chunked` on the next line: who knows no folds reads a body of the Content-Length."""
    body = chunks() + LEAK
    return talk_of(post(b"Content-Length: %d" % len(body), b"Transfer-Encoding:\r\n chunked", body=body), CLEAN)


@recipe(76, ambiguous(times=1), "oddities.framing", "oddities.te_odd")
def h136_transfer_encoding_of_two_values() -> Talk:
    """Chunked, and then something else: chunks to some, the length to others."""
    body = chunks() + LEAK
    return talk_of(post(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked, identity", body=body), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h137_transfer_encoding_with_an_underscore() -> Talk:
    """Another field to most receivers; the same one to who hands names to scripts (RFC 3875 section 4.1.18)."""
    body = chunks() + LEAK
    return talk_of(post(b"Content-Length: %d" % len(body), b"Transfer_Encoding: chunked", body=body), CLEAN)


@recipe(75, leak(times=12))
def h95_odd_responses() -> Talk:
    """Twelve responses that no RFC allows; the request after each of them leaks."""
    odd = (
        b"", b"\0" * 40, b"HTTP/1.1 200\r\n\r\n", b"HTTP/9.9 999 ?\r\nContent-Length: -5\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello", b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1\t200\tOK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nno length",
    )  # fmt: skip
    talk = Talk().open()
    for octets in odd:
        talk.client(CLEAN).server(octets).client(LEAK)
    return talk.close()


# --- which site ---------------------------------------------------------------------------------------------------


@recipe(77, leak("other.example"), "oddities.host_mismatch")
def h27_absolute_target() -> Talk:
    """The authority of an absolute target goes before Host (RFC 9112 section 3.2.2)."""
    return talk_of(get(FIELD, target=b"http://other.example/page"))


@recipe(77, leak("other.example"), "oddities.userinfo")
def h32_userinfo() -> Talk:
    """What stands before `@` is no host, even when it looks like our own."""
    return talk_of(get(FIELD, target=b"http://portal.operator.example@other.example/"))


@recipe(78, ambiguous(times=1), "oddities.host")
def h28_two_hosts() -> Talk:
    """A partner and a stranger as Host: the stranger counts."""
    return talk_of(get(b"Host: portal.operator.example", FIELD))


@recipe(78, leak("203.0.113.9"), "oddities.host_missing")
def h29_no_host() -> Talk:
    """HTTP/1.0 without Host: the address is all there is."""
    return talk_of(get(FIELD, host=None, version=b"HTTP/1.0"))


@recipe(78, leak("203.0.113.9"))
def h30_empty_host() -> Talk:
    """An empty Host says no more."""
    return talk_of(get(FIELD, host=b""))


@recipe(78, leak())
def h31_host_with_port_dot_and_case() -> Talk:
    """The same host, spelt otherwise."""
    return talk_of(get(FIELD, host=b"ShoP.ExamplE.:8080"))


@recipe(79, leak("c.example"))
def h92_host_changes() -> Talk:
    """A proxy's connection: every request names another site."""
    sites = [b"a.example", b"b.example", b"c.example", b"d.example"]
    return talk_of(*(get(FIELD if site == sites[2] else b"Accept: */*", host=site) for site in sites))


# --- other protocols ----------------------------------------------------------------------------------------------


@recipe(81, leak())
def h33_on_the_connect_request() -> Talk:
    """The number on CONNECT itself: the proxy learns it, for this target."""
    return talk_of(get(FIELD, method=b"CONNECT", target=b"shop.example:443", host=b"shop.example:443"))


@recipe(81, leak(), "oddities.in_connect")
def h34_inside_the_connect_tunnel() -> Talk:
    """Plain HTTP through a CONNECT tunnel."""
    talk = Talk().open().client(get(method=b"CONNECT", target=b"shop.example:80", host=b"shop.example:80"))
    return talk.server(b"HTTP/1.1 200 Connection established\r\n\r\n").client(LEAK).server(OK).close()


@recipe(81, leak())
def h57_websocket_upgrade() -> Talk:
    """The number on the request that opens a WebSocket; frames follow that are no HTTP."""
    lines = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", FIELD)
    talk = Talk().open().client(get(*lines)).server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    return talk.client(b"\x81\x85\x01\x02\x03\x04igohn").close()
