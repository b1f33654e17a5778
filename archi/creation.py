"""From what ``archi create`` is given to one stack file: what is asked for, completed, checked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from archi import env_file, gpu_choice, model_fit, stack_file
from archi.env_file import EnvFile
from archi.models import lookup
from archi.public_services import MODEL_HUB, REGISTRY, Service
from archi.settings import Settings, SettingsError, yaml_file
from archi.settings.load import from_document, stack_config
from archi.settings.rules import PACKAGED_MODEL
from archi.settings.types import ServiceName
from archi.stack_file import Content

if TYPE_CHECKING:
    from archi.gpus import Gpu

SERVICES: tuple[str, ...] = get_args(ServiceName)

# Above this float32 takes more memory than it is worth on a CPU.
_MOST_PARAMETERS_IN_FLOAT32 = 2_000_000_000


@dataclass(frozen=True)
class Wish:
    """What a person asks for on the command line; None for what they left to the config.

    Attributes:
        name: the deployment's.
        config: path of the ``config.yaml``.
        env: path of the ``.env``.
        services: as ``--services`` lists them.
        gpu_ids: ``all``, ``none`` or ids.
        host_mode: everything on the host's network.
        check_fit: whether a model that can't fit in the GPUs' memory is refused.

    """

    name: str
    config: Path
    env: Path | None = None
    services: tuple[str, ...] | None = None
    gpu_ids: str | None = None
    host_mode: bool = False
    check_fit: bool = True


@dataclass(frozen=True)
class Host:
    """What is known of the host.

    Attributes:
        gpus: those that it has; None where they can't be seen from here (a remote Engine).
        answers: whether a public service answers from here.

    """

    gpus: Sequence[Gpu] | None
    answers: Callable[[Service], bool]


@dataclass(frozen=True)
class Plan:
    """A deployment as it will be written.

    Attributes:
        settings: checked.
        content: of its stack file.
        notes: what was chosen for the person, and why, a sentence each.

    """

    settings: Settings
    content: Content
    notes: tuple[str, ...] = field(default=())


def plan(wish: Wish, host: Host) -> Plan:
    """Complete and check what is asked for; touches nothing.

    Raises:
        SettingsError: naming each problem of the command line, the config and the .env.

    """
    document = yaml_file.parse(wish.config.name, yaml_file.read(wish.config))
    environment = env_file.read(wish.env) if wish.env else EnvFile()
    document = _overridden(document, wish, environment)

    def checked() -> Settings:
        return from_document(wish.name, wish.config.name, document, environment.secrets)

    settings = checked()
    notes: list[str] = []
    own, vllm = document["archi"], document["services"]["vllm"]
    if "vllm-server" in settings.deployed:
        notes += _gpus(settings, own, vllm, host)
        settings = checked()
        notes += _cpu(settings, vllm)
    notes += _source(settings, own, host)
    if not wish.check_fit:
        vllm["check_fit"] = False
    if not vllm:
        del document["services"]["vllm"]
    settings = checked()
    if missing := settings.missing_secrets:
        raise SettingsError(
            [secret.in_env_file.replace("archi:services", "services") for secret in missing],
            f"{wish.config.name} can't be used:",
        )
    _refuse_what_cannot_fit(settings, host)
    return Plan(settings, Content(stack_config(document), environment.secrets), tuple(notes))


def known_services(text: str) -> tuple[str, ...]:
    """The services of a ``--services`` list.

    Raises:
        SettingsError: one of them is unknown; the known ones are listed.

    """
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in named if name not in SERVICES]
    if unknown or not named:
        what = ", ".join(repr(name[:60]) for name in unknown) or "an empty list"
        raise SettingsError(
            [f"--services: {what} is not known. Known: {', '.join(SERVICES)}."],
            "The command can't be run:",
        )
    return named


def _overridden(
    document: Mapping[Any, Any], wish: Wish, environment: EnvFile
) -> dict[Any, dict[str, Any]]:
    """The config with the command line and the .env over it; maps where maps are wanted.

    What is no map where one belongs is left as it is, for the settings to refuse.
    """
    found: dict[Any, Any] = copy.deepcopy(dict(document))
    own = found.get("archi")
    if own is None or isinstance(own, dict):
        own = found["archi"] = dict(own or {})
        if "services" in own and "services" not in found:
            found["services"] = own.pop("services")
        if wish.services is not None:
            own["deploy"] = list(wish.services)
        if wish.gpu_ids is not None:
            own["gpu_ids"] = wish.gpu_ids
        if wish.host_mode:
            own["host_mode"] = True
    services = found.get("services")
    if services is None or isinstance(services, dict):
        services = found["services"] = dict(services or {})
        vllm = services.get("vllm")
        if vllm is None or isinstance(vllm, dict):
            services["vllm"] = dict(vllm or {})
            if environment.base_url is not None:
                services["vllm"].setdefault("base_url", environment.base_url)
    return found


def _gpus(settings: Settings, own: dict[str, Any], vllm: dict[str, Any], host: Host) -> list[str]:
    """Write explicit GPUs for what the host has."""
    if not settings.gpu_ids or host.gpus is None:
        if settings.gpu_ids:
            return [
                "The Docker Engine is on another machine: its GPUs can't be looked at from here, "
                f"and gpu_ids stays {settings.gpu_ids}."
            ]
        own["gpu_ids"] = "none"
        return ["No GPU: vLLM runs on the CPU."]
    if not host.gpus:
        raise SettingsError(
            [
                f"archi:gpu_ids: {str(settings.gpu_ids)!r} is asked for, but no NVIDIA GPU was "
                "found on this machine (`nvidia-smi` lists none). Install NVIDIA's driver, or run "
                "the model on the CPU with --gpu-ids none."
            ],
            "The deployment can't be made:",
        )
    from archi.gpus import chosen

    taken, problems = chosen(host.gpus, settings.gpu_ids)
    if problems:
        raise SettingsError(
            [f"archi:gpu_ids: {problem}" for problem in problems], "The deployment can't be made:"
        )
    every = settings.gpu_ids.every
    offered = [_id(gpu) for gpu in taken] if every else list(settings.gpu_ids.ids)
    choice = gpu_choice.choose(
        offered,
        lookup(settings.model),
        tensor_parallel_size=settings.services.vllm.tensor_parallel_size,
        pipeline_parallel_size=settings.services.vllm.pipeline_parallel_size,
    )
    own["gpu_ids"] = choice.said
    vllm["tensor_parallel_size"] = choice.tensor_parallel_size
    names = dict(zip(offered, (gpu.name for gpu in taken), strict=True))
    listed = ", ".join(f"{one} ({names[one]})" for one in choice.ids)
    notes = [f"GPUs for vLLM: {listed}; each layer is shared by {choice.tensor_parallel_size}."]
    if choice.left_over:
        notes.append(
            f"Left over: GPU {', '.join(choice.left_over)}. The model's heads can't be dealt out "
            f"evenly over {len(offered)} GPUs."
        )
    return notes


def _refuse_what_cannot_fit(settings: Settings, host: Host) -> None:
    asked = model_fit.question(settings)
    if asked is None or not host.gpus:
        return
    from archi.gpus import chosen

    gpus, _ = chosen(host.gpus, settings.gpu_ids)
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    if problems := model_fit.problems(asked, gpus, token):
        raise SettingsError(problems, "The deployment can't be made:")


def _id(gpu: Gpu) -> str:
    """How a stack file names it: by index, a slice of one by its UUID."""
    return gpu.uuid if gpu.parent else str(gpu.index)


def _cpu(settings: Settings, vllm: dict[str, Any]) -> list[str]:
    """What a CPU is better served with, where nothing is said about it."""
    if settings.gpu_ids:
        return []
    notes = []
    small = (lookup(settings.model).parameters or 10**12) <= _MOST_PARAMETERS_IN_FLOAT32
    if "dtype" not in vllm and small:
        vllm["dtype"] = "float32"
        notes.append("dtype float32: most CPUs compute bfloat16 several times slower.")
    if "enforce_eager" not in vllm:
        vllm["enforce_eager"] = True
        notes.append("enforce_eager: it starts in half the time, and answers a little slower.")
    return notes


def _source(settings: Settings, own: dict[str, Any], host: Host) -> list[str]:
    """Packages instead of a registry and a hub that can't be reached, where that is possible."""
    if "source" in own:
        return []
    own["source"] = "registry"
    model_here = "vllm-server" in settings.deployed
    if (settings.gpu_ids and model_here) or (model_here and settings.model != PACKAGED_MODEL):
        return []
    if settings.registry_mirror or settings.base_image or settings.hf_endpoint:
        return []
    missing = [service for service in (REGISTRY, MODEL_HUB) if not host.answers(service)]
    if not missing:
        return []
    own["source"] = "packages"
    out_of_reach = " and ".join(f"{one.name} ({one.used_for})" for one in missing)
    return [f"No answer from {out_of_reach}; packages serve instead."]


def settle(path: Path, wanted: Plan, phrase: str, *, force: bool) -> bool:
    """Write the plan's stack file, unless it is there and says the same; gives whether it wrote.

    Raises:
        StackFileError: another one of that name is there and ``force`` is not given, or its
            secrets can't be opened.

    """
    name = wanted.settings.name
    if path.exists():
        present = stack_file.read(path, phrase)
        if not (keys := present.differences(wanted.content)):
            return False
        if not force:
            raise stack_file.StackFileError(
                f"There is a deployment {name} already, and {path.name} differs in "
                f"{', '.join(keys[:8])}{' and more' if len(keys) > 8 else ''}. Mend: choose "
                "another name, edit that file, or replace it with -f (--force); `--dry -f` shows "
                "first what that would change."
            )
    stack_file.write(path, name, wanted.content, phrase)
    return True
