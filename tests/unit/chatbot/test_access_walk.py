"""Every endpoint: who gets in at all, and that nobody reaches what is another's.

The tests walk the application's own map of addresses, so that what is added later is covered. An
address with a parameter that is not known here fails until it gets an example.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.routing import Rule

from chatbot.access.gate import OPEN, SHELL
from chatbot.data.tables import (
    ApiKey,
    Conversation,
    Document,
    LoginSession,
    Message,
    User,
    now,
)
from tests.chat_accounts import Guarded, LoggedIn

# What everybody may reach, in full: a new open door is a decision, to be made here too.
_OPEN = {
    "static", "health.healthz", "health.readyz", "metrics.show_metrics",
    "login.show_login", "login.log_in", "login.show_setup", "login.set_up",
    "oidc.begin", "oidc.callback",
}  # fmt: skip

# Ids of accounts are the admins', their own too.
_ADMINS = {"user_id"}
# Not ids of anything that belongs to anybody.
_PLAIN = {"filename", "_conversation_id"}

# Bodies without which a request would fail before it gets to the id.
_BODIES: dict[str, dict[str, Any]] = {
    "answers.send_message": {"content": "Hello?"},
    "conversations.change_conversation": {"title": "Mine"},
    "feedback.rate_answer": {"rating": 1},
    "users.reset_password": {"password": "a sentence of four words"},
}


def rules(guarded: Guarded) -> Iterator[tuple[Rule, str]]:
    app = guarded.chat.client.application
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def address(guarded: Guarded, rule: Rule, ids: dict[str, Any]) -> str:
    unknown = rule.arguments - ids.keys() - _PLAIN
    assert not unknown, f"{rule.rule}: give {unknown} an example of ann's in this test"
    values = {
        name: ids.get(name, "00000000-0000-0000-0000-000000000001") for name in rule.arguments
    }
    built = guarded.chat.client.application.url_map.bind("localhost").build(rule.endpoint, values)
    return str(built)


@pytest.fixture
def anns(guarded: Guarded) -> dict[str, Any]:
    """An id of each kind of thing that ann has."""
    client = guarded.as_("ann")
    conversation = client.post("/api/conversations", json={}).json["id"]
    answer = client.post(f"/api/conversations/{conversation}/messages", json={"content": "Hello?"})
    assert "event: end" in answer.text
    messages = client.get(f"/api/conversations/{conversation}/messages").json["messages"]
    with guarded.chat.parts.database.write() as session:
        document = Document(
            user_id=guarded.ids["ann"],
            name="a.txt",
            media_type="text/plain",
            size=1,
            sha256="0" * 64,
            created_at=now(),
        )
        session.add(document)
        session.flush()
        document_id = document.id
    return {
        "conversation_id": conversation,
        "message_id": messages[-1]["id"],
        "document_id": str(document_id),
        "key_id": client.post("/api/keys", json={"name": "mine"}).json["id"],
        "session_id": client.get("/api/me/sessions").json["sessions"][0]["id"],
        "user_id": str(guarded.ids["ann"]),
    }


def ask(client: LoggedIn, rule: Rule, method: str, where: str) -> Any:
    if method == "GET":
        return client.get(where)
    return client.open(where, method=method, json=_BODIES.get(rule.endpoint, {}))


def test_every_endpoint_but_the_open_doors_needs_a_login(
    guarded: Guarded, anns: dict[str, Any]
) -> None:
    assert OPEN == _OPEN
    stranger = guarded.chat.client
    seen = set()
    for rule, method in rules(guarded):
        seen.add(rule.endpoint)
        if rule.endpoint in OPEN:
            continue
        response = ask(stranger, rule, method, address(guarded, rule, anns))
        if rule.endpoint in SHELL:
            assert response.status_code == 303, rule
            assert response.location.startswith("/login"), rule
        else:
            assert response.status_code == 401, (rule.rule, method)
    assert seen >= OPEN | SHELL


def test_nobody_reaches_by_its_id_what_is_anothers(guarded: Guarded, anns: dict[str, Any]) -> None:
    before = everything(guarded)
    bob, key = guarded.as_("bob"), guarded.key("bob")
    by_key = {"Authorization": f"Bearer {key}"}
    asked = 0
    for rule, method in rules(guarded):
        if not rule.arguments - _PLAIN:
            continue
        where = address(guarded, rule, anns)
        response = ask(bob, rule, method, where)
        assert response.status_code == 404, (rule.rule, method, response.text)
        body = None if method == "GET" else _BODIES.get(rule.endpoint, {})
        response = guarded.chat.client.open(where, method=method, json=body, headers=by_key)
        # Keys, accounts and sessions are not for keys at all.
        assert response.status_code in (403, 404), (rule.rule, method, response.text)
        asked += 1
    assert asked >= 12
    assert before == everything(guarded)


def test_the_examples_are_reached_by_their_owner(guarded: Guarded, anns: dict[str, Any]) -> None:
    # Or a wrong example would make the test above pass.
    ann = guarded.as_("ann")
    for rule, method in rules(guarded):
        if not rule.arguments - _PLAIN - _ADMINS or method == "DELETE":
            continue
        response = ask(ann, rule, method, address(guarded, rule, anns))
        assert response.status_code not in (401, 403, 404), (rule.rule, method, response.text)


def everything(guarded: Guarded) -> dict[str, Any]:
    """What ann has."""
    own = guarded.ids["ann"]
    with guarded.chat.parts.database.read() as session:
        return {
            "user": session.get(User, own).name,
            "conversations": [
                (row.id, row.title) for row in session.query(Conversation).filter_by(user_id=own)
            ],
            "messages": [(row.id, row.content, row.status) for row in session.query(Message)],
            "documents": [row.id for row in session.query(Document).filter_by(user_id=own)],
            "keys": [
                (row.id, row.revoked_at) for row in session.query(ApiKey).filter_by(user_id=own)
            ],
            "sessions": [row.id for row in session.query(LoginSession).filter_by(user_id=own)],
        }
