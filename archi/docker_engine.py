"""The Docker Engine that archi works with: where it is, whether it answers, and a client of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import docker
from docker.errors import DockerException

from archi import ssh_tunnel

DEFAULT_SOCKET = "unix:///var/run/docker.sock"

CLIENT_TIMEOUT = 600
"""Seconds that the Engine may be silent within one answer: an import or a build step is."""


class EngineUnavailable(DockerException):
    """No Docker Engine to work with; the text says why and what to install or run."""


class State(StrEnum):
    """What stands between us and an Engine."""

    RUNNING = "running"
    NOT_PERMITTED = "not permitted"
    NOT_RUNNING = "not running"
    NOT_INSTALLED = "not installed"
    UNREACHABLE = "unreachable"
    """An Engine that the user named (DOCKER_HOST, docker context) is silent: theirs to start."""


@dataclass(frozen=True)
class Engine:
    """The Engine as found.

    Attributes:
        state: whether it can be used.
        host: where it was looked for, as in DOCKER_HOST.
        version: of the Engine, such as ``28.2.2``; empty unless it answers.
        said: the error that it, or the way to it, gave; empty if it answers.

    """

    state: State
    host: str
    version: str = ""
    said: str = ""

    @property
    def usable(self) -> bool:
        return self.state is State.RUNNING

    def explain(self) -> str:
        """What is the matter, and what to run, for a person."""
        return _EXPLANATIONS[self.state].format(
            host=self.host, version=self.version, said=self.said
        )


_EXPLANATIONS = {
    State.RUNNING: "Docker Engine {version} answers at {host}.",
    State.NOT_PERMITTED: (
        "Docker runs, but you may not use {host}: run `sudo usermod -aG docker $USER`, then log in "
        "again (or run `newgrp docker` in this terminal). Know that members of that group are as "
        "mighty as root."
    ),
    State.NOT_RUNNING: (
        "Docker is installed, but nothing answers at {host}: run `sudo systemctl start docker`, or "
        "where there is no systemd `sudo setsid dockerd`."
    ),
    State.NOT_INSTALLED: (
        "Docker is not installed: run `sudo apt-get install docker.io iptables` on Debian or "
        "Ubuntu; for other systems see https://docs.docker.com/engine/install/."
    ),
    State.UNREACHABLE: (
        "The Docker Engine at {host} does not answer ({said}): start it, or unset DOCKER_HOST "
        "(`docker context use default`) to use this machine's own."
    ),
}


def connect(host: str | None = None) -> docker.DockerClient:
    """A client of the Engine that DOCKER_HOST, else the docker context, else the default names.

    Raises:
        EngineUnavailable: it does not answer; the text says what to run.

    """
    found, client = _ask(host)
    if client is None:
        raise EngineUnavailable(found.explain())
    return client


def inspect_engine(host: str | None = None) -> Engine:
    """Find out what stands between us and an Engine; changes nothing.

    Args:
        host: as in DOCKER_HOST; by default what `connect` takes.

    """
    found, client = _ask(host)
    if client is not None:
        client.close()
    return found


def endpoint(environment: Mapping[str, str], config: Path) -> str:
    """Where docker's own command line would look for its Engine.

    Args:
        environment: DOCKER_HOST and DOCKER_CONTEXT are read.
        config: docker's configuration folder, ``~/.docker``.

    """
    if host := environment.get("DOCKER_HOST"):
        return host
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        name = environment.get("DOCKER_CONTEXT") or str(
            json.loads((config / "config.json").read_text())["currentContext"]
        )
        for meta in (config / "contexts" / "meta").glob("*/meta.json"):
            context = json.loads(meta.read_text())
            if context["Name"] == name:
                return str(context["Endpoints"]["docker"]["Host"])
    return DEFAULT_SOCKET


def is_local() -> bool:
    """Whether the Engine is this machine's own, and so this machine's GPUs and ports are its."""
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    return endpoint(os.environ, config).startswith(("unix://", "npipe://"))


def _ask(host: str | None) -> tuple[Engine, docker.DockerClient | None]:
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    host = host or endpoint(os.environ, config)
    try:
        # from_env for the TLS settings that go with DOCKER_HOST.
        client = docker.from_env(
            timeout=CLIENT_TIMEOUT,
            environment={**os.environ, "DOCKER_HOST": ssh_tunnel.local(host)},
        )
        version = str(client.version()["Version"])
    except (DockerException, OSError) as error:
        installed = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        return Engine(_state(host, str(error), installed is not None), host, said=str(error)), None
    return Engine(State.RUNNING, host, version), client


def _state(host: str, error: str, installed: bool) -> State:
    """The state of an Engine that did not answer."""
    if host.startswith("ssh://"):
        return State.UNREACHABLE
    if "Permission denied" in error or "PermissionError" in error:
        return State.NOT_PERMITTED
    if host != DEFAULT_SOCKET:
        return State.UNREACHABLE
    return State.NOT_RUNNING if installed else State.NOT_INSTALLED
