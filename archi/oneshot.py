"""Containers that do one thing: run to the end, watched, and removed whatever happens."""

from __future__ import annotations

import io
import queue
import tarfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from archi.cancellation import Cancelled, cancelled


@dataclass(frozen=True)
class OneShot:
    """A container to run once.

    Attributes:
        name: its name; a leftover of an earlier run under this name is removed first.
        uploads: absolute path to content, written before the start, readable by root alone.
        volumes: volume name to mount path, ``:ro`` behind it for read-only.
        options: further keyword arguments of docker-py's ``containers.create``.

    """

    name: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, bytes] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How it ended: exit code and all lines of its output, oldest first."""

    exit_code: int
    lines: tuple[str, ...]


def run(
    client: docker.DockerClient,
    what: OneShot,
    on_line: Callable[[str], None] = lambda _line: None,
) -> Result:
    """Run it to its end; it is removed again also on failure and on cancellation.

    Raises:
        Cancelled: the user broke off; the container was stopped.
        docker.errors.APIError: Docker refused to create or start it.

    """
    remove(client, what.name)
    container = client.containers.create(
        what.image,
        list(what.command),
        name=what.name,
        labels=dict(what.labels),
        environment=dict(what.environment),
        volumes=[f"{volume}:{path}" for volume, path in what.volumes.items()],
        **what.options,
    )
    try:
        if what.uploads:
            container.put_archive("/", archive(what.uploads))
        container.start()
        lines = _follow(container, on_line)
        exit_code = int(container.wait()["StatusCode"])
        # What is followed may end before Docker has written the last lines down.
        for written in list(io.BytesIO(container.logs()))[len(lines) :]:
            lines.append(_text(written))
            on_line(lines[-1])
        return Result(exit_code, tuple(lines))
    finally:
        remove(client, what.name)


def remove(client: docker.DockerClient, name: str) -> None:
    """Remove a container by name, whatever its state; fine where there is none."""
    try:
        client.containers.get(name).remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if "is already in progress" not in str(error):
            raise


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar of files by absolute path, owned by root, mode 0400."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(content), 0o400, int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


def _follow(container: Container, on_line: Callable[[str], None]) -> list[str]:
    """All output lines until the container ends; looks for cancellation each second."""
    arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        rest = b""
        try:
            for chunk in container.logs(stream=True, follow=True):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    arrived.put(_text(line))
            if rest:
                arrived.put(_text(rest))
        finally:
            arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    lines: list[str] = []
    while True:
        try:
            line = arrived.get(timeout=1)
        except queue.Empty:
            if cancelled():
                raise Cancelled from None
            continue
        if line is None:
            return lines
        lines.append(line)
        on_line(line)
        if cancelled():
            raise Cancelled
