"""Every noun from the agreements and identify to the report; those up to the head are in records.py."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Never

from monitor.records import Certainty, RequestHead

# --- agreements -> identify ---------------------------------------------------------------------------------------


class NumberPlan(NamedTuple):
    """The operator's own numbers, as network.yaml states them; what `identify` compiles its matcher from."""

    country: str  # E.164 country code: "44"
    trunk_prefix: str  # of a national number: "0"; "" where there is none
    international_prefix: str  # "00"
    msisdn_ranges: tuple[tuple[str, str], ...]  # first and last number, E.164 digits of equal length
    imsi_prefixes: tuple[str, ...]  # MCC + MNC: "23410"
    fields: frozenset[bytes] = frozenset()  # header names that the operator itself invented, normalised
    report_foreign: bool = False  # judge numbers outside the ranges too
    hash_table: str = ""  # file with the digests of all own numbers; "" where there is none


# --- identify -> judge --------------------------------------------------------------------------------------------


class Identifier(StrEnum):
    MSISDN = "msisdn"  # E.164 and 3GPP TS 23.003 section 3.3
    IMSI = "imsi"  # TS 23.003 section 2.2
    IMEI = "imei"  # TS 23.003 section 6.2


class Place(StrEnum):
    HEADER = "header"
    TRAILER = "trailer"
    COOKIE = "cookie"
    PATH = "path"
    QUERY = "query"
    REFERER = "referer"


class Form(StrEnum):
    """How far the value is from the number itself; the word that agreements use. Most readable first."""

    PLAIN = "plain"
    ENCODED = "encoded"
    HASHED = "hashed"
    PSEUDONYM = "pseudonym"
    KEYED = "keyed"
    ENCRYPTED = "encrypted"


class Number:
    """A subscriber identifier in the clear: E.164 digits without `+`, or 15 digits of IMSI or IMEI.

    It masks itself: only redact.py reads `digits` to make something that may leave. No tuple, for that would show them.
    """

    __slots__ = ("digits",)

    digits: str

    def __init__(self, digits: str) -> None:
        object.__setattr__(self, "digits", digits)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError("a Number stays what it is")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.digits == other.digits

    def __hash__(self) -> int:
        return hash(self.digits)

    def __str__(self) -> str:
        return "<number>"

    def __repr__(self) -> str:
        return "<number>"


class Sighting(NamedTuple):
    """One subscriber identifier in one place of one request head."""

    head: RequestHead
    identifier: Identifier
    number: Number
    place: Place
    field: bytes  # normalised header name, cookie or parameter name
    form: Form
    spelling: str  # how exactly it was written: `e164`, `plus`, `national`, `tel_uri`, ... (identify/forms.py)
    certainty: Certainty
    own: bool  # lies in the operator's ranges; others are counted as foreign
    contested: bool = False  # a header further on names another subscriber: this one came with the request


class Outcome(StrEnum):
    """What the agreements say of a sighting; the order is the order in which conditions are tested."""

    ALLOWED = "allowed"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    WRONG_ADDRESS = "wrong_address"
    WRONG_PATH = "wrong_path"
    WRONG_FIELD = "wrong_field"
    WRONG_IDENTIFIER = "wrong_identifier"
    WRONG_FORM = "wrong_form"
    WRONG_ACCESS = "wrong_access"
    WRONG_BRAND = "wrong_brand"
    ROAMING_FORBIDDEN = "roaming_forbidden"
    OPTED_OUT = "opted_out"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NUMBER_MISMATCH = "number_mismatch"
    CLIENT_SUPPLIED = "client_supplied"
    SECONDARY = "secondary"


class Holder(NamedTuple):
    """Who held the address of a handset when it asked, and how it was attached; empty where the feed did not say."""

    msisdn: str
    imsi: str
    apn: str  # network identifier, lower case (TS 23.003 section 9.1.1)
    rat: str  # utran, geran, wlan, ... (TS 29.061 section 16.4.7.2)
    network: str  # MCC and MNC of the visited network

    def __repr__(self) -> str:
        return f"<holder, {self.rat or 'unknown'}>"


class Whose(StrEnum):
    """Whether the number is that of the subscriber who holds the address."""

    HOLDER = "holder"
    OTHER = "other"  # another subscriber's: worse than one's own
    UNKNOWN = "unknown"  # nobody said who holds the address, or the value cannot be read back


class Verdict(NamedTuple):
    sighting: Sighting
    outcome: Outcome
    recipient: str  # normalised host name or address
    partner: str  # rule id, or `none`
    purpose: str  # of the grant that fits or is nearest, or `none`
    access: str  # of network.yaml, or `unknown`
    brand: str  # of network.yaml, or `unknown`
    grant: int = -1  # in the order of the rule book, of the grant that fits or is nearest; -1 where there is none
    whose: Whose = Whose.UNKNOWN


class Kind(NamedTuple):
    """What many verdicts of a leak have in common: all but the number, the request and the time."""

    outcome: Outcome
    recipient: str
    partner: str
    purpose: str
    certainty: Certainty
    identifier: Identifier
    place: Place
    field: bytes
    form: Form
    access: str
    brand: str


class Amount:
    """How many verdicts of a kind there were, and the times of the first and the last of them."""

    __slots__ = ("first_ns", "last_ns", "verdicts")

    def __init__(self, time_ns: int) -> None:
        self.verdicts, self.first_ns, self.last_ns = 1, time_ns, time_ns


class Verdicts:
    """What came of a batch of heads, in the order in which it was judged: verdicts, each with its number's token.

    `kinds` are the same, counted: in a leak there are few kinds, and whoever only counts looks at each of them once.
    """

    __slots__ = ("_kinds", "told")

    def __init__(self, told: Sequence[tuple[Verdict, str]]) -> None:
        self.told = told
        self._kinds: dict[Kind, Amount] | None = None

    @property
    def kinds(self) -> Mapping[Kind, Amount]:
        """In the order in which they came."""
        if self._kinds is None:
            self._kinds = _counted(self.told)
        return self._kinds


def _counted(told: Sequence[tuple[Verdict, str]]) -> dict[Kind, Amount]:
    amounts: dict[tuple[object, ...], Amount] = {}
    for (sighting, outcome, recipient, partner, purpose, access, brand, _, _), _ in told:
        head, identifier, _, place, field, form, _, certainty, _, _ = sighting
        time_ns = head[0]  # half as long as its name
        kind = (outcome, recipient, partner, purpose, certainty, identifier, place, field, form, access, brand)
        amount = amounts.get(kind)
        if amount is None:
            amounts[kind] = Amount(time_ns)
            continue
        amount.verdicts += 1
        if time_ns < amount.first_ns:
            amount.first_ns = time_ns
        elif time_ns > amount.last_ns:
            amount.last_ns = time_ns
    return {Kind._make(kind): amount for kind, amount in amounts.items()}
