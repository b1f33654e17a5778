"""The model server: its command line, its environment, and how it is asked for its health."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from archi.models import lookup
from archi.render.health import HealthCheck, go_duration
from archi.render.places import (
    EVERYWHERE,
    FILES_PATH,
    LOOPBACK,
    MODELS_PATH,
    WEIGHTS_FOLDER_PATH,
    vllm_port,
)
from archi.settings import Settings, VllmSettings
from archi.weights import PACKAGED_REVISION

_SHUTDOWN_SECONDS = 20
VLLM_STOP_GRACE_SECONDS = _SHUTDOWN_SECONDS + 10
"""vLLM lets running requests end for the first, Docker kills it after the second."""

VLLM_CONFIG = "vllm.yaml"
"""The file of arguments that no command line may show."""

# Settings that are an argument of `vllm serve`, said only where they differ from vLLM's own.
_ARGUMENTS: tuple[tuple[str, Callable[[VllmSettings], Any]], ...] = (
    ("--dtype", lambda vllm: None if vllm.dtype == "auto" else vllm.dtype),
    ("--quantization", lambda vllm: vllm.quantization),
    (
        "--kv-cache-dtype",
        lambda vllm: None if vllm.kv_cache_dtype == "auto" else vllm.kv_cache_dtype,
    ),
    ("--gpu-memory-utilization", lambda vllm: vllm.gpu_memory_utilization),
    ("--max-num-seqs", lambda vllm: vllm.max_num_seqs),
    ("--seed", lambda vllm: vllm.seed),
)


def weights_path(settings: Settings) -> PurePosixPath:
    """The folder of the model's weights, ``/models/<org>/<repo>/<revision>`` or the host's own."""
    if settings.weights_from == "folder":
        return WEIGHTS_FOLDER_PATH
    packaged = settings.weights_from == "packages"
    revision = PACKAGED_REVISION if packaged else settings.services.vllm.revision
    return MODELS_PATH / settings.model / revision


def template_file(settings: Settings) -> str | None:
    """The chat template's name under ``templates/``; None where the model's own is taken."""
    chosen = settings.services.vllm.chat_template
    return PurePosixPath(chosen).name if chosen else lookup(settings.model).chat_template


def vllm_command(settings: Settings) -> list[str]:
    """The arguments of ``vllm serve``, one list element each."""
    vllm = settings.services.vllm
    command = [
        str(weights_path(settings)),
        "--served-model-name",
        settings.served_model,
        "--host",
        LOOPBACK if settings.host_mode else EVERYWHERE,
        "--port",
        str(vllm_port(settings)),
        "--max-model-len",
        str(vllm.max_model_len),
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        settings.tool_parser,
        "--shutdown-timeout",
        str(_SHUTDOWN_SECONDS),
    ]
    if settings.reasoning_parser:
        command += ["--reasoning-parser", settings.reasoning_parser]
    if template := template_file(settings):
        command += ["--chat-template", str(FILES_PATH / "templates" / template)]
    if settings.tensor_parallel_size > 1:
        command += ["--tensor-parallel-size", str(settings.tensor_parallel_size)]
    if vllm.pipeline_parallel_size > 1:
        command += ["--pipeline-parallel-size", str(vllm.pipeline_parallel_size)]
    for flag, value in _ARGUMENTS:
        if (said := value(vllm)) is not None:
            command += [flag, str(said)]
    if vllm.enforce_eager:
        command.append("--enforce-eager")
    if vllm.enable_prefix_caching is not None:
        command.append(f"--{'' if vllm.enable_prefix_caching else 'no-'}enable-prefix-caching")
    if settings.api_key_required:
        command += ["--config", str(FILES_PATH / VLLM_CONFIG)]
    return [*command, *vllm.engine_args]


def vllm_environment(settings: Settings) -> dict[str, str]:
    """Environment of vllm-server; no secret is ever in it."""
    environment = {
        # The weights are there before the server starts: it has nothing to ask a hub.
        "HF_HUB_OFFLINE": "1",
        "VLLM_CACHE_ROOT": "/var/cache/vllm",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if not settings.gpu_ids:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(settings.services.vllm.cpu_kv_cache_gib)
    return {**environment, **settings.services.vllm.environment}


def vllm_health_command(settings: Settings, *extra: str) -> tuple[str, ...]:
    """The health script's command line inside vllm-server."""
    script = str(FILES_PATH / "vllm_health.py")
    return ("python3", script, "--port", str(vllm_port(settings)), *extra)


def vllm_warm_up_command(settings: Settings) -> tuple[str, ...]:
    """One real completion inside vllm-server, with a tool, as the readiness gate asks it."""
    return vllm_health_command(settings, "--warm-up", settings.served_model)


def vllm_health_check(settings: Settings) -> HealthCheck:
    """VLLM answers ``/v1/models``; until ``start_timeout`` is over, silence is no failure."""
    return HealthCheck(
        test=("CMD", *vllm_health_command(settings, "--watchdog")),
        interval="15s",
        timeout="10s",
        retries=3,
        start_period=go_duration(settings.services.vllm.start_timeout),
    )
