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
from archi.doctor import CHECKS, Finding
from archi.doctor.subject import LiveEngine, Subject
from archi.gpus import GpuProcess, of_docker_host
from archi.project import ROOT
from archi.settings import from_mapping
from tests.busybox import import_busybox
from tests.dockerd import isolated_daemon

BUSYBOX = "archi-test/busybox:1"
IMAGE = "archi-test/nvidia-smi:1"
L4 = "GPU-11111111-2222-3333-4444-555555555555"

# Answers only where the container was given GPUs: the Engine says so in its environment. A process
# of another container holds memory where this one sees it, as with NVIDIA's own program.
NVIDIA_SMI = f"""#!/bin/sh
held=$(grep -la "[a]rchi-test-holder" /proc/[0-9]*/cmdline | cut -d/ -f3)
[ "$NVIDIA_VISIBLE_DEVICES" = all ] || {{ echo "No devices were found"; exit 6; }}
case "$1" in
  --query-gpu=*) echo "0, {L4}, NVIDIA L4, 23034, 22567, 8.9, 570.124.06, [N/A]";;
  --query-compute-apps=*) echo "{L4}, ${{held:-42}}, python3, 100";;
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


@pytest.fixture
def holder(engine: docker.DockerClient) -> Iterator[str]:
    """A container whose process holds memory of the GPU."""
    container = engine.containers.run(
        BUSYBOX,
        ["sh", "-c", "sleep 600; : archi-test-holder"],
        name="holder",
        network_mode="none",
        detach=True,
    )
    yield "holder"
    container.remove(force=True)


def doctors_look(client: docker.DockerClient, image: str) -> list[Finding]:
    """What doctor says of GPU 0 for a deployment with that image, wherever the Engine is."""
    host = f"unix://{client.api.get_adapter(client.api.base_url).socket_path}"
    settings = from_mapping(
        "bot", {"gpu_ids": "0", "services": {"vllm": {"model": "Qwen/Qwen3-8B", "image": image}}}
    )
    live = LiveEngine(client, client.version(), client.info(), 0)
    subject = Subject("bot", ROOT, host, live, settings, gpu_container=True)
    [check] = [check for check in CHECKS if check.name == "gpus"]
    assert all(not condition(subject) for condition in check.applies)
    found = check.look(subject)
    return [found] if isinstance(found, Finding) else list(found)


def test_doctor_tells_which_container_holds_a_gpu_elsewhere(
    engine: docker.DockerClient, holder: str
) -> None:
    [finding] = doctors_look(engine, IMAGE)
    assert finding.found.startswith("GPU 0 (NVIDIA L4): 22.0 GiB of 22.5 GiB are free.")
    assert f"(python3, 100 MiB) in container {holder}" in finding.found
    assert [one.name for one in engine.containers.list(all=True)] == [holder]


def test_doctor_says_why_a_container_gets_no_gpu(bare_engine: docker.DockerClient) -> None:
    [finding] = doctors_look(bare_engine, BUSYBOX)
    assert finding.state == "problem"
    assert finding.found.startswith("A container gets no GPU: ")
    assert "toolkit" in finding.mend.lower()


def test_without_an_image_at_hand_doctor_starts_nothing(engine: docker.DockerClient) -> None:
    [finding] = doctors_look(engine, "archi-test/absent:1")
    assert finding.state == "skipped"
    assert "No image is at" in finding.found


def test_without_nvidias_toolkit_the_engines_refusal_comes_through(
    bare_engine: docker.DockerClient,
) -> None:
    with pytest.raises(APIError, match="could not select device driver"):
        of_docker_host(bare_engine, BUSYBOX)
    assert bare_engine.containers.list(all=True) == []
