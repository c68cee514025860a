"""How fast it is: a generator of traffic, the stages of the pipeline, and the tools that others use for this."""

from pathlib import Path

RULES = Path("rules")
