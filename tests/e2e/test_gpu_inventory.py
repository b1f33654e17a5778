"""The GPUs of a Docker host: a real Engine, and stand-ins for NVIDIA's hook and nvidia-smi."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import BytesIO

import docker
import pytest
from docker.errors import APIError

from archi.docker_engine import connect
from archi.docker_setup import start
from archi.gpus import GpuProcess, of_docker_host
from tests.busybox import import_busybox
from tests.dockerd import isolated_daemon

BUSYBOX = "archi-test/busybox:1"
IMAGE = "archi-test/nvidia-smi:1"
L4 = "GPU-11111111-2222-3333-4444-555555555555"

# Answers only where the container was given GPUs: the Engine says so in its environment.
NVIDIA_SMI = f"""#!/bin/sh
[ "$NVIDIA_VISIBLE_DEVICES" = all ] || {{ echo "No devices were found"; exit 6; }}
case "$1" in
  --query-gpu=*) echo "0, {L4}, NVIDIA L4, 23034, 22567, 8.9, 570.124.06, [N/A]";;
  --query-compute-apps=*) echo "{L4}, 42, python3, 100";;
  -L) echo "GPU 0: NVIDIA L4 (UUID: {L4})";;
esac
"""


def with_nvidia_smi(client: docker.DockerClient) -> None:
    """Make `IMAGE`: busybox and the script where NVIDIA's toolkit would mount the program."""
    container = client.containers.create(BUSYBOX, ["true"])
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("bin/nvidia-smi")
        entry.mode, entry.size = 0o755, len(NVIDIA_SMI)
        tar.addfile(entry, BytesIO(NVIDIA_SMI.encode()))
    container.put_archive("/", packed.getvalue())
    container.commit(*IMAGE.split(":"), changes=["ENV PATH=/bin"])
    container.remove()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """An Engine whose daemon takes device requests, since it has found a hook on its PATH."""
    folder = tmp_path_factory.mktemp("inventory")
    hook = folder / "bin" / "nvidia-container-runtime-hook"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    with isolated_daemon(folder) as daemon:
        start(daemon, lambda _line: None, systemd=False)
        client = connect(daemon.host)
        import_busybox(client, tmp_path_factory.mktemp("busybox"), BUSYBOX)
        with_nvidia_smi(client)
        yield client


@pytest.fixture(scope="module")
def bare_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """An Engine without NVIDIA's toolkit."""
    with isolated_daemon(tmp_path_factory.mktemp("bare")) as daemon:
        start(daemon, lambda _line: None, systemd=False)
        client = connect(daemon.host)
        import_busybox(client, tmp_path_factory.mktemp("busybox"), BUSYBOX)
        yield client


def test_a_container_asks_for_all_gpus_tells_them_and_is_gone(engine: docker.DockerClient) -> None:
    [gpu] = of_docker_host(engine, IMAGE)
    assert (gpu.index, gpu.uuid, gpu.name, gpu.memory_mib) == (0, L4, "NVIDIA L4", 23034)
    assert gpu.processes == (GpuProcess(42, "python3", 100),)
    assert engine.containers.list(all=True) == []


def test_without_nvidias_toolkit_the_engines_refusal_comes_through(
    bare_engine: docker.DockerClient,
) -> None:
    with pytest.raises(APIError, match="could not select device driver"):
        of_docker_host(bare_engine, BUSYBOX)
    assert bare_engine.containers.list(all=True) == []
