"""All drift of a deployment: of its containers, networks, volumes, images and small files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archi.deployments import containers, pulumi_state
from archi.deployments.known import Deployment
from archi.deployments.pulumi_state import StackState
from archi.deployments.services import STOP_GRACE_SECONDS
from archi.drift.container import foreign, of_container
from archi.drift.difference import Difference
from archi.names import LABEL_DEPLOYMENT
from archi.render.places import FILES_PATH

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container


def of_deployment(client: docker.DockerClient, deployment: Deployment) -> list[Difference]:
    """What differs between the stack's state and Docker; empty where all is as deployed.

    A deployment that was destroyed, or never made, has no drift.
    """
    stack, name = deployment.stack, deployment.name
    ours = containers.services(containers.of(client, name))
    if stack is None or not stack.containers:
        return [_unknown_to_pulumi(name, service, one) for service, one in ours.items()]
    found = []
    for service, resource in stack.containers.items():
        if service in ours:
            found += _container(client, name, service, resource, ours[service])
        else:
            found.append(_missing(client, name, service, str(resource["inputs"]["name"])))
    found += [
        _unknown_to_pulumi(name, service, one)
        for service, one in ours.items()
        if service not in stack.containers
    ]
    return found + _shared(client, name, stack) + _files(name, stack, ours)


def _container(
    client: docker.DockerClient,
    deployment: str,
    service: str,
    resource: Mapping[str, Any],
    container: Container,
) -> list[Difference]:
    inputs, attrs = resource["inputs"], container.attrs
    refresh = f"`pulumi up --refresh -s {deployment}`"
    recreate = f"{_removal(service, container)}, then {refresh}."
    found = []
    if resource.get("id") != container.id:
        found.append(
            Difference(
                service,
                f"container {container.name}",
                str(resource.get("id"))[:12],
                f"{str(container.id)[:12]}, which Pulumi did not make",
                recreate,
            )
        )
    image = _image(client, str(attrs["Image"]))
    # Without the image nobody knows which variables are its own.
    environment = (image.get("Config") or {}).get("Env") or () if image else None
    found += of_container(service, inputs, attrs, environment, recreate=recreate)
    reference = str(attrs["Config"]["Image"])
    named = _image(client, reference).get("Id")
    if named != attrs["Image"]:
        found.append(
            Difference(
                service,
                f"image {reference}",
                _short(attrs["Image"]),
                _short(named) if named else None,
                f"{refresh} brings the image back; {recreate}" if named is None else recreate,
            )
        )
    return found


def _missing(client: docker.DockerClient, deployment: str, service: str, name: str) -> Difference:
    from docker.errors import NotFound

    try:
        other = client.containers.get(name)
    except NotFound:
        mend = f"`pulumi up --refresh -s {deployment}` makes a new one."
        return Difference(service, f"container {name}", "there", "gone", mend)
    return foreign(service, name, deployment, other.labels.get(LABEL_DEPLOYMENT))


def _unknown_to_pulumi(deployment: str, service: str, container: Container) -> Difference:
    return Difference(
        service,
        f"container {container.name}",
        None,
        "there, and Pulumi's state does not know it",
        f"{_removal(service, container)}, then `pulumi up --refresh -s {deployment}`; or `archi "
        f"delete -n {deployment}`.",
    )


def _removal(service: str, container: Container) -> str:
    """How a person removes it without harm: a database wants to be stopped first."""
    grace = STOP_GRACE_SECONDS.get(service, 10)
    return f"`docker stop -t {grace} {container.name} && docker rm {container.name}`"


def _shared(client: docker.DockerClient, deployment: str, stack: StackState) -> list[Difference]:
    """Networks and volumes that are gone, whatever lies on a path that a label would miss."""
    have: dict[str, set[str | None]] = {
        "network": {one.name for one in client.networks.list()},
        "volume": {one.name for one in client.volumes.list()},
    }
    wanted = [
        (kind, str(one["inputs"].get("name") or one["id"]))
        for kind, type_ in (("network", pulumi_state.NETWORK), ("volume", pulumi_state.VOLUME))
        for one in stack.of_type(type_)
    ]
    return [
        Difference(
            None,
            f"{kind} {name}",
            "there",
            "gone",
            f"`pulumi up --refresh -s {deployment}` makes a new one"
            + (", empty." if kind == "volume" else "."),
        )
        for kind, name in wanted
        if name not in have[kind]
    ]


def _files(deployment: str, stack: StackState, ours: Mapping[str, Container]) -> list[Difference]:
    """Small files whose content is not what was written; those with secrets are left out."""
    wanted = {
        str(FILES_PATH / path): hashlib.sha256(content.encode()).hexdigest()
        for path, content in stack.files.items()
    }
    reader = next((one for one in ours.values() if one.status == "running"), None)
    if not wanted or reader is None:
        return []
    now = _hashes(reader, list(wanted))
    if now is None:
        return []
    mend = f"`pulumi up -s {deployment} --replace '**::files-written'` writes it again."
    return [
        Difference(None, f"file {path}", "as written", "edited" if path in now else "gone", mend)
        for path, digest in wanted.items()
        if now.get(path) != digest
    ]


def _hashes(reader: Container, paths: list[str]) -> dict[str, str] | None:
    """SHA-256 by path, of those that can be read; None where the image can't compute it."""
    from docker.errors import APIError

    try:
        answer = reader.exec_run(["sha256sum", *paths])
    except APIError:
        return None
    if answer.exit_code not in (0, 1):  # 1: some file is missing
        return None
    output: bytes = answer.output  # type: ignore[assignment]  # it is not streamed
    found = {}
    for line in output.decode(errors="replace").splitlines():
        digest, _, path = line.partition("  ")
        if path in paths:
            found[path] = digest
    return found


def _image(client: docker.DockerClient, reference: str) -> dict[str, Any]:
    """What Docker says of an image; empty where it is not there."""
    from docker.errors import ImageNotFound

    try:
        attrs: dict[str, Any] = client.images.get(reference).attrs
    except ImageNotFound:
        return {}
    return attrs


def _short(image_id: object) -> str:
    return str(image_id).removeprefix("sha256:")[:12]
