"""The deployment's files under ``$ARCHI_FILES``: which model is served, and the secrets.

``pipelines.yaml`` is the only place that names the model. It is read again when it changes, so a
model change does not restart the application.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatbot.environment import SettingsError

log = structlog.get_logger(__name__)

# Flask signs with HMAC: a shorter key than this can be guessed.
MIN_SESSION_KEY_CHARS = 32


class Pipelines(BaseModel):
    """The content of ``pipelines.yaml``.

    ``model`` is the HuggingFace id that vLLM serves; ``pipelines`` maps an agent's name to its
    models, each a name → ``vllm/<HuggingFace id>``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    pipelines: dict[str, dict[str, str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_model(self) -> Pipelines:
        for agent, models in self.pipelines.items():
            for key, reference in models.items():
                if reference != f"vllm/{self.model}":
                    raise ValueError(
                        f"pipelines.{agent}.{key} is {reference!r}, "
                        f"but the served model is {self.model!r}"
                    )
        return self


class DeploymentFiles:
    """Reads the files of one deployment. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._pipelines: Pipelines | None = None

    @property
    def model(self) -> str:
        """The HuggingFace id of the served model, as the file says now."""
        return self.pipelines().model

    def pipelines(self) -> Pipelines:
        """Return the pipelines, read again when the file's time, size or inode changed.

        A file that has become unreadable or wrong is logged, and the last good content stays.

        Raises:
            SettingsError: the file is wrong and no good content was ever read.
        """
        path = self._folder / "pipelines.yaml"
        with self._lock:
            try:
                stat = os.stat(path)
                stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if stamp != self._stamp or self._pipelines is None:
                    self._pipelines = _read_pipelines(path)
                    self._stamp = stamp
                    log.info("pipelines_read", model=self._pipelines.model)
            except (OSError, SettingsError) as error:
                if self._pipelines is None:
                    if isinstance(error, SettingsError):
                        raise
                    raise SettingsError(
                        str(path),
                        "unreadable",
                        f"{error.strerror}.",
                        "the deployment writes this file; run `pulumi up` again, or write "
                        "`model: <HuggingFace id>` into it.",
                    ) from error
                log.warning("pipelines_unreadable", path=str(path), reason=str(error))
            return self._pipelines

    def secret(self, name: str) -> str | None:
        """Return the secret ``secrets/<name>`` without its line end; None where there is none.

        Raises:
            SettingsError: the file is there but cannot be read.
        """
        path = self._folder / "secrets" / name
        try:
            return path.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                str(path),
                "unreadable",
                f"{error}.",
                f"it must be a text file that user {os.getuid()} may read.",
            ) from error

    def session_key(self) -> str:
        """Return the key that signs cookies.

        Raises:
            SettingsError: it is missing or too short.
        """
        key = self.secret("session_key")
        path = str(self._folder / "secrets" / "session_key")
        mend = (
            "the deployment writes this file; for development: "
            "python -c 'import secrets; print(secrets.token_hex(32))' > secrets/session_key."
        )
        if key is None:
            raise SettingsError(path, "missing or empty", "cookies cannot be signed.", mend)
        if len(key) < MIN_SESSION_KEY_CHARS:
            raise SettingsError(
                path,
                f"{len(key)} characters",
                f"a key needs at least {MIN_SESSION_KEY_CHARS}.",
                mend,
            )
        return key

    def certificate(self) -> tuple[Path, Path] | None:
        """Return the files of the TLS certificate and its key; None where there are none.

        Raises:
            SettingsError: one of them is missing or cannot be read.
        """
        if self.secret("tls_certificate") is None:
            return None
        key = self._folder / "secrets" / "tls_key"
        if self.secret("tls_key") is None:
            raise SettingsError(
                str(key),
                "missing or empty",
                "the certificate beside it has no key.",
                "set archi:tls_key to the key that the certificate was made with.",
            )
        return self._folder / "secrets" / "tls_certificate", key


def _read_pipelines(path: Path) -> Pipelines:
    mend = "write `model: <HuggingFace id>` and pipelines that name vllm/<the same id>."
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Pipelines.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "not YAML", f"{error}.", mend) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(str(path), where, f"{first['msg']}.", mend) from error
