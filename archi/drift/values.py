"""What of a container is one value, in Pulumi's state and in what Docker says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from archi.deployments.pulumi_state import is_secret
from archi.drift.shown import pair

_MIB = 2**20
_HEALTH_CHECK = "health check"
"""Not shown: a command made by hand may send a key."""

Found = Iterator[tuple[str, str | None, str | None]]
"""Differences as (what, expected, found)."""


def values(inputs: Mapping[str, Any], attrs: Mapping[str, Any]) -> Found:
    """The values that differ; ``inputs`` are the state's, ``attrs`` Docker's."""
    for what, expected, found in _VALUES:
        wanted = expected(inputs)
        if wanted is None or is_secret(wanted):
            continue
        now = found(attrs)
        if wanted != now:
            yield what, *pair(_text(wanted), _text(now), show=what != _HEALTH_CHECK)


def _gpus(inputs: Mapping[str, Any]) -> str:
    requests = inputs.get("deviceRequests")
    if not requests:
        return "none"
    return _gpu_text(requests[0].get("deviceIds"), whole(requests[0].get("count")))


def _gpus_of(attrs: Mapping[str, Any]) -> str:
    requests = attrs["HostConfig"].get("DeviceRequests") or ()
    if not requests:
        return "none"
    return _gpu_text(requests[0].get("DeviceIDs"), requests[0].get("Count"))


def _gpu_text(ids: Sequence[str] | None, count: int | None) -> str:
    if ids:
        return ", ".join(ids)
    return "all" if count == -1 else f"{count or 0} of them"


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _words(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if not values else tuple(values)


def whole(number: float | None) -> int | None:
    """A number of the state, where all are floats."""
    return None if number is None else int(number)


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or None
    return " ".join(value) if isinstance(value, tuple) else str(value)


Get = Callable[[Mapping[str, Any]], Any]

# What is one value on either side: (what, in the state's inputs, in Docker's attributes). Where the
# state says None, Docker's or the image's default holds and nothing is compared.
_VALUES: tuple[tuple[str, Get, Get], ...] = (
    ("image", lambda i: i.get("image"), lambda a: a["Config"]["Image"]),
    ("user", lambda i: i.get("user"), lambda a: a["Config"].get("User")),
    (
        "memory limit in MiB",
        lambda i: whole(i.get("memory")),
        lambda a: (a["HostConfig"].get("Memory") or 0) // _MIB,
    ),
    (
        "restart policy",
        lambda i: i.get("restart"),
        lambda a: (a["HostConfig"].get("RestartPolicy") or {}).get("Name"),
    ),
    (
        "on the host's network",
        lambda i: i.get("networkMode") == "host",
        lambda a: a["HostConfig"].get("NetworkMode") == "host",
    ),
    ("ipc mode", lambda i: i.get("ipcMode"), lambda a: a["HostConfig"].get("IpcMode")),
    (
        "shared memory in MiB",
        lambda i: whole(i.get("shmSize")),
        lambda a: (a["HostConfig"].get("ShmSize") or 0) // _MIB,
    ),
    (
        "read-only root",
        lambda i: i.get("readOnly"),
        lambda a: bool(a["HostConfig"].get("ReadonlyRootfs")),
    ),
    ("privileged", lambda i: bool(i.get("privileged")), lambda a: a["HostConfig"]["Privileged"]),
    (
        "dropped capabilities",
        lambda i: _set((i.get("capabilities") or {}).get("drops")),
        lambda a: _set(a["HostConfig"].get("CapDrop")),
    ),
    (
        "added capabilities",
        lambda i: _set((i.get("capabilities") or {}).get("adds") or []),
        lambda a: _set(a["HostConfig"].get("CapAdd") or []),
    ),
    (
        "security options",
        lambda i: _set(i.get("securityOpts")),
        lambda a: _set(a["HostConfig"].get("SecurityOpt")),
    ),
    (
        _HEALTH_CHECK,
        lambda i: _words((i.get("healthcheck") or {}).get("tests")),
        lambda a: _words((a["Config"].get("Healthcheck") or {}).get("Test")),
    ),
    ("GPUs", _gpus, _gpus_of),
)
