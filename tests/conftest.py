"""What several tests need: the engines that are installed."""

from __future__ import annotations

import importlib.util

import pytest

from monitor.engine import Preference

ENGINES: list[Preference] = ["portable"]
if importlib.util.find_spec("monitor._engine"):
    ENGINES.append("native")


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> Preference:
    """Each engine in turn: what is left of the border runs on all of them."""
    return request.param
