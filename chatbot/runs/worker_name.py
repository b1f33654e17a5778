"""The name by which a worker signs its runs, and whether the process of that name lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_host() -> str:
    """Return what the names of all workers on this host (or in this container) begin with."""
    return f"{socket.gethostname()}/"


def this_worker() -> str:
    """Return this process's name: host, process id, and its start in ticks since the boot."""
    return f"{this_host()}{os.getpid()}/{_started(os.getpid())}"


def process_of(worker: str) -> int | None:
    """Return the process id of a worker; None where it is of another host."""
    if not worker.startswith(this_host()):
        return None
    return int(worker.removeprefix(this_host()).partition("/")[0])


def is_alive(worker: str) -> bool:
    """Whether a worker of this host still runs; a later process of the same id is another one."""
    process = process_of(worker)
    return process is not None and worker.rpartition("/")[2] == _started(process)


def _started(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the command's name is in parentheses and may hold any character; after it come the
    # state (field 3) and, as field 22, the start.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]
