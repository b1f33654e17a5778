"""Pulling a public image with progress that moves."""

from __future__ import annotations

from collections.abc import Callable

import docker
from docker.errors import APIError, ImageNotFound

from archi.images import ImageError


def pull(client: docker.DockerClient, reference: str, progress: Callable[[str], None]) -> None:
    """Pull an image unless it is there.

    Args:
        client: the Engine that pulls.
        reference: name with a tag, and a digest if known.
        progress: is told how much of the layers is there, in GB.

    Raises:
        ImageError: the registry can't be reached or has no such image.

    """
    try:
        client.images.get(reference)
    except ImageNotFound:
        pass
    else:
        return
    layers: dict[str, tuple[int, int]] = {}
    try:
        for event in client.api.pull(reference, stream=True, decode=True):
            if "error" in event:
                raise _failure(reference, str(event["error"]))
            detail = event.get("progressDetail") or {}
            if event.get("status") == "Downloading" and detail.get("total"):
                layers[event["id"]] = (detail["current"], detail["total"])
            elif event.get("status") in ("Download complete", "Pull complete"):
                total = layers.get(event["id"], (0, 0))[1]
                layers[event["id"]] = (total, total)
            done, total = (
                (sum(part) for part in zip(*layers.values(), strict=True)) if layers else (0, 0)
            )
            progress(f"pulling {reference}: {done / 1e9:.2f} of {total / 1e9:.2f} GB")
    except APIError as error:
        raise _failure(reference, str(error.explanation)) from None


def _failure(reference: str, said: str) -> ImageError:
    return ImageError(
        f"{reference} could not be pulled: {said}\nMend: check its name and the network; a proxy "
        "for pulls is set in the Docker daemon. Where no registry is in reach, set archi:source "
        "to packages."
    )
