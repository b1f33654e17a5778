"""The processes of a deployment's vLLM, seen from the host: to have them wait, or die."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.e2e.conftest import Assistant


@contextmanager
def halted(engine: int) -> Iterator[None]:
    """Have vLLM's engine wait, so that what it is at does not end, however slow the test is."""
    os.kill(engine, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(engine, signal.SIGCONT)


def engine_process(assistant: Assistant) -> int:
    """The id of the process that computes."""
    [pid] = [pid for pid, _, command in _processes(assistant) if command == "VLLM::EngineCore"]
    return pid


def server_process(assistant: Assistant) -> int:
    """The id of the process that serves the API; with it goes the container."""
    init = assistant.container("vllm-server").attrs["State"]["Pid"]
    [(pid, _, command)] = [row for row in _processes(assistant) if row[1] == init]
    assert re.search("vllm", command)
    return pid


def _processes(assistant: Assistant) -> list[tuple[int, int, str]]:
    """Of each its id, the parent's id, and the command line."""
    table = assistant.container("vllm-server").top(ps_args="-eo pid,ppid,args")
    return [(int(pid), int(parent), command) for pid, parent, command in table["Processes"]]
