"""The folder that gunicorn's workers share: metrics, counts of requests, and their sockets.

prometheus-client decides when it is imported whether numbers are one process's or shared, so this
module does not import it, and ``prepare`` comes first of all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "archi-workers-"


def prepare() -> Path:
    """Make the folder, in memory where that can be, and take away what killed processes left."""
    shared = Path("/dev/shm")  # noqa: S108 - it must not be on a disk
    parent = shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    for old in parent.glob(f"{_PREFIX}*"):
        owner = old.name.removeprefix(_PREFIX).partition("-")[0]
        # A container's first process has the same number each time.
        if owner == str(os.getpid()) or not Path(f"/proc/{owner}").exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    os.environ[_VARIABLE] = str(folder)
    return folder


def shared() -> Path | None:
    """Return the folder that all workers share; None where there is only this process."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


def remove() -> None:
    """Take the folder away, at the end of the first process."""
    folder = os.environ.pop(_VARIABLE, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
