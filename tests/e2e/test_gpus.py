"""GPUs without a GPU: a real Docker Engine, and a hook of our own where NVIDIA's would be.

A dockerd that finds ``nvidia-container-runtime-hook`` on its PATH takes device requests, and has
the hook run before a container starts, with the devices asked for in the container's environment
(moby, daemon/nvidia_linux.go).
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pulumi_docker
import pytest

from archi.docker_engine import connect
from archi.docker_setup import start
from archi.model_fit import question
from archi.preflight import Preflight, PreflightError, check
from archi.settings import GpuIds, from_mapping
from components.vllm_server import device_requests
from tests.busybox import import_busybox
from tests.dockerd import isolated_daemon
from toolchain.tests.conftest import bin_folder, home
from toolchain.tests.stack import Stack

__all__ = ["bin_folder", "home"]

IMAGE = "archi-test/busybox:1"
UUID = "GPU-8f6e1c2a-0b5d-4e1f-9a77-3c2f1d0e9b88"

HOOK = """#!{python}
import json, pathlib, sys
state = json.load(sys.stdin)
spec = json.loads((pathlib.Path(state["bundle"]) / "config.json").read_text())
name = spec["hostname"]
environment = dict(pair.split("=", 1) for pair in spec["process"]["env"])
pathlib.Path("{folder}", name).write_text(json.dumps(environment))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hook writes what it saw, a file a container, by host name."""
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, seen: Path) -> Iterator[str]:
    """An Engine whose daemon has found the hook; gives its address."""
    folder = tmp_path_factory.mktemp("gpus")
    hook = folder / "bin" / "nvidia-container-runtime-hook"
    hook.parent.mkdir()
    hook.write_text(HOOK.format(python=sys.executable, folder=seen))
    hook.chmod(0o755)
    with isolated_daemon(folder) as daemon:
        start(daemon, lambda _line: None, systemd=False)
        import_busybox(connect(daemon.host), tmp_path_factory.mktemp("busybox"), IMAGE)
        yield daemon.host


@pytest.fixture(scope="module")
def bare_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Engine without NVIDIA's toolkit; gives its address."""
    with isolated_daemon(tmp_path_factory.mktemp("bare")) as daemon:
        start(daemon, lambda _line: None, systemd=False)
        import_busybox(connect(daemon.host), tmp_path_factory.mktemp("busybox"), IMAGE)
        yield daemon.host


def test_exactly_the_gpus_of_the_settings_reach_vllm_server_and_no_other_container(
    engine: str,
    seen: Path,
    bin_folder: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    stack = Stack(bin_folder, home, tmp_path)
    asked = {"all": "all", "two": "0,1", "one": "1", "uuid": UUID, "none": "none"}

    def program() -> None:
        def container(name: str, requests: list[Any] | None) -> None:
            pulumi_docker.Container(
                name,
                name=name,
                hostname=name,
                image=IMAGE,
                command=["sleep", "1000"],
                network_mode="none",
                device_requests=requests,
            )

        for name, gpu_ids in asked.items():
            settings = from_mapping("bot", {"gpu_ids": gpu_ids})
            container(f"vllm-server-{name}", device_requests(settings))
        container("chatbot", None)

    stack.up(program)
    try:
        assert stack.preview(program, refresh=True) == {}
        environments = {path.name: json.loads(path.read_text()) for path in seen.iterdir()}
    finally:
        stack.destroy()
    devices = {name: found["NVIDIA_VISIBLE_DEVICES"] for name, found in environments.items()}
    assert devices == {
        "vllm-server-all": "all",
        "vllm-server-two": "0,1",
        "vllm-server-one": "1",
        "vllm-server-uuid": UUID,
    }


def wanted(gpu_ids: str) -> Preflight:
    return Preflight(
        deployment="archi-e2e-gpus",
        ports={},
        gpu_ids=GpuIds.model_validate(gpu_ids),
        gpu_driver="nvidia",
        image=IMAGE,
        postgres_image=None,
    )


@pytest.mark.parametrize("gpu_ids", ["all", "0,1"])
def test_the_preflight_asks_the_engine_for_the_same_gpus(
    engine: str, gpu_ids: str, seen: Path
) -> None:
    for path in seen.iterdir():
        path.unlink()
    check(connect(engine), wanted(gpu_ids))
    [found] = [json.loads(path.read_text()) for path in seen.iterdir()]
    assert found["NVIDIA_VISIBLE_DEVICES"] == gpu_ids


@pytest.mark.parametrize("gpu_ids", ["all", "0,1"])
def test_without_nvidias_toolkit_the_refusal_says_what_to_install(
    bare_engine: str, gpu_ids: str
) -> None:
    with pytest.raises(PreflightError) as refused:
        check(connect(bare_engine), wanted(gpu_ids))
    said = str(refused.value)
    assert f"GPUs ({gpu_ids}) can't be had." in said
    assert "the NVIDIA Container Toolkit is missing" in said
    assert "nvidia-ctk runtime configure --runtime=docker" in said
    assert 'could not select device driver "nvidia" with capabilities: [[gpu]]' in said


def test_an_engine_is_asked_by_a_container_that_is_gone_afterwards(engine: str) -> None:
    client: docker.DockerClient = connect(engine)
    check(client, wanted("all"))
    assert client.containers.list(all=True) == []


# What nvidia-smi says on a machine with one GPU of 24 GB, put where the toolkit would put it.
NVIDIA_SMI = """#!/bin/sh
case "$1" in
--query-gpu=*) echo "0, GPU-8f6e1c2a, NVIDIA GeForce RTX 4090, 24564, 24000, 8.9, 570.124, [N/A]" ;;
esac
"""


@pytest.fixture(scope="module")
def image_that_sees_a_gpu(engine: str) -> str:
    client = connect(engine)
    container = client.containers.create(IMAGE, ["true"])
    tool = tarfile.TarInfo("bin/nvidia-smi")
    tool.size, tool.mode = len(NVIDIA_SMI), 0o755
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tool, io.BytesIO(NVIDIA_SMI.encode()))
    container.put_archive("/", packed.getvalue())
    container.commit("archi-test/gpu", "1")
    container.remove()
    return "archi-test/gpu:1"


def fitting(image: str, model: str, **vllm: Any) -> Preflight:
    """A preflight that asks whether the model fits; no hub is asked."""
    services = {"vllm": {"model": model, "offline": True, **vllm}}
    settings = from_mapping("bot", {"gpu_ids": "0", "services": services})
    return replace(wanted("0"), image=image, model=question(settings))


def test_a_model_that_cannot_fit_is_refused_with_the_arithmetic(
    engine: str, image_that_sees_a_gpu: str
) -> None:
    with pytest.raises(PreflightError) as refused:
        check(connect(engine), fitting(image_that_sees_a_gpu, "Qwen/Qwen3-32B"))
    said = str(refused.value)
    assert "Qwen/Qwen3-32B does not fit on 1 GPU (NVIDIA GeForce RTX 4090)." in said
    assert "32.8 billion parameters × 2 bytes (bf16) = 61.0 GiB" in said
    assert "Qwen/Qwen3-32B-AWQ" in said
    assert "check_fit: false" in said


def test_what_fits_passes_and_what_is_overruled(engine: str, image_that_sees_a_gpu: str) -> None:
    client = connect(engine)
    check(client, fitting(image_that_sees_a_gpu, "Qwen/Qwen3-8B"))
    # The seed's default: a million tokens would take 54 GiB; `auto` makes it startable.
    check(client, fitting(image_that_sees_a_gpu, "Qwen/Qwen2.5-7B-Instruct-1M"))
    seed = "Qwen/Qwen2.5-7B-Instruct-1M"
    asked = fitting(image_that_sees_a_gpu, seed, max_model_len=1_010_000)
    with pytest.raises(PreflightError, match="max_model_len"):
        check(client, asked)
    overruled = fitting(image_that_sees_a_gpu, "Qwen/Qwen3-32B", check_fit=False)
    assert overruled.model is None
    check(client, overruled)
