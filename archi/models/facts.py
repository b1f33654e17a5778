"""What is known about a model: plain data, filled from its name, its config.json or its weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A model's architecture, as far as memory and parallelism ask for it.

    Attributes:
        layers: transformer blocks.
        heads: attention heads, which tensor parallelism deals out.
        kv_heads: heads whose keys and values are kept.
        head_dim: numbers of one head.
        hidden: width of the residual stream.
        vocab: tokens that the model knows.
        tied: whether input and output embeddings are one matrix.
        latent: numbers kept per token and layer in multi-head latent attention (``kv_lora_rank``
            plus ``qk_rope_head_dim``), 0 for models that keep keys and values.
        full_layers: layers whose cache grows with each token; None: all of them.
        window_layers: layers that look back ``window`` tokens only.
        window: how far those look back, in tokens.
        source: where the numbers are from.

    """

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    vocab: int
    tied: bool = False
    latent: int = 0
    full_layers: int | None = None
    window_layers: int = 0
    window: int = 0
    source: str = ""

    def splits(self, tensor_parallel_size: int) -> bool:
        """Whether its heads can be dealt out over that many GPUs.

        Heads of keys and values too: each GPU has the same number of them, or each of them is on
        the same number of GPUs (vllm/model_executor/models/qwen2.py and others, 0.32.0).
        """
        if self.heads % tensor_parallel_size:
            return False
        few, many = sorted((self.kv_heads, tensor_parallel_size))
        return bool(self.latent) or many % few == 0

    def largest_split(self, most: int) -> int:
        """The most GPUs, up to ``most``, over which its heads can be dealt out."""
        sizes = range(1, min(most, self.heads) + 1)
        return max(size for size in sizes if self.splits(size))

    @property
    def growing_layers(self) -> int:
        """Layers whose cache grows with each token."""
        return self.layers - self.window_layers if self.full_layers is None else self.full_layers


@dataclass(frozen=True)
class Variant:
    """The same model with weights in another format.

    Attributes:
        model_id: its Hugging Face id.
        precision: a name of :data:`archi.models.precision.PRECISIONS`.
        vram_gb: what its recipe asks for, in 10**9 bytes.

    """

    model_id: str
    precision: str
    vram_gb: int | None


@dataclass(frozen=True)
class ModelFacts:
    """What serving a model needs.

    Attributes:
        tool_parser: name for vLLM's ``--tool-call-parser``.
        chat_template: file of ours under ``images/templates`` for ``--chat-template``,
            or None where the model's own template already speaks the parser's format.
        known: False where the family is unknown and the parser is an assumption.
        reasoning_parser: name for vLLM's ``--reasoning-parser``, None where answers carry no
            reasoning.
        model_id: the id that was looked up.
        family: name of the family, None where unknown.
        min_vllm: first vLLM that serves the model (``nightly``: none that is released), None
            where nothing says so.
        parameters: how many there are, experts included; None where unknown.
        parameters_from: ``headers`` of the weights, ``table``, ``recipe`` (a rounded number), or
            ``name`` (rounded, and only a name).
        context_length: tokens that the model was made for.
        precision: format of the weights, a name of :data:`archi.models.precision.PRECISIONS`.
        weights_bytes: measured size of the weights; None: to be estimated.
        shape: the architecture, None where unknown.
        variants: the same model in other formats.
        recipe_vram_gb: what the recipe of this very variant asks for, in 10**9 bytes.
        notes: sentences for people: what was assumed, what to look out for.
        source: where all this is from.

    """

    tool_parser: str
    chat_template: str | None
    known: bool
    reasoning_parser: str | None = None
    model_id: str = ""
    family: str | None = None
    min_vllm: str | None = None
    parameters: int | None = None
    parameters_from: str | None = None
    context_length: int | None = None
    precision: str = "bf16"
    weights_bytes: int | None = None
    shape: Shape | None = None
    variants: tuple[Variant, ...] = ()
    recipe_vram_gb: int | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
