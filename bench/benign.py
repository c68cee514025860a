"""Header values that hold no subscriber number, as many as you like, from a seed: what browsers, apps, trackers, caches
and gateways send, and every trap of the identifiers that only look like a number.

In a template `#` is a digit, `@` an octet in hex, `~` a clock in seconds, `%` three octets in base64, `^` an IMEI with
its check digit, `$` a card number with its check digit; all else stands for itself.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator

TEMPLATES: tuple[tuple[str, str], ...] = (
    ("User-Agent", "Mozilla/5.0 (Linux; Android #; SM-A###B) AppleWebKit/537.36 Chrome/1##.0.####.### Mobile Safari"),
    ("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 1#_#_# like Mac OS X) AppleWebKit/60#.1.15 Mobile/15E1##"),
    ("User-Agent", "app/#.##.##### CFNetwork/####.#.# Darwin/2#.0.0"),
    ("User-Agent", "Dalvik/2.1.0 (Linux; U; Android 11; Redmi Note 9 Build/RP1A.######.0##)"),
    ("User-Agent", "Nokia6###/2.0 (0#.##) Profile/MIDP-2.0 Configuration/CLDC-1.1"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.#"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.#"),
    ("If-None-Match", '"@@@@@@@@-#####-@@@@@@@"'),
    ("If-None-Match", 'W/"######-~###"'),
    ("If-None-Match", '"@@@@@@@@@@@@@@@@"'),
    ("If-None-Match", '"@@@@@@@@@@@@@@@@@@@@:0"'),
    ("If-Modified-Since", "Wed, 2# Nov 2012 07:2#:00 GMT"),
    ("Date", "Mon, 0# Jan 2012 1#:##:## GMT"),
    ("Cookie", "_ga=GA1.2.#########.~; _gid=GA1.2.##########.~; _gat=1"),
    ("Cookie", "__utma=#########.##########.~.~.~.#; __utmz=#########.~.1.1.utmcsr=(direct)"),
    ("Cookie", "sid=@@@@@@@@@@@@@@@@; uid=@@@@-@@-@@-@@-@@@@@@; t=~###"),
    ("Cookie", "PHPSESSID=@@@@@@@@@@@@@; JSESSIONID=@@@@@@@@@@@@@@@@.node#"),
    ("Cookie", "_fbp=fb.1.~###.##########; _gcl_au=1.1.##########.~"),
    ("Cookie", "s=%%%%%%%%; c=%%%%%%%%; e=@@@@@@@@"),
    ("Cookie", "csrf=%%%%%%%%%%%%%%; remember=%%%%%%%%%%%%%%=="),
    ("Cookie", "consent=%7B%22v%22%3A##%2C%22t%22%3A~###%7D; ab=v#.#"),
    ("Cookie", "OptanonConsent=isIABGlobal=false&datestamp=Wed+Jan+2#+2012+1#%3A##%3A##&version=6.##.0"),
    ("Cookie", "visid_incap_#######=%%%%%%%%%%%%%%%%%%; nlbi_#######=%%%%%%%%"),
    ("Cookie", "id=%%%% ; k=%%%%%% ; short=%%"),
    ("Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.%%%%%%%%%%%%%%%%%%%%.%%%%%%%%%%%%%%"),
    ("Authorization", 'Digest username="x", nonce="@@@@@@@@@@@@@@@@", response="@@@@@@@@@@@@@@@@", nc=0000000#'),
    ("X-Request-Id", "@@@@-@@-@@-@@-@@@@@@"),
    ("X-Correlation-Id", "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"),
    ("Traceparent", "00-@@@@@@@@@@@@@@@@-@@@@@@@@-01"),
    ("X-Trace", "@@@@@@@@:@@@@@@@@:0:1"),
    ("X-Amz-Cf-Id", "%%%%%%%%%%%%%%%%%%=="),
    ("X-Forwarded-For", "1##.#.2#.1##, 1#.##.#.1#, 192.0.2.#"),
    ("X-Forwarded-For", "2001:db8:@@@@:#::##, 10.2#.#.1##"),
    ("X-Real-Ip", "1##1##1##1##"),
    ("X-Bluecoat-Via", "@@@@@@@@@@@@@@@@"),
    ("X-Nokia-ChargingId", "-#########"),
    ("X-Nokia-ChargingId", "##########"),
    ("X-Up-3gpp-Charging-Id", "4#########"),
    ("X-3gpp-Sgsn", "192.0.2.1##"),
    ("X-Msisdn-Status", "99999999999"),
    ("X-Card", "####-####-####-####"),
    ("X-Card", "$"),
    ("X-Device", "^"),
    ("X-Device", "35-######-######-#"),
    ("X-Content-Length", "##########"),
    ("Range", "bytes=######-######"),
    ("Range", "bytes=0-##########"),
    ("X-Position", "##.############,-0.##########"),
    ("X-Geo", "lat=5#.######;lon=-0.######;acc=##"),
    ("X-Order", "PO-########"),
    ("X-Order", "##########"),
    ("X-Order", "##############"),
    ("X-Start", "t=~###"),
    ("X-Start", "t=~######"),
    ("X-Start", "~"),
    ("X-Date", "20##-1#-2# ##:##:##.######"),
    ("X-Date", "20121#2###1#"),
    ("X-Date", "20120#1#T##01##Z"),
    ("X-Version", "#.##.#.####-##"),
    ("X-Phone", "+1 202 555 01##"),  # other operators', all of them never given to anyone
    ("X-Phone", "+33 6 39 98 ## ##"),
    ("X-Phone", "0049 30 23125 ###"),
    ("Via", "1.1 varnish-v4, HTTP/1.1 gw##.operator.example (ApacheTrafficServer/#.#.#)"),
    ("Referer", "http://shop.example/#####/#######-########.html?r=0.################&t=~###"),
    ("Referer", "http://shop.example/?a=######&b=######&u=http%3A%2F%2Fx.example%2F######%3Fc%3D######"),
    ("Referer", "http://search.example/?q=%22######%22&gclid=%%%%%%%%%%%%%%&fbclid=%%%%%%%%%%%%%%%%"),
    (":target", "/img/####/##/##/#########_###x###.jpg?v=########"),
    (":target", "/pixel?ord=#############&cb=0.############&q=######%20##########"),
    (":target", "/combiner/c?v=20101#2###1#&x=###-###-####"),
    (":target", "/v1/users/@@@@-@@-@@-@@-@@@@@@/items/######?fields=id&sig=@@@@@@@@@@@@@@@@@@@@"),
    (":target", "/a/%%%%%%/%%%%%%%%%%%.js"),
)  # fmt: skip
EVERYDAY = ("User-Agent", "Accept", "Accept-Language", "If-None-Match", "If-Modified-Since", "Date", "Via", ":target")
BY_CHANCE = ("X-Order", "############")  # twelve digits of anything are an own number as often as own numbers are many
_ESCAPES = "0123456789ABCDEF"


def _checked(digits: str) -> str:
    """With the check digit of ISO/IEC 7812."""
    total = sum(int(digit) if at % 2 else sum(divmod(2 * int(digit), 10)) for at, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def _digits(dice: random.Random, amount: int) -> str:
    return "".join(dice.choices("0123456789", k=amount))


FILL: dict[str, Callable[[random.Random], str]] = {
    "#": lambda dice: dice.choice("0123456789"),
    "@": lambda dice: dice.randbytes(1).hex(),
    "~": lambda dice: str(dice.randint(1_000_000_000, 1_999_999_999)),
    "%": lambda dice: base64.urlsafe_b64encode(dice.randbytes(3)).decode(),
    "^": lambda dice: _checked("35" + _digits(dice, 12)),
    "$": lambda dice: _checked("4" + _digits(dice, 14)),
}


def filled(template: str, dice: random.Random) -> str:
    written, at = [], 0
    while at < len(template):
        if template[at] == "%" and len(template) > at + 2 and set(template[at + 1 : at + 3]) <= set(_ESCAPES):
            written.append(template[at : at + 3])  # percent-encoding
            at += 3
            continue
        fill = FILL.get(template[at])
        written.append(fill(dice) if fill else template[at])
        at += 1
    return "".join(written)


def values(seed: int, amount: int, everyday: bool = False) -> Iterator[tuple[str, str]]:
    """Name and value of each field; `:target` is the target of the request. Everyday ones are no traps."""
    dice = random.Random(seed)
    templates = [each for each in TEMPLATES if each[0] in EVERYDAY] if everyday else TEMPLATES
    for _ in range(amount):
        name, template = dice.choice(templates)
        yield name, filled(template, dice)
