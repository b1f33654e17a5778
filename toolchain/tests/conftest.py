"""The installed toolchain, a tiny image, and a stack of its own for each test."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

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
    folder = tmp_path_factory.mktemp("busybox")
    download = ["apt-get", "download", "-q", "busybox-static"]
    if subprocess.run(download, cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=True)
        subprocess.run(download, cwd=folder, capture_output=True, check=True)
    subprocess.run(["dpkg", "-x", *folder.glob("*.deb"), "."], cwd=folder, check=True)
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(next(folder.rglob("bin/busybox")), "bin/busybox")
        for applet in ("sh", "sleep", "cat", "true", "ls", "mkdir", "cp", "wget"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    repository, tag = IMAGE.split(":")
    engine.api.import_image_from_data(packed.getvalue(), repository=repository, tag=tag)
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
