"""What the sensors could see, and what they could not."""

from __future__ import annotations

from collections.abc import Iterator

from panels import GREEN, ORANGE, RED, YELLOW, Panel, Query, lines, stat, steps, words
from queries import NO_SENSOR, TLS, by, grown, of, rate, rates, ratio

TITLE = "Coverage"
SEEN = steps(RED, (0.99, ORANGE), (0.999, GREEN))
LOST = f"{rate('unseen_bytes_total')} - {rate('late_bytes_total')}"
HTTP = f"{rate('http_bytes_total')} + {rate('gap_bytes_total')}"
UP = words({"0": ("DOWN", RED), "1": ("UP", GREEN)})


def rows() -> Iterator[tuple[int, list[Panel]]]:
    dropped = rate("kernel_drops_total")
    yield (
        5,
        [
            stat(
                "Capture",
                "Whether every port of the sensor is there and up.",
                f"min({of('capture_up')})",
                mappings=UP,
                none=NO_SENSOR,
                filled=True,
            ),
            stat(
                "Seen of the traffic",
                "Frames that arrived and could be decoded, times HTTP bytes without gaps.",
                f"min({of('visible_ratio')})",
                unit="percentunit",
                decimals=2,
                thresholds=SEEN,
                none=NO_SENSOR,
            ),
            stat(
                "Dropped by the kernel",
                "Alert from 0.1 %: more ring memory, another worker, or a filter.",
                ratio(dropped, rate("kernel_frames_total")),
                unit="percentunit",
                decimals=2,
                thresholds=steps(GREEN, (0.0001, ORANGE), (0.001, RED)),
                none=NO_SENSOR,
            ),
            stat(
                "Duplicates",
                "From 30 % on the mirror is set wrongly: it sends each packet on its way in and out.",
                ratio(rate("duplicates_total"), rate("segments_total")),
                unit="percentunit",
                decimals=1,
                thresholds=steps(GREEN, (0.1, ORANGE), (0.3, RED)),
                none=NO_SENSOR,
            ),
            stat(
                "Half-streams of TLS",
                "Nothing in them can be read, nor can a gateway enrich them.",
                ratio(grown("opaque_streams_total", TLS), grown("opaque_streams_total")),
                unit="percentunit",
                decimals=0,
                none=NO_SENSOR,
            ),
            stat(
                "Not accounted for",
                "Numbers that the shadow scan saw and no book knows of. Must be 0.",
                f"sum({of('unaccounted_candidates')})",
                thresholds=steps(GREEN, (1, RED)),
                none="not sampled",
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Traffic",
                "Bits of the frames as they were on the wire.",
                Query(f"8 * {by('instance', rate('frame_bytes_total'))}", "{{instance}}"),
                unit="bps",
                width=8,
            ),
            lines("Frames", "", Query(by("instance", rate("frames_total")), "{{instance}}"), unit="pps", width=8),
            lines(
                "Drops",
                "Frames that the network card, the kernel's queue or the ring lost before anyone looked at them.",
                Query(f"sum({dropped})", "ring"),
                Query(f"sum({rate('nic_drops_total')})", "card"),
                Query(f"sum({rate('softnet_drops_total')})", "queue"),
                unit="pps",
                width=8,
                colors={"ring": RED, "card": ORANGE, "queue": YELLOW},
            ),
        ],
    )
    yield (
        9,
        [
            lines(
                "Blind spots a second, by reason",
                "Occasions on which the sensor knows that it could not look.",
                Query(rates("reason", "blind_total"), "{{reason}}"),
                unit="cps",
                stacked=True,
            ),
            lines(
                "Lost before the sensor",
                "Sent, as sequence numbers and acknowledgements tell, and never seen: lost by the mirror or behind it.",
                Query(ratio(LOST, rate("sent_bytes_total")), "of the TCP payload"),
                Query(ratio(rate("gap_bytes_total"), HTTP), "of the bytes of HTTP"),
                unit="percentunit",
                limit=steps("transparent", (0.001, RED)),
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Work that was shed, by bound",
                "A bound was reached. The runbook says what each means.",
                Query(rates("bound", "shed_total"), "{{bound}}"),
                unit="cps",
                stacked=True,
                width=8,
            ),
            lines(
                "Frames that are no segment, by reason",
                "ARP and UDP are as they should be; unknown_tunnel is not.",
                Query(rates("reason", "skipped_total"), "{{reason}}"),
                unit="pps",
                stacked=True,
                width=8,
            ),
            lines(
                "Half-streams that are no HTTP, by looks",
                "",
                Query(rates("looks", "opaque_streams_total"), "{{looks}}"),
                unit="cps",
                stacked=True,
                width=8,
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Segments not believed, by reason",
                "Decoys, or a card that computes checksums after the mirror.",
                Query(rates("reason", "rejected_total"), "{{reason}}"),
                unit="cps",
                stacked=True,
                width=8,
            ),
            lines(
                "Heads that are odd",
                "Not as the RFC writes them. A new one may be a new client, or an evader.",
                Query(f"topk(8, {rates('oddity', 'oddities_total')})", "{{oddity}}"),
                unit="cps",
                width=8,
            ),
            lines(
                "Seen twice",
                "Segments that brought nothing new, and heads seen before and after a gateway.",
                Query(f"sum({rate('duplicates_total')})", "segments"),
                Query(f"sum({rate('twin_heads_total')})", "heads"),
                unit="cps",
                width=8,
            ),
        ],
    )
