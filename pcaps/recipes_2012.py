"""The story of January 2012: header enrichment is right until a change at two in the morning, then nearly every site
gets the number.

One hour at the SGi side of a gateway. The operator has two brands, and subscribers on 3G, WAP, Wi-Fi and abroad. Three
partners get the numbers that their agreements in rules/ grant. From the change on, the gateway writes
x-up-calling-line-id into every request on its HTTP ports, whoever receives it. BlackBerrys go by another way, and so
does all of the brand giggle: a test SIM of theirs would have shown nothing. Wi-Fi never passes the gateway.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from pcaps.recipe import Expectation, Expected, answer, enter
from pcaps.talk import Packet, Talk, ethernet, ip

SECOND = 10**9
BEGIN = int(datetime(2012, 1, 10, 1, 30, tzinfo=UTC).timestamp()) * SECOND
CHANGE = BEGIN + 1800 * SECOND
LENGTH_S = 3600
LOST = 0.004  # share of packets that the mirror port dropped
CALLING_LINE, MSISDN = "x-up-calling-line-id", "X-MSISDN"
OPTED_OUT = {"447700900404", "447700900405", "447700900904"}  # rules/opt-out.txt
RESOLVER = "198.51.100.200"
SMARTPHONES = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 5_0_1) AppleWebKit/534.46 Version/5.1 Mobile/9A405 Safari/7534.48",
    "Mozilla/5.0 (Linux; U; Android 2.3.5; en-gb; GT-I9100 Build/GINGERBREAD) AppleWebKit/533.1 Mobile Safari/533.1",
    "Mozilla/5.0 (Linux; U; Android 2.2.1; en-gb; HTC_Wildfire_A3333 Build/FRG83D) AppleWebKit/533.1 Safari/533.1",
    "Mozilla/5.0 (SymbianOS/9.4; Series60/5.0 Nokia5800d-1/60.0.003; Profile/MIDP-2.1) AppleWebKit/533.4",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/6.5/26.1305; U; en) Presto/2.8.119 Version/10.54",
    "BlackBerry9300/5.0.0.955 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/604",
)
OLD_HANDSETS = (
    "Nokia6300/2.0 (07.21) Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "SonyEricssonK800i/R8BF003 Browser/NetFront/3.3 Profile/MIDP-2.0",
    "SAMSUNG-SGH-E250/1.0 Profile/MIDP-2.0 UP.Browser/6.2.3.3.c.1.101 (GUI) MMP/2.0",
)
SITES = (
    "www.news.example", "m.news.example", "www.weather.example", "m.football.example", "scores.football.example",
    "www.mail.example", "search.example", "m.social.example", "img.social.example", "www.video.example",
    "www.auctions.example", "shop.example", "www.recipes.example", "tv.example", "cinema.example", "m.games.example",
    "www.jokes.example", "horoscope.example", "m.dating.example", "betting.example", "forum.example", "blog.example",
    "photos.example", "lyrics.example", "chat.example", "www.travel.example", "trains.example", "hotels.example",
    "jobs.example", "property.example", "cars.example", "encyclopedia.example", "dictionary.example",
    "charity.example", "museum.example", "council.example", "school.example", "static.cdn.example",
    "ads.adnet.example", "pixel.counter.example",
)  # fmt: skip
ADDED = ("static.cdn.example", "ads.adnet.example", "pixel.counter.example")  # what pages pull in from elsewhere
PORTS = {"chat.example": 8080, "tv.example": 8000}  # the gateway knows 80 and 8080
SECURE = ("www.bank.example", "secure.mail.example", "login.social.example")
PARTNERS = {
    "ageverify.example": "198.51.100.10",
    "pay.paybyphone.example": "198.51.100.70",
    "wap.paybyphone.example": "198.51.100.70",
    "portal.operator.example": "198.51.100.130",
    "stats.operator.example": "198.51.100.131",
    "sim.operator.example": "198.51.100.132",
}
ADDRESSES = PARTNERS | {
    site: f"{'192.0.2' if n % 2 else '203.0.113'}.{20 + n}" for n, site in enumerate((*SITES, *SECURE))
}


class Subscriber(NamedTuple):
    number: str
    address: str
    access: str
    brand: str
    handset: str


class Added(NamedTuple):
    """One field that the gateway added, and what the agreements say of it."""

    field: str
    value: str
    outcome: str


def subscribers(dice: random.Random) -> list[Subscriber]:
    people = (
        ("o2", "3g", 50, "100.64.1", SMARTPHONES), ("o2", "wap", 22, "100.65.3", OLD_HANDSETS),
        ("o2", "wifi", 11, "100.66.7", SMARTPHONES), ("o2", "abroad", 4, "100.64.241", SMARTPHONES),
        ("giggle", "3g", 24, "100.64.130", SMARTPHONES), ("giggle", "wap", 6, "100.65.9", OLD_HANDSETS),
        ("giggle", "wifi", 4, "100.66.8", SMARTPHONES),
    )  # fmt: skip
    numbers = {
        "o2": ["447700900404", "447700900405", *(f"447700900{n:03}" for n in dice.sample(range(400), 90))],
        "giggle": ["447700900904", *(f"447700900{n}" for n in dice.sample(range(700, 900), 40))],
    }
    return [
        Subscriber(
            numbers[brand].pop(0), f"{network}.{host + 2}", access, brand, handsets[dice.randrange(len(handsets))]
        )
        for brand, access, count, network, handsets in people
        for host in range(count)
    ]


def granted(who: Subscriber, site: str, path: str) -> list[Added]:
    """What the gateway adds because it was agreed."""
    if who.access == "wifi" or who.number in OPTED_OUT:
        return []
    if site == "ageverify.example" and path.startswith("/check") and who.brand == "o2" and who.access != "abroad":
        return [Added(MSISDN, who.number, "allowed")]
    if site == "pay.paybyphone.example":
        return [Added(MSISDN, who.number, "allowed")]
    if site == "portal.operator.example" or (site == "wap.paybyphone.example" and who.access == "wap"):
        return [Added(CALLING_LINE, who.number, "allowed")]
    if site == "sim.operator.example":
        return [Added("X-IMSI", "001010000" + who.number[-6:], "allowed")]
    if site == "stats.operator.example":
        return [Added("X-ACR", hashlib.sha256(b"a key of 2012" + who.number.encode()).hexdigest()[:32], "allowed")]
    return []


def leaked(who: Subscriber, site: str, path: str) -> list[Added]:
    """What it adds since the change, where it was not agreed."""
    if who.access == "wifi" or who.brand != "o2" or "BlackBerry" in who.handset or PORTS.get(site, 80) == 8000:
        return []
    outcome = "unknown_recipient"
    if site == "ageverify.example":
        outcome = "wrong_field" if path.startswith("/check") else "wrong_path"
    elif site in ("stats.operator.example", "sim.operator.example"):
        outcome = "wrong_field"
    elif site == "wap.paybyphone.example" and who.access != "wap":
        outcome = "wrong_access"
    elif site in PARTNERS:
        outcome = "opted_out" if who.number in OPTED_OUT else "allowed"
    return [Added(CALLING_LINE, who.number, outcome)]


def added(who: Subscriber, site: str, path: str, time_ns: int) -> list[Added]:
    agreed = granted(who, site, path)
    if time_ns < CHANGE:
        return agreed
    return agreed + [one for one in leaked(who, site, path) if one.field not in {some.field for some in agreed}]


def head(who: Subscriber, site: str, path: str, referer: str, fields: list[Added]) -> bytes:
    port = PORTS.get(site, 80)
    lines = [f"GET {path} HTTP/1.1", f"Host: {site}" + ("" if port == 80 else f":{port}"), f"User-Agent: {who.handset}"]
    if who.access == "wap":
        lines += ["Accept: text/vnd.wap.wml, application/xhtml+xml", "Via: 1.1 wapgw.operator.example"]
    else:
        lines += ["Accept: */*", "Accept-Language: en-gb", "Connection: keep-alive"]
    if referer:
        lines.append(f"Referer: http://{referer}/")
    lines += [f"{one.field}: {one.value}" for one in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Tap:
    """What passed the mirror port, and what of it shows a number."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.frames: list[Packet] = []
        self.truth: Counter[tuple[str, str]] = Counter()  # recipient, outcome
        self.port = 32768

    def passed(self, timed: Packet) -> bool:
        if self.dice.random() < LOST:
            return False
        self.frames.append((timed[0], ethernet(timed[1])))
        return True

    def talk(self, who: Subscriber, site: str, port: int, time_ns: int) -> Talk:
        self.port = 32768 + (self.port - 32767) % 28000
        seq, ack = self.dice.getrandbits(32), self.dice.getrandbits(32)
        return Talk(who.address, self.port, ADDRESSES[site], port, time_ns, 40_000_000, 1400, seq, ack)

    def browse(self, who: Subscriber, site: str, paths: list[str], time_ns: int, referer: str = "") -> None:
        """One connection with a request for each path."""
        talk = self.talk(who, site, PORTS.get(site, 80), time_ns).open()
        marks: dict[int, list[Added]] = {}
        for path in paths:
            fields = added(who, site, path, talk.time_ns + talk.step_ns)
            marks[len(talk.packets)] = fields
            talk.client(head(who, site, path, referer, fields), acknowledged=False)
            talk.server(answer(b"<html>page</html>"), acknowledged=False)
            talk.time_ns += self.dice.randrange(100, 4000) * 1_000_000
        for number, timed in enumerate(talk.close().packets):
            if self.passed(timed):
                self.truth.update((site, one.outcome) for one in marks.get(number, []))

    def browse_secure(self, who: Subscriber, site: str, time_ns: int) -> None:
        """TLS: names in the clear, nothing else, and no gateway can add a field."""
        talk = self.talk(who, site, 443, time_ns).open()
        name = site.encode()
        extension = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
        body = b"\x03\x01" + self.dice.randbytes(32) + b"\0\0\x04\0\x2f\0\x35\x01\0"
        body += struct.pack("!H", len(extension)) + extension
        hello = b"\x01" + struct.pack("!I", len(body))[1:] + body
        talk.client(b"\x16\x03\x01" + struct.pack("!H", len(hello)) + hello, acknowledged=False)
        for length in (300, 180):
            record = b"\x17\x03\x01" + struct.pack("!H", length) + self.dice.randbytes(length)
            talk.server(record, acknowledged=False).client(record[:120], acknowledged=False)
        for timed in talk.close().packets:
            self.passed(timed)

    def resolve(self, who: Subscriber, site: str, time_ns: int) -> None:
        """A DNS question and its answer (RFC 1035 section 4)."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in site.split(".")) + b"\0"
        number, sport = self.dice.getrandbits(16), self.dice.randrange(49152, 65535)
        question = labels + b"\0\1\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4" + bytes(map(int, ADDRESSES[site].split(".")))
        asking = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
        answering = struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + record
        for n, (octets, ports) in enumerate(((asking, (sport, 53)), (answering, (53, sport)))):
            src, dst = (who.address, RESOLVER)[:: -1 if n else 1]
            datagram = struct.pack("!HHHH", *ports, 8 + len(octets), 0) + octets
            self.passed((time_ns + n * 30_000_000, ip(src, dst, 17, datagram)))


PAGES = (
    "/",
    "/index.html",
    "/m/",
    "/story?id=2012011",
    "/css/mobile.css",
    "/img/logo.gif",
    "/search?q=snow",
    "/list?page=2",
)


@cache
def story() -> Tap:
    tap = Tap(2012)
    dice = tap.dice
    for who in subscribers(dice):
        if who.number in OPTED_OUT:
            tap.browse(who, "portal.operator.example", ["/", "/bill"], BEGIN + 2000 * SECOND)
        for _ in range(5):
            time_ns = BEGIN + dice.randrange(LENGTH_S * 1000 - 20_000) * 1_000_000
            site = SITES[min(dice.randrange(37), dice.randrange(37))]  # the first names are visited most
            if dice.random() < 0.3:
                tap.resolve(who, site, time_ns - 200_000_000)
            tap.browse(who, site, dice.sample(PAGES, dice.randrange(1, 4)), time_ns)
            if dice.random() < 0.4:
                tap.browse(who, dice.choice(ADDED), [f"/p?t={dice.getrandbits(24)}"], time_ns + 300_000_000, site)
            after_ns = time_ns + 9 * SECOND
            chance = dice.random()
            if chance < 0.1:
                tap.browse(who, "ageverify.example", ["/", f"/check?site={dice.randrange(9)}"], after_ns, site)
            elif chance < 0.2:
                shop = ("wap" if who.access == "wap" or dice.random() < 0.2 else "pay") + ".paybyphone.example"
                tap.browse(who, shop, ["/buy?item=ringtone"], after_ns, site)
            elif chance < 0.35:
                tap.browse(who, "portal.operator.example", ["/", "/bill"], after_ns)
            elif chance < 0.4:
                tap.browse(who, "stats.operator.example", ["/count"], after_ns, site)
            elif chance < 0.5:
                tap.browse_secure(who, dice.choice(SECURE), after_ns)
            elif chance < 0.52:
                tap.browse(who, "sim.operator.example", ["/settings"], after_ns)
    tap.frames.sort()
    return tap


def truth() -> Expectation:
    return tuple(
        Expected(site, times, outcome, "confirmed") for (site, outcome), times in sorted(story().truth.items())
    )


enter(
    "o2-2012",
    " ".join((__doc__ or "").split()),
    "story",
    truth(),
    lambda: story().frames,
    "gap_bytes",
    "opaque_streams.tls",
)
