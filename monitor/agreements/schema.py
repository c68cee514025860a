"""The models as JSON Schema for editors: `python -m monitor.agreements.schema > rules/schema.json`.

One schema serves every file of the folder: what has `partner` is a partner's file, all else is network.yaml.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from monitor.agreements.models import Network, Partner
from monitor.written.language import Entry


def schema() -> dict[str, Any]:
    models: dict[str, dict[str, Any]] = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Partner agreements of msisdn-monitor",
        "if": {"required": ["partner"]},
        "then": Entry(Partner).schema(models),
        "else": Entry(Network).schema(models),
        "$defs": models,
    }


def text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
