"""Who holds a port of this host."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from archi import ssh_tunnel
from archi.names import LABEL_DEPLOYMENT

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp; Linux, include/net/tcp_states.h
_CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Holder:
    """A port that can't be had, and who has it.

    Attributes:
        port: the port.
        who: a container or process for people, such as ``container web (nginx:1)``.
        mend: how to make the port free.

    """

    port: int
    who: str
    mend: str


def holder(client: docker.DockerClient, port: int, deployment: str) -> Holder | None:
    """Who but the deployment's own containers listens on ``port``; None where it is free."""
    for container in client.api.containers():
        if port not in {published.get("PublicPort") for published in container["Ports"]}:
            continue
        if container["Labels"].get(LABEL_DEPLOYMENT) == deployment:
            return None
        name = container["Names"][0].lstrip("/")
        return Holder(port, f"container {name} ({container['Image']})", f"`docker stop {name}`")
    if not _local(client) or not _taken(port):
        return None
    for pid, command in _listeners(port):
        container = _container_of(client, pid)
        if container is None:
            return Holder(port, f"process {pid} ({command})", f"`kill {pid}`")
        if container.labels.get(LABEL_DEPLOYMENT) == deployment:
            return None
        return Holder(
            port,
            f"container {container.name} ({command}), which is on the host's network",
            f"`docker stop {container.name}`",
        )
    return Holder(port, "a process of another user", f"`sudo ss -ltnp 'sport = :{port}'` names it")


def _container_of(client: docker.DockerClient, pid: int) -> Container | None:
    """The container that a process of this host belongs to, by its control group."""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return None  # ended meanwhile
    for id_ in _CONTAINER_ID.findall(groups):
        with contextlib.suppress(NotFound):
            return client.containers.get(id_)
    return None


def _local(client: docker.DockerClient) -> bool:
    """Whether the Engine publishes ports on the machine that we run on."""
    here = str(client.api.base_url).startswith(("http+docker://", "http://localhost", "unix:"))
    return here and not ssh_tunnel.in_use()


def _taken(port: int) -> bool:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            if probe.connect_ex((address, port)) == 0:
                return True
    return False


def _listeners(port: int) -> Iterator[tuple[int, str]]:
    inodes = {
        fields[9]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in _rows(table)
        if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port
    }
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) not in sockets:
                continue
            process = descriptor.parent.parent
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue  # ended, or another user's
        yield int(process.name), command[:80]


def _rows(table: str) -> Iterator[list[str]]:
    with contextlib.suppress(OSError):
        for line in Path(table).read_text().splitlines()[1:]:
            yield line.split()
