"""What an engine must know to find what `identify` would: takes a number plan, yields a Watch."""

from __future__ import annotations

from monitor.identify.catalogue import (
    ALIAS_FIELDS,
    CATALOGUE,
    CLIENT_FIELDS,
    IMEI_WORD,
    STEMS,
    SUBSCRIBER_FIELDS,
    hint,
)
from monitor.identify.coded import codings_of
from monitor.identify.hashes import HashTable
from monitor.identify.numbers import IMEI_ROW, OwnNumbers
from monitor.identify.search import carried
from monitor.records import Wanted, Watch
from monitor.verdicts import NumberPlan


def watch_of(plan: NumberPlan, own: OwnNumbers, table: HashTable | None) -> Watch:
    """What the sieve must let through for all to be found that is in the whole traffic."""
    names = SUBSCRIBER_FIELDS | plan.fields
    codings = codings_of(own)
    return Watch(
        names=names | {b"http-" + name for name in names},
        stems=tuple(STEMS),
        rows=(
            *own.digit_rows,
            *sorted({(one.begin, one.more) for one in codings if one.of_digits}),
        ),
        named_rows=(IMEI_ROW,),
        named_by=IMEI_WORD,
        tokens=tuple(sorted({(one.begin, one.more) for one in codings if not one.of_digits})),
        digests=table,
        wanted=Wanted(
            country=plan.country.encode(),
            trunk=plan.trunk_prefix.encode(),
            access=plan.international_prefix.encode(),
            lengths=own.lengths,
            imsi_prefixes=tuple(prefix.encode() for prefix in plan.imsi_prefixes),
            tokens=tuple((one.spelling, one.pattern, one.skip, one.believed) for one in codings),
            carries=tuple(carried(plan).items()),
            hints=tuple((name, identifier) for name in CATALOGUE if (identifier := hint(name))),
            stems=tuple(STEMS.items()),
            own_fields=tuple(plan.fields),
            handset_fields=tuple(CLIENT_FIELDS - plan.fields),
            aliases=tuple(ALIAS_FIELDS),
        ),
    )
