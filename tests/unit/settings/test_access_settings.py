"""Who gets in, by which certificate, with which secrets: what depends on files or one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from archi.settings import Settings, SettingsError, from_mapping, refuse_missing_secrets

URL = "https://chat.example.org"
OIDC = {
    "mode": "oidc",
    "oidc": {"issuer": "https://login.example.org/", "client_id": "archi"},
}


def configured(secrets: dict[str, Any] | None = None, **chatbot: Any) -> Settings:
    return from_mapping("bot", {"services": {"chatbot": chatbot}}, secrets)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """Path of the certificate of chat.example.org, and its key as PEM."""
    return issued(authority, tmp_path, "chat.example.org")


def issued(
    authority: trustme.CA, folder: Path, name: str, end: datetime | None = None
) -> tuple[str, str]:
    made = authority.issue_cert(name, not_after=end)
    path = folder / f"{name.replace('*', 'any')}.pem"
    path.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    return str(path), made.private_key_pem.bytes().decode()


def test_the_chat_is_for_this_machine_unless_something_else_is_said() -> None:
    chatbot = configured().services.chatbot
    assert (chatbot.bind, chatbot.auth.mode, chatbot.public_url) == ("127.0.0.1", "none", None)


@pytest.mark.parametrize("mode", ["local", "oidc"])
@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.7", "::"])
def test_with_a_login_other_machines_may_reach_it(mode: str, bind: str) -> None:
    auth = OIDC if mode == "oidc" else {"mode": mode}
    chosen = configured(bind=bind, auth=auth, public_url=URL, trusted_proxies=1)
    assert chosen.services.chatbot.bind == bind


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "::1"])
def test_without_a_login_every_loopback_address_may_be_chosen(bind: str) -> None:
    assert configured(bind=bind).services.chatbot.bind == bind


def test_an_address_of_this_machine_needs_no_login() -> None:
    assert configured(public_url="http://localhost:8080").warnings == []


def test_passwords_in_plain_text_are_warned_of() -> None:
    [warning] = configured(bind="0.0.0.0", auth={"mode": "local"}).warnings
    assert "passwords and conversations cross the network in plain text" in warning
    behind = {"bind": "0.0.0.0", "auth": {"mode": "local"}, "trusted_proxies": 1}
    assert configured(**behind, public_url=URL).warnings == []


def test_the_issuers_address_loses_its_slash() -> None:
    oidc = configured(auth=OIDC, public_url=URL, trusted_proxies=1).services.chatbot.auth.oidc
    assert oidc is not None
    assert oidc.issuer == "https://login.example.org"


def test_a_certificate_its_key_and_its_name_go_together(certificate: tuple[str, str]) -> None:
    path, key = certificate
    chosen = configured({"tls_key": key}, tls_certificate=path, public_url=URL, auth=OIDC)
    assert chosen.services.chatbot.tls_certificate == path


def refusal(secrets: dict[str, Any] | None = None, **chatbot: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        configured(secrets, auth={"mode": "local"}, **chatbot)
    return "\n".join(refused.value.problems)


def test_a_certificate_of_another_name_is_refused_with_both(certificate: tuple[str, str]) -> None:
    said = refusal(tls_certificate=certificate[0], public_url="https://other.example.org")
    assert said == (
        "archi:services.chatbot.tls_certificate: is for chat.example.org, and public_url is "
        "https://other.example.org. Take the certificate of that name, or correct public_url."
    )


def test_a_certificate_of_all_names_of_a_domain_is_for_one_level(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path, _key = issued(authority, tmp_path, "*.example.org")
    configured(tls_certificate=path, public_url=URL, auth={"mode": "local"})
    assert "is for *.example.org" in refusal(
        tls_certificate=path, public_url="https://a.chat.example.org"
    )


def test_a_key_of_another_certificate_is_refused_and_not_shown(
    authority: trustme.CA, certificate: tuple[str, str], tmp_path: Path
) -> None:
    _path, other = issued(authority, tmp_path, "other.example.org")
    said = refusal({"tls_key": other}, tls_certificate=certificate[0], public_url=URL)
    assert said.startswith("archi:tls_key: is not the key of the certificate in")
    assert "PRIVATE KEY" not in said


def test_a_certificate_without_an_https_address_is_refused(certificate: tuple[str, str]) -> None:
    assert "Set public_url to https://" in refusal(tls_certificate=certificate[0])


def test_a_key_in_the_file_of_the_certificate_is_refused(
    certificate: tuple[str, str], tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(Path(certificate[0]).read_text() + certificate[1])
    said = refusal(tls_certificate=str(both), public_url=URL)
    assert "there is a private key in it; that belongs in the secret archi:tls_key" in said


@pytest.mark.parametrize(("days", "said"), [(-1, "it ended on"), (3, "it ends on"), (60, None)])
def test_a_certificate_that_ends_is_warned_of(
    authority: trustme.CA, tmp_path: Path, days: int, said: str | None
) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    path, _key = issued(authority, tmp_path, "chat.example.org", end)
    warnings = configured(tls_certificate=path, public_url=URL, auth={"mode": "local"}).warnings
    if said is None:
        assert warnings == []
    else:
        [warning] = warnings
        assert said in warning
        assert f"{end:%Y-%m-%d}" in warning


PIPELINE = {"A": {"models": {"required": {"m": "vllm/o/m"}, "optional": {"n": "openai/gpt-5"}}}}
TOOLS = {"tools": {"url": "https://a.b", "headers": {"Authorization": "Bearer ${TOOLS_TOKEN}"}}}
OTHER = {"other": {"base_url": "https://a.b/v1", "api_key": "OTHER_KEY"}}


@pytest.mark.parametrize(
    ("config", "key", "why"),
    [
        (
            {"pipeline_map": PIPELINE},
            "env_secrets.OPENAI_API_KEY",
            "archi:pipeline_map.A.models.optional.n names it",
        ),
        (
            {"services": {"chatbot": {"mcp_servers": TOOLS}}},
            "env_secrets.TOOLS_TOKEN",
            "archi:services.chatbot.mcp_servers.tools.headers.Authorization names it",
        ),
        (
            {"services": {"chatbot": {"providers": OTHER}}},
            "env_secrets.OTHER_KEY",
            "archi:services.chatbot.providers.other.api_key names it",
        ),
        (
            {"services": {"chatbot": {"auth": OIDC, "public_url": URL, "trusted_proxies": 1}}},
            "oidc_client_secret",
            "archi:services.chatbot.auth.mode is oidc",
        ),
    ],
)
def test_a_secret_that_is_spoken_of_and_missing_is_refused_on_up(
    config: dict[str, Any], key: str, why: str
) -> None:
    [missing] = from_mapping("bot", config).missing_secrets
    assert (missing.key, missing.why) == (key, why)
    with pytest.raises(SettingsError) as refused:
        refuse_missing_secrets(from_mapping("bot", config))
    [said] = refused.value.problems
    assert said.startswith(f"archi:{key}: is missing; {why}. `pulumi config set --secret ")
    assert missing.in_env_file.endswith(f"is missing in the .env; {why}. Put it there.")
    name, _, inner = key.partition(".")
    secrets = {name: {inner: "a-secret"} if inner else "a-secret"}
    refuse_missing_secrets(from_mapping("bot", config, secrets))


def test_the_key_of_a_certificate_may_be_missing_only_in_a_preview(
    certificate: tuple[str, str],
) -> None:
    [missing] = configured(
        tls_certificate=certificate[0], public_url=URL, auth={"mode": "local"}
    ).missing_secrets
    assert missing.in_stack_file.endswith("`pulumi config set --secret archi:tls_key < KEY.pem`.")


def test_models_of_other_providers_are_not_those_that_vllm_serves() -> None:
    settings = from_mapping("bot", {"pipeline_map": PIPELINE})
    assert settings.model == "o/m"
    assert settings.named_models == {"A.models.required.m": "o/m"}
    assert {str(one) for one in settings.references.values()} == {"vllm/o/m", "openai/gpt-5"}


def test_a_provider_may_have_the_name_of_a_known_one() -> None:
    providers = {"openai": {"base_url": "https://proxy.example.org/v1"}}
    config = {"pipeline_map": PIPELINE, "services": {"chatbot": {"providers": providers}}}
    assert from_mapping("bot", config).missing_secrets == ()
