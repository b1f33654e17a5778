"""The readiness gate: real vLLM that can't start, and small containers that misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from archi import deployment_images, render
from archi.cancellation import VARIABLE, Cancelled
from archi.docker_engine import connect
from archi.names import MODELS_VOLUME
from archi.readiness import VLLM_PHASES, NotReady, Target, wait
from archi.settings import Settings, from_mapping
from tests.e2e.conftest import Assistant

NAME = "archi-e2e-gate"
LABEL = {"archi.test": "readiness"}


class Gate:
    """Starts a container as the program would and waits at its gate."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.said: list[str] = []
        self.heard = threading.Condition()

    def start(self, image_tag: str, command: list[str], **options: Any) -> Any:
        return self.client.containers.run(
            image_tag,
            command,
            name=NAME,
            labels=LABEL,
            detach=True,
            init=True,
            restart_policy={"Name": "unless-stopped"},
            **options,
        )

    def wait(self, probe: list[str], *, timeout: float = 3600, warm_up: list[str] | None = None):
        def say(line: str) -> None:
            with self.heard:
                self.said.append(line)
                self.heard.notify_all()

        target = Target("vllm-server", NAME, probe, warm_up, VLLM_PHASES, timeout)
        return wait(self.client, target, say)

    def until_said(self, text: str) -> None:
        with self.heard:
            self.heard.wait_for(lambda: any(text in line for line in self.said))


@pytest.fixture
def gate() -> Iterator[Gate]:
    client = connect()

    def clear() -> None:
        for container in client.containers.list(
            all=True, filters={"label": "archi.test=readiness"}
        ):
            container.remove(force=True, v=True)

    clear()
    yield Gate(client)
    clear()


@pytest.fixture
def settings(deployed: Assistant) -> Settings:
    """Those of the deployment whose weights are on this machine."""
    source = "packages" if deployed.base == "offline" else "registry"
    return from_mapping(
        "gate",
        {
            "source": source,
            "gpu_ids": "none",
            "services": {
                "vllm": {
                    "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
                    "enforce_eager": True,
                    "cpu_kv_cache_gib": 1,
                }
            },
        },
    )


def start_vllm(gate: Gate, settings: Settings, command: list[str], **options: Any) -> Any:
    template = command.index("--chat-template")
    vllm = deployment_images.of(settings).vllm
    assert vllm is not None
    del command[template : template + 2]  # its file is on a volume that these containers lack
    return gate.start(
        deployment_images.reference(vllm),
        command,
        environment={**render.vllm_environment(settings), **options.pop("environment", {})},
        volumes=[f"{MODELS_VOLUME}:{render.MODELS_PATH}:ro"],
        ipc_mode="host",
        **options,
    )


PROBE = ["curl", "-fsS", "http://127.0.0.1:8000/v1/models"]


def failure(gate: Gate) -> str:
    """What the gate raises; the container must not go on failing behind it."""
    with pytest.raises(NotReady) as caught:
        gate.wait(PROBE)
    assert gate.client.containers.get(NAME).status == "exited"
    return str(caught.value)


def test_weights_that_are_not_there(gate: Gate, settings: Settings) -> None:
    command = render.vllm_command(settings)
    start_vllm(gate, settings, ["/models/no/where/main", *command[1:]])
    assert "/models/no/where/main" in failure(gate)


def test_too_little_memory_for_the_kv_cache(gate: Gate, settings: Settings) -> None:
    start_vllm(
        gate,
        settings,
        render.vllm_command(settings),
        environment={"VLLM_CPU_KVCACHE_SPACE": "4000"},
    )
    text = failure(gate)
    assert "The KV cache was to have 4000.0 GiB" in text
    assert "cpu_kv_cache_gib" in text


def test_a_server_that_goes_over_its_memory_limit(gate: Gate, settings: Settings) -> None:
    start_vllm(
        gate, settings, render.vllm_command(settings), mem_limit="400m", memswap_limit="400m"
    )
    text = failure(gate)
    assert "memory limit" in text
    assert "archi:services.vllm.memory" in text


def test_a_server_that_is_killed_while_it_starts(gate: Gate, settings: Settings) -> None:
    container = start_vllm(gate, settings, render.vllm_command(settings))
    killer = threading.Thread(
        target=lambda: (gate.until_said("starting the engine"), container.kill("SIGKILL"))
    )
    killer.start()
    text = failure(gate)
    killer.join()
    assert "137" in text


@pytest.fixture(scope="session")
def small(deployed: Assistant) -> str:
    """An image that is there and has a shell."""
    return deployed.client.containers.get(deployed.names.chatbot).image.id


def test_a_container_that_answers_is_ready_after_its_first_request(gate: Gate, small: str) -> None:
    gate.start(small, ["sleep", "inf"])
    gate.wait(["true"], warm_up=["touch", "/tmp/warm"])
    assert gate.client.containers.get(NAME).exec_run(["test", "-e", "/tmp/warm"]).exit_code == 0
    assert "ready" in gate.said[-1]


def test_a_stopped_container_is_started(gate: Gate, small: str) -> None:
    gate.start(small, ["sleep", "inf"]).stop(timeout=0)
    gate.wait(["true"])
    assert gate.client.containers.get(NAME).status == "running"


def test_an_end_is_noticed_however_soon_it_came(gate: Gate, small: str) -> None:
    """A container that was dead before the gate looked gets one clean start that tells why."""
    gate.start(small, ["sh", "-c", "echo 'ValueError: the moon is full' >&2; exit 3"])
    text = failure(gate)
    assert "exit code 3" in text
    assert "ValueError: the moon is full" in text


def test_no_answer_in_time_stops_it_and_shows_the_last_try(gate: Gate, small: str) -> None:
    container = gate.start(small, ["sleep", "inf"])
    with pytest.raises(NotReady) as caught:
        gate.wait(["sh", "-c", "echo not yet; false"], timeout=1)
    assert "did not answer within 1 s" in str(caught.value)
    assert "not yet" in str(caught.value)
    container.reload()
    assert container.status == "exited"


def test_a_container_removed_meanwhile_is_told(gate: Gate, small: str) -> None:
    container = gate.start(small, ["sleep", "inf"])
    remover = threading.Thread(
        target=lambda: (gate.until_said("starting"), container.remove(force=True))
    )
    remover.start()
    with pytest.raises(NotReady, match="pulumi up --refresh"):
        gate.wait(["false"])
    remover.join()


def test_breaking_off_leaves_the_container_to_start(
    gate: Gate, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = tmp_path / "cancel"
    monkeypatch.setenv(VARIABLE, str(cancel))
    container = gate.start(small, ["sleep", "inf"])
    breaker = threading.Thread(target=lambda: (gate.until_said("starting"), cancel.touch()))
    breaker.start()
    with pytest.raises(Cancelled):
        gate.wait(["false"])
    breaker.join()
    container.reload()
    assert container.status == "running"
