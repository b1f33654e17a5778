"""Two deployments for the whole session, each on ports of its own.

One is made by ``make up`` from a stack for a first look: SQLite, no secrets. The other, made when
a test first wants it, has everything else: Postgres, an API key, secrets of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from archi.docker_engine import connect
from archi.names import LABEL_DEPLOYMENT, Names
from archi.stack_choice import choose
from tests.busybox import import_busybox
from tests.chat_application import until
from tests.checkout import Checkout
from tests.command_line import BUSYBOX
from tests.ports import free_port

STACK = "archi-e2e"
FULL_STACK = "archi-e2e-full"

PATIENCE = 600
"""Seconds that vLLM may take on a busy CPU, its start included."""

SECRETS = {
    "vllm_api_key": "planted-vllm-key-7f3a",
    "postgres_password": "planted 'pass\\word\" $HOME-é-91c4",
    "session_key": "planted-session-key-of-more-than-32-characters",
    "hf_token": "planted-hub-token-55d0",
    "env_secrets": {"SEARCH_TOKEN": "planted-search-token-0b2e"},
}
"""What a stack of the tests' own keeps encrypted; nothing may ever show it."""


@dataclass
class Assistant:
    """A deployment under test and what is said to it."""

    checkout: Checkout
    client: docker.DockerClient
    base: str
    stack: str = STACK
    chat_port: int = field(default_factory=free_port)
    vllm_port: int = field(default_factory=free_port)
    postgres_port: int = field(default_factory=free_port)
    first_up: str = ""
    touched: bool = False
    """Whether a test has changed it since it was last as its stack file says."""

    @property
    def names(self) -> Names:
        return Names(self.stack)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.chat_port}"

    @property
    def vllm_url(self) -> str:
        return f"http://localhost:{self.vllm_port}/v1"

    def configure(self, **config: Any) -> None:
        """Write the stack file: the shipped one on ports of the tests' own, with changes."""
        self.touched = True
        ports = {
            # A reader who comes back is never too late for a busy machine.
            "chatbot": {"port": self.chat_port, "leave_grace": "20s"},
            "vllm": {"port": self.vllm_port},
            "postgres": {"port": self.postgres_port},
        }
        services = config.pop("services", {})
        for service, values in services.items():
            ports[service] = {**ports[service], **values}
        self.checkout.stack(self.stack, self.base, services=ports, **config)

    @contextmanager
    def edited(self, **config: Any) -> Iterator[None]:
        """The stack file with changes, secrets kept, and afterwards as it was."""
        path = self.checkout.path / f"stacks/Pulumi.{self.stack}.yaml"
        before = path.read_text()
        try:
            self.checkout.stack(self.stack, self.stack, **config)
            yield
        finally:
            path.write_text(before)

    def keep_secret(self, secrets: dict[str, Any]) -> None:
        """Encrypt them in the stack file, under a passphrase of the tests' own."""
        path = self.checkout.path / f"stacks/Pulumi.{self.stack}.yaml"
        content = path.read_text()
        if "secure:" not in content:  # the salt is still the shipped one, of an empty passphrase
            lines = content.splitlines(keepends=True)
            kept = [line for line in lines if not line.startswith("encryptionsalt")]
            path.write_text("".join(kept))
        for key, value in secrets.items():
            for at, secret in (
                [(f"{key}.{name}", one) for name, one in value.items()]
                if isinstance(value, dict)
                else [(key, value)]
            ):
                done = self.checkout.pulumi(
                    *("config", "set", "--stack", self.stack, "--secret", "--path"),
                    *(f"archi:{at}", secret),
                )
                assert done.returncode == 0, done.stdout

    def up(self, *arguments: str) -> str:
        """``pulumi up``; it must succeed. Gives what it said."""
        done = self.checkout.up(self.stack, *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def steps(self, *arguments: str) -> dict[str, str]:
        """What ``pulumi up`` would do, by the resource's name; what stays the same left out.

        Of a component and the resource in it that bears its name, the resource counts.
        """
        report = self.checkout.pulumi_json("preview", "--json", "--stack", self.stack, *arguments)
        return {
            step["urn"].rsplit("::", 1)[-1]: step["op"]
            for step in report["steps"]
            if step["op"] not in ("same", "refresh", "read")
            and "archi:components:" not in step["urn"].rsplit("::", 2)[-2].rsplit("$", 1)[-1]
        }

    def changed(self) -> dict[str, int]:
        """What the last update did beside leaving things as they are."""
        changes = self.checkout.changes(self.stack)
        return {step: count for step, count in changes.items() if step != "same"}

    def ids(self) -> dict[str, str]:
        """Container ids by role."""
        found = self.client.containers.list(
            all=True, filters={"label": f"{LABEL_DEPLOYMENT}={self.stack}"}
        )
        return {container.labels["archi.role"]: container.id for container in found}

    def container(self, role: str) -> Container:
        return self.client.containers.get(self.ids()[role])

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()

    def ready(self) -> None:
        """Wait until the chat application says that it can answer."""
        until(lambda: requests.get(f"{self.url}/readyz", timeout=60).ok, PATIENCE)

    def complete(self, text: str) -> str:
        """One answer through the OpenAI-compatible endpoint."""
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8}
        answer = requests.post(f"{self.url}/v1/chat/completions", json=body, timeout=120)
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"])

    def running(self) -> float:
        """Requests that vLLM is working on, by its own metrics."""
        metrics = requests.get(f"http://localhost:{self.vllm_port}/metrics", timeout=60).text
        found = re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", metrics, re.MULTILINE)
        return sum(map(float, found))

    def remember(self, title: str) -> None:
        """Make a conversation that is to be there later."""
        made = requests.post(f"{self.url}/api/conversations", json={"title": title}, timeout=60)
        made.raise_for_status()

    def titles(self) -> list[str]:
        return [item["title"] for item in self.get("/api/conversations")["conversations"]]


def remove_all(client: docker.DockerClient, stack: str = STACK) -> None:
    """Everything of a deployment of the tests, volumes included; what an earlier run left too."""
    label = {"label": f"{LABEL_DEPLOYMENT}={stack}"}
    for container in client.containers.list(all=True, filters=label):
        container.remove(force=True, v=True)
    for kind in (client.networks, client.volumes):
        for thing in kind.list(filters=label):
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


@pytest.fixture(scope="session")
def full_deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An assistant with Postgres, an API key and secrets, brought up by ``pulumi up``."""
    client = connect()
    remove_all(client, FULL_STACK)
    assistant = Assistant(
        Checkout.of_tree(tmp_path_factory.mktemp("full")),
        client,
        choose(None, None).stack,
        FULL_STACK,
    )
    toolchain = assistant.checkout.make("toolchain")
    assert toolchain.returncode == 0, toolchain.stdout
    assistant.configure(services={"chatbot": {"database": "postgres"}})
    assistant.keep_secret(SECRETS)
    assistant.first_up, assistant.touched = assistant.up(), False
    yield assistant
    remove_all(client, FULL_STACK)


@pytest.fixture
def full(full_deployed: Assistant) -> Assistant:
    """It, as its stack file says, whatever the test before did to it."""
    if full_deployed.touched:
        full_deployed.up("--refresh")
        full_deployed.touched = False
    return full_deployed


@pytest.fixture(scope="session")
def busybox_client(tmp_path_factory: pytest.TempPathFactory) -> docker.DockerClient:
    """The Engine, with an image of busybox."""
    client = connect()
    import_busybox(client, tmp_path_factory.mktemp("busybox"), BUSYBOX)
    return client


@pytest.fixture(scope="session")
def busybox_checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose program deploys busybox."""
    checkout = Checkout.of_tree(tmp_path_factory.mktemp("lifecycle"))
    toolchain = checkout.make("toolchain")
    assert toolchain.returncode == 0, toolchain.stdout
    program = Path(__file__).with_name("busybox_program.py")
    shutil.copy(program, checkout.path / "__main__.py")
    return checkout
