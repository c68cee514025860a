"""What bench.live makes of figures; the figures themselves are measured, not tested."""

from __future__ import annotations

import pytest

from bench.live import latency


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((50, 99, 100, 100, 100, 100, 100, 100), ("≤ 2.5 ms", "≤ 5 ms", 100)),
        ((0, 49, 50, 98, 99, 100, 100, 100), ("≤ 10 ms", "≤ 50 ms", 100)),
        ((0, 0, 0, 0, 0, 0, 1, 100), ("later", "later", 100)),
    ],
)
def test_half_and_nearly_all_are_within_the_first_bound_that_holds_them(counts, said):
    bounds = ("0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "+Inf")
    series = {f'detection_latency_seconds_bucket{{le="{le}"}}': n for le, n in zip(bounds, counts, strict=True)}
    assert latency(series) == said
