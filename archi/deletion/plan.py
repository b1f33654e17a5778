"""What deleting a deployment would remove, known before anything is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi import project, pulumi_cli
from archi.deletion import images as unused_images
from archi.deployments import containers, known, pulumi_state
from archi.deployments.pulumi_state import StackState
from archi.names import LABEL_DEPLOYMENT, LABEL_ROLE, MODELS_VOLUME

if TYPE_CHECKING:
    import docker

CONTENT = {
    "conversations": "the conversations (SQLite)",
    "postgres": "the database: all conversations",
    "files": "generated secrets (session key, database password, API key) and small files",
    "vllm-cache": "what vLLM compiled; it is made again at the next start",
}
"""What a volume of ours holds, by its role."""


@dataclass(frozen=True)
class Volume:
    """A volume with data: its name, and what is in it."""

    name: str
    content: str


@dataclass(frozen=True)
class Plan:
    """What a deletion removes.

    Attributes:
        name: the deployment's.
        containers: names of its containers.
        networks: names of its networks.
        volumes: its volumes with data, found by label.
        with_data: whether they go too.
        images: references of images that nothing else uses; empty where they are to stay.
        stack: Pulumi's state; None where it has none.
        by_label: why Pulumi can't destroy it, so that all goes by label; empty where it can.
        stack_file: its stack file; None where there is none.
        file_stays: why the stack file stays; empty where it goes.

    """

    name: str
    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[Volume, ...]
    with_data: bool
    images: tuple[str, ...]
    stack: StackState | None
    by_label: str
    stack_file: Path | None
    file_stays: str

    @property
    def empty(self) -> bool:
        """Whether nothing is there that it would remove."""
        return not (
            self.containers
            or self.networks
            or (self.with_data and self.volumes)
            or self.images
            or self.stack is not None
            or (self.stack_file and not self.file_stays)
        )


def plan(
    client: docker.DockerClient,
    root: Path,
    name: str,
    *,
    data: bool = False,
    images: bool = False,
    keep_file: bool = False,
) -> Plan:
    """What deleting a deployment would remove; changes nothing.

    Args:
        client: of the Engine.
        root: the checkout.
        name: the deployment's, whole.
        data: remove its volumes too.
        images: remove the images too that nothing else uses.
        keep_file: leave the stack file.

    Raises:
        UnknownDeployment: nothing of that name is there, its kept data included.
        Refused: Pulumi's backend can't be read.

    """
    label: dict[str, Any] = {"label": f"{LABEL_DEPLOYMENT}={name}"}
    ours = containers.of(client, name)
    networks = client.networks.list(filters=label)
    volumes = [one for one in client.volumes.list(filters=label) if one.name != MODELS_VOLUME]
    stack, file = pulumi_state.read(name), project.stack_file(root, name)
    if not (ours or networks or volumes or stack or file.is_file()):
        raise known.UnknownDeployment(known.unknown(name, known.names(client, root)))
    stays = ""
    if name in known.of_the_project(root):
        stays = "it came with archi" if name in project.SHIPPED else "it is kept in git"
    return Plan(
        name=name,
        containers=tuple(sorted(str(one.name) for one in ours)),
        networks=tuple(sorted(str(one.name) for one in networks)),
        volumes=tuple(
            Volume(str(one.name), CONTENT.get(_role(one.attrs), "data"))
            for one in sorted(volumes, key=lambda one: str(one.name))
        ),
        with_data=data,
        images=unused_images.unused(client, root, name, stack) if images else (),
        stack=stack,
        by_label=_why_by_label(root, name, stack),
        stack_file=file if file.is_file() else None,
        file_stays=stays or ("--keep-files" if keep_file else ""),
    )


def _why_by_label(root: Path, name: str, stack: StackState | None) -> str:
    """Why Pulumi can't open this state; empty where it can, or there is nothing to open."""
    if stack is None or stack.salt is None or not stack.resources:
        return ""
    from archi import passphrase

    pulumi = pulumi_cli.prepare(name, root)
    given = pulumi.environment.get("PULUMI_CONFIG_PASSPHRASE")
    if given is None:
        file = Path(pulumi.environment["PULUMI_CONFIG_PASSPHRASE_FILE"])
        given = file.read_text().strip() if file.is_file() else ""
    if passphrase.opens(given, stack.salt):
        return ""
    return "its passphrase is not the one in use, so Pulumi can't open its state"


def _role(attrs: dict[str, Any]) -> str:
    return str((attrs.get("Labels") or {}).get(LABEL_ROLE, ""))
