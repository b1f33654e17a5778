"""The gate: who a request comes from, and whether it may pass.

Whatever is not among the few open doors needs a login or a key, so a view that is added later is
guarded without anyone having to think of it.
"""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

from flask import Flask, Response, g, redirect, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from chatbot.access import sessions
from chatbot.access.principal import EVERYBODY, By, Principal
from chatbot.data import api_keys
from chatbot.failures import Failure
from chatbot.services import Services, services

# Endpoints for everybody. Health says nothing about anyone; metrics have a rule of their own.
OPEN = frozenset(
    {
        "static",
        "health.healthz",
        "health.readyz",
        "metrics.show_metrics",
        "login.show_login",
        "login.log_in",
        "login.show_setup",
        "login.set_up",
        "oidc.begin",
        "oidc.callback",
    }
)

# The page itself holds nothing of anyone, and is there while the database is not: the cookie is
# only looked at. What the page then asks for is guarded.
SHELL = frozenset({"page", "account_page", "admin_page"})

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_KEYS_ONLY = "openai"


def install(app: Flask, parts: Services) -> None:
    """Put the gate in front of every view."""
    proxies = parts.settings.access.trusted_proxies
    if proxies:
        # Not the host: links are never made from it.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0
        )
    sessions.use_cookies(app, secure=parts.secure)
    app.before_request(_admit)
    app.after_request(_say_how)


def _admit() -> AnyResponse | None:
    parts = services()
    if not parts.settings.access.guarded:
        g.principal = EVERYBODY
        return None
    # Without an endpoint no view follows, but 404 or 405.
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    if request.endpoint in SHELL:
        return None if sessions.carried() else _to_login()
    g.principal = _identified(parts)
    return None


def _identified(parts: Services) -> Principal:
    """Return whose request it is.

    One header, one way: where a key is given, it alone decides.

    Raises:
        Failure: 401, nobody's; 403, it may be another site's.
    """
    given = request.authorization
    if given is not None and given.type == "bearer":
        return _by_key(parts, given.token or "")
    if request.blueprint == _KEYS_ONLY:
        raise _invalid_key("You did not give an API key.")
    found = sessions.principal(parts)
    if found is None:
        raise Failure(
            "login_needed",
            "You are not logged in, or your session is over.",
            "Log in at /login, or send an API key as `Authorization: Bearer KEY`.",
            status=401,
        )
    if request.method not in _SAFE_METHODS:
        sessions.check_csrf(request.headers.get(sessions.CSRF_HEADER))
    return found


def _by_key(parts: Services, key: str) -> Principal:
    with parts.database.read() as session:
        found = api_keys.find(session, key)
    if found is None:
        raise _invalid_key("The API key is not known here, revoked or expired.")
    row, user = found
    if api_keys.stale_use(row):
        # Not worth a failing request.
        with contextlib.suppress(SQLAlchemyError), parts.database.write() as session:
            api_keys.used(session, row.id)
    return Principal.of(user, By.KEY, row.id)


def _invalid_key(message: str) -> Failure:
    return Failure(
        "invalid_api_key",
        message,
        "Make a key on the page, under API keys, and send it as `Authorization: Bearer KEY`.",
        status=401,
    )


def _to_login() -> AnyResponse:
    where = request.full_path.rstrip("?")
    return redirect("/login" + ("" if where == "/" else f"?{urlencode({'next': where})}"), 303)


def _say_how(response: Response) -> Response:
    if response.status_code == 401:
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    return response
