"""Preflight: refuses what can't work before anything is started or taken away."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic import Provider


class PreflightProvider(Provider):
    """Checks on ``up`` alone: a preview asks nothing of the host."""

    keys = ("ports", "gpu_ids", "gpu_driver", "image", "postgres_image", "model", "ulimits")
    names = "deployment"

    def work(self, props: dict[str, Any]) -> None:
        """Check; raises ``PreflightError`` naming everything in the way."""
        from archi import model_fit, preflight
        from archi.docker_engine import connect
        from archi.settings import GpuIds

        wanted = preflight.Preflight(
            deployment=props["deployment"],
            ports={key: int(port) for key, port in props["ports"].items()},
            gpu_ids=GpuIds.model_validate(props["gpu_ids"]),
            gpu_driver=props["gpu_driver"],
            image=props["image"],
            postgres_image=props.get("postgres_image") or None,
            model=model_fit.asked(props.get("model")),
            ulimits={
                name: (int(soft), int(hard))
                for name, (soft, hard) in (props.get("ulimits") or {}).items()
            },
        )
        preflight.check(connect(), wanted)


class Preflight(Resource, module="archi", name="Preflight"):
    """The checks of one deployment; services depend on it.

    ``ports``: key of the setting to port of the host; ``gpu_ids`` and ``gpu_driver``: as the stack
    file writes them; ``image``: any that is there, that of the container that gets the GPUs if
    there is one; ``postgres_image``: what is to read the database's volume; ``model``: what is to
    fit on the GPUs, as :class:`archi.model_fit.Question` names it; ``ulimits``: name to soft and
    hard limit.
    """

    def __init__(
        self,
        name: str,
        *,
        deployment: str,
        ports: dict[str, int],
        gpu_ids: str,
        gpu_driver: str,
        image: str,
        postgres_image: str | None,
        model: dict[str, Any] | None,
        ulimits: dict[str, list[int]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "deployment": deployment,
            "ports": ports,
            "gpu_ids": gpu_ids,
            "gpu_driver": gpu_driver,
            "image": image,
            "postgres_image": postgres_image,
            "model": model,
            "ulimits": ulimits,
            "done": None,
        }
        super().__init__(PreflightProvider(), name, props, opts)
