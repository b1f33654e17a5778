"""The arithmetic of memory, against numbers that can be checked by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from archi.models import lookup, memory
from archi.models.fitting import about
from archi.models.memory import GIB
from archi.project import ROOT

KIB = 1024


def per_token(model: str, tensor: int = 1) -> float:
    shape = lookup(model).shape
    assert shape
    return memory.kv_per_token(shape, 2, tensor) / KIB


@pytest.mark.parametrize(
    ("model", "kib"),
    [
        ("Qwen/Qwen2.5-7B-Instruct-1M", 2 * 28 * 4 * 128 * 2 / KIB),
        ("Qwen/Qwen3-8B", 2 * 36 * 8 * 128 * 2 / KIB),
        ("meta-llama/Llama-3.3-70B-Instruct", 320),
        ("deepseek-ai/DeepSeek-V3", 61 * 576 * 2 / KIB),  # one latent, no keys and values
        ("openai/gpt-oss-20b", 2 * 12 * 8 * 64 * 2 / KIB),  # half of its layers have a window
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 2 * 12 * 2 * 256 * 2 / KIB),  # 36 are linear
    ],
)
def test_a_token_takes_what_the_architecture_says(model: str, kib: float) -> None:
    assert per_token(model) == kib


def test_a_token_takes_what_vllm_itself_counted() -> None:
    log = (
        ROOT / "tests" / "unit" / "diagnosis" / "logs" / "healthy.log"
    ).read_text()  # with 1 GiB for it
    counted = re.search(r"KV cache size: ([\d,]+) tokens", log)
    assert counted
    tokens = int(counted[1].replace(",", ""))
    in_float32 = 2 * per_token("HuggingFaceTB/SmolLM2-135M-Instruct") * KIB
    room = GIB / in_float32
    assert tokens == pytest.approx(room, abs=128)  # whole blocks of 128


def test_heads_are_dealt_out_and_are_doubled_where_there_are_fewer_than_gpus() -> None:
    whole = per_token("Qwen/Qwen2.5-7B-Instruct")  # 4 heads
    assert per_token("Qwen/Qwen2.5-7B-Instruct", 2) == whole / 2
    assert per_token("Qwen/Qwen2.5-7B-Instruct", 4) == whole / 4
    assert per_token("Qwen/Qwen2.5-7B-Instruct", 28) == whole / 4


def test_a_latent_is_whole_on_every_gpu() -> None:
    assert per_token("deepseek-ai/DeepSeek-V3", 8) == per_token("deepseek-ai/DeepSeek-V3")


def test_the_seeds_default_model_needs_54_gib_for_all_of_its_context() -> None:
    facts = lookup("Qwen/Qwen2.5-7B-Instruct-1M")
    assert facts.shape
    assert facts.context_length
    cache = memory.kv_cache(facts.shape, facts.context_length, 2) / GIB
    assert cache == pytest.approx(54, abs=0.2)


def test_layers_with_a_window_stop_growing() -> None:
    shape = lookup("google/gemma-3-27b-it").shape
    assert shape
    step = memory.kv_cache(shape, 60_000, 2) - memory.kv_cache(shape, 50_000, 2)
    assert step == 10_000 * memory.kv_per_token(shape, 2)
    short = memory.kv_cache(shape, 512, 2)
    assert short == 512 * 62 * memory.kv_width(shape) * 2


@pytest.mark.parametrize(
    ("model", "gib"),
    [
        # Sizes of the safetensors files in these repositories.
        ("Qwen/Qwen3-8B", 15.26),
        ("Qwen/Qwen2.5-7B-Instruct", 14.19),
        ("meta-llama/Llama-3.1-8B-Instruct", 14.96),
        ("openai/gpt-oss-20b", 12.82),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 0.25),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", 5.2),
        ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", 5.3),
        ("nvidia/Llama-3.3-70B-Instruct-NVFP4", 39.8),
    ],
)
def test_weights_are_estimated_within_five_percent_of_the_files(model: str, gib: float) -> None:
    size = memory.weights(lookup(model))
    assert size
    assert size.bytes / GIB == pytest.approx(gib, rel=0.05)


def test_measured_weights_win_over_estimates() -> None:
    facts = replace(lookup("Qwen/Qwen3-8B"), weights_bytes=10 * GIB)
    assert memory.weights(facts) == memory.Weights(10 * GIB, 10 * GIB, measured=True)
    other = memory.weights(facts, "fp8")
    assert other
    assert not other.measured


def test_a_recipe_knows_of_experts_in_four_bits_that_a_name_does_not() -> None:
    size = memory.weights(lookup("deepseek-ai/DeepSeek-V4-Flash"))  # 284 B "FP8" on 170 GB
    assert size
    assert size.bytes < 170e9
    said = about(lookup("deepseek-ai/DeepSeek-V4-Flash"))[0]
    assert "recipe asks for 170 GB in all, so parts are smaller: about 132 GiB." in said


def test_what_is_certain_is_never_more_than_what_is_expected() -> None:
    for model in ("Qwen/Qwen3-8B", "acme/Widget-7B", "x/Widget-7B-AWQ", "zai-org/GLM-5.2"):
        size = memory.weights(lookup(model))
        assert size
        assert 0 < size.least <= size.bytes


def test_unknown_sizes_stay_unknown() -> None:
    assert memory.weights(lookup("x/y")) is None
    assert memory.weights(lookup("unsloth/Qwen3-8B-GGUF")) is None
    assert memory.least_vram(lookup("x/y")) is None


def test_more_tensor_parallelism_leaves_less_beside_the_weights_of_one_gpu() -> None:
    facts = lookup("meta-llama/Llama-3.3-70B-Instruct")
    one, four = (memory.overhead(facts, 80, tensor) for tensor in (1, 4))
    assert four < one
    assert 1 * GIB < four < 4 * GIB


def test_the_arithmetic_is_said_in_words() -> None:
    weights, cache = about(lookup("Qwen/Qwen2.5-7B-Instruct-1M"))
    assert weights == "Weights: 7.6 billion parameters × 2 bytes (bf16) = 14.2 GiB."
    assert cache == (
        "KV cache: 2 (keys, values) × 28 layers × 4 heads × 128 numbers × 2 bytes = 56 KiB per "
        "token; 1,010,000 tokens, the whole context, take 53.9 GiB."
    )


def test_words_tell_windows_latents_and_constant_states() -> None:
    said = {
        model: about(lookup(model))[1]
        for model in ("openai/gpt-oss-20b", "deepseek-ai/DeepSeek-V3", "x/Widget-7B")
    }
    assert "12 more layers look back 128 tokens only" in said["openai/gpt-oss-20b"]
    assert "61 layers × 576 numbers (latent attention)" in said["deepseek-ai/DeepSeek-V3"]
    assert "architecture is unknown" in said["x/Widget-7B"]
    hybrid = about(lookup("Qwen/Qwen3-Next-80B-A3B-Instruct"))[1]
    assert "The other 36 layers keep a state of constant size." in hybrid
