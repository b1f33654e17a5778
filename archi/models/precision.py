"""Number formats of weights: how large they are, what reads them, on which GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from archi.vllm_registry import MIN_CAPABILITIES, VLLM_VERSION

NO_PLUGIN = (
    f"vLLM {VLLM_VERSION} reads it only with the plugin {{plugin}}, which its images lack. Mend: "
    "take the original weights or an AWQ, GPTQ or FP8 variant, or name an image that has the "
    "plugin in services.vllm.image."
)


@dataclass(frozen=True)
class Precision:
    """One number format.

    Attributes:
        name: as it stands in reports.
        bits: per quantised weight, scales and zero points included; None where it differs from
            file to file.
        words: for people.
        capability: lowest compute capability on which vLLM loads it; None: any.
        methods: values of ``--quantization`` under which vLLM reads it.
        unreadable: why the pinned vLLM can't read it, with the mend; None where it can.

    """

    name: str
    bits: float | None
    words: str
    capability: float | None = None
    methods: frozenset[str] = frozenset()
    unreadable: str | None = None

    @property
    def quantised(self) -> bool:
        """Whether embeddings and output layer are kept in 16 bits beside it."""
        return self.bits is not None and self.bits < 16


def _methods(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _capability(method: str) -> float:
    """As the method's own class says it: 75 there is 7.5 here."""
    return MIN_CAPABILITIES[method] / 10


# Bits: the format's own plus its scales: one fp16 scale and a 4-bit zero point per 128 weights
# (AWQ, GPTQ), one fp16 scale per 32 (INT4), one fp8 scale per 16 (NVFP4), one 8-bit scale per 32
# (MX formats). Capabilities of compressed-tensors' schemes: get_min_capability of schemes/*.py,
# vLLM 0.32.0.
_ROWS = (
    Precision("fp32", 32, "32 bits"),
    Precision("bf16", 16, "bf16", 8.0),
    Precision("fp16", 16, "fp16"),
    Precision(
        "fp8",
        8.1,
        "FP8",
        _capability("fp8"),
        _methods(
            "fp8 fbgemm_fp8 compressed-tensors modelopt modelopt_mixed quark deepseek_v4_fp8 inc "
            "humming"
        ),
    ),
    Precision(
        "mxfp8",
        8.25,
        "MXFP8",
        7.5,
        _methods("mxfp8 modelopt_mxfp8 compressed-tensors quark inc humming"),
    ),
    Precision(
        "int8",
        8.1,
        "INT8",
        7.5,
        _methods("compressed-tensors auto_gptq gptq gptq_marlin quark torchao inc humming"),
    ),
    Precision(
        "awq",
        4.16,
        "4 bits, AWQ",
        _capability("auto_awq"),
        _methods("awq auto_awq awq_marlin moe_wna16 compressed-tensors quark inc humming"),
    ),
    Precision(
        "gptq",
        4.16,
        "4 bits, GPTQ",
        _capability("auto_gptq"),
        _methods("gptq auto_gptq gptq_marlin moe_wna16 compressed-tensors inc humming"),
    ),
    Precision(
        "int4",
        4.5,
        "4 bits",
        7.5,
        _methods("compressed-tensors inc quark torchao auto_gptq gptq gptq_marlin moe_wna16"),
    ),
    Precision(
        "nvfp4",
        4.5,
        "NVFP4",
        _capability("modelopt_fp4"),
        _methods("modelopt_fp4 modelopt_mixed modelopt compressed-tensors quark humming"),
    ),
    Precision(
        "mxfp4",
        4.25,
        "MXFP4",
        _capability("mxfp4"),
        _methods("mxfp4 gpt_oss_mxfp4 modelopt_mixed compressed-tensors quark inc humming"),
    ),
    Precision(
        "bnb", 4.5, "4 bits, bitsandbytes", unreadable=NO_PLUGIN.format(plugin="vllm-bnb-plugin")
    ),
    Precision("gguf", None, "GGUF", unreadable=NO_PLUGIN.format(plugin="vllm-gguf-plugin")),
    Precision(
        "mlx",
        None,
        "MLX",
        unreadable="It is for Apple's MLX; vLLM does not read it. Mend: take the original weights.",
    ),
    Precision(
        "exl",
        None,
        "EXL2/EXL3",
        unreadable="It is for ExLlama; vLLM does not read it. Mend: take the original weights, or "
        "an AWQ, GPTQ or FP8 variant.",
    ),
)

PRECISIONS: dict[str, Precision] = {row.name: row for row in _ROWS}

# What an image of one's own may have a plugin for.
NO_PLUGIN_FORMATS = frozenset({"bnb", "gguf"})

# `--quantization` that is done while loading 16-bit weights, and what comes of it.
ONLINE = {
    "fp8": "fp8",
    "fp8_per_tensor": "fp8",
    "fp8_per_block": "fp8",
    "fp8_per_channel": "fp8",
    "int8_per_channel_weight_only": "int8",
    "experts_int8": "int8",
    "mxfp8": "mxfp8",
    "nvfp4_per_token": "nvfp4",
}

_CACHE_BYTES = (("fp8", 1.0), ("int8", 1.0), ("nvfp4", 0.57), ("int4", 0.5), ("turboquant", 0.5))


def cache_bytes(kv_cache_dtype: str, dtype: str = "auto") -> float:
    """Bytes of one number in the KV cache; ``auto`` is the model's own 16 bits."""
    for start, size in _CACHE_BYTES:
        if kv_cache_dtype.startswith(start):
            return size
    return 4.0 if kv_cache_dtype == "auto" and dtype == "float32" else 2.0
