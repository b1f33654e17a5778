"""Which images a deployment needs: public ones by reference, our own by what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

from archi.images import (
    DEBIAN_IMAGE,
    POSTGRES_IMAGE,
    VLLM_CPU_IMAGE,
    VLLM_GPU_IMAGE,
    Image,
    Kind,
    image,
)
from archi.settings import Settings

AnyImage = Image | str
"""An image of our own, or the reference of one that is pulled."""


@dataclass(frozen=True)
class DeploymentImages:
    """The images of what is deployed; None for what is not.

    ``weights`` is the image whose container brings the weights.
    """

    base: Image
    vllm: AnyImage | None
    weights: AnyImage | None
    postgres: AnyImage | None
    chat: Image | None

    def in_order(self) -> list[AnyImage]:
        """All of them once, each after what it is built on."""
        every = (self.base, self.vllm, self.weights, self.postgres, self.chat)
        return list(dict.fromkeys(one for one in every if one is not None))


def of(settings: Settings) -> DeploymentImages:
    """The images that the settings' deployment needs. Pure; needs no Docker.

    Raises:
        ImageError: files of an image are missing.

    """
    deployed, services = settings.deployed, settings.services

    def ours(kind: Kind) -> Image:
        return image(kind, settings.source, debian=debian(settings))

    def public_or_ours(own: str | None, public: str, kind: Kind) -> AnyImage:
        if own is None and settings.source == "packages":
            return ours(kind)
        return own or mirrored(public, settings.registry_mirror)

    vllm: AnyImage | None = None
    weights: AnyImage | None = None
    if "vllm-server" in deployed:
        public = VLLM_GPU_IMAGE if settings.gpu_ids else VLLM_CPU_IMAGE
        vllm = public_or_ours(services.vllm.image, public, "vllm-cpu")
        # Any vLLM image has the hub's client.
        weights = ours("weights-smollm2") if settings.weights_from == "packages" else vllm
    postgres = public_or_ours(services.postgres.image, POSTGRES_IMAGE, "postgres")
    return DeploymentImages(
        base=ours("base"),
        vllm=vllm,
        weights=weights,
        postgres=postgres if "postgres" in deployed else None,
        chat=ours("chat") if "chatbot" in deployed else None,
    )


def debian(settings: Settings) -> str:
    """The Debian image that ours are built on."""
    return settings.base_image or mirrored(DEBIAN_IMAGE, settings.registry_mirror)


def reference(one: AnyImage) -> str:
    """The name by which Docker knows it."""
    return one.tag if isinstance(one, Image) else one


def mirrored(public: str, mirror: str | None) -> str:
    """A public image's reference at a mirror: official ones lie below ``library/`` there."""
    if mirror is None:
        return public
    path = public if "/" in public else f"library/{public}"
    return f"{mirror.rstrip('/')}/{path}"
