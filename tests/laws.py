"""What must hold of the counts of any capture, whatever is in it and however an engine read it: the books balance."""

from __future__ import annotations

from collections.abc import Sequence

from monitor import counts
from monitor.records import Batch, RequestHead


def hold(heads: Sequence[RequestHead], batch: Batch) -> None:
    """Of all heads that came of a capture, to its end, and the last batch."""
    told = batch.counts
    assert batch.done
    # every frame became a segment or was skipped for one reason; a second reading of a datagram has no frame of its own
    skipped = sum(counts.values(told, "skipped").values())
    assert told["frames"] + told["second_readings"] == told["segments"] + skipped
    # every head was handed out, or the sieve kept it
    parted = told["requests"] + told["trailers"] + told["head_parts"]
    assert sum(head.times for head in heads) + told["clean_heads"] == parted
    # bytes are sent once, unseen once, late at most as often as unseen; what was read of HTTP was captured
    assert told["late_bytes"] <= told["unseen_bytes"] <= told["sent_bytes"]
    assert told["http_bytes"] <= told["payload_bytes"]
    assert told["captured_bytes"] <= told["frame_bytes"]
    # nothing is held any more
    gauges = (count for count in counts.COUNTS if count.kind == "gauge")
    assert {key for gauge in gauges for key in keys(gauge) if told[key]} == set()


def keys(count: counts.Count) -> list[str]:
    return [f"{count.key}.{value}" for value in count.values] if count.label else [count.key]
