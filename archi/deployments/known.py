"""Which deployments there are, and how each is."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi import project
from archi.deployments import containers, pulumi_state
from archi.deployments.containers import ServiceState
from archi.deployments.pulumi_state import StackState
from archi.deployments.services import START_ORDER

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container


class State(StrEnum):
    """How a deployment is, all services together."""

    RUNNING = "running"
    STARTING = "starting"
    DEGRADED = "degraded"
    """Some of it runs, and some is missing, ended or unhealthy."""
    STOPPED = "stopped"
    """Its containers are there and none runs."""
    ABSENT = "absent"
    """Pulumi has its state, Docker nothing of it: destroyed, or removed by hand."""
    NEVER_DEPLOYED = "never-deployed"


class UnknownDeployment(Exception):
    """No stack file, no state and no container bears this name; the text names those that do."""


@dataclass(frozen=True)
class Deployment:
    """A deployment as its stack file, Pulumi's state and Docker know it.

    Attributes:
        name: its stack's.
        services: those that it has or should have, in the order in which they start.
        model: as clients name it; None where nobody says it.
        url: of the chat application, else of vLLM; None where it has none.
        stack_file: where there is one.
        shipped: whether that file came with archi, or is kept in git.
        stack: Pulumi's state; None where it has none.

    """

    name: str
    services: tuple[ServiceState, ...]
    model: str | None
    url: str | None
    stack_file: Path | None
    shipped: bool
    stack: StackState | None

    @property
    def state(self) -> State:
        return overall(self.services, has_state=self.stack is not None)

    @property
    def created(self) -> datetime | None:
        """When its oldest container was made."""
        return min((one.created for one in self.services if one.created), default=None)


def overall(services: Sequence[ServiceState], *, has_state: bool) -> State:
    """The state of a deployment from that of its services."""
    present = [one for one in services if one.state != containers.MISSING]
    if not present:
        return State.ABSENT if has_state else State.NEVER_DEPLOYED
    if all(one.well for one in services):
        return State.RUNNING
    if all(one.state in ("exited", "created", "dead") for one in present):
        return State.STOPPED
    if all(one.well or one.starting for one in services):
        return State.STARTING
    return State.DEGRADED


def survey(client: docker.DockerClient, root: Path, *, every: bool = False) -> list[Deployment]:
    """All deployments: with containers, with a state, or with a stack file of one's own.

    Args:
        client: of the Engine.
        root: the checkout.
        every: also those of shipped stack files that were never deployed.

    Raises:
        Refused: the backend can't be read.

    """
    labelled = containers.by_deployment(client)
    files, ours = set(project.stacks(root)), of_the_project(root)
    names = labelled.keys() | pulumi_state.stacks() | (files if every else files - ours)
    return [_deployment(root, name, labelled.get(name, ()), ours) for name in sorted(names)]


def find(client: docker.DockerClient, root: Path, name: str) -> Deployment:
    """One deployment by its whole name.

    Raises:
        UnknownDeployment: there is none; the known ones are listed.
        Refused: the backend can't be read.

    """
    found = _deployment(root, name, containers.of(client, name), of_the_project(root))
    if found.stack_file is None and found.stack is None and not found.services:
        raise UnknownDeployment(unknown(name, names(client, root)))
    return found


def names(client: docker.DockerClient, root: Path) -> list[str]:
    """Names of all deployments, those of shipped stack files that were never deployed left out."""
    files = set(project.stacks(root)) - of_the_project(root)
    return sorted(containers.by_deployment(client).keys() | pulumi_state.stacks() | files)


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say of a deployment that is none."""
    near = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(known) if known else "none yet; `archi create` makes one"
    return f"There is no deployment {name!r}.{guess} Known here: {listed}."


def of_the_project(root: Path) -> set[str]:
    """Names of the stacks whose files came with archi, or are kept in git otherwise."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "stacks"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except OSError:  # there is no git
        listed = ""
    begin, end = "Pulumi.", ".yaml"
    tracked = (Path(path).name for path in listed.split("\0") if path)
    return set(project.SHIPPED) | {
        name.removeprefix(begin).removesuffix(end)
        for name in tracked
        if name.startswith(begin) and name.endswith(end)
    }


def _deployment(root: Path, name: str, labelled: Iterable[Container], ours: set[str]) -> Deployment:
    stack = pulumi_state.read(name)
    file = project.stack_file(root, name)
    running = containers.services(list(labelled))
    expected = running.keys() | (stack.containers.keys() if stack else set())
    services = tuple(
        _state(service, running[service], stack) if service in running else ServiceState(service)
        for service in START_ORDER
        if service in expected
    )
    attrs = {service: container.attrs for service, container in running.items()}
    outputs = stack.outputs if stack else {}
    has_file = file.is_file()
    return Deployment(
        name=name,
        services=services,
        model=outputs.get("model") or _model(attrs) or (_planned(root, name) if has_file else None),
        url=_url(outputs, services),
        stack_file=file if has_file else None,
        shipped=name in ours,
        stack=stack,
    )


def _state(service: str, container: Container, stack: StackState | None) -> ServiceState:
    """How a service is; one that answers is healthy, though Docker has not asked it yet.

    Docker says "starting" until its first health check, which is long after `up` saw an answer.
    """
    from docker.errors import APIError

    found = containers.state_of(service, container.attrs)
    gate = stack.gates.get(service) if stack else None
    if not found.starting or gate is None:
        return found
    with contextlib.suppress(APIError):  # it ended meanwhile
        if container.exec_run(list(gate.probe)).exit_code == 0:
            return replace(found, health="healthy")
    return found


def _url(outputs: Mapping[str, Any], services: Sequence[ServiceState]) -> str | None:
    by_name = {one.service: one for one in services}
    for service, output in (("chatbot", "chat_url"), ("vllm-server", "vllm_url")):
        if (one := by_name.get(service)) and one.container:
            return outputs.get(output) or one.url
    return None


def _model(attrs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The model that the running server's command line names."""
    if "vllm-server" not in attrs:
        return None
    command = attrs["vllm-server"]["Config"].get("Cmd") or []
    return option(command, "--served-model-name")


def option(command: Sequence[str], flag: str) -> str | None:
    """The value behind a flag of a command line."""
    for word, following in itertools.pairwise(command):
        if word == flag:
            return following
    return None


def _planned(root: Path, name: str) -> str | None:
    """The model that a stack file names; None where the file can't be used."""
    from yaml import YAMLError

    from archi.settings import SettingsError  # takes its time to load
    from archi.stack_settings import plain

    try:
        return plain(root, name).served_model
    except (SettingsError, YAMLError):
        return None
