"""Where the project and a person's own state lie."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout that this package belongs to."""


SHIPPED = ("external", "gpu", "gpu-hostmode", "local", "multi-gpu", "offline", "prod")
"""The stacks that come with the project, as .gitignore has them; all others are people's own."""


def find_root(start: Path) -> Path:
    """The folder with our ``Pulumi.yaml``, upward from ``start``; else this package's checkout."""
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "archi").is_dir():
            return folder
    return ROOT


def home() -> Path:
    """A person's state and passphrase, over all deployments: ``~/.archi``, or ``$ARCHI_DIR``."""
    return Path(os.environ.get("ARCHI_DIR") or Path.home() / ".archi")


def stack_file(root: Path, stack: str) -> Path:
    """The stack file of a stack, there or not."""
    return root / "stacks" / f"Pulumi.{stack}.yaml"


def stacks(root: Path) -> list[str]:
    """Names of the stacks that have a file."""
    files = (root / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)
