"""From a stack's configuration, or the seed's config.yaml, to Settings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archi.settings import yaml_file
from archi.settings.checks import shown
from archi.settings.errors import SECRET_KEYS, SettingsError, explain
from archi.settings.model import Settings

_OBJECTS = ("pipeline_map", "services", "env_secrets")
_LISTS = ("deploy", "gpu_ids")
_NAMESPACE = "archi:"


def from_mapping(
    name: str, config: Mapping[str, Any], secrets: Mapping[str, Any] | None = None
) -> Settings:
    """Settings of the deployment ``name`` from keys as the stack file has them below ``archi:``.

    Args:
        name: the deployment's.
        config: everything that is no secret.
        secrets: the keys of `SECRET_KEYS` that are set.

    Raises:
        SettingsError: naming each key that can't be used, its value and the mend.

    """
    problems = []
    if "name" in config:
        problems.append("archi:name: unknown key. A deployment has the name of its stack.")
    problems += [_in_plain(key) for key in SECRET_KEYS if key in config]
    plain = {
        key: value for key, value in config.items() if key != "name" and key not in SECRET_KEYS
    }
    try:
        settings = Settings.model_validate({"name": name, **plain, **(secrets or {})})
    except ValidationError as error:
        raise SettingsError([*problems, *explain(error, Settings).problems]) from None
    except RecursionError:
        raise SettingsError([*problems, "archi: the settings are nested too deep."]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def from_pulumi(
    name: str, config: Mapping[str, str], secret_keys: Collection[str] = ()
) -> Settings:
    """Settings from Pulumi's own view of the stack's configuration.

    Args:
        name: the stack's name.
        config: full keys (``archi:services``) to values, objects as JSON text, as Pulumi hands
            them to a program.
        secret_keys: the full keys whose values are encrypted in the stack file.

    Raises:
        SettingsError: as :func:`from_mapping`.

    """
    plain: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    problems: list[str] = []
    for full_key, text in config.items():
        if not full_key.startswith(_NAMESPACE):
            continue
        key = full_key.removeprefix(_NAMESPACE)
        is_secret = key in SECRET_KEYS and full_key in secret_keys
        try:
            value = _value(key, text)
        except ValueError:
            what = "" if key in SECRET_KEYS else f"{shown(text)} "
            problems.append(f"{full_key}: {what}is refused: keys with values are wanted here.")
        else:
            (secrets if is_secret else plain)[key] = value
    try:
        settings = from_mapping(name, plain, secrets)
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def refuse_missing_secrets(settings: Settings) -> None:
    """Refuse settings that speak of secrets which the stack file does not have.

    Raises:
        SettingsError: naming each, and who speaks of it.

    """
    if missing := settings.missing_secrets:
        raise SettingsError([secret.in_stack_file for secret in missing])


def from_config_file(name: str, path: Path, secrets: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a ``config.yaml`` as the seed's page has it.

    Raises:
        SettingsError: keys are named as that file writes them.

    """
    return from_yaml(name, path.name, yaml_file.read(path), secrets)


def from_yaml(
    name: str, file_name: str, content: bytes, secrets: Mapping[str, Any] | None = None
) -> Settings:
    """As :func:`from_config_file`, from the file's bytes."""
    return from_document(name, file_name, yaml_file.parse(file_name, content), secrets)


def from_document(
    name: str, file_name: str, document: Mapping[Any, Any], secrets: Mapping[str, Any] | None = None
) -> Settings:
    """As :func:`from_config_file`, from what the file holds.

    Below ``archi:`` are the keys that a stack file has as ``archi:<key>``, ``services:`` stands
    beside it; a ``name:`` must be the deployment's.
    """
    head = f"{file_name} can't be used:"
    problems = []
    own = document.get("archi") or {}
    if not isinstance(own, dict):
        problems.append(f"archi: {shown(own)} is refused: keys with values are wanted here.")
    elif "services" in own and "services" in document:
        problems.append("archi.services: services stands beside archi already; take one out.")
    if document.get("name", name) != name:
        problems.append(
            f"name: {shown(document['name'])} is not {name!r}, the name of this deployment. Take "
            "it out, or make it the same."
        )
    problems += [
        f"{shown(key).strip(chr(39))}: unknown key. Known here: archi, name, services."
        for key in document
        if key not in ("archi", "name", "services")
    ]
    try:
        settings = from_mapping(name, stack_config(document), secrets)
    except SettingsError as error:
        raise SettingsError([*problems, *map(_as_written_there, error.problems)], head) from None
    if problems:
        raise SettingsError(problems, head)
    return settings


def stack_config(document: Mapping[Any, Any]) -> dict[str, Any]:
    """A ``config.yaml``'s settings by the keys that a stack file has below ``archi:``."""
    own = document.get("archi")
    config = {str(key): value for key, value in own.items()} if isinstance(own, dict) else {}
    if document.get("services") is not None:
        config["services"] = document["services"]
    return config


_ENV_NAMES = {
    "hf_token": "HF_TOKEN",
    "vllm_api_key": "VLLM_API_KEY",
    "postgres_password": "POSTGRES_PASSWORD",
    "session_key": "SESSION_KEY",
    "oidc_client_secret": "OIDC_CLIENT_SECRET",
    "tls_key": "TLS_KEY",
    "metrics_token": "METRICS_TOKEN",
    "env_secrets": "its own name",
}


def _in_plain(key: str) -> str:
    path = " --path 'archi:env_secrets.NAME'" if key == "env_secrets" else f" archi:{key}"
    return (
        f"archi:{key}: a secret stands here in plain text. Take it out, and "
        f"`pulumi config set --secret{path}` (it asks for the value)."
    )


def _as_written_there(problem: str) -> str:
    """A problem's keys as config.yaml writes them, and its mends as its reader can do them."""
    for key, variable in _ENV_NAMES.items():
        if problem == _in_plain(key):
            return (
                f"archi.{key}: a secret stands here in plain text. Take it out, and put it into "
                f".env as {variable}."
            )
    problem = problem.replace("archi:services", "services").replace("of this stack", "")
    return re.sub(r"\barchi:(?=\w)", "archi.", problem)


def _value(key: str, text: str) -> Any:  # noqa: ANN401 - JSON
    """What a key holds: JSON for objects and lists, else the text itself.

    Raises:
        ValueError: an object is wanted, and this is no JSON.

    """
    if key in _OBJECTS:
        return json.loads(text)
    if key in _LISTS and text.startswith("["):
        return json.loads(text)
    return text
