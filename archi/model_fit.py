"""Whether a deployment's model can fit on its GPUs, asked before anything is downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archi.gpus import Gpu
    from archi.models import ModelFacts
    from archi.settings import Settings

OVERRULE = (
    "To try it all the same: archi:services.vllm.check_fit: false "
    "(`archi create --skip-fit-check`)."
)


@dataclass(frozen=True)
class Question:
    """What is to fit; all plain values, as Pulumi's state keeps them.

    Attributes:
        model: Hugging Face id.
        ask_hub: whether the model's own files may be read on the hub.
        endpoint: of the hub, None for Hugging Face's.
        max_model_len: tokens, or ``auto``.
        own_image: whether vLLM comes from an image of the user's own.

    The others are the settings of the same names.
    """

    model: str
    ask_hub: bool
    endpoint: str | None
    tensor_parallel_size: int
    pipeline_parallel_size: int
    max_model_len: int | str
    kv_cache_dtype: str
    gpu_memory_utilization: float | None
    dtype: str
    quantization: str | None
    own_image: bool


def question(settings: Settings) -> Question | None:
    """What to ask; None where there is nothing to ask: no GPU, no server here, or overruled."""
    vllm = settings.services.vllm
    if not settings.gpu_ids or "vllm-server" not in settings.deployed or not vllm.check_fit:
        return None
    return Question(
        model=settings.model,
        ask_hub=settings.weights_from == "hub" and not vllm.offline,
        endpoint=str(settings.hf_endpoint) if settings.hf_endpoint else None,
        tensor_parallel_size=settings.tensor_parallel_size,
        pipeline_parallel_size=vllm.pipeline_parallel_size,
        max_model_len=vllm.max_model_len,
        kv_cache_dtype=vllm.kv_cache_dtype,
        gpu_memory_utilization=vllm.gpu_memory_utilization,
        dtype=vllm.dtype,
        quantization=vllm.quantization,
        own_image=vllm.image is not None,
    )


def asked(values: Mapping[str, Any] | None) -> Question | None:
    """A question from Pulumi's state, whose numbers are floating."""
    if values is None:
        return None
    whole: dict[str, Any] = {
        key: int(value) if isinstance(value, float) and key != "gpu_memory_utilization" else value
        for key, value in values.items()
    }
    return Question(**whole)


def problems(asked: Question, gpus: Sequence[Gpu], token: str | None = None) -> list[str]:
    """Why the model can't fit on these GPUs, with the arithmetic; empty where it may.

    Args:
        asked: what is to fit.
        gpus: those that vLLM gets; where one of them does not tell its memory, nothing is said.
        token: for a gated model's files on the hub.

    """
    from archi.models.fitting import fit

    sizes = [gpu.memory_mib / 1024 for gpu in gpus if gpu.memory_mib]
    if not sizes or len(sizes) < len(gpus):
        return []
    capabilities = [float(gpu.compute_capability) for gpu in gpus if gpu.compute_capability]
    found = fit(
        _facts(asked, token),
        sizes,
        tensor_parallel_size=asked.tensor_parallel_size,
        pipeline_parallel_size=asked.pipeline_parallel_size,
        max_model_len=asked.max_model_len,
        kv_cache_dtype=asked.kv_cache_dtype,
        gpu_memory_utilization=asked.gpu_memory_utilization,
        dtype=asked.dtype,
        quantization=asked.quantization,
        compute_capability=min(capabilities, default=None),
        own_image=asked.own_image,
    )
    if not found.reasons:
        return []
    parts = [
        f"{asked.model} does not fit on {_named(gpus)}.",
        *found.reasons,
        *found.arithmetic,
        *(f"It would help: {one}" for one in found.advice),
        OVERRULE,
    ]
    return ["\n    ".join(parts)]


def _facts(asked: Question, token: str | None) -> ModelFacts:
    """What the model's own files say where the hub answers, else what its name says."""
    from archi.models import lookup
    from archi.models.hub import HubUnread, NoSuchModel
    from archi.models.sources import read_hub

    if asked.ask_hub:
        try:
            return read_hub(asked.model, endpoint=asked.endpoint, token=token)
        except (NoSuchModel, HubUnread):
            # The download says it, with more about the cause.
            return lookup(asked.model)
    return lookup(asked.model)


def _named(gpus: Sequence[Gpu]) -> str:
    names = ", ".join(sorted({gpu.name for gpu in gpus}))
    return f"{len(gpus)} GPU{'s' if len(gpus) > 1 else ''} ({names})"
