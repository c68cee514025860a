"""What the panels ask Prometheus: metrics of the sensors that are chosen, as rates, growths and shares."""

from __future__ import annotations

NO_SENSOR = "NO SENSOR"  # instead of an empty panel
INSTANCE = 'instance=~"$instance"'
ALLOWED = 'outcome="allowed"'
VIOLATION = 'outcome!="allowed"'
AMBIGUOUS = 'certainty="ambiguous"'
TLS = 'looks="tls"'


def of(name: str, *conditions: str) -> str:
    """A selector of one of our metrics on the sensors that are chosen."""
    return f"msisdn_monitor_{name}{{{','.join((*conditions, INSTANCE))}}}"


def rate(name: str, *conditions: str) -> str:
    return f"rate({of(name, *conditions)}[$__rate_interval])"


def by(labels: str, inner: str) -> str:
    return f"sum by ({labels}) ({inner})"


def rates(labels: str, name: str, *conditions: str) -> str:
    """A second, by these labels; what does not move is left out."""
    return by(labels, rate(name, *conditions)) + " > 0"


def total(labels: str, name: str, *conditions: str) -> str:
    """In the range that is shown, by these labels; what did not move is left out."""
    return f"round({by(labels, grown(name, *conditions))}) > 0"


def grown(name: str, *conditions: str) -> str:
    return f"increase({of(name, *conditions)}[$__range])"


def ratio(part: str, whole: str) -> str:
    """0 where nothing came: a quiet line is no fault."""
    return f"(sum({part}) / (sum({whole}) > 0)) or 0 * sum({whole})"
