"""The commands of docs/ci's examples, run as GitHub's and GitLab's runners run them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.checkout import ROOT, VENV, Checkout

GITHUB = ROOT / "docs" / "ci" / "github-actions.yml"
GITLAB = ROOT / "docs" / "ci" / "gitlab-ci.yml"


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true, and GitHub does not.
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    if True in content:
        content["on"] = content.pop(True)
    return content


@dataclass(frozen=True)
class Step:
    """One command of a job; ``always`` where it runs after a failure too."""

    command: str
    always: bool = False


def steps(system: str, job: str) -> list[Step]:
    """The commands of a job: GitHub's steps, GitLab's one script."""
    if system == "gitlab":
        content = load(GITLAB)
        lines = [*content[".archi"]["before_script"], *content[job]["script"]]
        return [Step("\n".join(lines))]
    return [
        Step(step["run"], "cancelled()" in str(step.get("if")))
        for step in load(GITHUB)["jobs"][job]["steps"]
        if "run" in step
    ]


@dataclass
class Runner:
    """A runner that has checked out ``checkout``, with the variables that a project sets."""

    checkout: Checkout
    system: str
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        venv = self.checkout.path / ".venv"
        if not venv.exists():
            venv.symlink_to(VENV)
        # The virtual environment is there already, and no older than what it is made from.
        for name in ("requirements.txt", "pyproject.toml"):
            os.utime(self.checkout.path / name, (0, 0))

    def run(
        self, job: str, stack: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a job for a stack; its output is that of all its steps."""
        environment = {
            **self.checkout.environment,
            **self.variables,
            **(variables or {}),
            "STACK": stack,
        }
        said, code = "", 0
        for step in steps(self.system, job):
            if code and not step.always:
                continue
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.command],
                cwd=self.checkout.path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            said += done.stdout
            code = code or done.returncode
        return subprocess.CompletedProcess(job, code, said)
