"""Captures of one leak each, for tests of what stands around the engine."""

from __future__ import annotations

import json
from pathlib import Path

from pcaps.talk import Talk, pcap

RULES = Path(__file__).parent.parent / "rules"
NUMBER = b"447700900123"
NOON_NS = 1_326_196_800 * 10**9  # 2012-01-10T12:00:00Z


def leak(
    host: bytes = b"shop.example",
    *,
    requests: int = 1,
    number: bytes = NUMBER,
    sport: int = 40001,
    dst: str = "203.0.113.9",
) -> Talk:
    """One connection with so many requests, each with the number in X-MSISDN."""
    talk = Talk(sport=sport, dst=dst, time_ns=NOON_NS).open()
    for n in range(requests):
        talk.client(b"GET /check?n=%d HTTP/1.1\r\nHost: %b\r\nX-MSISDN: %b\r\n\r\n" % (n, host, number))
        talk.server(b"HTTP/1.1 204 No Content\r\n\r\n")
    return talk.close()


def clean() -> Talk:
    return Talk(time_ns=NOON_NS).open().client(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").close()


def agreed() -> Talk:
    return leak(b"ageverify.example", dst="198.51.100.10")


def write_rules(folder: Path, *, host: str = "partner.example", field: str = "x-msisdn", form: str = "plain") -> Path:
    """A book of one grant (YAML reads JSON)."""
    network = {
        "operator": "Test", "country": "44", "msisdn_ranges": ["447700900000-447700900999"],
        "access": {"3g": ["100.64.0.0/16"]}, "purposes": {"billing": {"title": "to bill"}},
        "jurisdiction": "UK", "time_zone": "Europe/London",
    }  # fmt: skip
    grant = {"purpose": "billing", "hosts": [host], "identifiers": ["msisdn"], "fields": [field], "form": form}
    partner = {"partner": "biller", "name": "B", "contract": "1", "contact": "b@b.example", "grants": [grant]}
    folder.mkdir(exist_ok=True)
    (folder / "network.yaml").write_text(json.dumps(network))
    (folder / "biller.yaml").write_text(json.dumps(partner))
    return folder


def write(path: Path, talk: Talk) -> Path:
    path.write_bytes(pcap(talk.frames))
    return path


def write_cut(path: Path, talk: Talk) -> Path:
    """The last frame is not whole."""
    path.write_bytes(pcap(talk.frames)[:-3])
    return path
