"""Each new kind of violation as one line of the log, for whoever reads that before a dashboard."""

from __future__ import annotations

from collections.abc import Callable

from monitor.conditions import Conditions
from monitor.report.text import masked, named
from monitor.verdicts import Kind, Outcome, Verdicts


class News:
    """A sink that logs each new kind of violation once; how many there are stands in the metrics."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._known: set[tuple[str, ...]] = set()  # bounded: every part is of a closed list

    def feed(self, verdicts: Verdicts) -> None:
        for kind in verdicts.kinds:
            self._look(kind)

    def _look(self, kind: Kind) -> None:
        outcome = kind.outcome
        about = (outcome, kind.partner, kind.purpose, kind.identifier, kind.form, kind.place)
        if outcome is Outcome.ALLOWED or about in self._known:
            return
        self._known.add(about)
        what = f"{kind.form} {kind.identifier} in {kind.place} {named(kind.field)}"
        grant = f"partner {kind.partner}, purpose {kind.purpose}"
        self._say(
            "VIOLATION",
            f"{outcome}: {what} to {masked(kind.recipient)} ({grant}, {kind.certainty}); first of its kind",
        )


class ConditionNews:
    """Logs each condition once, when it begins."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._told = 0

    def look(self, conditions: Conditions | None) -> None:
        if conditions is None:
            return
        for episode in conditions.episodes[self._told :]:
            unit = "subscribers a day" if episode.condition == "over_volume" else "seconds at the most"
            grant = f"partner {episode.partner}, purpose {episode.purpose}, grant {episode.grant}"
            self._say("WARNING", f"{episode.condition}: {grant}; agreed: {episode.agreed:,} {unit}")
        self._told = len(conditions.episodes)
