"""Docker health checks as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthCheck:
    """A Docker health check; durations in Go's canonical form, which Docker reads back."""

    test: tuple[str, ...]
    interval: str
    timeout: str
    retries: int
    start_period: str


def go_duration(seconds: int) -> str:
    """Seconds as Go prints a duration: ``1h0m0s``, ``1m30s``, ``45s``."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
