"""From a stack's configuration, or a mapping such as the seed's config.yaml, to Settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archi.settings.errors import SettingsError, explain
from archi.settings.model import Settings

_OBJECTS = ("pipeline_map", "services")
_NAMESPACE = "archi:"


def from_mapping(name: str, config: Mapping[str, Any]) -> Settings:
    """Settings of the deployment ``name`` from keys as the stack file has them below ``archi:``.

    Raises:
        SettingsError: naming each key that can't be used, its value and the mend.

    """
    if "name" in config:
        raise SettingsError(["archi:name: unknown key. A deployment has the name of its stack."])
    try:
        return Settings.model_validate({"name": name, **config})
    except ValidationError as error:
        raise explain(error, Settings) from None


def from_pulumi(name: str, config: Mapping[str, str]) -> Settings:
    """Settings from Pulumi's own view of the stack's configuration.

    Args:
        name: the stack's name.
        config: full keys (``archi:services``) to values, objects as JSON text, as Pulumi hands
            them to a program.

    Raises:
        SettingsError: as :func:`from_mapping`.

    """
    values: dict[str, Any] = {}
    for full_key, text in config.items():
        if not full_key.startswith(_NAMESPACE):
            continue
        key = full_key.removeprefix(_NAMESPACE)
        values[key] = _structure(key, text) if key in _OBJECTS else _list(text)
    return from_mapping(name, values)


def _structure(key: str, text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise SettingsError(
            [f"archi:{key}: {text!r} is refused: an object of settings is wanted here."]
        ) from None


def _list(text: str) -> Any:  # noqa: ANN401 - a scalar's text or a JSON list
    if text.startswith("["):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
