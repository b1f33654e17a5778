"""What the application costs: throughput, time to first token, processor time, memory.

A model server that computes nothing streams tokens at a steady pace, and a client counts them:
asked directly, through the application's ``/v1``, and through its agent, one after the other at
each number of streams, so that all meet the same machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.chat.application import ROOT, Application, Upstream
from bench.chat.load import Found, Job

_WAYS = ("direct", "v1", "agent")
_GOALS = {("v1", 64): 0.9, ("agent", 64): 0.6}
_GOAL_ADDED_MS = 15.0


@dataclass(frozen=True)
class Measured:
    """One run of the load; ``cpu`` are the application's processor seconds meanwhile."""

    found: Found
    cpu: float

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.found.tokens / self.found.seconds


def load(job: Job) -> Found:
    """Run the load in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.chat.load"],
        cwd=ROOT,
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Found(**json.loads(done.stdout))


def measure(application: Application, job: Job) -> Measured:
    """Run the load and look at the application before and after."""
    before = application.cpu_seconds()
    found = load(job)
    return Measured(found, application.cpu_seconds() - before)


def report(streams: int, runs: dict[str, list[Measured]]) -> list[str]:
    """The rows of one number of streams, and whether the goals are met."""
    lines = []
    direct = statistics.median(run.rate for run in runs["direct"])
    waited = statistics.median(x for run in runs["direct"] for x in run.found.first)
    for way, done in runs.items():
        rate = statistics.median(run.rate for run in done)
        first = sorted(x * 1000 for run in done for x in run.found.first)
        tokens = sum(run.found.tokens for run in done)
        cpu = sum(run.cpu for run in done) / max(tokens, 1) * 1e6
        added = statistics.median(first) - waited * 1000 if first else float("nan")
        failed = [text for run in done for text in run.found.failed]
        goal = _GOALS.get((way, streams))
        missed = goal is not None and rate / direct < goal
        if streams == 16 and way != "direct":
            missed = missed or added > _GOAL_ADDED_MS
        lines.append(
            f"{streams:>7} {way:<7}{rate:>9.0f}{rate / direct:>8.2f}"
            f"{statistics.median(first) if first else 0:>9.1f}"
            f"{first[int(len(first) * 0.95)] if first else 0:>9.1f}{added:>9.1f}"
            f"{'' if way == 'direct' else f'{cpu:.0f}':>9}{len(failed):>8}"
            f"{'  missed' if missed else ''}"
        )
        lines += [f"        {text!r}" for text in failed[:1]]
    return lines


def compare(levels: list[int], ways: list[str], rounds: int, tokens: int, workers: int) -> None:
    """Print the table of throughput, time to first token and processor time."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Upstream() as upstream,
        Application(Path(folder), upstream.base_url, workers, 2 * max(levels)) as application,
    ):
        ports = {way: upstream.port if way == "direct" else application.port for way in ways}
        for way in ways:  # what is imported at first use
            load(Job(ports[way], way, 8, tokens=20, rate=200))
        print(
            f"{'streams':>7} {'way':<7}{'tok/s':>9}{'ratio':>8}{'TTFT ms':>9}{'p95':>9}{'added':>9}"
            f"{'µs/tok':>9}{'failed':>8}"
        )
        for streams in levels:
            runs: dict[str, list[Measured]] = defaultdict(list)
            for _ in range(rounds):
                for way in ways:
                    job = Job(ports[way], way, streams, tokens=tokens)
                    runs[way].append(measure(application, job))
            print("\n".join(report(streams, runs)), flush=True)


def remember(total: int, workers: int) -> None:
    """Print how much memory the processes hold as conversations come and go."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Upstream() as upstream,
        Application(Path(folder), upstream.base_url, workers, 32) as application,
    ):
        load(Job(application.port, "agent", 8, tokens=20, rate=1000))
        print(f"memory, {len(application.pids)} processes, MiB: {application.resident_mib():.1f}")
        done = 0
        for upto in (total // 5, total):
            rounds = (upto - done) // 8
            found = load(Job(application.port, "agent", 8, rounds, tokens=20, rate=1000))
            done = upto
            print(
                f"after {upto} conversations: {application.resident_mib():.1f}"
                f" ({len(found.failed)} failed)",
                flush=True,
            )


def main() -> None:
    """Entry point of ``python -m bench.chat``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64, 128])
    parser.add_argument("--ways", nargs="+", default=list(_WAYS), choices=_WAYS)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each way")
    parser.add_argument("--tokens", type=int, default=250, help="tokens of an answer")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--conversations", type=int, default=1000, help="0: no look at the memory")
    asked = parser.parse_args()
    compare(asked.streams, asked.ways, asked.rounds, asked.tokens, asked.workers)
    if asked.conversations:
        remember(asked.conversations, asked.workers)


if __name__ == "__main__":
    main()
