"""What is handed on to vLLM as it is: further arguments and environment variables."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from archi.settings.checks import Unshown
from archi.settings.secrets import SECRET_NAME
from archi.settings.types import VariableName

_TYPED_ARGUMENTS = {
    "--model": "model",
    "--revision": "revision",
    "--tokenizer-revision": "revision",
    "--served-model-name": "served_model_name",
    "--tool-call-parser": "tool_parser",
    "--reasoning-parser": "reasoning_parser",
    "--chat-template": "chat_template",
    "--max-model-len": "max_model_len",
    "--gpu-memory-utilization": "gpu_memory_utilization",
    "--tensor-parallel-size": "tensor_parallel_size",
    "-tp": "tensor_parallel_size",
    "--pipeline-parallel-size": "pipeline_parallel_size",
    "-pp": "pipeline_parallel_size",
    "--dtype": "dtype",
    "--quantization": "quantization",
    "-q": "quantization",
    "--kv-cache-dtype": "kv_cache_dtype",
    "--max-num-seqs": "max_num_seqs",
    "--enforce-eager": "enforce_eager",
    "--enable-prefix-caching": "enable_prefix_caching",
    "--seed": "seed",
    "--port": "port",
}
_OWN_ARGUMENTS = {
    "--host": "archi binds it to the deployment's network, or to loopback in host mode",
    "--config": "archi puts the API key there",
    "--enable-auto-tool-choice": "tool calls are always on",
    "--shutdown-timeout": "it goes with the container's stop grace, which archi sets",
    "--uds": "the health check and the chat application ask by TCP",
    "--ssl-keyfile": "the health check and the chat application speak plain HTTP with it",
    "--ssl-certfile": "the health check and the chat application speak plain HTTP with it",
}


def parse_engine_arguments(value: Any) -> Any:  # noqa: ANN401 - whatever the stack file holds
    """Arguments of ``vllm serve`` as a list of words.

    Raises:
        ValueError: a string, a word that no command line can hold, or what is said elsewhere.

    """
    if isinstance(value, str):
        words = ", ".join(value.split()[:8])
        raise ValueError(f"a list is wanted, a word an element, such as [{words}]"[:200])
    if not isinstance(value, (list, tuple)):
        raise ValueError("a list is wanted, such as [--max-num-batched-tokens, 8192]")
    given = [
        str(word) if isinstance(word, (int, float)) and not isinstance(word, bool) else word
        for word in value
    ]
    for position, word in enumerate(given):
        if not isinstance(word, str):
            raise ValueError("each element is a word; put it in quotes")
        if "\x00" in word or not word or not word.isprintable():
            raise ValueError("each element is a word of printable characters")
        if position == 0 and not word.startswith("-"):
            raise ValueError(f"{word[:40]!r} is no option; options begin with '--'")
        _refuse_argument(word)
    return tuple(given)


def _refuse_argument(word: str) -> None:
    flag = word.split("=", 1)[0].split(".", 1)[0].replace("_", "-")
    flag = re.sub(r"^--no-", "--", flag)
    if flag == "--api-key":
        raise Unshown(
            "a key on a command line shows to everyone; set the secret archi:vllm_api_key"
        )
    if flag in _TYPED_ARGUMENTS:
        raise ValueError(
            f"{flag} has a key of its own; write it as archi:services.vllm.{_TYPED_ARGUMENTS[flag]}"
        )
    if flag in _OWN_ARGUMENTS:
        raise ValueError(f"{flag} is not yours to set: {_OWN_ARGUMENTS[flag]}; leave it out")


EngineArguments = Annotated[tuple[str, ...], BeforeValidator(parse_engine_arguments)]

_OWN_VARIABLES = {
    "HF_HUB_OFFLINE": "vllm-server never asks a hub; see archi:services.vllm.offline",
    "VLLM_CACHE_ROOT": "the compile cache lies on a volume there",
    "VLLM_CPU_KVCACHE_SPACE": "write it as archi:services.vllm.cpu_kv_cache_gib",
    "VLLM_NO_USAGE_STATS": "nothing leaves the machine",
    "NVIDIA_VISIBLE_DEVICES": "archi:gpu_ids says which GPUs",
    "CUDA_VISIBLE_DEVICES": "archi:gpu_ids says which GPUs",
}


def parse_environment(value: dict[str, str]) -> dict[str, str]:
    """Environment variables that hold no secret and none of archi's own."""
    for name, text in value.items():
        if name in _OWN_VARIABLES:
            raise ValueError(f"{name} is not yours to set: {_OWN_VARIABLES[name]}")
        if SECRET_NAME.search(name):
            raise Unshown(
                f"{name} looks like a secret, and the environment of a container shows to whoever "
                "may ask Docker; vLLM's key is archi:vllm_api_key, the hub's token archi:hf_token"
            )
        if "\x00" in text:
            raise ValueError(f"the value of {name} has a NUL character in it")
    return value


Environment = Annotated[dict[VariableName, str], AfterValidator(parse_environment)]
