"""The processes that are measured: the application under gunicorn, and what the kernel says."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.chat.upstream import MODEL

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


class Upstream:
    """The model server as a process. Use it as a context manager."""

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.chat.upstream"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"


class Application:
    """``python -m chatbot`` with its database in a folder. Use it as a context manager."""

    def __init__(self, folder: Path, base_url: str, workers: int, max_streams: int) -> None:
        self._folder = folder
        files = folder / "files"
        (files / "secrets").mkdir(parents=True)
        (files / "pipelines.yaml").write_text(f"model: {MODEL}\n")
        (files / "secrets" / "session_key").write_text(secrets.token_hex(32))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._environment = {
            "VLLM_BASE_URL": base_url,
            "DATABASE_URL": f"sqlite:///{folder / 'chat.db'}",
            "ARCHI_FILES": str(files),
            "ARCHI_PUBLISHED_BIND": "127.0.0.1",
            "ARCHI_LISTEN": f"127.0.0.1:{self.port}",
            "ARCHI_MAX_STREAMS": str(max_streams),
            "ARCHI_WORKERS": str(workers),
        }

    def __enter__(self) -> Self:
        """Start it and wait until it can answer."""
        with (self._folder / "chat.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatbot"],
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "chat.log").read_text())
            time.sleep(0.1)  # between two looks
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def pids(self) -> list[int]:
        """The processes: gunicorn's own and its workers."""
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def cpu_seconds(self) -> float:
        """Processor time that the processes have used, in seconds."""
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def resident_mib(self) -> float:
        """Memory that the processes hold, shared pages counted by their share, in MiB."""
        total = 0
        for pid in self.pids:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += next(int(x.split()[1]) for x in rollup.splitlines() if x.startswith("Pss:"))
        return total / 1024
