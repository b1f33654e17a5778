"""Accounts by the command line: a command in the chat container, the password by standard input."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import docker
import pytest
from typer.testing import CliRunner

from archi.cli.app import app
from archi.cli.exit_codes import ExitCode
from archi.deployments import chat_program
from archi.deployments.chat_program import ChatProgramError
from archi.docker_engine import connect
from archi.names import Names
from tests.busybox import import_busybox

IMAGE = "archi-test/busybox:1"
DEPLOYMENT = "archi-try-accounts"
PASSWORD = "a planted password"

# The container's program, as far as it is asked here.
PYTHON = """#!/bin/sh
case "$*" in
  "-m chatbot user add "*) read -r password; echo "$*: $password"; cat ;;
  "-m chatbot user list") printf 'ann\\tadmin\\tactive\\t-\\n' ;;
  *) echo "a line of the log" >&2; echo "There is no such account." >&2; exit 1 ;;
esac
"""


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return connect()


@pytest.fixture(scope="module")
def container(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    names = Names(DEPLOYMENT)
    import_busybox(client, tmp_path_factory.mktemp("busybox"), IMAGE)
    made = client.containers.create(
        IMAGE,
        ["sleep", "1000000"],
        name=names.chatbot,
        labels=names.labels("chatbot"),
        environment={"PATH": "/bin"},
        network_mode="none",
    )
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("bin/python")
        entry.mode, entry.size = 0o755, len(PYTHON.encode())
        tar.addfile(entry, BytesIO(PYTHON.encode()))
    made.put_archive("/", packed.getvalue())
    made.start()
    yield made
    made.remove(force=True)


def run(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, ["user", *words], input=typed, env={"NO_COLOR": "1"})


@pytest.mark.usefixtures("container")
def test_a_password_goes_by_standard_input_and_by_nothing_else() -> None:
    done = run("add", "ann", "-n", DEPLOYMENT, "--admin", typed=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"-m chatbot user add --admin -- ann: {PASSWORD}\n"


@pytest.mark.usefixtures("container")
def test_accounts_are_listed_for_people_and_for_scripts() -> None:
    assert "ann   admin  active" in run("list", "-n", DEPLOYMENT).stdout
    [found] = json.loads(run("list", "-n", DEPLOYMENT, "--json").stdout)
    assert found == {"name": "ann", "role": "admin", "state": "active", "last_login": None}


@pytest.mark.usefixtures("container")
def test_what_the_chat_application_refuses_is_said_in_its_words(
    client: docker.DockerClient,
) -> None:
    with pytest.raises(ChatProgramError) as refused:
        chat_program.run(client, DEPLOYMENT, ["user", "reset", "bob"])
    assert str(refused.value) == "There is no such account."


def test_a_chat_application_that_does_not_run_is_said(
    client: docker.DockerClient, container: Any
) -> None:
    container.stop(timeout=0)
    try:
        with pytest.raises(ChatProgramError, match=r"is exited, and its accounts .* `pulumi up"):
            chat_program.run(client, DEPLOYMENT, ["user", "list"])
    finally:
        container.start()


def test_a_deployment_that_is_none_is_not_found() -> None:
    done = run("list", "-n", "archi-try-nobody")
    assert done.exit_code == ExitCode.NOT_FOUND
    assert "There is no deployment 'archi-try-nobody'." in done.stderr
