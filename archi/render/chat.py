"""The chat application: its contract with the deployment, and how it is asked for its health."""

from __future__ import annotations

from archi.render.health import HealthCheck
from archi.render.places import EVERYWHERE, FILES_PATH, LOOPBACK, chat_port, vllm_port
from archi.render.postgres import database_url
from archi.settings import Settings


def vllm_base_url(settings: Settings) -> str:
    """Where the chat application finds vLLM: by Docker's DNS, on the host, or elsewhere."""
    if settings.services.vllm.base_url is not None:
        return settings.services.vllm.base_url.rstrip("/")
    host = "localhost" if settings.host_mode else "vllm-server"
    return f"http://{host}:{vllm_port(settings)}/v1"


def chat_environment(settings: Settings) -> dict[str, str]:
    """Environment of the chat container: its contract with the deployment, and no secret."""
    chatbot = settings.services.chatbot
    embedded = chatbot.database == "sqlite"
    listen = chatbot.bind if settings.host_mode else EVERYWHERE
    return {
        "VLLM_BASE_URL": vllm_base_url(settings),
        "DATABASE_URL": "sqlite:////data/chat.db" if embedded else database_url(settings),
        "ARCHI_FILES": str(FILES_PATH),
        "ARCHI_LISTEN": f"{listen}:{chat_port(settings)}",
        "ARCHI_PUBLISHED_BIND": chatbot.bind,
        "ARCHI_MAX_STREAMS": str(chatbot.max_streams),
    }


def chat_address(settings: Settings) -> str:
    """Where the chat application answers inside its container."""
    host = settings.services.chatbot.bind if settings.host_mode else LOOPBACK
    return f"http://{host}:{chat_port(settings)}"


def chat_health_check(settings: Settings) -> HealthCheck:
    """The chat application is alive; whether the model answers is ``/readyz``'s to say."""
    return HealthCheck(
        test=("CMD", "curl", "-fsS", "-o", "/dev/null", f"{chat_address(settings)}/healthz"),
        interval="15s",
        timeout="5s",
        retries=3,
        start_period="30s",
    )


def chat_readiness_command(settings: Settings) -> tuple[str, ...]:
    """What the readiness gate runs inside the chat container; prints the answer's JSON."""
    return ("curl", "-sS", "--fail-with-body", f"{chat_address(settings)}/readyz")
