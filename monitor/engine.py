"""The Engine: bytes in, suspect request heads out. The only importer of `monitor.native`, `live` and `portable`.

Two engines keep this interface with equal behaviour: `native` (Rust) and `portable` (Python on dpkt). Which one runs is
never a secret: `Engine.name` is in the version, the summary, the log and the metrics.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Literal, Protocol, get_args

from monitor.errors import EngineError
from monitor.records import Batch, CaptureFiles, Interface, Limits, Survey, Watch

Preference = Literal["auto", "native", "portable"]
ENGINES: tuple[Preference, ...] = get_args(Preference)
Search = Callable[[int, bytes, bytes], Sequence[tuple[int, str, bytes, int, int, bool]]]  # as identify/search.py has it
VARIABLE = "MSISDN_MONITOR_ENGINE"  # what `auto` means in this environment
NATIVE_REMEDY = "install Rust (cargo) and run pip install . again"
LIVE_SETTLE_NS = 2_000_000  # a live sensor cannot wait as long as a replay (docs/decisions/0002)


class Engine(Protocol):
    name: str

    @property
    def remarks(self) -> tuple[str, ...]:
        """What an operator should know of how the source was opened."""
        ...

    def poll(self, timeout: float) -> Batch:
        """Suspect heads and cumulative counts; may be empty; returns within `timeout` seconds."""
        ...

    def watch_for(self, watch: Watch) -> None:
        """Lets through by this from the next poll on: the rules were read again."""
        ...

    def drain(self) -> Batch:
        """Read nothing more and let go of every head that waits: the last batch, before the source has ended."""
        ...

    def close(self) -> None:
        """Give the source back; a closed engine must not be polled."""
        ...


def default_limits(source: CaptureFiles | Interface) -> Limits:
    """A live port settles heads in milliseconds (docs/decisions/0002-heads-wait-until-settled.md)."""
    return Limits(settle_ns=LIVE_SETTLE_NS) if isinstance(source, Interface) else Limits()


def reader(prefer: Preference = "auto") -> Callable[[Watch], Search] | None:
    """What the engine that runs reads single texts with, for `Identify`; None where that does so itself."""
    prefer = preferred(prefer)
    if prefer == "portable" or not native_is_here():
        return None
    from monitor.native import search_of  # late: it may not be there

    return search_of


def open_engine(
    source: CaptureFiles | Interface, watch: Watch, limits: Limits | None = None, prefer: Preference = "auto"
) -> Engine:
    """The engine that `prefer` names, or the best one there is.

    Raises EngineError when `native` is asked for, here or by the environment, and not installed, SourceError when the
    interface cannot be opened.
    Capture files that cannot be read are Batch.faults: what the others hold is still judged.
    """
    prefer = preferred(prefer)
    limits = limits or default_limits(source)
    if prefer == "native" or (prefer == "auto" and native_is_here()):
        if not native_is_here():
            raise EngineError(f"engine native is not in this installation; {NATIVE_REMEDY}, or use --engine portable")
        if isinstance(source, Interface):
            from monitor.live import LiveEngine  # late: it may not be there

            return LiveEngine(source, watch, limits)
        from monitor.native import NativeEngine

        return NativeEngine(source, watch, limits)
    if isinstance(source, Interface) and source.workers > 1:
        raise EngineError(f"the portable engine reads with one thread; leave --workers out, or {NATIVE_REMEDY}")
    from monitor.portable.engine import PortableEngine  # late: dpkt is not needed where the native engine runs

    return PortableEngine(source, watch, limits)


def preferred(prefer: Preference) -> Preference:
    """The same, or for `auto` what the environment prefers. Raises EngineError when that is no engine."""
    if prefer != "auto":
        return prefer
    found = os.environ.get(VARIABLE) or "auto"
    for known in ENGINES:
        if found == known:
            return known
    raise EngineError(f"{VARIABLE} is {found!r}, which is no engine: say auto, native or portable")


def survey(port: str, mtu: int, seconds: float) -> Survey:
    """What this port delivers in so many seconds. Raises SourceError when it cannot be read."""
    from monitor.portable.survey import survey as look  # late: dpkt is not needed where the native engine runs

    return look(port, mtu, seconds)


def native_is_here() -> bool:
    """Whether this installation has the native engine."""
    return find_spec("monitor._engine") is not None
