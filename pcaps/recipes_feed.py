"""Who holds which address: RADIUS accounting beside the traffic, and what the sensor makes of a number with it.

The requests are as in recipes_rules: ageverify's agreement unless the recipe says otherwise. The gateway that tells is
one that rules/network.yaml believes.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from ipaddress import ip_address

from pcaps.recipe import NUMBER, allowed, leak, recipe
from pcaps.recipes_links import ether
from pcaps.recipes_rules import PAY, asked
from pcaps.recipes_tunnels import gtpu, outer
from pcaps.talk import Packet, ethernet, ip

GATEWAY, SERVER, STRANGER = "192.0.2.65", "192.0.2.9", "100.64.7.7"
HANDSET = "100.64.1.2"
OTHER = b"447700900124"
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
UTRAN, WLAN = 1, 3
SECOND = 10**9
FIELD = b"X-Up-Calling-Line-ID"


def attribute(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value) + 2)) + value


def accounting(status: int = START, *, address: str = HANDSET, msisdn: bytes = NUMBER,
               imsi: bytes = b"001010000000123", session: bytes = b"5F00A1", apn: bytes = b"mobile.operator.example",
               rat: int = UTRAN, network: bytes = b"00101", src: str = GATEWAY, port: int = 1813,
               more: bytes = b"") -> bytes:  # fmt: skip
    """One Accounting-Request (RFC 2866 section 4.1) as a GGSN sends it, from Ethernet on."""
    kind, packed = (
        (97, b"\0\x40" + ip_address(address).packed[:8]) if ":" in address else (8, ip_address(address).packed)
    )
    third = attribute(1, imsi) + attribute(18, network) + attribute(21, bytes((rat,)))
    said = attribute(40, struct.pack("!I", status)) + attribute(4, ip_address(GATEWAY).packed)
    if status not in (ON, OFF):
        said += attribute(44, session) + attribute(kind, packed) + attribute(31, msisdn) + attribute(30, apn)
        said += attribute(26, struct.pack("!I", 10415) + third)
    said += more
    octets = struct.pack("!BBH16x", 4, 7, 20 + len(said)) + said
    return ethernet(ip(src, SERVER, 17, struct.pack("!HHHH", 50000, port, 8 + len(octets), 0) + octets))


def story(*told: bytes, **request: object) -> list[Packet]:
    """These messages, a second apart, and then the request."""
    talk = asked(**request)  # type: ignore[arg-type]
    begin = talk.frames[0][0] - len(told) * SECOND
    return [(begin + index * SECOND, frame) for index, frame in enumerate(told)] + talk.frames


def in_turn(*parts: bytes | list[Packet]) -> list[Packet]:
    """Messages and requests one after another, ten seconds apart."""
    frames: list[Packet] = []
    for turn, part in enumerate(parts):
        base = 1_326_369_600 * SECOND + turn * 10 * SECOND
        some = [(0, part)] if isinstance(part, bytes) else part
        frames += [(base + time_ns - some[0][0], frame) for time_ns, frame in some]
    return frames


@recipe("feed", allowed("ageverify.example"), "messages")
def w01_own_number() -> list[Packet]:
    """The number that the gateway adds is that of the subscriber who holds the address."""
    return story(accounting())


@recipe("feed", leak("ageverify.example", outcome="number_mismatch"), "messages")
def w02_number_of_another() -> list[Packet]:
    """All is as agreed, but the gateway adds the number of somebody else: it mixes its customers up."""
    return story(accounting(msisdn=OTHER))


@recipe("feed", allowed("ageverify.example", times=2), "messages")
def w03_address_used_again() -> list[Packet]:
    """One session ends, the next subscriber gets the address, and each request carries the right number."""
    first, second = asked().frames, asked(number=OTHER).frames
    again = accounting(msisdn=OTHER, session=b"5F00A2")
    return in_turn(accounting(), first, accounting(STOP), again, second)


@recipe("feed", leak("ageverify.example", outcome="number_mismatch") + allowed("ageverify.example"), "messages")
def w04_stop_that_was_lost() -> list[Packet]:
    """No Stop came: the Start of the next session ends the one before. The gateway goes on with the old number."""
    again = accounting(msisdn=OTHER, session=b"5F00A2")
    return in_turn(accounting(), asked().frames, again, asked(seq=5_000_000).frames)


@recipe("feed", allowed("ageverify.example"), "messages")
def w05_late_words_of_an_old_session() -> list[Packet]:
    """Stop and interim update of the session before come after the address went to the next subscriber."""
    late = accounting(INTERIM, msisdn=OTHER, session=b"5F0099", more=attribute(41, struct.pack("!I", 60)))
    return story(accounting(), accounting(STOP, msisdn=OTHER, session=b"5F0099"), late)


@recipe("feed", allowed("ageverify.example"), "messages")
def w06_gateway_that_restarts() -> list[Packet]:
    """Accounting-On: all sessions of this gateway are over, so nobody is known to hold the address any more."""
    return story(accounting(msisdn=OTHER), accounting(ON))


@recipe("feed", allowed("ageverify.example"), "messages")
def w07_forged_by_a_handset() -> list[Packet]:
    """A handset sends accounting of its own, once as itself, once in its tunnel as the gateway: nobody believes it."""
    inside = ip(GATEWAY, SERVER, 17, accounting(msisdn=OTHER)[34:])
    tunnelled = bytes(ether(True) / outer(True) / gtpu(inside, 0x1001))
    return story(accounting(msisdn=OTHER, src=STRANGER), tunnelled)


@recipe("feed", allowed("ageverify.example"), "messages")
def w08_malformed() -> list[Packet]:
    """An attribute whose length lies, one without length, a message that is cut: nothing of them is believed."""
    long, none = accounting(msisdn=OTHER, more=b"\x1f\x40"), accounting(msisdn=OTHER, more=b"\x1f\x00")
    cut = ethernet(ip(GATEWAY, SERVER, 17, struct.pack("!HHHH", 50000, 1813, 12, 0) + b"\x04\x01\x00\x20"))
    return story(long, none, cut)


@recipe("feed", allowed("wap.paybyphone.example"), "messages")
def w09_access_by_apn() -> list[Packet]:
    """The address says 3G, the session says the APN of WAP, and the session knows better."""
    told = accounting(apn=b"wap.operator.example.mnc001.mcc001.gprs")
    return story(told, host="wap.paybyphone.example", dst=PAY, field=FIELD)


@recipe("feed", leak("ageverify.example", outcome="wrong_access"), "messages")
def w10_access_by_radio() -> list[Packet]:
    """Wi-Fi was not agreed; the address is one of 3G, but the session came over WLAN."""
    return story(accounting(rat=WLAN))


@recipe("feed", leak("ageverify.example", outcome="roaming_forbidden"), "messages")
def w11_abroad_by_network() -> list[Packet]:
    """The address is one for use at home, the SGSN is one of another country."""
    return story(accounting(network=b"20810"))


@recipe("feed", leak("ageverify.example", outcome="number_mismatch"), "messages")
def w12_other_port_and_ipv6() -> list[Packet]:
    """Accounting on the older port, for the /64 from which a handset takes its address."""
    told = accounting(address="2001:db8:1::", msisdn=OTHER, port=1646)
    return story(told, src="2001:db8:1::2", dst="2001:db8:a::10")


@recipe("feed", leak("shop.example", times=2), "messages")
def w13_coded_beyond_reading() -> list[Packet]:
    """A hash and a coding that nothing could read back: they are known to be this subscriber's number."""
    hashed = hashlib.sha512(b"+" + NUMBER).hexdigest().encode()
    first = asked(host="shop.example", dst="203.0.113.9", field=FIELD, number=hashed)
    second = asked(host="shop.example", dst="203.0.113.9", field=FIELD, number=b64encode(b"00" + NUMBER))
    return in_turn(accounting(), first.frames, second.frames)


@recipe("feed", leak("shop.example"), "messages")
def w14_hash_of_somebody_else() -> list[Packet]:
    """The same hash at another subscriber's address: it is sealed, and without a table nobody knows whose it is."""
    hashed = hashlib.sha512(b"+" + NUMBER).hexdigest().encode()
    return story(accounting(msisdn=OTHER), host="shop.example", dst="203.0.113.9", field=FIELD, number=hashed)
