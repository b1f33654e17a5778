"""A Docker daemon of a test's own, apart from the machine's."""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archi.docker_setup import Daemon

_PATH = os.environ["PATH"]
"""Without what another daemon of a test has on it."""


@contextmanager
def isolated_daemon(folder: Path) -> Iterator[Daemon]:
    """A daemon to start, with folders, socket, pid file and network of its own; ended by its pid.

    ``folder/bin``, first on the daemon's PATH, may be filled before it is started. For the test's
    own process PATH is set alike while the context lasts.

    The namespaces are not for tidiness: a dockerd with ``--bridge=none`` deletes the host's
    docker0, the bridge of the machine's own Engine, and leaves its mounts when it ends.
    """
    isolated = folder / "bin" / "dockerd"
    isolated.parent.mkdir(exist_ok=True)
    isolated.write_text(f'#!/bin/sh\nexec unshare --net --mount {shutil.which("dockerd")} "$@"\n')
    isolated.chmod(0o755)
    # A socket's path may have 108 characters, which pytest's folders exceed.
    short = Path(tempfile.mkdtemp(prefix="dockerd-"))
    arguments = (
        f"--data-root={short}/data",
        f"--exec-root={short}/exec",
        "--bridge=none",
        "--iptables=false",
        "--storage-driver=vfs",
    )
    made = Daemon(folder / "dockerd.log", f"unix://{short}/sock", short / "pid", arguments)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{isolated.parent}{os.pathsep}{_PATH}"
    try:
        yield made
    finally:
        os.environ["PATH"] = before
        if made.pid_file.exists():
            pid = int(made.pid_file.read_text())
            process = os.pidfd_open(pid)
            os.kill(pid, signal.SIGTERM)
            # A pidfd is readable when its process has ended.
            assert select.select([process], [], [], 300)[0], "the daemon did not end"
            os.close(process)
        shutil.rmtree(short, ignore_errors=True)
