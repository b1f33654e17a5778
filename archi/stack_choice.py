"""Which stack ``make up`` takes, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archi.public_services import MODEL_HUB, REGISTRY, Service, reachable

LOCAL, OFFLINE = "local", "offline"


@dataclass(frozen=True)
class Choice:
    """A stack's name and the reason in words."""

    stack: str
    why: str


def choose(
    asked: str | None, remembered: str | None, answers: Callable[[Service], bool] = reachable
) -> Choice:
    """The stack that was asked for, else the one of last time, else by what can be reached."""
    if asked:
        return Choice(asked, "STACK says so")
    if remembered:
        return Choice(remembered, "as last time; STACK=… chooses another")
    missing = [service for service in (REGISTRY, MODEL_HUB) if not answers(service)]
    if not missing:
        return Choice(LOCAL, f"{REGISTRY.name} and {MODEL_HUB.name} answer")
    out_of_reach = " and ".join(f"{service.name} ({service.used_for})" for service in missing)
    return Choice(OFFLINE, f"no answer from {out_of_reach}; packages serve instead")
