"""status, list-deployments, logs, restart and delete, as a person types them.

What they say of a real deployment is asked of the one that all tests share. Deleting is tried on
deployments of busybox: some that Pulumi made, some that only Docker knows by their label. Their
names begin and end alike, so that nothing found by half a name goes unseen.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from archi.cli.exit_codes import ExitCode
from archi.docker_engine import connect
from archi.names import LABEL_DEPLOYMENT, Names
from tests.busybox import import_busybox
from tests.checkout import Checkout
from tests.e2e.conftest import STACK, Assistant, remove_all

ARCHI = [sys.executable, "-m", "archi.cli.app"]

BUSYBOX = "archi-test/busybox:1"
BOT = "archi-e2e-bot"
OTHERS = ("my-archi-e2e-bot", "archi-e2e-bot-2")
"""Deployments that only Docker knows."""

MADE, OTHER_MADE = "archi-e2e-made", "my-archi-e2e-made"
"""Deployments that Pulumi made."""


def archi(checkout: Checkout, *arguments: str, code: int = 0) -> str:
    """Run a command off a terminal; gives its standard output."""
    done = subprocess.run(
        [*ARCHI, *arguments],
        cwd=checkout.path,
        env={**checkout.environment, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code in (0, ExitCode.PROBLEM) else done.stderr


def archi_json(checkout: Checkout, *arguments: str, code: int = 0) -> Any:
    return json.loads(archi(checkout, *arguments, "--json", code=code))


def archi_on_terminal(checkout: Checkout, *arguments: str, typed: str) -> tuple[int, str]:
    """Run a command that asks; gives its exit code and what it said."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    try:
        done = subprocess.run(
            [*ARCHI, *arguments],
            cwd=checkout.path,
            env=checkout.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout


class ByLabel:
    """A deployment that only Docker knows: a container, a network, a volume with data."""

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self.client, self.names = client, Names(name)
        labels = self.names.labels
        self.volume = client.volumes.create(
            self.names.conversations_volume, labels=labels("conversations")
        )
        self.network = client.networks.create(self.names.network, labels=labels("network"))
        self.container = self.run("chatbot", self.names.chatbot)

    def run(self, role: str, name: str, image: str = BUSYBOX, said: str = "hello") -> Container:
        return self.client.containers.run(
            image,
            ["sh", "-c", f"echo {said} of {role}; exec sleep 1000000"],
            name=name,
            labels=self.names.labels(role),
            network=self.network.name,
            volumes=[f"{self.volume.name}:/data"],
            init=True,
            detach=True,
        )


def things(client: docker.DockerClient, name: str) -> dict[str, list[str]]:
    """Names of what Docker has of a deployment."""
    label = {"label": f"{LABEL_DEPLOYMENT}={name}"}
    return {
        "containers": [one.name for one in client.containers.list(all=True, filters=label)],
        "networks": [one.name for one in client.networks.list(filters=label)],
        "volumes": [one.name for one in client.volumes.list(filters=label)],
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> docker.DockerClient:
    """The Engine, with busybox."""
    client = connect()
    import_busybox(client, tmp_path_factory.mktemp("busybox"), BUSYBOX)
    return client


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose program deploys busybox."""
    checkout = Checkout.of_tree(tmp_path_factory.mktemp("lifecycle"))
    toolchain = checkout.make("toolchain")
    assert toolchain.returncode == 0, toolchain.stdout
    program = Path(__file__).with_name("busybox_program.py")
    shutil.copy(program, checkout.path / "__main__.py")
    return checkout


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


# --- deployments that only Docker knows -----------------------------------------------------------


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
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


# --- deployments that Pulumi made -----------------------------------------------------------------


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
    process = subprocess.Popen(
        [*ARCHI, "delete", "-n", MADE, "--rmv", "--yes"],
        cwd=checkout.path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    container.wait(condition="removed", timeout=120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert made.exists()
    archi(checkout, "delete", "-n", MADE, "--rmv", "--yes")
    assert not any(things(client, MADE).values())
    assert not has_state(checkout, MADE)
    assert not made.exists()


def test_a_delete_that_is_broken_off_says_so_and_is_finished_by_the_next(
    client: docker.DockerClient, checkout: Checkout, made: Path
) -> None:
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
        next(line for line in process.stdout if "Pulumi looks at" in line)
        process.send_signal(signal.SIGINT)
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
    assert client.containers.get(Names(MADE).chatbot).status == "running"


# --- the real one ---------------------------------------------------------------------------------


def test_status_of_a_real_deployment(assistant: Assistant) -> None:
    found = archi_json(assistant.checkout, "status", STACK)
    assert found["state"] == "running"
    assert found["model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert found["url"] == assistant.url
    assert found["drift"] == []
    assert found["gpus"] is None
    services = {one["service"]: one for one in found["services"]}
    assert set(services) == {"vllm-server", "chatbot"}
    for one in services.values():
        assert (one["state"], one["health"], one["restarts"]) == ("running", "healthy", 0)
    assert found["vllm"]["running"] == 0
    assert found["vllm"]["waiting"] == 0
    shown = archi(assistant.checkout, "status", STACK)
    assert f"{STACK}: running" in shown
    assert "Drift: none" in shown


def test_status_tells_what_the_model_server_is_doing(assistant: Assistant) -> None:
    body = {
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "prompt": "Once upon a time",
        "max_tokens": 4000,
        "ignore_eos": True,
        "stream": True,
    }
    url = f"{assistant.vllm_url}/completions"
    with requests.post(url, json=body, stream=True, timeout=120) as answer:
        lines = answer.iter_lines()  # kept: with the iterator goes the connection
        next(lines)  # it has begun; what follows fits in the socket's buffer
        load = archi_json(assistant.checkout, "status", STACK)["vllm"]
        assert load["running"] == 1
        assert load["tokens_per_second"] > 0
        assert load["kv_cache_use"] > 0


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
    assert assistant.get("/readyz")["status"] == "ready"
    assert assistant.complete("Say hello.")
