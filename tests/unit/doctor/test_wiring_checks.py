"""The deployment's wiring, from what ``docker inspect`` and the chat container say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archi.doctor.finding import Finding
from archi.doctor.subject import Subject
from archi.doctor.wiring_checks import (
    base_url,
    containers,
    database,
    health,
    networks,
    reached,
)
from archi.settings import from_mapping

NETWORK = "archi-bot"
URL = "http://vllm-server:8000/v1"
MODEL = "org/m"


def container(
    role: str,
    *,
    network: str | None = NETWORK,
    alias: str | None = None,
    url: str = URL,
    restarts: int = 0,
    **state: Any,
) -> dict[str, Any]:
    joined = {network: {"Aliases": [alias or role, "abc123"]}} if network else {}
    return {
        "Id": role,
        "Name": f"/{role}-bot",
        "RestartCount": restarts,
        "Config": {
            "Labels": {"archi.deployment": "bot", "archi.role": role},
            "Env": ["PATH=/usr/bin", *([f"VLLM_BASE_URL={url}"] if role == "chatbot" else [])],
        },
        "HostConfig": {"NetworkMode": "host" if network == "host" else NETWORK},
        "NetworkSettings": {"Networks": joined},
        "State": {"Running": True, "ExitCode": 0, "Health": {"Status": "healthy"}, **state},
    }


def subject(*found: dict[str, Any], **config: Any) -> Subject:
    config.setdefault("services", {"chatbot": {"database": "sqlite"}, "vllm": {"model": MODEL}})
    return Subject(
        "bot", Path(), "unix:///x", settings=from_mapping("bot", config), containers=found
    )


def states(findings: Any) -> list[str]:
    return [finding.state for finding in findings]


def test_services_that_run_are_fine() -> None:
    found = list(containers(subject(container("vllm-server"), container("chatbot"))))
    assert states(found) == ["ok", "ok"]
    assert "is healthy" in found[0].found


def test_a_service_whose_container_is_gone_is_named() -> None:
    gone = next(iter(containers(subject(container("chatbot")))))
    assert gone.state == "problem"
    assert "vllm-server" in gone.found
    assert gone.mend == "`pulumi up --refresh -s bot`"


def test_what_is_not_deployed_is_no_problem() -> None:
    assert states(containers(subject())) == ["note"]


@pytest.mark.parametrize(
    ("state", "restarts", "expected", "words"),
    [
        ({"Restarting": True}, 7, "problem", "restarted it 7 times"),
        ({"Running": False, "ExitCode": 137, "OOMKilled": True}, 0, "problem", "out of memory"),
        ({"Running": False, "ExitCode": 1}, 0, "problem", "exit code 1"),
        ({"Health": {"Status": "unhealthy"}}, 0, "problem", "unhealthy"),
        ({"Health": {"Status": "starting"}}, 0, "note", "is starting"),
        ({}, 2, "warning", "restarted it 2 times"),
        ({"Health": None}, 0, "ok", "vllm-server runs."),
    ],
)
def test_how_a_container_is(
    state: dict[str, Any], restarts: int, expected: str, words: str
) -> None:
    one = container("vllm-server", restarts=restarts, **state)
    finding = health("vllm-server", one, "bot")
    assert finding.state == expected
    assert words in finding.found
    assert expected in ("ok", "note") or "docker logs" in finding.mend


def test_services_on_one_network_find_each_other() -> None:
    both = subject(container("chatbot"), container("vllm-server"))
    assert states(networks(both)) == ["ok"]


def test_a_service_that_left_the_network_is_named_with_the_command_that_brings_it_back() -> None:
    both = subject(container("chatbot", network=None), container("vllm-server"))
    [finding] = networks(both)
    assert finding.state == "problem"
    assert "chatbot-bot is not on the network archi-bot" in finding.found
    assert finding.mend == "`docker network connect --alias chatbot archi-bot chatbot-bot`"


def test_a_service_without_its_name_on_the_network_is_not_found_by_it() -> None:
    both = subject(container("chatbot"), container("vllm-server", alias="other"))
    [finding] = networks(both)
    assert finding.state == "problem"
    assert "not known as vllm-server" in finding.found
    assert "docker network disconnect archi-bot vllm-server-bot && " in finding.mend


def test_host_mode_holds_for_all_or_none() -> None:
    mixed = subject(container("chatbot"), container("vllm-server", network="host"))
    assert states(networks(mixed)) == ["problem"]
    on_host = (container("chatbot", network="host"), container("vllm-server", network="host"))
    assert states(networks(subject(*on_host, host_mode=True))) == ["ok"]
    [changed] = networks(subject(*on_host, host_mode=False))
    assert "not deployed yet" in changed.found


def test_the_address_of_vllm_fits() -> None:
    assert base_url(container("chatbot"), None, "bot").state == "ok"


@pytest.mark.parametrize(
    ("url", "network", "words"),
    [
        ("http://localhost:8000/v1", NETWORK, "the container itself"),
        ("http://127.0.0.1:8000/v1", NETWORK, "the container itself"),
        (URL, "host", "vLLM is at localhost"),
        ("", NETWORK, "no VLLM_BASE_URL"),
    ],
)
def test_an_address_that_does_not_fit_the_network(url: str, network: str, words: str) -> None:
    finding = base_url(container("chatbot", url=url, network=network), None, "bot")
    assert finding.state == "problem"
    assert words in finding.found


def test_an_address_that_the_stack_file_does_not_mean() -> None:
    settings = from_mapping("bot", {"services": {"vllm": {"base_url": "http://gpu1:8000/v1"}}})
    finding = base_url(container("chatbot"), settings, "bot")
    assert finding.state == "problem"
    assert "http://gpu1:8000/v1" in finding.found
    assert finding.mend == "`pulumi up -s bot`"


def answered(cause: str | None, *found: dict[str, Any], url: str = URL, **more: Any) -> Finding:
    said = json.dumps({"cause": cause, "said": "a reason", "served": [], **more})
    return reached(url, MODEL, 0, said, subject(*(found or (container("vllm-server"),))))


def test_a_vllm_that_is_reached_is_fine() -> None:
    assert answered(None).state == "ok"


@pytest.mark.parametrize(
    ("cause", "words", "mend"),
    [
        ("name-unknown", "the name vllm-server", "docker restart chatbot-bot"),
        ("unreachable", "no answer from http://vllm-server:8000/v1", "docker logs"),
        ("key-refused", "API key", "pulumi up --refresh -s bot"),
        ("key-missing", "API key", "pulumi up --refresh -s bot"),
        ("no-vllm", "no OpenAI-compatible server", "pulumi up --refresh -s bot"),
        ("certificate", "TLS", "SSL_CERT_FILE"),
    ],
)
def test_each_broken_wire_is_named_with_its_mend(cause: str, words: str, mend: str) -> None:
    finding = answered(cause)
    assert finding.state == "problem"
    assert words in finding.found
    assert mend in finding.mend


def test_a_name_whose_container_does_not_run_comes_back_with_it() -> None:
    stopped = container("vllm-server", Running=False)
    assert "pulumi up --refresh -s bot" in answered("name-unknown", stopped).mend


@pytest.mark.parametrize("cause", ["name-unknown", "unreachable"])
@pytest.mark.parametrize("role", ["chatbot", "vllm-server"])
def test_where_one_left_the_network_that_is_the_reason(cause: str, role: str) -> None:
    others = {"chatbot", "vllm-server"} - {role}
    found = [container(role, network=None), *(container(other) for other in others)]
    connect = f"docker network connect --alias {role} archi-bot {role}-bot"
    assert connect in answered(cause, *found).mend


def test_a_vllm_that_is_starting_is_waited_for() -> None:
    starting = container("vllm-server", Health={"Status": "starting"})
    assert answered("unreachable", starting).state == "note"


def test_another_model_than_the_one_asked_for_is_named() -> None:
    finding = answered("model-not-served", served=["org/other"])
    assert finding.state == "problem"
    assert "serves org/other" in finding.found
    assert MODEL in finding.found


def test_a_vllm_elsewhere_is_its_owners_to_mend() -> None:
    url = "http://gpu1.example.org:8000/v1"
    finding = answered("unreachable", container("chatbot"), url=url)
    assert "docker logs" not in finding.mend
    assert "firewall" in finding.mend
    assert "archi:vllm_api_key" in answered("key-missing", container("chatbot"), url=url).mend


def test_no_answer_in_time_is_no_answer() -> None:
    finding = reached(URL, MODEL, 124, "", subject(container("vllm-server")))
    assert finding.state == "problem"
    assert "it took too long" in finding.found


def readyz(**database_part: Any) -> str:
    return json.dumps({"status": "x", "parts": {"database": database_part, "model": {}}})


def test_the_chat_applications_word_on_its_database_counts() -> None:
    assert database(readyz(ready=True), "bot").state == "ok"
    broken = database(readyz(ready=False, reason="It does not answer (OperationalError)."), "bot")
    assert broken.state == "problem"
    assert "OperationalError" in broken.found
    assert "postgres-bot" in broken.mend


@pytest.mark.parametrize("said", ["", "<html>", "{}", "[]", "null"])
def test_a_chat_application_that_does_not_answer_is_a_problem(said: str) -> None:
    finding = database(said, "bot")
    assert finding.state == "problem"
    assert "docker logs --tail 50 chatbot-bot" in finding.mend
