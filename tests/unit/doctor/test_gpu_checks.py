"""Drivers, toolkits and GPUs, as this machine has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archi.doctor.gpu_checks import (
    Owner,
    driver,
    gpus,
    has_card,
    owners_of,
    runtime,
    toolkit,
)
from archi.gpus import Gpu, GpuProcess, Inventory
from archi.settings import Settings, from_mapping

UUID = "GPU-11111111-2222-3333-4444-555555555555"
L4 = Gpu(0, UUID, "NVIDIA L4", 23034, 22567, "8.9", "570.124.06")
FOUND = Inventory((L4,), tool=True)


def settings(**config: Any) -> Settings:
    return from_mapping("bot", config)


def test_a_driver_that_runs_is_named_with_its_version() -> None:
    finding = driver(FOUND, wanted=True, card=True)
    assert finding.state == "ok"
    assert "570.124.06" in finding.found
    assert "1 GPU." in finding.found


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
            "modprobe",
        ),
        ("Failed to initialize NVML: Driver/library version mismatch", "restart the machine"),
        ("No devices were found", "dmesg"),
        ('Field "compute_cap" is not a valid field to query.', "525"),
        ("it did not answer within 5 s", "nvidia-smi -pm 1"),
        ("Segmentation fault", "docs/advanced_setup_deploy.md"),
    ],
)
def test_each_way_to_be_broken_has_its_mend(said: str, mend: str) -> None:
    finding = driver(Inventory((), tool=True, said=said), wanted=True, card=True)
    assert finding.state == "problem"
    assert said.rstrip(".") in finding.found
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("wanted", "card", "state"),
    [
        (True, True, "problem"),
        (None, True, "warning"),
        (True, False, "problem"),
        (None, False, "note"),
    ],
)
def test_no_driver_matters_as_much_as_gpus_are_wanted(
    wanted: bool | None, card: bool, state: str
) -> None:
    assert driver(Inventory((), tool=False), wanted, card=card).state == state


def test_a_card_is_known_by_its_vendor_and_class(tmp_path: Path) -> None:
    def device(name: str, vendor: str, kind: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")

    device("0000:00:01.0", "0x10de", "0x040300")  # the audio of a card that was passed through
    device("0000:00:02.0", "0x8086", "0x030000")
    (tmp_path / "0000:00:03.0").mkdir()
    assert not has_card(tmp_path)
    device("0000:00:04.0", "0x10de", "0x030200")
    assert has_card(tmp_path)
    assert not has_card(tmp_path / "absent")


def test_the_toolkit_is_looked_for_and_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nvidia-ctk" in toolkit("nvidia", wanted=True, gpus=True).found
    assert toolkit("nvidia", wanted=None, gpus=True).state == "warning"
    assert toolkit("nvidia", wanted=None, gpus=False).state == "skipped"
    for program in ("nvidia-ctk", "nvidia-container-runtime-hook"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    assert toolkit("nvidia", wanted=True, gpus=True).state == "ok"


@pytest.mark.parametrize(
    ("info", "hook", "state"),
    [
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, False, "ok"),
        ({"Runtimes": {"runc": {}}}, True, "note"),
        ({"Runtimes": {"runc": {}}}, False, "problem"),
        ({"Runtimes": None}, False, "problem"),
    ],
)
def test_docker_knows_gpus_by_its_runtime(info: dict[str, Any], hook: bool, state: str) -> None:
    finding = runtime(info, "nvidia", wanted=True, gpus=True, hook=hook)
    assert finding.state == state
    assert state == "ok" or "nvidia-ctk runtime configure" in finding.mend


@pytest.mark.parametrize(
    ("info", "state"),
    [
        ({}, "problem"),
        ({"CDISpecDirs": []}, "problem"),
        ({"CDISpecDirs": ["/etc/cdi"]}, "note"),
        ({"CDISpecDirs": ["/etc/cdi"], "DiscoveredDevices": []}, "problem"),
        (
            {
                "CDISpecDirs": ["/etc/cdi"],
                "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
            },
            "ok",
        ),
    ],
)
def test_docker_knows_gpus_by_cdi(info: dict[str, Any], state: str) -> None:
    assert runtime(info, "cdi", wanted=True, gpus=True, hook=False).state == state


def test_without_a_gpu_docker_needs_to_know_none() -> None:
    assert runtime({}, "nvidia", wanted=None, gpus=False, hook=False).state == "skipped"


def test_a_free_gpu_is_fine_and_says_how_free() -> None:
    [finding] = gpus([L4], settings(gpu_ids="0"), {})
    assert finding.state == "ok"
    assert "22.0 GiB of 22.5 GiB" in finding.found


def test_a_gpu_that_is_not_there_is_named() -> None:
    [finding] = gpus([L4], settings(gpu_ids="3"), {})
    assert finding.state == "problem"
    assert "no GPU 3" in finding.found


def held(free: int, *processes: GpuProcess) -> Gpu:
    return Gpu(0, UUID, "NVIDIA L4", 23034, free, "8.9", "570.124.06", processes)


def test_who_holds_a_gpus_memory_is_told() -> None:
    gpu = held(3000, GpuProcess(4711, "/usr/bin/python3", 18000), GpuProcess(4712, "", None))
    [finding] = gpus([gpu], settings(gpu_ids="all"), {4711: Owner("notebook", own=False)})
    assert finding.state == "problem"
    assert "process 4711 (python3, 17.6 GiB) in container notebook" in finding.found
    assert "process 4712" in finding.found
    assert "gpu_memory_utilization" in finding.mend


def test_a_gpu_that_the_deployment_itself_holds_is_fine() -> None:
    gpu = held(1000, GpuProcess(4711, "VLLM::EngineCore", 20000))
    [finding] = gpus([gpu], settings(), {4711: Owner("vllm-server-bot", own=True)})
    assert finding.state == "ok"
    assert "at work for this deployment" in finding.found


def test_a_smaller_share_is_content_with_less() -> None:
    services = {"vllm": {"gpu_memory_utilization": 0.3}}
    [finding] = gpus([held(12000)], settings(services=services), {})
    assert finding.state == "ok"


def test_memory_that_is_not_told_is_no_problem() -> None:
    shared = Gpu(0, UUID, "NVIDIA GB10", None, None, "12.1", "580.95.05")
    assert [finding.state for finding in gpus([shared], settings(), {})] == ["note"]


def test_a_model_that_is_dealt_out_to_more_gpus_than_there_are_is_a_problem() -> None:
    services = {"vllm": {"tensor_parallel_size": 2}}
    *_, finding = gpus([L4], settings(services=services), {})
    assert finding.state == "problem"
    assert "2 GPUs, and there are 1" in finding.found


def test_without_a_deployment_all_are_listed() -> None:
    other = Gpu(1, UUID.replace("1", "2"), "NVIDIA L4", 23034, 10, "8.9", "570")
    assert [finding.state for finding in gpus([L4, other], None, {})] == ["ok", "ok"]


def test_a_processs_container_is_known_by_its_control_group(tmp_path: Path) -> None:
    id_ = "a" * 64
    for pid, groups in ((1, f"0::/system.slice/docker-{id_}.scope\n"), (2, "0::/user.slice\n")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(groups)
    mine = Owner("vllm-server-bot", own=True)
    assert owners_of([1, 2, 3], {id_: mine}, tmp_path) == {1: mine}
