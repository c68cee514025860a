"""Whether the sensors are well."""

from __future__ import annotations

from collections.abc import Iterator

from panels import BLUE, GREEN, ORANGE, RED, Panel, Query, lines, stat, steps, words
from queries import INSTANCE, NO_SENSOR, by, of, rate

TITLE = "Sensor"
YES_NO = words({"0": ("NO", RED), "1": ("YES", GREEN)})


def rows() -> Iterator[tuple[int, list[Panel]]]:
    yield (
        5,
        [
            stat(
                "Sensors",
                "That answer Prometheus.",
                f"count({of('build_info')})",
                thresholds=steps(RED, (1, GREEN)),
                none=NO_SENSOR,
                width=3,
            ),
            stat(
                "Engine",
                "native is the one for production; portable is slow.",
                f"count by (engine, version) ({of('build_info')})",
                text="name",
                legend="{{engine}} {{version}}",
                none=NO_SENSOR,
                thresholds=steps(BLUE),
                width=5,
            ),
            stat(
                "Rules as they lie on disk",
                "NO: the latest reload failed, and the older rules stand. `check` says why.",
                f"min({of('config_last_reload_successful')})",
                mappings=YES_NO,
                none=NO_SENSOR,
                width=4,
            ),
            stat(
                "Rules loaded",
                "",
                f"min({of('config_last_reload_success_timestamp_seconds')}) * 1000",
                unit="dateTimeFromNow",
                none=NO_SENSOR,
                width=4,
            ),
            stat(
                "Running",
                "The shortest of the sensors.",
                f"time() - max(process_start_time_seconds{{{INSTANCE}}})",
                unit="s",
                none=NO_SENSOR,
                width=4,
                decimals=0,
            ),
            stat(
                "Alerts waiting",
                "That an Alertmanager has not accepted yet.",
                f"sum({of('outbox_pending')})",
                thresholds=steps(GREEN, (1, ORANGE), (100, RED)),
                none="no Alertmanager",
                width=4,
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "CPU",
                "Cores that the process keeps busy.",
                Query(
                    by("instance", f"rate(process_cpu_seconds_total{{{INSTANCE}}}[$__rate_interval])"), "{{instance}}"
                ),
                width=8,
            ),
            lines(
                "Memory",
                "Resident.",
                Query(by("instance", f"process_resident_memory_bytes{{{INSTANCE}}}"), "{{instance}}"),
                unit="bytes",
                width=8,
            ),
            lines(
                "From packet to counter",
                "Last packet of a request head with an identifier until it is counted.",
                *(
                    Query(
                        f"histogram_quantile({q}, {by('le', rate('detection_latency_seconds_bucket'))})",
                        f"p{q * 100:g}",
                    )
                    for q in (0.5, 0.99)
                ),
                unit="s",
                width=8,
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Requests",
                "Read, and passed on by the sieve because they might hold an identifier.",
                Query(f"sum({rate('requests_total')})", "read"),
                Query(f"sum({rate('requests_total')}) - sum({rate('clean_heads_total')})", "suspect"),
                unit="reqps",
                width=8,
            ),
            lines(
                "Half-streams held",
                "Client halves that begin like HTTP, and small entries of others.",
                Query(by("instance", of("half_streams")), "{{instance}}"),
                width=8,
            ),
            lines(
                "Memory, by bound",
                "Connections with all they hold, what of that is out of order, fragments, heads that wait for Python.",
                Query(by("bound", of("memory_bytes")), "{{bound}}"),
                unit="bytes",
                width=8,
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Alerts pushed",
                "Attempts that an Alertmanager did not accept, and alerts that were given up.",
                Query(by("alertmanager", rate("outbox_failures_total")), "not accepted by {{alertmanager}}"),
                Query(f"sum({rate('outbox_dropped_total')})", "given up"),
                unit="cps",
                width=8,
            ),
            lines(
                "Ring freezes",
                "Times that the ring was full and stood still.",
                Query(by("instance", rate("ring_freezes_total")), "{{instance}}"),
                unit="cps",
                width=8,
            ),
            lines(
                "Scrape",
                "What /metrics takes.",
                Query(f"max by (instance) (scrape_duration_seconds{{{INSTANCE}}})", "{{instance}}"),
                unit="s",
                width=8,
            ),
        ],
    )
