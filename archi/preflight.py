"""What must hold before anything is started or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import docker
from docker.errors import APIError

from archi import gpus, model_fit
from archi.diagnosis import Diagnosis, diagnose
from archi.gpus import GpuDriver, device_request
from archi.names import Names
from archi.oneshot import OneShot, run
from archi.ports import holder
from archi.postgres import volume_problem
from archi.settings import GpuIds

_LEAST_FREE_GIB = 2


class PreflightError(Exception):
    """The deployment can't start; the text names each reason and its mend."""


@dataclass(frozen=True)
class Preflight:
    """What a deployment asks of its host.

    Attributes:
        deployment: its name; what its own containers hold is no obstacle.
        ports: key of the setting to port of the host.
        gpu_ids: which GPUs vllm-server gets.
        gpu_driver: how Docker hands them over.
        image: any image that is present, the one that gets the GPUs if there is one.
        postgres_image: what is to read the database's volume; None for no database.
        model: what is to fit on the GPUs; None for nothing.
        ulimits: name to soft and hard limit, as vllm-server will have them.

    """

    deployment: str
    ports: Mapping[str, int]
    gpu_ids: GpuIds
    gpu_driver: GpuDriver
    image: str
    postgres_image: str | None
    model: model_fit.Question | None = None
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def check(client: docker.DockerClient, wanted: Preflight) -> None:
    """Check all of it.

    Raises:
        PreflightError: naming everything that stands in the way.

    """
    problems = port_problems(client, wanted.deployment, wanted.ports)
    problems += _disk_problems(client, wanted)
    problems += _gpu_problems(client, wanted)
    problems += _ulimit_problems(client, wanted)
    if wanted.postgres_image:
        problem = volume_problem(client, wanted.deployment, wanted.postgres_image)
        problems += [problem] if problem else []
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


def _disk_problems(client: docker.DockerClient, wanted: Preflight) -> list[str]:
    """Whether there is room for logs, a compile cache and a database where Docker keeps its data.

    The weights look after themselves: their download knows how large they are.
    """
    names = Names(wanted.deployment)
    # In a container, whose root lies on that disk, wherever the Engine is.
    result = run(
        client,
        OneShot(
            name=names.one_shot("disk-check"),
            image=wanted.image,
            command=["df", "-Pk", "/"],
            labels=names.labels("preflight"),
            options={"entrypoint": [], "network_mode": "none"},
        ),
    )
    free_gib = int(result.lines[-1].split()[3]) / 1024**2
    if free_gib >= _LEAST_FREE_GIB:
        return []
    root = client.info()["DockerRootDir"]
    return [
        f"The disk where Docker keeps its data ({root}) has {free_gib:.1f} GiB left; a deployment "
        f"needs {_LEAST_FREE_GIB}. Mend: `docker system df` says what takes room, `docker image "
        "prune` frees some, and never touches a volume."
    ]


def _gpu_problems(client: docker.DockerClient, wanted: Preflight) -> list[str]:
    """Ask Docker for the GPUs with a container that does nothing: only it can tell."""
    request = device_request(wanted.gpu_ids, wanted.gpu_driver)
    if request is None:
        return []
    asked = docker.types.DeviceRequest(
        driver=request.driver,
        count=request.count,
        device_ids=list(request.device_ids),
        capabilities=[list(request.capabilities)],
    )
    if refusal := _refusal(client, wanted, "gpu-check", device_requests=[asked]):
        return [f"GPUs ({wanted.gpu_ids}) can't be had. {refusal}"]
    if wanted.model is None:
        return []
    every = gpus.of_docker_host(client, wanted.image, wanted.gpu_driver)
    taken, _ = gpus.chosen(every, wanted.gpu_ids)
    return model_fit.problems(wanted.model, taken)


def _ulimit_problems(client: docker.DockerClient, wanted: Preflight) -> list[str]:
    """Likewise the limits: a daemon gives no more than it has, unless it may raise its own."""
    limits = [
        docker.types.Ulimit(name=name, soft=soft, hard=hard)
        for name, (soft, hard) in sorted(wanted.ulimits.items())
    ]
    refusal = _refusal(client, wanted, "ulimit-check", ulimits=limits) if limits else None
    return [f"archi:services.vllm.ulimits can't be had. {refusal}"] if refusal else []


def _refusal(
    client: docker.DockerClient, wanted: Preflight, role: str, **options: object
) -> Diagnosis | None:
    """What Docker has against a container with these options; None where it runs."""
    names = Names(wanted.deployment)
    probe = OneShot(
        name=names.one_shot(role),
        image=wanted.image,
        command=[],
        labels=names.labels("preflight"),
        options={"entrypoint": ["true"], "network_mode": "none", **options},
    )
    try:
        run(client, probe)
    except APIError as error:
        return diagnose([str(error.explanation)])
    return None
