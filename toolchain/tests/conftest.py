"""The installed toolchain, a tiny image, and a stack of its own for each test."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests.busybox import import_busybox
from toolchain.tests.stack import PREFIX, Stack

TOOLCHAIN = Path(__file__).resolve().parent.parent
IMAGE = f"{PREFIX}busybox:1"


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    sweep(client)
    yield client
    sweep(client)
    client.close()


def sweep(client: docker.DockerClient) -> None:
    """Remove what tests made, earlier and killed ones included."""
    for container in client.containers.list(all=True, filters={"name": f"^/{PREFIX}"}):
        container.remove(force=True, v=True)
    for network in client.networks.list():
        if str(network.name).startswith(PREFIX):
            network.remove()
    for volume in client.volumes.list():
        if volume.name.startswith(PREFIX):
            volume.remove(force=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def bin_folder(home: Path) -> Path:
    """The toolchain, with its plugin in a home of the tests' own."""
    ran = subprocess.run(
        [TOOLCHAIN / "install"],
        env={**os.environ, "PULUMI_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Path(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's static busybox as an image: no registry is needed."""
    import_busybox(engine, tmp_path_factory.mktemp("busybox"), IMAGE)
    yield IMAGE
    engine.images.remove(IMAGE, force=True)


@pytest.fixture
def stack(
    engine: docker.DockerClient, image: str, bin_folder: Path, home: Path, tmp_path: Path
) -> Iterator[Stack]:
    made = Stack(bin_folder, home, tmp_path)
    yield made
    sweep(engine)
    shutil.rmtree(tmp_path)


@pytest.fixture
def find(engine: docker.DockerClient) -> Callable[[str], Container | None]:
    """Look a container up by its exact name."""

    def by_name(name: str) -> Container | None:
        found = engine.containers.list(all=True, filters={"name": f"^/{name}$"})
        return found[0] if found else None

    return by_name
