"""Stack files that ``archi create`` writes: settings in plain text, secrets sealed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archi import passphrase, project
from archi.passphrase import Sealer, WrongPassphrase

_NAMESPACE = "archi:"
_SEALED = "secure"

_ORDER = (
    "source",
    "deploy",
    "gpu_ids",
    "gpu_driver",
    "host_mode",
    "pipeline_map",
    "services",
)

_HEAD = """\
# The deployment {name}, written by `archi create`. Edit it, then `archi create` or
# `pulumi up -s {name}` makes it so. Every key: docs/configuration.md
"""


class StackFileError(Exception):
    """A stack file can't be taken as it is; the text says why and what to do."""


@dataclass(frozen=True)
class Content:
    """What a stack file says.

    Attributes:
        config: plain settings by key, without ``archi:``.
        secrets: opened secrets by key; ``env_secrets`` is a mapping.

    """

    config: Mapping[str, Any]
    secrets: Mapping[str, Any]

    def differences(self, other: Content) -> list[str]:
        """The keys, as a stack file writes them, in which the two differ."""
        found: list[str] = []
        for mine, theirs in ((self.config, other.config), (self.secrets, other.secrets)):
            found += _differences(mine, theirs, "archi")
        return found


def read(path: Path, phrase: str) -> Content:
    """A stack file with its secrets opened.

    Raises:
        StackFileError: it is no stack file of ours, or the passphrase does not open it.

    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        keys = document.get("config") or {}
        own = {
            key.removeprefix(_NAMESPACE): value
            for key, value in keys.items()
            if key.startswith(_NAMESPACE)
        }
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise StackFileError(f"{path.name} can't be read: {error}") from None
    sealed = {key: value for key, value in own.items() if _is_sealed(value)}
    plain = {key: value for key, value in own.items() if key not in sealed}
    if not sealed:
        return Content(plain, {})
    try:
        sealer = Sealer(phrase, str(document.get("encryptionsalt", "")))
        return Content(plain, {key: _open(sealer, value) for key, value in sealed.items()})
    except WrongPassphrase:
        raise StackFileError(lost(path)) from None


def lost(path: Path) -> str:
    """What to say where the passphrase at hand does not open a stack file's secrets."""
    return (
        f"The secrets of {path.name} can't be opened: they were sealed with another passphrase "
        "than the one at hand (PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE, or "
        f"{project.home() / 'passphrase'}). Mend: bring that passphrase back. Where it is lost: "
        "`archi delete -n NAME`, which does without it, then `archi create` anew with the .env; "
        "conversations and weights stay in their volumes."
    )


def write(path: Path, name: str, content: Content, phrase: str) -> None:
    """Write a stack file in one step: a reader sees the old one or the new one, whole.

    Raises:
        OSError: the disk is full, or the folder can't be written.

    """
    salt = _salt(path, phrase)
    sealer = Sealer(phrase, salt) if content.secrets else None
    ordered = [key for key in _ORDER if key in content.config]
    ordered += sorted(set(content.config) - set(ordered))
    config = {f"{_NAMESPACE}{key}": content.config[key] for key in ordered}
    for key in sorted(content.secrets):
        assert sealer is not None  # noqa: S101 - there are secrets
        config[f"{_NAMESPACE}{key}"] = _seal(sealer, content.secrets[key])
    text = _HEAD.format(name=name) + yaml.safe_dump(
        {"encryptionsalt": salt, "config": config},
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _salt(path: Path, phrase: str) -> str:
    """The file's own salt where the passphrase belongs to it, else a new one.

    The state is sealed with the same salt: a new one would make it unreadable.
    """
    if path.exists():
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        salt = document.get("encryptionsalt")
        if isinstance(salt, str) and passphrase.opens(phrase, salt):
            return salt
    return passphrase.new_salt(phrase)


def _is_sealed(value: Any) -> bool:  # noqa: ANN401 - YAML
    if not isinstance(value, dict) or not value:
        return False
    return set(value) == {_SEALED} or all(_is_sealed(part) for part in value.values())


def _open(sealer: Sealer, value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - text or mapping
    if set(value) == {_SEALED}:
        return sealer.open(str(value[_SEALED]))
    return {key: _open(sealer, part) for key, part in value.items()}


def _seal(sealer: Sealer, value: Any) -> dict[str, Any]:  # noqa: ANN401 - text or mapping
    if isinstance(value, Mapping):
        return {key: _seal(sealer, part) for key, part in sorted(value.items())}
    return {_SEALED: sealer.seal(str(value))}


def _differences(mine: Any, theirs: Any, place: str) -> list[str]:  # noqa: ANN401 - YAML
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        join = ":" if place == "archi" else "."
        return [
            place_below
            for key in sorted({*mine, *theirs})
            for place_below in _differences(mine.get(key), theirs.get(key), f"{place}{join}{key}")
        ]
    return [] if mine == theirs else [place]
