"""``pulumi preview`` of a stack file that is not written yet."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from archi import pulumi_cli, stack_file
from archi.pulumi_cli import Pulumi
from archi.stack_file import Content

# What Pulumi's backend of files keeps of a stack that was made and never updated
# (pulumi/pulumi, sdk/go/common/apitype/stacks.go, v3.259.0).
_EMPTY = {"version": 3, "checkpoint": {"latest": None}}


def preview(pulumi: Pulumi, name: str, content: Content, phrase: str) -> int:
    """Run it in the foreground against the stack's own state; gives pulumi's exit code.

    A stack that is not in the backend is previewed against an empty one, in a backend that is
    thrown away: a dry run leaves nothing.
    """
    with tempfile.TemporaryDirectory(prefix="archi-dry-") as folder:
        file = Path(folder) / f"Pulumi.{name}.yaml"
        salted = pulumi.root / "stacks" / file.name
        if salted.exists():
            file.write_bytes(salted.read_bytes())  # for its salt
        stack_file.write(file, name, content, phrase)
        if not pulumi_cli.in_backend(pulumi):
            states = Path(folder) / "state" / ".pulumi" / "stacks" / pulumi_cli.PROJECT
            states.mkdir(parents=True)
            checkpoint = {**_EMPTY["checkpoint"], "stack": f"organization/archi/{name}"}  # type: ignore[dict-item]
            (states / f"{name}.json").write_text(json.dumps({**_EMPTY, "checkpoint": checkpoint}))
            backend = {"PULUMI_BACKEND_URL": f"file://{folder}/state"}
            pulumi = replace(pulumi, environment={**pulumi.environment, **backend})
        return pulumi.run(
            ["preview", "--diff", "--non-interactive", "--stack", name, "--config-file", str(file)]
        )
