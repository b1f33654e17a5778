"""Settings into plain data: command lines, environments, files. Pure; no Docker, no Pulumi."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from archi.models import lookup
from archi.settings import Settings
from archi.weights import PACKAGED_REVISION

MODELS_PATH = PurePosixPath("/models")
"""Where every container sees the volume of weights."""

FILES_PATH = PurePosixPath("/run/archi")
"""Where every container sees its deployment's small files, read-only."""

VLLM_PORT = 8000
CHAT_PORT = 7861
"""Ports inside the containers; the settings choose those on the host."""

LOOPBACK = "127.0.0.1"

CHAT_UID = 10001
"""Who reads the chat application's secrets: all capabilities dropped, not even root does."""

_SHUTDOWN_SECONDS = 20
VLLM_STOP_GRACE_SECONDS = _SHUTDOWN_SECONDS + 10
"""vLLM lets running requests end for the first, Docker kills it after the second."""

_IN_CONTAINER = Path(__file__).parent / "in_container"
_TEMPLATES = Path(__file__).parent.parent / "images" / "templates"


def weights_path(settings: Settings) -> PurePosixPath:
    """The folder of the model's weights, ``/models/<org>/<repo>/<revision>``."""
    revision = (
        PACKAGED_REVISION
        if settings.weights_from == "packages"
        else settings.services.vllm.revision
    )
    return MODELS_PATH / settings.model / revision


def vllm_command(settings: Settings) -> list[str]:
    """The arguments of ``vllm serve``, one list element each."""
    vllm = settings.services.vllm
    command = [
        str(weights_path(settings)),
        "--served-model-name",
        settings.model,
        "--host",
        "0.0.0.0",  # noqa: S104 - inside the container; the host publishes on loopback
        "--port",
        str(VLLM_PORT),
        "--max-model-len",
        str(vllm.max_model_len),
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        settings.tool_parser,
        "--shutdown-timeout",
        str(_SHUTDOWN_SECONDS),
    ]
    if template := lookup(settings.model).chat_template:
        command += ["--chat-template", str(FILES_PATH / "templates" / template)]
    if vllm.dtype != "auto":
        command += ["--dtype", vllm.dtype]
    if vllm.enforce_eager:
        command.append("--enforce-eager")
    return command


def vllm_environment(settings: Settings) -> dict[str, str]:
    """Environment of vllm-server; no secret is ever in it."""
    environment = {
        # The weights are on the volume before the server starts: it has nothing to ask a hub.
        "HF_HUB_OFFLINE": "1",
        "VLLM_CACHE_ROOT": "/var/cache/vllm",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if not settings.gpu_ids:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(settings.services.vllm.cpu_kv_cache_gib)
    return environment


@dataclass(frozen=True)
class HealthCheck:
    """A Docker health check; durations in Go's canonical form, which Docker reads back."""

    test: tuple[str, ...]
    interval: str
    timeout: str
    retries: int
    start_period: str


def go_duration(seconds: int) -> str:
    """Seconds as Go prints a duration: ``1h0m0s``, ``1m30s``, ``45s``."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def vllm_health_command(*extra: str) -> tuple[str, ...]:
    """The health script's command line inside vllm-server."""
    return ("python3", str(FILES_PATH / "vllm_health.py"), "--port", str(VLLM_PORT), *extra)


def vllm_warm_up_command(settings: Settings) -> tuple[str, ...]:
    """One real completion inside vllm-server, with a tool, as the readiness gate asks it."""
    return vllm_health_command("--warm-up", settings.model)


def vllm_health_check(settings: Settings) -> HealthCheck:
    """VLLM answers ``/v1/models``; until ``start_timeout`` is over, silence is no failure."""
    return HealthCheck(
        test=("CMD", *vllm_health_command("--watchdog")),
        interval="15s",
        timeout="10s",
        retries=3,
        start_period=go_duration(settings.services.vllm.start_timeout),
    )


def chat_health_check() -> HealthCheck:
    """The chat application is alive; whether the model answers is ``/readyz``'s to say."""
    return HealthCheck(
        test=("CMD", "curl", "-fsS", "-o", "/dev/null", f"http://{LOOPBACK}:{CHAT_PORT}/healthz"),
        interval="15s",
        timeout="5s",
        retries=3,
        start_period="30s",
    )


def chat_readiness_command() -> tuple[str, ...]:
    """What the readiness gate runs inside the chat container; prints the answer's JSON."""
    return ("curl", "-sS", "--fail-with-body", f"http://{LOOPBACK}:{CHAT_PORT}/readyz")


def vllm_base_url() -> str:
    """Where the chat application finds vLLM: by Docker's DNS on the deployment's network."""
    return f"http://vllm-server:{VLLM_PORT}/v1"


def chat_environment() -> dict[str, str]:
    """Environment of the chat container: its contract with the deployment, and no secret."""
    return {
        "VLLM_BASE_URL": vllm_base_url(),
        "DATABASE_URL": "sqlite:////data/chat.db",
        "ARCHI_FILES": str(FILES_PATH),
        "ARCHI_LISTEN": f"0.0.0.0:{CHAT_PORT}",
        "ARCHI_PUBLISHED_BIND": LOOPBACK,
    }


def published_ports(settings: Settings) -> dict[str, int]:
    """The ports on the host, by the key of the setting that chooses each."""
    return {
        "archi:services.chatbot.port": settings.services.chatbot.port,
        "archi:services.vllm.port": settings.services.vllm.port,
    }


@dataclass(frozen=True)
class File:
    """A small file for the containers.

    Attributes:
        path: below ``/run/archi``.
        content: the whole text.
        uid: who may read it; None: everyone.

    """

    path: str
    content: str
    uid: int | None = None


def files(settings: Settings) -> list[File]:
    """The deployment's files that hold no secret, by path."""
    wanted = [
        File("vllm_health.py", (_IN_CONTAINER / "vllm_health.py").read_text()),
        File("pipelines.yaml", _pipelines(settings)),
    ]
    if template := lookup(settings.model).chat_template:
        wanted.append(File(f"templates/{template}", (_TEMPLATES / template).read_text()))
    return sorted(wanted, key=lambda file: file.path)


GENERATED_SECRETS: dict[str, int] = {"secrets/session_key": CHAT_UID}
"""Secrets that the files one-shot makes where the volume has none yet, and who reads them."""


def _pipelines(settings: Settings) -> str:
    agents = {
        agent: {
            name: f"vllm/{model}"
            for name, model in {**pipeline.models.required, **pipeline.models.optional}.items()
        }
        for agent, pipeline in settings.pipeline_map.items()
    }
    return yaml.safe_dump({"model": settings.model, "pipelines": agents}, sort_keys=True)
