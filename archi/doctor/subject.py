"""Whom doctor examines: a machine with its Docker Engine, and one of its deployments perhaps."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from archi.settings import Settings

if TYPE_CHECKING:
    import docker

_LOOPBACK_HOSTS = ("tcp://127.0.0.1", "tcp://localhost", "http://127.0.0.1", "http://localhost")
SERVICES = ("vllm-server", "chatbot", "postgres")
"""The roles of containers that stay; all others are one-shots."""


@dataclass(frozen=True)
class LiveEngine:
    """An Engine that answers.

    Attributes:
        client: of it; silent for a few seconds, it has not answered.
        version: of its ``/version``.
        info: of its ``/info``.
        asked_at: our clock, in seconds since the epoch, when it told its own in ``info``.

    """

    client: docker.DockerClient
    version: Mapping[str, Any]
    info: Mapping[str, Any]
    asked_at: float


@dataclass(frozen=True)
class Subject:
    """What is known before the checks begin.

    Attributes:
        name: the deployment's; None for the machine alone.
        root: the checkout.
        host: where the Engine was looked for, as in DOCKER_HOST.
        engine: None where it does not answer.
        settings: of the stack file; None without a name or with a file that can't be used.
        containers: what ``docker inspect`` says of the deployment's own, one-shots included.
        token: for gated models; None where none was given.
        gpu_container: whether a container may be started that looks at the GPUs.

    """

    name: str | None
    root: Path
    host: str
    engine: LiveEngine | None = None
    settings: Settings | None = None
    containers: tuple[Mapping[str, Any], ...] = ()
    token: str | None = None
    gpu_container: bool = False

    @property
    def here(self) -> bool:
        """Whether the Engine's machine is the one that we run on."""
        if not self.host.startswith(("unix://", *_LOOPBACK_HOSTS)):
            return False
        # Docker Desktop's Engine is in a virtual machine, a forwarded socket leads elsewhere, and
        # who runs in a container sees not the machine but the container.
        return self.engine is None or self.engine.info.get("Name") == socket.gethostname()

    @property
    def live(self) -> LiveEngine:
        """The Engine; for checks that run only where it answers."""
        return cast(LiveEngine, self.engine)

    @property
    def said(self) -> Settings:
        """The settings; for checks that run only where there are some."""
        return cast(Settings, self.settings)

    @property
    def wants_gpus(self) -> bool | None:
        """Whether the deployment takes GPUs; None where that is not known."""
        if self.settings is None:
            return None
        return bool(self.settings.gpu_ids) and "vllm-server" in self.settings.deployed

    def container(self, role: str) -> Mapping[str, Any] | None:
        """The container of a service, running or not."""
        for container in self.containers:
            if container["Config"]["Labels"].get("archi.role") == role:
                return container
        return None

    def running(self, role: str) -> Mapping[str, Any] | None:
        """The container of a service if it runs."""
        container = self.container(role)
        return container if container and container["State"]["Running"] else None


def label(container: Mapping[str, Any], key: str) -> str:
    """A label's value; empty where there is none."""
    return str((container["Config"].get("Labels") or {}).get(key, ""))


def name_of(container: Mapping[str, Any]) -> str:
    """Its name, without Docker's slash."""
    return str(container["Name"]).lstrip("/")


EXECUTE_SECONDS = 16
"""How long a command inside a container may take; less than the check that runs it."""


def execute(subject: Subject, container: Mapping[str, Any], command: list[str]) -> tuple[int, str]:
    """Run a command inside a container for `EXECUTE_SECONDS` at most; exit code and stdout.

    The exit code is 124 where it did not end in time (coreutils' ``timeout``).
    """
    api: Any = subject.live.client.api
    id_ = api.exec_create(
        container["Id"], ["timeout", str(EXECUTE_SECONDS), *command], stderr=False
    )["Id"]
    output: bytes = api.exec_start(id_)
    code = api.exec_inspect(id_)["ExitCode"]
    return int(code or 0), output.decode(errors="replace")
