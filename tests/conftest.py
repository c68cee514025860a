"""What several tests need: the engines that are installed, and properties without a stop-watch."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import HealthCheck, settings

from monitor.engine import Preference

ENGINES: list[Preference] = ["portable"]
if importlib.util.find_spec("monitor._engine"):
    ENGINES.append("native")

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine is no fault of ours; speed is `make bench`'s


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> Preference:
    """Each engine in turn: what is left of the border runs on all of them."""
    return request.param
