"""What the shell offers behind a command: quick, so without asking Docker."""

from __future__ import annotations

import contextlib


def deployments(incomplete: str) -> list[str]:
    """Deployments with a stack file or a state, those that begin as typed."""
    from pathlib import Path

    from archi import project
    from archi.deployments import pulumi_state
    from archi.pulumi_cli import Refused

    names = set(project.stacks(project.find_root(Path.cwd())))
    with contextlib.suppress(Refused):  # the shell has no place for a refusal
        names |= pulumi_state.stacks()
    return sorted(name for name in names if name.startswith(incomplete))


def services(incomplete: str) -> list[str]:
    """Services of ours, those that begin as typed."""
    from archi.deployments.services import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]
