"""Rows 55-67: request heads as lenient, careless and evasive clients write them. The number must be found in each."""

from __future__ import annotations

import struct

from pcaps.recipe import CLEAN, FIELD, LEAK, NUMBER, OK, ambiguous, get, leak, recipe, talk_of
from pcaps.talk import Packet, Talk

NAME = b"X-Up-Calling-Line-ID"
OTHER = b"Accept: */*"


# --- names and spaces ---------------------------------------------------------------------------------------------


@recipe(55, leak())
def h01_name_case() -> Talk:
    """Names compare without case."""
    return talk_of(get(b"x-uP-cALLING-lINE-iD: " + NUMBER))


@recipe(55, leak())
def h02_underscore() -> Talk:
    """To a CGI server `_` and `-` are the same field."""
    return talk_of(get(b"X_UP_CALLING_LINE_ID: " + NUMBER))


@recipe(55, leak())
def h05_no_space_after_the_colon() -> Talk:
    """White space after the colon is optional."""
    return talk_of(get(NAME + b":" + NUMBER))


@recipe(55, leak())
def h75_tabs_around_the_value() -> Talk:
    """Tabs and spaces around the value are no part of it."""
    return talk_of(get(NAME + b":\t \t" + NUMBER + b"\t  "))


@recipe(55, leak())
def h76_quoted() -> Talk:
    """The number in quotation marks."""
    return talk_of(get(NAME + b': "' + NUMBER + b'"'))


@recipe(55, leak())
def h77_plus() -> Talk:
    """The number with its plus, in a header of another vendor."""
    return talk_of(get(b"X-Nokia-MSISDN: +" + NUMBER))


@recipe(55, leak())
def h87_number_across_two_segments() -> Talk:
    """The segment ends in the middle of the number."""
    at = LEAK.index(NUMBER) + 5
    return Talk().open().client(LEAK[:at]).client(LEAK[at:]).server(OK).close()


@recipe(56, leak(), "oddities.space_before_colon")
def h03_space_before_the_colon() -> Talk:
    """RFC 9112 section 5.1 lets a server reject this; the bytes have left the network anyway."""
    return talk_of(get(NAME + b" : " + NUMBER))


@recipe(56, leak(), "oddities.space_before_colon")
def h04_tab_before_the_colon() -> Talk:
    """The same with a tab."""
    return talk_of(get(NAME + b"\t: " + NUMBER))


@recipe(57, leak(), "oddities.fold")
def h06_value_on_the_next_line() -> Talk:
    """obs-fold (RFC 9112 section 5.2): the whole value on a continuation line."""
    return talk_of(get(NAME + b":", b" " + NUMBER, OTHER))


@recipe(57, ambiguous(), "oddities.fold")
def h07_number_folded() -> Talk:
    """The number is cut by the fold: whoever joins without a space sees it."""
    return talk_of(get(NAME + b": " + NUMBER[:7], b" " + NUMBER[7:], OTHER))


@recipe(57, ambiguous(times=1), "oddities.fold")
def h116_text_folded_behind_the_number() -> Talk:
    """Joined without a space the value is a long word, as if it were sealed: but it is one number, and counts once."""
    return talk_of(get(NAME + b": " + NUMBER, *[b" folded"] * 9, OTHER))


# --- line ends and control bytes ----------------------------------------------------------------------------------


@recipe(58, leak(), "oddities.bare_lf")
def h08_bare_lf() -> Talk:
    """Every line ends in LF alone."""
    return talk_of(get(FIELD, OTHER, end=b"\n"))


@recipe(58, leak(), "oddities.bare_lf")
def h09_mixed_line_ends() -> Talk:
    """LF and CR LF in one head."""
    return talk_of(LEAK.replace(b"\r\nX-Up", b"\nX-Up").replace(b"\r\n\r\n", b"\n\r\n"))


@recipe(58, ambiguous(), "oddities.cr")
def h10_lone_cr() -> Talk:
    """A CR alone between two fields: a line end to some, part of a value to others."""
    return talk_of(get(b"X-Note: none\r" + FIELD, OTHER))


@recipe(59, leak(), "oddities.nul")
def h11_nul_before_the_number() -> Talk:
    """A NUL in front of the number: a C string would be empty here."""
    return talk_of(get(NAME + b": \0" + NUMBER))


@recipe(59, leak(), "oddities.nul")
def h12_nul_in_another_field() -> Talk:
    """A NUL in a line before."""
    return talk_of(get(b"X-Note: a\0b", FIELD))


# --- broken lines before ------------------------------------------------------------------------------------------


@recipe(60, leak(), "oddities.no_colon")
def h14_line_without_colon() -> Talk:
    """One bad line never hides the next."""
    return talk_of(get(b"this is no field", FIELD))


@recipe(60, leak(), "oddities.empty_name")
def h15_empty_name() -> Talk:
    """A line that begins with its colon."""
    return talk_of(get(b": empty", FIELD))


@recipe(60, leak(), "oddities.leading_space")
def h16_space_before_the_first_field() -> Talk:
    """White space between the request line and the first field (RFC 9112 section 2.2)."""
    head = get(FIELD).replace(b"\r\nHost", b"\r\n Ignored: yes\r\nHost", 1)
    return talk_of(head)


@recipe(60, leak())
def h21_utf8_value() -> Talk:
    """A value in UTF-8."""
    return talk_of(get("X-Name: Zoë Müller".encode(), FIELD))


@recipe(60, leak(), "oddities.odd_name")
def h22_eight_bit_name() -> Talk:
    """A name with bytes above 127."""
    return talk_of(get(b"X-\xe9t\xe9: oui", FIELD))


@recipe(60, leak(), "oddities.odd_name")
def h23_control_in_the_name() -> Talk:
    """A name with a control byte."""
    return talk_of(get(b"X-\x01\x1b[2J: 1", FIELD))


@recipe(61, leak())
def h13_repeated_field() -> Talk:
    """The field twice, the number in the second one."""
    return talk_of(get(NAME + b": unknown", FIELD))


@recipe(61, leak())
def h53_text_that_looks_like_the_field() -> Talk:
    """Another value quotes the field's name: one number, one sighting."""
    return talk_of(get(b"X-Note: X-Up-Calling-Line-ID: hidden", FIELD))


# --- long ---------------------------------------------------------------------------------------------------------


@recipe(62, leak(), suffix=".pcap.gz")
def h17_cookie_of_60_kilobytes() -> Talk:
    """The number stands behind a long cookie."""
    return talk_of(get(b"Cookie: a=" + b"c" * 60_000, FIELD))


@recipe(62, leak(), suffix=".pcap.gz")
def h18_cookie_of_200_kilobytes() -> Talk:
    """Still below the bound of one head."""
    return talk_of(get(b"Cookie: a=" + b"c" * 200_000, FIELD))


@recipe(62, leak(), suffix=".pcap.gz")
def h19_300_fields() -> Talk:
    """300 fields before."""
    return talk_of(get(*(b"X-%d: v" % n for n in range(300)), FIELD))


@recipe(62, leak(), suffix=".pcap.gz")
def h20_3000_fields() -> Talk:
    """3,000 fields before."""
    return talk_of(get(*(b"X-%d: v" % n for n in range(3000)), FIELD))


@recipe(62, leak(), suffix=".pcap.gz")
def h70_target_of_16_kilobytes() -> Talk:
    """A long request line."""
    return talk_of(get(FIELD, target=b"/" + b"t" * 16_000))


@recipe(62, leak(), suffix=".pcap.gz")
def h71_target_of_100_kilobytes() -> Talk:
    """A very long request line."""
    return talk_of(get(FIELD, target=b"/" + b"t" * 100_000))


@recipe(62, leak(), "shed.head_bytes", suffix=".pcap.gz")
def h97_head_beyond_the_bound() -> Talk:
    """400 kB of cookie: more than the sensor keeps of one head. It says so, and the raw scan goes on to the number."""
    return talk_of(get(b"Cookie: a=" + b"c" * 400_000, FIELD))


@recipe(62, leak(), "shed.head_lines", suffix=".pcap.gz")
def h98_lines_beyond_the_bound() -> Talk:
    """6,000 fields: more lines than the bound, the number behind them."""
    return talk_of(get(*(b"X-%d: v" % n for n in range(6000)), FIELD))


# --- the request line ---------------------------------------------------------------------------------------------


@recipe(63, leak())
def h24_unknown_method() -> Talk:
    """A method that no registry has."""
    return talk_of(get(FIELD, method=b"FROBNICATE"))


@recipe(63, leak())
def h25_lower_case_method() -> Talk:
    """`get` is a method of its own, and many servers take it for GET."""
    return talk_of(get(FIELD, method=b"get"))


@recipe(63, leak())
def h26_method_of_symbols() -> Talk:
    """Every symbol here may stand in a method (RFC 9110 section 5.6.2)."""
    return talk_of(get(FIELD, method=b"M-S!E#A$R'C*H"))


@recipe(63, leak(), "oddities.leading_crlf")
def h65_empty_line_before() -> Talk:
    """One empty line before the request (RFC 9112 section 2.2)."""
    return talk_of(b"\r\n" + LEAK)


@recipe(63, leak(), "oddities.leading_crlf")
def h66_hundred_empty_lines_before() -> Talk:
    """A hundred of them."""
    return talk_of(b"\r\n" * 100 + LEAK)


@recipe(63, leak(), "oddities.request_line_space")
def h67_spaces_in_the_request_line() -> Talk:
    """More than one space between the parts."""
    return talk_of(LEAK.replace(b"GET / ", b"GET   /   "))


@recipe(63, leak(), "oddities.request_line_space")
def h68_tabs_in_the_request_line() -> Talk:
    """Tabs for spaces."""
    return talk_of(LEAK.replace(b"GET / ", b"GET\t/\t"))


@recipe(63, leak())
def h69_space_in_the_target() -> Talk:
    """A target that nobody encoded."""
    return talk_of(get(FIELD, target=b"/my holiday pictures"))


@recipe(64, leak())
def h58_version_1_2() -> Talk:
    """HTTP/1.2."""
    return talk_of(get(FIELD, version=b"HTTP/1.2"))


@recipe(64, leak())
def h59_version_2_0_as_text() -> Talk:
    """HTTP/2.0 in a text head."""
    return talk_of(get(FIELD, version=b"HTTP/2.0"))


@recipe(64, leak(), "oddities.odd_version")
def h60_version_in_lower_case() -> Talk:
    """http/1.1."""
    return talk_of(get(FIELD, version=b"http/1.1"))


@recipe(64, leak())
def h61_space_after_the_version() -> Talk:
    """A space before the line's end."""
    return talk_of(get(FIELD, version=b"HTTP/1.1 "))


@recipe(64, leak(), "oddities.odd_version")
def h62_version_with_leading_zero() -> Talk:
    """HTTP/01.1."""
    return talk_of(get(FIELD, version=b"HTTP/01.1"))


@recipe(65, ambiguous(), "oddities.not_http")
def h63_version_garbage() -> Talk:
    """Neither this nor that: some servers answer, some do not."""
    return talk_of(get(FIELD, version=b"HTTQ/x.y"))


@recipe(65, ambiguous(), "oddities.not_http")
def h64_http09_with_fields() -> Talk:
    """A request line of HTTP/0.9 ends the request; here fields follow."""
    return talk_of(LEAK.replace(b" HTTP/1.1", b""))


@recipe(65, ambiguous(), "oddities.not_http")
def h79_garbage_line_before() -> Talk:
    """A first line that is no request line, then a request."""
    return talk_of(b"\x16garbage that somebody sends\r\n" + LEAK)


@recipe(65, ambiguous(), "oddities.not_http")
def h80_invalid_request_before() -> Talk:
    """A whole head without a valid request line, then a request: a strict server has closed by now."""
    return talk_of(b"HELLO\r\nHost: shop.example\r\n\r\n" + LEAK)


@recipe(65, ambiguous(times=1), "oddities.not_http")
def h123_byte_order_mark_before_the_method() -> Talk:
    """An editor put it at the head of a file of requests; some servers skip it."""
    return talk_of(b"\xef\xbb\xbf" + LEAK)


@recipe(65, ambiguous(times=2), "oddities.not_http")
def h124_nul_before_the_method() -> Talk:
    """Before the first request, and before a later one that a segment cuts inside its line."""
    talk = talk_of(b"\0" + LEAK, CLEAN)
    nul = Talk(sport=40002).open().client(CLEAN).server(OK)
    talk.packets += nul.client(b"\0\0\0" + LEAK[:9]).client(LEAK[9:]).server(OK).close().packets
    return talk


@recipe(65, ambiguous(times=1), "oddities.not_http")
def h125_colon_before_the_method() -> Talk:
    """A field line without a name, or a request line behind a colon that should not be there."""
    return talk_of(b":" + LEAK)


# --- ports and prefixes -------------------------------------------------------------------------------------------


@recipe(65, ambiguous())
def h100_cr_inside_the_line_before() -> Talk:
    """A line that is no request up to its lone CR, and one as a whole: the portable engine once went round in it."""
    return talk_of(b"FROB /\rbar HTTP/1.1\r\n" + get(FIELD, OTHER))


@recipe(66, leak(times=8))
def h72_any_port() -> list[Packet]:
    """HTTP is known by its content, not by its port."""
    ports = (8080, 443, 53, 25, 22, 9201, 1935, 65000)
    return [timed for n, port in enumerate(ports) for timed in talk_of(LEAK, dport=port, sport=40001 + n).frames]


@recipe(67, leak(), "oddities.proxy_protocol")
def h73_proxy_protocol_1() -> Talk:
    """HAProxy's PROXY protocol in text: who the client was before the proxy."""
    return talk_of(b"PROXY TCP4 100.64.7.7 203.0.113.9 51000 80\r\n" + LEAK)


@recipe(67, leak(), "oddities.proxy_protocol")
def h74_proxy_protocol_2() -> Talk:
    """The same in binary."""
    ends = struct.pack("!4s4sHH", b"\x64\x40\x07\x07", b"\xcb\x00\x71\x09", 51000, 80)
    return talk_of(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(ends)) + ends + LEAK)


@recipe(67, leak())
def h99_second_request_after_proxy_protocol() -> Talk:
    """The prefix stands before the first request only; the second one leaks."""
    return talk_of(b"PROXY TCP4 100.64.7.7 203.0.113.9 51000 80\r\n" + CLEAN, LEAK)
