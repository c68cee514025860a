"""What one engine and each stage of the pipeline cost on one capture: run in a process of its own, prints JSON.

    python -m bench.stages native out.pcap
    python -m bench.stages portable out.pcap --shares

The engine alone is polled to the end, on one core; or, with --shares, the whole pipeline runs under a sampler: a timer
of the process clock interrupts it, and the CPU time since the last interrupt goes to the stage that is at work. No call
is wrapped, so nothing is slowed that is measured. What runs in another language is one stage: the engine itself.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from pathlib import Path
from types import FrameType

import monitor
from bench import RULES
from monitor.agreements import load
from monitor.engine import Preference, open_engine
from monitor.identify import Identify
from monitor.pipeline import Pipeline, Stop
from monitor.records import CaptureFiles
from monitor.redact import Redactor, new_key

SAMPLE_S = 0.001
PACKAGE = Path(monitor.__file__).parent
STAGE_OF = {  # module or folder through which a stage is entered; what it calls belongs to it
    "capture": "capture",
    "decode": "decode",
    "defrag": "decode",
    "stream": "stream",
    "http1": "http",
    "http2": "http",
    "sieve": "sieve",
    "identify": "identify",
    "judge": "judge",
    "report": "report",
    "redact": "report",
    "pipeline": "report",
    "engine": "engine",
    "native": "engine",
}


class Sampler:
    """CPU seconds by stage, while it is entered."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGE_OF.values(), 0.0)
        self._stages: dict[str, str | None] = {}  # by file name

    def __enter__(self) -> Sampler:
        self._last = time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        now = time.process_time()
        while frame is not None:
            if stage := self._stage(frame.f_code.co_filename):
                self.seconds[stage] += now - self._last
                break
            frame = frame.f_back
        self._last = now

    def _stage(self, filename: str) -> str | None:
        if filename not in self._stages:
            path = Path(filename)
            inside = path.relative_to(PACKAGE).with_suffix("").parts if path.is_relative_to(PACKAGE) else ()
            self._stages[filename] = next((STAGE_OF[part] for part in inside if part in STAGE_OF), None)
        return self._stages[filename]


def engine_alone(engine: Preference, capture: str) -> dict[str, float]:
    """Reads, decodes, reassembles, sieves; what passes the sieve is thrown away."""
    watch = Identify(load(RULES).plan).watch()
    begun = time.process_time()
    running = open_engine(CaptureFiles((capture,)), watch, prefer=engine)
    passed = 0
    done = False
    while not done:
        batch = running.poll(1.0)
        passed += len(batch.heads)
        done = batch.done
    running.close()
    spent = time.process_time() - begun
    return {"cpu_s": spent, "packets": batch.counts["frames"], "requests": batch.counts["requests"], "passed": passed}


def stages(engine: Preference, capture: str) -> dict[str, float]:
    """CPU seconds of each stage of the pipeline, the sinks of a command apart."""
    with (
        Pipeline(CaptureFiles((capture,)), load(RULES), Redactor(new_key()), prefer=engine) as pipeline,
        Sampler() as sampler,
    ):
        for _ in pipeline.batches(Stop()):
            pass
    return {stage: round(seconds, 3) for stage, seconds in sampler.seconds.items()}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.stages")
    options.add_argument("engine")
    options.add_argument("capture")
    options.add_argument("--shares", action="store_true")
    chosen = options.parse_args()
    measure = stages if chosen.shares else engine_alone
    print(json.dumps(measure(chosen.engine, chosen.capture)))


if __name__ == "__main__":
    main()
