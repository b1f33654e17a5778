"""The images of a deployment: public ones pulled, our own built, all by pinned name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from archi import deployment_images
from archi.images import Image
from archi.settings import Settings
from components.dynamic.built_image import BuiltImage

_PULL_TIMEOUT = pulumi.CustomTimeouts(create="2h")


@dataclass
class ImagesArgs:
    """Inputs of :class:`Images`."""

    settings: Settings


class Images(pulumi.ComponentResource):
    """The images of what is deployed.

    The tags are plain strings, known before anything is built: containers take them as literals
    and depend on the resources. Of what is not deployed the tag is empty and the resource None.
    """

    base_tag: str
    chat_tag: str = ""
    vllm_tag: str = ""
    weights_tag: str = ""
    postgres_tag: str = ""
    base: pulumi.Resource
    chat: pulumi.Resource | None = None
    vllm: pulumi.Resource | None = None
    weights: pulumi.Resource | None = None
    postgres: pulumi.Resource | None = None

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Images", name, None, opts)
        self._source = args.settings.source
        self._debian = deployment_images.debian(args.settings)
        wanted = deployment_images.of(args.settings)
        self.base, self.base_tag = self._resource("base", wanted.base)
        if wanted.vllm is not None:
            self.vllm, self.vllm_tag = self._resource("vllm", wanted.vllm)
            self.weights, self.weights_tag = self.vllm, self.vllm_tag
        if wanted.weights is not None and wanted.weights != wanted.vllm:
            self.weights, self.weights_tag = self._resource("weights", wanted.weights)
        if wanted.postgres is not None:
            self.postgres, self.postgres_tag = self._resource("postgres", wanted.postgres)
        if wanted.chat is not None:
            self.chat, self.chat_tag = self._resource("chat", wanted.chat)
        self.register_outputs({})

    def _resource(self, name: str, one: deployment_images.AnyImage) -> tuple[pulumi.Resource, str]:
        reference = deployment_images.reference(one)
        if isinstance(one, Image):
            # What an image is built on is built along with it; here it is only waited for.
            on = self.vllm if name == "weights" else getattr(self, "base", None)
            options = pulumi.ResourceOptions(parent=self, depends_on=[on] if on else [])
            built = BuiltImage(
                f"{one.kind}-image",
                kind=one.kind,
                source=self._source,
                debian=self._debian,
                tag=reference,
                opts=options,
            )
            return built, reference
        pulled = docker.RemoteImage(
            f"{name}-image",
            name=reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_PULL_TIMEOUT),
        )
        return pulled, reference
