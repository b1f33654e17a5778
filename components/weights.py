"""The model's weights, there before the server that serves them is touched."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from archi import render
from archi.names import MODELS_VOLUME, Names
from archi.settings import Settings
from components.dynamic.downloaded_weights import DownloadedWeights
from components.volumes import retained_volume


@dataclass
class WeightsArgs:
    """Inputs of :class:`Weights`; ``image`` is that of the container that brings them."""

    settings: Settings
    names: Names
    image: str


class Weights(pulumi.ComponentResource):
    """The volume ``archi-models`` of all deployments, and this one's model in it."""

    volume: docker.Volume
    downloaded: DownloadedWeights

    def __init__(
        self, name: str, args: WeightsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Weights", name, None, opts)
        self.volume = retained_volume(name, MODELS_VOLUME, {}, self)
        settings = args.settings
        props = {
            "deployment": args.names.deployment,
            "image": args.image,
            "model": settings.model,
            "revision": settings.services.vllm.revision,
            "target": str(render.weights_path(settings)),
            "origin": settings.weights_from,
            "offline": settings.services.vllm.offline,
            "folder": settings.services.vllm.weights,
            "endpoint": str(settings.hf_endpoint) if settings.hf_endpoint else None,
            "token": pulumi.Output.secret(settings.hf_token.get_secret_value())
            if settings.hf_token
            else None,
        }
        self.downloaded = DownloadedWeights(
            f"{name}-downloaded",
            props,
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume]),
        )
        self.register_outputs({})
