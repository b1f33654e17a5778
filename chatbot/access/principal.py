"""Whose request this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from flask import Flask, g

from chatbot.data.tables import EVERYONE, UserRole


@dataclass(frozen=True)
class Principal:
    """An account that a request acts for. Everything that is read or changed is this account's."""

    user_id: UUID
    name: str
    role: UserRole


# Where nobody logs in: one account for all, which may do everything but manage accounts.
_EVERYONE = Principal(EVERYONE, "everyone", UserRole.USER)


def current() -> Principal:
    """Return the account of the request that is being handled."""
    return cast(Principal, g.principal)


def identify(app: Flask) -> None:
    """Have every request know its account before a view sees it."""
    app.before_request(_identify)


def _identify() -> None:
    g.principal = _EVERYONE
