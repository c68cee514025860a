"""`check`: everything that is wrong with the rules, what is valid and yet unwise, and the tests inside them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from monitor.agreements import load
from monitor.agreements.lint import lint
from monitor.agreements.suffixes import PublicSuffixes
from monitor.commands.common import redactor
from monitor.trial import run_tests

SHORT_LIST = "of names below which strangers can have names only the best known were looked for: install publicsuffix"


def check(rules: Path) -> int:
    """0, or 2 when a test fails; raises RuleError with every error of every file."""
    book = load(rules)
    failed = run_tests(book, redactor(None).token)
    for remark in failed:
        sys.stdout.write(f"{remark}\n")
    suffixes = PublicSuffixes()
    for remark in lint(book, time.time_ns(), suffixes):
        sys.stdout.write(f"warning: {remark}\n")
    if not suffixes.whole:
        sys.stdout.write(f"note: {SHORT_LIST}\n")
    if failed:
        return 2
    grants = len(book.terms)
    tests = len(book.network.tests) + sum(len(partner.tests) for partner in book.partners)
    sys.stdout.write(f"OK: {len(book.partners)} partners, {grants} grants, {tests} tests, sha256 {book.sha256[:12]}\n")
    return 0
