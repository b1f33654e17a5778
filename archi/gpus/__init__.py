"""GPUs: which there are, which a deployment takes, and how Docker is asked for them."""

from archi.gpus.inventory import (
    Gpu,
    GpuProcess,
    Inventory,
    chosen,
    look,
    of_docker_host,
    of_this_machine,
    parse,
    parse_mig,
    parse_processes,
)
from archi.gpus.request import DeviceRequest, GpuDriver, device_request

__all__ = [
    "DeviceRequest",
    "Gpu",
    "GpuDriver",
    "GpuProcess",
    "Inventory",
    "chosen",
    "device_request",
    "look",
    "of_docker_host",
    "of_this_machine",
    "parse",
    "parse_mig",
    "parse_processes",
]
