"""GPUs: the driver, NVIDIA's toolkit, what Docker knows of them, and who holds their memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archi.doctor.finding import Finding, State, amount
from archi.gpus import Gpu, GpuDriver, GpuProcess, Inventory, chosen
from archi.settings import GpuIds, Settings

STEPS = 'docs/advanced_setup_deploy.md, "Running LLMs locally on your GPUs"'
_NVIDIA, _DISPLAY = "0x10de", "0x03"  # PCI vendor, and the class of display controllers
VLLMS_SHARE = 0.92
"""What vLLM takes of a GPU where no setting says else (``--gpu-memory-utilization``, 0.32.0)."""

# What nvidia-smi says where it lists no GPU: what that means, and what mends it.
_BROKEN: tuple[tuple[str, str, str], ...] = (
    (
        "couldn't communicate with the NVIDIA driver",
        "nvidia-smi is installed, and the driver does not run",
        "`sudo modprobe nvidia` loads it or says why not; after an update of the kernel the "
        "driver's module is missing (`sudo dkms autoinstall`), and then a restart is needed.",
    ),
    (
        "Driver/library version mismatch",
        "The driver was updated, and the old one still runs",
        "restart the machine.",
    ),
    (
        "No devices were found",
        "The driver runs and finds no GPU",
        "`sudo dmesg | grep -i nvrm` says what became of it; a restart brings back one that fell "
        "off its bus.",
    ),
    (
        "is not a valid field to query",
        "The driver is too old to be asked",
        "install a driver of version 525 or newer.",
    ),
    (
        "did not answer",
        "nvidia-smi is slow or hangs",
        "`sudo nvidia-smi -pm 1` keeps the driver awake; where that hangs too, restart the "
        "machine.",
    ),
)


def driver(found: Inventory, wanted: bool | None, *, card: bool) -> Finding:
    """NVIDIA's driver.

    Args:
        found: what nvidia-smi told.
        wanted: whether the deployment takes GPUs; None where that is not known.
        card: whether the machine has a card of NVIDIA's, driver or not.

    """
    if found.gpus:
        whole = [gpu for gpu in found.gpus if gpu.parent is None]
        count = "1 GPU" if len(whole) == 1 else f"{len(whole)} GPUs"
        version = whole[0].driver_version or "of unknown version"
        return Finding("driver", "ok", f"NVIDIA's driver {version} runs; {count}.")
    state: State = "problem" if wanted else "warning"
    if found.tool:
        for text, what, mend in _BROKEN:
            if text in found.said:
                return Finding("driver", state, f"{what} ({found.said.rstrip('.')}).", mend)
        return Finding("driver", state, f"nvidia-smi lists no GPU: {found.said}", f"see {STEPS}.")
    if card:
        return Finding(
            "driver",
            state,
            "The machine has a card of NVIDIA's and no nvidia-smi: the driver is missing.",
            f"install it: {STEPS}.",
        )
    if wanted:
        return Finding(
            "driver",
            "problem",
            "The deployment takes GPUs, and this machine has none of NVIDIA's.",
            "`pulumi config set archi:gpu_ids none` runs it on the CPU, a small model.",
        )
    return Finding("driver", "note", "There is no GPU of NVIDIA's; models run on the CPU.")


def has_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether the PCI bus has a display controller of NVIDIA's."""
    for device in devices.glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            if vendor == _NVIDIA and (device / "class").read_text().startswith(_DISPLAY):
                return True
        except OSError:
            continue
    return False


def installed(program: str) -> bool:
    """Whether a program of the toolkit is where the Docker daemon would find it."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/local/bin"])
    return shutil.which(program, path=path) is not None


def toolkit(driver: GpuDriver, wanted: bool | None, *, gpus: bool) -> Finding:
    """NVIDIA's Container Toolkit on this machine."""
    needed = ["nvidia-ctk"] + (["nvidia-container-runtime-hook"] if driver == "nvidia" else [])
    missing = [program for program in needed if not installed(program)]
    if not missing:
        return Finding("toolkit", "ok", "NVIDIA's Container Toolkit is installed.")
    if not wanted and not gpus:
        return Finding("toolkit", "skipped", "Without a GPU nothing needs NVIDIA's toolkit.")
    return Finding(
        "toolkit",
        "problem" if wanted else "warning",
        f"NVIDIA's Container Toolkit is missing ({', '.join(missing)}): containers get no GPU.",
        f"install nvidia-container-toolkit: {STEPS}.",
    )


_CONFIGURE = "`sudo nvidia-ctk runtime configure --runtime=docker`, then restart Docker."
_GENERATE = "`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`."


def runtime(
    info: Mapping[str, Any], driver: GpuDriver, wanted: bool | None, *, gpus: bool, hook: bool
) -> Finding:
    """Whether Docker knows how to hand over GPUs.

    Args:
        info: the Engine's ``/info``.
        driver: the way that the settings choose.
        wanted: whether the deployment takes GPUs.
        gpus: whether there are any here.
        hook: whether NVIDIA's runtime hook is on the Engine's machine, as far as we see.

    """
    if not wanted and not gpus:
        return Finding("runtime", "skipped", "Without a GPU Docker has none to hand over.")
    state: State = "problem" if wanted else "warning"
    if driver == "cdi":
        return _cdi(info, state)
    if "nvidia" in (info.get("Runtimes") or {}):
        return Finding("runtime", "ok", "Docker has the runtime nvidia.")
    if hook:
        return Finding(
            "runtime",
            "note",
            "Docker has no runtime nvidia; it hands over GPUs by NVIDIA's hook, if it was "
            "restarted since that is installed.",
            f"where a container gets no GPU: {_CONFIGURE}",
        )
    return Finding(
        "runtime", state, "Docker does not know NVIDIA's runtime: it can't give GPUs.", _CONFIGURE
    )


def _cdi(info: Mapping[str, Any], state: State) -> Finding:
    if not info.get("CDISpecDirs"):
        return Finding(
            "runtime",
            state,
            "Docker has no CDI, which archi:gpu_driver asks for: it is on from version 28.",
            "install a newer Docker, or set archi:gpu_driver to nvidia.",
        )
    if "DiscoveredDevices" not in info:  # API 1.50
        return Finding("runtime", "note", "Docker has CDI; `nvidia-ctk cdi list` lists its GPUs.")
    known = [
        device
        for device in info["DiscoveredDevices"] or ()
        if str(device.get("ID", "")).startswith("nvidia.com/gpu=")
    ]
    if known:
        return Finding("runtime", "ok", f"Docker knows {len(known)} GPUs by CDI.")
    return Finding("runtime", state, "Docker has CDI, and no GPU is described to it.", _GENERATE)


@dataclass(frozen=True)
class Owner:
    """The container that a process belongs to, and whether it is the deployment's own."""

    name: str
    own: bool


def gpus(
    found: Sequence[Gpu], settings: Settings | None, owners: Mapping[int, Owner]
) -> Iterator[Finding]:
    """Each GPU that the deployment takes: is it there, and is enough of it free.

    Args:
        found: those of the machine.
        settings: None to list them all.
        owners: containers by the process that holds memory.

    """
    ids = settings.gpu_ids if settings else GpuIds(("all",))
    taken, problems = chosen(found, ids)
    for problem in problems:
        yield Finding(
            "gpus", "problem", problem, "`nvidia-smi -L` lists them; then set archi:gpu_ids."
        )
    share = (settings and settings.services.vllm.gpu_memory_utilization) or VLLMS_SHARE
    for gpu in taken:
        yield _memory(gpu, share if settings else None, owners)
    if settings and not problems:
        size = settings.tensor_parallel_size * settings.services.vllm.pipeline_parallel_size
        if size > len(taken):
            yield Finding(
                "gpus",
                "problem",
                f"The model is to be dealt out to {size} GPUs, and there are {len(taken)}.",
                "lower archi:services.vllm.tensor_parallel_size, or name more in archi:gpu_ids.",
            )


def _memory(gpu: Gpu, share: float | None, owners: Mapping[int, Owner]) -> Finding:
    """How much of a GPU is free; with a share, whether vLLM would get it."""
    label = f"GPU {gpu.uuid if gpu.parent else gpu.index} ({gpu.name})"
    if gpu.memory_mib is None or gpu.free_mib is None:
        return Finding("gpus", "note", f"{label} does not tell how much of its memory is free.")
    holders = [_holder(process, owners.get(process.pid)) for process in gpu.processes]
    held = f" Held by {'; '.join(holders)}." if holders else ""
    free = f"{label}: {amount(gpu.free_mib)} of {amount(gpu.memory_mib)} are free."
    if share is None:
        return Finding("gpus", "ok", free + held)
    if any(owner.own for process in gpu.processes if (owner := owners.get(process.pid))):
        return Finding("gpus", "ok", f"{label} is at work for this deployment.{held}")
    wanted = share * gpu.memory_mib
    if gpu.free_mib >= wanted:
        return Finding("gpus", "ok", free + held)
    if not holders:
        held = " `nvidia-smi` does not tell by whom."
    return Finding(
        "gpus",
        "problem",
        f"{free} vLLM wants {amount(wanted)} at its start.{held}",
        "end what holds it, name another GPU in archi:gpu_ids, or lower "
        "archi:services.vllm.gpu_memory_utilization.",
    )


def _holder(process: GpuProcess, owner: Owner | None) -> str:
    memory = f", {amount(process.memory_mib)}" if process.memory_mib is not None else ""
    name = Path(process.name).name or "of a name that is not told"
    where = f" in container {owner.name}" if owner else ""
    return f"process {process.pid} ({name}{memory}){where}"


def owners_of(
    pids: Sequence[int], containers: Mapping[str, Owner], proc: Path = Path("/proc")
) -> dict[int, Owner]:
    """The containers of processes, by their control groups, whose paths hold a container's id."""
    found = {}
    for pid in pids:
        try:
            groups = (proc / str(pid) / "cgroup").read_text()
        except OSError:
            continue  # ended meanwhile
        for id_, owner in containers.items():
            if id_ in groups:
                found[pid] = owner
    return found
