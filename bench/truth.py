"""Was every number found, and nothing else? Takes what `replay` printed of a capture and what its generator says.

A number counts as found when a verdict names its handset's address and port and the token of the number: once for each
request that carried it. Of a request that the capture lost a part of, it may be found or not.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from monitor.redact import Redactor, load_key
from monitor.verdicts import Number

KEY = "0123456789abcdef" * 4  # no secret: the numbers of the generator are nobody's


class Found(NamedTuple):
    of: int  # requests with a number that were captured whole
    missed: int
    false: int  # verdicts that no request explains

    @property
    def all_and_no_other(self) -> bool:
        return self.missed == self.false == 0


def key_file(folder: Path) -> Path:
    """The key of the tokens, so that they can be computed here as well."""
    path = folder / "key"
    path.touch(mode=0o600)
    path.write_text(KEY)
    return path


def compare(journal: Path, truth: Path, key: Path) -> Found:
    """`journal` is the JSON lines of a replay with this key; `truth` lies beside the capture."""
    told, redactor = json.loads(truth.read_text()), Redactor(load_key(key))

    def expected(senders: list[tuple[str, int, str]]) -> Counter[tuple[str, int, str]]:
        return Counter((src, sport, redactor.token(Number(number))) for src, sport, number in senders)

    rows = map(json.loads, journal.read_text().splitlines())
    found = Counter((row["src"], row["sport"], row["token"]) for row in rows if row["type"] == "verdict")
    whole, lost = expected(told["senders"]), expected(told["lost_senders"])
    return Found(whole.total(), (whole - found).total(), (found - whole - lost).total())
