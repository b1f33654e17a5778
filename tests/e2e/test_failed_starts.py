"""Starts that fail, by the pinned vLLM itself, and what ``archi diagnose`` says of a deployment.

The recorded logs of tests/unit/diagnosis/logs are of this vLLM: what it says now must be known too.
None of these starts needs weights: all fail before they are loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker
import pytest
import typer
from typer.testing import CliRunner

from archi.cli.diagnose import diagnose
from archi.cli.exit_codes import ExitCode
from archi.docker_engine import connect
from archi.images import image
from archi.names import Names
from tests.chat_application import until

NAMES = Names("archi-e2e-failed-starts")

MAKE = """
import json, pathlib, sys
config = {"model_type": "llama", "architectures": [sys.argv[1]], "hidden_size": 64,
          "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 128,
          "intermediate_size": 64, "max_position_embeddings": 2048}
pathlib.Path("/tmp/model").mkdir()
pathlib.Path("/tmp/model/config.json").write_text(json.dumps(config))
"""

app = typer.Typer()
app.command()(diagnose)


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = connect()

    def clear() -> None:
        label = {"label": f"archi.deployment={NAMES.deployment}"}
        for container in client.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)

    clear()
    yield client
    clear()


def start(client: docker.DockerClient, service: str, script: str, **options: Any) -> Any:
    return client.containers.run(
        image("vllm-cpu", "packages").tag,
        ["-c", script],
        entrypoint=["sh"],
        name=f"{service}-{NAMES.deployment}",
        labels=NAMES.labels(service),
        environment={"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
        init=True,
        detach=True,
        **options,
    )


def diagnosed() -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["--json", NAMES.deployment])
    assert done.exit_code == ExitCode.PROBLEM, done.output
    found: list[dict[str, Any]] = json.loads(done.output)
    return found


@pytest.mark.parametrize(
    ("architecture", "arguments", "cause"),
    [
        ("LlamaForCausalLM", "--max-model-len 100000", "context-too-long"),
        ("MoonForCausalLM", "", "unsupported-architecture"),
        (
            "LlamaForCausalLM",
            "--enable-auto-tool-choice --tool-call-parser hermess",
            "unknown-tool-parser",
        ),
    ],
)
def test_the_pinned_vllm_says_what_is_known(
    client: docker.DockerClient, architecture: str, arguments: str, cause: str
) -> None:
    script = f"python3 -c '{MAKE}' {architecture}\nexec vllm serve /tmp/model {arguments}"
    container = start(client, "vllm-server", script)
    container.wait()
    (report,) = diagnosed()
    assert report["cause"] == cause, container.logs().decode()
    assert report["service"] == "vllm-server"
    assert report["container"] == f"vllm-server-{NAMES.deployment}"
    assert report["state"] == "exited (1)"
    assert report["confidence"] == "certain"
    lines = container.logs().decode().split("\n")
    assert report["evidence"].removesuffix("…") in lines[report["line"] - 1]


def test_each_service_is_told_by_itself(client: docker.DockerClient) -> None:
    """One that runs, one that was stopped, one that ended in a way that nobody knows."""
    ended = start(client, "vllm-server", "echo 'ValueError: the moon is full' >&2; exit 3")
    ended.wait()
    until(ended.logs)  # Docker may write a log down after the container has ended
    start(client, "postgres", "sleep inf")
    start(client, "chatbot", "exec sleep inf").stop(timeout=2)
    vllm, postgres, chatbot = diagnosed()
    assert vllm["cause"] == "unknown"
    assert vllm["evidence"] == "ValueError: the moon is full"
    assert (postgres["state"], postgres["cause"]) == ("running", None)
    assert chatbot["cause"] in ("stopped", "killed")


def test_a_server_that_fails_over_and_over_is_told_with_its_cause(
    client: docker.DockerClient,
) -> None:
    said = "echo 'ValueError: No available memory for the cache blocks.' >&2; exit 1"
    # As a deployed server has it: without a check, one that runs again passes for one that is well.
    check = {"test": ["CMD", "false"]}
    container = start(
        client, "vllm-server", said, restart_policy={"Name": "always"}, healthcheck=check
    )
    for event in client.events(
        decode=True, filters={"container": container.id, "event": "die"}, since=0
    ):
        container.reload()
        if event["Action"] == "die" and container.attrs["RestartCount"] > 1:
            break
    (report,) = diagnosed()
    assert report["cause"] == "kv-cache-memory"


def test_a_chat_that_cannot_reach_vllm_is_told_why(client: docker.DockerClient) -> None:
    answer = json.dumps(
        {
            "parts": {
                "database": {"ready": True},
                "model": {"ready": False, "reason": "It does not answer (no connection)."},
            }
        }
    )
    serve = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        " def do_GET(self):\n"
        "  self.send_response(503); self.end_headers()\n"
        f"  self.wfile.write({answer.encode()!r})\n"
        'server = h.HTTPServer(("", 7861), A); print("up", flush=True); server.serve_forever()\n'
    )
    container = client.containers.run(
        image("vllm-cpu", "packages").tag,
        ["-c", serve],
        entrypoint=["python3"],
        name=NAMES.chatbot,
        labels=NAMES.labels("chatbot"),
        environment={"VLLM_BASE_URL": "http://vllm-server:8000/v1"},
        network_mode="none",  # nobody is asked for the name
        detach=True,
    )
    next(iter(container.logs(stream=True, follow=True)))
    (report,) = diagnosed()
    assert report["cause"] == "vllm-name-unknown"
    assert "Could not resolve host: vllm-server" in report["evidence"]
