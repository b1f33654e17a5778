"""What the Docker Engine itself refuses is known to the diagnosis, in this Engine's own words."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound
from docker.types import DeviceRequest, Mount, Ulimit

from archi.diagnosis import diagnose
from tests.command_line import BUSYBOX

NAME = "archi-e2e-refused"


@pytest.fixture
def client(busybox_client: docker.DockerClient) -> Iterator[docker.DockerClient]:
    remove(busybox_client)
    yield busybox_client
    remove(busybox_client)


def remove(client: docker.DockerClient) -> None:
    with contextlib.suppress(NotFound):
        client.containers.get(NAME).remove(force=True)


def started(command: str = "true", **options: Any) -> Callable[[docker.DockerClient], object]:
    """Start a container with these options."""

    def start(client: docker.DockerClient) -> None:
        client.containers.create(BUSYBOX, command, name=NAME, **options).start()

    return start


def gpus(**request: Any) -> Callable[[docker.DockerClient], object]:
    return started(device_requests=[DeviceRequest(**request)])


def name_taken(client: docker.DockerClient) -> None:
    client.containers.create(BUSYBOX, "true", name=NAME)
    client.containers.create(BUSYBOX, "true", name=NAME)


def port_taken(client: docker.DockerClient) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        started(ports={"80/tcp": holder.getsockname()})(client)


REFUSED: dict[str, tuple[Callable[[docker.DockerClient], object], str]] = {
    "any GPU": (gpus(count=-1, capabilities=[["gpu"]]), "gpu-runtime-missing"),
    "a GPU by its number": (
        gpus(driver="nvidia", device_ids=["0"], capabilities=[["gpu"]]),
        "gpu-runtime-missing",
    ),
    "a GPU by CDI": (gpus(driver="cdi", device_ids=["nvidia.com/gpu=0"]), "gpu-runtime-missing"),
    "the NVIDIA runtime": (started(runtime="nvidia"), "gpu-runtime-missing"),
    "an image that is not there": (
        lambda client: client.containers.create("archi-test/none:1", "true"),
        "image-missing",
    ),
    "a registry that is not there": (
        lambda client: client.images.pull("localhost:1/archi-test/none:1"),
        "registry-unreachable",
    ),
    "a program that the image lacks": (started(command="vllm"), "image-without-program"),
    "ulimits above the daemon's": (
        started(ulimits=[Ulimit(name="nofile", soft=10**8, hard=10**8)]),
        "ulimit-refused",
    ),
    "a name that is taken": (name_taken, "container-name-taken"),
    "a folder that is not there": (
        started(mounts=[Mount("/models", "/no/such/folder", type="bind")]),
        "mount-missing",
    ),
    "a network that is not there": (started(network="archi-e2e-none"), "network-missing"),
    "a port that is taken": (port_taken, "port-taken"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_docker_refuses_is_known(client: docker.DockerClient, what: str) -> None:
    provoke, cause = REFUSED[what]
    with pytest.raises(APIError) as refusal:
        provoke(client)
    said = str(refusal.value.explanation)
    assert diagnose([said]).cause == cause, said
