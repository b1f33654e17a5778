"""The Docker Engine: does it answer, is it new enough, what does it lack, has it the images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archi.doctor.finding import Finding
from archi.doctor.subject import Subject

LEAST_API = (1, 41)
_LEAST = "archi needs Engine 20.10 (API 1.41) or newer: older ones know neither host-gateway nor "
_SAFE_LOOPBACK = 28

_UPGRADE = "install a newer Docker Engine: https://docs.docker.com/engine/install/."


def unanswered(explanation: str) -> Finding:
    """The Engine does not answer.

    Args:
        explanation: of `archi.docker_engine.Engine.explain`, whose mend stands behind a colon.

    """
    found, _, mend = explanation.rpartition(": ")
    return Finding("engine", "problem", f"{found}.", mend)


def engine(version: Mapping[str, Any], host: str) -> Finding:
    """Whether the Engine of that ``/version`` is one that archi can work with."""
    number, api = str(version["Version"]), str(version["ApiVersion"])
    said = f"Docker Engine {number} (API {api}) answers at {host}."
    components = {str(part.get("Name")) for part in version.get("Components") or ()}
    if "Podman Engine" in components:
        return Finding(
            "engine",
            "warning",
            f"What answers at {host} is Podman {number}; archi is tried with Docker only.",
            "unset DOCKER_HOST (`docker context use default`) to use Docker.",
        )
    if tuple(map(int, api.split("."))) < LEAST_API:
        return Finding("engine", "problem", f"{said} {_LEAST}control groups v2.", _UPGRADE)
    return Finding("engine", "ok", said)


def loopback(version: str, host_mode: bool) -> Finding:
    """Whether a port that is published on loopback can be reached from other hosts.

    Moby 28.0.0 closed it (release notes, "Networking": direct access to loopback-published ports).
    """
    major = re.match(r"\d+", version)
    if host_mode:
        return Finding("loopback", "ok", "Nothing is published: all services are in host mode.")
    if major is None or int(major[0]) >= _SAFE_LOOPBACK:
        return Finding("loopback", "ok", "Ports published on loopback stay on this machine.")
    return Finding(
        "loopback",
        "warning",
        f"Docker before version {_SAFE_LOOPBACK} lets other hosts of the same network segment "
        "reach ports that are published on loopback.",
        "on a network that you don't trust, " + _UPGRADE,
    )


_NO_MEMORY_LIMIT = (
    "The Engine can't limit memory, so that one container can take the whole machine's."
)


def limits(info: Mapping[str, Any], wants_gpus: bool | None) -> Iterator[Finding]:
    """What the Engine can't do on this kernel, by its ``/info``, and what it warns of itself."""
    rootless = any("name=rootless" in option for option in info.get("SecurityOptions") or ())
    groups = str(info.get("CgroupVersion") or "1")
    if not info.get("MemoryLimit", True):
        mend = (
            "delegate the memory controller to your user, as "
            "https://docs.docker.com/engine/security/rootless/ says."
            if rootless
            else "boot the kernel with `cgroup_enable=memory`."
        )
        yield Finding("limits", "warning", _NO_MEMORY_LIMIT, mend)
    elif not info.get("PidsLimit", True):
        yield Finding("limits", "note", "The Engine can't limit the number of processes.")
    else:
        how = "rootless, " if rootless else ""
        yield Finding("limits", "ok", f"Memory limits work ({how}control groups v{groups}).")
    if rootless and wants_gpus:
        yield Finding(
            "limits",
            "note",
            "A rootless Engine gives GPUs only where NVIDIA's toolkit leaves control groups alone.",
            "`sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place`, once.",
        )
    for warning in info.get("Warnings") or ():
        if "without encryption" in warning or "remote API" in warning:
            yield Finding(
                "limits",
                "warning",
                f"Docker says: {_sentence(warning)}",
                "whoever reaches that port is root here: take -H tcp://… out of the daemon's "
                "options, or reach it by DOCKER_HOST=ssh://… instead.",
            )


def images(subject: Subject) -> Iterator[Finding]:
    """Whether the deployment's images are there, or where they come from answers."""
    from docker.errors import ImageNotFound

    from archi import deployment_images
    from archi.images import Image

    api: Any = subject.live.client.api
    wanted = deployment_images.of(subject.said)
    missing = []
    for one in wanted.in_order():
        try:
            api.inspect_image(deployment_images.reference(one))
        except ImageNotFound:
            missing.append(one)
    if not missing:
        yield Finding("images", "ok", f"All {len(wanted.in_order())} images are there.")
        return
    ours = [one.tag for one in missing if isinstance(one, Image)]
    pulled = [one for one in missing if isinstance(one, str)]
    if ours:
        yield Finding("images", "note", f"Not built yet, `up` does it: {', '.join(ours)}.")
        base = deployment_images.debian(subject.said)
        if subject.said.source == "registry" and wanted.base in missing and not _there(api, base):
            pulled.append(base)
    yield from pullable(pulled, lambda reference: str(_asked(api, reference)))


def pullable(references: list[str], ask: Callable[[str], str]) -> Iterator[Finding]:
    """Whether images that are not there can be had.

    Args:
        references: the images.
        ask: has the Engine ask the image's registry; gives what it said, empty for yes.

    """
    for position, reference in enumerate(references):
        said = ask(reference)
        if not said:
            yield Finding("images", "ok", f"{reference} can be pulled.")
            continue
        unreachable = not re.search(r"manifest unknown|not found|denied|unauthorized", said, re.I)
        rest = references[position + 1 :] if unreachable else []
        more = f", nor likely {', '.join(rest)}" if rest else ""
        yield Finding(
            "images",
            "problem",
            f"{reference} is not there and can't be pulled{more}: {_sentence(said)}",
            "check the Docker daemon's network and proxy, or name a mirror in "
            "archi:registry_mirror; no registry in reach: archi:source packages."
            if unreachable
            else "check the image's name; a private one wants `docker login` first.",
        )
        if unreachable:
            return


def _asked(api: Any, reference: str) -> str:  # noqa: ANN401 - docker-py's APIClient
    """What the Engine hears from the registry (``/distribution``, API 1.30); empty for yes."""
    import requests
    from docker.errors import APIError

    try:
        api.inspect_distribution(reference)
    except APIError as error:
        return str(error.explanation or error)
    except requests.RequestException:
        return "the registry did not answer in time"
    return ""


def _there(api: Any, reference: str) -> bool:  # noqa: ANN401 - docker-py's APIClient
    from docker.errors import ImageNotFound

    try:
        api.inspect_image(reference)
    except ImageNotFound:
        return False
    return True


def _sentence(text: str) -> str:
    plain = " ".join(text.removeprefix("WARNING:").split())
    return plain if plain.endswith(".") else f"{plain}."
