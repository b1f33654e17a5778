"""What a killed run leaves, and how it is mended before the next one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi.cancellation import RUN_VARIABLE, exists

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

    from archi.pulumi_cli import Pulumi


@dataclass(frozen=True)
class Lock:
    """The lock of a run on a stack in a backend that is a folder.

    Attributes:
        path: its file.
        pid: of the process that took it; 0 where the file does not say.
        host: of that process.
        began: when it was taken, in seconds since 1970.

    """

    path: Path
    pid: int
    host: str
    began: float

    @property
    def here(self) -> bool:
        """Whether a process of this machine took it."""
        return self.host == socket.gethostname()

    @property
    def dead(self) -> bool:
        """Whether a process of this machine took it, and is gone."""
        return self.here and not _is_running_pulumi(self.pid)


def mend(pulumi: Pulumi) -> None:
    """Mend what a killed run of this stack left: its containers, its lock, its pending creates.

    Says on stderr what it mends. Only a backend that is a folder of this machine is touched. The
    lock goes after the containers: a mending that is killed begins anew.
    """
    if pulumi.backend is None or pulumi.stack is None:
        return
    end_orphans()
    found = locks(pulumi.backend / ".pulumi" / "locks", pulumi.stack)
    dead = [lock for lock in found if lock.dead]
    state = _state(pulumi)
    # While somebody is at work, what looks left over may be theirs.
    alone = len(dead) == len(found)
    if alone and (dead or pending(state)):
        began = min([lock.began for lock in dead] or [_saved(state)])
        _remove_containers(pulumi.stack, state, began)
    for lock in dead:
        lock.path.unlink(missing_ok=True)
        _say(
            f"An earlier run (process {lock.pid}) was killed; its lock on {pulumi.stack} is "
            "removed."
        )
    if alone and (names := pending(state)):
        _say(f"An earlier run was killed while it made {', '.join(names)}; it is made anew.")
        _drop_pending(pulumi)


def end_orphans() -> list[int]:
    """End the plugins of killed runs, known by the run in their environment; gives their ids."""
    ended = []
    marker = f"{RUN_VARIABLE}=".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, ValueError):
            entries = environ.read_bytes().split(b"\0")
            runs = [entry for entry in entries if entry.startswith(marker)]
            if runs and not exists(int(runs[0].removeprefix(marker))):
                os.kill(int(environ.parent.name), signal.SIGTERM)
                ended.append(int(environ.parent.name))
    return ended


def locks(folder: Path, stack: str) -> list[Lock]:
    """The locks on a stack, of runs at work and of killed ones."""
    found = []
    for path in folder.glob(f"**/{stack}/*.json"):
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text())
            pid, host = int(content.get("pid", 0)), str(content.get("hostname"))
            found.append(Lock(path, pid, host, path.stat().st_mtime))
    return found


def pending(state: Mapping[str, Any]) -> list[str]:
    """Names of the resources that were being made when the state was last written."""
    latest = state.get("checkpoint", {}).get("latest") or {}
    operations = latest.get("pending_operations") or []
    return [operation["resource"]["urn"].rsplit("::", 1)[-1] for operation in operations]


def unknown_containers(
    client: docker.DockerClient, deployment: str, state: str, began: float
) -> tuple[list[Container], list[Container]]:
    """Containers with the deployment's label that its state does not hold.

    A container that is older than the killed run is not of it: another state's, of a deployment
    of the same name by somebody else, or with another ARCHI_DIR.

    Args:
        client: of the Engine.
        deployment: whose.
        state: the stack's state as text; a container's full id in it means it is known.
        began: when the killed run began, in seconds since 1970.

    Returns:
        those of the killed run, and those that are older.

    """
    from archi.deployments import containers

    unknown = [one for one in containers.of(client, deployment) if str(one.id) not in state]

    def older(container: Container) -> bool:
        made = containers.moment(container.attrs["Created"])
        return made is None or made.timestamp() < began

    return [one for one in unknown if not older(one)], [one for one in unknown if older(one)]


def _remove_containers(stack: str, state: Mapping[str, Any], began: float) -> None:
    from docker.errors import DockerException

    from archi.docker_engine import connect

    # Without an Engine there is nothing to remove, and pulumi will say what is wrong with it.
    with contextlib.suppress(DockerException):
        theirs, older = unknown_containers(connect(), stack, json.dumps(state), began)
        for container in theirs:
            container.remove(force=True)
            _say(
                f"Container {container.name} of an earlier, killed run is removed; it is made anew."
            )
        for container in older:
            _say(
                f"Container {container.name} is not of this state, and older than the run that was "
                "killed: it is left alone. If nobody else deployed it, with an ARCHI_DIR of their "
                f"own, `docker rm -f {container.name}` makes room."
            )


def _is_running_pulumi(pid: int) -> bool:
    """Whether that process runs and is a pulumi: ids are given again, after a reboot above all."""
    if not exists(pid):
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == "pulumi"
    return True


def _state(pulumi: Pulumi) -> dict[str, Any]:
    """The stack's state; empty where it has none yet."""
    assert pulumi.backend is not None  # noqa: S101 - mend() has looked
    path = pulumi.backend / ".pulumi" / "stacks" / "archi" / f"{pulumi.stack}.json"
    with contextlib.suppress(OSError, ValueError):
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    return {}


def _saved(state: Mapping[str, Any]) -> float:
    """When the state was last written, in seconds since 1970; now where it does not say."""
    from archi.deployments.containers import moment

    latest = state.get("checkpoint", {}).get("latest") or {}
    saved = moment((latest.get("manifest") or {}).get("time"))
    return saved.timestamp() if saved else time.time()


def _drop_pending(pulumi: Pulumi) -> None:
    exported = json.loads(pulumi.output(["stack", "export", "-s", str(pulumi.stack)]))
    exported["deployment"].pop("pending_operations", None)
    mended = Path(pulumi.environment["PULUMI_HOME"]) / f"mended-{pulumi.stack}-{os.getpid()}.json"
    try:
        mended.touch(mode=0o600)
        mended.write_text(json.dumps(exported))
        pulumi.output(["stack", "import", "-s", str(pulumi.stack), "--file", str(mended)])
    finally:
        mended.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
