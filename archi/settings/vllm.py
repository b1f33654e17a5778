"""``services.vllm``: the model server, here or elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from archi.settings.addresses import BaseUrl
from archi.settings.arguments import EngineArguments, Environment
from archi.settings.base import Section
from archi.settings.path_types import AbsoluteFolder, ChatTemplate
from archi.settings.types import (
    ContextLength,
    Duration,
    ImageReference,
    Memory,
    ModelId,
    Port,
    Revision,
    ServedName,
    UlimitName,
    parse_ulimit,
)


class Ulimit(Section):
    """One limit of ``ulimits``; -1 is unlimited."""

    soft: int = Field(ge=-1, description="What a process begins with.")
    hard: int = Field(ge=-1, description="What it may raise that to.")


class VllmSettings(Section):
    """``services.vllm``: the model server."""

    model: ModelId | None = Field(
        None,
        description="Hugging Face id of the model to serve; unset: the one that the pipelines "
        "name, else `Qwen/Qwen2.5-7B-Instruct-1M`.",
        examples=["Qwen/Qwen3-8B"],
    )
    revision: Revision = Field(
        "main",
        description="Branch, tag or commit of the model's repository.",
        examples=["b968826d9c46dd6066d109eabc6255188de91218"],
    )
    weights: AbsoluteFolder | None = Field(
        None,
        description="Folder on the Docker host that holds the weights; nothing is downloaded.",
        examples=["/data/models/qwen3-8b"],
    )
    offline: bool = Field(
        False,
        description="Never ask a model hub: the weights must already be in the volume.",
        examples=[True],
    )
    served_model_name: ServedName | None = Field(
        None,
        description="The name by which clients ask for the model; unset: its id.",
        examples=["assistant"],
    )
    tool_parser: str | None = Field(
        None,
        description="Parser for tool calls (`--tool-call-parser`); unset: what the model's family "
        "needs, `hermes` where that is unknown.",
        examples=["hermes"],
    )
    reasoning_parser: str | None = Field(
        None,
        description="Parser for reasoning (`--reasoning-parser`); unset: what the model's family "
        "needs, if anything.",
        examples=["qwen3"],
    )
    chat_template: ChatTemplate | None = Field(
        None,
        description="A Jinja file, relative to the project, instead of the model's own template.",
        examples=["images/templates/smollm2_hermes.jinja"],
    )
    max_model_len: ContextLength = Field(
        "auto",
        description="Context length in tokens; `auto`: the longest that memory allows.",
        examples=[16384],
    )
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None,
        description="Share of each GPU's memory that vLLM takes; unset: vLLM's own, 0.92.",
        examples=[0.9],
    )
    tensor_parallel_size: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="GPUs that share each layer; unset: the number of ids in `gpu_ids`, by "
        "`pipeline_parallel_size`; with `all` it is 1.",
        examples=[2],
    )
    pipeline_parallel_size: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Groups of GPUs that hold the layers one after another.",
        examples=[2],
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto",
        description="Number format of weights and activations; `auto`: the model's own.",
        examples=["bfloat16"],
    )
    quantization: str | None = Field(
        None,
        description="How the weights are quantised; unset: what the model itself says.",
        examples=["fp8"],
    )
    kv_cache_dtype: str = Field(
        "auto", description="Number format of the KV cache.", examples=["fp8"]
    )
    max_num_seqs: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Requests that are worked on at once; unset: vLLM's own.",
        examples=[64],
    )
    enforce_eager: bool = Field(
        False, description="Skip compilation: faster start, slower answers.", examples=[True]
    )
    enable_prefix_caching: bool | None = Field(
        None,
        description="Reuse the KV cache of prompts that begin alike; unset: vLLM's own, on.",
        examples=[False],
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        None, description="Seed of the sampling.", examples=[0]
    )
    cpu_kv_cache_gib: Annotated[int, Field(ge=1, le=4096)] = Field(
        4,
        description="Memory for the KV cache on a CPU, in GiB (`VLLM_CPU_KVCACHE_SPACE`).",
        examples=[8],
    )
    engine_args: EngineArguments = Field(
        (),
        description="Any other argument of `vllm serve`, a list element each.",
        examples=[["--max-num-batched-tokens", "8192"]],
    )
    environment: Environment = Field(
        default_factory=dict,
        description="Further environment variables of the container; no secrets.",
        examples=[{"VLLM_LOGGING_LEVEL": "DEBUG"}],
    )
    check_fit: bool = Field(
        True,
        description="Refuse a model that can't fit in the memory of its GPUs, before anything is "
        "downloaded.",
        examples=[False],
    )
    base_url: BaseUrl | None = Field(
        None,
        description="A vLLM that runs elsewhere; then none is deployed here.",
        examples=["http://gpu1.example.org:8000/v1"],
    )
    api_key_required: bool = Field(
        False,
        description="Guard vLLM with a key; one is made and kept where `archi:vllm_api_key` sets "
        "none.",
        examples=[True],
    )
    image: ImageReference | None = Field(
        None,
        description="An image of your own, with vLLM in it.",
        examples=["vllm/vllm-openai:v0.32.0"],
    )
    port: Port = Field(
        8000,
        description="Port on the host's loopback address.",
        examples=[8001],
    )
    publish: bool | None = Field(
        None,
        description="Whether the port is published on the host; unset: yes, on loopback. In host "
        "mode nothing is published.",
        examples=[False],
    )
    memory: Memory | None = Field(
        None, description="Memory limit of the container; unset: none.", examples=["32g"]
    )
    shm_size: Memory | None = Field(
        None,
        description="Shared memory of the container's own; unset: the host's (`ipc: host`).",
        examples=["2g"],
    )
    ulimits: dict[UlimitName, Annotated[Ulimit, BeforeValidator(parse_ulimit)]] = Field(
        default_factory=dict,
        description="Limits of the container by name: one number, or `soft` and `hard`; -1 is "
        "unlimited.",
        examples=[{"memlock": -1}],
    )
    start_timeout: Duration = Field(
        1800,
        description="How long a start may take before it counts as failed.",
        examples=["1h"],
    )
