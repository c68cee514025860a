"""What leaks, to whom, since when, and how many subscribers it hits: for whoever has to act."""

from __future__ import annotations

from collections.abc import Iterator

from panels import BLUE, GREEN, ORANGE, RED, YELLOW, Panel, Query, bars, lines, stat, steps, table, words
from queries import ALLOWED, AMBIGUOUS, NO_SENSOR, VIOLATION, of, rate, rates, ratio, total

TITLE = "Exposures"
VIOLATIONS = of("verdicts_total", VIOLATION)
BEGUN = f"min({of('first_violation_timestamp_seconds')} > 0)"
OUTCOMES = {
    "unknown_recipient": RED,
    "wrong_address": "dark-red",
    "opted_out": "purple",
    "client_supplied": BLUE,
    "number_mismatch": "super-light-red",
    "expired": ORANGE,
    "wrong_field": YELLOW,
}
LEAKING = words({"0": ("NO VIOLATION", GREEN), "1": ("LEAKING", RED)})
SEEN = steps(RED, (0.99, ORANGE), (0.999, GREEN))


def rows() -> Iterator[tuple[int, list[Panel]]]:
    yield (
        5,
        [
            stat(
                "Now",
                "Violations of the agreements in the last five minutes.",
                f"sum(increase({VIOLATIONS}[5m])) > bool 0",
                mappings=LEAKING,
                none=NO_SENSOR,
                filled=True,
                width=5,
            ),
            stat(
                "Since",
                "The first violation that a running sensor saw, by the clock of the capture.",
                f"{BEGUN} * 1000",
                unit="dateTimeAsIso",
                none="never",
                width=5,
            ),
            stat(
                "Subscribers",
                "Distinct subscribers whose identifier went to somebody without an agreement.",
                f"sum({of('exposed_subscribers')})",
                thresholds=steps(GREEN, (1, RED)),
                none=NO_SENSOR,
                width=3,
            ),
            stat(
                "Recipients",
                "Distinct hosts that got an identifier against the agreements.",
                f"sum({of('exposed_recipients')})",
                thresholds=steps(GREEN, (1, RED)),
                none=NO_SENSOR,
                width=3,
            ),
            stat(
                "Left to notify",
                "What the law of network.yaml leaves, from the first violation on, to tell the regulator.",
                f"min({of('notification_seconds')}) - (time() - {BEGUN})",
                unit="s",
                none="no clock runs",
                decimals=0,
                thresholds=steps(RED, (12 * 3600, ORANGE), (36 * 3600, YELLOW)),
                width=4,
            ),
            stat(
                "Seen of the traffic",
                "What did not arrive, could not be decoded or was lost is on Coverage.",
                f"min({of('visible_ratio')})",
                unit="percentunit",
                decimals=2,
                thresholds=SEEN,
                none=NO_SENSOR,
                width=4,
            ),
        ],
    )
    yield (
        9,
        [
            lines(
                "Violations a second, by outcome",
                "What the agreements say of the sightings; allowed ones are below.",
                Query(rates("outcome", "verdicts_total", VIOLATION), "{{outcome}}"),
                unit="cps",
                stacked=True,
                width=14,
                colors=OUTCOMES,
            ),
            lines(
                "Requests that carry an identifier",
                "The alarm that needs no rules: a leak to everybody is a jump.",
                Query(ratio(rate("requests_with_identifier_total"), rate("requests_total")), "share of all requests"),
                unit="percentunit",
                width=10,
                highest=1,
            ),
        ],
    )
    yield (
        9,
        [
            table(
                "Violations, by partner",
                "In the range that is shown. Partner none: to a site that has no agreement at all.",
                total("partner, purpose, outcome, certainty", "verdicts_total", VIOLATION),
                {
                    "outcome": "outcome",
                    "partner": "partner",
                    "purpose": "purpose",
                    "certainty": "certainty",
                    "Value": "sightings",
                },
                width=14,
            ),
            bars(
                "Fields that carry an identifier",
                "In the range that is shown, allowed ones too.",
                Query(f"topk(12, {total('field, form', 'sightings_total')})", "{{field}}, {{form}}"),
                width=10,
            ),
        ],
    )
    yield (
        8,
        [
            lines(
                "Allowed a second, by partner",
                "What the agreements cover. A partner that falls silent may have lost its header.",
                Query(rates("partner", "verdicts_total", ALLOWED), "{{partner}}"),
                unit="cps",
            ),
            bars(
                "Access networks",
                "Identifiers seen in the range that is shown, by access network.",
                Query(total("access", "sightings_total"), "{{access}}"),
                width=6,
            ),
            bars(
                "Brands",
                "Identifiers seen in the range that is shown, by brand.",
                Query(total("brand", "sightings_total"), "{{brand}}"),
                width=6,
            ),
        ],
    )
    yield (
        7,
        [
            table(
                "Latest violation, by outcome",
                "By the clock of the capture.",
                f"max by (outcome) ({of('last_violation_timestamp_seconds')} > 0) * 1000",
                {"outcome": "outcome", "Value": "latest"},
                unit="dateTimeAsIso",
                width=8,
            ),
            table(
                "Partners that are silent",
                "A grant expects a sighting in a time (expect_every) that has passed.",
                f"max by (partner) ({of('missing_expected')}) > 0",
                {"partner": "partner", "Value": "silent"},
                width=8,
            ),
            lines(
                "Ambiguous and foreign",
                "Heads that two receivers would read differently; numbers of other operators.",
                Query(f"sum({rate('verdicts_total', AMBIGUOUS, VIOLATION)})", "ambiguous violations"),
                Query(f"sum({rate('foreign_sightings_total')})", "foreign numbers"),
                unit="cps",
                width=8,
            ),
        ],
    )
