"""The chat application: waits for vLLM's gate, keeps its conversations over a destroy."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from archi import render
from archi.external_vllm import extra_hosts
from archi.names import Names
from archi.settings import Settings
from components.container import (
    Published,
    container_args,
    container_options,
    mount,
    network_args,
)
from components.dynamic.readiness import Readiness
from components.volumes import retained_volume

_START_TIMEOUT_SECONDS = 600


@dataclass
class ChatbotArgs:
    """Inputs of :class:`Chatbot`; ``depends_on`` is what must be there before it starts."""

    settings: Settings
    names: Names
    image: str
    depends_on: list[pulumi.Resource] = field(default_factory=list)


class Chatbot(pulumi.ComponentResource):
    """The chat application ``chatbot-<deployment>`` and its readiness gate."""

    url: pulumi.Output[str]
    ready: Readiness

    def __init__(
        self, name: str, args: ChatbotArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Chatbot", name, None, opts)
        settings, names = args.settings, args.names
        chatbot = settings.services.chatbot
        embedded = chatbot.database == "sqlite"
        depends_on = list(args.depends_on)
        if embedded:
            depends_on.append(
                retained_volume(
                    f"{name}-conversations",
                    names.conversations_volume,
                    names.labels("conversations"),
                    self,
                )
            )
        container = docker.Container(
            name,
            **container_args(
                labels=names.labels("chatbot"),
                environment=render.chat_environment(settings),
                health_check=render.chat_health_check(settings),
                memory_mib=chatbot.memory,
                stop_grace_seconds=render.CHAT_STOP_GRACE_SECONDS,
                secrets_mark=render.secrets_mark(settings, "secrets/"),
            ),
            **network_args(
                settings, names, "chatbot", Published(render.CHAT_PORT, chatbot.port, chatbot.bind)
            ),
            name=names.chatbot,
            image=args.image,
            user=f"{render.CHAT_UID}:{render.CHAT_UID}",
            read_only=True,
            tmpfs={"/tmp": f"size={render.chat_scratch_mib(settings)}m"},  # noqa: S108 - its own
            security_opts=["no-new-privileges:true"],
            volumes=[
                mount(names.files_volume, render.FILES_PATH, read_only=True),
                *([mount(names.conversations_volume, "/data")] if embedded else []),
                *_documents(settings),
            ],
            hosts=_hosts(settings),
            opts=container_options(self, depends_on),
        )
        self.ready = Readiness(
            f"{name}-ready",
            service="chatbot",
            container=container.id,
            probe=render.chat_readiness_command(settings),
            timeout=_START_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.from_input(render.chat_url(settings))
        self.register_outputs({"url": self.url})


def _documents(settings: Settings) -> list[docker.ContainerVolumeArgs]:
    """A folder of the host that agents may search."""
    if (folder := settings.services.chatbot.documents) is None:
        return []
    return [
        docker.ContainerVolumeArgs(
            host_path=folder, container_path=str(render.DOCUMENTS_PATH), read_only=True
        )
    ]


def _hosts(settings: Settings) -> list[docker.ContainerHostArgs] | None:
    """Names that the container must be told, to find a vLLM on this host."""
    names = extra_hosts(render.vllm_base_url(settings))
    return [docker.ContainerHostArgs(host=name, ip=ip) for name, ip in names.items()] or None
