"""What the environment says, checked once at start.

Every refusal names the variable, its value and the mend. Secrets are never part of the settings:
they are files, read where they are used (``deployment_files``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chatbot.access.settings import AccessSettings
from chatbot.environment import SettingsError, choice, is_loopback, number


class Settings(BaseModel):
    """The application's settings. Durations are in seconds.

    ``max_streams`` is for all ``workers`` together; an answer whose last reader is gone is ended
    after ``leave_grace``; answers in progress have ``drain_timeout`` when the process is to end.

    ``max_upload`` is in bytes; ``documents`` is a folder whose files everyone may search;
    ``model_titles``: the model writes the titles of new conversations.

    A token is asked of the model every ``model_probe`` seconds that it is idle; 0: never.

    ``vllm_base_url`` ends in ``/v1`` without a slash after it; ``database_url`` holds no password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    access: AccessSettings
    vllm_base_url: str
    database_url: str
    files: Path
    listen_host: str
    listen_port: int
    max_streams: int
    workers: int
    leave_grace: float
    drain_timeout: float
    first_token_timeout: float
    token_timeout: float
    metrics: str
    max_upload: int
    documents: Path | None
    model_titles: bool
    model_probe: float
    published_on_loopback: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read and check the settings.

        Raises:
            SettingsError: for the first variable that is missing or wrong.
        """
        env = os.environ if environment is None else environment
        host, port = _listen(env.get("ARCHI_LISTEN", "0.0.0.0:7861"))
        return cls(
            access=AccessSettings.from_environment(env, host),
            vllm_base_url=_base_url(env.get("VLLM_BASE_URL")),
            database_url=_database_url(env.get("DATABASE_URL")),
            files=_folder(env.get("ARCHI_FILES", "/run/archi")),
            listen_host=host,
            listen_port=port,
            max_streams=int(number(env, "ARCHI_MAX_STREAMS", "32", 1, 512)),
            workers=int(number(env, "ARCHI_WORKERS", "2", 1, 32)),
            leave_grace=number(env, "ARCHI_LEAVE_GRACE", "5", 0, 3600),
            drain_timeout=number(env, "ARCHI_DRAIN_TIMEOUT", "600", 1, 3600),
            # A long prompt on a CPU takes minutes before its first token.
            first_token_timeout=number(env, "ARCHI_FIRST_TOKEN_TIMEOUT", "300", 0.1, 3600),
            token_timeout=number(env, "ARCHI_TOKEN_TIMEOUT", "60", 0.1, 3600),
            max_upload=int(number(env, "ARCHI_MAX_UPLOAD", str(20 * 2**20), 1024, 2**30)),
            documents=_documents(env.get("ARCHI_DOCUMENTS")),
            model_titles=choice(env, "ARCHI_MODEL_TITLES", ("true", "false")) == "true",
            model_probe=number(env, "ARCHI_MODEL_PROBE", "30", 0, 3600),
            metrics=choice(env, "ARCHI_METRICS", ("loopback", "none", "token")),
            published_on_loopback=is_loopback(env.get("ARCHI_PUBLISHED_BIND", host)),
        )

    @property
    def database(self) -> URL:
        """The database's address; ``postgresql://`` is taken by psycopg 3."""
        return _with_driver(make_url(self.database_url))


def _listen(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    mend = "write HOST:PORT, for example 0.0.0.0:7861."
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingsError("ARCHI_LISTEN", value, "this is not an address to listen on.", mend)
    return host.strip("[]"), int(port)


def _base_url(value: str | None) -> str:
    mend = "write vLLM's OpenAI-compatible address, for example http://vllm-server:8000/v1."
    if not value:
        raise SettingsError("VLLM_BASE_URL", None, "the model server's address is needed.", mend)
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise SettingsError(
            "VLLM_BASE_URL",
            f"{parts.scheme}://…@{parts.hostname}",
            "an address must not carry credentials.",
            "put the API key into the file secrets/vllm_api_key under ARCHI_FILES.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("VLLM_BASE_URL", value, "this is not an http(s) address.", mend)
    if not parts.path.rstrip("/").endswith("/v1"):
        raise SettingsError("VLLM_BASE_URL", value, "the path does not end in /v1.", mend)
    return value.rstrip("/")


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _database_url(value: str | None) -> str:
    mend = "write sqlite:////data/chat.db or postgresql://USER@HOST/NAME."
    if not value:
        raise SettingsError("DATABASE_URL", None, "conversations need a database.", mend)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise SettingsError("DATABASE_URL", "…", "this is not a database address.", mend) from None
    if url.password is not None:
        raise SettingsError(
            "DATABASE_URL",
            url.render_as_string(hide_password=True),
            "an environment variable must not carry a password.",
            "leave it out and put it into the file secrets/postgres_password under ARCHI_FILES.",
        )
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise SettingsError("DATABASE_URL", value, f"{kind} is not supported.", mend)
    if kind == "sqlite":
        folder = Path(url.database or "").parent
        if not url.database or url.database == ":memory:":
            raise SettingsError("DATABASE_URL", value, "it names no file.", mend)
        if not os.access(folder, os.W_OK):
            raise SettingsError(
                "DATABASE_URL",
                value,
                f"the folder {folder} does not exist or user {os.getuid()} cannot write in it.",
                f"mount a volume at {folder} that user {os.getuid()} owns.",
            )
    return value


def _folder(value: str) -> Path:
    if not Path(value).is_dir():
        raise SettingsError(
            "ARCHI_FILES",
            value,
            "there is no such folder.",
            "mount the deployment's files there (pipelines.yaml and secrets/).",
        )
    return Path(value)


def _documents(value: str | None) -> Path | None:
    if not value:
        return None
    if not Path(value).is_dir():
        raise SettingsError(
            "ARCHI_DOCUMENTS",
            value,
            "there is no such folder.",
            "mount a folder of documents there (services.chatbot.documents), or leave it out.",
        )
    return Path(value)
