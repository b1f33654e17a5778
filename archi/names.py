"""What a deployment's things are called in Docker, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

LABEL_DEPLOYMENT = "archi.deployment"
LABEL_ROLE = "archi.role"
LABEL_SECRETS = "archi.secrets"
"""Differs when a secret does that the container reads only at its start."""

MODELS_VOLUME = "archi-models"
"""Weights of all deployments on a host; it belongs to none, so it bears no deployment label."""


@dataclass(frozen=True)
class Names:
    """Names in Docker of everything that the deployment ``deployment`` owns."""

    deployment: str

    @property
    def network(self) -> str:
        return f"archi-{self.deployment}"

    @property
    def vllm_server(self) -> str:
        return f"vllm-server-{self.deployment}"

    @property
    def chatbot(self) -> str:
        return f"chatbot-{self.deployment}"

    @property
    def postgres(self) -> str:
        return f"postgres-{self.deployment}"

    @property
    def postgres_volume(self) -> str:
        return f"archi-{self.deployment}-postgres"

    @property
    def files_volume(self) -> str:
        return f"archi-{self.deployment}-files"

    @property
    def conversations_volume(self) -> str:
        return f"archi-{self.deployment}-chat"

    @property
    def compile_cache_volume(self) -> str:
        return f"archi-{self.deployment}-vllm-cache"

    def one_shot(self, role: str) -> str:
        """Name of a container that does one thing and is removed again."""
        return f"archi-{role}-{self.deployment}"

    def labels(self, role: str) -> dict[str, str]:
        """The labels by which a thing is known as this deployment's, never by its name."""
        return {LABEL_DEPLOYMENT: self.deployment, LABEL_ROLE: role}
