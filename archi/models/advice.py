"""What to change for a model to fit, or for more context; nothing is said that was not tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from archi.models import memory, words
from archi.models.facts import ModelFacts
from archi.models.placement import Placement, Room, even, room
from archi.models.precision import PRECISIONS

_MOST_GPUS = 64
_ENOUGH_TOKENS = 4_096  # a change that leaves less is not worth naming
_FP8_CACHE_CAPABILITY = 8.9
_ADVISED = ("fp8", "int8", "awq", "gptq", "int4", "nvfp4", "mxfp4")


@dataclass(frozen=True)
class Asked:
    """What a model is to be fitted on.

    Attributes:
        gpu_gib: total memory of the smallest GPU, in GiB.
        gpus: how many there are.
        placement: how the model is dealt out over them.
        precision: format of the weights once loaded.
        number_bytes: bytes of a number in the KV cache.
        utilisation: share of the memory that vLLM takes.
        tokens: the context asked for; None: the longest that fits.
        capability: compute capability of the GPUs; None: not known.

    """

    gpu_gib: float
    gpus: int
    placement: Placement
    precision: str
    number_bytes: float
    utilisation: float
    tokens: int | None
    capability: float | None


def advise(
    facts: ModelFacts, asked: Asked, found: Room | None, *, fits: bool | None
) -> tuple[str, ...]:
    """Sentences, the smallest change first; none where all of the context fits."""
    if found is None:
        return (
            "Nothing says how large the weights are. Mend: look at the size of its safetensors "
            "files; vLLM needs that, and some GiB more.",
        )
    idle = asked.gpus - asked.placement.tensor * asked.placement.pipeline
    said = list(_idle(facts, asked, idle)) if idle else []
    if fits and _whole_context(facts, found):
        return tuple(said)
    if fits:
        return (*said, *_longest(asked, found), *_cache(facts, asked, found))
    if fits is None:
        said.append(_close(asked, found))
    return (
        *said,
        *_cache(facts, asked, found),
        *_variants(facts, asked),
        *_more_gpus(facts, asked),
    )


def _whole_context(facts: ModelFacts, found: Room) -> bool:
    return found.longest is None or found.longest >= (facts.context_length or 0)


def _idle(facts: ModelFacts, asked: Asked, idle: int) -> Iterator[str]:
    heads = f"{facts.shape.heads} heads" if facts.shape else "model"
    yield (
        f"{idle} of the {asked.gpus} GPUs {'stays' if idle == 1 else 'stay'} unused: the {heads} "
        f"are dealt out over {asked.placement.tensor}."
    )


def _longest(asked: Asked, found: Room) -> Iterator[str]:
    if asked.tokens is None and found.longest:
        yield (
            "Leave max_model_len out, or on auto: vLLM then takes the longest that fits, about "
            f"{found.longest:,} tokens."
        )


def _close(asked: Asked, found: Room) -> str:
    if asked.tokens and found.longest:
        return (
            f"max_model_len {asked.tokens:,} is too close to say; about {found.longest:,} tokens "
            "fit. Mend: set that, or leave it out."
        )
    if found.left <= 0:
        return (
            f"Too close to say: {words.gib(found.weights)} of weights and about "
            f"{words.gib(found.beside)} beside them, in {words.gib(found.budget)}. "
            "gpu_memory_utilization 0.95 and enforce_eager leave a little more."
        )
    return (
        f"Too close to say: {words.gib(found.left)} are left for the KV cache, and how much that "
        "takes is not known or more."
    )


def _cache(facts: ModelFacts, asked: Asked, found: Room) -> Iterator[str]:
    """The KV cache in FP8: half of it."""
    too_old = asked.capability is not None and asked.capability < _FP8_CACHE_CAPABILITY
    if asked.number_bytes <= 1 or too_old or facts.shape is None:
        return
    other = _room(facts, replace(asked, number_bytes=1))
    if other and other.longest and _holds(facts, asked, other):
        if other.longest <= (found.longest or 0):
            return
        on = "" if asked.capability else " on GPUs of compute capability 8.9 or newer"
        yield f"With kv_cache_dtype fp8 about {other.longest:,} tokens fit{on}."


def _variants(facts: ModelFacts, asked: Asked) -> Iterator[str]:
    """Variants of the recipe that fit, at most one a size; else what a variant would have to be."""
    said: set[int] = set()
    if PRECISIONS[asked.precision].quantised:
        smaller = [one for one in facts.variants if _bits(one.precision) < _bits(asked.precision)]
    else:
        smaller = [one for one in facts.variants if one.precision in _ADVISED]
    for variant in sorted(smaller, key=lambda one: -_bits(one.precision)):
        size = round(_bits(variant.precision) / 4)
        other = _fitting(facts, asked, variant.precision)
        if other is None or size in said or variant.model_id == facts.model_id:
            continue
        said.add(size)
        yield (
            f"{variant.model_id} ({PRECISIONS[variant.precision].words}) fits: about "
            f"{words.gib(other.weights)} of weights a GPU{_with_context(other)}."
        )
    if said or PRECISIONS[asked.precision].quantised:
        return
    for precision, name in (("fp8", "FP8"), ("awq", "4 bits (AWQ or GPTQ)")):
        if other := _fitting(facts, asked, precision):
            online = (
                " quantization: fp8 has vLLM make it so while it loads." if name == "FP8" else ""
            )
            yield (
                f"In {name} the weights take about {words.gib(other.weights)} a "
                f"GPU{_with_context(other)}: look for such a variant.{online}"
            )
            return


def _fitting(facts: ModelFacts, asked: Asked, precision: str) -> Room | None:
    """The room that a format leaves, None where it does not fit or the GPUs are too old for it."""
    needed = PRECISIONS[precision].capability
    if asked.capability is not None and needed and asked.capability < needed:
        return None
    other = _room(facts, replace(asked, precision=precision))
    return other if other and _holds(facts, asked, other) else None


def _more_gpus(facts: ModelFacts, asked: Asked) -> Iterator[str]:
    """The smallest number of the same GPUs that holds it."""
    for count in range(asked.gpus + 1, _MOST_GPUS + 1):
        if even(facts, count) != count:
            continue
        placement = Placement(count, 1)
        other = _room(facts, replace(asked, gpus=count, placement=placement))
        if other and _holds(facts, asked, other):
            yield (
                f"{count} GPUs of {asked.gpu_gib:g} GiB hold it (tensor_parallel_size "
                f"{count}){_with_context(other)}."
            )
            return


def _holds(facts: ModelFacts, asked: Asked, other: Room) -> bool:
    wanted = asked.tokens or min(_ENOUGH_TOKENS, facts.context_length or _ENOUGH_TOKENS)
    return other.left > memory.GIB / 2 and (other.longest is None or other.longest >= wanted)


def _with_context(other: Room) -> str:
    return f", with room for about {other.longest:,} tokens" if other.longest else ""


def _room(facts: ModelFacts, asked: Asked) -> Room | None:
    return room(
        facts,
        asked.gpu_gib,
        asked.placement.tensor,
        asked.placement.pipeline,
        precision=asked.precision,
        number_bytes=asked.number_bytes,
        utilisation=asked.utilisation,
    )


def _bits(precision: str) -> float:
    return PRECISIONS[precision].bits or 16
