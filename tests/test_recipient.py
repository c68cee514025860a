"""Who gets a request: rows 77 to 81 of the table of hostile traffic, and names written to break an output."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.recipient import LONGEST_NAME, Recipient, host_name, is_host_name, recipient_of
from monitor.records import Flow, RequestHead

FLOW = Flow(bytes((100, 64, 1, 2)), 40000, bytes((203, 0, 113, 9)), 80)
SAFE = set(string.ascii_letters + string.digits + string.punctuation) - set("\"'<>`")


def head(*hosts: bytes, target: bytes = b"/", method: bytes = b"GET", authority: bytes | None = None) -> RequestHead:
    pseudo = () if authority is None else ((b":authority", authority),)
    return RequestHead(0, FLOW, method, target, b"HTTP/1.1", (*pseudo, *((b"host", host) for host in hosts)))


@pytest.mark.parametrize(
    ("request_head", "recipient"),
    [
        (head(b"shop.example"), Recipient(("shop.example",))),
        (head(), Recipient(("203.0.113.9",))),
        (head(b""), Recipient(("203.0.113.9",))),
        (head(b" "), Recipient(("203.0.113.9",))),
        (head(b"."), Recipient(("203.0.113.9",))),
        (head(b"a.example", b"A.example:80"), Recipient(("a.example",))),
        (head(b"a.example", b"b.example"), Recipient(("a.example", "b.example"))),
        (head(b"a", b"b", b"c", b"d"), Recipient(("a", "b", "c", "d"))),
        (head(b"a", b"b", b"c", b"d", b"e"), Recipient(("a", "b", "c", "further-hosts.invalid"))),
        (head(b"", b"b.example"), Recipient(("b.example",))),
        (head(b"a.example", target=b"http://b.example/x?u=http://c.example/"), Recipient(("b.example",), "a.example")),
        (head(b"b.example", target=b"HTTPS://B.example:443"), Recipient(("b.example",))),
        (head(b"a.example", b"b.example", target=b"http://b.example/"), Recipient(("b.example",), "a.example")),
        (head(b"a.example", target=b"http://a.example@b.example/"), Recipient(("b.example",), "a.example")),
        (head(b"a.example", target=b"http:///x"), Recipient(("a.example",))),
        (head(b"a.example", target=b"/http://b.example/"), Recipient(("a.example",))),
        (head(b"a.example", target=b"b.example:443", method=b"CONNECT"), Recipient(("b.example",), "a.example")),
        (head(b"a.example", target=b"*", method=b"OPTIONS"), Recipient(("a.example",))),
        (head(authority=b"h2.example"), Recipient(("h2.example",))),
        (head(b"a.example", authority=b"h2.example"), Recipient(("h2.example",), "a.example")),
        (head(b"a.example", authority=b""), Recipient(("a.example",))),
        (head(b"x" * 253), Recipient(("x" * 253,))),
        (head(b"x" * 254), Recipient(("x" * 250 + "...",))),
        (head(b"x" * 65536), Recipient(("x" * 250 + "...",))),
    ],
)
def test_the_request_decides(request_head: RequestHead, recipient: Recipient) -> None:
    assert recipient_of(request_head) == recipient


def test_without_host_the_ipv6_destination_is_the_recipient() -> None:
    flow = FLOW._replace(dst=bytes.fromhex("20010db8000200000000000000000009"))
    assert recipient_of(head()._replace(flow=flow)).names == ("2001:db8:2::9",)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"Shop.EXAMPLE", "shop.example"),
        (b"shop.example.", "shop.example"),
        (b"shop.example.:8080", "shop.example"),
        (b"shop.example:", "shop.example"),
        (b"user:secret@shop.example:80", "shop.example"),
        (b"%73hop.example", "shop.example"),
        (b"shop%2eexample", "shop.example"),
        (b"[2001:DB8::1]:80", "2001:db8::1"),
        (b"[2001:db8::1%25eth0]", "2001:db8::1"),
        (b"2001:db8:0:0::1", "2001:db8::1"),
        (b"203.0.113.9:80", "203.0.113.9"),
        ("bücher.example".encode(), "xn--bcher-kva.example"),
        ("BÜCHER.example".encode(), "xn--bcher-kva.example"),
        ("bücher。example".encode(), "xn--bcher-kva.example"),
        (b"b%C3%BCcher.example", "xn--bcher-kva.example"),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("☃.example".encode(), "xn--n3h.example"),
        (b"my_shop.example", "my_shop.example"),
        (b"a..example", "a..example"),
        (b"shop.example\x00.partner.example", r"shop.example\x00.partner.example"),
        (b"shop.example\r\nX: y", r"shop.example\x0d\x0ax"),
        (b"\x1b[31mshop", r"\x1b[31mshop"),
        (b'a"}b', r"a\x22}b"),
        (b"\xff.example", r"\xff.example"),
        ("\u202eelpmaxe".encode(), "xn--elpmaxe-z76c"),
    ],
)
def test_every_spelling_has_one_name(written: bytes, name: str) -> None:
    assert host_name(written) == name


@pytest.mark.parametrize("name", ["shop.example", "a", "my_shop.x-y.example", "203.0.113.9", "xn--bcher-kva.example"])
def test_a_host_name(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", r"a\x00.example", "a.example,b.example", "a/b", "2001:db8::1", "a...", "a\n"]
)
def test_no_host_name(name: str) -> None:
    assert not is_host_name(name)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"[")
@example(b"%")
@example(b"[::1")
@example("ß.example".encode())
@example("\u200d.example".encode())
@example(b"a" * 300 + b"@")
def test_any_bytes_give_a_safe_short_name(written: bytes) -> None:
    name = host_name(written)
    assert set(name) <= SAFE
    assert len(name) <= LONGEST_NAME
    assert recipient_of(head(written)) == recipient_of(head(written))


@given(st.from_regex(r"\A[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}\Z"))
def test_a_name_in_its_one_spelling_stays_as_it_is(name: str) -> None:
    assert host_name(name.encode()) == name
    assert host_name(name.upper().encode() + b".:80") == name
