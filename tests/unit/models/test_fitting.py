"""What fits on which GPUs, what is refused, and what is advised."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archi.models import lookup
from archi.models.fitting import fit

MANY = [
    "Qwen/Qwen2.5-7B-Instruct-1M",
    "Qwen/Qwen3-32B",
    "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-ai/DeepSeek-V3",
    "openai/gpt-oss-120b",
    "google/gemma-3-27b-it",
    "zai-org/GLM-5.2",
    "acme/Widget-7B",
    "x/y",
    "unsloth/Qwen3-8B-GGUF",
]


@pytest.mark.parametrize(
    ("model", "gpus", "fits"),
    [
        ("Qwen/Qwen2.5-7B-Instruct-1M", [24], True),
        ("Qwen/Qwen3-8B", [24], True),
        ("Qwen/Qwen3-32B", [24], False),
        ("Qwen/Qwen3-32B-AWQ", [24], True),
        ("Qwen/Qwen3-32B", [80], True),
        ("Qwen/Qwen3-32B", [24, 24, 24, 24], True),
        ("meta-llama/Llama-3.3-70B-Instruct", [80], False),
        ("meta-llama/Llama-3.3-70B-Instruct", [80, 80], True),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", [80, 80], True),
        ("openai/gpt-oss-20b", [16], True),
        ("openai/gpt-oss-120b", [80], True),
        ("deepseek-ai/DeepSeek-R1", [80] * 8, False),
        ("deepseek-ai/DeepSeek-R1", [141] * 8, True),
        ("deepseek-ai/DeepSeek-V4-Flash", [80] * 4, True),
        ("acme/Widget-7B", [24], True),
        ("acme/Widget-7B", [8], False),
        ("x/y", [24], None),
    ],
)
def test_what_is_known_to_fit_fits(model: str, gpus: list[float], fits: bool | None) -> None:
    assert fit(lookup(model), gpus).fits is fits


def test_the_seeds_default_model_starts_on_24_gib_with_a_context_that_fits() -> None:
    found = fit(lookup("Qwen/Qwen2.5-7B-Instruct-1M"), [24])
    assert found.max_model_len
    assert 60_000 < found.max_model_len < 150_000
    assert any("Leave max_model_len out" in line for line in found.advice)


def test_a_refusal_shows_the_arithmetic_and_a_mend() -> None:
    found = fit(lookup("Qwen/Qwen3-32B"), [24])
    assert found.reasons == (
        "The weights alone take 61.0 GiB on the GPU, and vLLM may take 22.1 GiB of its 24 GiB "
        "(0.92). Mend: more or larger GPUs, a quantised variant, or a smaller model.",
    )
    assert found.max_model_len is None


def test_advice_names_a_variant_that_fits_and_how_many_gpus_do() -> None:
    advice = "\n".join(fit(lookup("Qwen/Qwen3-32B"), [24]).advice)
    assert "Qwen/Qwen3-32B-AWQ (4 bits) fits" in advice
    assert "4 GPUs of 24 GiB hold it (tensor_parallel_size 4)" in advice


def test_a_variant_that_the_gpus_are_too_old_for_is_not_advised() -> None:
    facts = lookup("Qwen/Qwen3-32B")
    assert "AWQ" in "\n".join(fit(facts, [24], compute_capability=7.5).advice)
    assert "AWQ" not in "\n".join(fit(facts, [24], compute_capability=7.0).advice)


def test_an_unknown_model_is_advised_to_be_quantised_as_such() -> None:
    advice = fit(lookup("acme/Widget-20B"), [24]).advice
    assert any("look for such a variant" in line for line in advice)


def test_a_context_that_was_asked_for_and_cannot_be_held_is_refused_with_one_that_can() -> None:
    facts = lookup("Qwen/Qwen2.5-7B-Instruct-1M")
    found = fit(facts, [24], max_model_len=1_010_000)
    assert found.fits is False
    assert "The KV cache of max_model_len 1,010,000 takes 53.9 GiB" in found.reasons[0]
    longest = fit(facts, [24]).max_model_len
    assert f"set max_model_len to {longest} or less" in found.reasons[0]
    assert fit(facts, [24], max_model_len=32_768).fits is True


def test_a_context_that_only_the_estimate_doubts_is_not_refused() -> None:
    facts = lookup("Qwen/Qwen2.5-7B-Instruct-1M")
    longest = fit(facts, [24]).max_model_len
    assert longest
    found = fit(facts, [24], max_model_len=longest + 8_000)
    assert found.fits is None
    assert found.reasons == ()
    assert "too close to say" in found.advice[0]


def test_an_fp8_cache_holds_twice_the_context() -> None:
    facts = lookup("Qwen/Qwen2.5-7B-Instruct-1M")
    plain = fit(facts, [24]).max_model_len
    halved = fit(facts, [24], kv_cache_dtype="fp8").max_model_len
    assert plain
    assert halved == pytest.approx(2 * plain, abs=32)


def test_quantising_while_loading_halves_the_weights() -> None:
    assert fit(lookup("Qwen/Qwen3-14B"), [24]).fits is False
    assert fit(lookup("Qwen/Qwen3-14B"), [24], quantization="fp8").fits is True


def test_32_bits_double_them() -> None:
    assert fit(lookup("Qwen/Qwen3-8B"), [24], dtype="float32").fits is False


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (3, "32 attention heads (8 of keys and values) can't be dealt out evenly over 3 GPUs. M"),
        (8, "takes 8 GPUs, and there are 3"),
    ],
)
def test_a_placement_that_cannot_be_is_refused(tensor: int, says: str) -> None:
    found = fit(lookup("Qwen/Qwen3-8B"), [24, 24, 24], tensor_parallel_size=tensor)
    assert found.fits is False
    assert says in found.reasons[0]


def test_without_a_placement_the_most_gpus_that_the_heads_allow_share_the_layers() -> None:
    found = fit(lookup("Qwen/Qwen2.5-7B-Instruct"), [24] * 8)  # 28 heads, 4 of keys and values
    assert found.tensor_parallel_size == 4
    assert any("4 of the 8 GPUs stay unused" in line for line in found.advice)


def test_pipeline_groups_share_the_weights() -> None:
    facts = lookup("meta-llama/Llama-3.3-70B-Instruct")
    found = fit(facts, [80, 80], tensor_parallel_size=1, pipeline_parallel_size=2)
    assert (found.fits, found.tensor_parallel_size, found.pipeline_parallel_size) == (True, 1, 2)


def test_the_smallest_gpu_counts() -> None:
    facts = lookup("Qwen/Qwen3-8B")
    assert fit(facts, [80, 8], tensor_parallel_size=2).fits is False
    assert fit(facts, [80, 24], tensor_parallel_size=2).fits is True


@pytest.mark.parametrize(
    ("model", "settings", "says"),
    [
        ("Qwen/Qwen3-8B", {"dtype": "bfloat16", "compute_capability": 7.5}, "needs compute capab"),
        ("Qwen/Qwen3-8B-AWQ", {"compute_capability": 7.0}, "from compute capability 7.5 on"),
        ("Qwen/Qwen3-8B-FP8", {"compute_capability": 7.0}, "from compute capability 7.5 on"),
        ("openai/gpt-oss-20b", {"compute_capability": 7.5}, "from compute capability 8 on"),
    ],
)
def test_formats_that_the_gpus_cannot_compute_are_refused(
    model: str, settings: dict[str, object], says: str
) -> None:
    found = fit(lookup(model), [48], **settings)  # type: ignore[arg-type]
    assert found.fits is False
    assert says in found.reasons[0]


@pytest.mark.parametrize(
    ("model", "capability", "says"),
    [
        ("Qwen/Qwen3-8B", 7.5, "vLLM computes in float16"),
        ("Qwen/Qwen3-8B-FP8", 8.6, "saves memory, not time"),
        ("Qwen/Qwen3-8B-FP8", 8.9, None),
    ],
)
def test_formats_that_are_computed_otherwise_are_said_not_refused(
    model: str, capability: float, says: str | None
) -> None:
    found = fit(lookup(model), [48], compute_capability=capability)
    assert found.fits is True
    assert [line for line in found.advice if says and says in line] or not (says or found.advice)


def test_weights_that_vllm_reads_by_a_plugin_are_refused_except_in_an_image_of_ones_own() -> None:
    facts = lookup("unsloth/Qwen3-8B-GGUF")
    assert "vllm-gguf-plugin" in fit(facts, [24]).reasons[0]
    assert fit(facts, [24], own_image=True).fits is None
    mlx = lookup("mlx-community/Qwen3-8B-4bit")
    assert fit(mlx, [24], own_image=True).fits is False


def test_too_close_to_say_is_said() -> None:
    facts = replace(lookup("Qwen/Qwen3-8B"), weights_bytes=21 * 1024**3)
    found = fit(facts, [24])
    assert found.fits is None
    assert "Too close to say" in found.advice[0]


def test_no_gpu_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one GPU"):
        fit(lookup("Qwen/Qwen3-8B"), [])


gpu_lists = st.lists(st.sampled_from([8.0, 16.0, 24.0, 48.0, 80.0, 141.0]), min_size=1, max_size=8)


@given(
    st.sampled_from(MANY),
    gpu_lists,
    st.none() | st.integers(1, 9),
    st.just("auto") | st.integers(1, 2_000_000),
    st.sampled_from(["auto", "fp8", "nvfp4"]),
)
def test_whatever_is_asked_the_answer_is_consistent(
    model: str,
    gpus: list[float],
    tensor: int | None,
    tokens: int | str,
    cache: str,
) -> None:
    facts = lookup(model)
    found = fit(
        facts, gpus, tensor_parallel_size=tensor, max_model_len=tokens, kv_cache_dtype=cache
    )
    assert (found.fits is False) == bool(found.reasons)
    if found.fits and found.max_model_len:
        assert found.max_model_len <= (facts.context_length or found.max_model_len)
        assert isinstance(tokens, str) or found.max_model_len >= tokens
    assert all("Mend: " in reason for reason in found.reasons)


@given(st.sampled_from(MANY), st.sampled_from([16.0, 24.0, 48.0, 80.0]))
def test_more_memory_is_never_worse(model: str, size: float) -> None:
    rank = {False: 0, None: 1, True: 2}
    facts = lookup(model)
    less, more = fit(facts, [size]), fit(facts, [size + 8])
    assert rank[more.fits] >= rank[less.fits]
