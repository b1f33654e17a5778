"""The Flask application."""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from chatbot import health, metrics, request_id
from chatbot.access import gate, login_page, oidc_login, rate_guard, request_guard
from chatbot.api import (
    agents,
    answers,
    conversations,
    documents,
    feedback,
    keys,
    me,
    metrics_page,
    openai_api,
    oversight,
    search,
    state,
    transfer,
    users,
)
from chatbot.api.description import described_app
from chatbot.failures import Failure
from chatbot.services import Services, attach, services

log = structlog.get_logger(__name__)

# What the description at /api/openapi.json describes.
APIS = (
    state.api,
    conversations.api,
    answers.api,
    feedback.api,
    search.api,
    agents.api,
    documents.api,
    transfer.api,
    me.api,
    keys.api,
    users.api,
    oversight.api,
)

# Asked every few seconds by the page and by Docker: logged only when they fail.
_QUIET = ("/healthz", "/readyz", "/metrics", "/api/state", "/static/")


def create_app(parts: Services) -> Flask:
    """Make the application around its services: one per process, after the fork."""
    app = described_app(__package__ or "chatbot")
    app.secret_key = parts.session_key
    attach(app, parts)
    app.before_request(_begin)
    request_guard.guard(app, parts)
    gate.install(app, parts)
    rate_guard.install(app)
    documents.allow_uploads(app)
    for part in APIS:
        app.register_api(part)
    for other in (health, openai_api, metrics_page, login_page, oidc_login):
        app.register_blueprint(other.blueprint)
    app.add_url_rule("/", view_func=page)
    # The page itself finds out which conversation its address names.
    app.add_url_rule("/c/<uuid:_conversation_id>", view_func=page)
    app.add_url_rule("/account", view_func=account_page)
    app.add_url_rule("/admin", view_func=admin_page)
    app.after_request(_finish)
    app.register_error_handler(Failure, _answer_failure)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(SQLAlchemyError, _answer_database)
    app.register_error_handler(Exception, _answer_bug)
    return app


def page(_conversation_id: UUID | None = None) -> str:
    """Show the page. It asks nobody: it must be there while model and database are not."""
    return render_template("index.html", model=services().files.model)


def account_page() -> str:
    """Show the page of one's keys, password and sessions; what it shows it asks the API for."""
    return render_template("account.html")


def admin_page() -> str:
    """Show the page of usage, accounts and the audit log; the API says who may see it."""
    return render_template("admin.html")


def _begin() -> None:
    g.started = time.monotonic()
    g.request_id = request_id.begin(request.headers.get(request_id.HEADER))


def _finish(response: Response) -> Response:
    response.headers[request_id.HEADER] = g.request_id
    # Of a stream: until its first byte.
    seconds = time.monotonic() - g.started
    route = request.url_rule.rule if request.url_rule is not None else None
    metrics.request_ended(route, request.method, response.status_code, seconds)
    if response.status_code >= 400 or not request.path.startswith(_QUIET):
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
        )
    return response


def _answer_failure(failure: Failure) -> tuple[Response, int]:
    response = jsonify(failure.body)
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(failure.retry_after)
    return response, failure.status


def _answer_http(error: HTTPException) -> tuple[Response, int]:
    code = error.name.lower().replace(" ", "_")
    failure = Failure(code, error.description or error.name, status=error.code or 500)
    response, status = _answer_failure(failure)
    # Allow, Retry-After and the like.
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)
    return response, status


def _answer_database(error: SQLAlchemyError) -> tuple[Response, int]:
    metrics.database_failed()
    log.error("database_failed", error=str(error.__cause__ or error))
    return _answer_failure(
        Failure(
            "database_unavailable",
            "The database does not answer, so conversations cannot be read or saved now.",
            "Try again in a minute. If it stays away, look at /readyz and at the database's logs.",
            status=503,
            retry_after=5,
        )
    )


def _answer_bug(error: Exception) -> tuple[Response, int]:
    log.exception("request_failed", error=str(error))
    return _answer_failure(
        Failure(
            "internal_error",
            "The chat application failed at this request.",
            f"Try again. The logs of the chat application say more under the id {g.request_id}.",
            status=500,
        )
    )
