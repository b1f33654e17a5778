"""Starting a Docker daemon where no systemd does it: real daemons, apart from the machine's own."""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archi.docker_engine import EngineUnavailable, State, inspect_engine
from archi.docker_setup import Daemon, start


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon with folders, socket, pid file and network of its own; ended by its pid.

    The namespaces are not for tidiness: a dockerd with ``--bridge=none`` deletes the host's
    docker0, the bridge of the machine's own Engine, and leaves its mounts when it ends.
    """
    isolated = tmp_path / "bin" / "dockerd"
    isolated.parent.mkdir()
    isolated.write_text(f'#!/bin/sh\nexec unshare --net --mount {shutil.which("dockerd")} "$@"\n')
    isolated.chmod(0o755)
    monkeypatch.setenv("PATH", f"{isolated.parent}:{os.environ['PATH']}")
    # A socket's path may have 108 characters, which pytest's folders exceed.
    short = Path(tempfile.mkdtemp(prefix="dockerd-"))
    arguments = (
        f"--data-root={short}/data",
        f"--exec-root={short}/exec",
        "--bridge=none",
        "--iptables=false",
        "--storage-driver=vfs",
    )
    made = Daemon(tmp_path / "dockerd.log", f"unix://{short}/sock", short / "pid", arguments)
    yield made
    if made.pid_file.exists():
        pid = int(made.pid_file.read_text())
        process = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        # A pidfd is readable when its process has ended.
        assert select.select([process], [], [], 30)[0], "the daemon did not end"
        os.close(process)
    shutil.rmtree(short, ignore_errors=True)


def test_a_started_daemon_answers_and_a_second_start_leaves_it(daemon: Daemon) -> None:
    said: list[str] = []
    engine = start(daemon, said.append, systemd=False)
    assert engine.state is State.RUNNING
    assert engine.version
    assert any("dockerd" in line for line in said), "what is run is shown"
    pid = daemon.pid_file.read_text()
    assert start(daemon, said.append, systemd=False).usable
    assert daemon.pid_file.read_text() == pid


def test_the_pid_file_of_a_dead_daemon_does_not_stand_in_the_way(daemon: Daemon) -> None:
    # Our own pid is taken, by something that is no dockerd: dockerd alone would refuse.
    daemon.pid_file.write_text(str(os.getpid()))
    assert start(daemon, lambda _: None, systemd=False).usable
    assert int(daemon.pid_file.read_text()) != os.getpid()


def test_a_daemon_that_cannot_start_is_reported_with_its_own_error(daemon: Daemon) -> None:
    arguments = (*daemon.arguments[:-1], "--storage-driver=no-such")
    broken = Daemon(daemon.log, daemon.host, daemon.pid_file, arguments)
    said = r"stopped at once: failed to start daemon: .*graphdriver.*driver not supported"
    with pytest.raises(EngineUnavailable, match=said) as refused:
        start(broken, lambda _: None, systemd=False)
    assert str(daemon.log) in str(refused.value)


def test_a_user_outside_the_docker_group_is_told_the_command() -> None:
    groups = os.getgroups()
    os.setgroups([])
    os.seteuid(65534)
    try:
        told = inspect_engine().explain()
    finally:
        os.seteuid(0)
        os.setgroups(groups)
    assert "sudo usermod -aG docker" in told


def test_a_socket_that_nobody_listens_on_is_unreachable(tmp_path: Path) -> None:
    assert inspect_engine(f"unix://{tmp_path}/none.sock").state is State.UNREACHABLE
