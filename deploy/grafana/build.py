"""Writes the three dashboards into dashboards/: `make dashboards`.

Every value that a person must not miss stands in the first row, as a word where there is one, in red only where
something has to be done.
"""

from __future__ import annotations

import json
from pathlib import Path

import coverage
import exposures
import sensor
from panels import dashboard

FOLDER = Path(__file__).with_name("dashboards")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for page in (exposures, coverage, sensor):
        name = page.TITLE.lower()
        built = dashboard(f"msisdn-monitor-{name}", f"Numbers on the wire: {name}", page.__doc__, page.rows())
        (FOLDER / f"{name}.json").write_text(json.dumps(built, indent=2) + "\n")


if __name__ == "__main__":
    main()
