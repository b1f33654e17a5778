"""Putting a Docker Engine on a Debian or Ubuntu machine, and starting it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archi.docker_engine import (
    DEFAULT_SOCKET,
    Engine,
    EngineUnavailable,
    State,
    inspect_engine,
)
from archi.images import Source

START_SECONDS = 180.0
"""How long a started daemon may take until it answers; a fresh one takes about two seconds."""

_PACKAGES = ("docker.io", "iptables")
_PACKAGES_FOR_DEBOOTSTRAP = ("debootstrap", "debian-archive-keyring")

Progress = Callable[[str], None]
"""Takes one line for a person."""


def plan_install(source: Source) -> list[list[str]]:
    """The commands that `install` would run, for the caller to show first; empty: none needed.

    Raises:
        EngineUnavailable: this machine is not ours to change (no apt, or no root); says what
            a person has to install.

    """
    wanted: list[str] = []
    if inspect_engine().state is State.NOT_INSTALLED:
        wanted += _PACKAGES
    if source == "packages" and shutil.which("debootstrap", path="/usr/sbin:/usr/bin") is None:
        wanted += _PACKAGES_FOR_DEBOOTSTRAP
    if not wanted:
        return []
    names = " ".join(wanted)
    if shutil.which("apt-get") is None:
        raise EngineUnavailable(
            f"This machine has no apt-get, so archi cannot install {names}: install Docker as "
            "https://docs.docker.com/engine/install/ says for your system, then run this again."
        )
    prefix = _as_root(f"apt-get install {names}")
    return [
        [*prefix, "apt-get", "update"],
        [
            *prefix,
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            *wanted,
        ],
    ]


def install(commands: Sequence[Sequence[str]], progress: Progress) -> None:
    """Run the commands of `plan_install`.

    Raises:
        EngineUnavailable: one failed; with its last line that says why.

    """
    for command in commands:
        progress(f"$ {' '.join(command)}")
        lines: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                progress(line.rstrip())
        if process.returncode != 0:
            errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
            raise EngineUnavailable(
                f"`{' '.join(command)}` failed with exit code {process.returncode}: "
                f"{' '.join(errors)}\nMend that, run the command by hand, then run this again."
            )


@dataclass(frozen=True)
class Daemon:
    """How to start dockerd where no systemd does it.

    Attributes:
        log: its output; appended to.
        host: the socket to listen on.
        pid_file: docker's own, which a daemon that was killed leaves behind.
        arguments: further ones.

    """

    log: Path
    host: str = DEFAULT_SOCKET
    pid_file: Path = Path("/var/run/docker.pid")
    arguments: tuple[str, ...] = ()


def start(daemon: Daemon, progress: Progress, *, systemd: bool | None = None) -> Engine:
    """Start the Engine that is installed here and wait until it answers.

    Args:
        daemon: how, where systemd does not run.
        progress: takes lines for a person.
        systemd: whether systemd runs services here; by default it is looked at.

    Raises:
        EngineUnavailable: it did not come up, with the daemon's own last error; or it needs
            root, with what to run.

    """
    found = inspect_engine(daemon.host)
    if found.usable:
        return found
    if Path("/run/systemd/system").is_dir() if systemd is None else systemd:
        command = [*_as_root("systemctl start docker"), "systemctl", "start", "docker"]
        progress(f"$ {' '.join(command)}")
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode != 0:
            raise EngineUnavailable(
                f"`{' '.join(command)}` failed: {ran.stderr.strip()}\n"
                "See `journalctl --unit docker --lines 20`."
            )
        return _wait(daemon, None)
    prefix = _as_root(f"setsid dockerd --host {daemon.host}")
    _forget_dead(daemon.pid_file, prefix)
    command = [
        *prefix,
        "dockerd",
        "--host",
        daemon.host,
        "--pidfile",
        str(daemon.pid_file),
        *daemon.arguments,
    ]
    progress(f"$ setsid {' '.join(command)}")
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    with daemon.log.open("ab") as log:
        # A session of its own: the daemon outlives this terminal.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return _wait(daemon, process)


def _wait(daemon: Daemon, process: subprocess.Popen[bytes] | None) -> Engine:
    deadline = time.monotonic() + START_SECONDS
    while not (found := inspect_engine(daemon.host)).usable:
        if found.state is State.NOT_PERMITTED:
            raise EngineUnavailable(found.explain())
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            how = "stopped at once" if ended else f"did not answer within {START_SECONDS:.0f} s"
            raise EngineUnavailable(
                f"dockerd {how}: {_last_error(daemon.log) or found.said}\nIts log: {daemon.log}"
            )
        time.sleep(0.2)  # between two looks
    return found


def _last_error(log: Path) -> str:
    """The last line of a daemon's log that says why it ended."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    marks = ("failed to start daemon", "level=fatal", "level=error", "unable to")
    telling = [line for line in lines if any(mark in line for mark in marks)]
    return (telling or lines or [""])[-1].strip()


def _forget_dead(pid_file: Path, prefix: list[str]) -> None:
    """Remove the pid file of a daemon that is gone.

    A new one that finds the pid taken, by whatever process, refuses to start.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd":
            return
    subprocess.run([*prefix, "rm", "--force", str(pid_file)], check=False, capture_output=True)


def _as_root(purpose: str) -> list[str]:
    """The words before a command that needs root; none if we are root.

    Raises:
        EngineUnavailable: neither root nor sudo without a password.

    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        asked = subprocess.run(["sudo", "--non-interactive", "true"], capture_output=True)
        if asked.returncode == 0:
            return ["sudo", "--non-interactive"]
    raise EngineUnavailable(
        f"This needs root, and sudo asks for a password: run `sudo {purpose}` yourself, then run "
        "this again."
    )
