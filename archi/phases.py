"""Long work in named phases: what is going on, how long each took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

_QUIET_SECONDS = 10.0
"""Off a terminal, a running phase says something at most this often."""

_LONGEST = 120  # characters of what a phase says


@dataclass
class Phase:
    """One phase: its name, since when it runs, what it is at, how long it took in seconds.

    ``within``: whether it is a step of another one, which has its time in it.
    """

    name: str
    quiet_until: float = 0.0
    begin: float = field(default_factory=time.monotonic)
    doing: str = ""
    within: bool = False
    seconds: float | None = None

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begin if self.seconds is None else self.seconds


class Phases:
    """Shows running phases, several at once if need be: a moving table on a terminal, lines off it.

    Thread-safe.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.all: list[Phase] = []
        self._lock = threading.RLock()
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the moving table up; only outside may others write to the terminal."""
        if not self.console.is_terminal:
            yield
            return
        with Live(
            get_renderable=self._table, console=self.console, refresh_per_second=4, transient=True
        ):
            yield

    @contextmanager
    def run(self, name: str) -> Iterator[Phase]:
        """A phase for the length of the block; a failing one is not reported as done."""
        phase = self.begin(name)
        try:
            yield phase
        except BaseException:
            self.drop(phase)
            raise
        self.end(phase)

    def begin(self, name: str, *, within: bool = False) -> Phase:
        """A phase that goes on until `end` or `drop`."""
        phase = Phase(name, within=within)
        with self._lock:
            self.all.append(phase)
        return phase

    def end(self, phase: Phase) -> None:
        """It is done; says so, with the time that it took."""
        phase.seconds = phase.elapsed
        self.console.print(f"[green]✓[/green] {phase.name} [dim]{duration(phase.seconds)}[/dim]")

    def drop(self, phase: Phase) -> None:
        """It failed, and counts no more."""
        with self._lock:
            self.all.remove(phase)

    def note(self, name: str, seconds: float) -> None:
        """A phase that showed its own progress and is over."""
        with self._lock:
            self.all.append(Phase(name, seconds=seconds))

    def say(self, phase: Phase, text: str, *, always: bool = False) -> None:
        """What a phase is at right now; off a terminal not every text, unless ``always``."""
        phase.doing = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        if self.console.is_terminal or (time.monotonic() < phase.quiet_until and not always):
            return
        phase.quiet_until = time.monotonic() + _QUIET_SECONDS
        self.console.print(
            f"  {phase.name}: {phase.doing} ({duration(phase.elapsed)})",
            highlight=False,
            markup=False,
        )

    def warn(self, text: str) -> None:
        """Something that stays on the screen: it can be meant, but most likely is not."""
        self.console.print(f"[yellow]![/yellow] {_escape(text)}", highlight=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            running = [phase for phase in self.all if phase.seconds is None]
        for phase in running:
            spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(time.monotonic() * 8) % 10]
            room = max(20, self.console.width - len(phase.name) - 16)
            table.add_row(
                spinner, phase.name, duration(phase.elapsed), f"[dim]{_escape(phase.doing)[:room]}"
            )
        return table


def duration(seconds: float) -> str:
    """Seconds for people: 3 s, 4 min 05 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
