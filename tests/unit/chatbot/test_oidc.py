"""Logging in at an OpenID Connect provider, and what an attacker would try."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.test import TestResponse

from chatbot.data import audit
from tests.chat_application import Chat
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider

PUBLIC = "http://localhost"
Make = Callable[..., Chat]


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with OidcProvider() as made:
        made.claims = {"sub": "1", "preferred_username": "Ann", "groups": ["staff"]}
        yield made


@pytest.fixture
def make(chat_with: Make, provider: OidcProvider) -> Make:
    def made(**more: str) -> Chat:
        chat = chat_with(
            "http://vllm.invalid/v1",
            ARCHI_AUTH="oidc",
            ARCHI_PUBLIC_URL=PUBLIC,
            ARCHI_OIDC_ISSUER=provider.url,
            ARCHI_OIDC_CLIENT_ID=CLIENT_ID,
            **more,
        )
        (chat.folder / "files" / "secrets" / "oidc_client_secret").write_text(CLIENT_SECRET)
        chat.parts.provider = chat.parts._provider()
        return chat

    return made


def begin(client: FlaskClient) -> str:
    return str(client.get("/oidc/login?next=/c/1").location)


def come_back(client: FlaskClient, where: str) -> TestResponse:
    assert where.startswith(PUBLIC)
    return client.get(where.removeprefix(PUBLIC))


def log_in(client: FlaskClient, provider: OidcProvider) -> TestResponse:
    return come_back(client, provider.log_in(begin(client)))


def test_a_person_of_the_provider_logs_in_and_out(make: Make, provider: OidcProvider) -> None:
    chat = make()
    client = chat.client
    assert 'href="/oidc/login?next=' in client.get("/login").text
    done = log_in(client, provider)
    assert (done.status_code, done.location) == (303, "/c/1")
    me = client.get("/api/me").json
    assert (me["name"], me["role"], me["auth"]) == ("ann", "user", "oidc")
    assert "password" not in me["may"]
    out = client.post("/api/logout", json={}, headers={"X-CSRF-Token": me["csrf_token"]}).json
    assert out["next"].startswith(f"{provider.url}/logout?")
    assert "id_token_hint=" in out["next"]
    assert client.get("/api/me").status_code == 401


def test_the_subject_says_who_it_is_and_never_the_name(make: Make, provider: OidcProvider) -> None:
    client = make().client
    log_in(client, provider)
    first = client.get("/api/me").json
    provider.claims |= {"preferred_username": "ann.new"}
    log_in(client, provider)
    assert client.get("/api/me").json["id"] == first["id"]
    provider.claims |= {"sub": "2", "preferred_username": "Ann", "email": "ann@example.org"}
    log_in(client, provider)
    other = client.get("/api/me").json
    assert other["id"] != first["id"]
    assert other["name"] == "ann-2"


def test_admins_are_the_members_of_a_group_as_of_each_login(
    make: Make, provider: OidcProvider
) -> None:
    client = make(ARCHI_OIDC_ADMIN_GROUP="chiefs").client
    provider.claims["groups"] = ["staff", "chiefs"]
    log_in(client, provider)
    assert client.get("/api/me").json["role"] == "admin"
    provider.claims["groups"] = ["staff"]
    log_in(client, provider)
    assert client.get("/api/me").json["role"] == "user"


@pytest.mark.parametrize(
    ("rule", "claims", "status"),
    [
        ({"ARCHI_OIDC_GROUPS": "staff,guests"}, {"groups": ["staff"]}, 303),
        ({"ARCHI_OIDC_GROUPS": "staff"}, {"groups": ["staffers"]}, 403),
        ({"ARCHI_OIDC_GROUPS": "staff"}, {"groups": None}, 403),
        (
            {"ARCHI_OIDC_DOMAINS": "example.org"},
            {"email": "a@Example.org", "email_verified": True},
            303,
        ),
        (
            {"ARCHI_OIDC_DOMAINS": "example.org"},
            {"email": "a@example.org", "email_verified": False},
            403,
        ),
        ({"ARCHI_OIDC_DOMAINS": "example.org"}, {"email": "a@example.org"}, 403),
        (
            {"ARCHI_OIDC_DOMAINS": "example.org"},
            {"email": "a@evil-example.org", "email_verified": True},
            403,
        ),
    ],
)
def test_only_allowed_groups_and_domains_get_in(
    make: Make,
    provider: OidcProvider,
    rule: dict[str, str],
    claims: dict[str, Any],
    status: int,
) -> None:
    provider.claims |= claims
    client = make(**rule).client
    assert log_in(client, provider).status_code == status
    assert client.get("/api/me").status_code == (200 if status == 303 else 401)


def test_groups_that_the_id_token_leaves_out_are_asked_for(
    make: Make, provider: OidcProvider
) -> None:
    del provider.claims["groups"]
    client = make(ARCHI_OIDC_GROUPS="staff").client
    provider.userinfo = {"sub": "1", "groups": ["staff"]}
    assert log_in(client, provider).status_code == 303
    provider.userinfo = {"sub": "somebody else", "groups": ["staff"]}
    assert log_in(client, provider).status_code == 403


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps({"alg": "none"}).encode(), json.dumps(claims).encode())
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + "."


def by_the_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(CLIENT_SECRET)
    return jwt.encode({"alg": "HS256", "kid": "1"}, claims, key, algorithms=["HS256"])


_OTHER_KEY = RSAKey.generate_key(2048, {"kid": "1"})


def by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "1"}, claims, _OTHER_KEY)


@pytest.mark.parametrize(
    ("forged", "sign"),
    [
        ({"nonce": "another"}, None),
        ({"nonce": None}, None),
        ({"aud": "another"}, None),
        ({"aud": "another", "azp": CLIENT_ID}, None),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, None),
        ({"exp": int(time.time()) - 600}, None),
        ({"iss": "https://login.evil.example"}, None),
        ({"sub": None}, None),
        ({}, unsigned),
        ({}, by_the_secret),
        ({}, by_another_key),
    ],
)
def test_a_forged_id_token_lets_nobody_in(
    make: Make,
    provider: OidcProvider,
    forged: dict[str, Any],
    sign: Callable[[dict[str, Any]], str] | None,
) -> None:
    chat = make()
    provider.forged = forged
    provider.sign = sign or provider.signed
    # As an attacker's description would.
    provider.described = {"id_token_signing_alg_values_supported": ["RS256", "none", "HS256"]}
    refused = log_in(chat.client, provider)
    assert refused.status_code == 403, refused.text
    assert len(provider.verified) == 1
    assert chat.client.get("/api/me").status_code == 401
    with chat.parts.database.read() as session:
        assert [row.action for row in audit.listing(session, 10)] == ["login_failed"]


def test_a_way_back_is_taken_once_and_only_by_the_browser_that_went(
    make: Make, provider: OidcProvider
) -> None:
    client = make().client
    there = begin(client)
    cookie = client.get_cookie("archi_session").value
    back = provider.log_in(there)
    stranger = client.application.test_client()
    begin(stranger)
    assert come_back(stranger, back.replace("code=", "x=1&code=")).status_code == 403
    there = begin(client)
    cookie = client.get_cookie("archi_session").value
    assert come_back(client, provider.log_in(there)).status_code == 303
    # The state again, with the old cookie and a new code.
    client.set_cookie("archi_session", cookie)
    assert come_back(client, provider.log_in(there)).status_code == 403


def test_another_providers_answer_is_refused(make: Make, provider: OidcProvider) -> None:
    client = make().client
    back = provider.log_in(begin(client)).replace("iss=", "iss=https%3A%2F%2Fevil.example%2F&x=")
    assert come_back(client, back).status_code == 403


def test_a_provider_that_calls_itself_otherwise_is_not_asked(
    make: Make, provider: OidcProvider
) -> None:
    client = make().client
    provider.described = {"issuer": "https://login.evil.example"}
    refused = client.get("/oidc/login")
    assert refused.status_code == 502
    assert "calls itself" in refused.text
    provider.described = {}
    assert log_in(client, provider).status_code == 303


def test_a_provider_that_is_down_is_said_on_the_page(make: Make, provider: OidcProvider) -> None:
    client = make().client
    provider._server.shutdown()
    provider._server.server_close()
    refused = client.get("/oidc/login")
    assert refused.status_code == 503
    assert "does not answer" in refused.text
    assert refused.headers["Retry-After"]
