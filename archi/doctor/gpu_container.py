"""GPUs as a container sees them: the only look at those of a Docker host elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from archi.doctor import gpu_checks
from archi.doctor.finding import Finding
from archi.doctor.gpu_checks import Owner
from archi.doctor.subject import Subject
from archi.gpus import of_docker_host

SECONDS = 60.0
"""A container has to start, and a driver without persistence mode wakes each GPU."""


def gpus(subject: Subject, owners: dict[str, Owner]) -> Iterable[Finding]:
    """What `gpu_checks.gpus` says, of GPUs that a container was asked about.

    Args:
        subject: whose Engine answers.
        owners: running containers by id.

    """
    from docker.errors import APIError

    from archi.docker_engine import connect

    image = _image(subject)
    if image is None:
        return [
            Finding(
                "gpus",
                "skipped",
                f"No image is at {subject.host} whose container could look at the GPUs.",
                "`pulumi up` brings one; `docker pull` does it before.",
            )
        ]
    settings = subject.settings
    client = connect(subject.host)  # one that is patient
    try:
        found = of_docker_host(
            client, image, settings.gpu_driver if settings else "nvidia", processes=True
        )
    except APIError as error:
        return [_refused(str(error.explanation or error), subject.wants_gpus)]
    finally:
        client.close()
    if not found:
        return [_refused("nvidia-smi lists no GPU in a container.", subject.wants_gpus)]
    pids = {process.pid for gpu in found for process in gpu.processes}
    return gpu_checks.gpus(found, settings, owners_of(pids, subject, owners))


def owners_of(pids: set[int], subject: Subject, owners: dict[str, Owner]) -> dict[int, Owner]:
    """The containers of processes, which the Engine lists by their host's numbers."""
    if not pids:
        return {}
    found = {}
    for id_, owner in owners.items():
        for pid in _processes(subject.live.client.api, id_):
            if pid in pids:
                found[pid] = owner
    return found


def _processes(api: Any, id_: str) -> Iterator[int]:  # noqa: ANN401 - docker-py's APIClient
    from docker.errors import APIError

    try:
        listed = api.top(id_, ps_args="-eo pid")
    except APIError:  # ended meanwhile, or paused
        return
    yield from (int(row[0]) for row in listed["Processes"] or () if row[0].isdigit())


def _image(subject: Subject) -> str | None:
    """An image that is there: the model server's own, the one it would be made of, or vLLM's."""
    from docker.errors import ImageNotFound

    from archi import deployment_images
    from archi.images import VLLM_GPU_IMAGE

    server = subject.container("vllm-server")
    wanted = [str(server["Image"])] if server else []
    if subject.settings and (one := deployment_images.of(subject.settings).vllm):
        wanted.append(deployment_images.reference(one))
    api: Any = subject.live.client.api
    for reference in (*wanted, VLLM_GPU_IMAGE):
        try:
            return str(api.inspect_image(reference)["Id"])
        except ImageNotFound:
            continue
    return None


def _refused(said: str, wanted: bool | None) -> Finding:
    from archi.diagnosis import diagnose

    diagnosis = diagnose([said])
    known = diagnosis.cause != "unknown"
    return Finding(
        "gpus",
        "problem" if wanted else "note",
        f"A container gets no GPU: {diagnosis.what[:1].lower() + diagnosis.what[1:]}"
        if known
        else f"A container gets no GPU: {said}",
        diagnosis.mend if known else f"see {gpu_checks.STEPS}.",
    )
