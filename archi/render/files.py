"""The deployment's small files and secrets: what they hold and who reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archi.render.places import CHAT_UID, FILES_PATH, POSTGRES_UID, VLLM_UID
from archi.render.vllm import VLLM_CONFIG, template_file
from archi.settings import Settings
from archi.settings.agent_files import read as read_agents
from archi.settings.types import VLLM

_ARCHI = Path(__file__).parent.parent
_IN_CONTAINER = _ARCHI / "in_container"
_TEMPLATES = _ARCHI.parent / "images" / "templates"

API_KEY = "secrets/vllm_api_key"
SESSION_KEY = "secrets/session_key"
POSTGRES_PASSWORD = "secrets/postgres_password"  # noqa: S105 - a path
OIDC_CLIENT_SECRET = "secrets/oidc_client_secret"  # noqa: S105 - a path
TLS_CERTIFICATE = "secrets/tls_certificate"
TLS_KEY = "secrets/tls_key"
METRICS_TOKEN = "secrets/metrics_token"  # noqa: S105 - a path
"""Paths of secrets below ``/run/archi``."""


@dataclass(frozen=True)
class File:
    """A small file for the containers, readable by all of them.

    Attributes:
        path: below ``/run/archi``.
        content: the whole text.

    """

    path: str
    content: str


@dataclass(frozen=True)
class SecretFile:
    """A file that holds a secret.

    Attributes:
        path: below ``/run/archi``.
        uid: who may read it.
        gid: which group may read it besides.
        value: the secret; None where the volume makes and keeps one.

    """

    path: str
    uid: int
    gid: int
    value: str | None = None


@dataclass(frozen=True)
class FilledFile:
    """A file made of a text and a secret beside it, in the volume where both are.

    Attributes:
        path: below ``/run/archi``.
        uid: who may read it, alone.
        text: the content, with `FILL` where the secret belongs, as a quoted string.
        secret: path of that secret.

    """

    path: str
    uid: int
    text: str
    secret: str


FILL = "@secret@"


def files(settings: Settings) -> list[File]:
    """The deployment's files that hold no secret, by path."""
    wanted = [File("pipelines.yaml", _pipelines(settings))]
    if "chatbot" in settings.deployed:
        chatbot = settings.services.chatbot
        wanted += [File(f"agents/{one.name}", one.content) for one in read_agents(chatbot.agents)]
        if chatbot.mcp_servers:
            wanted.append(File("mcp.yaml", _mcp_servers(settings)))
    if "vllm-server" in settings.deployed:
        wanted += [_script("vllm_health.py"), *_templates(settings)]
    if "postgres" in settings.deployed:
        wanted.append(_script("postgres_start.sh"))
    return sorted(wanted, key=lambda file: file.path)


def secret_files(settings: Settings) -> list[SecretFile]:
    """The secrets that the deployed services read, by path."""
    wanted: list[SecretFile] = []
    deployed = settings.deployed

    def value(name: str) -> str | None:
        secret = getattr(settings, name)
        return None if secret is None else str(secret.get_secret_value())

    if "chatbot" in deployed:
        wanted += _chat_secrets(settings, value)
    if "postgres" in deployed:
        password = value("postgres_password")
        wanted.append(SecretFile(POSTGRES_PASSWORD, POSTGRES_UID, CHAT_UID, password))
    # A vLLM elsewhere has its own key: only one that is given can be the right one.
    if settings.vllm_api_key or (settings.api_key_required and "vllm-server" in deployed):
        wanted.append(SecretFile(API_KEY, VLLM_UID, CHAT_UID, value("vllm_api_key")))
    return sorted(wanted, key=lambda secret: secret.path)


def _chat_secrets(settings: Settings, value: Callable[[str], str | None]) -> Iterator[SecretFile]:
    """Those that only the chat application reads."""
    chatbot = settings.services.chatbot
    found = {SESSION_KEY: value("session_key")}
    if chatbot.auth.mode == "oidc" and (known := value("oidc_client_secret")):
        found[OIDC_CLIENT_SECRET] = known
    if chatbot.tls_certificate and (key := value("tls_key")):
        # Public, and still among these: a new one is taken up as a new key is.
        found[TLS_CERTIFICATE] = Path(chatbot.tls_certificate).read_text()
        found[TLS_KEY] = key
    if chatbot.metrics == "token":
        found[METRICS_TOKEN] = value("metrics_token")
    for name, secret in settings.env_secrets.items():
        found[f"secrets/{name}"] = secret.get_secret_value()
    for path, content in found.items():
        yield SecretFile(path, CHAT_UID, CHAT_UID, content)


def filled_files(settings: Settings) -> list[FilledFile]:
    """The files that repeat a secret in a form of their reader's own."""
    if "vllm-server" not in settings.deployed or not settings.api_key_required:
        return []
    return [FilledFile(VLLM_CONFIG, VLLM_UID, f"api-key: {FILL}\n", API_KEY)]


def vllm_argument_files(settings: Settings) -> dict[str, str]:
    """What vLLM's command line names and its argument parser reads, by absolute path; no secret."""
    found = {str(FILES_PATH / file.path): file.content for file in _templates(settings)}
    for filled in filled_files(settings):
        found[str(FILES_PATH / filled.path)] = filled.text.replace(FILL, '"a key"')
    return found


def secrets_mark(settings: Settings, *paths: str) -> str:
    """What differs when a secret at ``paths`` does; empty where the configuration sets none.

    It is a label of the containers that read those secrets only at their start. Whoever can read
    labels can try guesses against it, so it is slow to compute.
    """
    given = [
        f"{secret.path}={secret.value}"
        for secret in secret_files(settings)
        if secret.value is not None and secret.path.startswith(paths)
    ]
    if not given:
        return ""
    rounds = 100_000
    joined = "\n".join(given).encode()
    return hashlib.pbkdf2_hmac("sha256", joined, settings.name.encode(), rounds).hex()[:16]


def _script(name: str) -> File:
    return File(name, (_IN_CONTAINER / name).read_text())


def _templates(settings: Settings) -> list[File]:
    name, chosen = template_file(settings), settings.services.vllm.chat_template
    if name is None:
        return []
    return [File(f"templates/{name}", (Path(chosen) if chosen else _TEMPLATES / name).read_text())]


def _pipelines(settings: Settings) -> str:
    agents = {
        agent: {
            name: f"{VLLM}/{settings.served_model}" if model.provider == VLLM else str(model)
            for name, model in {**pipeline.models.required, **pipeline.models.optional}.items()
        }
        for agent, pipeline in settings.pipeline_map.items()
    }
    content: dict[str, Any] = {"model": settings.served_model, "pipelines": agents}
    if providers := settings.services.chatbot.providers:
        content["providers"] = {
            name: _without_none(
                base_url=provider.base_url,
                api_key_secret=provider.api_key,
                max_tokens_field=provider.max_tokens_field,
            )
            for name, provider in providers.items()
        }
    return yaml.safe_dump(content, sort_keys=True)


def _mcp_servers(settings: Settings) -> str:
    servers = {
        name: _without_none(
            **server.model_dump(exclude={"transport"}, exclude_defaults=True),
            transport=server.transport,
        )
        for name, server in settings.services.chatbot.mcp_servers.items()
    }
    return yaml.safe_dump({"servers": servers}, sort_keys=True, allow_unicode=True)


def _without_none(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }
