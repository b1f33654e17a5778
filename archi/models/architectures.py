"""Architectures of well-known models, for when no config.json can be read.

Each number is one of the published config.json of the repository named in its row; parameters are
those of its safetensors headers, rounded to 10 million.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from archi.models.facts import Shape
from archi.models.names import canonical, may_match

_HALF_WINDOW = 2  # every second layer looks back a window


@dataclass(frozen=True)
class Architecture:
    """A shape with what else stands in the table.

    Attributes:
        pattern: of the canonical name (:func:`archi.models.names.canonical`), from its beginning or
            from a ``-`` on.
        parameters: how many, experts included.
        context_length: tokens, ``max_position_embeddings``.
        shape: the numbers.

    """

    pattern: str
    parameters: int
    context_length: int
    shape: Shape


def _row(
    repo: str,
    pattern: str,
    billions: float,
    context: int,
    numbers: tuple[int, int, int, int, int, int],
    *,
    tied: bool = False,
    latent: int = 0,
    full_layers: int | None = None,
    window_layers: int = 0,
    window: int = 0,
) -> Architecture:
    layers, heads, kv_heads, head_dim, hidden, vocab = numbers
    shape = Shape(
        layers,
        heads,
        kv_heads,
        head_dim,
        hidden,
        vocab,
        tied,
        latent,
        full_layers,
        window_layers,
        window,
        f"config.json of {repo}",
    )
    return Architecture(pattern, round(billions * 1e9), context, shape)


# repo, pattern, billions of parameters, context,
# (layers, heads, kv_heads, head_dim, hidden, vocab). The first row that matches wins.
# fmt: off
_ROWS: tuple[Architecture, ...] = (
    _row("Qwen/Qwen2.5-7B-Instruct-1M", r"qwen2\.5-7b-instruct-1m", 7.62, 1_010_000,
         (28, 28, 4, 128, 3584, 152064)),
    _row("Qwen/Qwen2.5-14B-Instruct-1M", r"qwen2\.5-14b-instruct-1m", 14.77, 1_010_000,
         (48, 40, 8, 128, 5120, 152064)),
    _row("Qwen/Qwen2.5-0.5B-Instruct", r"qwen2\.5-(coder-)?0\.5b", 0.49, 32_768,
         (24, 14, 2, 64, 896, 151936), tied=True),
    _row("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", r"r1-distill-qwen-1\.5b", 1.78, 131_072,
         (28, 12, 2, 128, 1536, 151936)),
    _row("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", r"r1-distill-qwen-7b", 7.62, 131_072,
         (28, 28, 4, 128, 3584, 152064)),
    _row("deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", r"r1-distill-qwen-14b", 14.77, 131_072,
         (48, 40, 8, 128, 5120, 152064)),
    _row("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", r"r1-distill-qwen-32b", 32.76, 131_072,
         (64, 40, 8, 128, 5120, 152064)),
    _row("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", r"r1-distill-llama-8b", 8.03, 131_072,
         (32, 32, 8, 128, 4096, 128256)),
    _row("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", r"r1-distill-llama-70b", 70.55, 131_072,
         (80, 64, 8, 128, 8192, 128256)),
    _row("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", r"r1-0528-qwen3-8b", 8.19, 131_072,
         (36, 32, 8, 128, 4096, 151936)),
    _row("Qwen/Qwen2.5-Math-1.5B-Instruct", r"qwen2\.5-math-1\.5b", 1.54, 4_096,
         (28, 12, 2, 128, 1536, 151936), tied=True),
    _row("Qwen/Qwen2.5-Math-7B-Instruct", r"qwen2\.5-math-7b", 7.62, 4_096,
         (28, 28, 4, 128, 3584, 152064)),
    _row("Qwen/Qwen2.5-Math-72B-Instruct", r"qwen2\.5-math-72b", 72.71, 4_096,
         (80, 64, 8, 128, 8192, 152064)),
    _row("Qwen/Qwen2.5-1.5B-Instruct", r"qwen2\.5-(coder-)?1\.5b", 1.54, 32_768,
         (28, 12, 2, 128, 1536, 151936), tied=True),
    _row("Qwen/Qwen2.5-3B-Instruct", r"qwen2\.5-(coder-)?3b", 3.09, 32_768,
         (36, 16, 2, 128, 2048, 151936), tied=True),
    _row("Qwen/Qwen2.5-7B-Instruct", r"qwen2\.5-(coder-)?7b", 7.62, 32_768,
         (28, 28, 4, 128, 3584, 152064)),
    _row("Qwen/Qwen2.5-14B-Instruct", r"qwen2\.5-(coder-)?14b", 14.77, 32_768,
         (48, 40, 8, 128, 5120, 152064)),
    _row("Qwen/Qwen2.5-32B-Instruct", r"qwen2\.5-(coder-)?32b", 32.76, 32_768,
         (64, 40, 8, 128, 5120, 152064)),
    _row("Qwen/Qwen2.5-72B-Instruct", r"qwen2\.5-72b", 72.71, 32_768,
         (80, 64, 8, 128, 8192, 152064)),
    _row("Qwen/Qwen2.5-VL-7B-Instruct", r"qwen2\.5-vl-7b", 8.29, 128_000,
         (28, 28, 4, 128, 3584, 152064)),
    _row("Qwen/Qwen2.5-VL-72B-Instruct", r"qwen2\.5-vl-72b", 73.41, 128_000,
         (80, 64, 8, 128, 8192, 152064)),
    _row("Qwen/QwQ-32B", r"qwq-32b", 32.76, 40_960, (64, 40, 8, 128, 5120, 152064)),
    _row("Qwen/Qwen3-0.6B", r"qwen3-0\.6b", 0.6, 40_960,
         (28, 16, 8, 128, 1024, 151936), tied=True),
    _row("Qwen/Qwen3-1.7B", r"qwen3-1\.7b", 1.72, 40_960,
         (28, 16, 8, 128, 2048, 151936), tied=True),
    _row("Qwen/Qwen3-4B-Instruct-2507", r"qwen3-4b-(instruct|thinking)-2507", 4.02, 262_144,
         (36, 32, 8, 128, 2560, 151936), tied=True),
    _row("Qwen/Qwen3-4B", r"qwen3-4b", 4.02, 40_960, (36, 32, 8, 128, 2560, 151936), tied=True),
    _row("Qwen/Qwen3-8B", r"qwen3-8b", 8.19, 40_960, (36, 32, 8, 128, 4096, 151936)),
    _row("Qwen/Qwen3-14B", r"qwen3-14b", 14.77, 40_960, (40, 40, 8, 128, 5120, 151936)),
    _row("Qwen/Qwen3-32B", r"qwen3-32b", 32.76, 40_960, (64, 64, 8, 128, 5120, 151936)),
    _row("Qwen/Qwen3-30B-A3B-Instruct-2507",
         r"qwen3-(coder-30b-a3b|30b-a3b-(instruct|thinking)-2507)", 30.53, 262_144,
         (48, 32, 4, 128, 2048, 151936)),
    _row("Qwen/Qwen3-30B-A3B", r"qwen3-30b-a3b", 30.53, 40_960, (48, 32, 4, 128, 2048, 151936)),
    _row("Qwen/Qwen3-235B-A22B-Instruct-2507", r"qwen3-235b-a22b-(instruct|thinking)-2507",
         235.09, 262_144, (94, 64, 4, 128, 4096, 151936)),
    _row("Qwen/Qwen3-235B-A22B", r"qwen3-235b-a22b", 235.09, 40_960,
         (94, 64, 4, 128, 4096, 151936)),
    _row("Qwen/Qwen3-Coder-480B-A35B-Instruct", r"qwen3-coder-480b-a35b", 480.15, 262_144,
         (62, 96, 8, 128, 6144, 151936)),
    _row("Qwen/Qwen3-Next-80B-A3B-Instruct", r"qwen3-next-80b-a3b", 81.32, 262_144,
         (48, 16, 2, 256, 2048, 151936), full_layers=12),
    _row("meta-llama/Llama-3.2-1B-Instruct", r"llama-3\.2-1b", 1.24, 131_072,
         (16, 32, 8, 64, 2048, 128256), tied=True),
    _row("meta-llama/Llama-3.2-3B-Instruct", r"llama-3\.2-3b", 3.21, 131_072,
         (28, 24, 8, 128, 3072, 128256), tied=True),
    _row("meta-llama/Llama-3.1-8B-Instruct", r"llama-?3\.1-8b|hermes-3-llama-3\.1-8b", 8.03,
         131_072, (32, 32, 8, 128, 4096, 128256)),
    _row("meta-llama/Llama-3.3-70B-Instruct", r"llama-?3\.[13]-70b|hermes-4-70b", 70.55, 131_072,
         (80, 64, 8, 128, 8192, 128256)),
    _row("meta-llama/Llama-3.1-405B-Instruct", r"llama-?3\.1-405b|hermes-4-405b", 405.85, 131_072,
         (126, 128, 8, 128, 16384, 128256)),
    _row("meta-llama/Meta-Llama-3-8B-Instruct", r"llama-?3-8b", 8.03, 8_192,
         (32, 32, 8, 128, 4096, 128256)),
    _row("meta-llama/Meta-Llama-3-70B-Instruct", r"llama-?3-70b", 70.55, 8_192,
         (80, 64, 8, 128, 8192, 128256)),
    _row("meta-llama/Llama-2-7b-chat-hf", r"llama-?2-7b", 6.74, 4_096,
         (32, 32, 32, 128, 4096, 32000)),
    _row("meta-llama/Llama-2-13b-chat-hf", r"llama-?2-13b", 13.02, 4_096,
         (40, 40, 40, 128, 5120, 32000)),
    _row("meta-llama/Llama-2-70b-chat-hf", r"llama-?2-70b", 68.98, 4_096,
         (80, 64, 8, 128, 8192, 32000)),
    _row("TinyLlama/TinyLlama-1.1B-Chat-v1.0", r"tinyllama-1\.1b", 1.1, 2_048,
         (22, 32, 4, 64, 2048, 32000)),
    _row("mistralai/Mistral-7B-Instruct-v0.3", r"mistral-7b", 7.25, 32_768,
         (32, 32, 8, 128, 4096, 32768)),
    _row("mistralai/Mixtral-8x7B-Instruct-v0.1", r"mixtral-8x7b", 46.7, 32_768,
         (32, 32, 8, 128, 4096, 32000)),
    _row("mistralai/Mixtral-8x22B-Instruct-v0.1", r"mixtral-8x22b", 140.63, 65_536,
         (56, 48, 8, 128, 6144, 32768)),
    _row("mistralai/Mistral-Nemo-Instruct-2407", r"mistral-nemo", 12.25, 131_072,
         (40, 32, 8, 128, 5120, 131072)),
    _row("mistralai/Mistral-Small-Instruct-2409", r"mistral-small(-instruct)?-2409", 22.25, 32_768,
         (56, 48, 8, 128, 6144, 32768)),
    _row("mistralai/Mistral-Small-24B-Instruct-2501", r"mistral-small-24b", 23.57, 32_768,
         (40, 32, 8, 128, 5120, 131072)),
    _row("mistralai/Mistral-Small-3.2-24B-Instruct-2506",
         r"mistral-small-3\.[12]-24b", 24.01, 131_072,
         (40, 32, 8, 128, 5120, 131072)),
    _row("mistralai/Mistral-Large-Instruct-2407", r"mistral-large(-instruct)?-24(07|11)", 122.61,
         131_072, (88, 96, 8, 128, 12288, 32768)),
    _row("HuggingFaceTB/SmolLM2-135M-Instruct", r"smollm2-135m", 0.135, 8_192,
         (30, 9, 3, 64, 576, 49152), tied=True),
    _row("HuggingFaceTB/SmolLM2-360M-Instruct", r"smollm2-360m", 0.36, 8_192,
         (32, 15, 5, 64, 960, 49152), tied=True),
    _row("HuggingFaceTB/SmolLM2-1.7B-Instruct", r"smollm2-1\.7b", 1.71, 8_192,
         (24, 32, 32, 64, 2048, 49152), tied=True),
    _row("HuggingFaceTB/SmolLM3-3B", r"smollm3-3b", 3.08, 65_536,
         (36, 16, 4, 128, 2048, 128256), tied=True),
    _row("microsoft/Phi-4-mini-instruct", r"phi-4-mini", 3.84, 131_072,
         (32, 24, 8, 128, 3072, 200064), tied=True),
    _row("microsoft/Phi-4-reasoning", r"phi-4-reasoning", 14.66, 32_768,
         (40, 40, 10, 128, 5120, 100352)),
    _row("microsoft/phi-4", r"phi-4(?!-m)", 14.66, 16_384, (40, 40, 10, 128, 5120, 100352)),
    _row("microsoft/Phi-3.5-mini-instruct", r"phi-3(\.5)?-mini", 3.82, 131_072,
         (32, 32, 32, 96, 3072, 32064)),
    _row("google/gemma-2-2b-it", r"gemma-2-2b", 2.61, 8_192, (26, 8, 4, 256, 2304, 256000),
         tied=True, window_layers=26 // _HALF_WINDOW, window=4096),
    _row("google/gemma-2-9b-it", r"gemma-2-9b", 9.24, 8_192, (42, 16, 8, 256, 3584, 256000),
         tied=True, window_layers=42 // _HALF_WINDOW, window=4096),
    _row("google/gemma-2-27b-it", r"gemma-2-27b", 27.23, 8_192, (46, 32, 16, 128, 4608, 256000),
         tied=True, window_layers=46 // _HALF_WINDOW, window=4096),
    _row("google/gemma-3-1b-it", r"gemma-3-1b", 1.0, 32_768, (26, 4, 1, 256, 1152, 262144),
         tied=True, window_layers=22, window=512),
    _row("google/gemma-3-4b-it", r"gemma-3-4b", 4.3, 131_072, (34, 8, 4, 256, 2560, 262208),
         tied=True, window_layers=29, window=1024),
    _row("google/gemma-3-12b-it", r"gemma-3-12b", 12.19, 131_072, (48, 16, 8, 256, 3840, 262208),
         tied=True, window_layers=40, window=1024),
    _row("google/gemma-3-27b-it", r"gemma-3-27b", 27.43, 131_072, (62, 32, 16, 128, 5376, 262208),
         tied=True, window_layers=52, window=1024),
    _row("openai/gpt-oss-20b", r"gpt-oss-20b", 20.91, 131_072, (24, 64, 8, 64, 2880, 201088),
         window_layers=24 // _HALF_WINDOW, window=128),
    _row("openai/gpt-oss-120b", r"gpt-oss-120b", 116.83, 131_072, (36, 64, 8, 64, 2880, 201088),
         window_layers=36 // _HALF_WINDOW, window=128),
    _row("deepseek-ai/DeepSeek-V3", r"deepseek-(v3(\.1)?|r1)(?![.\d])(?!.*(qwen|llama))", 684.53,
         163_840, (61, 128, 128, 128, 7168, 129280), latent=576),
    _row("deepseek-ai/DeepSeek-V2-Lite-Chat", r"deepseek-(coder-)?v2-lite", 15.71, 163_840,
         (27, 16, 16, 128, 2048, 102400), latent=576),
    _row("moonshotai/Kimi-K2-Instruct-0905", r"kimi-k2-(instruct-0905|thinking)", 1026.47, 262_144,
         (61, 64, 64, 128, 7168, 163840), latent=576),
    _row("moonshotai/Kimi-K2-Instruct", r"kimi-k2-instruct", 1026.47, 131_072,
         (61, 64, 64, 128, 7168, 163840), latent=576),
    _row("zai-org/GLM-4.5-Air", r"glm-4\.5-air", 110.47, 131_072, (46, 96, 8, 128, 4096, 151552)),
    _row("zai-org/GLM-4.5", r"glm-4\.5(?!v|-)", 358.34, 131_072, (92, 96, 8, 128, 5120, 151552)),
    _row("zai-org/GLM-4.6", r"glm-4\.6(?!v|-)", 356.79, 202_752, (92, 96, 8, 128, 5120, 151552)),
    _row("MiniMaxAI/MiniMax-M2", r"minimax-m2(?![.\d])", 228.7, 196_608,
         (62, 48, 8, 128, 3072, 200064)),
    _row("ByteDance-Seed/Seed-OSS-36B-Instruct", r"seed-oss-36b", 36.15, 524_288,
         (64, 80, 8, 128, 5120, 155136)),
    _row("ibm-granite/granite-3.1-8b-instruct", r"granite-3\.[123]-8b", 8.17, 131_072,
         (40, 32, 8, 128, 4096, 49155), tied=True),
    _row("ibm-granite/granite-3.1-2b-instruct", r"granite-3\.[123]-2b", 2.53, 131_072,
         (40, 32, 8, 64, 2048, 49155), tied=True),
    _row("internlm/internlm2_5-7b-chat", r"internlm2\.5-7b", 7.74, 32_768,
         (32, 32, 8, 128, 4096, 92544)),
    _row("allenai/OLMo-2-1124-7B-Instruct", r"olmo-2-1124-7b", 7.3, 4_096,
         (32, 32, 32, 128, 4096, 100352)),
)
# fmt: on


@cache
def architecture_of(model_id: str) -> Architecture | None:
    """The architecture of a model by its name; None where the table has none."""
    name = re.sub(
        r"^(qwen|llama|gemma|phi|mistral|deepseek)-?(?=\d)", _spelled, canonical(model_id)
    )
    return next(
        (
            row
            for row in _ROWS
            if may_match(row.pattern, name)
            and re.search(rf"(?:^|-)(?:{row.pattern})(?![a-z0-9])", name)
        ),
        None,
    )


def _spelled(match: re.Match[str]) -> str:
    """``qwen-2.5`` as ``qwen2.5``, ``llama3.1`` as ``llama-3.1``: as the rows spell it."""
    return "qwen" if match[1] == "qwen" else f"{match[1]}-"
