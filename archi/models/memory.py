"""How much GPU memory a model takes: weights, KV cache, and what vLLM needs beside them.

All sizes in bytes per GPU unless said otherwise. GPUs of one deployment are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from archi.models.facts import ModelFacts, Shape
from archi.models.precision import PRECISIONS, Precision

GIB = 1024**3
UTILISATION = 0.92
"""vLLM's own ``--gpu-memory-utilization`` (vllm/config/cache.py, 0.32.0)."""

# vLLM's own --max-num-batched-tokens for a server (vllm/engine/arg_utils.py, get_batch_defaults,
# 0.32.0): GPUs of at least so many GiB work on so many tokens at once.
_BATCHES = ((160, 16_384), (70, 8_192), (0, 2_048))
_SEQUENCES = 256  # --max-num-seqs of GPUs below 70 GiB, same place

# CUDA's context, cuBLAS and what stays allocated; the graphs of decoding; NCCL's buffers where GPUs
# share a model. Between what vLLM logs for a 0.6B and a 70B model.
_CONTEXT = 0.5 * GIB
_GRAPHS = 0.4 * GIB
_NCCL = 0.4 * GIB

# Multiples of the hidden size that live at once for each token of a batch: residual, attention, and
# the two sides of a gated feed-forward, which tensor parallelism divides.
_WHOLE_WIDTHS = 4
_DIVIDED_WIDTHS = 12

# How sure a number of parameters is. Only what is certainly too large is refused.
_CERTAINTY = {"headers": 1.0, "table": 0.99, "recipe": 0.93, "name": 0.85}

# Recipes ask for the weights and this much (most of them for the weights times 1.2).
_RECIPE_MARGIN = 1.2
_CONTRADICTION = 0.9

_TYPICAL_VOCABULARY = 152_000

# A short context's share beside weights of 16 bits, where the architecture is unknown.
_TYPICAL_CACHE = 0.02


@dataclass(frozen=True)
class Weights:
    """The size of all weights, on however many GPUs.

    Attributes:
        bytes: what is expected.
        least: what it is at the very least.
        measured: whether it is the size of files.
        by_recipe: whether it is what the recipe's memory leaves room for.

    """

    bytes: float
    least: float
    measured: bool
    by_recipe: bool = False


def weights(facts: ModelFacts, precision: str | None = None) -> Weights | None:
    """The size of a model's weights, in the format ``precision`` or in its own.

    None where neither files nor a number of parameters say it, or the format has no fixed size.
    """
    wanted = PRECISIONS[precision or facts.precision]
    if facts.weights_bytes and wanted.name == facts.precision:
        return Weights(facts.weights_bytes, facts.weights_bytes, measured=True)
    if facts.parameters is None or wanted.bits is None:
        return None
    full = kept_parameters(facts, wanted.name) if wanted.quantised else 0
    size = (full * 16 + (facts.parameters - full) * wanted.bits) / 8
    certainty = _CERTAINTY.get(facts.parameters_from or "name", _CERTAINTY["name"])
    least = facts.parameters * wanted.bits / 8 * certainty
    if _has_smaller_parts(facts, wanted, size):
        size = (facts.recipe_vram_gb or 0) * 1e9 / _RECIPE_MARGIN
        return Weights(size, size * _CERTAINTY["name"], measured=False, by_recipe=True)
    return Weights(size, min(size, least), measured=False)


def _has_smaller_parts(facts: ModelFacts, wanted: Precision, size: float) -> bool:
    """Whether the recipe asks for less memory than the weights would take in that format.

    What is called FP8 may have experts in 4 bits (DeepSeek V4, MiMo 2.6). Recipes of 4-bit variants
    leave out what stays in 16 bits, and tell nothing.
    """
    if facts.recipe_vram_gb is None or wanted.name != facts.precision:
        return False
    return (wanted.bits or 0) >= 8 and facts.recipe_vram_gb * 1e9 < _CONTRADICTION * size


def kept_parameters(facts: ModelFacts, precision: str) -> float:
    """Parameters that stay in 16 bits when all else is quantised.

    Embeddings and output layer; in MXFP4 attention too, for only experts are quantised there
    (gpt-oss). Where the architecture is unknown it is the share that open models of that size
    have: about 15 % of 8 billion, 3 % of 70 billion.
    """
    count = facts.parameters or 0
    if shape := facts.shape:
        ends = shape.vocab * shape.hidden * (1 if shape.tied else 2)
        if precision != "mxfp4" or shape.latent:
            return ends
        return ends + shape.layers * shape.hidden * shape.head_dim * 2 * (
            shape.heads + shape.kv_heads
        )
    share = 0.15 * math.pow(8e9 / max(count, 1), 0.75)
    return count * min(0.2, share)


def kv_width(shape: Shape, tensor_parallel_size: int = 1) -> int:
    """Numbers that one layer keeps for one token on one GPU.

    Heads are dealt out; where there are fewer than GPUs, they are there several times. The latent
    of multi-head latent attention is whole on every GPU.
    """
    if shape.latent:
        return shape.latent
    return 2 * math.ceil(shape.kv_heads / tensor_parallel_size) * shape.head_dim


def kv_per_token(
    shape: Shape,
    number_bytes: float,
    tensor_parallel_size: int = 1,
    pipeline_parallel_size: int = 1,
) -> float:
    """What each further token takes, in the layers whose cache grows with it."""
    layers = math.ceil(shape.growing_layers / pipeline_parallel_size)
    return layers * kv_width(shape, tensor_parallel_size) * number_bytes


def kv_cache(
    shape: Shape,
    tokens: int,
    number_bytes: float,
    tensor_parallel_size: int = 1,
    pipeline_parallel_size: int = 1,
    batch: int = 2_048,
) -> float:
    """What one request of ``tokens`` tokens takes.

    Layers with a window keep the window and the batch that is being worked on, and no more
    (vllm/v1/kv_cache_interface.py, SlidingWindowSpec). The constant state of linear attention and
    Mamba layers, some MiB a request, is left out.
    """
    grown = tokens * kv_per_token(shape, number_bytes, tensor_parallel_size, pipeline_parallel_size)
    windows = math.ceil(shape.window_layers / pipeline_parallel_size)
    width = kv_width(shape, tensor_parallel_size)
    return grown + windows * min(tokens, shape.window + batch) * width * number_bytes


def batched_tokens(gpu_gib: float) -> int:
    """Tokens that vLLM works on at once, on a GPU of that size."""
    return next(tokens for least, tokens in _BATCHES if gpu_gib >= least)


def overhead(facts: ModelFacts, gpu_gib: float, tensor_parallel_size: int = 1) -> float:
    """What vLLM needs beside weights and cache: CUDA, graphs, activations, the sampler."""
    shape = facts.shape
    hidden = shape.hidden if shape else _typical_hidden(facts.parameters or 0)
    vocabulary = shape.vocab if shape else _TYPICAL_VOCABULARY
    widths = _WHOLE_WIDTHS + _DIVIDED_WIDTHS / tensor_parallel_size
    activations = batched_tokens(gpu_gib) * hidden * widths * 2
    sampler = _SEQUENCES * vocabulary * 4 * 2  # logits and probabilities, in 32 bits
    shared = _NCCL if tensor_parallel_size > 1 else 0
    return _CONTEXT + _GRAPHS + shared + activations + sampler


def _typical_hidden(parameters: int) -> float:
    """Width of a model of that size: open dense models have 12 to 16 layers' worth a width."""
    return min(8192.0, max(1024.0, 4096 * math.pow(parameters / 8e9, 1 / 3)))


_LARGE_GPU_GIB = 80
_USEFUL_TOKENS = 4_096


def least_vram(facts: ModelFacts, precision: str | None = None) -> float | None:
    """GPU memory, in bytes, with which a model can be served to one user with a short context.

    On as many GPUs of 80 GiB as it takes, in twos, fours and eights; None where unknown.
    """
    size = weights(facts, precision)
    if size is None:
        return None
    tokens = min(facts.context_length or _USEFUL_TOKENS, _USEFUL_TOKENS)
    count = 1
    while True:
        cache = (
            kv_cache(facts.shape, tokens, 2, count) * count
            if facts.shape
            else (facts.parameters or 0) * 2 * _TYPICAL_CACHE
        )
        beside = overhead(facts, _LARGE_GPU_GIB if count > 1 else 0, count) * count
        needed = (size.bytes + cache + beside) / UTILISATION
        if needed <= count * _LARGE_GPU_GIB * GIB or count >= 2**10:
            return needed
        count *= 2
