"""The public services that a deployment calls: all of them, in one table."""

from __future__ import annotations

from dataclasses import dataclass

import requests


@dataclass(frozen=True)
class Service:
    """A public service.

    Attributes:
        name: for people.
        probe: an address that answers without an account, if only with 401.
        used_for: what a deployment takes from it.

    """

    name: str
    probe: str
    used_for: str


REGISTRY = Service("Docker Hub", "https://registry-1.docker.io/v2/", "container images")
MODEL_HUB = Service(
    "Hugging Face",
    "https://huggingface.co/api/models/HuggingFaceTB/SmolLM2-135M-Instruct",
    "weights",
)

_TIMEOUT_SECONDS = 5
_ANSWERS = (200, 401)


def reachable(service: Service) -> bool:
    """Whether a service answers from here, through the proxy and CA of the environment."""
    try:
        status = requests.get(service.probe, timeout=_TIMEOUT_SECONDS).status_code
    except requests.RequestException:
        return False
    return status in _ANSWERS
