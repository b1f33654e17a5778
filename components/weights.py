"""The model's weights, there before the server that serves them is touched."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pulumi
import pulumi_docker as docker

from archi.names import MODELS_VOLUME, Names
from archi.render import weights_request
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
        token = settings.hf_token and pulumi.Output.secret(settings.hf_token.get_secret_value())
        props = {**asdict(weights_request(settings, args.image)), "token": token}
        self.downloaded = DownloadedWeights(
            f"{name}-downloaded",
            props,
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume]),
        )
        self.register_outputs({})
