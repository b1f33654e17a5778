"""Does a model fit on these GPUs, with which context, and what to change if it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archi.models import memory, words
from archi.models.advice import Asked, advise
from archi.models.facts import ModelFacts
from archi.models.placement import Room, place, room
from archi.models.precision import NO_PLUGIN_FORMATS, ONLINE, PRECISIONS, cache_bytes
from archi.vllm_registry import VLLM_VERSION

# Fewer tokens hold no question and answer; estimates are not that exact either.
_LEAST_TOKENS = 256

# Without an architecture the cache's size is unknown: it fits where this is left, of the weights.
_ROOM_FOR_A_CACHE = 0.05

# Weight-only on GPUs below it, by Marlin's kernels (CompressedTensorsW8A8Fp8, vLLM 0.32.0).
_FP8_HARDWARE = 8.9
_BF16_HARDWARE = 8.0


@dataclass(frozen=True)
class Fit:
    """Whether a model fits.

    Attributes:
        fits: None where too little is known, or it is too close to say.
        max_model_len: the longest context that fits, in tokens, at most the model's own; None where
            it can't be said, or none does.
        tensor_parallel_size: GPUs that share each layer, as asked or as chosen.
        pipeline_parallel_size: groups of GPUs that share the layers.
        reasons: why it certainly does not fit, each with the arithmetic and a mend.
        advice: what to change, or to look out for.
        arithmetic: how the numbers come about, in sentences.

    """

    fits: bool | None
    max_model_len: int | None
    tensor_parallel_size: int
    pipeline_parallel_size: int
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    arithmetic: tuple[str, ...]


def fit(
    facts: ModelFacts,
    gpus_gib: Sequence[float],
    *,
    tensor_parallel_size: int | None = None,
    pipeline_parallel_size: int = 1,
    max_model_len: int | str = "auto",
    kv_cache_dtype: str = "auto",
    gpu_memory_utilization: float | None = None,
    dtype: str = "auto",
    quantization: str | None = None,
    compute_capability: float | None = None,
    own_image: bool = False,
) -> Fit:
    """Whether a model fits on GPUs of that many GiB, one number a GPU.

    Only what certainly can't be is a reason against it: weights larger than the memory given, a
    context that was asked for and can't be held, heads that can't be dealt out, a format that the
    GPUs or vLLM can't compute. What an estimate says beyond that is advice.

    Args:
        facts: of `archi.models.lookup` or `archi.models.sources.read`.
        gpus_gib: total memory of each GPU, as nvidia-smi says it, in GiB; the smallest counts.
        tensor_parallel_size: as set; None: the most GPUs that the heads can be dealt out over.
        pipeline_parallel_size: as set.
        max_model_len: as set, in tokens, or ``auto``.
        kv_cache_dtype: as set.
        gpu_memory_utilization: as set; None: vLLM's own.
        dtype: as set.
        quantization: as set; what vLLM quantises while loading makes 16-bit weights smaller.
        compute_capability: lowest of the GPUs, such as 8.6; None: not known.
        own_image: whether vLLM comes from an image of the user's own, which may read more formats.

    Raises:
        ValueError: no GPU is given.

    """
    if not gpus_gib:
        raise ValueError("a model is fitted on at least one GPU")
    placement = place(facts, len(gpus_gib), tensor_parallel_size, pipeline_parallel_size)
    asked = Asked(
        gpu_gib=min(gpus_gib),
        gpus=len(gpus_gib),
        placement=placement,
        precision=_loaded_precision(facts, dtype, quantization),
        number_bytes=cache_bytes(kv_cache_dtype, dtype),
        utilisation=gpu_memory_utilization or memory.UTILISATION,
        tokens=None if isinstance(max_model_len, str) else max_model_len,
        capability=compute_capability,
    )
    found = room(
        facts,
        asked.gpu_gib,
        placement.tensor,
        placement.pipeline,
        precision=asked.precision,
        number_bytes=asked.number_bytes,
        utilisation=asked.utilisation,
    )
    refused = [
        *placement.reasons,
        *_format_reasons(facts, asked, dtype, own_image=own_image),
    ]
    too_large = [] if found is None or placement.reasons else _memory_reasons(facts, asked, found)
    fits = _verdict(bool(refused or too_large), found, asked.tokens)
    longest = found.longest if found and fits is not False else None
    longest = longest if longest and longest >= _LEAST_TOKENS else None
    # Nothing about memory mends what is refused for another reason.
    advice = () if refused else advise(facts, asked, found, fits=fits)
    return Fit(
        fits,
        longest,
        placement.tensor,
        placement.pipeline,
        (*refused, *too_large),
        (*advice, *_hardware_advice(asked, dtype)),
        _arithmetic(facts, asked, found),
    )


def _loaded_precision(facts: ModelFacts, dtype: str, quantization: str | None) -> str:
    """The format that the weights have once they are loaded."""
    if PRECISIONS[facts.precision].bits not in (16, 32):
        return facts.precision
    if quantization in ONLINE:
        return ONLINE[quantization]
    return {"float32": "fp32", "auto": facts.precision}.get(dtype, "bf16")


def _format_reasons(
    facts: ModelFacts, asked: Asked, dtype: str, *, own_image: bool
) -> tuple[str, ...]:
    """Formats that vLLM, or the GPUs, certainly can't compute."""
    wanted, has = PRECISIONS[asked.precision], asked.capability
    reasons: tuple[str, ...] = ()
    if wanted.unreadable and not (own_image and wanted.name in NO_PLUGIN_FORMATS):
        reasons += (f"The weights of {facts.model_id} are {wanted.words}. {wanted.unreadable}",)
    if has is None:
        return reasons
    if wanted.quantised and wanted.capability and has < wanted.capability:
        reasons += (
            f"The weights are {wanted.words}, which vLLM {VLLM_VERSION} computes from compute "
            f"capability {wanted.capability:g} on; these GPUs have {has:g}. Mend: take the "
            "original weights, or newer GPUs.",
        )
    if dtype == "bfloat16" and has < _BF16_HARDWARE:
        reasons += (
            f"dtype bfloat16 needs compute capability {_BF16_HARDWARE:g}; these GPUs have "
            f"{has:g}. Mend: leave dtype out, or set it to float16.",
        )
    return reasons


def _memory_reasons(facts: ModelFacts, asked: Asked, found: Room) -> list[str]:
    """What certainly exceeds the memory."""
    many = asked.placement.tensor * asked.placement.pipeline
    each = f"on each of {many} GPUs" if many > 1 else "on the GPU"
    may = (
        f"vLLM may take {words.gib(found.budget)} of its {found.gpu_gib:g} GiB "
        f"({found.utilisation:g})"
    )
    if found.least_weights > found.budget:
        return [
            f"The weights alone take {words.gib(found.weights)} {each}, and {may}. Mend: more or "
            "larger GPUs, a quantised variant, or a smaller model."
        ]
    if asked.tokens is None or facts.shape is None:
        return []
    cache = memory.kv_cache(
        facts.shape,
        asked.tokens,
        asked.number_bytes,
        asked.placement.tensor,
        asked.placement.pipeline,
        batch=0,
    )
    if found.least_weights + cache <= found.budget:
        return []
    mend = f"set max_model_len to {found.longest} or less" if found.longest else "lower it"
    return [
        f"The KV cache of max_model_len {asked.tokens:,} takes {words.gib(cache)} {each} beside "
        f"{words.gib(found.weights)} of weights, and {may}. Mend: {mend}, or leave it out: "
        "then vLLM takes the longest that fits."
    ]


def _verdict(refused: bool, found: Room | None, tokens: int | None) -> bool | None:
    if refused:
        return False
    if found is None:
        return None
    if found.longest is None:
        return True if found.left >= _ROOM_FOR_A_CACHE * found.weights + memory.GIB / 2 else None
    return True if found.longest >= max(tokens or 0, _LEAST_TOKENS) else None


def _hardware_advice(asked: Asked, dtype: str) -> tuple[str, ...]:
    has = asked.capability
    if has is None:
        return ()
    if asked.precision == "fp8" and has < _FP8_HARDWARE:
        return (
            f"These GPUs (compute capability {has:g}) have no FP8 of their own: vLLM keeps the "
            "weights in FP8 and computes in 16 bits. It saves memory, not time.",
        )
    if asked.precision == "bf16" and dtype == "auto" and has < _BF16_HARDWARE:
        return (
            f"These GPUs (compute capability {has:g}) have no bfloat16; vLLM computes in float16.",
        )
    return ()


def _arithmetic(facts: ModelFacts, asked: Asked, found: Room | None) -> tuple[str, ...]:
    sentences = about(facts, asked.number_bytes, asked.precision)
    if found is None:
        return sentences
    return (
        *sentences,
        words.budget_sentence(found.gpu_gib, found.utilisation, found.weights, found.beside),
    )


def about(
    facts: ModelFacts, number_bytes: float = 2, precision: str | None = None
) -> tuple[str, ...]:
    """The arithmetic of a model's memory, without GPUs, in sentences."""
    return (
        words.weights_sentence(facts, precision),
        words.cache_sentence(facts.shape, number_bytes, facts.context_length)
        if facts.shape
        else words.cache_unknown(),
    )
