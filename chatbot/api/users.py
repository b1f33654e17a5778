"""Accounts, for admins: ``/api/users``.

To everybody else no account has an id: theirs gives 404, as one does that there is not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from chatbot.access import audit_trail, passwords
from chatbot.access.principal import manager
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import Body, NotBlank, Shown, Text
from chatbot.data import accounts, login_sessions
from chatbot.data.audit import Action
from chatbot.data.tables import User, UserRole
from chatbot.failures import Failure
from chatbot.services import services

api = blueprint("users", __name__)

_ONE = "/users/<uuid:user_id>"


class NewUser(Body):
    """An account that is to be made; who it is for changes the password at once."""

    # Space belongs to a password.
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    name: NotBlank = Field(max_length=accounts.MAX_NAME_CHARS)
    password: Text = Field(max_length=4 * passwords.MAX_CHARS)
    role: UserRole = UserRole.USER


class UserChange(Body):
    """What is to be changed of an account."""

    role: UserRole | None = None
    disabled: bool | None = None


class NewPassword(Body):
    """The password that an admin gives somebody who has lost theirs."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    password: Text = Field(max_length=4 * passwords.MAX_CHARS)


class ShownUser(Shown):
    """An account. ``provider``: it is one of the OIDC provider, and has no password here."""

    id: UUID
    name: str
    role: UserRole
    disabled: bool
    provider: bool
    created_at: datetime
    last_login_at: datetime | None

    @classmethod
    def of(cls, row: User) -> Self:
        """Show a row."""
        return cls(
            id=row.id,
            name=row.name,
            role=UserRole(row.role),
            disabled=row.disabled_at is not None,
            provider=row.oidc_issuer is not None,
            created_at=row.created_at,
            last_login_at=row.last_login_at,
        )


class UserList(BaseModel):
    """All accounts, by name."""

    users: list[ShownUser]


class UserPath(BaseModel):
    """The path of one account."""

    user_id: UUID


@api.get("/users", responses={"200": UserList, **errors(403, 409)})
def list_users() -> dict[str, Any]:
    """List all accounts."""
    manager()
    with services().database.read() as session:
        rows = accounts.people(session)
    return shown(UserList(users=[ShownUser.of(row) for row in rows]))


@api.post("/users", responses={"201": ShownUser, **errors(400, 403, 409, 415, 503)})
def create_user(body: NewUser) -> tuple[dict[str, Any], int]:
    """Make an account."""
    manager()
    _passwords_only()
    passwords.check_new(body.password, accounts.checked_name(body.name))
    kept = passwords.hashed(body.password)
    with services().database.write() as session:
        user = accounts.create(session, body.name, body.role, kept)
        audit_trail.record(session, Action.USER_CREATED, target=user.name, role=str(body.role))
        made = ShownUser.of(user)
    return shown(made), 201


@api.patch(_ONE, responses={"200": ShownUser, **errors(400, 403, 404, 409, 415)})
def change_user(path: UserPath, body: UserChange) -> dict[str, Any]:
    """Change an account's role, or disable it: its sessions end, its keys rest."""
    manager(accounts.not_found)
    with services().database.write() as session:
        accounts.alone(session)
        user = accounts.get(session, path.user_id)
        if body.role is not None:
            _check_role(user)
            user.role = body.role
        if body.disabled is not None:
            accounts.disable(session, user, disabled=body.disabled)
        accounts.keep_an_admin(session)
        changes = body.model_dump(mode="json", exclude_none=True)
        audit_trail.record(session, Action.USER_CHANGED, target=user.name, **changes)
        made = ShownUser.of(user)
    return shown(made)


@api.post(f"{_ONE}/password", responses={"204": None, **errors(400, 403, 404, 409, 415, 503)})
def reset_password(path: UserPath, body: NewPassword) -> tuple[str, int]:
    """Give an account a new password; its sessions end."""
    manager(accounts.not_found)
    _passwords_only()
    with services().database.read() as session:
        name = accounts.get(session, path.user_id).name
    passwords.check_new(body.password, name)
    kept = passwords.hashed(body.password)
    with services().database.write() as session:
        user = accounts.get(session, path.user_id)
        user.password_hash = kept
        login_sessions.end_all(session, user)
        audit_trail.record(session, Action.PASSWORD_RESET, target=user.name)
    return "", 204


@api.delete(_ONE, responses={"204": None, **errors(403, 404, 409)})
def delete_user(path: UserPath) -> tuple[str, int]:
    """Delete an account with all that it has: conversations, documents, keys."""
    principal = manager(accounts.not_found)
    parts = services()
    with parts.database.write() as session:
        accounts.alone(session)
        user = accounts.get(session, path.user_id)
        name = user.name
        deleted, answering = accounts.remove(session, user)
        accounts.keep_an_admin(session)
        # Who deletes their own account is not there any more to be referred to.
        own = name if path.user_id == principal.user_id else ""
        audit_trail.record(
            session, Action.USER_DELETED, target=name, user_name=own, conversations=deleted
        )
    for conversation_id in answering:
        parts.runs.end_conversation(conversation_id)
    return "", 204


def _passwords_only() -> None:
    if services().settings.access.mode != "local":
        raise Failure(
            "accounts_elsewhere",
            "Accounts are made, and passwords changed, at the provider.",
            "An account appears here at its first login.",
            status=409,
        )


def _check_role(user: User) -> None:
    oidc = services().settings.access.oidc
    if oidc is not None and oidc.admin_group is not None and user.oidc_issuer is not None:
        raise Failure(
            "role_elsewhere",
            f"Admins are the members of {oidc.admin_group!r} at the provider.",
            "Change the group there; it counts from the next login.",
            status=409,
        )
