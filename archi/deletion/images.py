"""The images of a deployment that nothing else uses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archi import project
from archi.deployments import containers, pulumi_state
from archi.deployments.pulumi_state import StackState

if TYPE_CHECKING:
    import docker


def unused(
    client: docker.DockerClient, root: Path, name: str, stack: StackState | None
) -> tuple[str, ...]:
    """References of this deployment's images that are here and that nothing else uses."""
    from docker.errors import ImageNotFound

    ours = containers.of(client, name)
    wanted = set(stack.images) if stack else set()
    wanted |= {str(one.attrs["Config"]["Image"]) for one in ours} | _planned(root, name)
    own_ids = {one.id for one in ours}
    used = {
        str(one["ImageID"]) for one in client.api.containers(all=True) if one["Id"] not in own_ids
    }
    others = [other for other in pulumi_state.stacks() if other != name]
    for other in others:
        if state := pulumi_state.read(other):
            wanted -= state.images
    found = {}
    for reference in sorted(wanted):
        with contextlib.suppress(ImageNotFound):
            found[reference] = str(client.images.get(reference).id)
    return tuple(reference for reference, id_ in found.items() if id_ not in used)


def _planned(root: Path, name: str) -> set[str]:
    """The images that the stack file asks for: after a killed delete the state is empty."""
    from yaml import YAMLError

    from archi import deployment_images
    from archi.images import ImageError
    from archi.settings import SettingsError
    from archi.stack_settings import plain

    if not project.stack_file(root, name).is_file():
        return set()
    try:
        images = deployment_images.of(plain(root, name)).in_order()
    except (ImageError, SettingsError, YAMLError):
        return set()
    return {deployment_images.reference(one) for one in images}


def remove(
    client: docker.DockerClient, references: Sequence[str], say: Callable[[str], None]
) -> None:
    """Remove images; one that others are built on goes after them, or stays, said so."""
    from docker.errors import APIError, ImageNotFound

    left: dict[str, str] = dict.fromkeys(references, "")
    before = len(left) + 1
    while left and len(left) < before:
        before = len(left)
        for reference in list(left):
            try:
                client.images.remove(reference)
            except ImageNotFound:
                pass
            except APIError as error:
                left[reference] = str(error.explanation)
                continue
            else:
                say(f"removed image {reference}")
            del left[reference]
    for reference, why in left.items():
        say(f"image {reference} stays: {why}")
