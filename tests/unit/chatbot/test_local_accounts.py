"""Accounts with passwords: the first admin, logging in and out, passwords, sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from chatbot.access import passwords
from chatbot.access.setup_token import offer
from chatbot.data import accounts, audit, login_sessions
from chatbot.data.tables import AuditEvent, LoginSession, User, UserRole, now
from chatbot.failures import Failure
from chatbot.runs import watch
from tests.chat_accounts import ADMIN, PASSWORD, Guarded, log_in
from tests.chat_application import Chat, until


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(guarded: Guarded) -> None:
    client = guarded.chat.client
    asked = client.get("/c/00000000-0000-0000-0000-000000000001")
    assert asked.status_code == 303
    assert asked.location == "/login?next=%2Fc%2F00000000-0000-0000-0000-000000000001"
    assert client.get("/api/conversations").json["error"]["code"] == "login_needed"
    page = client.get(asked.location)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text).group(1)
    done = client.post(
        "/login",
        data={
            "name": " Ann ",
            "password": PASSWORD,
            "csrf_token": token,
            "next": "/c/00000000-0000-0000-0000-000000000001",
        },
    )
    assert (done.status_code, done.location) == (303, "/c/00000000-0000-0000-0000-000000000001")
    me = client.get("/api/me").json
    assert (me["name"], me["role"], me["auth"]) == ("ann", "user", "local")
    assert client.get("/login").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "another password"), ("nobody", PASSWORD), ("ann\x00", PASSWORD), ("", "")],
)
def test_a_wrong_name_and_a_wrong_password_are_refused_alike(
    guarded: Guarded, name: str, password: str
) -> None:
    refused = log_in(guarded.chat.client, name, password)
    assert refused.status_code == 401
    assert "The name or the password is wrong." in refused.text
    assert guarded.chat.client.get("/api/me").status_code == 401
    assert guarded.actions()[0] == "login_failed"


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked: list[str] = []
    real = passwords._HASHER
    passwords.matches("warm", None)

    class Counting:
        def verify(self, kept: str, given: str) -> bool:
            worked.append(re.search(r"m=\d+,t=\d+,p=\d+", kept).group())
            return real.verify(kept, given)

    kept = passwords.hashed(PASSWORD)
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    assert not passwords.matches(PASSWORD, None)
    assert passwords.matches(PASSWORD, kept)
    assert worked[0] == worked[1]


def test_a_login_needs_the_token_of_its_form(guarded: Guarded) -> None:
    client = guarded.chat.client
    done = client.post("/login", data={"name": "ann", "password": PASSWORD})
    assert done.status_code == 403
    assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "\t//evil.example", "/a\n//b"],
)
def test_a_login_leads_to_no_other_site(guarded: Guarded, where: str) -> None:
    assert log_in(guarded.chat.client, "ann", PASSWORD, next=where).location == "/"


def test_a_login_begins_a_new_session_under_a_new_id(guarded: Guarded) -> None:
    client = guarded.chat.client
    log_in(client, "ann", PASSWORD)
    before = client.get_cookie("archi_session").value
    token = client.get("/api/me").json["csrf_token"]
    client.post("/login", data={"name": "ann", "password": PASSWORD, "csrf_token": token})
    after = client.get_cookie("archi_session")
    assert after.value != before
    assert after.http_only
    assert after.same_site == "Lax"
    client.set_cookie("archi_session", before)
    assert client.get("/api/me").status_code == 401


def test_logging_out_ends_the_session_for_a_copy_of_the_cookie_too(guarded: Guarded) -> None:
    client = guarded.as_("ann")
    copy = client.get_cookie("archi_session").value
    assert client.post("/api/logout", json={}).json == {"next": "/login"}
    assert client.get("/api/me").status_code == 401
    client.set_cookie("archi_session", copy)
    assert client.get("/api/me").status_code == 401


def test_logging_out_everywhere_ends_the_sessions_of_all_devices(guarded: Guarded) -> None:
    here, there, other = guarded.as_("ann"), guarded.as_("ann"), guarded.as_("bob")
    here.post("/api/logout", json={"everywhere": True})
    assert there.get("/api/me").status_code == 401
    assert other.get("/api/me").status_code == 200


def test_one_sees_where_one_is_logged_in_and_ends_that(guarded: Guarded) -> None:
    here, there = guarded.as_("ann"), guarded.as_("ann")
    listed = here.get("/api/me/sessions").json["sessions"]
    assert [one["current"] for one in listed] == [False, True]
    assert here.delete(f"/api/me/sessions/{listed[0]['id']}").status_code == 204
    assert there.get("/api/me").status_code == 401
    assert here.get("/api/me").status_code == 200


def test_changing_the_password_needs_the_present_one_and_ends_other_sessions(
    guarded: Guarded,
) -> None:
    here, there = guarded.as_("ann"), guarded.as_("ann")
    new = "a rather different sentence "
    wrong = here.post("/api/me/password", json={"current": "not the one", "new": new})
    assert wrong.json["error"]["code"] == "wrong_password"
    short = here.post("/api/me/password", json={"current": PASSWORD, "new": "short"})
    assert short.json["error"]["code"] == "unfit_password"
    done = here.post("/api/me/password", json={"current": PASSWORD, "new": new})
    assert done.status_code == 204
    assert here.get("/api/me").status_code == 200
    assert there.get("/api/me").status_code == 401
    assert log_in(guarded.chat.client, "ann", PASSWORD).status_code == 401
    assert log_in(guarded.chat.client, "ann", new).status_code == 303


@pytest.mark.parametrize(
    "column", [{"seen_at": now() - timedelta(days=8)}, {"expires_at": now() - timedelta(seconds=1)}]
)
def test_a_session_ends_when_it_is_idle_or_old(guarded: Guarded, column: dict[str, object]) -> None:
    client = guarded.as_("ann")
    with guarded.chat.parts.database.write() as session:
        session.execute(update(LoginSession).values(**column))
    assert client.get("/api/me").status_code == 401


def test_a_disabled_account_is_out_at_once_and_gets_in_no_more(guarded: Guarded) -> None:
    client = guarded.as_("ann")
    with guarded.chat.parts.database.write() as session:
        accounts.disable(session, accounts.named(session, "ann"), disabled=True)
    assert client.get("/api/me").status_code == 401
    assert log_in(guarded.chat.client, "ann", PASSWORD).status_code == 401


def test_a_password_kept_by_old_parameters_is_hashed_anew_at_the_login(guarded: Guarded) -> None:
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with guarded.chat.parts.database.write() as session:
        session.execute(update(User).where(User.name == "ann").values(password_hash=weak))
    assert log_in(guarded.chat.client, "ann", PASSWORD).status_code == 303
    with guarded.chat.parts.database.read() as session:
        kept = accounts.named(session, "ann").password_hash
    assert kept != weak
    assert passwords.matches(PASSWORD, kept)


@pytest.mark.parametrize(
    "password",
    ["short", "aaaaaaaaaaaaaaaa", "password1234", "ann-password-1", "1234567890123", "x" * 300],
)
def test_passwords_that_are_guessed_first_are_refused(password: str) -> None:
    with pytest.raises(Failure) as refused:
        passwords.check_new(password, "ann")
    assert refused.value.code == "unfit_password"


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "только свои слова", "all lower case"]
)
def test_what_a_password_is_made_of_is_everybodys_own_choice(password: str) -> None:
    passwords.check_new(password, "ann")


def test_the_token_of_the_log_makes_the_first_admin_once(
    chat_with: Callable[..., Chat], capsys: pytest.CaptureFixture[str]
) -> None:
    chat = chat_with("http://vllm.invalid/v1", ARCHI_AUTH="local")
    made = offer(chat.parts.settings, chat.parts.database)
    token = re.search(r"token=(\S+)", re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out))
    chat.parts.setup = made
    client = chat.client
    assert client.get("/login").location == "/setup"
    assert _set_up(client, "guessed").status_code == 403
    assert _set_up(client, token.group(1)).status_code == 303
    assert client.get("/api/me").json["role"] == "admin"
    other = client.application.test_client()
    assert other.get("/setup").location == "/login"
    assert _set_up(other, token.group(1)).status_code == 403
    assert offer(chat.parts.settings, chat.parts.database).opens(token.group(1)) is False


def _set_up(client: FlaskClient, token: str) -> object:
    page = client.get("/login" if client.get("/setup").status_code == 303 else "/setup")
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.text).group(1)
    form = {"token": token, "name": "root", "password": PASSWORD, "repeated": PASSWORD}
    return client.post("/setup", data={**form, "csrf_token": csrf})


def test_sessions_that_are_over_are_forgotten(guarded: Guarded) -> None:
    guarded.as_("ann")
    with guarded.chat.parts.database.write() as session:
        session.execute(update(LoginSession).values(expires_at=now() - timedelta(days=1)))
        login_sessions.forget_old(session)
        assert session.query(LoginSession).count() == 0


def test_old_events_leave_the_audit_log_by_themselves(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_BEAT", "_PRUNE"):
        monkeypatch.setattr(watch, name, 0.02)
    guarded.as_("ann")
    guarded.as_("bob")
    with guarded.chat.parts.database.write() as session:
        old = now() - audit.KEPT - timedelta(seconds=1)
        anns = AuditEvent.user_id == guarded.ids["ann"]
        session.execute(update(AuditEvent).where(anns).values(at=old))
    until(lambda: guarded.actions().count("login") == 1)


def test_the_last_admin_stays(guarded: Guarded) -> None:
    admin = guarded.as_(ADMIN)
    own = UUID(admin.get("/api/me").json["id"])
    for change in ({"role": "user"}, {"disabled": True}):
        refused = admin.patch(f"/api/users/{own}", json=change)
        assert refused.json["error"]["code"] == "last_admin"
    assert admin.delete(f"/api/users/{own}").json["error"]["code"] == "last_admin"
    other = guarded.add("eve", UserRole.ADMIN)
    assert admin.delete(f"/api/users/{own}").status_code == 204
    assert guarded.as_("eve").get("/api/me").json["id"] == str(other)
