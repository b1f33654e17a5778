"""The life of a deployment on real Docker with real vLLM, as its owner sees it."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from archi.images import VLLM_VERSION
from tests.chat_application import until
from tests.e2e.conftest import STACK, Assistant
from tests.hub_server import HubServer


def test_make_up_says_what_it_did_and_what_is_next(deployed: Assistant) -> None:
    said = deployed.first_up
    assert f"Stack {STACK}: STACK says so" in said
    for phase in ("toolchain", "pulumi up", "smoke test", "all of it"):
        assert phase in said
    assert f"Chat: {deployed.url}" in said
    assert "HuggingFaceTB/SmolLM2-135M-Instruct said: " in said
    assert "start of vllm-server: loading the weights" in said
    assert "✓ start of vllm-server" in said


def test_a_second_make_up_says_that_nothing_changed(assistant: Assistant) -> None:
    done = assistant.checkout.make("up", STACK=STACK)
    assert done.returncode == 0, done.stdout
    assert "Nothing changed" in done.stdout


def test_up_again_changes_nothing(assistant: Assistant) -> None:
    before = assistant.ids()
    assistant.up()
    assert assistant.changed() == {}
    assert assistant.ids() == before


def test_a_refresh_finds_no_difference(assistant: Assistant) -> None:
    done = assistant.checkout.pulumi(
        "refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK
    )
    assert done.returncode == 0, done.stdout
    preview = assistant.checkout.pulumi("preview", "--expect-no-changes", "--stack", STACK)
    assert preview.returncode == 0, preview.stdout


def test_vllm_is_where_the_seed_says(assistant: Assistant) -> None:
    listed = requests.get(f"http://localhost:{assistant.vllm_port}/v1/models", timeout=60).json()
    assert [model["id"] for model in listed["data"]] == ["HuggingFaceTB/SmolLM2-135M-Instruct"]
    version = requests.get(f"http://localhost:{assistant.vllm_port}/version", timeout=60).json()
    assert version["version"].startswith(VLLM_VERSION)
    inside = assistant.client.containers.get(assistant.names.chatbot).exec_run(
        ["sh", "-c", "curl -fsS $VLLM_BASE_URL/models"]
    )
    assert inside.exit_code == 0
    assert b"HuggingFaceTB/SmolLM2-135M-Instruct" in inside.output


def test_nothing_listens_beyond_loopback(assistant: Assistant) -> None:
    for name in (assistant.names.chatbot, assistant.names.vllm_server):
        ports = assistant.client.containers.get(name).attrs["NetworkSettings"]["Ports"]
        published = [bound["HostIp"] for bindings in ports.values() for bound in bindings or ()]
        assert published == ["127.0.0.1"]


def test_a_removed_server_is_brought_back_and_waited_for(assistant: Assistant) -> None:
    chat = assistant.ids()["chatbot"]
    assistant.client.containers.get(assistant.names.vllm_server).remove(force=True)
    assistant.touched = True

    def told() -> object:
        error = requests.get(f"{assistant.url}/api/state", timeout=60).json()["error"]
        return error and error["code"] == "model_not_running"

    until(told)
    said = assistant.up("--refresh")
    assert "vllm-server: ready" in said
    assert assistant.ids()["chatbot"] == chat
    assert assistant.complete("Say hello.")


def test_a_change_of_the_chat_application_replaces_its_container_only(assistant: Assistant) -> None:
    before = assistant.ids()
    page = assistant.checkout.path / "chatbot" / "templates" / "index.html"
    page.write_text(page.read_text() + "<!-- changed by a test -->\n")
    assistant.up()
    after = assistant.ids()
    assert after["vllm-server"] == before["vllm-server"]
    assert after["chatbot"] != before["chatbot"]
    assert "changed by a test" in requests.get(assistant.url, timeout=60).text


def own_images(assistant: Assistant) -> set[str]:
    """Those that its containers are of; other tests make and remove others meanwhile."""
    return {assistant.container(role).image.id for role in assistant.ids()}


def test_destroy_leaves_only_data_and_up_takes_it_up_again(assistant: Assistant) -> None:
    created = requests.post(
        f"{assistant.url}/api/conversations", json={"title": "kept over a destroy"}, timeout=60
    )
    created.raise_for_status()
    images = own_images(assistant)

    assistant.touched = True
    done = assistant.checkout.make("down", STACK=STACK)
    assert done.returncode == 0, done.stdout
    label = {"label": f"archi.deployment={STACK}"}
    assert assistant.ids() == {}
    assert assistant.client.networks.list(filters=label) == []
    left = {volume.name for volume in assistant.client.volumes.list(filters=label)}
    names = assistant.names
    assert left == {names.files_volume, names.conversations_volume, names.compile_cache_volume}

    said = assistant.up()
    assert "already there" in said  # the weights: nothing is downloaded a second time
    assert own_images(assistant) == images
    titles = [item["title"] for item in assistant.get("/api/conversations")["conversations"]]
    assert "kept over a destroy" in titles


def test_a_wrong_model_name_fails_while_the_assistant_goes_on(
    assistant: Assistant, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = assistant.ids()
    folder = tmp_path_factory.mktemp("hub")
    (folder / "config.json").write_text("{}")
    with HubServer(folder, "HuggingFaceTB/SmolLM2-135M-Instruct") as hub:
        assistant.configure(
            hf_endpoint=hub.endpoint,
            services={"vllm": {"model": "HuggingFaceTB/SmolLM2-135M-Instrukt"}},
        )
        failed = assistant.checkout.up(STACK)
    assert failed.returncode != 0
    assert "HuggingFaceTB/SmolLM2-135M-Instrukt" in failed.stdout
    assert "archi:services.vllm.model" in failed.stdout  # what to mend
    assert assistant.ids() == before
    assistant.ready()
    assert assistant.complete("Say hello.")

    assistant.configure()
    assistant.up()
    assert assistant.ids() == before


def test_a_model_that_packages_do_not_carry_is_refused_before_anything(
    assistant: Assistant,
) -> None:
    before = assistant.ids()
    assistant.configure(source="packages", services={"vllm": {"model": "Qwen/Qwen3-8B"}})
    failed = assistant.checkout.up(STACK)
    assert failed.returncode != 0
    assert "archi:services.vllm.model: 'Qwen/Qwen3-8B' can't be had from packages" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert assistant.ids() == before


def test_a_command_line_that_vllm_would_refuse_is_refused_while_the_assistant_goes_on(
    assistant: Assistant,
) -> None:
    before = assistant.ids()
    assistant.configure(services={"vllm": {"engine_args": ["--max-num-batchd-tokens", "8192"]}})
    failed = assistant.checkout.up(STACK)
    assert failed.returncode != 0
    assert "unrecognized arguments: --max-num-batchd-tokens" in failed.stdout
    assert "Nothing was started or stopped." in failed.stdout
    assert "Traceback" not in failed.stdout
    assert assistant.ids() == before
    assert assistant.complete("Say hello.")


def test_a_server_that_cannot_start_fails_with_its_cause_and_is_mended_by_the_next_up(
    assistant: Assistant,
) -> None:
    assistant.configure(services={"vllm": {"max_model_len": 100000}})
    failed = assistant.checkout.up(STACK)
    assert failed.returncode != 0
    why = "The model's context is 8192 tokens, shorter than the 100000 tokens asked for."
    assert why in failed.stdout
    assert "lower archi:services.vllm.max_model_len" in failed.stdout
    server = assistant.client.containers.get(assistant.names.vllm_server)
    assert server.status == "exited"  # not failing over and over

    assistant.configure()
    assistant.up()
    assert assistant.complete("Say hello.")


@contextmanager
def held_up(assistant: Assistant) -> Iterator[None]:
    """A chat application that starts meanwhile waits, and no run gets past its gate."""
    data = assistant.client.volumes.get(assistant.names.conversations_volume)
    with Path(data.attrs["Mountpoint"], "chat.db.migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_what_a_killed_run_left_is_mended_by_the_next(assistant: Assistant) -> None:
    assistant.client.containers.get(assistant.names.chatbot).remove(force=True)
    assistant.touched = True
    with held_up(assistant):
        run = assistant.checkout.start("up", "--yes", "--skip-preview", "--refresh", "-s", STACK)
        for line in run.stdout or ():
            if "chatbot: starting the container" in line:
                os.killpg(run.pid, signal.SIGKILL)
        run.wait()

    said = assistant.up()
    assert "was killed; its lock" in said
    assistant.ready()
    assistant.up()
    assert assistant.changed() == {}


def test_breaking_off_stops_at_once_and_the_next_up_goes_on(assistant: Assistant) -> None:
    assistant.client.containers.get(assistant.names.chatbot).remove(force=True)
    assistant.touched = True
    said = []
    with held_up(assistant):
        run = assistant.checkout.start("up", "--yes", "--skip-preview", "--refresh", "-s", STACK)
        for line in run.stdout or ():
            said.append(line)
            if "chatbot: starting the container" in line and run.poll() is None:
                os.kill(run.pid, signal.SIGINT)
        assert run.wait() != 0
    assert "the same command takes up the work again" in "".join(said)
    assert assistant.client.containers.get(assistant.names.chatbot).status == "running"

    assistant.up()
    assistant.ready()


def test_a_taken_port_is_refused_with_who_holds_it(assistant: Assistant) -> None:
    before = assistant.ids()
    holder = assistant.client.containers.run(
        assistant.client.containers.get(assistant.names.chatbot).image,
        ["python", "-m", "http.server", "9000"],
        name="archi-e2e-port-holder",
        ports={"9000/tcp": ("127.0.0.1", None)},
        detach=True,
    )
    try:
        holder.reload()
        port = int(holder.ports["9000/tcp"][0]["HostPort"])
        assistant.configure(services={"chatbot": {"port": port}})
        failed = assistant.checkout.up(STACK)
    finally:
        holder.remove(force=True)
    assert failed.returncode != 0
    assert f"Port {port} (archi:services.chatbot.port) is taken by container archi-e2e-port" in (
        failed.stdout
    )
    assert assistant.ids() == before
