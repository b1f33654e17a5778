"""The model's weights, there before the server that serves them is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from archi import render
from archi.docker_engine import connect
from archi.names import MODELS_VOLUME, Names
from archi.settings import Settings
from archi.weights import Request, complete, fetch
from components.dynamic import Provider, done, gone, say
from components.volumes import retained_volume

_REQUEST = tuple(Request.__dataclass_fields__)


class WeightsProvider(Provider):
    """Runs the container that brings them; what was there before stays on failure."""

    # Neither image nor token: the same weights brought otherwise are no reason to fetch again.
    keys = ("model", "revision", "target", "origin", "endpoint")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the weights; raises ``WeightsError`` with cause and mend."""
        fetch(connect(), _request(props), say)
        return CreateResult(props["target"], done(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Bring other weights; those of before stay in the volume."""
        fetch(connect(), _request(_news), say)
        return UpdateResult(done(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the volume still holds all of them."""
        return ReadResult(id_, props) if complete(connect(), _request(props)) else gone()


def _request(props: dict[str, Any]) -> Request:
    return Request(**{key: props[key] for key in _REQUEST if key in props})


class DownloadedWeights(Resource, module="archi", name="DownloadedWeights"):
    """One model's weights in the volume."""


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
            "endpoint": str(settings.hf_endpoint) if settings.hf_endpoint else None,
            "token": pulumi.Output.secret(settings.hf_token.get_secret_value())
            if settings.hf_token
            else None,
            "done": None,
        }
        self.downloaded = DownloadedWeights(
            WeightsProvider(),
            f"{name}-downloaded",
            props,
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume]),
        )
        self.register_outputs({})
