"""How Ctrl-C reaches work that Pulumi does not interrupt.

Pulumi lets a dynamic resource finish, and its plugins outlive a killed pulumi: they are process
groups of their own. So who starts a run (the wrapper, ``make up``) names a file in
``ARCHI_CANCEL_FILE``, which it writes on Ctrl-C, and itself in ``ARCHI_RUN_PID``; gate and
one-shots look each second whether the one is there or the other gone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

VARIABLE = "ARCHI_CANCEL_FILE"
RUN_VARIABLE = "ARCHI_RUN_PID"
"""Process id of who started the run: when it is gone, there is nobody left to work for."""


class Cancelled(Exception):
    """The user broke off."""

    def __str__(self) -> str:
        return "Broken off. Nothing is lost; the same command takes up the work again."


def cancelled() -> bool:
    """Whether the user has asked to break off, or the run that this belongs to was killed."""
    path, run = os.environ.get(VARIABLE), os.environ.get(RUN_VARIABLE)
    return bool(path and Path(path).exists()) or bool(run and not exists(int(run)))


def exists(pid: int) -> bool:
    """Whether a process of that id runs; one that ended and was not reaped does not."""
    if Path("/proc/self").exists():
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state not in ("Z", "X")
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
