"""What a config.json and a chat template say."""

from __future__ import annotations

from typing import Any

import pytest

from archi.models import config_json

QWEN3 = {
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 4096,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
    "max_position_embeddings": 40960,
    "sliding_window": None,
    "use_sliding_window": False,
    "torch_dtype": "bfloat16",
}


def test_an_architecture_is_read() -> None:
    shape = config_json.shape_of(QWEN3, "here")
    assert shape
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_dim) == (36, 32, 8, 128)
    assert (shape.hidden, shape.vocab, shape.tied, shape.source) == (4096, 151936, False, "here")
    assert shape.growing_layers == 36
    assert config_json.context_of(QWEN3) == 40960
    assert config_json.precision_of(QWEN3) == "bf16"


def test_what_a_file_leaves_out_is_what_it_means_by_that() -> None:
    small = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}
    shape = config_json.shape_of(small, "")
    assert shape
    assert (shape.kv_heads, shape.head_dim) == (4, 16)
    assert config_json.shape_of({"hidden_size": 64}, "") is None
    assert config_json.context_of({}) is None


def test_older_names_are_read_too() -> None:
    shape = config_json.shape_of({"n_layer": 12, "n_head": 12, "n_embd": 768}, "")
    assert shape
    assert (shape.layers, shape.hidden) == (12, 768)


@pytest.mark.parametrize("key", ["text_config", "llm_config", "language_config"])
def test_of_a_model_that_sees_the_language_model_is_read(key: str) -> None:
    shape = config_json.shape_of({"model_type": "x_vl", "hidden_size": 1, key: QWEN3}, "")
    assert shape
    assert shape.hidden == 4096
    nested = {"thinker_config": {"text_config": QWEN3}}
    assert config_json.context_of(nested) == 40960


def test_a_latent_takes_the_place_of_keys_and_values() -> None:
    shape = config_json.shape_of({**QWEN3, "kv_lora_rank": 512, "qk_rope_head_dim": 64}, "")
    assert shape
    assert shape.latent == 576


@pytest.mark.parametrize(
    ("config", "growing", "windows", "window"),
    [
        ({"sliding_window": 4096, "use_sliding_window": False}, 36, 0, 0),
        ({"sliding_window": 4096, "use_sliding_window": True}, 0, 36, 4096),
        ({"sliding_window": 1024, "sliding_window_pattern": 6}, 6, 30, 1024),
        (
            {"sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 18},
            18,
            18,
            128,
        ),
        ({"layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 9}, 9, 0, 0),
        ({"full_attention_interval": 4}, 9, 0, 0),
        ({"hybrid_override_pattern": "M-M*M-M*" * 4 + "M-M-"}, 8, 0, 0),
        ({"model_type": "gemma2", "sliding_window": 4096}, 18, 18, 4096),
    ],
)
def test_layers_of_other_kinds_are_told_apart(
    config: dict[str, Any], growing: int, windows: int, window: int
) -> None:
    given = {key: value for key, value in QWEN3.items() if "sliding" not in key}
    shape = config_json.shape_of({**given, **config}, "")
    assert shape
    assert (shape.growing_layers, shape.window_layers, shape.window) == (growing, windows, window)


@pytest.mark.parametrize(
    ("scaling", "context"),
    [
        (None, 40960),
        ({"rope_type": "llama3", "factor": 8.0}, 40960),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "linear", "factor": 2.0}, 81920),
        ({"type": "mrope", "mrope_section": [1]}, 40960),
    ],
)
def test_a_scaled_context_is_what_vllm_makes_of_it(scaling: object, context: int) -> None:
    assert config_json.context_of({**QWEN3, "rope_scaling": scaling}) == context


@pytest.mark.parametrize(
    ("quantised", "precision"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bnb"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4"),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
            },
            "int4",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "int-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}}},
            },
            "int8",
        ),
        ({"quant_method": "something-new"}, None),
    ],
)
def test_a_quantisation_is_read(quantised: dict[str, Any], precision: str | None) -> None:
    assert config_json.precision_of({**QWEN3, "quantization_config": quantised}) == precision


@pytest.mark.parametrize(
    ("template", "parser"),
    [
        ("{% if tools %}<tool_call>{{ call | tojson }}</tool_call>{% endif %}", "hermes"),
        ("{% if tools %}<tool_call><function=f><parameter=p>{% endif %}", "qwen3_coder"),
        ("{% if tools %}<tool_call>f<arg_key>k</arg_key>{% endif %}", "glm45"),
        ("{% if tools %}[TOOL_CALLS]{% endif %}", "mistral"),
        ("{% if tools %}<|python_tag|>{% endif %}", "llama3_json"),
        ("{% if tools %}<|channel|>{% endif %}", "openai"),
        ("{{ messages }}<tool_call>", None),
        ("{% if tools %}as it likes{% endif %}", None),
    ],
)
def test_a_template_shows_the_format_of_its_tool_calls(template: str, parser: str | None) -> None:
    assert next(iter(config_json.parsers_of_template(template)), None) == parser
