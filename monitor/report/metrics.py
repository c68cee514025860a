"""Tallies and the engine's counts as Prometheus series: one collector, which reads them when it is scraped.

Nothing is counted here. Every name, help and closed set of label values stands in counts.py; `python -m
monitor.report.metrics` writes docs/metrics.md from it. The only module that imports prometheus_client.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from monitor import __version__, counts
from monitor.report.tallies import LATENCY_S, Tallies

PREFIX = "msisdn_monitor_"
BLINDING = ("empty", "unknown_link", "truncated", "malformed", "encrypted", "unknown_tunnel", "depth")  # of SKIPPED

Samples = Iterable[tuple[Sequence[str], float]]
Source = Callable[[], Mapping[str, Samples]]  # metric name -> samples, asked at every scrape


@dataclass(slots=True)
class Sensor:
    """What the pipeline says of itself."""

    engine: str
    rules_sha256: str
    rules_loaded_s: float  # Unix time
    notification_hours: int  # of the law in network.yaml
    reloaded: bool = True  # False: the latest reload failed, the older rules stand
    ports: Mapping[str, Callable[[], bool]] = field(default_factory=dict)  # by interface: it is there, and up
    lost_to_disk: Sequence[Callable[[], int]] = ()  # what each writer of files had to drop

    def ready(self) -> bool:
        """Every port can be read; the rules are loaded before there is a Sensor."""
        return all(up() for up in self.ports.values())


class Exporter(Collector):
    """`sources` are other parts of the sensor that have something for counts.METRICS."""

    def __init__(self, tallies: Tallies, sensor: Sensor, sources: Iterable[Source] = ()) -> None:
        self.tallies = tallies
        self.sensor = sensor
        self._sources: tuple[Source, ...] = (self._samples, *sources)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that this Accept field asks for (OpenMetrics or Prometheus text), and its type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def describe(self) -> Iterable[Family]:
        return []  # else the registry would collect once just to learn the names

    def collect(self) -> Iterator[Family]:
        seen = dict(self.tallies.counts)  # the pipeline puts a new mapping here, it never changes one
        seen["shed.disk"] += sum(lost() for lost in self.sensor.lost_to_disk)
        for count in counts.COUNTS:
            labels = (count.label,) if count.label else ()
            keys = [(f"{count.key}.{value}", (value,)) for value in count.values] if count.label else [(count.key, ())]
            yield family(engine_metric(count), labels, [(values, seen[key]) for key, values in keys])
        samples: dict[str, Samples] = {}
        for source in self._sources:
            samples.update(source())
        for metric in counts.METRICS:
            yield (
                self._latency(metric)
                if metric.kind == "histogram"
                else family(metric, metric.labels, samples.get(metric.name, ()))
            )

    def _samples(self) -> dict[str, Samples]:
        """By metric name. Dictionaries are copied first: another thread counts on while this one is scraped."""
        tallies, sensor = self.tallies, self.sensor
        return {
            "verdicts_total": tallies.verdicts.copy().items(),
            "sightings_total": tallies.sightings.copy().items(),
            "foreign_sightings_total": [((), tallies.foreign)],
            "contested_requests_total": [((), tallies.contested_requests)],
            "unknown_identifier_candidates": [((), tallies.candidates)],
            "requests_with_identifier_total": [((), tallies.requests_with_identifier)],
            "exposed_recipients": [((), len(tallies.recipients))],
            "exposed_subscribers": [((), len(tallies.subscribers))],
            "series_dropped_total": [((), tallies.series_dropped)],
            "first_violation_timestamp_seconds": [((o,), tallies.first_ns.get(o, 0) / 1e9) for o in tallies.last_ns],
            "last_violation_timestamp_seconds": [((o,), ns / 1e9) for o, ns in tallies.last_ns.copy().items()],
            "notification_seconds": [((), sensor.notification_hours * 3600)],
            **_condition_samples(tallies),
            **_feed_samples(tallies),
            "capture_up": [((name,), up()) for name, up in sensor.ports.items()],
            "visible_ratio": [((), visible_ratio(tallies))],
            "loss_ratio_estimate": [((), counts.loss_ratio(tallies.counts))],
            "audited_candidates_total": [((), tallies.audit.candidates)] if tallies.audit else (),
            "unaccounted_candidates": [((), tallies.audit.unaccounted)] if tallies.audit else (),
            "build_info": [((__version__, sensor.engine), 1)],
            "rules_info": [((sensor.rules_sha256,), 1)],
            "config_last_reload_successful": [((), sensor.reloaded)],
            "config_last_reload_success_timestamp_seconds": [((), sensor.rules_loaded_s)],
        }

    def _latency(self, metric: counts.Metric) -> Family:
        total, buckets = 0, []
        for bound, requests in zip((*map(str, LATENCY_S), "+Inf"), self.tallies.latency, strict=True):
            total += requests
            buckets.append((bound, total))
        return HistogramMetricFamily(
            PREFIX + metric.name, metric.help, buckets=buckets, sum_value=self.tallies.latency_sum_s
        )


def _condition_samples(tallies: Tallies) -> dict[str, Samples]:
    """What no single sighting shows: 1 while it lasts, 0 for every grant that it could be true of."""
    conditions = tallies.conditions
    if conditions is None:
        return {"over_volume": [], "missing_expected": []}
    samples: dict[str, Samples] = {}
    for name, possible in conditions.possible().items():
        samples[name] = (dict.fromkeys(possible, 0) | dict.fromkeys(conditions.lasting(name), 1)).items()
    return samples


def _feed_samples(tallies: Tallies) -> dict[str, Samples]:
    """Who holds which address."""
    feed = tallies.subscriber_feed
    if feed is None:
        kinds, heard_ns, held, shed = dict.fromkeys(counts.FEED_KINDS, 0), 0, 0, 0
    else:
        kinds, heard_ns = feed.counts, feed.sessions.heard_ns or 0
        held, shed = len(feed.sessions), feed.sessions.shed
    return {
        "subscriber_feed_messages_total": [((kind,), times) for kind, times in kinds.copy().items()],
        "subscriber_feed_last_message_timestamp_seconds": [((), heard_ns / 1e9)],
        "subscriber_sessions": [((), held)],
        "subscriber_sessions_shed_total": [((), shed)],
    }


def engine_metric(count: counts.Count) -> counts.Metric:
    """A count of the engine under its Prometheus name: counters end in `_total`."""
    name = f"{count.key}_total" if count.kind == "counter" else count.key
    return counts.Metric(name, count.kind, count.help, (count.label,) if count.label else ())


def family(metric: counts.Metric, labels: Sequence[str], samples: Samples) -> Family:
    kind: Callable[..., CounterMetricFamily | GaugeMetricFamily] = (
        CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    )
    out = kind(PREFIX + metric.name, metric.help, labels=labels)
    for values, value in samples:
        out.add_metric(values, value)
    return out


def visible_ratio(tallies: Tallies) -> float:
    """See counts.METRICS; 1 while there was nothing to see."""
    seen = tallies.counts
    arrived = seen["frames"] + seen["kernel_drops"] + seen["nic_drops"]
    decoded = seen["frames"] - sum(seen[f"skipped.{reason}"] for reason in BLINDING) - seen["shed.new_flows"]
    whole = seen["http_bytes"] + seen["gap_bytes"]
    return (decoded / arrived if arrived else 1.0) * (seen["http_bytes"] / whole if whole else 1.0)


def reference() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Written by `make docs` from monitor/counts.py; do not edit. Every name begins with `msisdn_monitor_`.",
        "The usual `process_*` metrics (CPU, memory, open files) are beside them.",
        "",
        "## What was seen and what the agreements say",
        *_table(counts.METRICS),
        "",
        "## What the engine read, skipped and could not see",
        *_table([engine_metric(count) for count in counts.COUNTS]),
        "",
        "## Labels",
        "Label values come from closed sets only; every series exists at 0 from the start, but for `sightings_total`.",
        "",
        *(f"- `{label}`: {values}" for label, values in counts.LABELS.items()),
        *(f"- `{c.label}` of `{c.key}`: {', '.join(f'`{v}`' for v in c.values)}" for c in counts.COUNTS if c.label),
    ]
    return "\n".join(lines) + "\n"


def _table(metrics: Iterable[counts.Metric]) -> list[str]:
    rows = [f"| `{m.name}` | {m.kind} | {', '.join(f'`{x}`' for x in m.labels)} | {m.help} |" for m in metrics]
    return ["", "| metric | kind | labels | |", "|---|---|---|---|", *rows]


if __name__ == "__main__":
    sys.stdout.write(reference())
