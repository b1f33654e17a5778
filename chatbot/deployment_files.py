"""The deployment's files under ``$ARCHI_FILES``: which model is served, and the secrets.

``pipelines.yaml`` is the only place that names the model. It is read again when it changes, so a
model change does not restart the application.
"""

from __future__ import annotations

import os
from pathlib import Path

from chatbot import pipelines
from chatbot.environment import SettingsError
from chatbot.pipelines import Pipelines
from chatbot.watched_files import WatchedFile

# Flask signs with HMAC: a shorter key than this can be guessed.
MIN_SESSION_KEY_CHARS = 32


class DeploymentFiles:
    """Reads the files of one deployment. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pipelines = WatchedFile(folder / "pipelines.yaml", pipelines.read)

    @property
    def model(self) -> str:
        """The HuggingFace id of the served model, as the file says now."""
        return self.pipelines().model

    def pipelines(self) -> Pipelines:
        """Return the pipelines, read again when the file changed; the last good ones stay.

        Raises:
            SettingsError: the file is wrong and no good content was ever read.
        """
        return self._pipelines.get()

    def secret(self, name: str) -> str | None:
        """Return the secret ``secrets/<name>`` without its line end; None where there is none.

        Raises:
            SettingsError: the file is there but cannot be read.
        """
        path = self.folder / "secrets" / name
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
        path = str(self.folder / "secrets" / "session_key")
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
        key = self.folder / "secrets" / "tls_key"
        if self.secret("tls_key") is None:
            raise SettingsError(
                str(key),
                "missing or empty",
                "the certificate beside it has no key.",
                "set archi:tls_key to the key that the certificate was made with.",
            )
        return self.folder / "secrets" / "tls_certificate", key
