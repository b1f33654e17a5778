"""Restarting services of a deployment, and waiting until they really answer again."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi import cancellation
from archi.deployments import containers, known
from archi.deployments.pulumi_state import Gate, StackState
from archi.deployments.services import NAMES, START_ORDER, STOP_GRACE_SECONDS

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

Say = Callable[[str], None]

_TIMEOUT_SECONDS = 600.0
"""For a service whose gate the state does not hold."""


class UnknownService(Exception):
    """No service of ours, or the deployment has none of it; the text names those that it has."""


class RestartError(Exception):
    """A service could not be stopped; the text says why."""


def chosen(deployment: known.Deployment, asked: Sequence[str]) -> list[str]:
    """The services to restart, in the order in which they start; all where none is named.

    Raises:
        UnknownService: one that is none, or that has no container.

    """
    have = [one.service for one in deployment.services if one.container]
    for name in asked:
        if name not in NAMES:
            raise UnknownService(f"There is no service {name!r}. Known: {', '.join(NAMES)}.")
        if name not in have:
            raise UnknownService(
                f"{deployment.name} has no {name}. It has: {', '.join(have) or 'nothing'}."
            )
    if not have:
        raise UnknownService(
            f"{deployment.name} has no containers. Mend: `pulumi up --refresh -s "
            f"{deployment.name}` makes them."
        )
    return [name for name in START_ORDER if name in (asked or have)]


def restart(
    client: docker.DockerClient, deployment: known.Deployment, services: Sequence[str], say: Say
) -> dict[str, float]:
    """Restart services one after the other, each waited for; gives their seconds until ready.

    Args:
        client: of the Engine.
        deployment: whose.
        services: what `chosen` gave.
        say: is told each phase once.

    Raises:
        NotReady: one does not answer; with cause and mend.
        RestartError: one could not be stopped.
        Cancelled: the user broke off; what was being restarted goes on starting.

    """
    ours = containers.services(containers.of(client, deployment.name))
    with _cancellable():
        return {
            name: _one(client, deployment.stack, name, ours[name], say)
            for name in services
            if name in ours
        }


def _one(
    client: docker.DockerClient,
    stack: StackState | None,
    service: str,
    container: Container,
    say: Say,
) -> float:
    from docker.errors import APIError

    from archi.readiness import PHASES, Target, wait

    if cancellation.cancelled():
        raise cancellation.Cancelled
    gate = _gate(stack, service, container.attrs)
    if container.status in ("running", "restarting", "paused"):
        say(f"[   0 s] {service}: stopping")
        try:
            if container.status == "paused":
                container.unpause()
            container.stop(timeout=STOP_GRACE_SECONDS[service])
        except APIError as error:
            raise RestartError(
                f"{service} could not be stopped: {error.explanation}. Mend: `docker restart "
                f"{container.name}`, or restart the Docker Engine."
            ) from None
    # It starts what is stopped, and reads the log from there.
    target = Target(
        service=service,
        container=str(container.id),
        probe=gate.probe,
        warm_up=gate.warm_up or None,
        phases=PHASES.get(service, ()),
        timeout=gate.timeout,
    )
    return wait(client, target, say)


def _gate(stack: StackState | None, service: str, attrs: dict[str, Any]) -> Gate:
    """How `up` waited for it; where the state does not say, by the container's health check."""
    if stack is not None and service in stack.gates:
        return stack.gates[service]
    test = (attrs["Config"].get("Healthcheck") or {}).get("Test") or ["CMD", "true"]
    kind, *words = test
    # The health check's watchdog ends a server, which is no question.
    command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words or ["true"]
    probe = tuple(word for word in command if word != "--watchdog")
    return Gate(service, probe, (), _TIMEOUT_SECONDS)


@contextmanager
def _cancellable() -> Iterator[None]:
    """Ctrl-C ends the wait between two looks, never in the middle of a stop; a second one at once.

    A container that was stopped is so always started again.
    """
    with tempfile.TemporaryDirectory(prefix="archi-") as folder:
        cancel = Path(folder) / "cancel"
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def interrupt(number: int, _frame: object) -> None:
            cancel.touch()
            signal.signal(number, before[signal.Signals(number)])

        variable = os.environ.get(cancellation.VARIABLE)
        os.environ[cancellation.VARIABLE] = str(cancel)
        for number in before:
            signal.signal(number, interrupt)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if variable is None:
                del os.environ[cancellation.VARIABLE]
            else:
                os.environ[cancellation.VARIABLE] = variable
