"""A copy of this checkout with a state of its own, driven as a person drives it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(sys.prefix)


@dataclass
class Checkout:
    """A copy under ``path``; what Pulumi keeps for it lies under ``home``."""

    path: Path
    home: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        # The person's own stack, passphrase and backend must not reach the tests, nor theirs them.
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "ARCHI_", "SMOKE_")) and name != "STACK"
        }
        if "ARCHI_CACHE" in os.environ:
            outside["ARCHI_CACHE"] = os.environ["ARCHI_CACHE"]
        self.environment = {**outside, "ARCHI_DIR": str(self.home), "COLUMNS": "200"}

    @classmethod
    def of_tree(cls, folder: Path) -> Checkout:
        """Copy what git would commit, times kept, so that nothing looks newer than it is."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        path = folder / "checkout"
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, path / name)
        return cls(path, folder / "home")

    def make(self, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``make TARGET``; its output is both streams, in order."""
        said = [f"{name}={value}" for name, value in variables.items()]
        # The environment is this checkout's: a copy must not make it anew, and so its own.
        made = [part for mark in (".ready", ".dev") for part in ("-o", str(VENV / mark))]
        return self._run(["make", *made, target, f"VENV={VENV}", *said])

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the wrapper as ``.venv/bin/pulumi`` runs it, on this copy's code."""
        return self._run([sys.executable, "-m", "archi.pulumi_cli", *arguments])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the wrapper in a process group of its own, to be watched and killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "archi.pulumi_cli", *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def pulumi_json(self, *arguments: str) -> Any:
        """Run the wrapper and read its standard output as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "archi.pulumi_cli", *arguments],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def up(self, stack: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``pulumi up`` without questions."""
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", stack, *arguments)

    def changes(self, stack: str) -> dict[str, int]:
        """What the last update did, by kind of step: ``{"same": 20}``."""
        history = self.pulumi_json(
            "stack", "history", "--json", "--page-size", "1", "--stack", stack
        )
        return dict(history[0]["resourceChanges"])

    def stack(self, name: str, copy_of: str, **config: Any) -> Path:
        """Write a stack file: a shipped one with keys under ``archi:`` merged over it."""
        content = yaml.safe_load((self.path / f"stacks/Pulumi.{copy_of}.yaml").read_text())
        for key, value in config.items():
            content["config"][f"archi:{key}"] = _merged(
                content["config"].get(f"archi:{key}"), value
            )
        path = self.path / f"stacks/Pulumi.{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
    return new
