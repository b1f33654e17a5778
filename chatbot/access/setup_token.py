"""The one-time token by which the first admin is made on the page ``/setup``.

There is no default password. While there is no admin, the log says a token at each start; whoever
can read the log is the deployment's owner.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import structlog

from chatbot.data import accounts
from chatbot.data.database import Database
from chatbot.settings import Settings

log = structlog.get_logger(__name__)


class SetupToken:
    """The token's digest, made before gunicorn forks, so that every worker knows it."""

    def __init__(self, token: str | None = None) -> None:
        self._digest = None if token is None else _digest(token)

    def opens(self, given: str) -> bool:
        """Whether a token is the right one."""
        return self._digest is not None and hmac.compare_digest(self._digest, _digest(given))


def offer(settings: Settings, database: Database) -> SetupToken:
    """Write a token to the log where there is no admin yet.

    Raises:
        SQLAlchemyError: the database fails.
    """
    if settings.access.mode != "local":
        return SetupToken()
    with database.read() as session:
        if accounts.admins(session):
            return SetupToken()
    token = secrets.token_urlsafe(24)
    where = settings.access.public_url or f"http://localhost:{settings.listen_port}"
    log.warning(
        "no_admin_yet",
        open=f"{where}/setup",
        token=token,
        or_run="python -m chatbot user add NAME --admin",
    )
    return SetupToken(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.strip().encode()).digest()
