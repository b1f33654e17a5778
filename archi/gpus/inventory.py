"""The GPUs that there are, as ``nvidia-smi`` tells them.

Its texts are those of drivers from 510 on: ``--query-gpu`` and ``--query-compute-apps`` as CSV
without header and units, ``-L`` for the slices of MIG, which no query lists. What a device does not
tell is ``[N/A]``, ``[Not Supported]`` or ``[Unknown Error]``, and None here: the memory of a
machine whose GPU shares the host's, for one.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING

from archi.settings import GpuIds

if TYPE_CHECKING:
    import docker

    from archi.gpus.request import GpuDriver

FIELDS = (
    "index",
    "uuid",
    "name",
    "memory.total",
    "memory.free",
    "compute_cap",
    "driver_version",
    "mig.mode.current",
)
"""What `parse` takes, in this order."""

_QUERIES = (
    ("--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader,nounits"),
    (
        "--query-compute-apps=gpu_uuid,pid,process_name,used_memory",
        "--format=csv,noheader,nounits",
    ),
    ("-L",),
)
_SECONDS = 20.0
"""A driver without persistence mode wakes each GPU for a look."""

_GPU_LINE = re.compile(r"GPU \d+: .*\(UUID: (?P<uuid>GPU-[0-9a-fA-F-]+)\)")
_MIG_LINE = re.compile(r"MIG (?P<profile>\S+)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-\S+)\)")
_PROFILE_GB = re.compile(r"\.(\d+)gb")


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory of a GPU.

    Attributes:
        pid: on the machine of the GPU.
        name: of its program; empty where it is not told.
        memory_mib: None where it is not told.

    """

    pid: int
    name: str
    memory_mib: int | None


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one.

    Attributes:
        index: as ``nvidia-smi`` counts; a slice has its GPU's.
        uuid: ``GPU-…``, of a slice ``MIG-…``.
        name: such as ``NVIDIA H100 80GB HBM3``.
        memory_mib: all of it, in MiB; of a slice what its profile names, the least that it has.
        free_mib: what nobody holds; None for a slice.
        compute_capability: such as ``9.0``; None where it is not told.
        driver_version: such as ``570.124.06``.
        processes: who holds memory of it. In a container only its own are seen.
        parent: the UUID of the GPU that a slice is of; None for a whole one.
        split: whether it is cut into slices, which are then to be named instead of it.

    """

    index: int
    uuid: str
    name: str
    memory_mib: int | None
    free_mib: int | None
    compute_capability: str | None
    driver_version: str | None
    processes: tuple[GpuProcess, ...] = ()
    parent: str | None = None
    split: bool = False


@dataclass(frozen=True)
class Inventory:
    """A look at a machine's GPUs.

    Attributes:
        gpus: those found, slices after their GPU.
        tool: whether there is an ``nvidia-smi``.
        said: why it lists none; empty where it lists some, or has none to list.

    """

    gpus: tuple[Gpu, ...]
    tool: bool
    said: str = ""


def parse(text: str) -> tuple[Gpu, ...]:
    """The GPUs of ``nvidia-smi --query-gpu=<FIELDS> --format=csv,noheader,nounits``.

    A line that is no such row (a warning, the text of a broken driver) is passed over; what a
    row lacks at its end is None.
    """
    found = []
    for row in _rows(text):
        values = dict(zip(FIELDS, row, strict=False))
        index, uuid = values["index"], values.get("uuid", "")
        if not index.isdigit() or not uuid.startswith("GPU-"):
            continue
        found.append(
            Gpu(
                index=int(index),
                uuid=uuid,
                name=values.get("name", ""),
                memory_mib=_number(values.get("memory.total")),
                free_mib=_number(values.get("memory.free")),
                compute_capability=_told(values.get("compute_cap")),
                driver_version=_told(values.get("driver_version")),
                split=values.get("mig.mode.current") == "Enabled",
            )
        )
    return tuple(found)


def parse_processes(text: str) -> dict[str, tuple[GpuProcess, ...]]:
    """Who holds memory, by the GPU's UUID.

    From ``nvidia-smi --query-compute-apps=gpu_uuid,pid,process_name,used_memory``.
    """
    found: dict[str, tuple[GpuProcess, ...]] = {}
    for row in _rows(text):
        if len(row) < 4 or not row[1].isdigit():
            continue
        uuid, pid, name, memory = row[0], row[1], ",".join(row[2:-1]), row[-1]
        process = GpuProcess(int(pid), _told(name) or "", _number(memory))
        found[uuid] = (*found.get(uuid, ()), process)
    return found


def parse_mig(text: str, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The slices that ``nvidia-smi -L`` lists below their GPUs, which ``gpus`` has."""
    by_uuid = {gpu.uuid: gpu for gpu in gpus}
    found, parent = [], None
    for line in text.splitlines():
        if gpu := _GPU_LINE.search(line):
            parent = by_uuid.get(gpu["uuid"])
        elif parent and (mig := _MIG_LINE.search(line)):
            size = _PROFILE_GB.search(mig["profile"])
            found.append(
                replace(
                    parent,
                    uuid=mig["uuid"],
                    name=f"{parent.name} MIG {mig['profile']}",
                    # The profile's number is rounded up: 1g.10gb of an A100 has 9.5 GiB.
                    memory_mib=int(int(size[1]) * 1024 * 0.95) if size else None,
                    free_mib=None,
                    processes=(),
                    parent=parent.uuid,
                    split=False,
                )
            )
    return tuple(found)


def of_this_machine(seconds: float = _SECONDS) -> tuple[Gpu, ...]:
    """The GPUs of the machine that we run on; empty where it has none, or no working driver.

    Where the Docker Engine is on another machine, they are not the deployment's.
    """
    return look(seconds).gpus


def look(seconds: float = _SECONDS) -> Inventory:
    """The same, with what ``nvidia-smi`` said where it lists none.

    Args:
        seconds: how long it may take in all.

    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Inventory((), tool=False)
    environment = {**os.environ, "LC_ALL": "C"}
    running = [
        subprocess.Popen(
            [tool, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        )
        for arguments in _QUERIES
    ]
    deadline = time.monotonic() + seconds
    outputs = [_output(process, deadline) for process in running]
    if outputs[0] is None:
        return Inventory((), tool=True, said=f"it did not answer within {seconds:.0f} s")
    gpus = _together(*(output or "" for output in outputs))
    return Inventory(gpus, tool=True, said="" if gpus else _first_line(outputs[0]))


_MARK = "=====archi====="


def of_docker_host(
    client: docker.DockerClient,
    image: str,
    driver: GpuDriver = "nvidia",
    *,
    processes: bool = False,
) -> tuple[Gpu, ...]:
    """The GPUs that Docker hands out on its host, asked by a container that is gone afterwards.

    Args:
        client: the Engine, here or elsewhere.
        image: any that is there and has a shell; NVIDIA's toolkit puts ``nvidia-smi`` into it.
        driver: how Docker hands over GPUs.
        processes: also who holds memory; the container then sees the host's processes.

    Raises:
        docker.errors.APIError: Docker can't give a container GPUs, or has no such image;
            `archi.diagnosis.diagnose` knows the text.

    """
    import docker

    from archi.gpus.request import device_request
    from archi.names import LABEL_ROLE
    from archi.oneshot import OneShot, run

    request = device_request(GpuIds(("all",)), driver)
    if request is None:
        return ()
    script = f"; echo {_MARK}; ".join(f"nvidia-smi {' '.join(query)}" for query in _QUERIES)
    result = run(
        client,
        OneShot(
            name="archi-gpu-inventory",
            image=image,
            command=["-c", script],
            labels={LABEL_ROLE: "gpu-inventory"},
            options={
                "entrypoint": ["sh"],
                "network_mode": "none",
                "pid_mode": "host" if processes else None,
                "device_requests": [
                    docker.types.DeviceRequest(
                        driver=request.driver,
                        count=request.count,
                        device_ids=list(request.device_ids),
                        # nvidia-smi is among what NVIDIA's toolkit calls utilities.
                        capabilities=[[*request.capabilities, "utility"]]
                        if request.capabilities
                        else [],
                    )
                ],
            },
        ),
    )
    parts = "\n".join(result.lines).split(_MARK)
    return _together(*(*parts, "", "")[:3])


def chosen(gpus: Sequence[Gpu], gpu_ids: GpuIds) -> tuple[tuple[Gpu, ...], list[str]]:
    """The GPUs that the setting names, in its order, and a sentence for each that is not there.

    ``all`` is every GPU, of one that is cut into slices its slices.
    """
    if gpu_ids.every:
        every = tuple(gpu for gpu in gpus if not gpu.split)
        return every, [] if every else ["archi:gpu_ids is all, and there is no GPU."]
    found, problems = [], []
    for id_ in gpu_ids.ids:
        gpu = next((gpu for gpu in gpus if _is(gpu, id_)), None)
        if gpu is None:
            there = ", ".join(_label(gpu) for gpu in gpus if not gpu.split) or "none"
            problems.append(f"There is no GPU {id_}; there is {there}.")
        elif gpu.split:
            slices = ", ".join(part.uuid for part in gpus if part.parent == gpu.uuid) or "none yet"
            problems.append(f"GPU {id_} is cut into slices (MIG); name one of them: {slices}.")
        else:
            found.append(gpu)
    return tuple(found), problems


def _is(gpu: Gpu, id_: str) -> bool:
    if id_.isdigit():
        return gpu.parent is None and gpu.index == int(id_)
    # As NVIDIA's own tools, the toolkit takes the beginning of a UUID for it.
    return gpu.uuid.lower().startswith(id_.lower())


def _label(gpu: Gpu) -> str:
    return gpu.uuid if gpu.parent else f"{gpu.index} ({gpu.name})"


def _together(gpus: str, processes: str, listed: str) -> tuple[Gpu, ...]:
    holders = parse_processes(processes)
    whole = [replace(gpu, processes=holders.get(gpu.uuid, ())) for gpu in parse(gpus)]
    slices = parse_mig(listed, whole)
    found: list[Gpu] = []
    for gpu in whole:
        own = [part for part in slices if part.parent == gpu.uuid]
        found += [gpu, *(replace(part, processes=holders.get(part.uuid, ())) for part in own)]
    return tuple(found)


def _output(process: subprocess.Popen[str], deadline: float) -> str | None:
    """What it printed; None where it did not end in time."""
    try:
        return process.communicate(timeout=max(0.1, deadline - time.monotonic()))[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return None


def _first_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), "it said nothing")


def _rows(text: str) -> Iterable[list[str]]:
    reader = csv.reader(StringIO(text), skipinitialspace=True)
    return ([cell.strip() for cell in row] for row in reader if row)


def _told(text: str | None) -> str | None:
    return None if not text or text == "N/A" or text.startswith("[") else text


def _number(text: str | None) -> int | None:
    told = _told(text)
    return int(float(told)) if told and re.fullmatch(r"\d+(\.\d+)?", told) else None
