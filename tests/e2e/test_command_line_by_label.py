"""delete, status, list-deployments and logs of deployments that only Docker knows, by their label.

Their names begin and end alike, so that nothing found by half a name goes unseen.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from archi.cli.exit_codes import ExitCode
from archi.deployments.containers import moment
from archi.leftovers import unknown_containers
from archi.names import Names
from tests.busybox import import_busybox
from tests.checkout import Checkout
from tests.command_line import (
    ARCHI,
    BUSYBOX,
    ByLabel,
    archi,
    archi_json,
    archi_on_terminal,
    things,
)
from tests.e2e.conftest import remove_all

BOT = "archi-e2e-bot"
OTHERS = ("my-archi-e2e-bot", "archi-e2e-bot-2")


@pytest.fixture
def client(busybox_client: docker.DockerClient) -> docker.DockerClient:
    return busybox_client


@pytest.fixture
def checkout(busybox_checkout: Checkout) -> Checkout:
    return busybox_checkout


@pytest.fixture
def clean(client: docker.DockerClient) -> Iterator[None]:
    """Nothing of the deployments of these tests, before and after."""
    for name in (BOT, *OTHERS):
        remove_all(client, name)
    yield
    for name in (BOT, *OTHERS):
        remove_all(client, name)


@pytest.fixture
def labelled(client: docker.DockerClient, clean: None) -> dict[str, ByLabel]:
    """Three deployments that only Docker knows."""
    return {name: ByLabel(client, name) for name in (BOT, *OTHERS)}


def test_delete_by_label_leaves_names_that_begin_or_end_alike(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    before = {name: things(client, name) for name in OTHERS}
    archi(checkout, "delete", "-n", BOT, "--yes")
    left = things(client, BOT)
    assert left == {"containers": [], "networks": [], "volumes": [Names(BOT).conversations_volume]}
    assert {name: things(client, name) for name in OTHERS} == before


def test_delete_off_a_terminal_without_yes_removes_nothing(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    before = things(client, BOT)
    said = archi(checkout, "delete", "-n", BOT, "--rmv", code=ExitCode.REFUSED)
    assert "Mend: --rmv --yes" in said
    assert f"containers: {Names(BOT).chatbot}" in said
    assert f"{Names(BOT).conversations_volume}: the conversations (SQLite)" in said
    assert things(client, BOT) == before


def test_data_goes_with_rmv_and_only_that_of_this_deployment(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    before = {name: things(client, name) for name in OTHERS}
    unlabelled = client.volumes.create(f"{Names(BOT).conversations_volume}-backup")
    try:
        archi(checkout, "delete", "-n", BOT, "--rmv", "--yes")
        assert not any(things(client, BOT).values())
        assert client.volumes.get(unlabelled.name).name == unlabelled.name
    finally:
        unlabelled.remove()
    assert {name: things(client, name) for name in OTHERS} == before
    assert "There is no deployment" in archi(
        checkout, "delete", "-n", BOT, "--yes", code=ExitCode.NOT_FOUND
    )


def test_scripts_are_told_what_would_go_and_what_went(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    names, before = Names(BOT), things(client, BOT)
    refused = delete_json(checkout, code=ExitCode.REFUSED)
    assert (refused["done"], refused["containers"]) == (False, [names.chatbot])
    assert things(client, BOT) == before
    gone = delete_json(checkout, "--yes")
    assert (gone["done"], gone["by_label"]) == (True, True)
    assert (gone["containers"], gone["networks"]) == ([names.chatbot], [names.network])
    assert [one["name"] for one in gone["kept_volumes"]] == [names.conversations_volume]
    assert things(client, BOT)["containers"] == []


def delete_json(checkout: Checkout, *more: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [*ARCHI, "delete", "-n", BOT, "--json", *more],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_data_that_was_kept_can_be_deleted_later(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    archi(checkout, "delete", "-n", BOT, "--yes")
    archi(checkout, "delete", "-n", BOT, "--yes")  # nothing to do is no failure
    assert things(client, BOT)["volumes"]
    archi(checkout, "delete", "-n", BOT, "--rmv", "--yes")
    assert not any(things(client, BOT).values())


def test_on_a_terminal_data_is_asked_for_a_second_time(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    before = things(client, BOT)
    code, said = archi_on_terminal(checkout, "delete", "-n", BOT, typed="n\n")
    assert (code, things(client, BOT)) == (ExitCode.REFUSED, before), said
    code, said = archi_on_terminal(checkout, "delete", "-n", BOT, "--rmv", typed="y\nn\n")
    assert f"Remove its data in {Names(BOT).conversations_volume} for good?" in said
    assert (code, things(client, BOT)) == (ExitCode.REFUSED, before), said
    code, said = archi_on_terminal(checkout, "delete", "-n", BOT, "--rmv", typed="y\ny\n")
    assert code == 0, said
    assert not any(things(client, BOT).values())


def test_a_volume_that_somebody_else_uses_is_kept_and_said(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    volume = Names(BOT).conversations_volume
    user = client.containers.create(BUSYBOX, "true", volumes=[f"{volume}:/data"])
    try:
        said = archi(checkout, "delete", "-n", BOT, "--rmv", "--yes", code=ExitCode.FAILED)
        assert f"Volume {volume} is kept: it is in use ({user.name})" in said
    finally:
        user.remove()
    archi(checkout, "delete", "-n", BOT, "--rmv", "--yes")  # it goes on from there
    assert not any(things(client, BOT).values())


def test_rmi_removes_the_images_that_nothing_else_uses(
    client: docker.DockerClient,
    checkout: Checkout,
    labelled: dict[str, ByLabel],
    tmp_path: Path,
) -> None:
    own = "archi-test/own:1"
    import_busybox(client, tmp_path, own)
    labelled[BOT].run("vllm-server", Names(BOT).vllm_server, own)
    archi(checkout, "delete", "-n", BOT, "--rmi", "--yes")
    assert client.images.list(own) == []
    assert client.images.list(BUSYBOX)  # the others use it


def test_a_deployment_without_a_state_is_listed_and_looked_at(
    client: docker.DockerClient, checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    labelled[OTHERS[0]].container.kill()
    listed = {one["name"]: one for one in archi_json(checkout, "list-deployments")}
    assert listed[BOT]["state"] == "running"
    assert listed[OTHERS[0]]["state"] == "stopped"
    assert listed[BOT]["age_seconds"] >= 0
    assert "local" not in listed
    every = archi_json(checkout, "list-deployments", "--all")
    assert {one["name"]: one["state"] for one in every}["local"] == "never-deployed"
    found = archi_json(checkout, "status", BOT, code=ExitCode.PROBLEM)
    assert [one["what"] for one in found["drift"]] == [f"container {Names(BOT).chatbot}"]
    assert "archi delete" in found["drift"][0]["mend"]


@pytest.mark.parametrize(
    "arguments",
    [("status", "e2e-bot"), ("logs", "archi-e2e-b"), ("open", "bot"), ("restart", "-n", "x")],
)
def test_half_a_name_is_no_deployment(
    checkout: Checkout, labelled: dict[str, ByLabel], arguments: tuple[str, ...]
) -> None:
    said = archi(checkout, *arguments, code=ExitCode.NOT_FOUND)
    assert BOT in said  # the known ones are listed


def test_logs_of_several_services_are_prefixed_and_in_order(
    checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    later = labelled[BOT].run("vllm-server", Names(BOT).vllm_server, said="good day")
    later.reload()
    both = archi(checkout, "logs", BOT).splitlines()
    assert both == ["chatbot     | hello of chatbot", "vllm-server | good day of vllm-server"]
    assert archi(checkout, "logs", BOT, "vllm-server") == "good day of vllm-server\n"
    assert archi(checkout, "logs", BOT, "--tail", "0") == ""
    (line,) = archi(checkout, "logs", BOT, "chatbot", "--json").splitlines()
    assert json.loads(line)["line"] == "hello of chatbot"
    said = archi(checkout, "logs", BOT, "postgres", code=ExitCode.NOT_FOUND)
    assert f"{BOT} has no postgres. It has: vllm-server, chatbot." in said


def test_following_logs_shows_what_comes_and_ends_cleanly_on_ctrl_c(
    checkout: Checkout, labelled: dict[str, ByLabel]
) -> None:
    with subprocess.Popen(
        [*ARCHI, "logs", BOT, "--follow"],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "hello of chatbot\n"
        labelled[BOT].container.exec_run(["sh", "-c", "echo later > /proc/1/fd/1"])
        assert process.stdout.readline() == "later\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_of_a_killed_run_is_only_what_was_made_since_it_began(
    client: docker.DockerClient, labelled: dict[str, ByLabel]
) -> None:
    """Of what a state does not know: the rest may be somebody else's, of the same name."""
    older = labelled[BOT].container
    began = moment(older.attrs["Created"]).timestamp() + 0.001
    since = labelled[BOT].run("vllm-server", Names(BOT).vllm_server)
    known = labelled[BOT].run("postgres", Names(BOT).postgres)
    theirs, others = unknown_containers(client, BOT, f'["{known.id}"]', began)
    assert [one.id for one in theirs] == [since.id]
    assert [one.id for one in others] == [older.id]
