"""The settings of a stack file without its secrets: what can be known without a passphrase."""

from __future__ import annotations

from pathlib import Path

import yaml

from archi import project, pulumi_cli
from archi.settings import SECRET_KEYS, Settings, from_mapping


def plain(root: Path, stack: str) -> Settings:
    """Settings of a stack from its file; secrets are left out, for pulumi alone opens them.

    Raises:
        Refused: the stack has no file.
        SettingsError: the file says something that can't be.

    """
    path = project.stack_file(root, stack)
    if not path.exists():
        raise pulumi_cli.Refused(pulumi_cli.no_such_stack(root, stack))
    config = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
    without_secrets = {
        key.removeprefix("archi:"): value
        for key, value in config.items()
        if key.startswith("archi:") and key.removeprefix("archi:") not in SECRET_KEYS
    }
    return from_mapping(stack, without_secrets)
