"""The settings of a stack as its file has them, its secrets left closed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from archi import project, pulumi_cli
from archi.settings import SECRET_KEYS, Settings, SettingsError, from_mapping


def plain(root: Path, stack: str) -> Settings:
    """The settings without the secrets, whose values are for pulumi to open.

    Raises:
        Refused: the stack has no file (`archi.pulumi_cli.Refused`).
        SettingsError: the file is no YAML, or says what can't be.

    """
    if not project.stack_file(root, stack).exists():
        raise pulumi_cli.Refused(pulumi_cli.no_such_stack(root, stack))
    config = document(root, stack).get("config") or {}
    if not isinstance(config, dict):
        raise SettingsError(["config: keys with values are wanted here."])
    return of_config(stack, config)


def of_config(stack: str, config: Mapping[Any, Any]) -> Settings:
    """The settings that the ``config`` of a stack file comes to, without the secrets.

    Raises:
        SettingsError: it says what can't be.

    """
    ours = {
        str(key).removeprefix("archi:"): value
        for key, value in config.items()
        if str(key).startswith("archi:")
    }
    return from_mapping(stack, {key: ours[key] for key in ours if key not in SECRET_KEYS})


def document(root: Path, stack: str) -> dict[str, Any]:
    """The stack file as it stands, secrets encrypted; empty where there is none.

    Raises:
        SettingsError: the file is no YAML, or can't be read.

    """
    path = project.stack_file(root, stack)
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise SettingsError([what], f"stacks/{path.name} can't be read:") from None
    return content if isinstance(content, dict) else {}
