"""What is known about a model from its id alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Family by name -> tool-call parser and chat template. Parsers: vLLM 0.32.0,
# vllm/tool_parsers/__init__.py; which parser a family needs: docs/features/tool_calling.md of the
# same release. The first row that matches wins, so the particular stands before the general.
_FAMILIES: tuple[tuple[str, str, str | None], ...] = (
    (r"smollm2", "hermes", "smollm2_hermes.jinja"),
    (r"hermes", "hermes", None),
    (r"qwen3-coder|qwen3\.\d", "qwen3_coder", None),
    (r"qwen|qwq", "hermes", None),
    (r"mistral|mixtral|ministral|magistral|devstral", "mistral", None),
    (r"llama-?4", "llama4_pythonic", None),
    (r"llama-?3", "llama3_json", None),
    (r"gpt-oss", "openai", None),
    (r"glm-4\.[56]", "glm45", None),
    (r"glm-(4\.7|5)", "glm47", None),
    (r"kimi-k2", "kimi_k2", None),
    (r"granite-4", "granite4", None),
    (r"granite", "granite", None),
    (r"deepseek-v3\.2", "deepseek_v32", None),
    (r"deepseek-v3\.1", "deepseek_v31", None),
    (r"deepseek-(v3|r1)", "deepseek_v3", None),
    (r"phi-?4-mini", "phi4_mini_json", None),
    (r"gemma-?4", "gemma4", None),
)

DEFAULT_TOOL_PARSER = "hermes"
"""What is taken where the family is unknown: the seed's default."""


@dataclass(frozen=True)
class ModelFacts:
    """What serving a model needs.

    Attributes:
        tool_parser: name for vLLM's ``--tool-call-parser``.
        chat_template: file of ours under ``images/templates`` for ``--chat-template``,
            or None where the model's own template already speaks the parser's format.
        reasoning_parser: name for vLLM's ``--reasoning-parser``, None where answers carry no
            reasoning.
        known: False where the family is unknown and the parser is an assumption.

    """

    tool_parser: str
    chat_template: str | None
    known: bool
    reasoning_parser: str | None = None


# Family by name -> reasoning parser, only where answers really carry a reasoning part: the parser
# of a model that never reasons would take its whole answer for reasoning. Names: vLLM 0.32.0,
# vllm/reasoning/__init__.py; families: docs/features/reasoning_outputs.md of the same release.
_REASONING: tuple[tuple[str, str | None], ...] = (
    (r"qwen3-coder|qwen3.*(instruct|embedding|reranker)", None),
    (r"qwen3", "qwen3"),
    (r"qwq", "deepseek_r1"),
    (r"deepseek-r1", "deepseek_r1"),
    (r"deepseek-v3", "deepseek_v3"),
    (r"gpt-oss", "openai_gptoss"),
    (r"glm-4\.[56]", "glm45"),
    (r"glm-(4\.7|5)", "glm47"),
    (r"magistral", "mistral"),
    (r"gemma-?4", "gemma4"),
)


def lookup(model_id: str) -> ModelFacts:
    """The facts for a Hugging Face model id, by its family; never fails."""
    name = model_id.split("/", 1)[-1].lower()
    reasoning = next((parser for pattern, parser in _REASONING if re.search(pattern, name)), None)
    for pattern, parser, template in _FAMILIES:
        if re.search(pattern, name):
            return ModelFacts(parser, template, known=True, reasoning_parser=reasoning)
    return ModelFacts(DEFAULT_TOOL_PARSER, None, known=False, reasoning_parser=reasoning)


# Attention heads by a model's name, from `num_attention_heads` of the config.json in its
# repository. The first row that matches wins.
_HEADS: tuple[tuple[str, int], ...] = (
    (r"^qwen2\.5-(coder-)?0\.5b", 14),
    (r"^qwen2\.5-(coder-|math-)?1\.5b", 12),
    (r"^qwen2\.5-(coder-)?3b", 16),
    (r"^qwen2\.5-(coder-|math-)?7b", 28),
    (r"^(qwen2\.5-(coder-)?(14|32)b|qwq-32b)", 40),
    (r"^qwen2\.5-(math-)?72b", 64),
    (r"^qwen3-(0\.6|1\.7)b", 16),
    (r"^qwen3-(4|8)b", 32),
    (r"^qwen3-14b", 40),
    (r"^qwen3-32b", 64),
    (r"^qwen3-(coder-)?30b-a3b", 32),
    (r"^qwen3-235b-a22b", 64),
    (r"^(meta-)?llama-3\.2-1b", 32),
    (r"^(meta-)?llama-3\.2-3b", 24),
    (r"^(meta-)?llama-3(\.1)?-8b", 32),
    (r"^(meta-)?llama-3(\.[13])?-70b", 64),
    (r"^mistral-7b", 32),
    (r"^mixtral-8x7b", 32),
    (r"^smollm2-135m", 9),
    (r"^smollm2-360m", 15),
    (r"^smollm2-1\.7b", 32),
)

_QUANTIZED = re.compile(r"-(awq|gptq|fp8|mxfp4|nvfp4)\b", re.IGNORECASE)


def attention_heads(model_id: str) -> int | None:
    """How many attention heads a model has, which tensor parallelism deals out; None: unknown."""
    name = model_id.split("/", 1)[-1].lower()
    return next((heads for pattern, heads in _HEADS if re.search(pattern, name)), None)


def quantization_of(model_id: str) -> str | None:
    """How a model's weights are quantised, as its name says: ``awq``, ``gptq``…; None: unsaid."""
    match = _QUANTIZED.search(model_id)
    return match[1].lower() if match else None
