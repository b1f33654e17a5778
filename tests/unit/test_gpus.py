"""What nvidia-smi tells, read; without a GPU: texts as its drivers write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archi.gpus import (
    Gpu,
    GpuProcess,
    Inventory,
    chosen,
    device_request,
    look,
    of_this_machine,
    parse,
    parse_mig,
    parse_processes,
)
from archi.settings import GpuIds

L4 = "GPU-11111111-2222-3333-4444-555555555555"
H100 = "GPU-99999999-8888-7777-6666-555555555555"
SLICES = ("MIG-aaaaaaaa-0000-5000-8000-000000000001", "MIG-aaaaaaaa-0000-5000-8000-000000000002")
TWO = f"""\
0, {L4}, NVIDIA L4, 23034, 22567, 8.9, 570.124.06, [N/A]
1, {H100}, NVIDIA H100 80GB HBM3, 81559, 80000, 9.0, 570.124.06, Enabled
"""
APPS = f"""\
{L4}, 4711, /usr/bin/python3, 18000
{L4}, 4712, VLLM::Worker, TP0, [N/A]
{SLICES[0]}, 815, [Not Found], 100
"""
LISTED = f"""\
GPU 0: NVIDIA L4 (UUID: {L4})
GPU 1: NVIDIA H100 80GB HBM3 (UUID: {H100})
  MIG 3g.40gb     Device  0: (UUID: {SLICES[0]})
  MIG 1c.3g.40gb  Device  1: (UUID: {SLICES[1]})
"""
BROKEN = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure "
    "that the latest NVIDIA driver is installed and running.\n"
)


def ids(value: str) -> GpuIds:
    return GpuIds.model_validate(value)


def fake(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, gpus: str = "", then: str = "exit 0"
) -> None:
    """An nvidia-smi, alone on PATH with a shell's own programs."""
    for name, text in (("gpus", gpus), ("apps", APPS), ("listed", LISTED)):
        (folder / name).write_text(text)
    tool = folder / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f"  --query-gpu=*) /bin/cat {folder}/gpus; {then};;\n"
        f"  --query-compute-apps=*) /bin/cat {folder}/apps;;\n"
        f"  -L) /bin/cat {folder}/listed;;\n"
        "esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_row_becomes_a_gpu() -> None:
    assert parse(TWO)[0] == Gpu(0, L4, "NVIDIA L4", 23034, 22567, "8.9", "570.124.06")


def test_a_gpu_that_is_cut_into_slices_is_known_as_such() -> None:
    assert [gpu.split for gpu in parse(TWO)] == [False, True]


@pytest.mark.parametrize("unknown", ["[N/A]", "[Not Supported]", "N/A", "[Unknown Error]", ""])
def test_what_the_device_does_not_tell_is_none(unknown: str) -> None:
    row = f"0, {L4}, NVIDIA GB10, {unknown}, {unknown}, {unknown}, {unknown}, {unknown}\n"
    assert parse(row) == (Gpu(0, L4, "NVIDIA GB10", None, None, None, None),)


@pytest.mark.parametrize(
    "text",
    ["", "\n", BROKEN, "No devices were found\n", 'Field "compute_cap" is not a valid field\n'],
)
def test_texts_that_list_no_gpu_give_none(text: str) -> None:
    assert parse(text) == ()


def test_a_short_row_lacks_only_what_it_lacks() -> None:
    assert parse(f"0, {L4}, Tesla V100, 16384\n")[0].memory_mib == 16384


def test_a_warning_above_the_rows_is_passed_over() -> None:
    assert [gpu.index for gpu in parse("WARNING: infoROM is corrupted\n" + TWO)] == [0, 1]


def test_processes_are_told_by_gpu_whatever_is_in_their_names() -> None:
    assert parse_processes(APPS) == {
        L4: (
            GpuProcess(4711, "/usr/bin/python3", 18000),
            GpuProcess(4712, "VLLM::Worker,TP0", None),
        ),
        SLICES[0]: (GpuProcess(815, "", 100),),
    }


def test_slices_come_with_their_gpus_data_and_their_own_size() -> None:
    first, second = parse_mig(LISTED, parse(TWO))
    assert (first.uuid, first.parent, first.index) == (SLICES[0], H100, 1)
    assert first.name == "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
    assert (first.compute_capability, first.free_mib, first.split) == ("9.0", None, False)
    assert first.memory_mib == second.memory_mib == 38912


def test_the_machines_own_are_asked_of_its_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, gpus=TWO)
    found = of_this_machine()
    assert [gpu.uuid for gpu in found] == [L4, H100, *SLICES]
    assert [process.pid for process in found[0].processes] == [4711, 4712]
    assert [process.pid for process in found[2].processes] == [815]


def test_without_nvidia_smi_there_is_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert of_this_machine() == ()
    assert look() == Inventory((), tool=False)


def test_a_broken_driver_is_no_gpu_and_what_it_says_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, gpus=BROKEN, then="exit 9")
    assert of_this_machine() == ()
    assert look() == Inventory((), tool=True, said=BROKEN.strip())


def test_a_driver_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "never")
    fake(tmp_path, monkeypatch, then=f"read line < {tmp_path}/never")
    found = look(0.3)
    assert found.gpus == ()
    assert "did not answer" in found.said


def machine() -> tuple[Gpu, ...]:
    gpus = parse(TWO)
    return (*gpus, *parse_mig(LISTED, gpus))


def test_all_is_every_whole_gpu_and_every_slice() -> None:
    taken, problems = chosen(machine(), ids("all"))
    assert [gpu.uuid for gpu in taken] == [L4, *SLICES]
    assert problems == []


@pytest.mark.parametrize(
    ("setting", "uuid"), [("0", L4), (L4, L4), ("GPU-1111", L4), (SLICES[1], SLICES[1])]
)
def test_a_gpu_is_named_by_index_uuid_or_slice(setting: str, uuid: str) -> None:
    taken, problems = chosen(machine(), ids(setting))
    assert ([gpu.uuid for gpu in taken], problems) == ([uuid], [])


def test_the_order_is_the_settings_own() -> None:
    taken, _ = chosen(machine(), ids(f"{SLICES[0]},0"))
    assert [gpu.uuid for gpu in taken] == [SLICES[0], L4]


def test_each_that_is_not_there_is_named_with_what_there_is() -> None:
    taken, problems = chosen(parse(TWO), ids("0,2,GPU-abc"))
    assert [gpu.index for gpu in taken] == [0]
    assert problems == [
        "There is no GPU 2; there is 0 (NVIDIA L4).",
        "There is no GPU GPU-abc; there is 0 (NVIDIA L4).",
    ]


def test_of_a_gpu_that_is_cut_up_the_slices_are_to_be_named() -> None:
    taken, [problem] = chosen(machine(), ids("1"))
    assert taken == ()
    assert all(uuid in problem for uuid in SLICES)


def test_none_takes_none_and_all_of_nothing_is_a_problem() -> None:
    assert chosen(machine(), ids("none")) == ((), [])
    assert chosen((), ids("all")) == ((), ["archi:gpu_ids is all, and there is no GPU."])


def test_docker_is_asked_for_ids_one_by_one() -> None:
    request = device_request(ids("0,1"))
    assert request is not None
    assert (request.device_ids, request.count) == (("0", "1"), 0)
    assert device_request(ids("none")) is None
