"""The chat application's own commands, run in its container: ``python -m chatbot user …``."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archi.deployments import containers

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container


class ChatProgramError(Exception):
    """The command can't be run, or was refused; the text says why and the mend."""


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        exit_code: 0 where it did what was asked.
        out: what it wrote to standard output.
        err: what it wrote to standard error, without a line end.

    """

    exit_code: int
    out: str
    err: str


def run(
    client: docker.DockerClient, deployment: str, arguments: Sequence[str], stdin: str = ""
) -> str:
    """Run a command of the chat application; gives what it wrote to standard output.

    Args:
        client: of the Engine that runs the container.
        deployment: whose chat application.
        arguments: after ``python -m chatbot``; never a secret, for they show in lists of processes.
        stdin: what it reads from standard input: where a password goes.

    Raises:
        ChatProgramError: the container does not run, or the command was refused.

    """
    container = containers.services(containers.of(client, deployment)).get("chatbot")
    if container is None or container.status != "running":
        state = container.status if container is not None else "not there"
        raise ChatProgramError(
            f"The chat application of {deployment} is {state}, and its accounts are asked for in "
            f"its container. Mend: `pulumi up --refresh -s {deployment}` brings it back."
        )
    done = execute(container, ["python", "-m", "chatbot", *arguments], stdin)
    if done.exit_code != 0:
        lines = done.err.splitlines()
        raise ChatProgramError(lines[-1] if lines else f"exit code {done.exit_code}")
    return done.out


def execute(container: Container, command: Sequence[str], stdin: str) -> Done:
    """As ``docker exec -i`` does: standard input is sent, and closed behind it."""
    from docker.utils.socket import consume_socket_output, demux_adaptor, frames_iter

    api = container.client.api  # type: ignore[union-attr]  # it came from a client
    started = api.exec_create(container.id, list(command), stdin=True)
    stream = api.exec_start(started["Id"], socket=True)
    raw: Any = getattr(stream, "_sock", stream)
    try:
        raw.sendall(stdin.encode())
        with contextlib.suppress(OSError, AttributeError):  # TLS has no half of a connection
            raw.shutdown(socket.SHUT_WR)
        frames = (demux_adaptor(*frame) for frame in frames_iter(stream, tty=False))  # type: ignore[no-untyped-call]
        out, err = consume_socket_output(frames, demux=True)
    finally:
        stream.close()
    code = api.exec_inspect(started["Id"])["ExitCode"]
    return Done(int(code), _text(out), _text(err).strip())


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")
