"""`explain`: one request in words, which grant fits it, or why each does not; as a person reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from monitor.agreements import RuleBook, Terms, load
from monitor.agreements.models import Request
from monitor.commands.common import redactor
from monitor.errors import ConfigError
from monitor.judge import CONDITIONS, Facts, Judge
from monitor.redact import mask_name, mask_path
from monitor.report.text import address, masked, printable
from monitor.trial import LEFT_OUT, holder_of, said_in, sighting_of
from monitor.verdicts import Outcome, Verdict, Whose
from monitor.written.document import Document
from monitor.written.language import WRONG, Entry, Reading

IN_WORDS = {
    Outcome.ALLOWED: "an agreement covers it",
    Outcome.UNKNOWN_RECIPIENT: "no partner has this host",
    Outcome.WRONG_ADDRESS: "the host is a partner's, the address is not",
    Outcome.WRONG_PATH: "another page of the partner's than was agreed",
    Outcome.WRONG_FIELD: "a header that was not agreed",
    Outcome.WRONG_IDENTIFIER: "another identifier than was agreed",
    Outcome.WRONG_FORM: "more readable than was agreed",
    Outcome.WRONG_ACCESS: "not from this access network",
    Outcome.WRONG_BRAND: "not for customers of this brand",
    Outcome.ROAMING_FORBIDDEN: "not while the customer is abroad",
    Outcome.OPTED_OUT: "the customer opted out",
    Outcome.NOT_YET_VALID: "the agreement has not begun",
    Outcome.EXPIRED: "the agreement has ended",
    Outcome.NUMBER_MISMATCH: "the number of another subscriber than who asked",
    Outcome.CLIENT_SUPPLIED: "the handset sent it, before the gateway; no agreement is about that",
    Outcome.SECONDARY: "not in a header, so not from the gateway; no agreement is about that",
}
LABEL, VALUE = 12, 26  # columns


def explain(rules: Path, said: Mapping[str, str]) -> int:
    """0 when it is allowed, 1 when not; raises RuleError, and ConfigError for options that make no request."""
    book = load(rules)
    request = request_of(said, book)
    judge = Judge(book, redactor(None).token)
    sighting, holder = sighting_of(request, book), holder_of(request)
    verdict = judge.feed(sighting, holder)
    if verdict is None:
        sys.stdout.write("FOREIGN  not one of our own numbers: counted, not judged (`foreign` of network.yaml)\n")
        return 0
    facts = judge.facts(sighting, holder)
    grants = [terms for terms, _ in judge.explain(sighting, holder)]
    for line in _page(verdict, request, facts, grants, book):
        sys.stdout.write(f"{line.rstrip()}\n")
    return 0 if verdict.outcome is Outcome.ALLOWED else 1


def request_of(said: Mapping[str, str], book: RuleBook) -> Request:
    """The options as the language of the rules reads them. Raises ConfigError with every fault, one a line."""
    options = Document("options", b"{}")
    request = Entry(Request).read(dict(said), (), Reading(options, book.network))
    faults = [f"--{fault.path}: {fault.message}" for fault in options.faults]
    if "address" not in said:
        faults.append("--address: is missing; write where the packet goes, such as 203.0.113.9")
    if faults or request is WRONG:
        raise ConfigError("\n".join(faults))
    now = datetime.now(book.network.time_zone).replace(tzinfo=None, second=0, microsecond=0)
    return Request(**({"at": now} | LEFT_OUT | said_in(request)))


def _page(verdict: Verdict, request: Request, facts: Facts, grants: list[Terms], book: RuleBook) -> Iterator[str]:
    outcome = verdict.outcome
    yield f"{str(outcome).upper()}  {IN_WORDS[outcome]}"
    yield ""
    yield f"  {'recipient':{LABEL}}{masked(printable(verdict.recipient))} at {address(facts.address)}"
    yield f"  {'number':{LABEL}}{facts.identifier}, {facts.form}, in {request.place} {_shown(facts.field)}"
    away = ", abroad" if facts.client.roaming else ""
    yield f"  {'customer':{LABEL}}access {facts.client.access}, brand {facts.brand}{away}"
    yield f"  {'time':{LABEL}}{request.at:%Y-%m-%d %H:%M} {book.network.time_zone}"
    decided = False
    for terms in grants:
        yield ""
        failing = [condition for condition in CONDITIONS if not condition.fits(terms, facts)]
        partner = next(partner for partner in book.partners if partner.partner == terms.partner)
        place = terms.document.remark(("grants", terms.position), "")
        mark = ":".join(map(str, (mask_path(place.file), *(place.mark or ())[:1])))
        name, contract = mask_name(printable(partner.name)), mask_path(printable(partner.contract))
        yield f"{terms} ({name}, contract {contract}), {mark}"
        if not failing:
            yield "  fits in every condition" + ("; the grant above counts, for it stands first" if decided else "")
            decided = True
            continue
        for outcome in (condition.outcome for condition in CONDITIONS):
            label, asked, agreed = _said(outcome, terms, facts, book)
            if outcome in [condition.outcome for condition in failing]:
                yield f"  NO   {label:{LABEL}}{asked:{VALUE}} agreed: {agreed}"
            elif agreed != "any":
                yield f"  yes  {label:{LABEL}}{asked:{VALUE}} agreed: {agreed}"
    if not grants:
        yield ""
        yield f"No grant of {len(book.partners)} partners names {masked(printable(verdict.recipient))}."


def _said(outcome: Outcome, terms: Terms, facts: Facts, book: RuleBook) -> tuple[str, str, str]:
    """What a condition is about, what the request has, and what the grant wants (`any` where it wants nothing)."""
    grant, client = terms.grant, facts.client
    match outcome:
        case Outcome.WRONG_ADDRESS:
            return "address", address(facts.address), _any(grant.networks)
        case Outcome.WRONG_PATH:
            return "path", masked(printable(facts.path.decode("latin-1"))), masked(printable(_any(grant.paths)))
        case Outcome.WRONG_FIELD:
            return "field", _shown(facts.field), _any(grant.fields)
        case Outcome.WRONG_IDENTIFIER:
            return "identifier", str(facts.identifier), _any(grant.identifiers)
        case Outcome.WRONG_FORM:
            return "form", str(facts.form), f"{grant.form}, or harder to read"
        case Outcome.WRONG_ACCESS:
            return "access", client.access, _any(grant.access)
        case Outcome.WRONG_BRAND:
            return "brand", facts.brand, _any(grant.brands)
        case Outcome.ROAMING_FORBIDDEN:
            return "roaming", "abroad" if client.roaming else "at home", "any" if grant.roaming else "at home"
        case Outcome.OPTED_OUT:
            return "opt-out", "opted out" if facts.opted_out else "not opted out", "not opted out"
        case Outcome.NOT_YET_VALID:
            return (
                "begins",
                _minute(facts, book),
                f"from {grant.valid_from:%Y-%m-%d %H:%M}" if grant.valid_from else "any",
            )
        case Outcome.EXPIRED:
            return (
                "ends",
                _minute(facts, book),
                f"through {grant.valid_until:%Y-%m-%d %H:%M}" if grant.valid_until else "any",
            )
    whose = {Whose.HOLDER: "the subscriber's own", Whose.OTHER: "another's", Whose.UNKNOWN: "nobody tells"}
    return "whose", whose[facts.whose], "any" if facts.whose is Whose.UNKNOWN else "the subscriber's own"


def _any(agreed: tuple[object, ...]) -> str:
    return ", ".join(map(str, agreed)) or "any"


def _shown(field: bytes) -> str:
    return masked(printable(field.decode("latin-1")))


def _minute(facts: Facts, book: RuleBook) -> str:
    return f"{datetime.fromtimestamp(facts.time_ns // 10**9, book.network.time_zone):%Y-%m-%d %H:%M}"
