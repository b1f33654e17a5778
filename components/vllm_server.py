"""vLLM as a sidecar: serves the model on the deployment's network, with the GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from archi import render
from archi.names import MODELS_VOLUME, Names
from archi.settings import GpuIds, Settings
from components.container import container_args, container_options
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

    url: pulumi.Output[str]
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
        container = docker.Container(
            name,
            **container_args(
                labels=names.labels("vllm-server"),
                environment=environment,
                health_check=render.vllm_health_check(settings),
                memory_mib=vllm.memory,
                stop_grace_seconds=render.VLLM_STOP_GRACE_SECONDS,
            ),
            name=names.vllm_server,
            image=args.image,
            command=render.vllm_command(settings),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=names.network, aliases=["vllm-server"])
            ],
            ports=[
                docker.ContainerPortArgs(
                    internal=render.VLLM_PORT, external=vllm.port, ip=render.LOOPBACK
                )
            ],
            ipc_mode="host",
            # With ipc: host the daemon adds label=disable itself; unsaid it would be a difference.
            security_opts=["label=disable", "no-new-privileges:true"],
            volumes=[
                docker.ContainerVolumeArgs(
                    volume_name=MODELS_VOLUME,
                    container_path=str(render.MODELS_PATH),
                    read_only=True,
                ),
                docker.ContainerVolumeArgs(
                    volume_name=names.files_volume,
                    container_path=str(render.FILES_PATH),
                    read_only=True,
                ),
                docker.ContainerVolumeArgs(
                    volume_name=names.compile_cache_volume,
                    container_path=environment["VLLM_CACHE_ROOT"],
                ),
            ],
            device_requests=_device_requests(settings.gpu_ids),
            gpus="all" if settings.gpu_ids.every else None,
            opts=container_options(self, [*args.depends_on, cache]),
        )
        self.ready = Readiness(
            f"{name}-ready",
            service="vllm-server",
            container=container.id,
            probe=render.vllm_health_command(),
            warm_up=render.vllm_warm_up_command(settings),
            timeout=vllm.start_timeout,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.from_input(f"http://localhost:{vllm.port}/v1")
        self.register_outputs({"url": self.url})


def _device_requests(gpu_ids: GpuIds) -> list[docker.ContainerDeviceRequestArgs] | None:
    if not gpu_ids.ids:
        return None
    return [
        docker.ContainerDeviceRequestArgs(
            driver="nvidia", device_ids=list(gpu_ids.ids), capabilities=["gpu"]
        )
    ]
