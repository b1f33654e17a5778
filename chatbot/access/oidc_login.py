"""The way to the OIDC provider and back: ``/oidc/login``, ``/oidc/callback``."""

from __future__ import annotations

import sqlite3

import structlog
from flask import Blueprint, redirect, request, session
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from chatbot.access import audit_trail, oidc, rates, sessions
from chatbot.access.login_page import DATABASE_DOWN, login_form, note_database, safe_next
from chatbot.data import accounts
from chatbot.data.audit import Action
from chatbot.data.login_sessions import LASTS_OIDC
from chatbot.data.tables import User, UserRole
from chatbot.failures import Failure
from chatbot.services import Services, services

blueprint = Blueprint("oidc", __name__, url_prefix="/oidc")
log = structlog.get_logger(__name__)

_NEXT = "oidc_next"
_STATE_PREFIX = "_state_"
_STATE_LASTS = 3600


@blueprint.get("/login")
def begin() -> AnyResponse:
    """Send the browser to the provider."""
    parts = services()
    try:
        provider = _provider(parts)
        parts.rates.take(rates.LOGIN_ADDRESS, request.remote_addr or "")
        # The cookie has room for one login at a time.
        for key in [key for key in session if key.startswith(_STATE_PREFIX)]:
            del session[key]
        session[_NEXT] = safe_next(request.args.get("next"))
        response: AnyResponse = provider.begin()
    except Failure as failure:
        return login_form(failure)
    return response


@blueprint.get("/callback")
def callback() -> AnyResponse:
    """Take the browser back from the provider, and log in."""
    parts = services()
    try:
        provider = _provider(parts)
        _check_state(parts, provider)
        claims, id_token = provider.finish()
        user = _account(parts, provider, claims)
        where = safe_next(session.get(_NEXT))
        sessions.begin(parts, user, lasts=LASTS_OIDC, id_token=id_token)
    except Failure as failure:
        log.warning("oidc_login_failed", code=failure.code, message=failure.message)
        _put_down(parts, failure)
        return login_form(failure)
    except SQLAlchemyError as error:
        note_database(error)
        return login_form(DATABASE_DOWN)
    return redirect(where, 303)


def _provider(parts: Services) -> oidc.Provider:
    if parts.provider is None:
        raise Failure("no_provider", "Nobody logs in here at a provider.", status=404)
    return parts.provider


def _check_state(parts: Services, provider: oidc.Provider) -> None:
    """Take a way back once, in the browser that went, and from the provider that it went to."""
    state = request.args.get("state", "")
    issuer = request.args.get("iss")
    if issuer is not None and issuer != provider.settings.issuer:
        raise oidc.refused("another provider's answer")
    try:
        # The cookie alone would not do: an old copy of it still holds what was used.
        new = parts.rates.first(f"state/{state}", _STATE_LASTS)
    except sqlite3.Error as error:
        raise oidc.refused("its state cannot be checked") from error
    if not state or not new:
        raise oidc.refused("it was used before")


def _account(parts: Services, provider: oidc.Provider, claims: dict[str, object]) -> User:
    settings = provider.settings
    oidc.check_allowed(claims, settings)
    role = None
    if settings.admin_group is not None:
        admin = settings.admin_group in oidc.groups_of(claims, settings)
        role = UserRole.ADMIN if admin else UserRole.USER
    with parts.database.write() as database:
        user, new = accounts.of_provider(
            database,
            settings.issuer,
            str(claims["sub"])[:255],
            oidc.wanted_name(claims),
            role,
        )
        if new:
            _record(database, Action.USER_CREATED, user)
        if user.disabled_at is None:
            _record(database, Action.LOGIN, user)
    if user.disabled_at is not None:
        raise Failure("disabled", "Your account is disabled here.", "Ask an admin.", status=403)
    return user


def _record(database: Session, action: Action, user: User) -> None:
    audit_trail.record(database, action, target=user.name, user_id=user.id, user_name=user.name)


def _put_down(parts: Services, failure: Failure) -> None:
    try:
        with parts.database.write() as database:
            audit_trail.record(database, Action.LOGIN_FAILED, user_name="?", why=failure.code)
    except SQLAlchemyError as error:
        note_database(error)
