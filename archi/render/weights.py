"""What is asked for when a deployment's weights are brought."""

from __future__ import annotations

from archi.render.vllm import weights_path
from archi.settings import Settings
from archi.weights import Request


def weights_request(settings: Settings, image: str, token: str | None = None) -> Request:
    """What a deployment's settings ask for.

    Args:
        settings: its settings.
        image: of the container that brings the weights.
        token: for gated models.

    """
    return Request(
        deployment=settings.name,
        image=image,
        model=settings.model,
        revision=settings.services.vllm.revision,
        target=str(weights_path(settings)),
        origin=settings.weights_from,
        endpoint=str(settings.hf_endpoint) if settings.hf_endpoint else None,
        token=token,
        offline=settings.services.vllm.offline,
        folder=settings.services.vllm.weights,
    )
