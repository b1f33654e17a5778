"""What must hold before anything is started or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import docker
from docker.errors import APIError

from archi.diagnosis import diagnose
from archi.names import Names
from archi.oneshot import OneShot, run
from archi.ports import holder
from archi.settings import GpuIds


class PreflightError(Exception):
    """The deployment can't start; the text names each reason and its mend."""


@dataclass(frozen=True)
class Preflight:
    """What a deployment asks of its host.

    Attributes:
        deployment: its name; what its own containers hold is no obstacle.
        ports: key of the setting to port of the host.
        gpu_ids: which GPUs vllm-server gets.
        image: the image that gets them, present on the host.

    """

    deployment: str
    ports: Mapping[str, int]
    gpu_ids: GpuIds
    image: str


def check(client: docker.DockerClient, wanted: Preflight) -> None:
    """Check all of it.

    Raises:
        PreflightError: naming everything that stands in the way.

    """
    problems = port_problems(client, wanted.deployment, wanted.ports)
    if wanted.gpu_ids:
        problems += _gpu_problems(client, wanted)
    if problems:
        raise PreflightError("\n".join(problems))


def port_problems(
    client: docker.DockerClient, deployment: str, ports: Mapping[str, int]
) -> list[str]:
    """One sentence for each port that somebody else holds."""
    return [
        f"Port {port} ({key}) is taken by {found.who}. Mend: stop it ({found.mend}), or choose "
        f"another port: `pulumi config set --path {key} PORT`."
        for key, port in ports.items()
        if (found := holder(client, port, deployment))
    ]


def device_request(gpu_ids: GpuIds) -> docker.types.DeviceRequest:
    """The GPUs as Docker is asked for them; a list of ids, since a comma list yields one GPU."""
    if gpu_ids.every:
        return docker.types.DeviceRequest(driver="nvidia", count=-1, capabilities=[["gpu"]])
    return docker.types.DeviceRequest(
        driver="nvidia", device_ids=list(gpu_ids.ids), capabilities=[["gpu"]]
    )


def _gpu_problems(client: docker.DockerClient, wanted: Preflight) -> list[str]:
    """Ask Docker for the GPUs with a container that does nothing: only it can tell."""
    names = Names(wanted.deployment)
    probe = OneShot(
        name=names.one_shot("gpu-check"),
        image=wanted.image,
        command=[],
        labels=names.labels("preflight"),
        options={
            "entrypoint": ["true"],
            "device_requests": [device_request(wanted.gpu_ids)],
            "network_mode": "none",
        },
    )
    try:
        run(client, probe)
    except APIError as error:
        return [f"GPUs ({wanted.gpu_ids}) can't be had. {diagnose([str(error.explanation)])}"]
    return []
