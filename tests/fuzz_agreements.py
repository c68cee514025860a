"""Any octets as a file of rules: a rule book or a RuleError, nothing else. `scripts/fuzz 60 agreements` runs it.

Takes the options of libFuzzer. The first octet says which file of the example the others replace: `n` network.yaml,
else the first partner's. atheris follows which lines of monitor.agreements are reached; where it does not install, as
on a Python newer than it knows, hypothesis tries files instead, for as long as `-max_total_time` says.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

try:
    import atheris
except ImportError:
    from monitor.agreements import load
    from monitor.agreements.lint import lint
    from monitor.agreements.suffixes import PublicSuffixes
    from monitor.errors import RuleError
else:
    with atheris.instrument_imports(include=["monitor.agreements"]):
        from monitor.agreements import load
        from monitor.agreements.lint import lint
        from monitor.agreements.suffixes import PublicSuffixes
        from monitor.errors import RuleError

NETWORK, RULES = "network.yaml", ROOT / "rules"
PARTNER = min(path.name for path in RULES.glob("*.yaml") if path.name != NETWORK)
SUFFIXES = PublicSuffixes()
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-agreements-"))


def one(octets: bytes) -> None:
    """One file instead of the example's; the other one is sound."""
    name = NETWORK if octets[:1] == b"n" else PARTNER
    for each in (NETWORK, PARTNER):
        (FOLDER / each).write_bytes(octets[1:] if each == name else (RULES / each).read_bytes())
    try:
        book = load(FOLDER)
    except RuleError as mistake:
        if not any(each in str(mistake) for each in (NETWORK, PARTNER)):
            raise RuntimeError("a mistake does not name the file that it is in") from mistake
        return
    for remark in lint(book, 0, SUFFIXES):
        assert str(remark)


def seeds(corpus: Path) -> None:
    """The example, and every file that is wrong."""
    corpus.mkdir(parents=True, exist_ok=True)
    for path in [*RULES.glob("*.yaml"), *(ROOT / "tests/bad_rules").glob("*.yaml")]:
        first = b"n" if path.name == NETWORK else b"p"
        (corpus / path.name).write_bytes(first + path.read_bytes())


def without_coverage(seconds: float, corpus: Path) -> None:
    """Files of the corpus with pieces of others in them."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    until = time.monotonic() + seconds
    files = [path.read_bytes() for path in sorted(corpus.iterdir())]
    place, file = st.integers(0, max(map(len, files))), st.sampled_from(files)
    runs = 0

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(file, place, place, file, place, place, st.binary(max_size=8))
    def tried(octets: bytes, at: int, size: int, other: bytes, begin: int, length: int, odd: bytes) -> None:
        nonlocal runs
        runs += 1
        one(octets[: at + 1] + other[begin : begin + length % 200] + odd + octets[at + 1 + size % 200 :])

    while time.monotonic() < until:
        tried()
    sys.stderr.write(f"#{runs} DONE cov: 0 corp: {len(files)}\nstat::average_exec_per_sec: {runs / seconds:.0f}\n")


def main() -> None:
    named = (Path(each) for each in sys.argv[1:] if not each.startswith("-"))
    corpus = next((each for each in named if not each.is_file()), FOLDER / "corpus")  # a file is shown to it again
    seeds(corpus)
    if "atheris" in sys.modules:
        atheris.Setup(sys.argv, one)
        atheris.Fuzz()
    options = dict(each.lstrip("-").split("=", 1) for each in sys.argv[1:] if "=" in each)
    without_coverage(float(options.get("max_total_time", 60)), corpus)


if __name__ == "__main__":
    main()
