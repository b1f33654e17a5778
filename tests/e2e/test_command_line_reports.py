"""status, list-deployments, logs, open and restart of the real deployment that all tests share."""

from __future__ import annotations

from typing import Any

import requests

from archi.cli.exit_codes import ExitCode
from tests.chat_application import until
from tests.command_line import archi, archi_json
from tests.e2e.conftest import PATIENCE, STACK, Assistant


def test_status_of_a_real_deployment(assistant: Assistant) -> None:
    found: dict[str, Any] = {}

    def idle() -> bool:
        found.update(archi_json(assistant.checkout, "status", STACK))
        load = found["vllm"] or {}
        return (load.get("running"), load.get("waiting")) == (0, 0)

    until(idle, PATIENCE)
    assert found["state"] == "running"
    assert found["model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert found["url"] == assistant.url
    assert found["drift"] == []
    assert found["gpus"] is None
    services = {one["service"]: one for one in found["services"]}
    assert set(services) == {"vllm-server", "chatbot"}
    for role, one in services.items():
        restarts = assistant.container(role).attrs["RestartCount"]
        assert (one["state"], one["health"], one["restarts"]) == ("running", "healthy", restarts)
    shown = archi(assistant.checkout, "status", STACK)
    assert f"{STACK}: running" in shown
    assert "Drift: none" in shown


def test_status_tells_what_the_model_server_is_doing(assistant: Assistant) -> None:
    body = {
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "prompt": "Once upon a time",
        "max_tokens": 8000,
        "ignore_eos": True,
        "stream": True,
    }
    url = f"{assistant.vllm_url}/completions"
    with requests.post(url, json=body, stream=True, timeout=120) as answer:
        lines = answer.iter_lines()  # kept: with the iterator goes the connection
        next(lines)  # it has begun; what follows fits in the socket's buffer

        def busy() -> bool:
            load = archi_json(assistant.checkout, "status", STACK)["vllm"] or {}
            figures = ("running", "tokens_per_second", "kv_cache_use")
            return all(load.get(figure, 0) > 0 for figure in figures)

        until(busy)


def test_a_real_deployment_is_listed_with_its_services_and_logs(assistant: Assistant) -> None:
    listed = {one["name"]: one for one in archi_json(assistant.checkout, "list-deployments")}
    assert listed[STACK]["state"] == "running"
    assert listed[STACK]["url"] == assistant.url
    services = archi_json(assistant.checkout, "list-services", "-n", STACK)
    assert [one["container"] for one in services] == [
        assistant.names.vllm_server,
        assistant.names.chatbot,
    ]
    logs = archi(assistant.checkout, "logs", STACK)
    assert "vllm-server | " in logs
    assert "chatbot     | " in logs
    assert "Application startup complete" in archi(assistant.checkout, "logs", STACK, "vllm-server")
    told = archi_json(assistant.checkout, "open", STACK)
    assert told == {"name": STACK, "url": assistant.url, "ready": True}
    without_display = dict(assistant.checkout.environment)
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        assistant.checkout.environment.pop(variable, None)
    assert archi(assistant.checkout, "open", STACK) == f"{assistant.url}\n"
    assistant.checkout.environment.update(without_display)


def test_an_edited_file_of_a_real_deployment_is_drift(assistant: Assistant) -> None:
    assistant.touched = True
    chat = assistant.container("chatbot")
    assistant.client.containers.run(
        chat.attrs["Config"]["Image"],
        ["sh", "-c", "chmod u+w /files/pipelines.yaml; echo '# edited' >> /files/pipelines.yaml"],
        entrypoint=[],
        user="0:0",
        volumes=[f"{assistant.names.files_volume}:/files"],
        remove=True,
    )
    (edited,) = archi_json(assistant.checkout, "status", STACK, code=ExitCode.PROBLEM)["drift"]
    assert (edited["what"], edited["found"]) == ("file /run/archi/pipelines.yaml", "edited")
    done = assistant.checkout.up(STACK, "--replace", "**::files-written")
    assert done.returncode == 0, done.stdout
    assert archi_json(assistant.checkout, "status", STACK)["drift"] == []


def test_restarting_the_chat_leaves_the_model_server_alone(assistant: Assistant) -> None:
    server = assistant.container("vllm-server").attrs["State"]["StartedAt"]
    chat = assistant.container("chatbot").attrs["State"]["StartedAt"]
    archi(assistant.checkout, "restart", "-n", STACK, "-s", "chatbot")
    assert assistant.container("chatbot").attrs["State"]["StartedAt"] > chat
    assert assistant.container("vllm-server").attrs["State"]["StartedAt"] == server
    assistant.ready()
    assert assistant.complete("Say hello.")
