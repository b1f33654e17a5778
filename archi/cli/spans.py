"""Spans of time and sizes for people."""

from __future__ import annotations

from datetime import datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits: ``5 s``, ``12 min``, ``3 h``, ``4 d``."""
    if then is None:
        return "–"
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
