"""The models as JSON Schema for editors: `python -m monitor.agreements.schema > rules/schema.json`.

One schema serves every file of the folder: what has `partner` is a partner's file, all else is network.yaml.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import models_json_schema

from monitor.agreements.models import Network, Partner


def schema() -> dict[str, Any]:
    _, definitions = models_json_schema([(Partner, "validation"), (Network, "validation")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Partner agreements of msisdn-monitor",
        "if": {"required": ["partner"]},
        "then": {"$ref": "#/$defs/Partner"},
        "else": {"$ref": "#/$defs/Network"},
        "$defs": definitions["$defs"],
    }


def text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
