"""How long a diagnosis of a long log takes.

    python bench/diagnosis/measure.py [--lines 100000] [--rounds 5]

Prints a row per kind of log: its size, and the median and the longest of the rounds in
milliseconds of the processor's time. The cause stands in the log's first line alone, of a restart
loop in each start.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from archi.diagnosis import diagnose  # noqa: E402 - the checkout's own

LOGS = ROOT / "tests" / "unit" / "diagnosis" / "logs"
CAUSE = "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_…`"

WORDS = [
    "could not be started",
    "engine core",
    "process failed",
    "memory",
    "error in value",
    "cache",
]


def access(count: int, _random: random.Random) -> Iterator[str]:
    """A healthy server's log: requests and statistics."""
    for number in range(count):
        if number % 10:
            yield f'INFO:     172.17.0.3:{number} - "POST /v1/chat/completions HTTP/1.1" 200 OK'
        else:
            yield (
                "(APIServer pid=1) INFO 11-23 01:15:26 [loggers.py:335] Engine 000: Avg prompt "
                f"throughput: {number}.0 tokens/s, Running: 0 reqs, Waiting: 0 reqs"
            )


def restarts(count: int, _random: random.Random) -> Iterator[str]:
    """A server that failed over and over, with all of its tracebacks."""
    log = (LOGS / "kv-cache-huge.log").read_text().split("\n")
    for number in range(count):
        yield log[number % len(log)]


def distinct_errors(count: int, chosen: random.Random) -> Iterator[str]:
    """The hardest: lines that may all tell an error, none like another, and none known."""
    for number in range(count):
        words = " ".join(chosen.choices(WORDS, k=9))
        yield f'{{"event": "{words}", "run": "{number:032x}", "level": "error"}}'


def engine_errors(count: int, chosen: random.Random) -> Iterator[str]:
    """The same with vLLM's prefix before each."""
    for number in range(count):
        words = " ".join(chosen.choices(WORDS, k=9))
        prefix = "(EngineCore pid=88) ERROR 11-23 01:15:26 [core.py:1136]"
        yield f"{prefix} RuntimeError: {words} in request {number:032x}"


KINDS: dict[str, Callable[[int, random.Random], Iterator[str]]] = {
    "requests and statistics": access,
    "a restart loop": restarts,
    "distinct unknown errors": distinct_errors,
    "the same of the engine": engine_errors,
}


def main() -> int:
    """Measure each kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print(f"{'log':<26}{'MB':>6}{'median ms':>12}{'longest ms':>12}")
    for name, make in KINDS.items():
        lines = [CAUSE, *make(asked.lines - 1, random.Random(1))]  # noqa: S311 - no secret
        times = []
        for _ in range(asked.rounds):
            begin = time.process_time()
            found = diagnose(lines)
            times.append(1000 * (time.process_time() - begin))
            if found.cause != "kv-cache-memory":
                print(f"{name}: found {found.cause} in line {found.line}", file=sys.stderr)
                return 1
        size = sum(map(len, lines)) / 1e6
        print(f"{name:<26}{size:>6.1f}{statistics.median(times):>12.0f}{max(times):>12.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
