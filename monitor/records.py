"""Every noun that passes between the stages of an engine, up to the heads; those behind it are in verdicts.py.

Times are integer nanoseconds of the capture clock since 1970 (`time_ns`), addresses are packed (4 or 16 bytes),
names and values are the raw bytes of the wire. Text is made only in report/.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

# --- what the engine is asked to do -------------------------------------------------------------------------------


class CaptureFiles(NamedTuple):
    """Captures to replay, in the order in which they were taken; `-` is standard input."""

    paths: tuple[str, ...]
    workers: int = 1  # threads of the native engine; two share the work, a third finds none


class Interface(NamedTuple):
    """Live ports, read promiscuously by so many threads; what the filter (pcap-filter(7)) refuses is not seen."""

    names: tuple[str, ...]
    workers: int = 1
    filter: str = ""
    hardware_stamps: bool = False  # the network card's clock, where it has one that runs


class Digests(Protocol):
    """Which numbers have which unkeyed digests (identify/hashes.py)."""

    def found_in(self, text: bytes) -> Iterator[tuple[int, str]]:
        """Of each digest of an own number that stands in a text, how many octets it has and whose it is."""
        ...

    @property
    def native(self) -> tuple[str, str, list[tuple[int, int]], int, str | None]:
        """For the native engine: country, trunk prefix, ranges, and the file with the place where its sections begin.

        Without a file it makes a table itself.
        """
        ...


class Wanted(NamedTuple):
    """What `identify` looks for, for an engine that looks for it as well (identify/watched.py).

    Numbers are E.164 digits, names normalised. `lengths`: how long own numbers are, what stands behind the country code
    in all of these, and their ranges. `tokens`: how a number is coded, the expression of its letters, digits in front
    that are none of it, and whether nothing must hint at it. `carries`: fields that are known to carry an identifier,
    whoever's; `hints`: what other names say; `stems`: what the letters of a name that hints may end with.
    """

    country: bytes
    trunk: bytes
    access: bytes  # dialled before a country code
    lengths: tuple[tuple[int, bytes, tuple[tuple[int, int], ...]], ...]
    imsi_prefixes: tuple[bytes, ...]
    tokens: tuple[tuple[str, bytes, int, bool], ...]
    carries: tuple[tuple[bytes, str], ...]
    hints: tuple[tuple[bytes, str], ...]
    stems: tuple[tuple[bytes, str], ...]
    own_fields: tuple[bytes, ...]
    handset_fields: tuple[bytes, ...]
    aliases: tuple[bytes, ...]


class Watch(NamedTuple):
    """What the sieve lets through. It may pass too much, never too little.

    `names` are field names as `identify` normalises them (lower case, `-` for `_`), `stems` what the letters of a name
    may end with (b"msisdn"); a head that has one passes. So does every head in which digits stand in a row, whatever
    punctuation lies between them, that may be an identifier: one of `rows`, each the digits that it begins with (`.` is
    any digit) and how many others follow. One of `named_rows` counts only where the letters `named_by` stand in the
    same target or field, its name included, whatever lies between them. So does every head with a token, no letter or
    digit in front of it, that may be a number coded by itself: one of `tokens`, each what it begins with and how many
    letters or digits follow at the least; every head in which one of `rows`, or with the letters `named_by` one of
    `named_rows`, stands in what is coded in base64 or hex; and every head with a digest of an own number, as `digests`
    knows them. `every_head` passes all heads.
    An engine that can reads what shows for what is `wanted`, and drops a head where that is nothing.
    What goes to one of the UDP `ports` is handed over as a Message.
    """

    names: frozenset[bytes] = frozenset()
    every_head: bool = False
    stems: tuple[bytes, ...] = ()
    rows: tuple[tuple[bytes, int], ...] = ((b"", 7),)
    named_rows: tuple[tuple[bytes, int], ...] = ()
    named_by: bytes = b""
    ports: frozenset[int] = frozenset()
    tokens: tuple[tuple[bytes, int], ...] = ()
    digests: Digests | None = None
    wanted: Wanted | None = None
    audited: int = 0  # one in so many half-streams is traced for the audit; 1: all, and what is no segment; 0: none


BUDGET_BYTES = 512 * 1024 * 1024  # of memory, unless told otherwise


class Limits(NamedTuple):
    """Every bound of the engine; each has a counter `shed{bound}` or `blind{reason}` beside it.

    `memory_bytes`, `fragments_bytes` and `queue_bytes` are shares of one budget (`within`).
    """

    encapsulations: int = 16  # nested tunnel, tag and IP headers of one frame; deeper is blind{depth}
    head_bytes: int = 256 * 1024  # of one request head; what lies beyond is scanned raw and shed{head_bytes}
    head_lines: int = 4096
    half_streams: int = 1_000_000  # the longest idle goes first
    memory_bytes: int = BUDGET_BYTES * 13 // 16  # of all half-streams with what they hold, the next bound's as well
    hold_bytes: int = BUDGET_BYTES * 3 // 64  # out-of-order bytes of all half-streams together, oldest hole first
    hold_bytes_per_half_stream: int = 1024 * 1024
    window_bytes: int = 640 * 1024  # a segment further ahead of the expected byte is not believed
    fragments_bytes: int = BUDGET_BYTES // 16
    queue_bytes: int = BUDGET_BYTES // 8  # of suspect heads of a live port that wait for Python
    fragment_ns: int = 30_000_000_000  # RFC 8200 section 4.5 allows 60 s
    idle_ns: int = 1_800_000_000_000  # a silent half-stream is forgotten
    gap_ns: int = 2_000_000_000  # a hole older than this is a gap; also when the peer acknowledged what lies beyond
    settle_ns: int = 1_000_000_000  # a head waits this long (or until it is acknowledged) for a conflicting copy
    batch_heads: int = 1024  # of one poll
    sampling_key: int = secrets.randbits(64)  # nobody outside knows which new connections are kept when memory is short

    def within(self, budget_bytes: int) -> "Limits":
        """The same, with this budget of memory shared out."""
        return self._replace(
            memory_bytes=budget_bytes * 13 // 16,
            hold_bytes=budget_bytes * 3 // 64,
            fragments_bytes=budget_bytes // 16,
            queue_bytes=budget_bytes // 8,
        )


# --- engine: source -> decode -> stream -> http -------------------------------------------------------------------


class Frame(NamedTuple):
    time_ns: int
    link: int  # LINKTYPE_ number of tcpdump.org
    wire_len: int  # bytes on the wire; len(data) when nothing was cut
    data: bytes
    checksum_ready: bool = True  # False: sent by this machine, and its network card was to fill the checksum in


class Flow(NamedTuple):
    """One direction of a connection: innermost addresses and ports, and the tunnels that are part of its identity.

    `path` holds (kind, number) outermost first, such as ("gtpu", 0x1001): only encapsulations that tell two
    subscribers with equal addresses apart. VLAN tags, MPLS labels and mirror transports are not part of it.
    """

    src: bytes
    sport: int
    dst: bytes
    dport: int
    path: tuple[tuple[str, int], ...] = ()


class Fragment(NamedTuple):
    """One IPv4 or IPv6 fragment (RFC 791 section 3.2, RFC 8200 section 4.5)."""

    time_ns: int
    src: bytes
    dst: bytes
    protocol: int  # of the whole datagram
    ident: int
    offset: int  # bytes
    more: bool
    data: bytes
    missing: int  # bytes of it that the snap length cut
    path: tuple[tuple[str, int], ...]
    depth: int


class Datagram(NamedTuple):
    """A whole IP payload that `defrag` put together; goes back into `decode`."""

    time_ns: int
    src: bytes
    dst: bytes
    protocol: int
    data: bytes
    missing: int
    path: tuple[tuple[str, int], ...]
    depth: int
    oddities: tuple[str, ...]  # ("frag_overlap",) when fragments disagreed: one Datagram for each reading


class Checksum(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # cut by the snap length, or left to the network card


class Segment(NamedTuple):
    """One TCP segment (RFC 9293 section 3.1)."""

    time_ns: int
    flow: Flow
    seq: int
    ack: int
    flags: int  # dpkt.tcp.TH_*
    payload: bytes
    missing: int  # payload bytes on the wire that the capture did not keep (they follow `payload`)
    urgent: int  # urgent pointer where URG is set, else 0; one of 0 is as good as 1: Linux takes the same octet out
    checksum: Checksum
    oddities: tuple[str, ...]
    window: int = 0xFFFF  # as it stands in the header


class Message(NamedTuple):
    """One whole UDP datagram (RFC 768) to a port of Watch.ports."""

    time_ns: int
    flow: Flow
    octets: bytes

    def __repr__(self) -> str:
        """Without octets: a feed of subscribers holds their numbers."""
        return f"<{len(self.octets)} octets to port {self.flow.dport}>"


class Data(NamedTuple):
    """Payload of one half-stream, in order. `position` is its sequence number, counted on beyond 2^32."""

    position: int
    octets: bytes
    time_ns: int


class Gap(NamedTuple):
    """Bytes of one half-stream that were never captured."""

    position: int
    missing: int
    cut: bool  # by the snap length; else lost

    @property
    def reason(self) -> str:
        """Of the blind spot."""
        return "snaplen" if self.cut else "gap"


class Version(NamedTuple):
    """Another copy of the bytes [start, stop) of one half-stream; `octets` may be of another length."""

    start: int
    stop: int
    octets: bytes
    oddity: str


class Certainty(StrEnum):
    CONFIRMED = "confirmed"
    AMBIGUOUS = "ambiguous"  # two receivers could read the bytes differently


class Section(StrEnum):
    HEAD = "head"
    TRAILER = "trailer"  # RFC 9112 section 7.1.2, RFC 9113 section 8.1


Fields = tuple[tuple[bytes, bytes], ...]


class RequestHead(NamedTuple):
    """The head of one HTTP request (RFC 9112 section 2.1), or the trailer section that belongs to one.

    `fields` keep wire order and duplicates; names are lower-case, values without surrounding white space. An HTTP/2
    head has its pseudo fields (`:authority` and so on) first. `readings` are the other ways in which a receiver could
    read the same bytes; what `identify` finds in some readings only is ambiguous.
    """

    time_ns: int  # of the last segment of the head
    flow: Flow
    method: bytes
    target: bytes
    version: bytes  # b"HTTP/1.1", b"HTTP/2", b"" for HTTP/0.9
    fields: Fields
    oddities: tuple[str, ...] = ()
    certainty: Certainty = Certainty.CONFIRMED
    section: Section = Section.HEAD
    readings: tuple["RequestHead", ...] = ()
    times: int = 1  # how many equal heads it stands for: a live queue that is full counts instead of growing
    target_is_clean: bool = False  # the sieve saw that no number stands in the target; False says nothing

    def __repr__(self) -> str:
        """Without target and values: a head in a log or a traceback must not show a number."""
        return f"<{self.section}, {len(self.fields)} fields, {self.certainty}, {', '.join(self.oddities) or 'not odd'}>"


class PlacedHead(NamedTuple):
    """A request head and where in its half-stream it stands: the bytes [start, end), as Data counts them."""

    start: int
    end: int
    head: RequestHead
    why: str = ""  # the oddity of the copy that shows it, when the bytes that came first do not
    part: bool = False  # a further part of a head that is too long for one


class Fault(NamedTuple):
    """A source that could not be read, or only up to a place. Results from before it are kept."""

    source: str
    offset: int | None  # bytes into the (decompressed) capture
    cut: bool  # True: read up to here, the rest is missing; False: nothing of it could be read
    message: str  # one sentence: place, what is wrong, remedy


class Carried(NamedTuple):
    """The payload of a segment as it was decoded, before anything was made of it; or a frame that became none."""

    number: int  # of the payload; 0: it never was one
    octets: bytes
    skipped: str = ""  # why it became no segment

    def __repr__(self) -> str:
        return f"Carried(number={self.number}, octets=<{len(self.octets)} bytes>, skipped={self.skipped!r})"


class Fate(NamedTuple):
    """What became of a payload; of several, the latest is it."""

    number: int  # of Carried
    what: str  # `taken`, or a reason of audit.FATES
    reading: int = 0  # that took it: one client's half of one connection
    position: int = 0  # where it begins there


class Stretch(NamedTuple):
    """What became of the bytes [start, stop) of a reading. Nothing is said of a byte that is not in order.

    `what` is `head`; `settled`: of what stands before `stop` nothing more will be said, unless it comes again; `end`,
    and then nothing of the reading at all; or a reason of audit.FATES.
    """

    reading: int
    start: int
    stop: int
    what: str
    head: RequestHead | None = None


Trace = Carried | Fate | Stretch


class Batch(NamedTuple):
    heads: list[RequestHead]
    counts: Mapping[str, int]  # cumulative; keys as in counts.py
    time_ns: int  # capture clock: the latest time stamp seen
    bytes_read: int  # of the sources as they lie on disk: for progress
    faults: tuple[Fault, ...]  # cumulative
    done: bool
    bytes_total: int | None = None  # None where nobody knows: a pipe, a live port
    messages: Sequence[Message] = ()  # as they came; all that are older than a head come no later than it
    trace: Sequence[Trace] = ()  # of what Watch.audited says, in the order in which it happened


class Survey:
    """What a mirror port delivered in some seconds.

    Figures are of frames that were looked at; `kinds` are octets of payload, by `tls`, `quic`, `http` and `other`.
    """

    def __init__(self, port: str, mtu: int, counts: dict[str, int]) -> None:
        # written out: to make a dataclass takes a millisecond of every start
        self.port, self.mtu, self.counts = port, mtu, counts
        self.seconds = 0.0
        self.frames = self.octets = self.looked_at = self.tcp = 0
        self.payloads = self.copies = 0  # segments that have some; of these
        self.longest = 0
        self.giants = 0  # longer than the MTU: put together by the network card or the kernel
        self.lengthless = 0  # IPv4 total length 0
        self.bad_checksums = self.connections = self.both_ways = 0
        self.vlans, self.stacked_tags = Counter[int](), 0
        self.tunnels, self.kinds = Counter[str](), Counter[str]()
