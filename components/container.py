"""What all our long-lived containers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker

from archi.render import HealthCheck

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


def container_args(
    *,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    health_check: HealthCheck,
    memory_mib: int | None,
    stop_grace_seconds: int,
) -> dict[str, Any]:
    """Arguments for :class:`pulumi_docker.Container` that every service shares.

    Only literals: the engine deletes first whatever has inputs computed from a resource that is
    being replaced, and a server must not go before what it waits for is there.
    """
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
