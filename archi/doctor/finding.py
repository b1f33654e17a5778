"""What doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "warning", "problem", "skipped"]
"""``note`` is worth knowing and no more; ``skipped`` was not looked at, and says why."""


@dataclass(frozen=True)
class Finding:
    """One line of doctor's.

    Attributes:
        check: stable name of what was looked at, for scripts.
        state: whether it is a problem.
        found: a sentence on what was found.
        mend: what to run or change; empty where there is nothing to mend.

    """

    check: str
    state: State
    found: str
    mend: str = ""


def amount(mib: float) -> str:
    """An amount of memory for people: ``23.5 GiB``, ``512 MiB``."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"
