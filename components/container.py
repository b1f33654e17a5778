"""What all our long-lived containers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pulumi
import pulumi_docker as docker

from archi.names import LABEL_SECRETS, Names
from archi.render import LOOPBACK, HealthCheck
from archi.settings import Settings

REPLACE_ON_CHANGES = (
    # The Docker provider announces edits of these as updates and then does nothing
    # (kreuzwerker/terraform-provider-docker#988 for healthcheck; tmpfs and init alike).
    "healthcheck",
    "tmpfs",
    "init",
    "cpuPeriod",
    "cpuQuota",
    "mounts",
    # A container that was made but could not be started is kept with an init error, which the
    # next `up` would pass over.
    "#initerror",
)

LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}


@dataclass(frozen=True)
class Published:
    """A port of the container on an address of the host."""

    internal: int
    external: int
    address: str = LOOPBACK


def network_args(
    settings: Settings, names: Names, alias: str, published: Published | None = None
) -> dict[str, Any]:
    """On the deployment's own network under ``alias``, or in host mode on the host's.

    On the host's network nothing is published: what a service listens on is the host's.
    """
    if settings.host_mode:
        return {"network_mode": "host"}
    # With network_mode set to the network's name the aliases would be lost.
    joined = docker.ContainerNetworksAdvancedArgs(name=names.network, aliases=[alias])
    ports = published and docker.ContainerPortArgs(
        internal=published.internal, external=published.external, ip=published.address
    )
    return {"networks_advanced": [joined], "ports": [ports] if ports else None}


def mount(
    volume: str, path: PurePosixPath | str, *, read_only: bool = False
) -> docker.ContainerVolumeArgs:
    """A named volume at a path of the container."""
    return docker.ContainerVolumeArgs(
        volume_name=volume, container_path=str(path), read_only=read_only or None
    )


def container_args(
    *,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    health_check: HealthCheck,
    memory_mib: int | None,
    stop_grace_seconds: int,
    secrets_mark: str = "",
) -> dict[str, Any]:
    """Arguments for :class:`pulumi_docker.Container` that every service shares.

    Only literals: the engine deletes first whatever has inputs computed from a resource that is
    being replaced, and a server must not go before what it waits for is there.
    """
    if secrets_mark:
        labels = {**labels, LABEL_SECRETS: secrets_mark}
    return {
        "labels": [
            docker.ContainerLabelArgs(label=key, value=labels[key]) for key in sorted(labels)
        ],
        "envs": [f"{key}={environment[key]}" for key in sorted(environment)],
        "healthcheck": docker.ContainerHealthcheckArgs(
            tests=list(health_check.test),
            interval=health_check.interval,
            timeout=health_check.timeout,
            retries=health_check.retries,
            start_period=health_check.start_period,
        ),
        "memory": memory_mib,
        # Without it Docker allows as much swap again.
        "memory_swap": memory_mib,
        "init": True,
        # A bounded count is never reset by healthy hours; the bound on a failing start is the
        # readiness gate, which stops the container.
        "restart": "unless-stopped",
        "must_run": True,
        "destroy_grace_seconds": stop_grace_seconds,
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        "log_driver": "json-file",
        "log_opts": LOG_OPTIONS,
    }


def container_options(
    parent: pulumi.Resource, depends_on: list[pulumi.Resource]
) -> pulumi.ResourceOptions:
    """Options for a named container: a name is free only once its holder is gone."""
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=depends_on,
        delete_before_replace=True,
        replace_on_changes=list(REPLACE_ON_CHANGES),
    )
