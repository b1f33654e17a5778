"""Where things lie and listen: paths, ports and users inside the containers."""

from __future__ import annotations

from pathlib import PurePosixPath

from archi.settings import Settings

MODELS_PATH = PurePosixPath("/models")
"""Where containers see the volume of weights."""

WEIGHTS_FOLDER_PATH = PurePosixPath("/weights")
"""Where containers see a folder of the host that holds the weights."""

DOCUMENTS_PATH = PurePosixPath("/documents")
"""Where the chat container sees a folder of the host that its agents may search."""

FILES_PATH = PurePosixPath("/run/archi")
"""Where containers see their deployment's small files, read-only."""

VLLM_PORT = 8000
CHAT_PORT = 7861
POSTGRES_PORT = 5432
"""Ports inside containers that have a network of their own; in host mode the settings' ports."""

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container, whose ports the host publishes on loopback

VLLM_UID = 0
CHAT_UID = 10001
POSTGRES_UID = 999
"""Who runs what: with all capabilities dropped not even root reads what another owns."""


def vllm_port(settings: Settings) -> int:
    """The port on which vLLM listens, where it listens."""
    return settings.services.vllm.port if settings.host_mode else VLLM_PORT


def chat_port(settings: Settings) -> int:
    """The port on which the chat application listens, where it listens."""
    return settings.services.chatbot.port if settings.host_mode else CHAT_PORT


def postgres_port(settings: Settings) -> int:
    """The port on which Postgres listens, where it listens."""
    return settings.services.postgres.port if settings.host_mode else POSTGRES_PORT


def vllm_published(settings: Settings) -> bool:
    """Whether vLLM is reached on the host's loopback address, published or in host mode."""
    return settings.host_mode or settings.services.vllm.publish is not False


def host_ports(settings: Settings) -> dict[str, int]:
    """The ports of the host that the deployment takes, by the key of the setting that chooses."""
    services, deployed = settings.services, settings.deployed
    taken = {
        "archi:services.chatbot.port": (services.chatbot.port, "chatbot" in deployed),
        "archi:services.vllm.port": (
            services.vllm.port,
            "vllm-server" in deployed and vllm_published(settings),
        ),
        "archi:services.postgres.port": (
            services.postgres.port,
            "postgres" in deployed and settings.host_mode,
        ),
    }
    return {key: port for key, (port, wanted) in taken.items() if wanted}
