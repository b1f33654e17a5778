"""Whose request this is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import cast
from uuid import UUID

from flask import g

from chatbot.data.tables import EVERYONE, User, UserRole
from chatbot.failures import Failure


class By(Enum):
    """How a request says whose it is."""

    NOTHING = "nothing"
    SESSION = "session"
    KEY = "key"


@dataclass(frozen=True)
class Principal:
    """An account that a request acts for. Everything that is read or changed is this account's.

    ``by_id`` is the session's or the key's id.
    """

    user_id: UUID
    name: str
    role: UserRole
    by: By = By.NOTHING
    by_id: UUID | None = None

    @classmethod
    def of(cls, user: User, by: By, by_id: UUID) -> Principal:
        """Act for an account."""
        return cls(user.id, user.name, UserRole(user.role), by, by_id)


# Where nobody logs in: one account for all, which may do everything but manage accounts.
EVERYBODY = Principal(EVERYONE, "everyone", UserRole.USER)


def current() -> Principal:
    """Return the account of the request that is being handled."""
    return cast(Principal, g.principal)


def in_person() -> Principal:
    """Return the account, where somebody has logged in: a key must not beget keys or accounts.

    Where nobody logs in, whoever reaches the application is its owner.

    Raises:
        Failure: 403, the request comes with a key.
    """
    found = current()
    if found.by is By.KEY:
        raise Failure(
            "key_not_enough",
            "An API key cannot manage keys, accounts and sessions.",
            "Log in on the page.",
            status=403,
        )
    return found


def manager(refusal: Callable[[], Failure] | None = None) -> Principal:
    """Return the account, where it may manage accounts.

    Args:
        refusal: what an account is told that may not; by default that only admins may.

    Raises:
        Failure: 403, it may not, or ``refusal``'s; 409, nobody logs in here.
    """
    found = in_person()
    if found.by is By.NOTHING:
        raise no_accounts()
    if found.role is not UserRole.ADMIN:
        raise (refusal or _admins_only)()
    return found


def overseer() -> Principal:
    """Return the account, where it may see usage and state: an admin's, or this machine's owner.

    Raises:
        Failure: 403, it may not.
    """
    found = current()
    if found.by is not By.NOTHING and found.role is not UserRole.ADMIN:
        raise _admins_only()
    return found


def no_accounts() -> Failure:
    """Say that nobody logs in here."""
    return Failure(
        "no_accounts",
        "Nobody logs in here, so there are no accounts.",
        "Set services.chatbot.auth.mode to local or oidc and run `pulumi up`.",
        status=409,
    )


def _admins_only() -> Failure:
    return Failure("admins_only", "Only admins may do this.", "Ask an admin.", status=403)
