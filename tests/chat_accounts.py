"""The chat application where people log in, and clients that have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chatbot.access import passwords
from chatbot.data import accounts, api_keys, audit
from chatbot.data.tables import UserRole
from tests.chat_application import Chat

PASSWORD = "correct horse battery staple"
ADMIN = "root"

# Hashing is slow on purpose: once is enough.
_kept: dict[str, str] = {}


class LoggedIn(FlaskClient):
    """A client that sends what the page sends with every change."""

    csrf_token = ""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if self.csrf_token:
            kwargs["headers"] = {"X-CSRF-Token": self.csrf_token, **(kwargs.get("headers") or {})}
        return super().open(*args, **kwargs)


def log_in(client: FlaskClient, name: str, password: str, **more: str) -> TestResponse:
    """Log in by the form."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    if token is None:  # logged in already
        client = client.application.test_client()
        return log_in(client, name, password, **more)
    form = {"name": name, "password": password, "csrf_token": token.group(1)}
    return client.post("/login", data={**form, **more})


@dataclass
class Guarded:
    """An application with the accounts ``root`` (an admin), ``ann`` and ``bob``."""

    chat: Chat
    ids: dict[str, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add(ADMIN, UserRole.ADMIN)
        self.add("ann")
        self.add("bob")

    def add(self, name: str, role: UserRole = UserRole.USER) -> UUID:
        if PASSWORD not in _kept:
            _kept[PASSWORD] = passwords.hashed(PASSWORD)
        with self.chat.parts.database.write() as session:
            self.ids[name] = accounts.create(session, name, role, _kept[PASSWORD]).id
        return self.ids[name]

    def as_(self, name: str) -> LoggedIn:
        """A client of its own that has logged in."""
        app = self.chat.client.application
        client = LoggedIn(app, app.response_class)
        assert log_in(client, name, PASSWORD).status_code == 303
        client.csrf_token = client.get("/api/me").json["csrf_token"]
        return client

    def key(self, name: str) -> str:
        """A new API key of an account."""
        with self.chat.parts.database.write() as session:
            return api_keys.create(session, self.ids[name], "test", None)[1]

    def actions(self) -> list[str]:
        """What the audit log says has happened, the newest first."""
        with self.chat.parts.database.read() as session:
            return [row.action for row in audit.listing(session, 100)]
