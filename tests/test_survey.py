from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from monitor import survey
from monitor.commands.discover import discover
from monitor.errors import ConfigError
from monitor.records import Batch, Flow, RequestHead
from monitor.survey import Lookout, Survey
from pcaps.recipe import get
from pcaps.talk import Talk, pcap

SITES = ("shop.example", "www.news.example", "mail.example", "maps.example", "portal.operator.example")
AGENTS = [f"Mozilla/5.0 (Linux; Android {version})" for version in range(6, 15)]


def fields(client: int, site: str, dice: random.Random) -> dict[str, str]:
    """What handset and gateway write: one field of the gateway's own invention, and what is none of its business."""
    return {
        "Host": site,
        "User-Agent": AGENTS[client % len(AGENTS)],
        "Accept-Language": dice.choice(["en-GB", "de-DE"]) if client % 7 == 0 else "en-GB,en;q=0.9",
        "X-Forwarded-For": f"100.64.1.{client}",
        "If-None-Match": f'"{dice.randbytes(8).hex()}"',
        "X-Request-Id": dice.randbytes(16).hex(),
        "X-Gateway": "gw07.operator.example",
        "X-Cell": f"{client % 4}0417",
        "Cookie": f"sid={hashlib.md5(f'{client}{site}'.encode()).hexdigest()}; _ga=GA1.2.{dice.randrange(10**9)}",
        "X-Trail": hashlib.sha256(b"a key of the gateway" + str(client).encode()).hexdigest()[:24],
    }


def head(client: int, site: str, dice: random.Random, **more: str) -> RequestHead:
    flow = Flow(bytes([100, 64, 1, client]), 40001, bytes([203, 0, 113, 9]), 80)
    named = fields(client, site, dice) | more
    return RequestHead(
        0, flow, b"GET", b"/", b"HTTP/1.1", tuple((a.lower().encode(), b.encode()) for a, b in named.items())
    )


def surveyed(clients: int, sites: tuple[str, ...] = SITES, **more: str) -> list[str]:
    dice, found = random.Random(7), Survey()
    for client in range(clients):
        for site in sites:
            found.feed(head(client, site, dice, **more))
    return [candidate.field for candidate in found.candidates()]


def test_an_invented_header_with_a_keyed_value_is_found_and_nothing_else():
    dice, found = random.Random(7), Survey()
    for client in range(40):
        for site in SITES:
            found.feed(head(client, site, dice))
    (candidate,) = found.candidates()
    assert candidate._asdict() == {
        "field": "x-trail",
        "requests": 200,
        "clients": 40,
        "constant": 1.0,
        "distinct": 1.0,
        "sites": 5,
        "shape": "24 hexadecimal",
    }


def test_a_cookie_that_a_gateway_writes_everywhere_is_found():
    dice, found = random.Random(7), Survey()
    for client in range(10):
        for site in SITES:
            found.feed(head(client, site, dice, Cookie=f"sid={dice.random()}; acr={client:032x}"))
    assert [candidate.field for candidate in found.candidates()] == ["cookie acr", "x-trail"]


def test_too_few_clients_or_sites_say_nothing():
    assert surveyed(survey.FEWEST_CLIENTS - 1) == []
    assert surveyed(40, SITES[:2]) == []
    assert surveyed(40, ("a.shop.example", "b.shop.example", "c.shop.example", "d.shop.example")) == []
    assert surveyed(survey.FEWEST_CLIENTS) == ["x-trail"]


def test_one_value_for_all_is_no_identifier():
    assert surveyed(40, **{"X-Trail": "the same for everybody"}) == []


def test_what_changes_from_request_to_request_is_no_identifier():
    dice, found = random.Random(7), Survey()
    for client in range(40):
        for site in SITES:
            found.feed(head(client, site, dice, **{"X-Trail": dice.randbytes(12).hex()}))
    assert found.candidates() == []


def test_known_fields_are_left_out():
    dice, found = random.Random(7), Survey(known=frozenset({b"x-trail"}))
    for client in range(40):
        for site in SITES:
            found.feed(head(client, site, dice))
    assert found.candidates() == []


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(survey, "FIELDS", 20)
    monkeypatch.setattr(survey, "CLIENTS", 8)
    monkeypatch.setattr(survey, "PAIRS", 50)
    dice, found = random.Random(7), Survey()
    for client in range(60):
        for site in SITES:
            found.feed(head(client, site, dice, **{f"X-{client}-{site}": "of a hostile handset", "Y" * 300: "long"}))
    assert len(found._fields) == 20
    assert max(len(field.clients) for field in found._fields.values()) <= 8
    assert sum(len(field.clients) for field in found._fields.values()) <= 50


def capture(tmp_path: Path, clients: int) -> Path:
    dice, frames = random.Random(7), []
    for client in range(clients):
        for port, site in enumerate(SITES):
            lines = [f"{name}: {value}".encode() for name, value in fields(client, site, dice).items()][1:]
            talk = Talk(src=f"100.64.1.{client}", sport=40000 + port).open()
            frames += talk.client(get(*lines, host=site.encode())).close().frames
    path = tmp_path / "traffic.pcap"
    path.write_bytes(pcap(frames))
    return path


def test_discover_lists_candidates_with_their_evidence(tmp_path, capsys, engine_name):
    assert discover((str(capture(tmp_path, 8)),), None, "table", engine_name) == 1
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["field", "clients", "constant", "distinct", "sites", "requests", "value"]
    assert row.split() == ["x-trail", "8", "100%", "100%", "5", "40", "24", "hexadecimal"]


def test_discover_says_when_there_is_none(tmp_path, capsys, engine_name):
    assert discover((str(capture(tmp_path, 3)),), None, "table", engine_name) == 0
    assert capsys.readouterr().out.startswith("No unknown identifier in 15 requests")


def test_discover_never_shows_a_value(tmp_path, capsys):
    path = capture(tmp_path, 8)
    discover((str(path),), None, "jsonl", "auto")
    out = capsys.readouterr().out
    assert '"field":"x-trail"' in out
    assert not any(fields(client, SITES[0], random.Random(7))["X-Trail"] in out for client in range(8))


def test_discover_wants_one_source():
    for files, interface in (((), None), (("a.pcap",), "eth1")):
        with pytest.raises(ConfigError, match="one of the two"):
            discover(files, interface, "table", "auto")


# --- the lookout on a live port -----------------------------------------------------------------------------------


def batch(second: float, *heads: RequestHead) -> Batch:
    return Batch(list(heads), {}, int(second * 1e9), 0, (), False)


def test_a_look_is_a_second_of_every_minute():
    lookout = Lookout(frozenset())
    seconds = (0, 1, 60, 60.5, 61, 62, 120, 121, 121.5, 122, 181, 182)
    turns = [(second, lookout.looking) for second in seconds if lookout.feed(batch(second))]
    assert turns == [(60, True), (61, False), (121, True), (122, False), (182, True)]


def looking() -> Lookout:
    """In the second of its first look."""
    lookout = Lookout(frozenset())
    assert not lookout.feed(batch(0))
    assert lookout.feed(batch(60))
    return lookout


def test_a_look_ends_early_when_too_much_comes(monkeypatch):
    monkeypatch.setattr(survey, "MOST_LOOKED_AT", 3)
    lookout, dice = looking(), random.Random(7)
    assert lookout.feed(batch(60.1, *[head(1, SITES[0], dice)] * 3))
    assert not lookout.looking


def test_a_candidate_is_told_once_and_counted_on():
    lookout, dice = looking(), random.Random(7)
    everybody = [head(client, site, dice) for client in range(8) for site in SITES]
    assert lookout.news() == []
    assert lookout.feed(batch(61, *everybody))
    assert lookout.news() == ["x-trail"]
    assert lookout.feed(batch(121))
    assert lookout.feed(batch(122, *everybody))
    assert (lookout.news(), lookout.candidates) == ([], 1)


def test_what_the_sieve_lets_through_between_looks_is_not_surveyed():
    lookout, dice = looking(), random.Random(7)
    lookout.feed(batch(61))
    lookout.feed(batch(62, *[head(client, site, dice) for client in range(8) for site in SITES]))
    lookout.feed(batch(121))
    lookout.feed(batch(122))
    assert lookout.candidates == 0
