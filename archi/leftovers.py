"""What a killed run leaves, and how it is mended before the next one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi.cancellation import RUN_VARIABLE, exists

if TYPE_CHECKING:
    from archi.pulumi_cli import Pulumi


def mend(pulumi: Pulumi) -> None:
    """Mend what a killed run of this stack left: its lock, its pending creates, its containers.

    Says on stderr what it mends. Only a backend that is a folder of this machine is touched.
    """
    if pulumi.backend is None or pulumi.stack is None:
        return
    end_orphans()
    locks = pulumi.backend / ".pulumi" / "locks"
    dead = remove_dead_locks(locks, pulumi.stack)
    for pid in dead:
        _say(f"An earlier run (process {pid}) was killed; its lock on {pulumi.stack} is removed.")
    state = _state(pulumi)
    if _locks(locks, pulumi.stack):
        return  # somebody is at work: what looks left over may be theirs
    pending = _pending(state)
    if pending:
        _say(f"An earlier run was killed while it made {', '.join(pending)}; it is made anew.")
        _drop_pending(pulumi)
    if dead or pending:
        for name in remove_unknown_containers(pulumi.stack, json.dumps(state)):
            _say(f"Container {name} of an earlier, killed run is removed; it is made anew.")


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


def remove_dead_locks(folder: Path, stack: str) -> list[int]:
    """Remove locks of processes of this machine that are gone; gives their process ids."""
    dead = []
    for lock, content in _locks(folder, stack):
        if content.get("hostname") != socket.gethostname():
            continue
        pid = int(content.get("pid", 0))
        if not _is_running_pulumi(pid):
            lock.unlink(missing_ok=True)
            dead.append(pid)
    return dead


def remove_unknown_containers(deployment: str, state: str) -> list[str]:
    """Remove containers with the deployment's label whose id the state does not hold.

    Args:
        deployment: whose.
        state: the stack's state as text; a container's full id in it means it is known.

    """
    from docker.errors import DockerException

    from archi.docker_engine import connect
    from archi.names import LABEL_DEPLOYMENT

    removed = []
    # Without an Engine there is nothing to remove, and pulumi will say what is wrong with it.
    with contextlib.suppress(DockerException):
        client = connect()
        labelled = client.containers.list(
            all=True, filters={"label": f"{LABEL_DEPLOYMENT}={deployment}"}
        )
        for container in labelled:
            if str(container.id) not in state:
                container.remove(force=True)
                removed.append(str(container.name))
    return removed


def _locks(folder: Path, stack: str) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for lock in folder.glob(f"**/{stack}/*.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append((lock, json.loads(lock.read_text())))
    return found


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


def _pending(state: dict[str, Any]) -> list[str]:
    latest = state.get("checkpoint", {}).get("latest") or {}
    operations = latest.get("pending_operations") or []
    return [operation["resource"]["urn"].rsplit("::", 1)[-1] for operation in operations]


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
