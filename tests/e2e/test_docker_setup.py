"""Starting a Docker daemon where no systemd does it: real daemons, apart from the machine's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from archi.docker_engine import EngineUnavailable, State, inspect_engine
from archi.docker_setup import Daemon, start
from tests.dockerd import isolated_daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of the test's own, not yet started."""
    with isolated_daemon(tmp_path) as made:
        yield made


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
