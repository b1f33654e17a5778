"""delete, status and restart of deployments that Pulumi made, as a person types them.

They are of busybox; their names end alike, so that nothing found by half a name goes unseen.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from archi.cli.exit_codes import ExitCode
from archi.names import Names
from tests.checkout import Checkout
from tests.command_line import ARCHI, BUSYBOX, archi, archi_json, archi_on_terminal, things
from tests.e2e.conftest import remove_all

MADE, OTHER_MADE = "archi-e2e-made", "my-archi-e2e-made"


@pytest.fixture(scope="module")
def client(busybox_client: docker.DockerClient) -> docker.DockerClient:
    return busybox_client


@pytest.fixture(scope="module")
def checkout(busybox_checkout: Checkout) -> Checkout:
    return busybox_checkout


@pytest.fixture(scope="module")
def programmed(client: docker.DockerClient, checkout: Checkout) -> Iterator[Checkout]:
    """The checkout, and at the end nothing of what Pulumi made from it."""
    for name in (MADE, OTHER_MADE):
        remove_all(client, name)
    yield checkout
    for name in (MADE, OTHER_MADE):
        remove_all(client, name)


def up(checkout: Checkout, name: str) -> Path:
    """A deployment as it should be, whatever a test before did to it; gives its stack file."""
    file = checkout.stack(name, "offline")
    done = checkout.up(name, "--refresh")
    assert done.returncode == 0, done.stdout
    return file


@pytest.fixture
def made(programmed: Checkout) -> Path:
    """The stack file of a deployment of busybox that Pulumi made."""
    return up(programmed, MADE)


def has_state(checkout: Checkout, name: str) -> bool:
    folder = checkout.home / "state" / ".pulumi" / "stacks" / "archi"
    return (folder / f"{name}.json").exists()


def test_delete_takes_state_and_stack_file_and_leaves_the_other_deployment(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    other_file = up(checkout, OTHER_MADE)
    before = things(client, OTHER_MADE)
    archi(checkout, "delete", "-n", MADE, "--keep-files", "--yes")
    assert things(client, MADE)["containers"] == []
    assert not has_state(checkout, MADE)
    assert made.exists()  # --keep-files

    archi(checkout, "delete", "-n", MADE, "--rmv", "--yes")
    assert not made.exists()
    assert not any(things(client, MADE).values())
    assert things(client, OTHER_MADE) == before
    assert other_file.exists()
    assert has_state(checkout, OTHER_MADE)
    assert archi_json(checkout, "status", OTHER_MADE)["state"] == "running"


def test_delete_of_a_shipped_stack_leaves_its_file(checkout: Checkout) -> None:
    shipped = checkout.path / "stacks" / "Pulumi.local.yaml"
    archi(checkout, "delete", "-n", "local", "--yes")
    assert shipped.exists()


def test_a_delete_that_was_killed_is_finished_by_the_next(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    container = client.containers.get(Names(MADE).chatbot)
    # While somebody else uses the data, no delete comes to its end.
    volume = Names(MADE).conversations_volume
    user = client.containers.create(BUSYBOX, "true", volumes=[f"{volume}:/data"])
    process = subprocess.Popen(
        [*ARCHI, "delete", "-n", MADE, "--rmv", "--yes"],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        container.wait(condition="removed", timeout=120)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        user.remove()
    assert made.exists()
    archi(checkout, "delete", "-n", MADE, "--rmv", "--yes")
    assert not any(things(client, MADE).values())
    assert not has_state(checkout, MADE)
    assert not made.exists()


def test_a_delete_that_is_broken_off_says_so_and_is_finished_by_the_next(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    # A network that somebody else is on is not removed: Pulumi tries again for half a minute.
    network = Names(MADE).network
    guest = client.containers.run(BUSYBOX, ["sleep", "1000000"], network=network, detach=True)
    with subprocess.Popen(
        [*ARCHI, "delete", "-n", MADE, "--rmv", "--yes"],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            next(line for line in process.stdout if "Pulumi looks at" in line)
            process.send_signal(signal.SIGINT)
        finally:
            guest.remove(force=True)
        rest = process.stdout.read()
        assert process.wait(timeout=120) == ExitCode.INTERRUPTED, rest
    assert "Broken off." in rest
    assert made.exists()
    archi(checkout, "delete", "-n", MADE, "--rmv", "--yes")
    assert not any(things(client, MADE).values())


def test_with_a_lost_passphrase_it_is_deleted_by_label(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    lines = made.read_text().splitlines(keepends=True)
    assert any(line.startswith("encryptionsalt") for line in lines)
    before = dict(checkout.environment)
    checkout.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    try:
        code, said = archi_on_terminal(checkout, "delete", "-n", MADE, "--rmv", typed="y\ny\n")
    finally:
        checkout.environment.clear()
        checkout.environment.update(before)
    assert code == 0, said
    assert "its passphrase is not the one in use" in said
    assert not any(things(client, MADE).values())
    assert not has_state(checkout, MADE)


def test_drift_is_found_and_its_mend_mends_it(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    names = Names(MADE)
    assert archi_json(checkout, "status", MADE)["drift"] == []

    network = client.networks.get(names.network)
    network.disconnect(names.chatbot)
    network.connect(names.chatbot)
    (lost,) = archi_json(checkout, "status", MADE, code=ExitCode.PROBLEM)["drift"]
    assert (lost["what"], lost["expected"]) == (f"alias on network {names.network}", "chatbot")
    follow(checkout, lost["mend"])
    assert archi_json(checkout, "status", MADE)["drift"] == []

    old = client.containers.get(names.chatbot)
    old.remove(force=True)
    client.containers.run(
        BUSYBOX,
        ["sleep", "1000000"],
        name=names.chatbot,
        labels=names.labels("chatbot"),
        environment={"VLLM_BASE_URL": "http://elsewhere/v1", "HF_TOKEN": "planted-1d7e"},
        network=names.network,
        volumes=[f"{names.conversations_volume}:/data"],
        mem_limit="64m",
        init=True,
        detach=True,
    )
    report = archi(checkout, "status", MADE, "--json", code=ExitCode.PROBLEM)
    assert "planted-1d7e" not in report
    found = {one["what"]: one for one in json.loads(report)["drift"]}
    assert found["environment variable VLLM_BASE_URL"]["found"] == "http://elsewhere/v1"
    assert found["environment variable HF_TOKEN"]["found"] == "set"
    assert found["dropped capabilities"]["expected"] == "ALL"
    assert "which Pulumi did not make" in found[f"container {names.chatbot}"]["found"]
    follow(checkout, found["dropped capabilities"]["mend"])
    assert archi_json(checkout, "status", MADE)["drift"] == []

    client.containers.get(names.chatbot).remove(force=True)
    foreign = client.containers.create(BUSYBOX, "true", name=names.chatbot)
    try:
        report = archi_json(checkout, "status", MADE, code=ExitCode.PROBLEM)
        assert report["state"] == "absent"
        assert "somebody else's" in report["drift"][0]["found"]
    finally:
        foreign.remove()
    (gone,) = archi_json(checkout, "status", MADE, code=ExitCode.PROBLEM)["drift"]
    assert gone["found"] == "gone"
    follow(checkout, gone["mend"])
    assert archi_json(checkout, "status", MADE)["state"] == "running"


def follow(checkout: Checkout, mend: str) -> None:
    """Do what a mend says: its commands stand between backticks."""
    for command in mend.split("`")[1::2]:
        if command.startswith("pulumi"):
            done = checkout.pulumi(*command.split()[1:], "--yes", "--skip-preview")
            assert done.returncode == 0, done.stdout
        elif command.startswith("docker"):
            subprocess.run(command, shell=True, check=True, capture_output=True)


def test_restart_waits_for_the_gate_and_keeps_the_container(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    before = client.containers.get(Names(MADE).chatbot)
    (took,) = archi_json(checkout, "restart", "-n", MADE)
    after = client.containers.get(Names(MADE).chatbot)
    assert took["service"] == "chatbot"
    assert after.id == before.id
    assert after.attrs["State"]["StartedAt"] > before.attrs["State"]["StartedAt"]
    said = archi(checkout, "restart", "-n", MADE, "-s", "vllm", code=ExitCode.NOT_FOUND)
    assert "Known: chatbot, vllm-server, postgres." in said


def test_a_restart_that_is_broken_off_leaves_the_container_running(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
    chat = client.containers.get(Names(MADE).chatbot)
    assert chat.exec_run(["sh", "-c", "> /data/hold"]).exit_code == 0
    with subprocess.Popen(
        [*ARCHI, "restart", "-n", MADE],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "stopping" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED, rest
    assert "Broken off." in rest
    chat.reload()
    assert chat.status == "running"
    assert chat.exec_run(["rm", "/data/hold"]).exit_code == 0
