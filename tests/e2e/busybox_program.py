"""A Pulumi program with a deployment's shape and no weight: stands in for ``__main__.py``.

A chat application of busybox on a network of its own, with a volume of data and a readiness gate.
"""

import pulumi
import pulumi_docker as docker

from archi.names import Names
from archi.render import HealthCheck
from components.container import container_args, container_options, mount
from components.dynamic.readiness import Readiness
from components.network import Network, NetworkArgs
from components.volumes import retained_volume

names = Names(pulumi.get_stack())
network = Network("network", NetworkArgs(names))
data = retained_volume(
    "chatbot-conversations", names.conversations_volume, names.labels("conversations"), network
)
container = docker.Container(
    "chatbot",
    **container_args(
        labels=names.labels("chatbot"),
        environment={"VLLM_BASE_URL": "http://vllm-server:8000/v1"},
        health_check=HealthCheck(("CMD", "true"), "1s", "1m", 30, "1s"),
        memory_mib=64,
        stop_grace_seconds=2,
    ),
    networks_advanced=[
        docker.ContainerNetworksAdvancedArgs(name=names.network, aliases=["chatbot"])
    ],
    name=names.chatbot,
    image="archi-test/busybox:1",
    command=["sleep", "1000000"],
    volumes=[mount(names.conversations_volume, "/data")],
    opts=container_options(network, [network.network, data]),
)
# A test can hold it up.
probe = ("sh", "-c", "test ! -e /data/hold")
Readiness("chatbot-ready", service="chatbot", container=container.id, probe=probe, timeout=600)
pulumi.export("chat_url", "http://localhost:7861")
pulumi.export("model", "o/m")
