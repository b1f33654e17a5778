"""The chat application's contract with its deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from archi import render
from archi.settings import Settings, from_mapping
from chatbot.settings import Settings as ApplicationSettings


def configured(services: dict[str, Any] | None = None, **config: Any) -> Settings:
    return from_mapping("bot", {**config, "services": services or {}})


def test_the_whole_environment_on_a_network_of_its_own() -> None:
    settings = configured({"chatbot": {"database": "sqlite", "max_streams": 8}})
    assert render.chat_environment(settings) == {
        "VLLM_BASE_URL": "http://vllm-server:8000/v1",
        "DATABASE_URL": "sqlite:////data/chat.db",
        "ARCHI_FILES": "/run/archi",
        "ARCHI_LISTEN": "0.0.0.0:7861",
        "ARCHI_PUBLISHED_BIND": "127.0.0.1",
        "ARCHI_MAX_STREAMS": "8",
        "ARCHI_AUTH": "none",
        "ARCHI_TRUSTED_PROXIES": "0",
        "ARCHI_WORKERS": "2",
        "ARCHI_LEAVE_GRACE": "5",
        "ARCHI_DRAIN_TIMEOUT": "25",
        "ARCHI_MODEL_TITLES": "true",
        "ARCHI_MAX_UPLOAD": str(20 * 2**20),
        "ARCHI_METRICS": "loopback",
    }


OIDC = {
    "issuer": "https://login.example.org/realms/staff",
    "client_id": "archi",
    "admin_group": "archi admins",
    "allowed_groups": ["staff", "guests"],
    "allowed_domains": ["example.org"],
    "scopes": ["openid", "groups"],
}


def test_what_the_settings_say_of_access_is_in_the_environment() -> None:
    chatbot = {
        "public_url": "https://chat.example.org",
        "trusted_proxies": 2,
        "auth": {"mode": "oidc", "oidc": OIDC},
        "workers": 3,
        "leave_grace": "1m",
        "model_titles": False,
        "model_probe": False,
        "max_upload": "50m",
        "metrics": "token",
        "documents": "/data/handbook",
        "questions_per_minute": 0,
        "completions_per_minute": 600,
    }
    plain = render.chat_environment(configured())
    said = render.chat_environment(configured({"chatbot": chatbot}))
    assert {name: value for name, value in said.items() if plain.get(name) != value} == {
        "ARCHI_AUTH": "oidc",
        "ARCHI_PUBLIC_URL": "https://chat.example.org",
        "ARCHI_TRUSTED_PROXIES": "2",
        "ARCHI_WORKERS": "3",
        "ARCHI_LEAVE_GRACE": "60",
        "ARCHI_MODEL_TITLES": "false",
        "ARCHI_MODEL_PROBE": "0",
        "ARCHI_MAX_UPLOAD": str(50 * 2**20),
        "ARCHI_METRICS": "token",
        "ARCHI_DOCUMENTS": "/documents",
        "ARCHI_RATE_QUESTIONS": "0",
        "ARCHI_RATE_COMPLETIONS": "600",
        "ARCHI_OIDC_ISSUER": "https://login.example.org/realms/staff",
        "ARCHI_OIDC_CLIENT_ID": "archi",
        "ARCHI_OIDC_SCOPES": "openid groups",
        "ARCHI_OIDC_GROUPS_CLAIM": "groups",
        "ARCHI_OIDC_ADMIN_GROUP": "archi admins",
        "ARCHI_OIDC_GROUPS": "staff,guests",
        "ARCHI_OIDC_DOMAINS": "example.org",
    }


def test_the_application_takes_its_whole_environment(tmp_path: Path) -> None:
    """What is said here is what it understands: a value that it refuses would not start."""
    chatbot = {
        "database": "sqlite",
        "public_url": "https://chat.example.org",
        "trusted_proxies": 1,
        "auth": {"mode": "oidc", "oidc": OIDC},
        "metrics": "token",
        "documents": "/data/handbook",
    }
    for services in ({}, {"chatbot": chatbot}):
        environment = render.chat_environment(configured(services))
        here = {"ARCHI_FILES": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/chat.db"}
        if "ARCHI_DOCUMENTS" in environment:
            here["ARCHI_DOCUMENTS"] = str(tmp_path)
        found = ApplicationSettings.from_environment({**environment, **here})
        assert found.max_streams == 32


LOCAL = {"auth": {"mode": "local"}}


@pytest.mark.parametrize(
    ("chatbot", "url"),
    [
        ({}, "http://localhost:7861"),
        ({"port": 7862}, "http://localhost:7862"),
        ({"bind": "127.0.0.2"}, "http://localhost:7861"),
        ({"bind": "0.0.0.0", **LOCAL}, "http://localhost:7861"),
        ({"bind": "192.0.2.7", **LOCAL}, "http://192.0.2.7:7861"),
        ({"bind": "2001:db8::7", **LOCAL}, "http://[2001:db8::7]:7861"),
        (
            {"public_url": "https://Chat.example.org/", "trusted_proxies": 1, **LOCAL},
            "https://chat.example.org",
        ),
    ],
)
def test_where_people_open_the_chat(chatbot: dict[str, Any], url: str) -> None:
    assert render.chat_url(configured({"chatbot": chatbot})) == url


@pytest.mark.parametrize(
    ("bind", "asked"),
    [
        ("0.0.0.0", "http://127.0.0.1:7861/healthz"),
        ("::", "http://[::1]:7861/healthz"),
        ("192.0.2.7", "http://192.0.2.7:7861/healthz"),
        ("2001:db8::7", "http://[2001:db8::7]:7861/healthz"),
    ],
)
def test_in_host_mode_health_is_asked_at_an_address_that_answers(bind: str, asked: str) -> None:
    chosen = configured({"chatbot": {"bind": bind, **LOCAL}}, host_mode=True)
    assert render.chat_health_check(chosen).test[-1] == asked


def test_with_a_certificate_health_is_asked_by_tls(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("chat.example.org")
    path = tmp_path / "chat.pem"
    issued.cert_chain_pems[0].write_to_path(str(path))
    chatbot = {
        "tls_certificate": str(path),
        "public_url": "https://chat.example.org:7861",
        **LOCAL,
    }
    chosen = from_mapping(
        "bot",
        {"services": {"chatbot": chatbot}},
        {"tls_key": issued.private_key_pem.bytes().decode()},
    )
    asked = render.chat_health_check(chosen).test
    assert asked[1:3] == ("curl", "--insecure")
    assert asked[-1] == "https://127.0.0.1:7861/healthz"
    assert render.chat_readiness_command(chosen)[-1] == "https://127.0.0.1:7861/readyz"
    written = {one.path: one for one in render.secret_files(chosen)}
    assert written["secrets/tls_certificate"].value == path.read_text()
    assert "PRIVATE KEY" in (written["secrets/tls_key"].value or "")


def test_several_uploads_have_room_while_they_are_read() -> None:
    assert render.chat_scratch_mib(configured({"chatbot": {"max_upload": "50m"}})) == 64 + 4 * 50


def test_in_host_mode_everything_is_on_localhost_at_the_ports_of_the_settings() -> None:
    services = {"vllm": {"port": 8001}, "chatbot": {"port": 7862}, "postgres": {"port": 5433}}
    environment = render.chat_environment(configured(services, host_mode=True))
    assert environment["VLLM_BASE_URL"] == "http://localhost:8001/v1"
    assert environment["DATABASE_URL"] == "postgresql://archi@127.0.0.1:5433/archi"
    assert environment["ARCHI_LISTEN"] == "127.0.0.1:7862"


def test_on_its_network_the_database_is_found_by_name() -> None:
    environment = render.chat_environment(configured({"postgres": {"port": 5433}}))
    assert environment["DATABASE_URL"] == "postgresql://archi@postgres:5432/archi"


@pytest.mark.parametrize("written", ["https://gpu.example.org/v1", "https://gpu.example.org/v1/"])
def test_a_vllm_elsewhere_is_where_the_settings_say(written: str) -> None:
    settings = configured({"vllm": {"base_url": written}})
    assert render.chat_environment(settings)["VLLM_BASE_URL"] == "https://gpu.example.org/v1"


def test_health_is_asked_where_it_listens() -> None:
    host = configured({"chatbot": {"port": 7862}}, host_mode=True)
    assert render.chat_health_check(host).test[-1] == "http://127.0.0.1:7862/healthz"
    assert render.chat_readiness_command(host)[-1] == "http://127.0.0.1:7862/readyz"
    bridge = configured({"chatbot": {"port": 7862}})
    assert render.chat_health_check(bridge).test[-1] == "http://127.0.0.1:7861/healthz"


@pytest.mark.parametrize(
    ("config", "taken"),
    [
        ({}, {"services.chatbot": 7861, "services.vllm": 8000}),
        (
            {"host_mode": True},
            {"services.chatbot": 7861, "services.vllm": 8000, "services.postgres": 5432},
        ),
        ({"services": {"vllm": {"publish": False}}}, {"services.chatbot": 7861}),
        ({"services": {"vllm": {"base_url": "http://a.b/v1"}}}, {"services.chatbot": 7861}),
        ({"deploy": ["vllm-server"]}, {"services.vllm": 8000}),
    ],
)
def test_the_ports_that_a_deployment_takes_of_its_host(
    config: dict[str, Any], taken: dict[str, int]
) -> None:
    wanted = {f"archi:{service}.port": port for service, port in taken.items()}
    assert render.host_ports(from_mapping("bot", config)) == wanted
