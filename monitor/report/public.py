"""RuleBook in, the public page out: who gets a customer's number, and why; as HTML by itself, and as JSON.

Written for customers, so it has their words. What is no business of theirs or a risk to others stays inside: contracts
and contacts, networks and paths, limits, header names, and every number. Grants that are over are left out, and those
to come are announced. All text goes through redact, for a name may hold a number as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from html import escape
from typing import TypedDict

from monitor.agreements import Partner, RuleBook
from monitor.redact import mask_name
from monitor.report.text import printable
from monitor.verdicts import Form, Identifier

GETS = {
    Identifier.MSISDN: "your phone number",
    Identifier.IMSI: "the number of your SIM card (IMSI)",
    Identifier.IMEI: "the serial number of your phone (IMEI)",
}
HOW = {
    Form.PLAIN: "as it is",
    Form.ENCODED: "in another notation, which anybody can read back",
    Form.HASHED: "as a fingerprint, which can be traced back to you",
    Form.PSEUDONYM: "as a pseudonym instead of the number itself",
    Form.KEYED: "as a code that only we can trace back to you",
    Form.ENCRYPTED: "encrypted, so that only the partner can read it",
}


class Agreement(TypedDict):
    purpose: str
    gets: list[str]  # identifiers
    form: str  # or harder to read
    sites: list[str]
    access: list[str]  # empty: any
    brands: list[str]  # empty: any
    abroad: bool
    since: str | None
    until: str | None


class PublicPartner(TypedDict):
    name: str
    agreements: list[Agreement]


class Public(TypedDict):
    """agreements.json."""

    operator: str
    date: str
    contact: str | None
    partners: list[PublicPartner]


def public(book: RuleBook, day: date) -> Public:
    """What the agreements say of this day and of those to come, partners by name."""
    partners = [
        PublicPartner(name=_shown(partner.name), agreements=agreements)
        for partner in sorted(book.partners, key=lambda partner: partner.name.casefold())
        if (agreements := [*_agreements(partner, book, day)])
    ]
    contact = book.network.public_contact
    return Public(
        operator=_shown(book.network.operator),
        date=day.isoformat(),
        contact=_shown(contact) if contact else None,
        partners=partners,
    )


def _agreements(partner: Partner, book: RuleBook, day: date) -> Iterator[Agreement]:
    for grant in partner.grants:
        if grant.valid_until is None or grant.valid_until.date() >= day:
            yield Agreement(
                purpose=_shown(book.purposes[grant.purpose].title),
                gets=[str(each) for each in grant.identifiers],
                form=str(grant.form),
                sites=[_shown(host) for host in grant.hosts],
                access=list(grant.access),
                brands=list(grant.brands),
                abroad=grant.roaming,
                since=_stamp(grant.valid_from),
                until=_stamp(grant.valid_until),
            )


def _stamp(time: datetime | None) -> str | None:
    return time.isoformat(timespec="minutes") if time else None


def _shown(text: str) -> str:
    return mask_name(printable(text))


# --- the page ---------------------------------------------------------------------------------------------------------


def page(said: Public) -> str:
    """The whole document."""
    operator, partners = escape(said["operator"]), said["partners"]
    number = "One partner" if len(partners) == 1 else f"{_amount(len(partners))} partners"
    day = date.fromisoformat(said["date"])
    contact = f" Write to {_contact(said['contact'])}." if said["contact"] else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Who gets your number, and why: {operator}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="operator">{operator}</p>
<h1>Who gets your number, and why</h1>
<p class="lead">When you open a web page over our mobile network, we tell a few partners who you are, so that
they need not ask you. <strong>{number} may learn it, for the purposes below, and nobody else.</strong></p>
</header>
<main>
{"".join(_partner(partner, said["date"]) for partner in partners)}
</main>
<footer>
<h2>Not on this list?</h2>
<p>Then nobody may receive your number from us there. If a page shows it all the same, or you do not want any partner to
have it, tell us.{contact}</p>
<p class="date">As agreed on <time datetime="{day.isoformat()}">{_date(day)}</time>. The same for programs:
<a href="agreements.json">agreements.json</a></p>
</footer>
</body>
</html>
"""


def _partner(partner: PublicPartner, day: str) -> str:
    agreements = "".join(_agreement(each, day) for each in partner["agreements"])
    return f"<article>\n<h2>{escape(partner['name'])}</h2>\n{agreements}</article>\n"


def _agreement(said: Agreement, day: str) -> str:
    gets = _listed([GETS[Identifier(each)] for each in said["gets"]])
    rows = [
        ("Gets", escape(f"{gets}, {HOW[Form(said['form'])]}")),
        ("On", _listed(_sites(said["sites"]))),
        ("When", escape(_when(said))),
    ]
    if time := _time(said, day):
        rows.append(("Agreed", time))
    listed = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>\n" for name, text in rows)
    return f"<section>\n<h3>{escape(said['purpose'])}</h3>\n<dl>\n{listed}</dl>\n</section>\n"


def _sites(hosts: Sequence[str]) -> list[str]:
    """`*.` is all below, and often stands beside the host itself."""
    names = {host: f"<b>{escape(host)}</b>" for host in hosts if not host.startswith("*.")}
    for host in (host.removeprefix("*.") for host in hosts if host.startswith("*.")):
        name = f"<b>{escape(host)}</b>"
        names[host] = f"{name} and all sites below it" if host in names else f"all sites below {name}"
    return list(names.values())


def _when(said: Agreement) -> str:
    access = (
        f"over {_listed([_name(each) for each in said['access']], 'or')}" if said["access"] else "however you connect"
    )
    brands = f", for customers of {_listed([_name(each) for each in said['brands']])}" if said["brands"] else ""
    return f"{access}{brands}{'' if said['abroad'] else ', not while you are abroad'}"


def _name(short: str) -> str:
    """Short names of access networks and brands, as people write them."""
    return {"wifi": "Wi-Fi"}.get(short, short.upper() if len(short) <= 4 else short.capitalize())


def _time(said: Agreement, day: str) -> str:
    since, until = said["since"], said["until"]
    words = []
    if since:
        words.append(f"{'from' if since[:10] > day else 'since'} {_moment(since, '00:00')}")
    if until:
        words.append(f"until {_moment(until, '23:59')}")
    return " ".join(words)


def _moment(stamp: str, usual: str) -> str:
    day, _, time = stamp.partition("T")
    return f'<time datetime="{stamp}">{_date(date.fromisoformat(day))}{"" if time == usual else ", " + time}</time>'


def _amount(some: int) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return words[some] if some < len(words) else f"{some:,}"


def _date(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _listed(words: Sequence[str], joint: str = "and") -> str:
    return f" {joint} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _contact(contact: str) -> str:
    safe = escape(contact)
    return f'<a href="mailto:{safe}">{safe}</a>' if "@" in contact and " " not in contact else safe


STYLE = """
:root { --ink: #14213d; --soft: #414b5e; --line: #d5dae3; --paper: #f5f6f9; --card: #fff; --accent: #0b4f9c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edf0f6; --soft: #b4bdcc; --line: #37415a; --paper: #10162a; --card: #1a2238; --accent: #8fbcff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: clamp(1.25rem, 5vw, 3.5rem) clamp(1rem, 4vw, 2rem); color: var(--ink);
  background: var(--paper); font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0 0 1rem; font-size: clamp(1.9rem, 7vw, 2.75rem); line-height: 1.12; letter-spacing: -.02em;
  text-wrap: balance; }
h2 { margin: 0; font-size: 1.35rem; line-height: 1.3; }
h3 { margin: 0 0 .6rem; font-size: 1.0625rem; line-height: 1.4; color: var(--accent); }
p { margin: 0 0 1rem; text-wrap: pretty; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
.operator { margin: 0 0 .4rem; font-weight: 600; color: var(--accent); }
.lead { font-size: 1.175rem; max-width: 38rem; }
header { margin-bottom: 2rem; }
article { margin: 0 0 1.25rem; padding: clamp(1.1rem, 4vw, 1.75rem); border: 1px solid var(--line); border-radius: 14px;
  background: var(--card); }
section { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
dl { margin: 0; }
dl div { display: grid; grid-template-columns: 5rem 1fr; gap: 0 1rem; padding: .2rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dd b { font-weight: 600; }
footer { margin-top: 2.5rem; }
footer h2 { margin-bottom: .5rem; }
.date { color: var(--soft); font-size: .95rem; }
@media (max-width: 26rem) { dl div { grid-template-columns: 1fr; padding: .35rem 0; } dt { font-size: .9rem; } }
@media print {
  @page { margin: 18mm; }
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --card: #fff; --accent: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h1 { font-size: 22pt; }
  .lead { font-size: 12pt; max-width: none; }
  article { padding: 0 0 6pt; border: 0; border-radius: 0; border-bottom: 1px solid var(--line); }
  section { border: 0; margin: 8pt 0 0; padding: 0; break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  a { text-decoration: none; }
}
"""
