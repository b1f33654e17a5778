"""Finding the Docker Engine, and what is said and planned where there is none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from archi import docker_engine, docker_setup
from archi.docker_engine import DEFAULT_SOCKET, EngineUnavailable, State, connect, endpoint
from archi.docker_setup import install, plan_install

# As docker-py 7.2.0 words them.
_ASKING = "Error while fetching server API version: "
DENIED = _ASKING + "('Connection aborted.', PermissionError(13, 'Permission denied'))"
ABSENT = _ASKING + "('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))"
REFUSED = _ASKING + "('Connection aborted.', ConnectionRefusedError(111, 'Connection refused'))"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    return Machine(monkeypatch)


class Machine:
    """A machine as the code sees it: which programs it has, how its Engine answers, who we are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = {"apt-get", "dockerd", "debootstrap"}
        self.error = ABSENT
        self.asked: list[str] = []
        monkeypatch.setattr(shutil, "which", self._which)
        monkeypatch.setattr(docker, "from_env", self._from_env)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def _which(self, name: str, path: str | None = None) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def _from_env(self, environment: dict[str, str], **_: object) -> docker.DockerClient:
        self.asked.append(environment["DOCKER_HOST"])
        raise DockerException(self.error)


@pytest.mark.parametrize(
    ("error", "installed", "state", "words"),
    [
        (DENIED, True, State.NOT_PERMITTED, "sudo usermod -aG docker $USER"),
        (ABSENT, True, State.NOT_RUNNING, "systemctl start docker"),
        (REFUSED, True, State.NOT_RUNNING, "setsid dockerd"),
        (ABSENT, False, State.NOT_INSTALLED, "apt-get install docker.io iptables"),
    ],
)
def test_what_is_the_matter_with_this_machines_engine_and_its_mend(
    machine: Machine, error: str, installed: bool, state: State, words: str
) -> None:
    machine.error = error
    if not installed:
        machine.programs.discard("dockerd")
    found = docker_engine.inspect_engine()
    assert found.state is state
    assert not found.usable
    assert words in found.explain()


def test_connect_says_the_same(machine: Machine) -> None:
    with pytest.raises(EngineUnavailable, match="systemctl start docker"):
        connect()


def test_an_engine_that_the_user_named_is_theirs_to_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://gpu-box:2376")
    found = docker_engine.inspect_engine()
    assert machine.asked == ["tcp://gpu-box:2376"]
    assert found.state is State.UNREACHABLE
    assert "tcp://gpu-box:2376" in found.explain()
    assert plan_install("packages") == [], "nothing is installed here for an Engine elsewhere"


def test_an_unreachable_engine_is_not_installed_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    machine.programs.discard("dockerd")
    assert docker_engine.inspect_engine().state is State.UNREACHABLE
    assert plan_install("registry") == []


def test_the_docker_context_is_followed_and_docker_host_wins(tmp_path: Path) -> None:
    meta = tmp_path / "contexts/meta/abc/meta.json"
    meta.parent.mkdir(parents=True)
    host = "unix:///run/user/1000/docker.sock"
    meta.write_text(json.dumps({"Name": "rootless", "Endpoints": {"docker": {"Host": host}}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "rootless"}))
    assert endpoint({}, tmp_path) == host
    assert endpoint({"DOCKER_HOST": "tcp://x:1"}, tmp_path) == "tcp://x:1"
    assert endpoint({"DOCKER_CONTEXT": "default"}, tmp_path) == DEFAULT_SOCKET


@pytest.mark.parametrize("config", ["", "{", "[]", '{"auths": {}}', '{"currentContext": "gone"}'])
def test_a_docker_configuration_without_a_usable_context_means_the_default(
    tmp_path: Path, config: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    assert endpoint({}, tmp_path) == DEFAULT_SOCKET


def test_the_plan_names_every_command_and_package(machine: Machine) -> None:
    machine.programs = {"apt-get"}
    update, install_command = plan_install("packages")
    assert update == ["apt-get", "update"]
    assert install_command[-4:] == [
        "docker.io",
        "iptables",
        "debootstrap",
        "debian-archive-keyring",
    ]
    assert plan_install("registry")[1][-2:] == ["docker.io", "iptables"]


def test_nothing_is_planned_where_everything_is_installed(machine: Machine) -> None:
    assert plan_install("packages") == []


def test_without_apt_it_says_what_to_install_and_stops(machine: Machine) -> None:
    machine.programs = set()
    with pytest.raises(EngineUnavailable, match=r"docker\.io iptables.*docs\.docker\.com"):
        plan_install("registry")


def test_without_root_it_says_what_to_run_and_stops(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.programs = {"apt-get"}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineUnavailable, match=r"sudo apt-get install docker\.io iptables"):
        plan_install("registry")


def test_a_failed_installation_shows_apts_own_error(capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    command = ["sh", "-c", "echo Reading...; echo 'E: Unable to locate package'; exit 100"]
    with pytest.raises(EngineUnavailable, match=r"exit code 100: E: Unable to locate package"):
        install([command], lines.append)
    assert "Reading..." in lines


def test_the_last_error_of_a_daemon_is_found_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "dockerd.log"
    log.write_text(
        'level=info msg="Starting up"\n'
        "failed to start daemon: Error initializing network controller\n"
        "exit\n"
    )
    assert docker_setup._last_error(log).startswith("failed to start daemon")
    assert docker_setup._last_error(tmp_path / "absent") == ""
