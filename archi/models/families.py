"""Families of models by name: which parsers and which chat template they need.

Sources: docs/features/tool_calling.md and docs/features/reasoning_outputs.md of vLLM 0.32.0, and
the recipes of 0.33.0. A reasoning parser stands only where answers really carry reasoning: the
parser of a model that never reasons would take its whole answer for reasoning, or fail for want of
its tokens. What a fine-tune of another format was made from does not matter: fine-tunes stand
first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from archi.models.names import may_match, plain

DEFAULT_TOOL_PARSER = "hermes"
"""What is taken where the family is unknown: the seed's default."""


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: for people.
        pattern: of the repository's name, as :func:`archi.models.names.plain` gives it.
        tool_parser: None where the family has no format for tool calls that a parser reads.
        reasoning_parser: None where answers carry no reasoning.
        chat_template: file below ``images/templates``.
        note: what to look out for.

    """

    name: str
    pattern: str
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    note: str | None = None


def _vllm(name: str) -> str:
    return f"tool_chat_template_{name}.jinja"


_UNTRAINED = "It was not trained to call tools; expect answers, not calls."
# A parser that finds no token of its own in the tokenizer fails each request, with tools or without
# (vllm/parser/mistral.py, vllm/tool_parsers/llama_tool_parser.py, 0.32.0).
_NO_MARK = (
    "Its tokenizer lacks the token {mark}, without which vLLM's parser {parser} fails every "
    "request. It was not trained to call tools; expect answers, not calls."
)
_NO_PLUGIN_PARSER = (
    "Its own tool calls need a parser that is a plugin in its repository; with {assumed} they "
    "come as text. Answers are not touched by that."
)
_COHERE = (
    "vLLM's parser for it ({parser}) needs the Python package cohere-melody, which vLLM's images "
    "lack; without it tool calls come as text."
)
NOT_CHAT = "It is no chat model: vLLM serves it, but not for the chat page."

# The first row that matches wins, so the particular stands before the general.
FAMILIES: tuple[Family, ...] = (
    Family("SmolLM2", r"smollm-?2", "hermes", None, "smollm2_hermes.jinja"),
    Family("SmolLM3", r"smollm-?3", "hermes"),
    Family("Hermes", r"hermes", "hermes"),
    Family("xLAM on Llama", r"llama.*xlam", "xlam", None, _vllm("xlam_llama")),
    Family("xLAM", r"xlam", "xlam", None, _vllm("xlam_qwen")),
    Family("ToolACE", r"toolace", "pythonic", None, _vllm("toolace")),
    Family(
        "DeepSeek R1 distilled",
        r"deepseek-r1.*(distill|qwen|llama)|r1-distill",
        None,
        "deepseek_r1",
        None,
        _UNTRAINED,
    ),
    Family("Qwen3 Embedding", r"qwen-?3.*(embedding|reranker)", note=NOT_CHAT),
    Family("Qwen3 Guard", r"qwen-?3-?guard", note=_UNTRAINED),
    Family("Qwen3 ASR", r"qwen-?3-asr", note=NOT_CHAT),
    Family("Qwen3-Coder", r"qwen-?3-coder", "qwen3_coder"),
    Family("Qwen3.5 and later", r"qwen-?3\.[5-9]", "qwen3_coder", "qwen3"),
    Family("Qwen3-Next", r"qwen-?3-next.*thinking", "hermes", "qwen3"),
    Family("Qwen3-Next", r"qwen-?3-next", "hermes"),
    Family("Qwen3", r"qwen-?3.*instruct", "hermes"),
    Family("Qwen3-VL", r"qwen-?3-(vl|omni)(?!.*thinking)", "hermes"),
    Family("Qwen3", r"qwen-?3", "hermes", "qwen3"),
    Family("QwQ", r"qwq", "hermes", "deepseek_r1"),
    Family("Qwen2.5", r"qwen-?2\.5", "hermes"),
    Family("Qwen2", r"qwen-?2", "hermes"),
    Family("Qwen", r"qwen", "hermes", None, None, _UNTRAINED),
    Family("Magistral", r"magistral", "mistral", "mistral"),
    Family("Ministral 3", r"ministral-?3-.*reasoning", "mistral", "mistral"),
    Family("Ministral 3", r"ministral-?3-", "mistral"),
    Family("Mistral Small 4", r"mistral-small-4", "mistral", "mistral"),
    Family("Mistral Medium 3.5", r"mistral-medium-3\.5", "mistral", "mistral"),
    Family("Voxtral Realtime", r"voxtral.*realtime", note=NOT_CHAT),
    Family(
        "Mistral 7B before v0.3, Mixtral 8x7B",
        r"mistral-7b(?!.*v0\.3)|mixtral-8x7b|zephyr",
        note=_NO_MARK.format(mark="[TOOL_CALLS]", parser="mistral"),
    ),
    Family(
        "Mistral",
        r"mistral|mixtral|ministral|devstral|codestral|pixtral|voxtral|mathstral",
        "mistral",
    ),
    Family("Llama Guard", r"llama-?guard", note=_UNTRAINED),
    Family("Llama 4", r"llama-?4", "llama4_pythonic", None, _vllm("llama4_pythonic")),
    Family("Llama 3.2", r"llama-?3\.2", "llama3_json", None, _vllm("llama3.2_json")),
    Family("Llama 3.1 and 3.3", r"llama-?3\.[13]", "llama3_json", None, _vllm("llama3.1_json")),
    Family(
        "Llama 3.0",
        r"llama-?3(?![.\d])",
        note=_NO_MARK.format(mark="<|python_tag|>", parser="llama3_json"),
    ),
    Family("Llama 2", r"llama-?2|codellama|code-llama|vicuna|tinyllama", note=_UNTRAINED),
    Family("gpt-oss", r"gpt-?oss", "openai", "openai_gptoss"),
    Family("GLM OCR, ASR and others", r"glm-(ocr|asr)", note=NOT_CHAT),
    Family("GLM-4.5 and 4.6", r"glm-4\.[56]", "glm45", "glm45"),
    Family("GLM-4.7 and 5", r"glm-(4\.[789]|5)", "glm47", "glm47"),
    Family("GLM-4.1V and Glyph", r"glm-4\.1v|^glyph|glm-ga", None, "glm45", None, _UNTRAINED),
    Family(
        "GLM-4",
        r"glm-?4",
        note="vLLM has no parser for its tool calls; they come as text.",
    ),
    Family("Kimi K3", r"kimi-k3", "kimi_k3", "kimi_k3"),
    Family("Kimi K2", r"kimi-k2(\.\d|-thinking)", "kimi_k2", "kimi_k2"),
    Family("Kimi K2", r"kimi-k2", "kimi_k2"),
    Family("Kimi Linear", r"kimi-linear", "kimi_k2"),
    Family(
        "Granite function calling",
        r"granite-20b-functioncalling",
        note="vLLM's chat template for its tool calls refuses the system message that the chat "
        "page sends; without it they come as text.",
    ),
    Family("Granite 4.2", r"granite-4\.[2-9]", "granite4", "granite_thinking_parser"),
    Family("Granite 4", r"granite-4", "granite4"),
    Family("Granite 3.0", r"granite-3\.0", "granite", None, _vllm("granite")),
    Family("Granite 3", r"granite", "granite"),
    Family("DeepSeek OCR", r"deepseek-ocr", note=NOT_CHAT),
    Family("DeepSeek V4.1", r"deepseek-v4\.1", "deepseek_v41", "deepseek_v41"),
    Family("DeepSeek V4", r"deepseek-v4", "deepseek_v4", "deepseek_v4"),
    Family("DeepSeek V3.2", r"deepseek-v3\.2", "deepseek_v32", "deepseek_v3"),
    Family("DeepSeek V3.1", r"deepseek-v3\.1", "deepseek_v31", "deepseek_v3", _vllm("deepseekv31")),
    Family("DeepSeek R1", r"deepseek-r1", "deepseek_v3", "deepseek_r1", _vllm("deepseekr1")),
    Family("DeepSeek V3", r"deepseek-v3", "deepseek_v3", "deepseek_v3", _vllm("deepseekv3")),
    Family("DeepSeek V2 and older", r"deepseek", note=_UNTRAINED),
    Family("Phi-4 reasoning", r"phi-?4.*reasoning", note=_UNTRAINED),
    Family("Phi-4-mini", r"phi-?4-mini", "phi4_mini_json", None, _vllm("phi4_mini")),
    Family("Phi", r"(^|-)phi-?[1-4]", note=_UNTRAINED),
    Family("FunctionGemma", r"functiongemma", "functiongemma", None, _vllm("functiongemma")),
    Family("Gemma 4", r"gemma-?4", "gemma4", "gemma4", _vllm("gemma4")),
    Family("DiffusionGemma", r"diffusiongemma", "gemma4", "gemma4", _vllm("gemma4")),
    Family("TranslateGemma", r"translategemma", note=_UNTRAINED),
    Family("Gemma 3", r"gemma-?3|medgemma", "pythonic", None, _vllm("gemma3_pythonic")),
    Family("Gemma 1 and 2", r"(code)?gemma", note=_UNTRAINED),
    Family("Apertus", r"apertus", "apertus", None, _vllm("apertus")),
    Family("InternLM 2.5", r"internlm-?2", "internlm", None, _vllm("internlm2_tool")),
    Family("InternLM", r"internlm", "internlm"),
    Family("Intern-S2", r"intern-s2", "qwen3_coder", "qwen3"),
    Family("Intern-S1", r"intern-s1", "internlm", "deepseek_r1"),
    Family("InternVL", r"internvl", note=_UNTRAINED),
    Family("Seed-OSS", r"seed-?oss", "seed_oss", "seed_oss"),
    Family("MiniMax M3", r"minimax-m3", "minimax_m3", "minimax_m3"),
    Family("MiniMax M2", r"minimax-m2", "minimax_m2", "minimax_m2"),
    Family("MiniCPM5", r"minicpm-?5", "minicpm5"),
    Family("MiniCPM-V 4.6", r"minicpm-v-4\.6", "qwen3_coder"),
    Family("LFM2", r"lfm-?2.*(thinking|8b-a1b)", "lfm2", "qwen3"),
    Family("LFM2-VL", r"lfm-?2.*-vl", note=_UNTRAINED),
    Family("LFM2", r"lfm-?2", "lfm2"),
    Family("MiMo V2-Flash", r"mimo-v2-flash", "mimo", "qwen3"),
    Family("MiMo V2.5 and 2.6", r"mimo-v2", "mimo", "mimo"),
    Family("Hunyuan OCR", r"hunyuan-?ocr", note=NOT_CHAT),
    Family("Hunyuan A13B", r"hunyuan-a13b", "hunyuan_a13b", "hunyuan_a13b"),
    Family("Hy3", r"(^|-)hy3(-|$)", "hy_v3", "hy_v3"),
    Family("Hy4", r"(^|-)hy4(-|$)", "hy_v4", "hy_v4"),
    Family("Step 3.5 and 3.7", r"step-?3\.[57]", "step3p5", "step3p5"),
    Family("Step 3", r"(^|-)step-?3", "step3", "step3"),
    Family("Step 5", r"(^|-)step-?5-", "step5", "step5"),
    Family("Ling 3", r"(^|-)ling-3", "ling3", "ling3"),
    Family("Ling and Ring", r"(^|-)(ling|ring)-(mini|flash|lite|plus|[12])", note=_UNTRAINED),
    Family("K2-Horizon and Jais 3", r"k2-horizon|jais-3", "k2_horizon", "k2_horizon"),
    Family("Laguna", r"laguna-", "poolside_v1", "poolside_v1"),
    Family("Inkling", r"inkling", "inkling", "inkling"),
    Family("Muse-Glimmer", r"muse-glimmer", "muse_glimmer", "muse_glimmer"),
    Family("Muse-Spark", r"muse-spark", "muse", "muse"),
    Family("Beam", r"(^|-)beam-1", "beam", "beam"),
    Family("Nemotron 3", r"nemotron-3", "qwen3_coder", "nemotron_v3"),
    Family(
        "Nemotron Nano 2",
        r"nemotron-nano-(9b|12b)-v2",
        note=_NO_PLUGIN_PARSER.format(assumed=DEFAULT_TOOL_PARSER),
    ),
    Family("PLaMo 3", r"plamo-?3", "plamo3", "plamo3"),
    Family("dots3", r"(^|-)dots3", "dots", "qwen3"),
    Family("Mellum 2", r"mellum2.*thinking", "hermes", "qwen3"),
    Family("Mellum 2", r"mellum2", "hermes"),
    Family("Trinity Large Thinking", r"trinity-large-thinking", "qwen3_coder", "deepseek_r1"),
    Family("Param2", r"param2", "hermes", "qwen3"),
    Family("Macaron", r"macaron-v1", "glm47", "glm45"),
    Family("Flint", r"^flint", "glm47", "glm47"),
    Family("OLMo 3", r"olmo-?3.*think", "olmo3", "olmo3"),
    Family("OLMo 3", r"olmo-?3", "olmo3"),
    Family("OLMo 2", r"olmo-?2", note=_UNTRAINED),
    Family("GigaChat 3", r"gigachat-?3", "gigachat3"),
    Family("LongCat", r"longcat", "longcat"),
    Family("Jamba", r"jamba", "jamba"),
    Family("ERNIE 4.5", r"ernie-?4\.5.*thinking", "ernie45", "ernie45"),
    Family("ERNIE 4.5", r"ernie-?4\.5", note=_UNTRAINED),
    Family("Command A", r"command-a-plus", note=_COHERE.format(parser="cohere_command4")),
    Family("Command", r"command-(a|r)", note=_COHERE.format(parser="cohere_command3")),
)


@cache
def family_of(model_id: str) -> Family | None:
    """The family that a model's name belongs to; None: unknown."""
    name = plain(model_id)
    return next(
        (
            family
            for family in FAMILIES
            if may_match(family.pattern, name) and re.search(family.pattern, name)
        ),
        None,
    )


def templates() -> set[str]:
    """The chat templates of vLLM that a family needs."""
    named = {family.chat_template for family in FAMILIES if family.chat_template}
    return {name for name in named if name.startswith("tool_chat_template_")}
