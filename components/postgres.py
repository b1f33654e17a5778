"""Postgres: keeps the conversations, reached by the chat application alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from archi import render
from archi.names import Names
from archi.settings import Settings
from components.container import container_args, container_options, mount, network_args
from components.dynamic.readiness import Readiness
from components.volumes import retained_volume

_START_TIMEOUT_SECONDS = 600
_SHARED_MEMORY_MIB = 128  # parallel queries share their work there; Docker's 64 are too few


@dataclass
class PostgresArgs:
    """Inputs of :class:`Postgres`; ``depends_on`` is what must be there before it starts."""

    settings: Settings
    names: Names
    image: str
    depends_on: list[pulumi.Resource] = field(default_factory=list)


class Postgres(pulumi.ComponentResource):
    """The database ``postgres-<deployment>`` and its readiness gate; it is never published."""

    ready: Readiness

    def __init__(
        self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Postgres", name, None, opts)
        settings, names = args.settings, args.names
        data = retained_volume(
            f"{name}-data", names.postgres_volume, names.labels("postgres"), self
        )
        sockets = f"uid={render.POSTGRES_UID},gid={render.POSTGRES_UID},mode=0775,size=1m"
        container = docker.Container(
            name,
            **container_args(
                labels=names.labels("postgres"),
                environment={},
                health_check=render.postgres_health_check(settings),
                memory_mib=settings.services.postgres.memory,
                stop_grace_seconds=render.POSTGRES_STOP_GRACE_SECONDS,
                secrets_mark=render.secrets_mark(settings, render.POSTGRES_PASSWORD),
            ),
            **network_args(settings, names, "postgres"),
            name=names.postgres,
            image=args.image,
            entrypoints=["sh"],
            command=render.postgres_command(settings)[1:],
            user=f"{render.POSTGRES_UID}:{render.POSTGRES_UID}",
            read_only=True,
            tmpfs={"/tmp": "size=64m", render.POSTGRES_SOCKETS: sockets},  # noqa: S108 - its own
            shm_size=_SHARED_MEMORY_MIB,
            # The default, SIGTERM, would wait for the chat application to hang up.
            stop_signal="SIGINT",
            security_opts=["no-new-privileges:true"],
            volumes=[
                mount(names.files_volume, render.FILES_PATH, read_only=True),
                mount(names.postgres_volume, render.POSTGRES_DATA),
            ],
            opts=container_options(self, [*args.depends_on, data]),
        )
        self.ready = Readiness(
            f"{name}-ready",
            service="postgres",
            container=container.id,
            probe=render.postgres_readiness_command(settings),
            timeout=_START_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
