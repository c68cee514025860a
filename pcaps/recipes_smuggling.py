"""Rows 57-82 once more: requests that some receivers read as a part of another one, or not at all.

From the literature on request smuggling: the HTTP Garden (Kallus et al., 2024), "Funky chunks" (w4ke.info, 2025), "HTTP
Desync Attacks" (Kettle, 2019-2025).
"""

from __future__ import annotations

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, QUIET, ambiguous, get, leak, recipe, talk_of
from pcaps.recipes_framing import CHUNKED, post
from pcaps.recipes_rules import AGEVERIFY
from pcaps.talk import Talk

LENGTH = b"Content-Length: %d"
COVERS = LENGTH % len(LEAK)
EXPECT = b"Expect: 100-continue"
END = b"\r\n0\r\n\r\n"
SWALLOWS = b"%x\r\n0\r\n\r\n" % (len(LEAK) + 5)  # a chunk: the end of the body to some, and the number in it to others


# --- lines of a chunk's size --------------------------------------------------------------------------------------


@recipe(72, ambiguous(times=1), "oddities.framing", "oddities.chunk_odd")
def h138_chunk_extension_with_an_lf() -> Talk:
    """To who ends every line at LF the request is in a chunk; to others an extension goes on up to CRLF."""
    return talk_of(post(CHUNKED, body=b"2;\nxx\r\n" + SWALLOWS + LEAK + END), CLEAN)


@recipe(72, ambiguous(times=1), "oddities.framing", "oddities.chunk_odd")
def h139_chunk_extension_with_a_cr() -> Talk:
    """The line ends at CR to some: the request is in a chunk to them, and to others behind the last one."""
    return talk_of(post(CHUNKED, body=b"2;a\rxx\r\n" + SWALLOWS + LEAK + END), CLEAN)


@recipe(72, ambiguous(times=1), "oddities.framing", "oddities.chunk_odd")
def h140_chunk_extension_with_a_cr_and_any_octet() -> Talk:
    """Some take whatever stands behind CR for LF."""
    return talk_of(post(CHUNKED, body=b"2;a\rXxx\r\n" + SWALLOWS + LEAK + END), CLEAN)


@recipe(72, leak(), "oddities.chunk_odd")
def h141_chunk_extension_with_an_lf_hides_nothing() -> Talk:
    """Where nobody who reads on finds the end of a chunk, he has closed the connection."""
    return talk_of(post(CHUNKED, body=b"5;a\nhello\r\n5;b\rc\r\nworld" + END), LEAK)


@recipe(72, ambiguous(times=1), "oddities.framing", "oddities.chunk_odd")
def h156_chunk_size_ended_by_a_cr() -> Talk:
    """The last chunk and the empty line behind it end with CR alone: to who knows no such ends this is no size."""
    return talk_of(post(CHUNKED, body=b"0\r\r" + LEAK), CLEAN)


@recipe(72, (*ambiguous(), *ambiguous("bank.example")), "trailers", "oddities.framing")
def h157_trailer_section_that_is_a_request() -> Talk:
    """No empty line behind the last chunk: to some this is the next request, and another site gets it."""
    return talk_of(post(CHUNKED, body=b"0\r\n" + LEAK.replace(b"shop.", b"bank.")), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.te_odd")
def h142_identity_and_chunked() -> Talk:
    """The first Transfer-Encoding counts for some, the last for others."""
    lines = (b"Transfer-Encoding: identity", CHUNKED)
    return talk_of(post(*lines, body=b"%x\r\n" % len(LEAK) + LEAK + END), CLEAN)


# --- what stands where a chunk should end, or its size -------------------------------------------------------------

TRAILER = b"0\r\n" + FIELD + END[:2] * 2
SPILLS = (ambiguous(times=1), "oddities.framing", "oddities.chunk_odd")


@recipe(72, *SPILLS)
def h165_chunk_that_is_longer_than_its_size() -> Talk:
    """What is too much is passed over up to the end of the line by Pound before its pull request 43 and by eventlet,
    who read a number in the trailer section; to most receivers the framing is broken. TERM.SPILL of "Funky chunks"."""
    return talk_of(post(CHUNKED, body=b"5\r\nhello, all\r\n" + TRAILER), CLEAN)


@recipe(72, *SPILLS)
def h166_any_two_octets_end_a_chunk() -> Talk:
    """They are not looked at by uhttpd before its pull request 32."""
    return talk_of(post(CHUNKED, body=b"5\r\nhelloXX" + TRAILER), CLEAN)


@recipe(72, ambiguous(times=1), "oddities.framing")
def h167_lf_and_a_digit_end_a_chunk() -> Talk:
    """The same: to who knows LF as an end the digit is one of the next size, and the request in that chunk."""
    held = END[:2] + LEAK
    held += b"=" * (-len(held) % 16)  # the last digit of its size is a nought
    return talk_of(post(CHUNKED, body=b"5\r\nhello\n%x\r\n" % len(held) + held + END), CLEAN)


@recipe(72, *SPILLS)
def h168_chunk_size_ended_by_an_lf() -> Talk:
    """To who reads lines up to CRLF, and numbers as strtoul does, the LF and what follows it are an extension
    (cpp-httplib before its pull request 2585); the chunk in which others have the request is another one to him."""
    return talk_of(post(CHUNKED, body=b"2\nxx\r\n" + SWALLOWS + LEAK + END), CLEAN)


@recipe(72, *SPILLS)
def h169_chunk_size_ended_by_an_lf_in_small_segments() -> Talk:
    """The same, octet by octet."""
    talk = Talk(mss=1).open().client(post(CHUNKED, body=b"2\nxx\r\n" + SWALLOWS + LEAK + END))
    return talk.server(OK).client(CLEAN).server(OK).close()


@recipe(72, leak(), "oddities.chunk_odd")
def h170_chunks_that_end_with_lf_hide_nothing() -> Talk:
    """Who knows CRLF alone, or counts two octets, finds no size there and has closed the connection."""
    return talk_of(post(CHUNKED, body=b"10\n" + b"x" * 16 + b"\n10\n" + b"x" * 16 + b"\n0\n\n"), LEAK)


@recipe(76, *SPILLS)
def h171_chunk_size_in_the_spelling_of_c() -> Talk:
    """`+0x5`: 5 to who reads it with strtoul, or with int of Python; no size to others."""
    return talk_of(post(CHUNKED, body=b"+0x5\r\nhello\r\n" + TRAILER), CLEAN)


@recipe(76, *SPILLS)
def h172_chunk_size_with_something_behind_it() -> Talk:
    """Its digits count to picohttpparser, whatever follows them on the line."""
    return talk_of(post(CHUNKED, body=b"5 octets\r\nhello\r\n" + TRAILER), CLEAN)


@recipe(76, *SPILLS)
def h173_request_with_a_body_inside_a_broken_one() -> Talk:
    """Chunks spill, and what the next one holds is text like a request with a body of 5,000 octets. Who passes over
    what spills comes to the end of the chunks and to the true request; so does who seeks on in that text."""
    decoy = post(LENGTH % 5000)
    return talk_of(post(CHUNKED, body=b"5\r\nhello, all\r\n%x\r\n" % len(decoy) + decoy + END), LEAK)


@recipe(76, *SPILLS)
def h174_request_with_a_body_behind_no_size() -> Talk:
    """The same where nobody can tell where the body ends: the head that is found may be text in it, so what its own
    body holds is searched as well."""
    return talk_of(post(CHUNKED, body=b"?\r\n\r\n" + post(LENGTH % 5000) + LEAK))


@recipe(76, leak(), "oddities.framing", "oddities.chunk_odd")
def h178_segment_that_cuts_the_method_behind_a_broken_body() -> Talk:
    """A segment may begin a request whatever stood before it, but not amid the request line of another: the rest of the
    method would make a second head of the same fields, where one way looks for requests and another one reads them."""
    broken = post(CHUNKED, body=b"?\r\n\r\n" + post(CHUNKED, body=b"0\r\n\r\n"))
    return Talk().open().client(broken + LEAK[:2]).client(LEAK[2:]).server(OK).close()


CRS = b"1;\rX\r\n2\r\n%x\r\n"  # here ways part: to who takes CR for an end a chunk of this size follows


@recipe(72, QUIET, "oddities.chunk_odd")
def h179_cr_amid_a_line_to_who_ends_it_there() -> Talk:
    """A chunk of 5 octets to who wants LF. The one who came here takes CR for an end, finds none behind the data, and
    closes: he never sees the request in what is a chunk to all others."""
    inner = b"5;a\rb\r\nhello\r\n0;\r\r" + LEAK
    return talk_of(post(CHUNKED, body=CRS % len(inner) + inner + END), CLEAN)


@recipe(72, QUIET, "oddities.chunk_odd")
def h180_no_request_behind_a_body_that_cr_ends() -> Talk:
    """The same where the body ends with CR and no request follows: that way is given up, and does not seek on."""
    inner = b"0;\r\rjunk\r\n" + LEAK
    return talk_of(post(CHUNKED, body=CRS % len(inner) + inner + END), CLEAN)


# --- bodies that never come ---------------------------------------------------------------------------------------


@recipe(71, ambiguous(times=1), "oddities.framing")
def h143_continue_never_came() -> Talk:
    """The server refuses before the body: the next request stands where it would have begun."""
    talk = Talk().open().client(post(LENGTH % 5000, EXPECT))
    return talk.server(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").client(LEAK).server(OK).close()


@recipe(71, ambiguous(times=2), "oddities.framing")
def h144_continue_never_came_and_the_upload_is_tried_again() -> Talk:
    """401, and the same upload again with its body; in small segments."""
    talk = Talk(mss=7).open().client(post(LENGTH % 5000, EXPECT))
    talk.server(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    return talk.client(post(LENGTH % 3, EXPECT, FIELD, body=b"abc")).server(OK).client(LEAK).server(OK).close()


@recipe(71, ambiguous(times=1), "oddities.framing")
def h145_continue_never_came_for_chunks() -> Talk:
    """The same of a body in chunks; what stands there is no size."""
    talk = Talk().open().client(post(CHUNKED, EXPECT))
    return talk.server(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").client(LEAK).server(OK).close()


@recipe(71, leak())
def h146_body_after_continue_begins_like_a_method() -> Talk:
    """A body in a segment of its own whose only word could begin a request line; the next request goes on in it."""
    talk = Talk().open().client(post(LENGTH % 4, EXPECT)).server(b"HTTP/1.1 100 Continue\r\n\r\n")
    return talk.client(b"POST").server(OK).client(LEAK).server(OK).close()


@recipe(71, ambiguous(times=1), "oddities.framing")
def h175_empty_line_behind_a_body_that_never_came() -> Talk:
    """A client that ends its bodies with an empty line, and sends that of none (RFC 9112 section 2.2)."""
    talk = Talk().open().client(post(LENGTH % 5000, EXPECT))
    talk.server(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    return talk.client(END[:2] + LEAK).server(OK).close()


@recipe(71, ambiguous(times=1), "oddities.framing")
def h176_continue_never_came_ten_times() -> Talk:
    """Every upload but one is refused, and the next one follows; the request behind them all leaks.
    Of who refuses them there is one way, which looks what stands where each body would."""
    talk = Talk().open()
    for number in range(10):
        talk.client(post(LENGTH % 5000, EXPECT)).server(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        if number == 6:
            talk.client(post(LENGTH % 9, EXPECT)).server(b"HTTP/1.1 100 Continue\r\n\r\n").client(b"name=none").server(
                OK
            )
    return talk.client(LEAK).server(OK).close()


@recipe(71, ambiguous(times=1), "oddities.framing", "shed.readings")
def h181_continue_never_came_where_nobody_reads() -> Talk:
    """Text in a broken body holds such uploads as well: the search in it refuses none, for it is no receiver."""
    upload = post(LENGTH % 5000, EXPECT)
    return talk_of(upload, post(CHUNKED, body=b"?\r\n\r\n" + upload + upload + LEAK))


@recipe(26, ambiguous(times=1), "oddities.framing")
def h182_upload_behind_a_body_that_is_lost_in_part() -> Talk:
    """What was left of the body that was lost is none of the next one, to who refuses bodies that wait either."""
    talk = Talk().open().client(post(LENGTH % 5000, EXPECT))
    talk.server(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    talk.client(post(LENGTH % 900, body=b"x" * 100)).lose(b"x" * 900).client(post(CHUNKED, EXPECT))
    return talk.server(b"HTTP/1.1 100 Continue\r\n\r\n").client(b"5\r\nhello" + END + LEAK).server(OK).close()


# --- lengths that only others see ---------------------------------------------------------------------------------


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.fold")
def h147_content_length_in_a_fold() -> Talk:
    """A field of its own to who knows no folds."""
    return talk_of(post(b"X: y\r\n " + COVERS, body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.cr")
def h148_content_length_behind_a_cr() -> Talk:
    """A field of its own to who ends lines at CR."""
    return talk_of(post(b"X: y\r" + COVERS, body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.nul")
def h149_content_length_with_a_nul_in_its_name() -> Talk:
    """The name ends at NUL to some."""
    return talk_of(post(b"Content-Length\0: %d" % len(LEAK), body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.control")
def h150_content_length_behind_a_vertical_tab() -> Talk:
    """White space before the name, to some."""
    return talk_of(post(b"\x0b" + COVERS, body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing", "oddities.fold")
def h151_content_length_with_a_fold_in_its_digits() -> Talk:
    """Joined with a space, with nothing, or cut there: three lengths."""
    tens, ones = divmod(len(LEAK), 10)
    return talk_of(post(b"Content-Length: %d\r\n %d" % (tens, ones), body=LEAK), CLEAN)


@recipe(74, ambiguous(times=1), "oddities.framing")
def h158_content_length_is_not_passed_on() -> Talk:
    """Connection names it, so a proxy leaves the length out and keeps the body (RFC 9110 section 7.6.1)."""
    return talk_of(post(b"Connection: close, Content-Length", COVERS, body=LEAK), CLEAN)


@recipe(76, leak(), "oddities.cl_twice", "oddities.cl_odd", "shed.readings")
def h152_more_lengths_than_ways() -> Talk:
    """Nought to most, five lengths to who reads hexadecimal: there is room for three, the others are counted."""
    sizes = b", ".join(b"0x%x" % size for size in range(48, 53))
    return talk_of(post(b"Content-Length: " + sizes, body=LEAK), CLEAN)


# --- what stands before a request ---------------------------------------------------------------------------------


@recipe(65, ambiguous(times=1), "oddities.not_http")
def h153_request_behind_a_record_of_tls() -> Talk:
    """Whole records of TLS, and behind them plain text in the same segment."""
    return talk_of(b"\x16\3\1\0\5hello\x17\3\3\0\5world" + LEAK)


@recipe(65, ambiguous(times=1), "oddities.not_http")
def h154_request_behind_an_alert_of_tls() -> Talk:
    """The client gives up TLS and goes on without; the handshake stands in a segment of its own."""
    return talk_of(b"\x16\3\1\0\5hello", b"\x15\3\1\0\2\2\x28\r\n" + LEAK)


# --- the number itself --------------------------------------------------------------------------------------------


@recipe(59, ambiguous(times=1), "oddities.nul")
def h155_nul_inside_the_number() -> Talk:
    """To who reads a string of C the number ends there."""
    cut = FIELD[:-7] + b"\0" + FIELD[-7:]
    return talk_of(LEAK.replace(FIELD, cut))


# --- which site ---------------------------------------------------------------------------------------------------


def agreed(*lines: bytes) -> Talk:
    """What the partner may have, if it is he who gets it."""
    head = get(*lines, b"X-MSISDN: " + NUMBER, host=b"ageverify.example", target=b"/check")
    return talk_of(head, dst=AGEVERIFY)


@recipe(78, ambiguous(times=1), "oddities.fold")
def h159_host_in_a_fold() -> Talk:
    """Another Host to who knows no folds: the stranger counts."""
    return agreed(b"X: y", b" Host: shop.example")


@recipe(78, ambiguous(times=1), "oddities.nul")
def h160_host_with_a_nul_in_its_name() -> Talk:
    """Another Host to who reads strings of C: the stranger counts."""
    return agreed(b"Host\0: shop.example")
