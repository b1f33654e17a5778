"""The deployment's own network, on which its services find each other by name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from archi.names import Names


@dataclass
class NetworkArgs:
    """Inputs of :class:`Network`."""

    names: Names


class Network(pulumi.ComponentResource):
    """A bridge network named ``archi-<deployment>``."""

    name: pulumi.Output[str]

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Network", name, None, opts)
        labels = args.names.labels("network")
        self.network = docker.Network(
            name,
            name=args.names.network,
            labels=[
                docker.NetworkLabelArgs(label=key, value=labels[key]) for key in sorted(labels)
            ],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.name = self.network.name
        self.register_outputs({"name": self.name})
