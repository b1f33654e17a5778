"""The pages ``/login`` and ``/setup``: forms that work without a script."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from chatbot.access import audit_trail, passwords, rates, sessions
from chatbot.data import accounts
from chatbot.data.audit import Action
from chatbot.data.tables import User, UserRole
from chatbot.failures import Failure
from chatbot.services import Services, services

blueprint = Blueprint("login", __name__)
log = structlog.get_logger(__name__)

DATABASE_DOWN = Failure(
    "database_unavailable",
    "The database does not answer, so nobody can log in now.",
    "Try again in a minute.",
    status=503,
    retry_after=5,
)
_WRONG = Failure(
    "login_refused",
    "The name or the password is wrong.",
    "Try again. An admin can give you a new password.",
    status=401,
)


@blueprint.get("/login")
def show_login() -> AnyResponse:
    """Show the form, or the way to the provider; who is logged in goes on to the page."""
    parts = services()
    try:
        if not parts.settings.access.guarded or sessions.find(parts) is not None:
            return redirect(safe_next(request.args.get("next")), 303)
        if nobody := _setup_open(parts):
            with parts.database.read() as session:
                if not accounts.people(session):
                    return redirect("/setup", 303)
    except SQLAlchemyError:
        return login_form(DATABASE_DOWN)
    return login_form(setup_open=nobody)


@blueprint.post("/login")
def log_in() -> AnyResponse:
    """Log in with a name and a password."""
    parts = services()
    try:
        sessions.check_csrf(request.form.get(sessions.CSRF_FIELD))
        _log_in(parts, request.form.get("name", ""), request.form.get("password", ""))
    except Failure as failure:
        return login_form(failure)
    except SQLAlchemyError as error:
        note_database(error)
        return login_form(DATABASE_DOWN)
    return redirect(safe_next(request.form.get("next")), 303)


@blueprint.get("/setup")
def show_setup() -> AnyResponse:
    """Show the form by which the first admin is made, while there is none."""
    try:
        if not _setup_open(services()):
            return redirect("/login", 303)
    except SQLAlchemyError:
        return setup_form(DATABASE_DOWN)
    return setup_form()


@blueprint.post("/setup")
def set_up() -> AnyResponse:
    """Make the first admin, for who has the token of the log, and log in."""
    parts = services()
    try:
        sessions.check_csrf(request.form.get(sessions.CSRF_FIELD))
        sessions.begin(parts, _first_admin(parts))
    except Failure as failure:
        return setup_form(failure)
    except SQLAlchemyError as error:
        note_database(error)
        return setup_form(DATABASE_DOWN)
    return redirect("/", 303)


def login_form(failure: Failure | None = None, *, setup_open: bool = False) -> Response:
    """Render the login page; with a failure, its status and what it says."""
    access = services().settings.access
    return _page(
        "login.html",
        failure,
        mode=access.mode,
        setup_open=setup_open,
        provider=urlsplit(access.oidc.issuer).hostname if access.oidc else None,
        name=request.form.get("name", ""),
        next=safe_next(request.values.get("next")),
    )


def setup_form(failure: Failure | None = None) -> Response:
    """Render the page of the first admin."""
    return _page(
        "setup.html",
        failure,
        name=request.form.get("name", ""),
        min_chars=passwords.MIN_CHARS,
    )


def safe_next(wanted: str | None) -> str:
    """Return where to go after the login: a path of this application, never another site."""
    # Browsers take a backslash for a slash, and leave out tabs and line ends.
    if (
        not wanted
        or not wanted.startswith("/")
        or wanted.startswith("//")
        or "\\" in wanted
        or any(ord(character) <= 32 for character in wanted)
    ):
        return "/"
    return wanted


def _page(template: str, failure: Failure | None, **values: object) -> Response:
    page = render_template(template, failure=failure, csrf_token=sessions.csrf_token(), **values)
    response = make_response(page, failure.status if failure else 200)
    if failure and failure.retry_after is not None:
        response.headers["Retry-After"] = str(failure.retry_after)
    return response


def note_database(error: SQLAlchemyError) -> None:
    """Have the log say how the database failed."""
    log.error("database_failed", error=str(error.__cause__ or error))


def _log_in(parts: Services, given_name: str, password: str) -> None:
    if parts.settings.access.mode != "local":
        raise Failure("no_passwords", "Nobody logs in here with a password.", status=404)
    name = accounts.normal_name(given_name)[: accounts.MAX_NAME_CHARS]
    address = request.remote_addr or ""
    try:
        parts.rates.take(rates.LOGIN_ADDRESS, address)
        parts.rates.take(rates.LOGIN_HERE, f"{address} {name}")
        parts.rates.take(rates.LOGIN_ANYWHERE, name)
    except Failure as failure:
        _refused(parts, name, failure.code)
        raise
    user = None
    if accounts.can_be_name(name):
        with parts.database.read() as session:
            user = accounts.by_name(session, name)
    right = passwords.matches(password, user.password_hash if user else None)
    if not right or user is None or user.disabled_at is not None:
        _refused(parts, name, "disabled" if right else "wrong")
        raise _WRONG
    parts.rates.forget(rates.LOGIN_HERE, f"{address} {name}")
    _rehash(parts, user, password)
    sessions.begin(parts, user)
    with parts.database.write() as session:
        audit_trail.record(session, Action.LOGIN, user_id=user.id, user_name=user.name)


def _refused(parts: Services, name: str, why: str) -> None:
    # A password that was typed into the wrong field must not stand in the log for a year.
    shown = name if accounts.can_be_name(name) else ""
    with parts.database.write() as session:
        known = accounts.by_name(session, shown) if shown else None
        audit_trail.record(
            session, Action.LOGIN_FAILED, user_name=known.name if known else "?", why=why
        )


def _rehash(parts: Services, user: User, password: str) -> None:
    if user.password_hash is not None and passwords.outdated(user.password_hash):
        kept = passwords.hashed(password)
        with parts.database.write() as session:
            accounts.get(session, user.id).password_hash = kept


def _setup_open(parts: Services) -> bool:
    if parts.settings.access.mode != "local":
        return False
    with parts.database.read() as session:
        return not accounts.admins(session)


def _first_admin(parts: Services) -> User:
    address = request.remote_addr or ""
    parts.rates.take(rates.SETUP, address)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if not parts.setup.opens(request.form.get("token", "")) or not _setup_open(parts):
        with parts.database.write() as session:
            audit_trail.record(session, Action.SETUP_FAILED, user_name="?")
        raise Failure(
            "setup_refused",
            "This is not the token that the log says, or there is an admin already.",
            "Look for `no_admin_yet` in the newest log of the chat application; each start writes "
            "a new token while there is no admin.",
            status=403,
        )
    passwords.check_new(password, accounts.checked_name(name))
    if password != request.form.get("repeated", ""):
        raise Failure("not_the_same", "The two passwords differ.", "Type it again.", status=422)
    kept = passwords.hashed(password)
    with parts.database.write() as session:
        accounts.alone(session)
        if accounts.admins(session):
            raise Failure("setup_refused", "There is an admin already.", "Log in.", status=409)
        user = accounts.create(session, name, UserRole.ADMIN, kept)
        audit_trail.record(session, Action.SETUP, user_id=user.id, user_name=user.name)
    return user
