"""The session of somebody who has logged in, as the browser's cookie and this request know it."""

from __future__ import annotations

import contextlib
import hmac
import secrets
from datetime import timedelta

from flask import Flask, request, session
from sqlalchemy.exc import SQLAlchemyError

from chatbot.access.principal import By, Principal
from chatbot.data import accounts, login_sessions
from chatbot.data.login_sessions import LASTS
from chatbot.data.tables import LoginSession, User
from chatbot.failures import Failure
from chatbot.services import Services

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"

_TOKEN = "sid"  # noqa: S105 - a name
_CSRF = "csrf"


def use_cookies(app: Flask, *, secure: bool) -> None:
    """Set what the cookie is like: only this application's, not for scripts, not for others."""
    app.config.update(
        # Browsers take a name that begins so only from the host itself, by TLS, for all paths.
        SESSION_COOKIE_NAME="__Host-archi_session" if secure else "archi_session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_PATH="/",
        # Strict would not be sent when an OIDC provider sends somebody back.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LASTS,
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def begin(
    parts: Services, user: User, *, lasts: timedelta = LASTS, id_token: str | None = None
) -> None:
    """Begin a session of an account, under a new id, in place of the one before."""
    old = session.get(_TOKEN)
    with parts.database.write() as database:
        if isinstance(old, str) and (known := login_sessions.find(database, old)):
            login_sessions.end(database, known[0].id)
        login_sessions.forget_old(database)
        token = login_sessions.begin(
            database,
            accounts.get(database, user.id),
            address=request.remote_addr or "",
            user_agent=request.user_agent.string,
            lasts=lasts,
            id_token=id_token,
        )
    session.clear()
    session.permanent = True
    session[_TOKEN] = token
    session[_CSRF] = secrets.token_urlsafe(24)


def carried() -> bool:
    """Whether the request has the cookie of a session, be it over or not. It asks nobody."""
    return isinstance(session.get(_TOKEN), str)


def find(parts: Services) -> tuple[LoginSession, User] | None:
    """Return the request's session and its account; None where there is none or it is over."""
    token = session.get(_TOKEN)
    if not isinstance(token, str):
        return None
    with parts.database.read() as database:
        return login_sessions.find(database, token)


def principal(parts: Services) -> Principal | None:
    """Return whose session the request has; None where nobody's."""
    found = find(parts)
    if found is None:
        return None
    row, user = found
    if login_sessions.stale(row):
        # Not worth a failing request.
        with contextlib.suppress(SQLAlchemyError), parts.database.write() as database:
            login_sessions.seen(database, row.id)
    return Principal.of(user, By.SESSION, row.id)


def forget() -> None:
    """Take the cookie back."""
    session.clear()


def csrf_token() -> str:
    """Return what every change by this browser must be sent with; made where there is none."""
    found = session.get(_CSRF)
    if not isinstance(found, str):
        found = session[_CSRF] = secrets.token_urlsafe(24)
    return found


def check_csrf(given: str | None) -> None:
    """Refuse a change that does not come from a page of this session.

    Raises:
        Failure: 403.
    """
    wanted = session.get(_CSRF)
    if (
        not isinstance(wanted, str)
        or given is None
        or not hmac.compare_digest(given.encode(), wanted.encode())
    ):
        raise Failure(
            "csrf_refused",
            "The change was not asked for by a page of this session.",
            f"Reload the page and try again. Programs send `csrf_token` of /api/me as "
            f"{CSRF_HEADER}, or use an API key.",
            status=403,
        )
