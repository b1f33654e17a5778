"""The ``.env`` file of a deployment: all of it becomes encrypted configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archi.settings.errors import SettingsError

KNOWN: Mapping[str, str] = {
    "HF_TOKEN": "hf_token",
    "VLLM_API_KEY": "vllm_api_key",
    "POSTGRES_PASSWORD": "postgres_password",
    "SESSION_KEY": "session_key",
    "OIDC_CLIENT_SECRET": "oidc_client_secret",
    "TLS_KEY": "tls_key",
    "METRICS_TOKEN": "metrics_token",
}
"""Variables that are settings of ours; every other one is a secret of the chat application."""

BASE_URL = "VLLM_BASE_URL"
"""The one variable that is no secret: where vLLM runs, if not here."""

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class EnvFile:
    """What a ``.env`` says.

    Attributes:
        secrets: settings by key, as :func:`archi.settings.from_mapping` takes them; what is empty
            is not set.
        base_url: of a vLLM that runs elsewhere.

    """

    secrets: Mapping[str, Any] = field(default_factory=dict)
    base_url: str | None = None


def read(path: Path) -> EnvFile:
    """Read a ``.env``: ``NAME=value`` a line, quotes, comments and ``export`` as shells have them.

    Raises:
        SettingsError: it can't be read, or a line of it is no assignment; no value is shown.

    """
    head = f"{path.name} can't be used:"
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise SettingsError([f"{path} {what}. Name a file with a NAME=value a line."], head)
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(["it has more than 1 MB. Is it the right file?"], head)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError([f"{path} can't be read: {error.strerror}."], head) from None
    except UnicodeDecodeError:
        raise SettingsError(["it is no UTF-8. Save the file as UTF-8."], head) from None
    return parse(text, head)


def parse(text: str, head: str = "The .env file can't be used:") -> EnvFile:
    """As :func:`read`, from the file's text."""
    from io import StringIO

    from dotenv.parser import parse_stream

    problems, found = [], {}
    for binding in parse_stream(StringIO(text)):
        line = f"line {binding.original.line}"
        # The parser's lines begin with the blank ones before them.
        blank = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
        if blank:
            line = f"line {binding.original.line + binding.original.string[:blank].count(chr(10))}"
        if binding.error:
            problems.append(f"{line}: it is no NAME=value.")
        elif binding.key is not None and binding.value is None:
            problems.append(
                f"{line}: {binding.key[:60]} has no '='. Write {binding.key[:60]}=value."
            )
        elif binding.key is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", binding.key):
            problems.append(
                f"{line}: {binding.key[:60]!r} is no name of a variable. Use letters, digits and _."
            )
        elif binding.key is not None and binding.value:
            found[binding.key] = binding.value
    if problems:
        raise SettingsError(problems, head)
    secrets: dict[str, Any] = {
        key: found[variable] for variable, key in KNOWN.items() if variable in found
    }
    others = {
        name: value for name, value in found.items() if name not in KNOWN and name != BASE_URL
    }
    if others:
        secrets["env_secrets"] = others
    return EnvFile(secrets, found.get(BASE_URL))
