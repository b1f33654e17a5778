"""The arithmetic of memory in sentences."""

from __future__ import annotations

from archi.models import memory
from archi.models.facts import ModelFacts, Shape
from archi.models.precision import PRECISIONS

_KIB = 1024


def gib(size: float) -> str:
    """``14.2 GiB``; more than a hundred without a fraction, less than one in MiB."""
    amount = size / memory.GIB
    if abs(amount) < 1:
        return f"{amount * 1024:.0f} MiB"
    return f"{amount:,.0f} GiB" if amount >= 99.95 else f"{amount:.1f} GiB"


def count(number: int) -> str:
    """A number of parameters: ``7.6 billion``, ``135 million``."""
    if number >= 10**9:
        return f"{number / 10**9:,.1f} billion".replace(".0 ", " ")
    return f"{number / 10**6:,.0f} million"


def weights_sentence(facts: ModelFacts, precision: str | None = None) -> str:
    """How the size of the weights comes about."""
    size = memory.weights(facts, precision)
    wanted = PRECISIONS[precision or facts.precision]
    if size is not None and size.measured:
        return f"Weights: {gib(size.bytes)}, as the files say."
    if size is None or facts.parameters is None or wanted.bits is None:
        return "Weights: nothing says how large they are."
    if size.by_recipe:
        return (
            f"Weights: {count(facts.parameters)} parameters, called {wanted.words}; vLLM's recipe "
            f"asks for {facts.recipe_vram_gb} GB in all, so parts are smaller: about "
            f"{gib(size.bytes)}."
        )
    if not wanted.quantised:
        per = wanted.bits / 8
        return (
            f"Weights: {count(facts.parameters)} parameters × {per:g} bytes ({wanted.words}) = "
            f"{gib(size.bytes)}."
        )
    full = round(memory.kept_parameters(facts, wanted.name))
    what = "embeddings, output layer" + (", attention" if wanted.name == "mxfp4" else "")
    return (
        f"Weights: {count(facts.parameters)} parameters, {count(full)} of them ({what}) × 2 bytes, "
        f"the rest × {wanted.bits / 8:.3g} bytes ({wanted.words}) = {gib(size.bytes)}."
    )


def cache_sentence(shape: Shape, number_bytes: float, context: int | None) -> str:
    """How the size of the KV cache comes about, for one token and for the whole context."""
    per = memory.kv_per_token(shape, number_bytes)
    if shape.latent:
        made = f"{shape.growing_layers} layers × {shape.latent} numbers (latent attention)"
    else:
        made = (
            f"2 (keys, values) × {shape.growing_layers} layers × {shape.kv_heads} heads × "
            f"{shape.head_dim} numbers"
        )
    text = f"KV cache: {made} × {number_bytes:g} bytes = {per / _KIB:.4g} KiB per token"
    if context:
        whole = memory.kv_cache(shape, context, number_bytes)
        text += f"; {context:,} tokens, the whole context, take {gib(whole)}"
    text += "."
    if shape.window_layers:
        text += (
            f" {shape.window_layers} more layers look back {shape.window:,} tokens only and stop "
            "growing there."
        )
    elif shape.growing_layers < shape.layers:
        text += (
            f" The other {shape.layers - shape.growing_layers} layers keep a state of constant "
            "size."
        )
    return text


def cache_unknown() -> str:
    """What is said where no architecture is known."""
    return (
        "KV cache: the architecture is unknown, so its size is too; what is left beside the "
        "weights is for it."
    )


def budget_sentence(gpu_gib: float, utilisation: float, weights: float, beside: float) -> str:
    """What of one GPU is left for the KV cache; sizes in bytes."""
    taken = gpu_gib * utilisation * memory.GIB
    left = taken - weights - beside
    text = (
        f"Each GPU: vLLM takes {utilisation:g} of {gpu_gib:g} GiB = {gib(taken)}; less "
        f"{gib(weights)} of weights and about {gib(beside)} for CUDA, activations and graphs "
    )
    return text + (f"leaves {gib(left)} for the KV cache." if left > 0 else "leaves nothing.")
