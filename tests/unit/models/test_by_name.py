"""What an id tells: family, parsers, template, format, size; through repacks and renamings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archi.models import (
    attention_heads,
    largest_tensor_parallel_size,
    lookup,
    newer_than_pinned,
    quantization_of,
    reads,
)
from archi.vllm_registry import REASONING_PARSERS, TOOL_PARSERS

LLAMA_31 = "tool_chat_template_llama3.1_json.jinja"
OLD_MISTRAL = "Mistral 7B before v0.3, Mixtral 8x7B"
LLAMA_32 = "tool_chat_template_llama3.2_json.jinja"

# Facts by family: tool parser, reasoning parser, whether a template file goes with it.
FAMILIES = [
    ("Qwen/Qwen2.5-7B-Instruct", "hermes", None, False),
    ("Qwen/QwQ-32B", "hermes", "deepseek_r1", False),
    ("Qwen/Qwen3-8B", "hermes", "qwen3", False),
    ("Qwen/Qwen3-4B-Instruct-2507", "hermes", None, False),
    ("Qwen/Qwen3-4B-Thinking-2507", "hermes", "qwen3", False),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "hermes", None, False),
    ("Qwen/Qwen3-Next-80B-A3B-Thinking", "hermes", "qwen3", False),
    ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", None, False),
    ("Qwen/Qwen3.5-9B", "qwen3_coder", "qwen3", False),
    ("Qwen/Qwen3.6-27B", "qwen3_coder", "qwen3", False),
    ("Qwen/Qwen3.8-27B", "qwen3_coder", "qwen3", False),
    ("mistralai/Mistral-7B-Instruct-v0.3", "mistral", None, False),
    ("mistralai/Ministral-3-8B-Reasoning-2512", "mistral", "mistral", False),
    ("mistralai/Ministral-3-14B-Instruct-2512", "mistral", None, False),
    ("mistralai/Magistral-Small-2506", "mistral", "mistral", False),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None, True),
    ("meta-llama/Llama-3.2-3B-Instruct", "llama3_json", None, True),
    ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json", None, True),
    ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic", None, True),
    ("deepseek-ai/DeepSeek-V3-0324", "deepseek_v3", "deepseek_v3", True),
    ("deepseek-ai/DeepSeek-R1-0528", "deepseek_v3", "deepseek_r1", True),
    ("deepseek-ai/DeepSeek-V3.1", "deepseek_v31", "deepseek_v3", True),
    ("deepseek-ai/DeepSeek-V3.2", "deepseek_v32", "deepseek_v3", False),
    ("deepseek-ai/DeepSeek-V4-Flash", "deepseek_v4", "deepseek_v4", False),
    ("deepseek-ai/DeepSeek-V4.1-Flash", "deepseek_v41", "deepseek_v41", False),
    ("openai/gpt-oss-20b", "openai", "openai_gptoss", False),
    ("zai-org/GLM-4.5-Air", "glm45", "glm45", False),
    ("zai-org/GLM-4.6", "glm45", "glm45", False),
    ("zai-org/GLM-4.7", "glm47", "glm47", False),
    ("zai-org/GLM-5.2", "glm47", "glm47", False),
    ("moonshotai/Kimi-K2-Instruct", "kimi_k2", None, False),
    ("moonshotai/Kimi-K2-Thinking", "kimi_k2", "kimi_k2", False),
    ("moonshotai/Kimi-K3", "kimi_k3", "kimi_k3", False),
    ("ibm-granite/granite-3.0-8b-instruct", "granite", None, True),
    ("ibm-granite/granite-3.1-8b-instruct", "granite", None, False),
    ("ibm-granite/granite-4.0-h-small", "granite4", None, False),
    ("NousResearch/Hermes-3-Llama-3.1-8B", "hermes", None, False),
    ("microsoft/Phi-4-mini-instruct", "phi4_mini_json", None, True),
    ("google/gemma-4-12B-it", "gemma4", "gemma4", True),
]


@pytest.mark.parametrize(("model", "tool", "reasoning", "template"), FAMILIES)
def test_a_familys_model_gets_what_the_family_needs(
    model: str, tool: str, reasoning: str | None, template: bool
) -> None:
    facts = lookup(model)
    assert (facts.tool_parser, facts.reasoning_parser) == (tool, reasoning)
    assert (facts.chat_template is not None) == template
    assert facts.known


# id, family, tool parser, reasoning parser, template, format, billions of parameters (rounded).
REPACKS = [
    ("Qwen/Qwen3-8B-AWQ", "Qwen3", "hermes", "qwen3", None, "awq", 8),
    ("Qwen/Qwen3-8B-FP8", "Qwen3", "hermes", "qwen3", None, "fp8", 8),
    ("qwen/qwen3-8b", "Qwen3", "hermes", "qwen3", None, "bf16", 8),
    ("unsloth/Qwen3-8B-bnb-4bit", "Qwen3", "hermes", "qwen3", None, "bnb", 8),
    ("unsloth/Qwen3-8B-GGUF", "Qwen3", "hermes", "qwen3", None, "gguf", 8),
    ("unsloth/Qwen3-30B-A3B-Instruct-2507-FP8", "Qwen3", "hermes", None, None, "fp8", 31),
    ("Qwen/Qwen3-30B-A3B-GPTQ-Int4", "Qwen3", "hermes", "qwen3", None, "gptq", 31),
    ("mlx-community/Qwen3-8B-4bit", "Qwen3", "hermes", "qwen3", None, "mlx", 8),
    ("huihui-ai/Qwen3-14B-abliterated", "Qwen3", "hermes", "qwen3", None, "bf16", 15),
    ("someone/qwen3-14b-merged", "Qwen3", "hermes", "qwen3", None, "bf16", 15),
    ("someone/Qwen_3-8B_AWQ", "Qwen3", "hermes", "qwen3", None, "awq", 8),
    ("nvidia/Qwen3-32B-NVFP4", "Qwen3", "hermes", "qwen3", None, "nvfp4", 33),
    ("RedHatAI/Qwen3-32B-NVFP4A16", "Qwen3", "hermes", "qwen3", None, "nvfp4", 33),
    ("RedHatAI/Qwen3-8B-quantized.w4a16", "Qwen3", "hermes", "qwen3", None, "int4", 8),
    ("RedHatAI/Qwen3-8B-quantized.w8a8", "Qwen3", "hermes", "qwen3", None, "int8", 8),
    ("Qwen/Qwen2.5-32B-Instruct-GPTQ-Int8", "Qwen2.5", "hermes", None, None, "int8", 33),
    ("Qwen/Qwen2.5-Coder-32B-Instruct-AWQ", "Qwen2.5", "hermes", None, None, "awq", 33),
    ("neuralmagic/Qwen2.5-7B-Instruct-FP8-dynamic", "Qwen2.5", "hermes", None, None, "fp8", 8),
    ("lmstudio-community/Qwen2.5-7B-Instruct-GGUF", "Qwen2.5", "hermes", None, None, "gguf", 8),
    ("bartowski/qwen2_5-14b-instruct-Q4_K_M", "Qwen2.5", "hermes", None, None, "gguf", 15),
    ("Qwen/QwQ-32B-AWQ", "QwQ", "hermes", "deepseek_r1", None, "awq", 33),
    (
        "cyankiwi/Qwen3-Coder-30B-A3B-Instruct-AWQ-4bit",
        "Qwen3-Coder",
        "qwen3_coder",
        None,
        None,
        "awq",
        31,
    ),
    ("Qwen/Qwen3.5-27B-GPTQ-Int4", "Qwen3.5 and later", "qwen3_coder", "qwen3", None, "gptq", 27),
    (
        "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
        "Llama 3.1 and 3.3",
        "llama3_json",
        None,
        LLAMA_31,
        "awq",
        8,
    ),
    (
        "neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8",
        "Llama 3.1 and 3.3",
        "llama3_json",
        None,
        LLAMA_31,
        "fp8",
        71,
    ),
    (
        "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8",
        "Llama 3.1 and 3.3",
        "llama3_json",
        None,
        LLAMA_31,
        "int8",
        8,
    ),
    (
        "unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit",
        "Llama 3.1 and 3.3",
        "llama3_json",
        None,
        LLAMA_31,
        "bnb",
        8,
    ),
    (
        "nvidia/Llama-3.3-70B-Instruct-NVFP4",
        "Llama 3.1 and 3.3",
        "llama3_json",
        None,
        LLAMA_31,
        "nvfp4",
        71,
    ),
    ("someone/llama3.1-8b-chat", "Llama 3.1 and 3.3", "llama3_json", None, LLAMA_31, "bf16", 8),
    ("someone/Llama-3_1-8B", "Llama 3.1 and 3.3", "llama3_json", None, LLAMA_31, "bf16", 8),
    ("unsloth/Llama-3.2-3B-Instruct", "Llama 3.2", "llama3_json", None, LLAMA_32, "bf16", 3),
    ("casperhansen/llama-3-70b-instruct-awq", "Llama 3.0", "hermes", None, None, "awq", 71),
    ("TheBloke/Llama-2-13B-chat-GPTQ", "Llama 2", "hermes", None, None, "gptq", 13),
    ("TheBloke/Mistral-7B-Instruct-v0.2-AWQ", OLD_MISTRAL, "hermes", None, None, "awq", 7),
    ("solidrust/Mistral-7B-Instruct-v0.3-AWQ", "Mistral", "mistral", None, None, "awq", 7),
    ("TheBloke/Mixtral-8x7B-Instruct-v0.1-GPTQ", OLD_MISTRAL, "hermes", None, None, "gptq", 47),
    ("mistralai/Mixtral-8x22B-Instruct-v0.1", "Mistral", "mistral", None, None, "bf16", 141),
    ("solidrust/Mistral-Nemo-Instruct-2407-AWQ", "Mistral", "mistral", None, None, "awq", 12),
    (
        "RedHatAI/Mistral-Small-3.2-24B-Instruct-2506-FP8",
        "Mistral",
        "mistral",
        None,
        None,
        "fp8",
        24,
    ),
    # A fine-tune speaks its own format, whatever it was made from.
    ("NousResearch/Hermes-2-Pro-Llama-3-8B", "Hermes", "hermes", None, None, "bf16", 8),
    ("NousResearch/Hermes-2-Pro-Mistral-7B", "Hermes", "hermes", None, None, "bf16", 7),
    ("NousResearch/Hermes-4-70B-FP8", "Hermes", "hermes", None, None, "fp8", 71),
    (
        "TheBloke/OpenHermes-2.5-Mistral-7B-AWQ",
        "Hermes",
        "hermes",
        None,
        None,
        "awq",
        7,
    ),
    (
        "Salesforce/Llama-xLAM-2-8b-fc-r",
        "xLAM on Llama",
        "xlam",
        None,
        "tool_chat_template_xlam_llama.jinja",
        "bf16",
        8,
    ),
    (
        "Team-ACE/ToolACE-2-Llama-3.1-8B",
        "ToolACE",
        "pythonic",
        None,
        "tool_chat_template_toolace.jinja",
        "bf16",
        8,
    ),
    (
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        "DeepSeek R1 distilled",
        "hermes",
        "deepseek_r1",
        None,
        "bf16",
        8,
    ),
    (
        "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        "DeepSeek R1 distilled",
        "hermes",
        "deepseek_r1",
        None,
        "bf16",
        71,
    ),
    (
        "casperhansen/deepseek-r1-distill-qwen-32b-awq",
        "DeepSeek R1 distilled",
        "hermes",
        "deepseek_r1",
        None,
        "awq",
        33,
    ),
    (
        "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",
        "DeepSeek R1 distilled",
        "hermes",
        "deepseek_r1",
        None,
        "bf16",
        8,
    ),
    (
        "deepseek-ai/DeepSeek-R1",
        "DeepSeek R1",
        "deepseek_v3",
        "deepseek_r1",
        "tool_chat_template_deepseekr1.jinja",
        "fp8",
        685,
    ),
    (
        "cognitivecomputations/DeepSeek-V3-0324-AWQ",
        "DeepSeek V3",
        "deepseek_v3",
        "deepseek_v3",
        "tool_chat_template_deepseekv3.jinja",
        "awq",
        685,
    ),
    ("unsloth/gpt-oss-20b", "gpt-oss", "openai", "openai_gptoss", None, "mxfp4", 21),
    ("openai/gpt-oss-120b", "gpt-oss", "openai", "openai_gptoss", None, "mxfp4", 117),
    (
        "unsloth/gpt-oss-20b-BF16",
        "gpt-oss",
        "openai",
        "openai_gptoss",
        None,
        "bf16",
        21,
    ),
    ("zai-org/GLM-4.5-Air-FP8", "GLM-4.5 and 4.6", "glm45", "glm45", None, "fp8", 110),
    ("cpatonn/GLM-4.6-AWQ-4bit", "GLM-4.5 and 4.6", "glm45", "glm45", None, "awq", 357),
    ("moonshotai/Kimi-K2-Instruct-0905", "Kimi K2", "kimi_k2", None, None, "fp8", 1026),
    ("MiniMaxAI/MiniMax-M2", "MiniMax M2", "minimax_m2", "minimax_m2", None, "fp8", 229),
    (
        "google/gemma-3-27b-it",
        "Gemma 3",
        "pythonic",
        None,
        "tool_chat_template_gemma3_pythonic.jinja",
        "bf16",
        27,
    ),
    (
        "RedHatAI/gemma-3-12b-it-quantized.w4a16",
        "Gemma 3",
        "pythonic",
        None,
        "tool_chat_template_gemma3_pythonic.jinja",
        "int4",
        12,
    ),
    (
        "google/gemma-4-12B-it-qat-w4a16-ct",
        "Gemma 4",
        "gemma4",
        "gemma4",
        "tool_chat_template_gemma4.jinja",
        "int4",
        12,
    ),
    ("google/gemma-2-9b-it", "Gemma 1 and 2", "hermes", None, None, "bf16", 9),
    ("microsoft/phi-4", "Phi", "hermes", None, None, "bf16", 15),
    (
        "unsloth/Phi-4-mini-instruct-bnb-4bit",
        "Phi-4-mini",
        "phi4_mini_json",
        None,
        "tool_chat_template_phi4_mini.jinja",
        "bnb",
        4,
    ),
    ("ibm-granite/granite-3.1-2b-instruct", "Granite 3", "granite", None, None, "bf16", 3),
    (
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "SmolLM2",
        "hermes",
        None,
        "smollm2_hermes.jinja",
        "bf16",
        0,
    ),
    (
        "ByteDance-Seed/Seed-OSS-36B-Instruct",
        "Seed-OSS",
        "seed_oss",
        "seed_oss",
        None,
        "bf16",
        36,
    ),
    ("allenai/Olmo-3-32B-Think", "OLMo 3", "olmo3", "olmo3", None, "bf16", 32),
]


@pytest.mark.parametrize(
    ("model", "family", "tool", "reasoning", "template", "precision", "billions"),
    REPACKS,
    ids=[row[0] for row in REPACKS],
)
def test_a_repack_is_known_as_what_it_was_made_from(
    model: str,
    family: str,
    tool: str,
    reasoning: str | None,
    template: str | None,
    precision: str,
    billions: int,
) -> None:
    facts = lookup(model)
    assert (facts.family, facts.known) == (family, True)
    assert (facts.tool_parser, facts.reasoning_parser) == (tool, reasoning)
    assert facts.chat_template == template
    assert facts.precision == precision
    assert facts.parameters is not None
    assert round(facts.parameters / 1e9) == billions


@pytest.mark.parametrize(
    "model", ["someone/some-model", "a/b", "acme/Widget-7B-v2-AWQ", "x/y-GGUF"]
)
def test_an_unknown_model_stays_unknown_and_says_what_was_assumed(model: str) -> None:
    facts = lookup(model)
    assert (facts.family, facts.known) == (None, False)
    assert (facts.tool_parser, facts.reasoning_parser, facts.chat_template) == (
        "hermes",
        None,
        None,
    )
    assert any("Assumed: tool calls in the format of hermes" in note for note in facts.notes)


def test_a_name_alone_still_tells_format_and_size() -> None:
    facts = lookup("acme/Widget-7B-v2-AWQ")
    assert (facts.precision, facts.parameters, facts.parameters_from) == (
        "awq",
        7 * 10**9,
        "name",
    )
    assert lookup("acme/Widget-8x7B").parameters == 56 * 10**9
    assert lookup("acme/Widget-135M").parameters == 135 * 10**6
    assert lookup("acme/Widget-4bit").parameters is None


@pytest.mark.parametrize(
    ("model", "missing", "minimum"),
    [
        ("reflection/Beam-1.0-501B-A23B", "beam", "0.33.0"),
        ("meta-models/Muse-Spark-Open-816B-A42B", "muse", "0.33.0"),
        ("stepfun-ai/Step-5-Preview", "step5", None),
    ],
)
def test_a_parser_that_the_pinned_vllm_lacks_is_left_out_and_said(
    model: str, missing: str, minimum: str | None
) -> None:
    facts = lookup(model)
    assert missing not in TOOL_PARSERS
    assert (facts.tool_parser, facts.reasoning_parser) == ("hermes", None)
    assert any(f"no tool-call parser {missing}" in note for note in facts.notes)
    assert facts.min_vllm == minimum
    if minimum:
        assert any(f"asks for vLLM {minimum}" in note for note in facts.notes)


def test_parsers_that_recipes_name_and_no_vllm_registers_are_mapped() -> None:
    nano = lookup("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    assert (nano.tool_parser, nano.reasoning_parser) == ("qwen3_coder", "nemotron_v3")
    older = lookup("nvidia/NVIDIA-Nemotron-Nano-9B-v2")
    assert (older.tool_parser, older.reasoning_parser) == ("hermes", None)
    assert any("plugin" in note for note in older.notes)


@pytest.mark.parametrize(
    ("model", "token"),
    [
        ("meta-llama/Meta-Llama-3-8B-Instruct", "<|python_tag|>"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "[TOOL_CALLS]"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "[TOOL_CALLS]"),
    ],
)
def test_a_parser_whose_token_the_tokenizer_lacks_is_not_taken(model: str, token: str) -> None:
    facts = lookup(model)
    assert facts.tool_parser == "hermes"
    assert any(f"lacks the token {token}" in note for note in facts.notes)


@pytest.mark.parametrize(
    "model",
    ["Qwen/Qwen3-Embedding-8B", "openai/whisper-large-v3", "deepseek-ai/DeepSeek-OCR"],
)
def test_what_is_no_chat_model_says_so(model: str) -> None:
    assert any("no chat model" in note for note in lookup(model).notes)


@pytest.mark.parametrize(
    ("model", "context"),
    [
        ("Qwen/Qwen3-8B", 40_960),
        ("Qwen/Qwen2.5-7B-Instruct", 32_768),
        ("Qwen/Qwen2.5-7B-Instruct-1M", 1_010_000),
        ("Qwen/Qwen3-4B-Instruct-2507", 262_144),
        ("unsloth/Qwen3-30B-A3B-Instruct-2507-FP8", 262_144),
        ("meta-llama/Meta-Llama-3-8B-Instruct", 8_192),
        ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
    ],
)
def test_the_context_is_the_models_own(model: str, context: int) -> None:
    assert lookup(model).context_length == context


def test_a_recipes_other_sizes_are_not_taken_for_its_size() -> None:
    assert lookup("mistralai/Ministral-3-3B-Instruct-2512").parameters == 3 * 10**9
    assert lookup("Qwen/Qwen3Guard-Gen-0.6B").parameters == 6 * 10**8


@pytest.mark.parametrize(
    ("model", "heads"),
    [
        ("Qwen/Qwen2.5-7B-Instruct-1M", 28),
        ("Qwen/Qwen2.5-Coder-14B-Instruct", 40),
        ("Qwen/Qwen3-32B-FP8", 64),
        ("meta-llama/Llama-3.2-3B-Instruct", 24),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 32),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 9),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", 40),
        ("Qwen/Qwen3-VL-8B-Instruct", None),
        ("Qwen/Qwen3-Embedding-8B", None),
        ("someone/some-model", None),
    ],
)
def test_attention_heads_are_known_or_not_guessed(model: str, heads: int | None) -> None:
    assert attention_heads(model) == heads


@pytest.mark.parametrize(
    ("model", "gpus", "used"),
    [
        ("Qwen/Qwen3-8B", 8, 8),
        ("Qwen/Qwen3-8B", 7, 4),
        ("Qwen/Qwen2.5-7B-Instruct", 8, 4),  # 28 heads, but 4 of keys and values
        ("meta-llama/Llama-3.2-3B-Instruct", 4, 4),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 4, 3),
        ("deepseek-ai/DeepSeek-V3", 16, 16),
        ("someone/some-model", 8, None),
    ],
)
def test_heads_are_dealt_out_evenly_or_gpus_stay_unused(
    model: str, gpus: int, used: int | None
) -> None:
    assert largest_tensor_parallel_size(model, gpus) == used


@given(st.text(max_size=96))
def test_no_name_is_too_mad_to_be_looked_up(name: str) -> None:
    assert lookup(name).tool_parser in TOOL_PARSERS


def test_a_name_states_a_quantisation_only_where_it_means_one() -> None:
    assert quantization_of("Qwen/Qwen3-8B-AWQ") == "awq"
    assert quantization_of("nvidia/Qwen3-32B-NVFP4") == "nvfp4"
    assert quantization_of("x/y-int4") is None
    assert quantization_of("Qwen/Qwen3-8B") is None


def test_the_methods_that_read_a_format_are_all_of_them() -> None:
    assert reads("awq_marlin", "awq")
    assert reads("compressed-tensors", "fp8")
    assert reads("modelopt_fp4", "nvfp4")
    assert not reads("gptq", "awq")
    assert not reads("fp8", "awq")


def test_newer_is_newer_by_number() -> None:
    assert newer_than_pinned("nightly")
    assert newer_than_pinned("0.33.0")
    assert newer_than_pinned("1.0")
    assert not newer_than_pinned("0.32.0")
    assert not newer_than_pinned("0.8.5")


def test_whatever_is_looked_up_names_parsers_that_the_engine_registers() -> None:
    for model in [row[0] for row in REPACKS] + [row[0] for row in FAMILIES]:
        facts = lookup(model)
        assert facts.tool_parser in TOOL_PARSERS
        assert facts.reasoning_parser is None or facts.reasoning_parser in REASONING_PARSERS
