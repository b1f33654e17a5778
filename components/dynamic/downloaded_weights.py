"""A model's weights, there before the server that serves them is touched."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import ReadResult, Resource

from components.dynamic import Provider, gone, say


class WeightsProvider(Provider):
    """Runs the container that brings them; what was there before stays on failure."""

    # Neither image nor token: the same weights brought otherwise are no reason to fetch again.
    keys = ("model", "revision", "target", "origin", "endpoint", "folder")
    names = "target"

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the volume still holds all of them."""
        from archi.docker_engine import connect
        from archi.weights import Request, complete

        return ReadResult(id_, props) if complete(connect(), Request.of(props)) else gone()

    def work(self, props: dict[str, Any]) -> None:
        """Bring the weights; raises ``WeightsError`` with cause and mend."""
        from archi.docker_engine import connect
        from archi.weights import Request, fetch

        fetch(connect(), Request.of(props), say)


class DownloadedWeights(Resource, module="archi", name="DownloadedWeights"):
    """One model's weights in the volume; ``props`` as :class:`archi.weights.Request` names them."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(WeightsProvider(), name, {**props, "done": None}, opts)
