"""What an operator did wrong, said so that he can mend it.

Traffic is never an error: what cannot be read is skipped with a named reason and counted. These exceptions are for
configuration, rules, sources and the engine, and each carries the place and the remedy in one clear sentence.
"""


class MonitorError(Exception):
    """A mistake outside the program. `exit_code` is what the command line ends with (2-house.md)."""

    exit_code = 2


class ConfigError(MonitorError):
    """An option, the sensor configuration or the environment is wrong."""


class RuleError(MonitorError):
    """The rule files are wrong. The text holds every fault of every file, one a line, as file:line:column."""


class SourceError(MonitorError):
    """A capture or an interface cannot be read at all."""

    exit_code = 3


class EngineError(MonitorError):
    """The engine that was asked for is not there, or died."""
