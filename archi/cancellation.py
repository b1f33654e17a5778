"""How Ctrl-C reaches work that Pulumi does not interrupt.

Pulumi lets a dynamic resource finish. So who starts it (the wrapper, ``make up``) names a file in
``ARCHI_CANCEL_FILE`` and writes it on Ctrl-C; gate and one-shots look for it each second.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ARCHI_CANCEL_FILE"


class Cancelled(Exception):
    """The user broke off."""

    def __str__(self) -> str:
        return "Broken off. Nothing is lost; the same command takes up the work again."


def cancelled() -> bool:
    """Whether the user has asked to break off."""
    path = os.environ.get(VARIABLE)
    return bool(path) and Path(path or "").exists()
