"""The tests in the rule files in, what went otherwise out: each request is made into a Sighting and judged.

They are how a privacy officer proves what an agreement means before the first packet is seen, and what keeps a later
edit from meaning something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.agreements import Network, Partner, Remark, RuleBook
from monitor.agreements.models import Request
from monitor.judge import Judge, Token
from monitor.records import Certainty, Flow, RequestHead
from monitor.verdicts import Form, Holder, Identifier, Number, Outcome, Place, Sighting
from monitor.written.document import Document

LEFT_OUT: dict[str, Any] = {
    "path": "/", "field": "x-msisdn", "place": Place.HEADER, "identifier": Identifier.MSISDN, "form": Form.PLAIN,
}  # fmt: skip
NOWHERE = bytes(4)  # a client of whose address nothing is known


def run_tests(book: RuleBook, token: Token) -> list[Remark]:
    """One remark for each test whose outcome is not the expected one, or whose request is not whole."""
    judge = Judge(book, token)
    files: list[tuple[Document, Network | Partner]] = [(book.document, book.network), *book.files]
    return [
        remark
        for document, file in files
        for index, case in enumerate(file.tests)
        for remark in _try(judge, book, document, index, _whole(case.request, file.usual_request), case.expect)
    ]


def sighting_of(request: Request, book: RuleBook) -> Sighting:
    """The sighting that this request would make; `address` and `at` are set."""
    assert request.address is not None
    assert request.at is not None
    assert request.path is not None
    assert request.field is not None
    assert request.identifier is not None
    assert request.place is not None
    assert request.form is not None
    client = request.client or (book.network.access[request.access][0][0] if request.access else None)
    number = request.number or _first_number(request.identifier, book)
    flow = Flow(
        src=client.packed if client else NOWHERE,
        sport=0,
        dst=request.address.packed,
        dport=80,
        path=((str(request.tunnel), 0),) if request.tunnel else (),
    )
    host = ((b"host", request.host.encode()),) if request.host else ()
    field = request.field.encode()
    return Sighting(
        head=RequestHead(
            book.time_ns(request.at), flow, b"GET", request.path.encode(), b"HTTP/1.1", (*host, (field, b""))
        ),
        identifier=request.identifier,
        number=number,
        place=request.place,
        field=field,
        form=request.form,
        spelling="",
        certainty=Certainty.CONFIRMED,
        own=_own(request.identifier, number, book),
    )


def holder_of(request: Request) -> Holder | None:
    """Who holds the handset's address, as far as the request says."""
    return None if request.holder is None else Holder(request.holder.digits, "", "", "", "")


def _whole(request: Request, usual: Request | None) -> Request:
    """`request` with what it leaves out taken from `usual`; client and access are two words for one thing."""
    said = said_in(request)
    unsaid = {} if usual is None else said_in(usual)
    if said.keys() & {"client", "access"}:
        unsaid = {name: value for name, value in unsaid.items() if name not in ("client", "access")}
    return Request(**(LEFT_OUT | unsaid | said))


def said_in(request: Request) -> dict[str, Any]:
    return {name: value for name in Request.language if (value := getattr(request, name)) is not None}


def _try(
    judge: Judge, book: RuleBook, document: Document, index: int, request: Request, expected: Outcome
) -> Iterator[Remark]:
    place = ("tests", index, "request")
    if request.address is None or request.at is None:
        missing = "address" if request.address is None else "at"
        yield document.remark(place, f"no `{missing}`; write it here or in usual_request")
        return
    sighting = sighting_of(request, book)
    holder = holder_of(request)
    verdict = judge.feed(sighting, holder)
    if verdict is None:
        yield document.remark((*place, "number"), "not one of our own numbers; such are only counted, not judged")
    elif verdict.outcome is not expected:
        grants = "; ".join(f"{terms}: {outcome}" for terms, outcome in judge.explain(sighting, holder))
        reason = grants or f"no grant names {verdict.recipient}"
        yield document.remark(
            ("tests", index, "expect"), f"expected {expected}, but it is {verdict.outcome} ({reason})"
        )


def _first_number(identifier: Identifier, book: RuleBook) -> Number:
    if identifier is Identifier.MSISDN or not book.plan.imsi_prefixes:
        return Number(book.plan.msisdn_ranges[0][0])
    return Number(book.plan.imsi_prefixes[0].ljust(15, "0"))


def _own(identifier: Identifier, number: Number, book: RuleBook) -> bool:
    if identifier is Identifier.MSISDN:
        digits = number.digits
        return any(len(digits) == len(a) and a <= digits <= b for a, b in book.plan.msisdn_ranges)
    return identifier is Identifier.IMEI or number.digits.startswith(book.plan.imsi_prefixes)
