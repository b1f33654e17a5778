"""The chat application: its contract with the deployment, and how it is asked for its health."""

from __future__ import annotations

import ipaddress

from archi.render.health import HealthCheck
from archi.render.places import (
    DOCUMENTS_PATH,
    EVERYWHERE,
    FILES_PATH,
    LOOPBACK,
    chat_port,
    vllm_port,
)
from archi.render.postgres import database_url
from archi.settings import Settings

CHAT_STOP_GRACE_SECONDS = 30
# What is left of it is for saving the answers that were cut off.
_DRAIN_SECONDS = CHAT_STOP_GRACE_SECONDS - 5
_MIB = 2**20
_UPLOADS_AT_ONCE = 4
_SCRATCH_MIB = 64


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
    optional = {
        "ARCHI_MODEL_PROBE": None if chatbot.model_probe else "0",
        "ARCHI_PUBLIC_URL": chatbot.public_url,
        "ARCHI_DOCUMENTS": str(DOCUMENTS_PATH) if chatbot.documents else None,
        "ARCHI_RATE_QUESTIONS": _number(chatbot.questions_per_minute),
        "ARCHI_RATE_COMPLETIONS": _number(chatbot.completions_per_minute),
    }
    return {
        "VLLM_BASE_URL": vllm_base_url(settings),
        "DATABASE_URL": "sqlite:////data/chat.db" if embedded else database_url(settings),
        "ARCHI_FILES": str(FILES_PATH),
        "ARCHI_LISTEN": f"{_host(listen)}:{chat_port(settings)}",
        "ARCHI_PUBLISHED_BIND": chatbot.bind,
        "ARCHI_AUTH": chatbot.auth.mode,
        "ARCHI_TRUSTED_PROXIES": str(chatbot.trusted_proxies),
        "ARCHI_WORKERS": str(chatbot.workers),
        "ARCHI_MAX_STREAMS": str(chatbot.max_streams),
        "ARCHI_LEAVE_GRACE": str(chatbot.leave_grace),
        "ARCHI_DRAIN_TIMEOUT": str(_DRAIN_SECONDS),
        "ARCHI_MODEL_TITLES": "true" if chatbot.model_titles else "false",
        "ARCHI_MAX_UPLOAD": str(chatbot.max_upload * _MIB),
        "ARCHI_METRICS": chatbot.metrics,
        **{name: value for name, value in optional.items() if value is not None},
        **_oidc_environment(settings),
    }


def _oidc_environment(settings: Settings) -> dict[str, str]:
    auth = settings.services.chatbot.auth
    if auth.oidc is None:
        return {}
    oidc = auth.oidc
    values = {
        "ARCHI_OIDC_ISSUER": oidc.issuer,
        "ARCHI_OIDC_CLIENT_ID": oidc.client_id,
        "ARCHI_OIDC_SCOPES": " ".join(oidc.scopes),
        "ARCHI_OIDC_GROUPS_CLAIM": oidc.groups_claim,
        "ARCHI_OIDC_ADMIN_GROUP": oidc.admin_group,
        "ARCHI_OIDC_GROUPS": ",".join(oidc.allowed_groups),
        "ARCHI_OIDC_DOMAINS": ",".join(oidc.allowed_domains),
    }
    return {name: value for name, value in values.items() if value}


def chat_url(settings: Settings) -> str:
    """Where people open the chat: the address that the settings say, else on this host."""
    chatbot = settings.services.chatbot
    if chatbot.public_url is not None:
        return chatbot.public_url
    address = ipaddress.ip_address(chatbot.bind)
    own = address.is_loopback or address.is_unspecified
    return f"http://{'localhost' if own else _host(chatbot.bind)}:{chatbot.port}"


def chat_address(settings: Settings) -> str:
    """Where the chat application answers inside its container."""
    host = settings.services.chatbot.bind if settings.host_mode else LOOPBACK
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else LOOPBACK
    scheme = "https" if settings.services.chatbot.tls_certificate else "http"
    return f"{scheme}://{_host(host)}:{chat_port(settings)}"


def chat_health_check(settings: Settings) -> HealthCheck:
    """The chat application is alive; whether the model answers is ``/readyz``'s to say."""
    url = f"{chat_address(settings)}/healthz"
    return HealthCheck(
        test=("CMD", "curl", *_trusting(settings), "-fsS", "-o", "/dev/null", url),
        interval="15s",
        timeout="5s",
        retries=3,
        start_period="30s",
    )


def chat_readiness_command(settings: Settings) -> tuple[str, ...]:
    """What the readiness gate runs inside the chat container; prints the answer's JSON."""
    url = f"{chat_address(settings)}/readyz"
    return ("curl", *_trusting(settings), "-sS", "--fail-with-body", url)


def chat_scratch_mib(settings: Settings) -> int:
    """Size of the container's ``/tmp`` in MiB: metrics, and uploads while they are read."""
    return _SCRATCH_MIB + _UPLOADS_AT_ONCE * settings.services.chatbot.max_upload


def _trusting(settings: Settings) -> tuple[str, ...]:
    """The certificate is for the address that people open; inside nobody sits between."""
    return ("--insecure",) if settings.services.chatbot.tls_certificate else ()


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
