"""Room: on Docker's disk, in shared memory, in the machine's memory."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archi.doctor.finding import Finding, amount
from archi.doctor.subject import Subject, execute
from archi.settings import Settings

LEAST_DISK_GIB = 2  # as archi/preflight.py
_LITTLE_DISK_GIB = 20
"""The image of vLLM for CPUs has 7 GB, that for GPUs more, a model of 8 billion parameters 16."""

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_CONTAINERD_ROOT = "/var/lib/containerd"
_FREE_SOME = (
    "`docker system df` says what takes room; `docker image prune` frees some, and never touches "
    "a volume."
)


def disk(root: str, free_gib: float) -> Finding:
    """What is left on the disk where Docker keeps images and volumes."""
    said = f"The disk where Docker keeps its data ({root}) has {free_gib:.1f} GiB left"
    if free_gib < LEAST_DISK_GIB:
        return Finding(
            "disk", "problem", f"{said}; a deployment needs {LEAST_DISK_GIB}.", _FREE_SOME
        )
    if free_gib < _LITTLE_DISK_GIB:
        more = "little for new images and weights (2 GB per billion parameters at 16 bits)"
        return Finding("disk", "warning", f"{said}: {more}.", _FREE_SOME)
    return Finding("disk", "ok", f"{said}.")


def disks(subject: Subject) -> Iterator[Finding]:
    """Look on this machine, else from inside a container, whose root lies on that disk."""
    info = subject.live.info
    root = str(info.get("DockerRootDir") or "/var/lib/docker")
    if subject.here and os.path.isdir(root):
        roots = [root]
        if any(_CONTAINERD_STORE in str(status) for status in info.get("DriverStatus") or ()):
            roots.append(_CONTAINERD_ROOT)
        for place in filter(os.path.isdir, roots):
            yield disk(place, shutil.disk_usage(place).free / 1024**3)
        return
    for container in subject.containers:
        if container["State"]["Running"]:
            code, said = execute(subject, container, ["df", "-Pk", "/"])
            if code == 0:
                yield disk(root, int(said.splitlines()[-1].split()[3]) / 1024**2)
                return
    yield Finding(
        "disk",
        "skipped",
        f"Docker's disk ({root}) is elsewhere, and no container of a deployment runs there to "
        "look from.",
    )


_LEAST_SHM_MIB = 1024  # below, vLLM warns at its start
_JUST_MADE_SECONDS = 60
_MAPPING = re.compile(
    r"^\S+ \S+ \S+ (?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+) (?P<inode>\d+) ", re.MULTILINE
)


@dataclass(frozen=True)
class Maps:
    """What the processes have mapped.

    Attributes:
        files: device (as in ``st_dev``) and inode of each file.
        whole: whether all processes could be looked at; those of others only root may.

    """

    files: frozenset[tuple[int, int]]
    whole: bool


def mapped(proc: Path = Path("/proc")) -> Maps:
    """The files that processes have mapped, in whatever container they are."""
    files, whole = set(), True
    for maps in proc.glob("[0-9]*/maps"):
        try:
            text = maps.read_text(errors="replace")
        except PermissionError:
            # Even from root a kernel may keep a process or two, which are no vLLM.
            whole = whole and os.geteuid() == 0
            continue
        except OSError:
            continue  # ended meanwhile
        for found in _MAPPING.finditer(text):
            if found["inode"] != "0":
                device = os.makedev(int(found["major"], 16), int(found["minor"], 16))
                files.add((device, int(found["inode"])))
    return Maps(frozenset(files), whole)


def shared_memory(folder: Path, maps: Maps) -> Iterator[Finding]:
    """The host's shared memory, and what killed servers left in it.

    Args:
        folder: ``/dev/shm``.
        maps: what is in use.

    """
    usage = shutil.disk_usage(folder)
    total, free = usage.total / 1024**2, usage.free / 1024**2
    said = f"Shared memory ({folder}): {amount(free)} of {amount(total)} are free."
    if total < _LEAST_SHM_MIB:
        yield Finding(
            "shared-memory",
            "warning",
            f"{said} vLLM wants 1 GiB.",
            f"`sudo mount -o remount,size=2g {folder}`, or a share of vLLM's own: "
            "archi:services.vllm.shm_size 2g.",
        )
    else:
        yield Finding("shared-memory", "ok", said)
    left = [(path, size) for path, size in _segments(folder, maps)]
    if not left:
        return
    size = sum(size for _path, size in left) / 1024**2
    files = f"{len(left)} file{'s' if len(left) > 1 else ''} psm_*"
    what = f"In it {'are' if len(left) > 1 else 'is'} {files} with {amount(size)}"
    if maps.whole:
        yield Finding(
            "shared-memory",
            "warning",
            f"{what} that no process uses: a killed vLLM left them.",
            f"`rm {' '.join(str(path) for path, _size in left)}`",
        )
    else:
        yield Finding(
            "shared-memory",
            "note",
            f"{what} that no process of yours uses; those of others only root can look at.",
            "run doctor as root to know whether they are left over.",
        )


def _segments(folder: Path, maps: Maps) -> Iterator[tuple[Path, int]]:
    """The segments of Python's ``multiprocessing.shared_memory`` that nobody has mapped."""
    for path in sorted(folder.glob("psm_*")):
        try:
            stat = path.stat()
        except OSError:
            continue  # gone meanwhile
        young = time.time() - stat.st_mtime < _JUST_MADE_SECONDS
        if not young and (stat.st_dev, stat.st_ino) not in maps.files:
            yield path, stat.st_blocks * 512


_LEAST_MEMORY_MIB = 4096  # the smallest model, SmolLM2-135M, takes 3.5 GiB


def memory(
    total_mib: int, available_mib: int | None, settings: Settings | None, *, running: bool
) -> Iterator[Finding]:
    """The machine's memory against what the settings take of it.

    Args:
        total_mib: all of it.
        available_mib: what is to be had now; None where that can't be seen.
        settings: None where they are not known.
        running: whether vllm-server runs, and has its share already.

    """
    has = f"The machine has {amount(total_mib)} of memory"
    has += f", {amount(available_mib)} of it free." if available_mib is not None else "."
    if settings is None:
        if total_mib < _LEAST_MEMORY_MIB:
            more = "even the smallest model wants 4 GiB."
            yield Finding("memory", "warning", f"{has[:-1]}; {more}", "take a larger machine.")
        else:
            yield Finding("memory", "ok", has)
        return
    vllm = settings.services.vllm
    on_cpu = "vllm-server" in settings.deployed and not settings.gpu_ids
    cache = vllm.cpu_kv_cache_gib * 1024 if on_cpu else 0
    left = total_mib if running or available_mib is None else available_mib
    if cache > left:
        yield Finding(
            "memory",
            "problem",
            f"{has} The KV cache is to have {amount(cache)}.",
            "lower archi:services.vllm.cpu_kv_cache_gib, or end what else takes memory.",
        )
        return
    limits = _limits(settings)
    if limits > total_mib:
        yield Finding(
            "memory",
            "warning",
            f"{has} The containers may take {amount(limits)} together.",
            "lower archi:services.vllm.memory, or leave the machine to this deployment and see.",
        )
        return
    yield Finding("memory", "ok", has)


def _limits(settings: Settings) -> int:
    """What the containers of the deployment may take together, in MiB; without a limit: 0."""
    services = settings.services
    limits = {
        "vllm-server": services.vllm.memory or 0,
        "chatbot": services.chatbot.memory,
        "postgres": services.postgres.memory,
    }
    return sum(limit for role, limit in limits.items() if role in settings.deployed)


def available_mib(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """``MemAvailable`` of this machine; None where it is not told."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) // 1024 if found else None


def weights_folder(settings: Settings) -> Finding:
    """The folder of this machine that is to hold the weights."""
    folder = Path(str(settings.services.vllm.weights))
    if (folder / "config.json").is_file():
        return Finding("weights-folder", "ok", f"The weights are in {folder}.")
    what = "has no config.json" if folder.is_dir() else "is not there, or not for you to read"
    return Finding(
        "weights-folder",
        "problem",
        f"The folder {folder} (archi:services.vllm.weights) {what}.",
        "copy all files of the model's repository there, or correct the path.",
    )


def total_mib(info: Mapping[str, Any]) -> int:
    """All of the memory of the Engine's machine."""
    return int(info["MemTotal"]) // 1024**2
