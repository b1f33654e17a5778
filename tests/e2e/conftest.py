"""One deployment for the whole session, on ports of its own, made by ``make up``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import requests

from archi.docker_engine import connect
from archi.names import LABEL_DEPLOYMENT, Names
from archi.stack_choice import choose
from tests.checkout import Checkout

STACK = "archi-e2e"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Assistant:
    """The deployment under test and what is said to it."""

    checkout: Checkout
    client: docker.DockerClient
    base: str
    chat_port: int
    vllm_port: int
    first_up: str = ""
    touched: bool = False
    """Whether a test has changed it since it was last as its stack file says."""

    @property
    def names(self) -> Names:
        return Names(STACK)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.chat_port}"

    def configure(self, **config: Any) -> None:
        """Write the stack file: the shipped one on ports of the tests' own, with changes."""
        self.touched = True
        ports = {"chatbot": {"port": self.chat_port}, "vllm": {"port": self.vllm_port}}
        services = config.pop("services", {})
        for service, values in services.items():
            ports[service] = {**ports[service], **values}
        self.checkout.stack(STACK, self.base, services=ports, **config)

    def up(self, *arguments: str) -> str:
        """``pulumi up``; it must succeed. Gives what it said."""
        done = self.checkout.up(STACK, *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def changed(self) -> dict[str, int]:
        """What the last update did beside leaving things as they are."""
        return {
            step: count for step, count in self.checkout.changes(STACK).items() if step != "same"
        }

    def ids(self) -> dict[str, str]:
        """Container ids by role."""
        found = self.client.containers.list(
            all=True, filters={"label": f"{LABEL_DEPLOYMENT}={STACK}"}
        )
        return {container.labels["archi.role"]: container.id for container in found}

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def complete(self, text: str) -> str:
        """One answer through the OpenAI-compatible endpoint."""
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8}
        answer = requests.post(f"{self.url}/v1/chat/completions", json=body, timeout=120)
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"])


def remove_all(client: docker.DockerClient) -> None:
    """Everything of the tests' deployment, volumes included; what an earlier run left too."""
    for container in client.containers.list(
        all=True, filters={"label": f"{LABEL_DEPLOYMENT}={STACK}"}
    ):
        container.remove(force=True, v=True)
    for kind in (client.networks, client.volumes):
        for thing in kind.list(filters={"label": f"{LABEL_DEPLOYMENT}={STACK}"}):
            thing.remove()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """The assistant, brought up from nothing by ``make up`` and removed at the end."""
    client = connect()
    remove_all(client)
    assistant = Assistant(
        Checkout.of_tree(tmp_path_factory.mktemp("deployment")),
        client,
        choose(None, None).stack,
        free_port(),
        free_port(),
    )
    assistant.configure()
    done = assistant.checkout.make("up", STACK=STACK)
    assert done.returncode == 0, done.stdout
    assistant.first_up, assistant.touched = done.stdout, False
    yield assistant
    remove_all(client)


@pytest.fixture
def assistant(deployed: Assistant) -> Assistant:
    """The assistant as its stack file says, whatever the test before did to it."""
    if deployed.touched:
        deployed.configure()
        deployed.up("--refresh")
        deployed.touched = False
    return deployed
