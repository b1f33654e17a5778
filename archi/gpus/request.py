"""The GPUs of a deployment, as Docker is asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archi.settings import GpuIds

GpuDriver = Literal["nvidia", "cdi"]

_CDI_KIND = "nvidia.com/gpu"
"""The kind under which NVIDIA's toolkit lists GPUs (`nvidia-ctk cdi list`)."""


@dataclass(frozen=True)
class DeviceRequest:
    """A device request of Docker's API (1.40 on); ``count`` is -1 for all that there are."""

    driver: str
    capabilities: tuple[str, ...]
    device_ids: tuple[str, ...] = ()
    count: int = 0


def device_request(gpu_ids: GpuIds, driver: GpuDriver = "nvidia") -> DeviceRequest | None:
    """What to ask for; None for no GPU. A list of ids, since a comma list yields one GPU."""
    if not gpu_ids:
        return None
    if driver == "cdi":
        names = tuple(f"{_CDI_KIND}={id_}" for id_ in gpu_ids.root)
        return DeviceRequest("cdi", (), names)
    if gpu_ids.every:
        return DeviceRequest("nvidia", ("gpu",), count=-1)
    return DeviceRequest("nvidia", ("gpu",), gpu_ids.ids)
