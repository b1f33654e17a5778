"""The images of a deployment: public ones pulled, our own built, all by pinned name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker
from docker.errors import ImageNotFound
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from archi.docker_engine import connect
from archi.image_builds import ensure
from archi.images import ImageError, Kind, Source, image, vllm_reference
from archi.settings import Settings
from components.dynamic import Provider, done, gone, say

_PULL_TIMEOUT = pulumi.CustomTimeouts(create="2h")


class BuiltImageProvider(Provider):
    """Builds by the Engine's own builder; an image stays when its deployment goes."""

    keys = ("tag",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build the image unless its tag is there; raises ``ImageError``."""
        self._build(props)
        return CreateResult(props["kind"], done(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Build the image under its new tag; the old one stays for a way back."""
        self._build(_news)
        return UpdateResult(done(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the tag is still there."""
        try:
            connect().images.get(props["tag"])
        except ImageNotFound:
            return gone()
        return ReadResult(id_, props)

    def _build(self, props: dict[str, Any]) -> None:
        wanted = image(props["kind"], props["source"])
        if wanted.tag != props["tag"]:
            raise ImageError(
                f"The files of {wanted.name} changed while `pulumi up` ran ({props['tag']} was "
                f"planned, they make {wanted.tag}). Mend: run it again."
            )
        client = connect()
        if not client.images.list(name=wanted.tag):
            say(f"building {wanted.tag}")
        ensure(client, wanted, lambda _line: None)


class BuiltImage(Resource, module="archi", name="BuiltImage"):
    """An image of our own under the tag of its content."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        source: Source,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"kind": kind, "source": source, "tag": image(kind, source).tag, "done": None}
        super().__init__(BuiltImageProvider(), name, props, opts)


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
        built = BuiltImage(
            f"{kind}-image",
            kind,
            source,
            pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return built, image(kind, source).tag
