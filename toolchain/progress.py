"""What a long step shows on the terminal while it runs."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from toolchain.pins import ToolchainError

_LINE_EVERY_S = 25.0
"""Without a terminal a step says that it is alive at least this often."""


def say(text: str) -> None:
    """Print one line on stderr; stdout is for the result."""
    print(f"toolchain: {text}", file=sys.stderr, flush=True)


class Step:
    """A named step: moving elapsed time on a terminal, plain lines elsewhere.

    `detail` may be set while it runs (bytes fetched, packages built) and is shown beside the time.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.detail = ""
        self._started = time.monotonic()
        self._over = threading.Event()
        self._tty = sys.stderr.isatty()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if not self._tty:
            say(f"{self.name} …")
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._ticker.join()
        if self._tty:
            sys.stderr.write("\r\x1b[K")
        say(f"{self.name}: {'done' if error is None else 'failed'} after {self._elapsed()}")

    def _elapsed(self) -> str:
        seconds = time.monotonic() - self._started
        if seconds < 60:
            return f"{seconds:.1f} s"
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"

    def _tick(self) -> None:
        while not self._over.wait(1.0 if self._tty else _LINE_EVERY_S):
            detail = f", {self.detail}" if self.detail else ""
            if self._tty:
                sys.stderr.write(f"\r\x1b[K{self.name} … {self._elapsed()}{detail}")
                sys.stderr.flush()
            else:
                say(f"{self.name} … {self._elapsed()}{detail}")


def run(
    command: list[str],
    step: Step,
    *,
    environment: dict[str, str],
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run a command quietly; when it fails its last lines are the reason."""
    last: deque[str] = deque(maxlen=30)
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in process.stdout or ():
            last.append(line.rstrip())
            if on_line:
                on_line(line.rstrip())
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if code:
        raise ToolchainError("\n".join([f"{step.name} failed (exit code {code}):", *last]))
