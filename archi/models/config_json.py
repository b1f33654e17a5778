"""What a model's own config.json and chat template say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archi.models.facts import Shape

Config = Mapping[str, Any]

# Where models that also see or hear keep the language model's part.
_TEXT_PARTS = ("text_config", "llm_config", "language_config")

# Some families say these under older names (GPT-2's, Falcon's).
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "heads": ("num_attention_heads", "n_head"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "kv_heads": ("num_global_key_value_heads", "num_key_value_heads", "num_kv_heads"),
    "head_dim": ("global_head_dim", "head_dim"),
}

# Scalings of the position encoding whose context is already in max_position_embeddings
# (vllm/config/model.py, _get_and_verify_max_len, 0.32.0).
_INCLUDED_SCALINGS = ("llama3", "longrope", "su", "mrope", "default", "proportional")


def text_part(config: Config) -> Config:
    """The language model's part of a config.json."""
    thinker = config.get("thinker_config")
    if isinstance(thinker, Mapping):
        return text_part(thinker)
    for name in _TEXT_PARTS:
        if isinstance(part := config.get(name), Mapping):
            return {**config, **part}
    return config


def shape_of(config: Config, source: str) -> Shape | None:
    """The architecture; None where the file does not say enough."""
    text = text_part(config)
    layers, heads, hidden = (_number(text, name) for name in ("layers", "heads", "hidden"))
    if not (layers and heads and hidden):
        return None
    latent = int(text.get("kv_lora_rank") or 0)
    full, windowed, window = _kinds(text, layers)
    return Shape(
        layers=layers,
        heads=heads,
        kv_heads=_number(text, "kv_heads") or heads,
        head_dim=_number(text, "head_dim") or hidden // heads,
        hidden=hidden,
        vocab=int(text.get("vocab_size") or 0),
        tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        latent=latent + int(text.get("qk_rope_head_dim") or 0) if latent else 0,
        full_layers=full,
        window_layers=windowed,
        window=window,
        source=source,
    )


def _number(text: Config, name: str) -> int | None:
    found = next((text[key] for key in _NAMES[name] if text.get(key)), None)
    return int(found) if found else None


def _kinds(text: Config, layers: int) -> tuple[int | None, int, int]:
    """Layers with full attention, layers with a window, and the window.

    The rest are linear attention or Mamba.
    """
    window = int(text.get("sliding_window") or 0)
    if text.get("use_sliding_window") is False:
        window = 0
    own = layers - int(text.get("num_kv_shared_layers") or 0)
    kinds = text.get("layer_types") or text.get("layers_block_type")
    if isinstance(kinds, list) and kinds:
        kinds = [str(kind) for kind in kinds[:own]]
        windowed = sum("sliding" in kind or "chunked" in kind for kind in kinds)
        full = sum(kind in ("full_attention", "attention") for kind in kinds)
        size = window or int(text.get("attention_chunk_size") or 0)
        return (full, windowed, size) if size else (full + windowed, 0, 0)
    if isinstance(pattern := text.get("hybrid_override_pattern"), str):
        return pattern.count("*"), 0, 0  # Nemotron-H: M is Mamba, * attention, - feed-forward
    if every := text.get("full_attention_interval") or text.get("attn_layer_period"):
        return layers // int(every), 0, 0
    if window and (every := text.get("sliding_window_pattern") or _model_types(text)):
        return layers // int(every), layers - layers // int(every), window
    if window:
        return 0, layers, window
    return None, 0, 0


def _model_types(text: Config) -> int | None:
    """Every how many layers look at everything, in families whose older files do not say it."""
    return {"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "cohere2": 4, "gpt_oss": 2}.get(
        str(text.get("model_type"))
    )


def context_of(config: Config) -> int | None:
    """Tokens that the model was made for, as vLLM derives them."""
    text = text_part(config)
    found = text.get("max_position_embeddings") or text.get("n_positions")
    if not isinstance(found, int):
        return None
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind = str(scaling.get("rope_type") or scaling.get("type") or "default")
    factor = scaling.get("factor")
    if kind in _INCLUDED_SCALINGS or not isinstance(factor, (int, float)):
        return found
    base = scaling.get("original_max_position_embeddings") if kind == "yarn" else None
    return int((base or found) * factor)


# quantization_config.quant_method -> our name of the format.
_METHODS = {
    "fp8": "fp8",
    "fbgemm_fp8": "fp8",
    "deepseek_v4_fp8": "fp8",
    "awq": "awq",
    "gptq": "gptq",
    "mxfp4": "mxfp4",
    "gpt_oss_mxfp4": "mxfp4",
    "bitsandbytes": "bnb",
    "gguf": "gguf",
}
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def precision_of(config: Config) -> str | None:
    """The format of the weights; None where the file does not say it."""
    text = text_part(config)
    quantised = config.get("quantization_config") or text.get("quantization_config")
    if isinstance(quantised, Mapping):
        return _quantised(quantised)
    said = text.get("dtype") or text.get("torch_dtype")
    return _DTYPES.get(str(said).removeprefix("torch."))


def _quantised(config: Mapping[str, Any]) -> str | None:
    method = str(config.get("quant_method") or "")
    if method == "gptq" and config.get("bits") == 8:
        return "int8"
    if method in _METHODS:
        return _METHODS[method]
    said = f"{config.get('quant_algo')} {config.get('format')}".lower()
    for word in ("nvfp4", "mxfp4", "mxfp8", "fp8", "float-quantized"):
        if word in said:
            return "fp8" if word == "float-quantized" else word
    for group in (config.get("config_groups") or {}).values():
        weights = group.get("weights") or {}
        if weights.get("num_bits") == 8:
            return "fp8" if weights.get("type") == "float" else "int8"
        if weights.get("num_bits") == 4:
            return "nvfp4" if weights.get("type") == "float" else "int4"
    return None


# What only one format of tool calls has in its chat template -> the parsers that read it, the
# first where the name says nothing. The particular stand before the general.
_TEMPLATE_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("<|channel|>", ("openai",)),
    ("<｜DSML｜", ("deepseek_v32", "deepseek_v4", "deepseek_v41")),
    ("<｜tool▁calls▁begin｜>", ("deepseek_v31", "deepseek_v3")),
    ("<|tool_calls_section_begin|>", ("kimi_k2",)),
    ("<minimax:tool_call>", ("minimax_m2", "minimax_m3")),
    ("<seed:tool_call>", ("seed_oss",)),
    ("<arg_key>", ("glm45", "glm47")),
    ("<function=", ("qwen3_coder", "qwen3_xml", "mimo", "step3p5", "poolside_v1")),
    ("[TOOL_CALLS]", ("mistral",)),
    ("<start_function_call>", ("functiongemma",)),
    ("<tool_call>", ("hermes", "granite4", "qwen3_json", "minicpm5")),
    ("<|python_tag|>", ("llama3_json", "llama4_pythonic", "pythonic")),
)


def parsers_of_template(template: str) -> tuple[str, ...]:
    """The tool-call parsers that read what a chat template teaches; none where it shows nothing."""
    if "tools" not in template:
        return ()
    return next((parsers for mark, parsers in _TEMPLATE_MARKS if mark in template), ())


def reasoning_of_template(template: str) -> str | None:
    """The reasoning parser that a chat template suggests, where the name says nothing."""
    if "enable_thinking" in template:
        return "qwen3"
    return "deepseek_r1" if "<think>" in template else None


# config.json's model_type -> a name that the families know; llama is many families' architecture.
_FAMILY_NAMES = {
    "qwen2": "qwen2.5",
    "qwen2_5_vl": "qwen2.5",
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3",
    "qwen3_next": "qwen3-next",
    "qwen3_5": "qwen3.5",
    "qwen3_5_moe": "qwen3.5",
    "gpt_oss": "gpt-oss",
    "glm4_moe": "glm-4.5",
    "deepseek_v3": "deepseek-v3",
    "mistral": "mistral",
    "mixtral": "mixtral",
    "gemma3": "gemma-3",
    "gemma4": "gemma-4",
    "llama4": "llama-4",
    "granitemoehybrid": "granite-4",
    "kimi_k2": "kimi-k2",
    "minimax_m2": "minimax-m2",
    "seed_oss": "seed-oss",
    "olmo3": "olmo-3",
    "apertus": "apertus",
}


def family_name(config: Config) -> str | None:
    """A name for `archi.models.families.family_of`, by architecture; None: it tells no family."""
    return _FAMILY_NAMES.get(str(config.get("model_type")))
