"""Disk, shared memory, memory."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archi.doctor.space_checks import (
    Maps,
    available_mib,
    disk,
    mapped,
    memory,
    shared_memory,
    weights_folder,
)
from archi.settings import Settings, from_mapping


@pytest.mark.parametrize(
    ("free", "state"), [(0.3, "problem"), (1.99, "problem"), (5, "warning"), (200, "ok")]
)
def test_a_disk_is_judged_by_what_is_left(free: float, state: str) -> None:
    finding = disk("/var/lib/docker", free)
    assert finding.state == state
    assert "/var/lib/docker" in finding.found
    assert state == "ok" or "docker system df" in finding.mend


@pytest.fixture
def shm() -> Iterator[Path]:
    """A folder in shared memory, as large as that."""
    folder = Path(tempfile.mkdtemp(prefix="archi-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def segment(folder: Path, name: str, *, old: bool = True) -> Path:
    path = folder / name
    path.write_bytes(b"\0" * 8192)
    if old:
        os.utime(path, (0, 0))
    return path


def test_segments_that_no_process_has_mapped_are_left_over(shm: Path) -> None:
    left, used = segment(shm, "psm_left"), segment(shm, "psm_used")
    with used.open("r+b") as file, mmap.mmap(file.fileno(), 0):
        maps = mapped()
        finding = list(shared_memory(shm, Maps(maps.files, whole=True)))[-1]
    assert finding.state == "warning"
    assert finding.mend == f"`rm {left}`"


def test_a_segment_that_was_just_made_may_be_mapped_in_a_moment(shm: Path) -> None:
    segment(shm, "psm_new", old=False)
    assert len(list(shared_memory(shm, Maps(frozenset(), whole=True)))) == 1


def test_other_files_are_nobodys_business(shm: Path) -> None:
    segment(shm, "sem.x")
    assert len(list(shared_memory(shm, Maps(frozenset(), whole=True)))) == 1


def test_who_can_not_see_all_processes_accuses_none(shm: Path) -> None:
    segment(shm, "psm_left")
    finding = list(shared_memory(shm, Maps(frozenset(), whole=False)))[-1]
    assert finding.state == "note"
    assert "as root" in finding.mend


def test_maps_are_read_by_device_and_inode(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "maps").write_text(
        "7f00-7f01 rw-s 00000000 00:1a 4242                       /dev/shm/psm_1 (deleted)\n"
        "7f02-7f03 rw-p 00000000 00:00 0 \n"
    )
    assert mapped(tmp_path) == Maps(frozenset({(os.makedev(0, 0x1A), 4242)}), whole=True)


CPU: dict[str, Any] = {"gpu_ids": "none", "services": {"vllm": {"cpu_kv_cache_gib": 8}}}


def settings(**config: Any) -> Settings:
    return from_mapping("bot", config)


def states(*arguments: Any, **options: Any) -> list[str]:
    return [finding.state for finding in memory(*arguments, **options)]


def test_a_kv_cache_that_is_not_to_be_had_is_a_problem() -> None:
    assert states(16384, 4096, settings(**CPU), running=False) == ["problem"]
    assert states(16384, 12288, settings(**CPU), running=False) == ["ok"]


def test_a_running_server_has_its_share_already() -> None:
    assert states(16384, 500, settings(**CPU), running=True) == ["ok"]
    assert states(4096, 500, settings(**CPU), running=True) == ["problem"]


def test_what_can_not_be_seen_is_judged_by_the_whole() -> None:
    assert states(16384, None, settings(**CPU), running=False) == ["ok"]


def test_limits_beyond_the_machine_are_warned_of() -> None:
    services = {"vllm": {"memory": "32g"}}
    assert states(16384, 16000, settings(services=services), running=False) == ["warning"]


def test_a_gpus_model_needs_no_cache_in_the_machines_memory() -> None:
    assert states(8192, 3000, settings(), running=False) == ["ok"]


def test_without_a_deployment_the_smallest_model_must_fit() -> None:
    assert states(2048, 1000, None, running=False) == ["warning"]
    assert states(8192, 1000, None, running=False) == ["ok"]


def test_what_is_free_is_what_the_kernel_says(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  100 kB\nMemAvailable:    2048 kB\n")
    assert available_mib(meminfo) == 2
    assert available_mib(tmp_path / "absent") is None


def test_a_folder_of_weights_has_a_model_in_it(tmp_path: Path) -> None:
    chosen = settings(services={"vllm": {"model": "org/m", "weights": str(tmp_path / "model")}})
    assert "is not there" in weights_folder(chosen).found
    (tmp_path / "model").mkdir()
    assert "config.json" in weights_folder(chosen).found
    (tmp_path / "model" / "config.json").write_text("{}")
    assert weights_folder(chosen).state == "ok"
