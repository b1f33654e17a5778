"""Named volumes: data that outlives the deployment."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker


def retained_volume(
    name: str, volume: str, labels: Mapping[str, str], parent: pulumi.Resource
) -> docker.Volume:
    """A named volume that ``destroy`` leaves and the next ``up`` takes up again.

    Labels of a volume that is there already can't be changed, and a change must never replace it.
    """
    return docker.Volume(
        name,
        name=volume,
        labels=[docker.VolumeLabelArgs(label=key, value=labels[key]) for key in sorted(labels)],
        opts=pulumi.ResourceOptions(
            parent=parent, retain_on_delete=True, ignore_changes=["labels"]
        ),
    )
