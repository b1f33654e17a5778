"""How a model is dealt out over GPUs, and what is left of each for the KV cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from archi.models import memory
from archi.models.facts import ModelFacts

_LONGEST = 2**24  # where the model's own context is unknown
_STEP = 16  # tokens of one block of the cache (vLLM's --block-size)


@dataclass(frozen=True)
class Placement:
    """How many GPUs share each layer, and how many groups of GPUs share the layers."""

    tensor: int
    pipeline: int
    reasons: tuple[str, ...] = ()


def place(facts: ModelFacts, gpus: int, tensor: int | None, pipeline: int) -> Placement:
    """The placement asked for, or one over as many of ``gpus`` GPUs as the heads allow."""
    most = gpus // pipeline
    if tensor is None:
        return Placement(even(facts, max(1, most)), pipeline, _too_few(1, pipeline, gpus))
    reasons = _too_few(tensor, pipeline, gpus)
    if even(facts, tensor) != tensor and facts.shape:
        reasons += (
            f"The {facts.shape.heads} attention heads ({facts.shape.kv_heads} of keys and values) "
            f"can't be dealt out evenly over {tensor} GPUs. Mend: set tensor_parallel_size to "
            f"{even(facts, tensor)}.",
        )
    return Placement(tensor, pipeline, reasons)


def even(facts: ModelFacts, most: int) -> int:
    """The largest number of GPUs up to ``most`` over which the heads are dealt out evenly.

    A power of two where the heads are unknown: every model has a number of heads that goes with it.
    """
    if facts.shape is None:
        return int(2 ** (most.bit_length() - 1))
    return facts.shape.largest_split(most)


def _too_few(tensor: int, pipeline: int, gpus: int) -> tuple[str, ...]:
    wanted = tensor * pipeline
    if wanted <= gpus:
        return ()
    return (
        f"tensor_parallel_size {tensor} × pipeline_parallel_size {pipeline} takes {wanted} GPUs, "
        f"and there {'is' if gpus == 1 else 'are'} {gpus}. Mend: lower them, or give more GPUs.",
    )


@dataclass(frozen=True)
class Room:
    """One GPU's memory, in bytes.

    Attributes:
        gpu_gib: its total, in GiB.
        utilisation: the share of it that vLLM takes.
        weights: expected on this GPU.
        least_weights: what they take at the very least.
        beside: CUDA, graphs, activations, as estimated.
        longest: tokens of the longest request that the rest holds, at most the model's context;
            None where the architecture is unknown.

    """

    gpu_gib: float
    utilisation: float
    weights: float
    least_weights: float
    beside: float
    longest: int | None

    @property
    def budget(self) -> float:
        """What vLLM may take."""
        return self.gpu_gib * self.utilisation * memory.GIB

    @property
    def left(self) -> float:
        """What is left for the KV cache; negative where nothing is."""
        return self.budget - self.weights - self.beside


def room(
    facts: ModelFacts,
    gpu_gib: float,
    tensor: int,
    pipeline: int,
    *,
    precision: str,
    number_bytes: float,
    utilisation: float,
) -> Room | None:
    """What one GPU holds; None where the size of the weights is unknown.

    Args:
        facts: the model.
        gpu_gib: total memory of the smallest GPU, in GiB.
        tensor: GPUs that share each layer.
        pipeline: groups of GPUs that share the layers.
        precision: format of the weights once loaded.
        number_bytes: bytes of a number in the KV cache.
        utilisation: share of the memory that vLLM takes.

    """
    size = memory.weights(facts, precision)
    if size is None:
        return None
    gpus = tensor * pipeline
    beside = memory.overhead(facts, gpu_gib, tensor)
    found = Room(gpu_gib, utilisation, size.bytes / gpus, size.least / gpus, beside, None)
    if facts.shape is None:
        return found
    shape, batch = facts.shape, memory.batched_tokens(gpu_gib)

    def taken(tokens: int) -> float:
        return memory.kv_cache(shape, tokens, number_bytes, tensor, pipeline, batch)

    longest = _most(lambda tokens: taken(tokens) <= found.left, facts.context_length or _LONGEST)
    return replace(found, longest=longest)


def _most(holds: Callable[[int], bool], most: int) -> int:
    """The largest number up to ``most`` that holds, in whole blocks; 0 where none does."""
    if holds(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low // _STEP * _STEP
