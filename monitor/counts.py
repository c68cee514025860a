"""Every count once: key, kind, help, and the closed set of its label values.

An engine keeps a flat mapping `key -> int`, cumulative since its start; the key of a labelled count is `family.value`
(`skipped.not_tcp`). report/metrics.py turns the same table into Prometheus series and docs/metrics.md is generated from
it, so a discard without a row here cannot be published, and tests fail on a key that is not in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Count(NamedTuple):
    key: str
    kind: Literal["counter", "gauge"]
    help: str
    label: str | None = None  # name of the one label, with `values` as its closed set
    values: tuple[str, ...] = ()


SKIPPED = (
    "empty",  # no byte of the frame was kept
    "unknown_link",  # link type that no reader is written for
    "not_ip",  # ARP, LLDP, IS-IS, ...
    "not_tcp",  # UDP that is no tunnel, ICMP, SCTP, ...
    "fragment",  # kept for defragmentation; the frame that completes the datagram is the segment
    "truncated",  # cut by the snap length before the TCP header was whole
    "malformed",  # lengths that lie, versions that do not exist
    "encrypted",  # ESP and the like
    "tunnel_control",  # GTP echo, L2TP control, PPP negotiation, ...
    "unknown_tunnel",  # a tunnel's port or protocol, but not its format; an EtherType that is not known
    "depth",  # more encapsulations than Limits.encapsulations
)
BLIND = (
    "snaplen",  # the snap length cut payload or headers
    "gap",  # bytes that were never captured
    "midstream",  # the first partial bytes of a half-stream picked up in the middle
    "head_incomplete",  # a head that never ended (reset, end of file) and was judged as far as it went
    "unknown_tunnel",
    "depth",
    "truncated",
    "encrypted",
    "fragments",  # a datagram whose fragments never became whole
    "unknown_link",
    "source",  # a capture that was cut or could not be read
    "hpack",  # HTTP/2 fields that a table entry from before the pickup would name
)
REJECTED = (
    "bad_checksum",  # a segment with a bad checksum that a good one contradicts
    "out_of_window",
    "not_accepted",  # data of a SYN that the peer did not acknowledge
)
SHED = (
    "head_bytes",
    "head_lines",
    "half_streams",
    "hold",
    "memory",  # half-streams forgotten because all of them together took too much
    "defrag",
    "settle",  # heads that were let go before a conflicting copy could have come
    "hpack",
    "http2_streams",
    "copies",  # bytes that came again and may differ, but were not read again: too many, too much, or too late
    "readings",  # ways to read on, or to read a head, beyond those that fit or are paid for
    "fragment_readings",  # fragments that differ, beyond the readings of a datagram that fit
    "lost_gaps",  # gaps whose bytes would not be known if they still came
    "bodies",  # clients that keep no body for the sake of late copies any more, since memory was short
    "early",  # clients forgotten in the middle of something within their first 16 kB, since memory was short
    "doubts",  # segments in doubt about which was decided at once
    "alike",  # tunnelled half-streams that are not told of those with the same addresses and ports
    "windows",  # clients that went on far outside of their window, and were read there no more as they did so again
    "beginnings",  # first bytes of requests in small segments that were not kept: too many half-streams at once
    "twin_heads",  # heads that a twin would not be known to have sent as well: too many ahead of it
    "origins",  # SYNs forgotten before any payload came: more of them at once than are remembered
    "ended",  # last heads of connections that have ended: sent once more they count again
    "marks",  # doubts about bytes that are not said of their heads
    "disk",  # rows of the journal or alerts of the outbox that could not be written
    "queue",  # suspect heads that Python had no time for; equal ones are counted together first
    "new_flows",  # segments of connections not begun on since the ring was half full, or not kept since memory was
)
# of these: behind which there may be requests, or other readings of some, that nobody read
UNREAD_BOUNDS = (
    "head_lines", "half_streams", "memory", "defrag", "hpack", "http2_streams", "copies", "readings",
    "fragment_readings", "windows", "beginnings", "queue", "new_flows",
)  # fmt: skip
FEED_KINDS = (
    "start",
    "interim",
    "stop",
    "on",
    "off",  # a gateway that goes: its sessions are over
    "other",  # no Accounting-Request, or one of no session
    "incomplete",  # a session without address or without subscriber
    "malformed",
    "overfull",  # more attributes than are looked at: no gateway writes so many
    "untrusted",  # from nobody that network.yaml names, or by somebody who does not know the secret
)
LOOKS = ("tls", "http2", "response", "other")
ODDITIES: tuple[str, ...] = (
    # readings that differ: the head is, or may be, ambiguous
    "overlap",  # retransmitted bytes that differ
    "frag_overlap",  # IP fragments that differ
    "frag_mixed",  # put together from fragments, and its checksum is bad: some may be of another datagram
    "urgent",  # URG byte inside the head (RFC 6093)
    "fold",  # obs-fold (RFC 9112 section 5.2)
    "cr",  # lone CR
    "framing",  # Content-Length and Transfer-Encoding in conflict, or unreadable
    "host",  # two Hosts that differ
    "not_http",  # version garbage, HTTP/0.9 with fields, junk before the request line
    "host_unknown",  # the Host line was lost in a gap
    "bad_checksum",  # made of a segment whose checksum is bad and that nothing contradicts
    # one reading, but not as RFC 9112 writes it
    "bare_lf",
    "space_before_colon",
    "no_colon",
    "empty_name",
    "odd_name",  # bytes that are no token in a field name
    "nul",
    "control",
    "leading_space",
    "leading_crlf",
    "odd_method",
    "odd_target",
    "odd_version",
    "request_line_space",
    "host_mismatch",  # absolute target and Host differ
    "host_missing",
    "userinfo",
    "cl_and_te",
    "cl_twice",
    "cl_odd",
    "te_odd",
    "chunk_odd",
    "proxy_protocol",
    "in_connect",
    "body_of_get",
    "incomplete",  # the end of the head was never seen
    "after_gap",  # the beginning of the head was never seen
    "long",  # longer than Limits.head_bytes or head_lines
    "hpack_unresolved",
    "syn_data",
)

COUNTS: tuple[Count, ...] = (
    # source
    Count("frames", "counter", "Frames read from the source."),
    Count("frame_bytes", "counter", "Bytes of these frames as they were on the wire."),
    Count("captured_bytes", "counter", "Bytes of these frames that the capture kept."),
    Count("kernel_frames", "counter", "Frames that the kernel counted for this port, dropped ones included."),
    Count("kernel_drops", "counter", "Frames that the kernel dropped because the ring was full."),
    Count("ring_freezes", "counter", "Times that the ring was full and stood still."),
    Count("nic_drops", "counter", "Frames that the network card lost before the kernel saw them."),
    Count(
        "softnet_drops", "counter", "Frames of all ports that the kernel lost before any ring, its queue being full."
    ),
    Count(
        "turns",
        "counter",
        "Turns of the packet loop of a live port; of several threads, of the one that made the fewest.",
    ),
    Count(
        "not_admitted_permille",
        "gauge",
        "Of a thousand new connections, how many are not read, or not kept, since time or memory is short.",
    ),
    # decode and defrag: frames + second_readings = segments + sum(skipped)
    Count("segments", "counter", "TCP segments decoded."),
    Count("skipped", "counter", "Frames that did not become a segment, by reason.", "reason", SKIPPED),
    Count("messages", "counter", "UDP datagrams to a watched port that were handed on; among skipped{not_tcp}."),
    Count("datagrams", "counter", "IP datagrams put together from fragments."),
    Count("second_readings", "counter", "Such datagrams read once more, since their fragments disagree."),
    # reassembly and stream
    Count("payload_bytes", "counter", "TCP payload bytes captured."),
    Count("http_bytes", "counter", "Those of them that came in half-streams that speak HTTP, each byte once."),
    Count(
        "sent_bytes",
        "counter",
        "TCP payload bytes that were sent, whatever they say, each once: seen, cut off by the snap length, or unseen.",
    ),
    Count(
        "unseen_bytes",
        "counter",
        "Those of them that sequence numbers or acknowledgements told of before they were seen.",
    ),
    Count("late_bytes", "counter", "Unseen bytes that came after all; the others are lost."),
    Count("duplicates", "counter", "Segments that brought only bytes already seen (retransmission or mirror)."),
    Count("twin_heads", "counter", "Heads seen again under another tunnel path (mirrored before and after a gateway)."),
    Count("half_streams", "gauge", "Half-streams held now."),
    Count(
        "memory_bytes",
        "gauge",
        "Memory that is taken now, in round figures, of what has a bound: half-streams with all they hold, what of it "
        "waits out of order, fragments, and heads that wait for Python.",
        "bound",
        ("memory", "hold", "defrag", "queue"),
    ),
    Count("queue_heads", "gauge", "Suspect heads of a live port that wait for Python now, 4,096 at the most."),
    Count("gap_bytes", "counter", "Bytes known to be missing from half-streams that speak HTTP."),
    Count(
        "opaque_streams",
        "counter",
        "Half-streams that do not begin like HTTP, by looks.",
        "looks",
        LOOKS,
    ),
    Count("panics", "counter", "Half-streams given up since reading them failed: a fault of ours, please report it."),
    Count("rejected", "counter", "Segments not believed, by reason.", "reason", REJECTED),
    # http
    Count("requests", "counter", "Request heads read."),
    Count("trailers", "counter", "Trailer sections read."),
    Count("head_parts", "counter", "Further parts of requests whose head is too long for one, or was cut in two."),
    Count("not_requests", "counter", "Field lines or blocks without a request that are of a response, or of no HTTP."),
    Count("ambiguous_requests", "counter", "Request heads that two receivers could read differently."),
    Count("body_bytes", "counter", "Request body bytes skipped by count."),
    Count("oddities", "counter", "Request heads that are not as the RFC writes them, by oddity.", "oddity", ODDITIES),
    Count("clean_heads", "counter", "Request heads that the sieve did not pass on."),
    # what was not seen
    Count("blind", "counter", "Occasions on which the sensor knows it could not look, by reason.", "reason", BLIND),
    Count("shed", "counter", "Occasions on which a bound was reached and work dropped.", "bound", SHED),
)


class Metric(NamedTuple):
    """What the pipeline counts right of the engine; report/metrics.py fills it."""

    name: str  # without the prefix
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


LABELS = {
    "partner": "a partner id of the rules, or `none`",
    "purpose": "a purpose of the partner's grants, or `none`",
    "outcome": "the outcomes of the agreements: `allowed` or one named violation",
    "certainty": "`confirmed` or `ambiguous`",
    "identifier": "`msisdn`, `imsi` or `imei`",
    "field": "a name of the header catalogue or of the rules, or `other`",
    "form": "`plain`, `encoded`, `hashed`, `pseudonym`, `keyed` or `encrypted`",
    "place": "`header`, `trailer`, `cookie`, `path`, `query` or `referer`",
    "access": "an access network of network.yaml, or `unknown`",
    "brand": "a brand of network.yaml, or `unknown`",
    "kind": "what a message of the feed says, or why it was dropped: " + ", ".join(f"`{kind}`" for kind in FEED_KINDS),
    "version": "of the package",
    "engine": "`native` or `portable`",
    "sha256": "of the rule files",
    "part": "`capabilities`, `no_new_privs`, `core`, `landlock`, `seccomp` or `workers`",
    "interface": "a port of the command line or of sensor.yaml",
    "alertmanager": "host and port of an Alertmanager of sensor.yaml",
}  # closed sets all of them: a host, an address or a number is never a label

METRICS: tuple[Metric, ...] = (
    # what the agreements say, and what was seen
    Metric(
        "verdicts_total",
        "counter",
        "Sightings judged against the agreements. Every series that the rules can produce is there from the start.",
        ("partner", "purpose", "outcome", "certainty"),
    ),
    Metric(
        "sightings_total",
        "counter",
        "Own subscribers' identifiers seen. Beyond 1,000 series all labels are `other`.",
        ("identifier", "field", "form", "place", "access", "brand"),
    ),
    Metric("foreign_sightings_total", "counter", "Identifiers outside the operator's own ranges; not judged."),
    Metric(
        "contested_requests_total",
        "counter",
        "Request heads in which headers name different own subscribers: the handset sent one of them itself.",
    ),
    Metric(
        "unknown_identifier_candidates",
        "gauge",
        "Fields that are constant for a client on unrelated sites and differ between clients; `discover` lists them. "
        "Looked for in all traffic of one second a minute; 0 in a replay.",
    ),
    Metric(
        "requests_with_identifier_total",
        "counter",
        "Request heads with an own subscriber's identifier; over requests_total it is the alarm that needs no rules.",
    ),
    Metric(
        "exposed_recipients",
        "gauge",
        "Distinct recipients of violations since the start of the process; counted up to 100,000.",
    ),
    Metric(
        "exposed_subscribers",
        "gauge",
        "Distinct subscribers in violations since the start of the process; counted up to 1,000,000.",
    ),
    Metric(
        "series_dropped_total",
        "counter",
        "Sightings that were counted with all labels `other`, since sightings_total has its 1,000 series.",
    ),
    Metric(
        "first_violation_timestamp_seconds",
        "gauge",
        "Capture time of the earliest violation with this outcome since the process began; 0 when there was none.",
        ("outcome",),
    ),
    Metric(
        "last_violation_timestamp_seconds",
        "gauge",
        "Capture time of the latest violation with this outcome; 0 when there was none.",
        ("outcome",),
    ),
    Metric(
        "notification_seconds", "gauge", "Time that the law of network.yaml leaves to tell the regulator of a leak."
    ),
    Metric(
        "detection_latency_seconds",
        "histogram",
        "From the last packet of a request head with an identifier to these counters; a live port only.",
    ),
    Metric(
        "over_volume",
        "gauge",
        "1 while more distinct subscribers were handed to the partner today than a grant's max_subscribers_per_day. "
        "Counted exactly up to 1,024 of one grant, then estimated (HyperLogLog, standard error 0.8 %).",
        ("partner", "purpose"),
    ),
    Metric(
        "missing_expected",
        "gauge",
        "1 while a grant with expect_every has handed over nothing for longer than that, although requests came in.",
        ("partner", "purpose"),
    ),
    # who holds which address; 0 where network.yaml names no feed
    Metric(
        "subscriber_feed_messages_total",
        "counter",
        "Messages of the feed that says who holds an address, by kind.",
        ("kind",),
    ),
    Metric("subscriber_feed_last_message_timestamp_seconds", "gauge", "Capture time of its latest; 0 before any."),
    Metric("subscriber_sessions", "gauge", "Addresses whose holder is known, or was until the session ended."),
    Metric("subscriber_sessions_shed_total", "counter", "Sessions and names that there was no room for."),
    # can we see?
    Metric("capture_up", "gauge", "1 while this port is there and up.", ("interface",)),
    Metric(
        "visible_ratio",
        "gauge",
        "Share of the frames that arrived and could be decoded, times the share of the bytes of HTTP that are no gap. "
        "TLS is apart, in opaque_streams_total.",
    ),
    Metric(
        "loss_ratio_estimate",
        "gauge",
        "Share of all TCP payload that never reached the sensor, estimated from sequence numbers and acknowledgements "
        "of both directions since the start of the process; (unseen_bytes - late_bytes) / sent_bytes.",
    ),
    Metric(
        "audited_candidates_total",
        "counter",
        "Numbers that the shadow scan saw in the half-streams that it samples, one in 64.",
    ),
    Metric("unaccounted_candidates", "gauge", "Those of them of which nobody knows what became. Must be 0."),
    # is it healthy?
    Metric("build_info", "gauge", "Always 1: which version and which engine runs.", ("version", "engine")),
    Metric(
        "sandbox",
        "gauge",
        "1 while the kernel enforces this part of the sandbox on every thread it is meant for (docs/decisions/0005).",
        ("part",),
    ),
    Metric("rules_info", "gauge", "Always 1: which rules are in force.", ("sha256",)),
    Metric("config_last_reload_successful", "gauge", "0 when the latest reload failed and the older rules stand."),
    Metric("config_last_reload_success_timestamp_seconds", "gauge", "When the rules in force were loaded."),
    Metric("alerts_active", "gauge", "Alerts of the sensor's own that have not been quiet for long enough to end."),
    Metric("outbox_pending", "gauge", "Alerts that an Alertmanager has not accepted yet."),
    Metric("outbox_dropped_total", "counter", "Alerts given up because the outbox was full or they were too old."),
    Metric(
        "outbox_last_success_timestamp_seconds",
        "gauge",
        "When this Alertmanager last accepted what it was sent; 0 when it never did.",
        ("alertmanager",),
    ),
    Metric("outbox_failures_total", "counter", "Attempts that this Alertmanager did not accept.", ("alertmanager",)),
)

BY_KEY: dict[str, Count] = {
    (count.key if count.label is None else f"{count.key}.{value}"): count
    for count in COUNTS
    for value in (count.values or ("",))
}


def zeros() -> dict[str, int]:
    """A fresh set of counts with every key at 0."""
    return dict.fromkeys(BY_KEY, 0)


def values(counts: Mapping[str, int], family: str) -> dict[str, int]:
    """What `counts` holds of one labelled count, by label value."""
    return {value: counts[f"{family}.{value}"] for count in COUNTS if count.key == family for value in count.values}


def loss_ratio(counts: Mapping[str, int]) -> float:
    """Share of the TCP payload that was sent past the tap and never came, as far as sequence numbers tell."""
    return max(0, counts["unseen_bytes"] - counts["late_bytes"]) / max(1, counts["sent_bytes"])


def unseen(blind: Mapping[str, int], shed: Mapping[str, int]) -> int:
    """How often something that may have been a request could not be looked at, or was let go unread."""
    return sum(blind.values()) + sum(shed[bound] for bound in UNREAD_BOUNDS)
