"""The settings of one deployment, and what follows from them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from archi.models import lookup
from archi.settings import chat_rules, rules
from archi.settings.addresses import HubUrl
from archi.settings.base import Section
from archi.settings.secrets import ApiKey, ClientSecret, Password, SessionKey, TlsKey
from archi.settings.services import Services
from archi.settings.types import (
    VLLM,
    DeploymentName,
    GpuIds,
    ImageReference,
    ModelReference,
    NamedModel,
    RegistryName,
    ServiceName,
    VariableName,
)

SEED_DEFAULT_MODEL = "Qwen/Qwen2.5-7B-Instruct-1M"


class PipelineModels(Section):
    """The models that one agent names: any key, ``vllm/<Hugging Face id>`` or a provider's."""

    required: dict[str, NamedModel] = Field(
        default_factory=dict, description="What the agent can't do without."
    )
    optional: dict[str, NamedModel] = Field(
        default_factory=dict, description="What it uses where it is there."
    )


class Pipeline(Section):
    """One agent of ``pipeline_map``."""

    models: PipelineModels = Field(PipelineModels(), description="The models that it names.")


class Settings(Section):
    """Everything that may be said about one deployment, checked.

    ``name`` is the stack's name; all other fields are keys of the stack file under ``archi:``.
    """

    name: DeploymentName
    source: Literal["registry", "packages"] = Field(
        "registry",
        description="Where images and weights come from: `registry`, the public registry and model "
        "hub; `packages`, package indices alone (SmolLM2 on the CPU only).",
        examples=["packages"],
    )
    deploy: Annotated[tuple[ServiceName, ...], Field(min_length=1)] | None = Field(
        None,
        description="Which services: `chatbot`, `vllm-server`, `postgres`; unset: chat application "
        "and model server. The database comes with the chat application where that needs it.",
        examples=[["chatbot", "vllm-server"]],
    )
    pipeline_map: dict[str, Pipeline] = Field(
        default_factory=dict,
        description="The agents and the models that they name, each as `vllm/<Hugging Face id>`, "
        "`openai/<model>`, or with another of `services.chatbot.providers`.",
        examples=[
            {"CMSCompOpsAgent": {"models": {"required": {"agent_model": "vllm/Qwen/Qwen3-8B"}}}}
        ],
    )
    services: Services = Field(Services(), description="How each service is deployed.")
    gpu_ids: GpuIds = Field(
        GpuIds(("all",)),
        description="GPUs for vllm-server, and for nothing else: `all`, `none`, indices such as "
        "`0,1`, or UUIDs as `nvidia-smi -L` prints them.",
        examples=["0,1"],
    )
    gpu_driver: Literal["nvidia", "cdi"] = Field(
        "nvidia",
        description="How Docker hands over GPUs: `nvidia`, by NVIDIA's runtime hook; `cdi`, by the "
        "Container Device Interface (Docker 28 or newer).",
        examples=["cdi"],
    )
    host_mode: bool = Field(
        False,
        description="All services on the host's own network, bound to loopback; nothing is "
        "published.",
        examples=[True],
    )
    hf_endpoint: HubUrl | None = Field(
        None,
        description="A model hub of your own instead of Hugging Face's.",
        examples=["https://hub.example.org"],
    )
    registry_mirror: RegistryName | None = Field(
        None,
        description="A registry that the public images are pulled from instead.",
        examples=["mirror.example.org:5000"],
    )
    base_image: ImageReference | None = Field(
        None,
        description="The Debian 12 image that our own images are built on, instead of Docker's.",
        examples=["mirror.example.org:5000/debian:bookworm-slim"],
    )
    hf_token: SecretStr | None = Field(
        None, description="Token for gated models.", examples=["hf_…"]
    )
    vllm_api_key: ApiKey | None = Field(
        None,
        description="vLLM's API key, of the one deployed here or of the one elsewhere.",
        examples=["a long random text"],
    )
    postgres_password: Password | None = Field(
        None,
        description="The database's password; unset: one is made and kept.",
        examples=["a long random text"],
    )
    session_key: SessionKey | None = Field(
        None,
        description="Key that signs cookies, at least 32 characters; unset: one is made and kept.",
        examples=["a long random text"],
    )
    oidc_client_secret: ClientSecret | None = Field(
        None,
        description="What the OpenID Connect provider knows this application by: "
        "`services.chatbot.auth.oidc`.",
        examples=["a long random text"],
    )
    tls_key: TlsKey | None = Field(
        None,
        description="Private key of `services.chatbot.tls_certificate`, in PEM form, without a "
        "passphrase.",
        examples=["a PEM file's text"],
    )
    metrics_token: ApiKey | None = Field(
        None,
        description="Who sends it may read `/metrics`, with `services.chatbot.metrics: token`; "
        "unset: one is made and kept.",
        examples=["a long random text"],
    )
    env_secrets: dict[VariableName, SecretStr] = Field(
        default_factory=dict,
        description="Further secrets for the chat application, each a file "
        "`/run/archi/secrets/<name>`.",
        examples=[{"SEARCH_TOKEN": "a token"}],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        every = (*rules.RULES, *chat_rules.RULES)
        if problems := [problem for rule in every for problem in rule(self)]:
            raise rules.Inconsistent(problems)
        return self

    @property
    def references(self) -> dict[str, ModelReference]:
        """Place below ``pipeline_map`` to the model that is named there, with its provider."""
        return {
            f"{agent}.models.{kind}.{name}": model
            for agent, pipeline in self.pipeline_map.items()
            for kind in ("required", "optional")
            for name, model in getattr(pipeline.models, kind).items()
        }

    @property
    def named_models(self) -> dict[str, str]:
        """Place below ``pipeline_map`` to the model of vLLM that is named there."""
        return {
            place: reference.model
            for place, reference in self.references.items()
            if reference.provider == VLLM
        }

    @property
    def missing_secrets(self) -> tuple[chat_rules.MissingSecret, ...]:
        """Secrets that the other settings speak of and that are not set."""
        return tuple(chat_rules.missing_secrets(self))

    @property
    def warnings(self) -> list[str]:
        """What can be meant, but most likely is not."""
        every = (*rules.WARNINGS, *chat_rules.WARNINGS)
        return [warning for rule in every for warning in rule(self)]

    @property
    def model(self) -> str:
        """The model served: the one set, else the one that the pipelines name, else the seed's."""
        if self.services.vllm.model is not None:
            return self.services.vllm.model
        return next(iter(self.named_models.values()), SEED_DEFAULT_MODEL)

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
