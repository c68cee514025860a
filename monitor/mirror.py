"""What a survey of a mirror port says, and what to change on the switch or the network card: lines for `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.records import Survey

OK, CHANGE, NOTE = "ok", "CHANGE", "--"
MANY_COPIES, SOME = 0.3, 0.01  # a mirror that doubles every frame shows half of its segments twice
MOSTLY = 0.5
FEW_TCP = 0.01

CISCO, JUNOS = "Cisco IOS: monitor session 1 source interface PORT", "Junos: set forwarding-options analyzer NAME input"
SESSION = "On the switch: show monitor session all"

Lines = Iterator[tuple[str, str]]


def lines(survey: Survey) -> Lines:
    """Mark and text of each finding; CHANGE where something is hidden from the sensor or distorted."""
    yield OK, f"{survey.port} for {survey.seconds:.1f} s: {_rate(survey)}"
    if not survey.frames:
        ask = f"is the mirror session on, and does it end at this port? {SESSION}; here: ip -s link show {survey.port}"
        yield CHANGE, f"nothing arrived: {ask}"
        return
    yield from _wire(survey)
    yield from _tcp(survey)
    yield from _lost(survey)


def _rate(survey: Survey) -> str:
    seconds = survey.seconds or 1
    part = "" if survey.looked_at == survey.frames else f", of which {survey.looked_at:,} were looked at"
    rates = f"{survey.frames / seconds:,.0f}/s, {survey.octets * 8 / seconds / 1e6:,.1f} Mbit/s"
    return f"{survey.frames:,} frames ({rates}){part}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def _most(found: Mapping[str, int], whole: int) -> str:
    most = sorted(found.items(), key=lambda each: -each[1])[:5]
    return ", ".join(f"{name} {_share(count, whole)}" for name, count in most) or "none"


def _wire(survey: Survey) -> Lines:
    whole = survey.looked_at
    stacked = f"; two or more tags on {_share(survey.stacked_tags, whole)}" if survey.stacked_tags else ""
    yield OK, f"VLANs: {_most({str(tag): count for tag, count in survey.vlans.items()}, whole)}{stacked}"
    yield OK, f"tunnels: {_most(survey.tunnels, whole)}"
    if (unknown := survey.counts["skipped.unknown_tunnel"]) > SOME * whole:
        yield NOTE, f"{_share(unknown, whole)} of the frames are in tunnels that cannot be read (blind_total)"
    if survey.giants or survey.lengthless:
        what = (
            f"{_share(survey.giants, whole)} of the frames are longer than the MTU of {survey.mtu:,} (up to "
            f"{survey.longest:,}), {survey.lengthless:,} have no length: the card or the kernel puts segments together"
        )
        remedy = f"ethtool -K {survey.port} gro off lro off; for jumbo frames: ip link set {survey.port} mtu 9000"
        yield CHANGE, f"{what}. They are read all the same, but not as on the wire: {remedy}"
    else:
        yield OK, f"lengths: as on the wire; the longest frame has {survey.longest:,} octets, the MTU is {survey.mtu:,}"
    if survey.bad_checksums > SOME * survey.tcp:
        what = f"{_share(survey.bad_checksums, survey.tcp)} of the TCP checksums are wrong"
        why = "this mirror shows frames before the sender's card has filled them in"
        yield CHANGE, f"{what}: {why}. On the mirrored host: ethtool -K PORT tx off; or mirror at the switch"


def _tcp(survey: Survey) -> Lines:
    if survey.tcp < FEW_TCP * survey.looked_at:
        share = _share(survey.tcp, survey.looked_at)
        yield CHANGE, f"only {share} of the frames hold TCP: this looks like a port of its own, no mirror. {SESSION}"
        return
    seen = f"{_share(survey.both_ways, survey.connections)} of {survey.connections:,} connections"
    ways = f"{seen} are seen in both directions"
    if survey.connections - survey.both_ways > MOSTLY * survey.connections:
        why = "Requests are found in one direction too, but nobody acknowledges them: mirror both"
        yield CHANGE, f"{ways}. {why}. {CISCO} both; {JUNOS} ingress and egress"
    else:
        yield OK, ways
    copies = f"{_share(survey.copies, survey.payloads)} of the segments with payload come twice within 50 ms"
    if survey.copies > MANY_COPIES * survey.payloads:
        why = "the mirror takes each frame where it enters and where it leaves"
        yield CHANGE, f"{copies}: {why}. They count once, but cost half of the port. {CISCO} rx; {JUNOS} ingress"
    else:
        yield OK, f"copies: {copies}"
    kinds = _most(survey.kinds, sum(survey.kinds.values()))
    yield OK, f"payload: {kinds}; what is TLS or QUIC cannot hold an added header"


def _lost(survey: Survey) -> Lines:
    nic, softnet, ring = (survey.counts[key] for key in ("nic_drops", "softnet_drops", "kernel_drops"))
    if nic:
        remedy = f"a longer receive ring: ethtool -G {survey.port} rx 4096 (ethtool -g {survey.port} says the most)"
        yield CHANGE, f"the network card lost {nic:,} frames: {remedy}"
    if softnet:
        remedy = "sysctl -w net.core.netdev_max_backlog=10000 net.core.netdev_budget=600"
        yield CHANGE, f"the kernel lost {softnet:,} frames before any ring, of all ports: {remedy}"
    if ring:
        watch = "what `watch` loses is in msisdn_monitor_kernel_drops_total"
        yield NOTE, f"this look itself missed {ring:,} frames; {watch}"
    if not nic + softnet + ring:
        yield OK, "nothing was lost on the way: card, kernel, ring"
