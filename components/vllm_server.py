"""vLLM as a sidecar: serves the model on the deployment's network, with the GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker as docker

from archi import render
from archi.gpus import device_request
from archi.names import MODELS_VOLUME, Names
from archi.settings import Settings, VllmSettings
from components.container import (
    Published,
    container_args,
    container_options,
    mount,
    network_args,
)
from components.dynamic.readiness import Readiness
from components.volumes import retained_volume


@dataclass
class VllmServerArgs:
    """Inputs of :class:`VllmServer`; ``depends_on`` is what must be there before it starts."""

    settings: Settings
    names: Names
    image: str
    depends_on: list[pulumi.Resource] = field(default_factory=list)


class VllmServer(pulumi.ComponentResource):
    """The model server ``vllm-server-<deployment>`` and its readiness gate.

    ``ready`` is what the chat application depends on.
    """

    url: pulumi.Output[str | None]
    ready: Readiness

    def __init__(
        self, name: str, args: VllmServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:VllmServer", name, None, opts)
        settings, names = args.settings, args.names
        vllm = settings.services.vllm
        cache = retained_volume(
            f"{name}-cache", names.compile_cache_volume, names.labels("vllm-cache"), self
        )
        environment = render.vllm_environment(settings)
        published = Published(render.VLLM_PORT, vllm.port)
        container = docker.Container(
            name,
            **container_args(
                labels=names.labels("vllm-server"),
                environment=environment,
                health_check=render.vllm_health_check(settings),
                memory_mib=vllm.memory,
                stop_grace_seconds=render.VLLM_STOP_GRACE_SECONDS,
                secrets_mark=render.secrets_mark(settings, render.API_KEY),
            ),
            **network_args(
                settings,
                names,
                "vllm-server",
                published if render.vllm_published(settings) else None,
            ),
            **_shared_memory_args(vllm),
            name=names.vllm_server,
            image=args.image,
            command=render.vllm_command(settings),
            volumes=[
                _weights(settings),
                mount(names.files_volume, render.FILES_PATH, read_only=True),
                mount(names.compile_cache_volume, environment["VLLM_CACHE_ROOT"]),
            ],
            ulimits=_ulimits(vllm),
            device_requests=device_requests(settings),
            opts=container_options(self, [*args.depends_on, cache]),
        )
        self.ready = Readiness(
            f"{name}-ready",
            service="vllm-server",
            container=container.id,
            probe=render.vllm_health_command(settings),
            warm_up=render.vllm_warm_up_command(settings),
            timeout=vllm.start_timeout,
            opts=pulumi.ResourceOptions(parent=self),
        )
        reached = render.vllm_published(settings)
        self.url = pulumi.Output.from_input(f"http://localhost:{vllm.port}/v1" if reached else None)
        self.register_outputs({"url": self.url})


def _weights(settings: Settings) -> docker.ContainerVolumeArgs:
    """What holds the weights: a folder of the host, or the volume of all deployments."""
    if (folder := settings.services.vllm.weights) is None:
        return mount(MODELS_VOLUME, render.MODELS_PATH, read_only=True)
    return docker.ContainerVolumeArgs(
        host_path=folder, container_path=str(render.WEIGHTS_FOLDER_PATH), read_only=True
    )


def _shared_memory_args(vllm: VllmSettings) -> dict[str, Any]:
    """The host's shared memory, as the seed says, or a share of the container's own."""
    if vllm.shm_size is None:
        # With ipc: host the daemon adds label=disable itself; unsaid it would be a difference.
        return {
            "ipc_mode": "host",
            "security_opts": ["label=disable", "no-new-privileges:true"],
        }
    return {
        "ipc_mode": "private",
        "shm_size": vllm.shm_size,
        "security_opts": ["no-new-privileges:true"],
    }


def _ulimits(vllm: VllmSettings) -> list[docker.ContainerUlimitArgs] | None:
    return [
        docker.ContainerUlimitArgs(name=name, soft=limit.soft, hard=limit.hard)
        for name, limit in sorted(vllm.ulimits.items())
    ] or None


def device_requests(settings: Settings) -> list[docker.ContainerDeviceRequestArgs] | None:
    """The GPUs of the settings as the container asks for them."""
    request = device_request(settings.gpu_ids, settings.gpu_driver)
    if request is None:
        return None
    return [
        docker.ContainerDeviceRequestArgs(
            driver=request.driver,
            capabilities=list(request.capabilities) or None,
            device_ids=list(request.device_ids) or None,
            count=request.count or None,
        )
    ]
