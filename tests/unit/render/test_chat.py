"""The chat application's contract with its deployment."""

from __future__ import annotations

from typing import Any

import pytest

from archi import render
from archi.settings import Settings, from_mapping


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
    }


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
