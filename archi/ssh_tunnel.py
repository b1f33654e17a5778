"""A Docker Engine behind SSH: one tunnel to its socket, for as long as this process lives.

The SDK's own way starts an ssh for each request by a fork that gRPC's threads, which our dynamic
resources live among, break now and then; and it wants paramiko installed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from pathlib import Path
from urllib.parse import urlsplit

_REMOTE_SOCKET = "/var/run/docker.sock"
_CONNECT_SECONDS = 30
_OPTIONS = {
    "BatchMode": "yes",  # nobody is there to be asked
    "ExitOnForwardFailure": "yes",
    "ConnectTimeout": _CONNECT_SECONDS,
    "ServerAliveInterval": 15,
}
_AND_TIDY_UP = '"$@"; code=$?; rm -rf "$0"; exit $code'


class TunnelError(OSError):
    """The tunnel could not be made; the text is what ssh said."""


def local(host: str) -> str:
    """Where the Engine that a DOCKER_HOST names is reached from here; ssh:// by a tunnel.

    Raises:
        TunnelError: ssh can't get there.

    """
    return f"unix://{_open(host).socket}" if host.startswith("ssh://") else host


class _Tunnel:
    def __init__(self, host: str) -> None:
        self.socket = Path(tempfile.mkdtemp(prefix="archi-ssh-")) / "docker.sock"
        url = urlsplit(host)
        port = ["-p", str(url.port)] if url.port else []
        name = f"{url.username}@{url.hostname}" if url.username else str(url.hostname)
        forward = f"{self.socket}:{url.path.rstrip('/') or _REMOTE_SOCKET}"
        options = [f"-o{key}={value}" for key, value in _OPTIONS.items()]
        # `cat` ends with our end of the pipe, however this process ends, and ssh with it.
        command = ["ssh", "-T", *options, *port, "-L", forward, "--", name, "cat"]
        self._ssh = subprocess.Popen(
            ["sh", "-c", _AND_TIDY_UP, str(self.socket.parent), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # it outlives Ctrl-C, and tidies up where we are killed
        )
        self.close = weakref.finalize(self, _end, self._ssh, self.socket.parent)
        self._wait()

    @property
    def alive(self) -> bool:
        return self._ssh.poll() is None

    def _wait(self) -> None:
        give_up = time.monotonic() + _CONNECT_SECONDS
        while not _listens(self.socket):
            if not self.alive or time.monotonic() > give_up:
                self.close()
                said = self._ssh.stderr.read() if self._ssh.stderr else ""
                raise TunnelError(f"ssh: {said.strip() or 'no connection in time'}")
            time.sleep(0.02)  # between two looks


def _listens(path: Path) -> bool:
    # It exists before it listens, and until then whoever comes is refused.
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(str(path)) == 0


def in_use() -> bool:
    """Whether this process reaches its Engine by SSH: that one's ports are another machine's."""
    return any(tunnel.alive for tunnel in _kept().values())


def _end(ssh: subprocess.Popen[str], folder: Path) -> None:
    # Ended at its input alone, it would wait for what still goes through it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(ssh.pid, signal.SIGTERM)
    ssh.wait()
    shutil.rmtree(folder, ignore_errors=True)


_opening = threading.Lock()


@functools.cache
def _kept() -> dict[str, _Tunnel]:
    return {}


def _open(host: str) -> _Tunnel:
    with _opening:
        kept = _kept()
        if host not in kept or not kept[host].alive:
            kept[host] = _Tunnel(host)
        return kept[host]
