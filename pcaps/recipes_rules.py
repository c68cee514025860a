"""What the agreements in rules/ say: for each outcome a request that has it and a near one that is agreed.

Everything is as in the first grant of ageverify.yaml unless the table says otherwise.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from pcaps.recipe import NUMBER, QUIET, Expectation, allowed, enter, get, leak, recipe, talk_of
from pcaps.recipes_links import ether, through
from pcaps.recipes_tunnels import gtpu, outer
from pcaps.talk import Packet, Talk, pcap

AGEVERIFY, PAY, PORTAL, STRANGER = "198.51.100.10", "198.51.100.70", "198.51.100.130", "203.0.113.9"
IMSI = b"001010123456789"
ROAMING, WAP, WIFI = "100.64.240.9", "100.65.1.2", "100.66.1.2"


def asked(host: str = "ageverify.example", dst: str = AGEVERIFY, target: bytes = b"/check", field: bytes = b"X-MSISDN",
          number: bytes = NUMBER, src: str = "100.64.1.2", at: str = "2012-01-12 12:00",
          seq: int = 1000) -> Talk:  # fmt: skip
    """One request; `at` is UTC, which is London's time in winter."""
    time_ns = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 10**9
    lines = (field + b": " + number,) if field else ()
    return talk_of(get(*lines, target=target, host=host.encode()), dst=dst, src=src, time_ns=time_ns, seq=seq)


def refused(outcome: str, host: str = "ageverify.example") -> Expectation:
    return leak(host, outcome=outcome)


AGREED = allowed("ageverify.example")
CASES: dict[str, tuple[str, Expectation, dict[str, Any]]] = {
    "r01-allowed": ("A 3G customer of the brand that was agreed is checked.", AGREED, {}),
    "r02-unknown-recipient": (
        "A host of the partner's that no grant names.",
        refused("unknown_recipient", "www.paybyphone.example"),
        {"host": "www.paybyphone.example", "dst": PAY},
    ),
    "r02-known-below-a-wildcard": (
        "A host below the agreed name, over IPv6.",
        allowed("eu.ageverify.example"),
        {"host": "eu.AgeVerify.example.", "src": "2001:db8:1::2", "dst": "2001:db8:a::10"},
    ),
    "r04-wrong-path": ("/checkout is not below /check.", refused("wrong_path"), {"target": b"/checkout"}),
    "r04-right-path": ("/check/now is.", AGREED, {"target": b"/check/now?site=7"}),
    "r05-wrong-field": (
        "The header of the 2012 change where another one was agreed.",
        refused("wrong_field"),
        {"field": b"X-Up-Calling-Line-ID"},
    ),
    "r05-right-field": ("X_MSISDN is the agreed header.", AGREED, {"field": b"X_MSISDN"}),
    "r06-wrong-identifier": (
        "The SIM's number where the subscriber's was agreed.",
        refused("wrong_identifier"),
        {"number": IMSI},
    ),
    "r06-right-identifier": (
        "A new SIM card fetches its settings.",
        allowed("sim.operator.example"),
        {"host": "sim.operator.example", "dst": PORTAL, "field": b"X-IMSI", "number": IMSI},
    ),
    "r07-wrong-form": (
        "The number itself where a keyed pseudonym was agreed.",
        refused("wrong_form", "stats.operator.example"),
        {"host": "stats.operator.example", "dst": PORTAL, "field": b"X-ACR"},
    ),
    "r07-right-form": (
        "The same page gets what was agreed: a keyed pseudonym, from which nobody else learns the number.",
        allowed("stats.operator.example"),
        {
            "host": "stats.operator.example",
            "dst": PORTAL,
            "field": b"X-ACR",
            "number": b"9f2c41d07be853aa6610fe9b27c4d8135e07a9c2b14f60d8e3357a1b9c20d4e8",
        },
    ),
    "r08-wrong-access": (
        "The shop for old handsets is agreed for WAP, this is 3G.",
        refused("wrong_access", "wap.paybyphone.example"),
        {"host": "wap.paybyphone.example", "dst": PAY, "field": b"X-Up-Calling-Line-ID"},
    ),
    "r08-right-access": (
        "The same over WAP.",
        allowed("wap.paybyphone.example"),
        {"host": "wap.paybyphone.example", "dst": PAY, "field": b"X-Up-Calling-Line-ID", "src": WAP},
    ),
    "r08-wrong-access-wifi": ("Wi-Fi never.", refused("wrong_access"), {"src": WIFI}),
    "r09-wrong-brand": ("A customer of the other brand.", refused("wrong_brand"), {"number": b"447700900723"}),
    "r09-right-brand": (
        "Billing is agreed for both brands.",
        allowed("pay.paybyphone.example"),
        {"host": "pay.paybyphone.example", "dst": PAY, "number": b"447700900723"},
    ),
    "r10-roaming-forbidden": ("The customer is abroad.", refused("roaming_forbidden"), {"src": ROAMING}),
    "r10-roaming-agreed": (
        "Billing is agreed abroad as well.",
        allowed("pay.paybyphone.example"),
        {"host": "pay.paybyphone.example", "dst": PAY, "src": ROAMING},
    ),
    "r11-opted-out": ("The customer said no.", refused("opted_out"), {"number": b"447700900404"}),
    "r11-not-opted-out": ("The next number did not.", AGREED, {"number": b"447700900406"}),
    "r12-not-yet-valid": (
        "One minute before the contract begins.",
        refused("not_yet_valid", "tickets.paybyphone.example"),
        {"host": "tickets.paybyphone.example", "dst": PAY, "at": "2012-02-01 11:59"},
    ),
    "r12-valid": (
        "The minute in which it begins.",
        allowed("tickets.paybyphone.example"),
        {"host": "tickets.paybyphone.example", "dst": PAY, "at": "2012-02-01 12:00"},
    ),
    "r13-expired": (
        "The first minute after the contract.",
        refused("expired", "old-ageverify.example"),
        {"host": "old-ageverify.example", "at": "2012-01-01 00:00"},
    ),
    "r13-last-minute": (
        "Its last one.",
        allowed("old-ageverify.example"),
        {"host": "old-ageverify.example", "at": "2011-12-31 23:59"},
    ),
    "r15-secondary": (
        "The number in a link to the partner, not from the gateway.",
        refused("secondary"),
        {"target": b"/check?msisdn=" + NUMBER, "field": b""},
    ),
    "r15-foreign": (
        "Another operator's number in a web form: counted, no violation.",
        QUIET,
        {"target": b"/check?msisdn=442079460123", "field": b""},
    ),
}
for name, (story, expect, request) in CASES.items():
    enter(name, story, "outcome", expect, partial(asked, **request))


@recipe(80, refused("wrong_address"))
def r03_wrong_address() -> Talk:
    """Any handset can write any Host: a stranger's server that is called by the partner's name."""
    return asked(dst=STRANGER)


@recipe("outcome", leak("ageverify.example", outcome="client_supplied"))
def r14_client_supplied() -> bytes:
    """In the tunnel between handset and gateway there is no number yet, but one that the handset itself wrote."""
    talk = asked()
    return pcap(through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001), talk))


@recipe("outcome", AGREED)
def r14_gateway_supplied() -> list[Packet]:
    """The same request before and after the gateway: the tunnel side is clean, the number was added in between."""
    before, after = asked(field=b""), asked()
    tunnel = through(lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001), before)
    return sorted(tunnel + after.frames)


# --- rows 83-86: the number itself, and attacks on what we print --------------------------------------------------


@recipe(83, leak(times=8))
def n01_spellings() -> Talk:
    """One number as gateways and apps write it."""
    spellings = (
        b"+447700900123", b"00447700900123", b"07700900123", b"+44 7700 900123", b"44-7700-900-123",
        b"tel:+447700900123", b"sip:+447700900123@ims.example", b'"447700900123"',
    )  # fmt: skip
    return talk_of(*(get(b"X-MSISDN: " + spelling) for spelling in spellings))


@recipe(84, QUIET)
def n02_look_alikes() -> Talk:
    """Digits that are no number of ours: clocks, orders, cards, addresses without dots, dummies, versions, tags."""
    lines = (
        b"X-Request-Start: 1326196800123", b"X-Order: 447700900", b"X-Card: 4111111111111111",
        b"X-Forwarded-For: 100.64.1.2, 192.0.2.44", b"X-Client: 100064001002", b"X-Msisdn: 99999999999",
        b"If-None-Match: \"447700-9001-23a\"", b"X-Id: 7f447700900123e1", b"Content-Length: 0",
        b"Cookie: session=94477009001234; t=1326196800", b"User-Agent: Player/44.7700.9001.23",
    )  # fmt: skip
    return talk_of(get(*lines, target=b"/t/1326196800/447700900?ref=000447700900"))


@recipe(86, leak(r"a\x22}\x1b[31m\xff\xe2\x80\xae\x3cb\x3e.example"))
def n03_hostile_host() -> Talk:
    """A Host with quotation marks, braces, terminal control and bytes that are no UTF-8: every output must hold."""
    return talk_of(get(b"X-MSISDN: " + NUMBER, host=b'a"}\x1b[31m\xff\xe2\x80\xae<b>.example'))
