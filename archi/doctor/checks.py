"""The table of what doctor looks at: each check, where people read it, and where it applies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archi import project, stack_settings
from archi.doctor import (
    docker_checks,
    gpu_checks,
    gpu_container,
    network_checks,
    project_checks,
    space_checks,
    wiring_checks,
)
from archi.doctor.finding import Finding
from archi.doctor.subject import SERVICES, Subject
from archi.names import LABEL_DEPLOYMENT, MODELS_VOLUME
from archi.public_services import MODEL_HUB, REGISTRY

if TYPE_CHECKING:
    from archi.gpus import Inventory

Group = Literal["Docker", "GPU", "Disk and memory", "Network", "Archi", "Deployment"]

CHECK_SECONDS = 20.0
"""How long one check may take: after that it counts as not answered. A busy machine takes long."""

_SHM = Path("/dev/shm")  # noqa: S108 - the host's shared memory, which is looked at

# Conditions: empty where a check applies, else why it does not.
Condition = Callable[[Subject], str]


def _engine(subject: Subject) -> str:
    return "" if subject.engine else "Without the Docker Engine it can't be looked at."


def _here(subject: Subject) -> str:
    return "" if subject.here else f"Not this machine's: the Engine is at {subject.host}."


def _seen(subject: Subject) -> str:
    if subject.gpu_container:
        return _engine(subject)
    elsewhere = _here(subject)
    return f"{elsewhere} --gpu-container has a container look." if elsewhere else ""


def _settings(subject: Subject) -> str:
    return "" if subject.settings else "Without a stack file that can be read it is not known."


def _file(subject: Subject) -> str:
    there = project.stack_file(subject.root, str(subject.name)).exists()
    return "" if there else "There is no stack file to open."


def _gpus(subject: Subject) -> str:
    return "This deployment takes no GPU." if subject.wants_gpus is False else ""


def _host_shm(subject: Subject) -> str:
    if not _SHM.is_dir():
        return "This machine has no /dev/shm."
    if subject.settings and "vllm-server" not in subject.settings.deployed:
        return "No vLLM is deployed here."
    own = subject.settings and subject.settings.services.vllm.shm_size
    return "vLLM has shared memory of its own (archi:services.vllm.shm_size)." if own else ""


def _deployed(subject: Subject) -> str:
    there = any(subject.container(role) for role in SERVICES)
    return "" if there else f"{subject.name} is not deployed."


def _hub(subject: Subject) -> str:
    settings = subject.settings
    if settings is None:
        return ""
    if "vllm-server" not in settings.deployed:
        return "No vLLM is deployed here."
    if settings.weights_from != "hub":
        return f"The weights do not come from a hub, but from: {settings.weights_from}."
    if settings.services.vllm.offline:
        return "The hub is never asked (archi:services.vllm.offline)."
    return ""


# Whether a check is for this subject at all: where it is not, there is nothing to say.
Question = Callable[[Subject], bool]


def _always(_subject: Subject) -> bool:
    return True


# How long a check may take, in seconds.
Patience = Callable[[Subject], float]


def _briefly(_subject: Subject) -> float:
    return CHECK_SECONDS


def _for_gpus(subject: Subject) -> float:
    return gpu_container.SECONDS if subject.gpu_container else CHECK_SECONDS


def _named(subject: Subject) -> bool:
    return subject.name is not None


def _unnamed(subject: Subject) -> bool:
    return subject.name is None


def _with_a_folder(subject: Subject) -> bool:
    return bool(subject.settings and subject.settings.services.vllm.weights)


@dataclass(frozen=True)
class Check:
    """One of the things that are looked at.

    Attributes:
        name: of its findings.
        group: under which people read it.
        look: does it.
        applies: must all be empty; the first that is not says why it was not looked at.
        asked: whether it is for this subject at all.
        seconds: how long it may take.

    """

    name: str
    group: Group
    look: Callable[[Subject], Finding | Iterable[Finding]]
    applies: tuple[Condition, ...] = ()
    asked: Question = _always
    seconds: Patience = _briefly


def _loopback(subject: Subject) -> Finding:
    host_mode = bool(subject.settings and subject.settings.host_mode)
    return docker_checks.loopback(str(subject.live.version["Version"]), host_mode)


def _limits(subject: Subject) -> Iterable[Finding]:
    return docker_checks.limits(subject.live.info, subject.wants_gpus)


def _inventory() -> Inventory:
    from archi.gpus import look

    return look(CHECK_SECONDS - 0.5)


def _driver(subject: Subject) -> Finding:
    return gpu_checks.driver(_inventory(), subject.wants_gpus, card=gpu_checks.has_card())


def _toolkit(subject: Subject) -> Finding:
    driver = subject.settings.gpu_driver if subject.settings else "nvidia"
    return gpu_checks.toolkit(driver, subject.wants_gpus, gpus=gpu_checks.has_card())


def _runtime(subject: Subject) -> Finding:
    return gpu_checks.runtime(
        subject.live.info,
        subject.settings.gpu_driver if subject.settings else "nvidia",
        subject.wants_gpus,
        gpus=subject.here and gpu_checks.has_card(),
        hook=subject.here and gpu_checks.installed("nvidia-container-runtime-hook"),
    )


def _gpu_memory(subject: Subject) -> Iterable[Finding]:
    if subject.gpu_container:
        return gpu_container.gpus(subject, _owners(subject))
    found = _inventory().gpus
    if not found:
        return [Finding("gpus", "skipped", "There is none that could be looked at.")]
    pids = [process.pid for gpu in found for process in gpu.processes]
    owners = gpu_checks.owners_of(pids, _owners(subject)) if pids else {}
    return gpu_checks.gpus(found, subject.settings, owners)


def _owners(subject: Subject) -> dict[str, gpu_checks.Owner]:
    """All running containers by id."""
    if subject.engine is None:
        return {}
    return {
        one["Id"]: gpu_checks.Owner(
            one["Names"][0].lstrip("/"),
            subject.name is not None and one["Labels"].get(LABEL_DEPLOYMENT) == subject.name,
        )
        for one in subject.engine.client.api.containers()
    }


def _shared_memory(_subject: Subject) -> Iterable[Finding]:
    return space_checks.shared_memory(_SHM, space_checks.mapped())


def _memory(subject: Subject) -> Iterable[Finding]:
    return space_checks.memory(
        space_checks.total_mib(subject.live.info),
        space_checks.available_mib() if subject.here else None,
        subject.settings,
        running=subject.running("vllm-server") is not None,
    )


def _endpoint(subject: Subject) -> str:
    own = subject.settings and subject.settings.hf_endpoint
    return own or os.environ.get("HF_ENDPOINT", "").rstrip("/") or network_checks.HUB


def _ask_hub(subject: Subject) -> Finding:
    endpoint = _endpoint(subject)
    probe = MODEL_HUB.probe if endpoint == network_checks.HUB else endpoint
    answer = network_checks.ask(probe)
    return network_checks.hub(endpoint, answer, subject.settings, kept=_weights_kept(subject))


def _weights_kept(subject: Subject) -> bool:
    """Whether weights were downloaded before, if perhaps not those of this model."""
    from docker.errors import NotFound

    if subject.engine is None:
        return False
    api: Any = subject.engine.client.api
    try:
        api.inspect_volume(MODELS_VOLUME)
    except NotFound:
        return False
    return True


def _ask_model(subject: Subject) -> Finding:
    settings = subject.said
    url = network_checks.model_url(
        _endpoint(subject), settings.model, settings.services.vllm.revision
    )
    content = stack_settings.document(subject.root, settings.name)
    return network_checks.model(
        settings.model,
        network_checks.ask(url, subject.token),
        token=subject.token is not None,
        sealed="archi:hf_token" in project_checks.sealed_keys(content),
    )


def _ask_registry(_subject: Subject) -> Finding:
    return network_checks.reached(
        "registry",
        REGISTRY.name,
        network_checks.ask(REGISTRY.probe),
        "take a stack whose images come from packages (archi:source)",
        "warning",
    )


def _clock(subject: Subject) -> Iterable[Finding]:
    engine = subject.engine
    told = str(engine.info.get("SystemTime") or "") if engine else ""
    return network_checks.clock(
        network_checks.engines_lead(told, engine.asked_at) if engine else None,
        network_checks.ask(_endpoint(subject)).ahead,
    )


def _opens(subject: Subject) -> Finding:
    content = stack_settings.document(subject.root, str(subject.name))
    own = project.home() / "passphrase"
    return project_checks.opens_stack(content, str(subject.name), os.environ, own)


def _weights_folder(subject: Subject) -> Finding:
    return space_checks.weights_folder(subject.said)


def _toolchain(_subject: Subject) -> Finding:
    return project_checks.toolchain()


def _base_url(subject: Subject) -> Finding:
    chat = subject.container("chatbot")
    if chat is None:
        return Finding("vllm-base-url", "skipped", "There is no chat container.")
    return wiring_checks.base_url(chat, subject.settings, str(subject.name))


CHECKS: tuple[Check, ...] = (
    Check("loopback", "Docker", _loopback, (_engine,)),
    Check("limits", "Docker", _limits, (_engine,)),
    Check("images", "Docker", docker_checks.images, (_engine, _settings), _named),
    Check("driver", "GPU", _driver, (_gpus, _here)),
    Check("toolkit", "GPU", _toolkit, (_gpus, _here)),
    Check("runtime", "GPU", _runtime, (_engine, _gpus)),
    Check("gpus", "GPU", _gpu_memory, (_gpus, _seen), seconds=_for_gpus),
    Check("disk", "Disk and memory", space_checks.disks, (_engine,)),
    Check("shared-memory", "Disk and memory", _shared_memory, (_here, _host_shm)),
    Check("memory", "Disk and memory", _memory, (_engine,)),
    Check("weights-folder", "Disk and memory", _weights_folder, (_here,), _with_a_folder),
    Check("hub", "Network", _ask_hub, (_here, _hub)),
    Check("model", "Network", _ask_model, (_settings, _here, _hub), _named),
    Check("registry", "Network", _ask_registry, (_here,), _unnamed),
    Check("clock", "Network", _clock),
    Check("toolchain", "Archi", _toolchain),
    Check("leftovers", "Archi", project_checks.left_behind),
    Check("passphrase", "Deployment", _opens, (_file,), _named),
    Check("ports", "Deployment", wiring_checks.ports, (_engine, _settings), _named),
    Check("containers", "Deployment", wiring_checks.containers, (_engine,), _named),
    Check("network", "Deployment", wiring_checks.networks, (_engine, _deployed), _named),
    Check("vllm-base-url", "Deployment", _base_url, (_engine, _deployed), _named),
    Check("reach-vllm", "Deployment", wiring_checks.reach, (_engine, _deployed), _named),
    Check("database", "Deployment", wiring_checks.chat, (_engine, _deployed), _named),
)


def checks(subject: Subject) -> list[Check]:
    """Those that are for this subject."""
    return [check for check in CHECKS if check.asked(subject)]


def group_of(check: str) -> Group:
    """The group under which people read a finding."""
    if check == "engine":
        return "Docker"
    return next((one.group for one in CHECKS if one.name == check), "Deployment")
