"""Memory for weights and KV cache (0.32.0: v1/core/kv_cache_utils.py, v1/worker/).

Seen on a CPU, but for that of the start, from the source (v1/worker/cpu_worker.py).
"""

from __future__ import annotations

from archi.diagnosis.rules import rule

_MORE_MEMORY = "(cpu_kv_cache_gib on a CPU, more or larger GPUs otherwise)"
_LESS = (
    "lower archi:services.vllm.max_model_len, take a smaller or quantised model, or give it more "
    f"memory {_MORE_MEMORY}."
)

RULES = (
    rule(
        "kv-cache-memory",
        "To serve at least one request with the model's max seq len … the estimated maximum model "
        "length is {fits:int}",
        "The memory left for the KV cache can't hold one request of the full context length.",
        "set archi:services.vllm.max_model_len to at most {fits} (or auto), or give the KV cache "
        f"more memory {_MORE_MEMORY}.",
    ),
    rule(
        "kv-cache-memory",
        "Available memory on node … ({free:num}/{all:num} GiB) on kv cache allocation is less than "
        "requested memory for kv ({asked:num}",
        "The KV cache was to have {asked} GiB, and {free} of {all} GiB are free.",
        "lower archi:services.vllm.cpu_kv_cache_gib, or end what else takes memory.",
    ),
    rule(
        "cpu-memory-taken",
        "Available memory on node … ({free:num}/{all:num} GiB) on startup is less than desired CPU "
        "memory utilization",
        "vLLM wants a share of the machine's memory, and {free} of {all} GiB are free.",
        "set archi:services.vllm.cpu_kv_cache_gib to what the cache may have, or lower "
        "archi:services.vllm.gpu_memory_utilization, which counts on a CPU too.",
    ),
    rule(
        "kv-cache-memory",
        (
            "To serve at least one request with the model's max seq len",
            "No available memory for the cache blocks",
            "not enough memory for the KV cache",
        ),
        "No memory is left for the KV cache once the weights are loaded.",
        _LESS,
    ),
)
