"""The examples of docs/ci on a real deployment: plan, apply, drift. Its vLLM is a scripted one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests
import yaml

from archi.docker_engine import connect
from archi.names import LABEL_DEPLOYMENT, Names
from archi.stack_choice import choose
from tests.chat_application import until
from tests.checkout import Checkout
from tests.ci_examples import Runner
from tests.ports import free_port
from tests.s3_server import S3Server
from tests.scripted_vllm import MODEL, ScriptedVllm

STACK = "archi-e2e-ci"


def remove_all(client: docker.DockerClient) -> None:
    label = {"label": f"{LABEL_DEPLOYMENT}={STACK}"}
    for container in client.containers.list(all=True, filters=label):
        container.remove(force=True)
    for volume in client.volumes.list(filters=label):
        volume.remove()


def make_stack(runner: Runner, chat_port: int, base_url: str) -> Path:
    """A stack of the team's own, as docs/ci/README.md says: a chat application for that vLLM."""
    path = runner.checkout.stack(
        STACK,
        choose(None, None).stack,
        host_mode=True,
        services={
            "chatbot": {"port": chat_port, "database": "sqlite"},
            "vllm": {"model": MODEL, "base_url": base_url},
        },
    )
    content = yaml.safe_load(path.read_text())
    content.pop("encryptionsalt", None)
    path.write_text(yaml.safe_dump(content))
    runner.checkout.environment.update(runner.variables)
    done = runner.checkout.pulumi("stack", "init", STACK, "--no-select")
    assert done.returncode == 0, done.stdout
    return path


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = connect()
    remove_all(client)
    yield client
    remove_all(client)


@pytest.fixture
def vllm() -> Iterator[ScriptedVllm]:
    with ScriptedVllm() as server:
        yield server


@pytest.fixture(params=["github with a folder", "gitlab with S3"])
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    folder = tmp_path_factory.mktemp("ci")
    checkout = Checkout.of_tree(folder)
    with S3Server() as s3:
        backend = folder / "backend"
        backend.mkdir()
        variables = (
            s3.variables
            if request.param == "gitlab with S3"
            else {"PULUMI_BACKEND_URL": f"file://{backend}"}
        )
        variables["PULUMI_CONFIG_PASSPHRASE"] = "the team's own"
        yield Runner(checkout, request.param.split()[0], variables)


def test_what_is_planned_is_applied_and_drift_is_found_and_mended(
    client: docker.DockerClient, vllm: ScriptedVllm, runner: Runner
) -> None:
    port = free_port()
    file = make_stack(runner, port, vllm.base_url)

    def passes(job: str) -> str:
        done = runner.run(job, STACK)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ready() -> bool:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=60).ok

    chat = Names(STACK).chatbot
    passes("plan")
    assert client.containers.list(all=True, filters={"name": chat}) == []
    passes("apply")
    until(ready)
    assert f"{STACK} is as the stack file says." in passes("drift")

    client.containers.get(chat).remove(force=True)
    drifted = runner.run("drift", STACK)
    assert drifted.returncode == 7
    assert f"{STACK} is not as its stack file says: the diff is above." in drifted.stdout
    passes("plan")
    passes("apply")
    until(ready)

    # Nothing was planned; then the file changed: what nobody saw is not done.
    passes("plan")
    id_ = client.containers.get(chat).id
    file.write_text(file.read_text().replace(str(port), str(free_port())))
    refused = runner.run("apply", STACK)
    assert refused.returncode != 0
    assert "violates plan" in refused.stdout
    assert client.containers.get(chat).id == id_
    until(ready)


def test_a_stack_that_cannot_be_looked_at_is_not_called_drift(
    vllm: ScriptedVllm, runner: Runner
) -> None:
    make_stack(runner, free_port(), vllm.base_url)
    done = runner.run("drift", STACK, {"PULUMI_CONFIG_PASSPHRASE": "another"})
    assert done.returncode not in (0, 7)
    assert "could not be looked at: the cause is above" in done.stdout
