"""What known vulnerabilities of other chat applications teach, a test each."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable

import pytest

from chatbot.access.rate_guard import UPLOADS_PER_MINUTE
from chatbot.api.openai_request import MAX_CHOICES
from tests.chat_accounts import ADMIN, Guarded
from tests.chat_application import ROOT, Chat
from tests.scripted_vllm import ScriptedVllm

QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}


def test_another_headers_key_opens_nothing(guarded: Guarded) -> None:
    # CVE-2026-45339: `x-api-key` went past the restriction of `Authorization`.
    key = guarded.key("ann")
    client = guarded.chat.client
    for headers in ({"x-api-key": key}, {"api-key": key}, {"Authorization": f"Basic {key}"}):
        for path in ("/v1/models", "/api/conversations"):
            assert client.get(path, headers=headers).status_code == 401
    assert client.get(f"/v1/models?api_key={key}").status_code == 401
    assert client.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_wrong_key_is_not_helped_by_a_cookie(guarded: Guarded) -> None:
    ann = guarded.as_("ann")
    wrong = {"Authorization": "Bearer archi-wrong"}
    assert ann.get("/api/conversations", headers=wrong).status_code == 401
    assert ann.get("/v1/models").status_code == 401


def test_v1_says_no_in_openais_shape(guarded: Guarded) -> None:
    refused = guarded.chat.client.post("/v1/chat/completions", json=QUESTION)
    assert refused.status_code == 401
    assert refused.json["error"]["code"] == "invalid_api_key"
    assert refused.json["error"]["type"] == "invalid_request_error"
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/keys", {"name": "another"}),
        ("GET", "/api/keys", None),
        ("GET", "/api/users", None),
        ("POST", "/api/logout", {}),
        ("POST", "/api/me/password", {"current": "x", "new": "y"}),
    ],
)
def test_a_key_begets_no_keys_and_manages_no_accounts(
    guarded: Guarded, method: str, path: str, body: object
) -> None:
    headers = {"Authorization": f"Bearer {guarded.key(ADMIN)}"}
    refused = guarded.chat.client.open(path, method=method, json=body, headers=headers)
    assert refused.json["error"]["code"] == "key_not_enough"


def test_a_revoked_key_and_a_disabled_accounts_key_open_nothing(guarded: Guarded) -> None:
    key = guarded.key("ann")
    headers = {"Authorization": f"Bearer {key}"}
    client, admin = guarded.chat.client, guarded.as_(ADMIN)
    assert client.get("/api/me", headers=headers).json["name"] == "ann"
    admin.patch(f"/api/users/{guarded.ids['ann']}", json={"disabled": True})
    assert client.get("/api/me", headers=headers).status_code == 401
    admin.patch(f"/api/users/{guarded.ids['ann']}", json={"disabled": False})
    ann = guarded.as_("ann")
    [row] = ann.get("/api/keys").json["keys"]
    assert "key" not in row
    assert row["last_used_at"]
    assert ann.delete(f"/api/keys/{row['id']}").status_code == 204
    assert client.get("/api/me", headers=headers).status_code == 401


def test_a_change_by_cookie_needs_the_sessions_token(guarded: Guarded) -> None:
    ann = guarded.as_("ann")
    ann.csrf_token = ""
    for headers in ({}, {"X-CSRF-Token": "guessed"}):
        refused = ann.post("/api/conversations", json={}, headers=headers)
        assert refused.json["error"]["code"] == "csrf_refused"
    bobs = guarded.as_("bob").get("/api/me").json["csrf_token"]
    assert (
        ann.post("/api/conversations", json={}, headers={"X-CSRF-Token": bobs}).status_code == 403
    )


def test_a_huge_n_is_clamped(guarded: Guarded, vllm: ScriptedVllm) -> None:
    # CVE-2026-34756: vLLM computes all n at once.
    headers = {"Authorization": f"Bearer {guarded.key('ann')}"}
    asked = {**QUESTION, "n": 100_000}
    guarded.chat.client.post("/v1/chat/completions", json=asked, headers=headers)
    assert vllm.requests[-1]["n"] == MAX_CHOICES


def test_what_a_login_shows_is_kept_by_no_cache(guarded: Guarded) -> None:
    # CVE-2026-27205: a shared cache gave one account's page to another.
    ann = guarded.as_("ann")
    conversation = ann.post("/api/conversations", json={}).json["id"]
    for path in ("/", "/account", "/api/me", f"/api/conversations/{conversation}", "/api/nothing"):
        assert ann.get(path).headers["Cache-Control"] == "no-store", path
    assert guarded.chat.client.get("/login").headers["Cache-Control"] == "no-store"


def test_nothing_of_a_conversation_is_kept_by_langgraph() -> None:
    # CVE-2025-67644 and CVE-2026-28277: its stores took filters and objects from what they kept.
    locked = (ROOT / "chatbot" / "requirements.txt").read_text().splitlines()
    stores = [line for line in locked if line.startswith("langgraph-checkpoint-")]
    assert stores == []
    for store in ("sqlite", "postgres", "redis"):
        assert importlib.util.find_spec(f"langgraph.checkpoint.{store}") is None


def test_a_user_manages_nobody_and_sees_nobodys_usage(guarded: Guarded) -> None:
    ann = guarded.as_("ann")
    for path in ("/api/users", "/api/admin/usage", "/api/admin/state", "/api/audit"):
        assert ann.get(path).json["error"]["code"] == "admins_only"
    own = f"/api/users/{guarded.ids['ann']}"
    assert ann.patch(own, json={"role": "admin"}).status_code == 404
    assert ann.get("/api/me").json["role"] == "user"


def test_an_admin_sees_usage_and_no_conversation(guarded: Guarded) -> None:
    ann, admin = guarded.as_("ann"), guarded.as_(ADMIN)
    conversation = ann.post("/api/conversations", json={}).json["id"]
    url = f"/api/conversations/{conversation}/messages"
    assert "event: end" in ann.post(url, json={"content": "a planted secret"}).text
    shown = admin.get("/api/admin/usage")
    [day] = shown.json["days"]
    assert (day["name"], day["answers"], day["errors"]) == ("ann", 1, 0)
    assert "planted" not in shown.text
    assert admin.get(url).status_code == 404
    assert admin.get("/api/admin/state").json["accounts"] == 3


def test_a_deleted_account_takes_all_that_it_has_along(guarded: Guarded) -> None:
    ann, admin = guarded.as_("ann"), guarded.as_(ADMIN)
    key = guarded.key("ann")
    conversation = ann.post("/api/conversations", json={}).json["id"]
    assert admin.delete(f"/api/users/{guarded.ids['ann']}").status_code == 204
    assert ann.get(f"/api/conversations/{conversation}").status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert guarded.chat.client.get("/v1/models", headers=headers).status_code == 401
    [event] = admin.get("/api/audit?action=user_deleted").json["events"]
    assert (event["user_name"], event["target"]) == (ADMIN, "ann")
    assert event["detail"]["conversations"] == 1
    assert event["request_id"]


def test_deletions_are_in_the_audit_log(guarded: Guarded) -> None:
    ann = guarded.as_("ann")
    conversation = ann.post("/api/conversations", json={}).json["id"]
    ann.delete(f"/api/conversations/{conversation}")
    ann.delete("/api/conversations", json={"confirm": "delete all conversations"})
    ann.get("/api/export").close()
    assert guarded.actions()[:3] == ["exported", "conversations_deleted", "conversation_deleted"]


def test_guesses_at_a_password_come_to_an_end(guarded: Guarded) -> None:
    client = guarded.chat.client
    token = client.get("/login").text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"name": "ann", "password": "a wrong password", "csrf_token": token}
    answers = [client.post("/login", data=form) for _ in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {401}
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 300
    # Others are not concerned.
    assert client.post("/login", data={**form, "name": "bob"}).status_code == 401


def test_questions_and_completions_are_limited_per_account(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    limits = {"ARCHI_RATE_QUESTIONS": "2", "ARCHI_RATE_COMPLETIONS": "1"}
    guarded = Guarded(chat_with(vllm.base_url, ARCHI_AUTH="local", **limits))
    ann, bob = guarded.as_("ann"), guarded.as_("bob")
    nowhere = "/api/conversations/00000000-0000-0000-0000-000000000001/messages"
    asked = [ann.post(nowhere, json={"content": "Hi"}) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [404, 404, 429]
    assert asked[-1].json["error"]["code"] == "rate_limited"
    assert asked[-1].headers["Retry-After"]
    assert bob.post(nowhere, json={"content": "Hi"}).status_code == 404
    headers = {"Authorization": f"Bearer {guarded.key('ann')}"}
    client = guarded.chat.client
    statuses = [
        client.post("/v1/chat/completions", json=QUESTION, headers=headers).status_code
        for _ in range(2)
    ]
    assert statuses == [200, 429]


def test_uploads_are_limited_per_account(guarded: Guarded) -> None:
    ann, bob = guarded.as_("ann"), guarded.as_("bob")
    # A form without a file counts too, and costs nothing.
    asked = [ann.post("/api/documents", data={}) for _ in range(UPLOADS_PER_MINUTE - 1)]
    assert {answer.status_code for answer in asked} == {422}
    answers = [
        client.post("/api/documents", data={"file": (io.BytesIO(b"A note."), "note.txt")})
        for client in (ann, ann, bob)
    ]
    assert [answer.status_code for answer in answers] == [201, 429, 201]
    assert answers[1].json["error"]["code"] == "rate_limited"
    assert 0 < int(answers[1].headers["Retry-After"]) <= 60


def test_behind_a_proxy_the_address_is_the_last_that_it_says(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    more = {"ARCHI_TRUSTED_PROXIES": "1", "ARCHI_PUBLIC_URL": "https://chat.example.org"}
    guarded = Guarded(chat_with(vllm.base_url, ARCHI_AUTH="local", **more))
    client = guarded.chat.client
    host = {"Host": "chat.example.org", "X-Forwarded-Proto": "https"}
    page = client.get("/login", headers=host)
    assert page.headers["Strict-Transport-Security"]
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-archi_session=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    forged = {**host, "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    client.post("/login", data={"name": "ann"}, headers=forged)
    assert client.get("/login", headers={"Host": "other.example.org"}).status_code == 421


def test_where_nobody_logs_in_the_owner_of_the_machine_sees_usage_but_no_accounts(
    chat: Chat,
) -> None:
    me = chat.client.get("/api/me").json
    assert (me["role"], me["auth"], me["may"]) == ("user", "none", ["keys", "usage"])
    assert me["csrf_token"] is None
    assert chat.client.get("/api/admin/usage").status_code == 200
    assert chat.client.get("/api/users").json["error"]["code"] == "no_accounts"
    assert chat.client.post("/api/keys", json={"name": "mine"}).json["key"].startswith("archi-")
