"""A Pulumi stack for tests, run by the installed toolchain."""

import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation

PREFIX = "bridge-test-"
Program = Callable[[], None]


@dataclass(frozen=True)
class Change:
    """What the engine says it does to one resource."""

    op: str
    reasons: dict[str, str] = field(default_factory=dict)


class Stack:
    """A Pulumi stack whose program may be another one each time."""

    def __init__(self, bin_folder: Path, home: Path, folder: Path) -> None:
        self.name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
        self._backend = folder / "backend"
        self._backend.mkdir()
        self._stack = automation.create_stack(
            stack_name="test",
            project_name="bridge",
            program=lambda: None,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(folder),
                pulumi_home=str(home),
                pulumi_command=automation.PulumiCommand(str(bin_folder.parent)),
                env_vars=environment(bin_folder, home, self._backend),
            ),
        )

    def up(self, program: Program, *, refresh: bool = False) -> dict[str, int]:
        """Deploy; the counts are by kind of change."""
        return counts(self._stack.up(program=program, refresh=refresh).summary.resource_changes)

    def refresh(self) -> dict[str, int]:
        """Read back everything; the counts are by kind of change."""
        return counts(self._stack.refresh().summary.resource_changes)

    def preview(self, program: Program, *, refresh: bool = False) -> dict[str, Change]:
        """What would change, by the resource's name; what stays is left out."""
        changes: dict[str, Change] = {}

        def note(event: automation.EngineEvent) -> None:
            step = event.resource_pre_event and event.resource_pre_event.metadata
            if step and step.op.value in ("create", "update", "replace", "delete", "import"):
                reasons = {
                    path: reason.diff_kind.value
                    for path, reason in (step.detailed_diff or {}).items()
                }
                changes[step.urn.rpartition("::")[2]] = Change(step.op.value, reasons)

        self._stack.preview(program=program, refresh=refresh, on_event=note)
        return changes

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return {name: output.value for name, output in self._stack.outputs().items()}

    def destroy(self) -> None:
        """Delete everything."""
        self._stack.destroy()

    def state(self) -> dict[str, dict[str, Any]]:
        """The recorded resources by name, secrets encrypted."""
        resources = (self._stack.export_stack().deployment or {})["resources"]
        return {resource["urn"].rpartition("::")[2]: resource for resource in resources}

    def files(self) -> str:
        """All that the backend has on disk, as one text."""
        texts = (f.read_text(errors="replace") for f in self._backend.rglob("*") if f.is_file())
        return "\n".join(texts)


def counts(changes: Any) -> dict[str, int]:
    """Counts of changes with plain strings as keys."""
    return {getattr(op, "value", op): count for op, count in (changes or {}).items()}


def environment(bin_folder: Path, home: Path, backend: Path) -> dict[str, str]:
    """What Pulumi needs to run from this toolchain and nothing else."""
    return {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
    }
