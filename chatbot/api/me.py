"""Who one is, one's password and one's sessions: ``/api/me``, ``/api/logout``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from chatbot.access import audit_trail, passwords, rates, sessions
from chatbot.access.principal import By, Principal, current, in_person, no_accounts
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import Body, Shown, Text
from chatbot.data import accounts, login_sessions
from chatbot.data.audit import Action
from chatbot.data.tables import User, UserRole
from chatbot.failures import Failure
from chatbot.services import services

api = blueprint("me", __name__)

May = Literal["keys", "password", "logout", "usage", "accounts"]


class Me(BaseModel):
    """The request's account.

    ``auth`` is how people log in here; ``may`` what the page offers this account: to manage its
    ``keys``, change its ``password``, ``logout``, see ``usage``, manage ``accounts``. Changes are
    sent with ``csrf_token`` as ``X-CSRF-Token``, where it is not null.
    """

    id: UUID
    name: str
    role: UserRole
    auth: Literal["none", "local", "oidc"]
    may: list[May]
    csrf_token: str | None


class PasswordChange(Body):
    """The password now, and the one that is to be."""

    # Space belongs to a password.
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    current: Text = Field(max_length=4 * passwords.MAX_CHARS)
    new: Text = Field(max_length=4 * passwords.MAX_CHARS)


class Logout(Body):
    """Whether all of the account's sessions end, on every device."""

    everywhere: bool = False


class LoggedOut(BaseModel):
    """Where the browser goes next: the login page, or the provider, which ends its session too."""

    next: str


class ShownSession(Shown):
    """A session of the account: since when, seen when, from where. ``current``: this one."""

    id: UUID
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool = False


class SessionList(BaseModel):
    """The account's sessions, the newest first."""

    sessions: list[ShownSession]


class SessionPath(BaseModel):
    """The path of one session."""

    session_id: UUID


@api.get("/me", responses={"200": Me})
def show_me() -> dict[str, Any]:
    """Say whose request this is, and what that account may do."""
    principal = current()
    return shown(
        Me(
            id=principal.user_id,
            name=principal.name,
            role=principal.role,
            auth=services().settings.access.mode,
            may=_may(principal),
            csrf_token=sessions.csrf_token() if principal.by is By.SESSION else None,
        )
    )


@api.post("/me/password", responses={"204": None, **errors(400, 403, 409, 415, 429, 503)})
def change_password(body: PasswordChange) -> tuple[str, int]:
    """Change one's password; all other sessions of the account end."""
    principal = _logged_in()
    parts = services()
    parts.rates.take(rates.PASSWORD, str(principal.user_id))
    with parts.database.read() as session:
        user = accounts.get(session, principal.user_id)
    if user.password_hash is None:
        raise Failure(
            "no_password",
            "This account has no password here.",
            "Change it where you log in.",
            status=409,
        )
    if not passwords.matches(body.current, user.password_hash):
        raise Failure(
            "wrong_password",
            "The present password is another one.",
            "Type it again.",
            status=403,
            param="current",
        )
    passwords.check_new(body.new, user.name)
    kept = passwords.hashed(body.new)
    with parts.database.write() as session:
        user = accounts.get(session, principal.user_id)
        user.password_hash = kept
        login_sessions.end_all(session, user, besides=principal.by_id)
        audit_trail.record(session, Action.PASSWORD_CHANGED, target=user.name)
    return "", 204


@api.get("/me/sessions", responses={"200": SessionList, **errors(403, 409)})
def list_sessions() -> dict[str, Any]:
    """List where one is logged in."""
    principal = _logged_in()
    with services().database.read() as session:
        rows = login_sessions.listing(session, principal.user_id)
    found = [ShownSession.model_validate(row) for row in rows]
    for one in found:
        one.current = one.id == principal.by_id
    return shown(SessionList(sessions=found))


@api.delete("/me/sessions/<uuid:session_id>", responses={"204": None, **errors(403, 404, 409)})
def end_session(path: SessionPath) -> tuple[str, int]:
    """End one of one's sessions."""
    principal = _logged_in()
    with services().database.write() as session:
        login_sessions.end_own(session, path.session_id, principal.user_id)
        audit_trail.record(session, Action.LOGOUT, target=str(path.session_id))
    return "", 204


@api.post("/logout", responses={"200": LoggedOut, **errors(400, 403, 409, 415)})
def log_out(body: Logout) -> dict[str, Any]:
    """Log out, here or everywhere."""
    principal = _logged_in()
    parts = services()
    known = sessions.find(parts)
    where = "/login"
    if known is not None:
        where = (parts.provider and parts.provider.logout_url(known[0].id_token)) or where
    with parts.database.write() as session:
        if principal.by_id is not None:
            login_sessions.end(session, principal.by_id)
        if body.everywhere:
            login_sessions.end_all(session, _row(session.get(User, principal.user_id)))
        action = Action.LOGOUT_EVERYWHERE if body.everywhere else Action.LOGOUT
        audit_trail.record(session, action)
    sessions.forget()
    return shown(LoggedOut(next=where))


def _logged_in() -> Principal:
    principal = in_person()
    if principal.by is By.NOTHING:
        raise no_accounts()
    return principal


def _row(user: User | None) -> User:
    if user is None:
        raise accounts.not_found()
    return user


def _may(principal: Principal) -> list[May]:
    if principal.by is By.NOTHING:
        return ["keys", "usage"]
    admin = principal.role is UserRole.ADMIN
    found: list[May] = ["usage"] if admin else []
    if principal.by is By.SESSION:
        found += ["keys", "logout"]
        found += ["password"] if services().settings.access.mode == "local" else []
        found += ["accounts"] if admin else []
    return found
