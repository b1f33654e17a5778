"""What Docker refuses: GPUs that it can't hand over, names, images, mounts, networks.

Seen with Docker Engine 20.10 and runc 1.1 (tests/e2e/test_docker_refusals.py): missing GPU driver
and runtime, image, program, registry, ulimits, names, mounts, networks. Torch's and CUDA's texts
stand in torch 2.13.0's libc10_cuda and CUDA 13's libcudart. Other Engines' texts, and all of the
NVIDIA driver and Container Toolkit (`nvidia-container-cli`, `nvml`, `NVIDIA-SMI`, CDI), are from
knowledge: none of them was at hand.
"""

from __future__ import annotations

from archi.diagnosis.rules import rule

RULES = (
    rule(
        "gpu-driver-too-old",
        (
            "unsatisfied condition: cuda>={wanted:num}",
            # torch/cuda/__init__.py, torch 2.13.0; the CUDA runtime itself
            "The NVIDIA driver on your system is too old",
            "CUDA driver version is insufficient for CUDA runtime version",
            "the provided PTX was compiled with an unsupported toolchain",
        ),
        "The NVIDIA driver is older than the image's CUDA needs.",
        "install a newer driver (`nvidia-smi` says which CUDA the present one can), or name an "
        "older vLLM image in archi:services.vllm.image.",
    ),
    rule(
        "gpu-driver-not-loaded",
        (
            "nvml error: driver not loaded",
            "driver/library version mismatch",
            "nvml error: driver rpc error",
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver",
        ),
        "The NVIDIA driver is not loaded, or was updated and the old one still runs.",
        "`nvidia-smi` on the host has to work first: restart the machine, or load the driver with "
        "`sudo modprobe nvidia`.",
    ),
    rule(
        "gpu-unknown",
        (
            "nvidia-container-cli: device error: {gpu:word}: unknown device",
            "CUDA error: invalid device ordinal",
        ),
        "A GPU that was asked for is not there.",
        "`nvidia-smi --list-gpus` lists them with their numbers; correct archi:gpu_ids.",
    ),
    rule(
        "gpu-runtime-missing",
        (
            'could not select device driver "…" with capabilities: ',
            "Unknown runtime specified nvidia",
            "unknown or invalid runtime name: nvidia",
            "nvidia-container-cli: initialization error",
            "unresolvable CDI devices",
            "nvidia-container-runtime-hook: no such file",
        ),
        "Docker can't give a container the GPU: the NVIDIA Container Toolkit is missing or Docker "
        "does not know of it.",
        "install nvidia-container-toolkit, run `sudo nvidia-ctk runtime configure "
        "--runtime=docker`, restart Docker; or set archi:gpu_ids to none to run on the CPU.",
    ),
    rule(
        "registry-unreachable",
        'Get "{registry:word}/v2/": ',
        "The image registry {registry} can't be reached from the Docker host.",
        "look whether it is up and whether a proxy is in between (the Docker daemon has settings "
        "of its own for one); archi:registry_mirror names another registry, and archi:source "
        "packages does without one.",
    ),
    rule(
        "image-missing",
        (
            "No such image: {image:word}",
            "pull access denied for {image:word}",
            "manifest for {image:word} not found",
        ),
        "The image {image} is not there, and could not be pulled.",
        "check its name (archi:services.vllm.image, archi:services.postgres.image) and that the "
        "registry can be reached; `pulumi up` pulls or builds it again.",
    ),
    rule(
        "image-architecture",
        "exec format error",
        "The image is made for another kind of processor.",
        "name one for this machine in archi:services.vllm.image.",
    ),
    rule(
        "image-without-program",
        'exec: "{program:word}": executable file not found',
        "The image has no program {program}: it is not one of this service.",
        "correct archi:services.vllm.image or archi:services.postgres.image, or leave it out.",
    ),
    rule(
        "ulimit-refused",
        # runc: the daemon itself runs under a lower limit and may not raise it.
        ("error setting rlimits for ready process", "error setting rlimit type {number:int}"),
        "Docker may not set the container's ulimits: its daemon has lower ones, and may not raise "
        "them.",
        "lower archi:services.vllm.ulimits or leave them out, or raise the limits of the daemon "
        "(LimitNOFILE and LimitMEMLOCK of docker.service).",
    ),
    rule(
        "container-name-taken",
        'The container name "{name:word}" is already in use',
        "Another container has the name {name}.",
        "`docker rm` it if it is a leftover, and run `pulumi up` again.",
    ),
    rule(
        "mount-missing",
        "bind source path does not exist: {path:word}",
        "The folder {path} is not on the Docker host.",
        "make it there, or correct archi:services.vllm.weights.",
    ),
    rule(
        "network-missing",
        "network {network:word} not found",
        "The deployment's network {network} was removed.",
        "`pulumi up --refresh` makes it again.",
    ),
    rule(
        "no-free-network",
        (
            "could not find an available, non-overlapping IPv4 address pool",
            "all predefined address pools have been fully subnetted",
        ),
        "Docker has no address range left for another network.",
        "`docker network prune` removes networks that nobody uses.",
    ),
)
