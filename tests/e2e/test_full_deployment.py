"""An assistant with Postgres, an API key and secrets: what it keeps, and what it never shows."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.chat_application import until
from tests.e2e.conftest import PATIENCE, SECRETS, Assistant, remove_all

NAME = "assistant"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
PLANTED = [
    secret
    for value in SECRETS.values()
    for secret in (value.values() if isinstance(value, dict) else [value])
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_it_answers_and_keeps_conversations_in_postgres(full: Assistant) -> None:
    assert "postgres: ready" in full.first_up
    full.ready()
    assert full.complete("Say hello.")
    full.remember("kept in Postgres")
    stored = full.container("postgres").exec_run(
        ["psql", "-U", "archi", "-At", "-c", "SELECT title FROM conversations"]
    )
    assert "kept in Postgres" in stored.output.decode().splitlines()


def test_the_key_guards_vllm_and_everything_of_ours_has_it(full: Assistant) -> None:
    without = requests.get(f"{full.vllm_url}/models", timeout=60)
    wrong = requests.get(f"{full.vllm_url}/models", headers=bearer("wrong"), timeout=60)
    assert (without.status_code, wrong.status_code) == (401, 401)
    right = requests.get(
        f"{full.vllm_url}/models", headers=bearer(SECRETS["vllm_api_key"]), timeout=60
    )
    assert [model["id"] for model in right.json()["data"]] == [MODEL]
    server = full.container("vllm-server")

    def health() -> str:
        server.reload()
        return str(server.attrs["State"]["Health"]["Status"])

    # Docker asks for the first time some seconds after the deployment's own gate has.
    until(lambda: health() == "healthy", PATIENCE)
    read = server.exec_run(["cat", "/run/archi/secrets/vllm_api_key"])
    assert read.output.decode() == SECRETS["vllm_api_key"]  # as docs/vllm.md says for curl


def test_the_smoke_test_finds_the_key_itself(full: Assistant) -> None:
    environment = {**full.checkout.environment, "VENV": sys.prefix, "SMOKE_PROVIDER": "vllm"}
    environment |= {"SMOKE_VLLM_BASE_URL": full.vllm_url, "SMOKE_VLLM_MODEL": MODEL}
    done = subprocess.run(
        ["scripts/dev/run_smoke_preview.sh", full.stack],
        cwd=full.checkout.path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"vLLM serves {MODEL}" in done.stdout


def test_each_container_reads_its_own_secrets_and_no_other(full: Assistant) -> None:
    def reads(role: str, secret: str) -> bool:
        path = f"/run/archi/secrets/{secret}"
        return full.container(role).exec_run(["cat", path]).exit_code == 0

    everyone = ("vllm-server", "postgres", "chatbot")
    readers = {
        secret: {role for role in everyone if reads(role, secret)}
        for secret in ("vllm_api_key", "postgres_password", "session_key", "SEARCH_TOKEN")
    }
    assert readers == {
        "vllm_api_key": {"vllm-server", "chatbot"},
        "postgres_password": {"postgres", "chatbot"},
        "session_key": {"chatbot"},
        "SEARCH_TOKEN": {"chatbot"},
    }


def places(full: Assistant) -> Iterator[tuple[str, str]]:
    """Everywhere that something of a deployment shows, and what shows there."""
    for role in full.ids():
        container = full.container(role)
        yield f"docker inspect of {role}", json.dumps(container.attrs)
        yield f"docker logs of {role}", container.logs().decode()
        yield f"history of the image of {role}", json.dumps(container.image.history())
    with full.edited(services={"chatbot": {"max_streams": 7}}):
        for arguments in (["--diff", "--show-config"], ["--json"], ["--refresh", "--diff"]):
            said = full.checkout.pulumi("preview", "--stack", full.stack, *arguments)
            assert said.returncode == 0, said.stdout
            yield f"preview {arguments}", said.stdout
    yield "what up said", full.first_up
    exported = full.checkout.pulumi("stack", "export", "--stack", full.stack)
    yield "exported state", exported.stdout
    for path in full.checkout.home.rglob("*"):
        if path.is_file() and "passphrase" not in path.name:
            yield str(path.name), path.read_bytes().decode(errors="replace")
    stack_file = full.checkout.path / f"stacks/Pulumi.{full.stack}.yaml"
    yield "stack file", stack_file.read_text()


def test_no_secret_shows_anywhere(full: Assistant) -> None:
    everything = list(places(full))
    seen = [place for place, _ in everything]
    assert len([place for place in seen if place.startswith("docker")]) == 6
    assert [place for place in seen if place.startswith("history")]
    forms = {form for value in PLANTED for form in (value, json.dumps(value)[1:-1])}
    showing = [(place, form) for place, content in everything for form in forms if form in content]
    assert showing == []


def test_nothing_of_the_database_is_published(full: Assistant) -> None:
    database = full.container("postgres")
    assert not any(database.attrs["NetworkSettings"]["Ports"].values())
    assert database.attrs["Config"]["User"] == "999:999"
    assert database.attrs["HostConfig"]["ReadonlyRootfs"] is True


def test_a_changed_password_is_the_one_that_logs_in(full: Assistant) -> None:
    vllm = full.ids()["vllm-server"]
    full.remember("before the password changed")
    full.touched = True
    full.keep_secret({"postgres_password": "another planted one"})
    try:
        full.up()
        assert "before the password changed" in full.titles()
        assert full.ids()["vllm-server"] == vllm
    finally:
        full.keep_secret({"postgres_password": SECRETS["postgres_password"]})


def listening(port: int) -> set[str]:
    """The addresses on which somebody listens on a port of this host."""
    said = subprocess.run(
        ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
    )
    return {line.split()[3].rsplit(":", 1)[0] for line in said.stdout.splitlines()}


def weights_of(assistant: Assistant, folder: Path) -> Path:
    """A copy of the weights that an assistant serves, on the host."""
    server = assistant.container("vllm-server")
    chunks, _ = server.get_archive(server.attrs["Args"][server.attrs["Args"].index("serve") + 1])
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        tar.extractall(folder, filter="data")
    return next(folder.iterdir())


def test_host_mode_with_weights_of_the_host_beside_another_deployment_and_back_by_destroy(
    full: Assistant, assistant: Assistant, tmp_path: Path
) -> None:
    full.remember("kept over host mode")
    full.touched = True
    vllm = {
        "weights": str(weights_of(full, tmp_path)),
        "served_model_name": NAME,
        "shm_size": "256m",
        "ulimits": {"nofile": 4096},  # a daemon may always give less than it has
        "environment": {"VLLM_LOGGING_LEVEL": "DEBUG"},
    }
    with full.edited(host_mode=True, services={"vllm": vllm}):
        full.up()
        assert full.steps() == {}
        assert full.steps("--refresh") == {}
        for role in ("vllm-server", "postgres", "chatbot"):
            container = full.container(role)
            assert container.attrs["HostConfig"]["NetworkMode"] == "host"
            assert not container.attrs["NetworkSettings"]["Ports"]
        for port in (full.chat_port, full.vllm_port, full.postgres_port):
            assert listening(port) == {"127.0.0.1"}
        environment = full.container("chatbot").attrs["Config"]["Env"]
        assert f"VLLM_BASE_URL=http://localhost:{full.vllm_port}/v1" in environment
        assert full.client.networks.list(names=[full.names.network]) == []
        assert "kept over host mode" in full.titles()
        assert full.complete("Say hello.")
        assert assistant.complete("Say hello.")  # the other one, on its own network
        an_external_vllm(full)

    back = full.steps()
    assert {back[role] for role in ("vllm-server", "postgres", "chatbot")} == {"replace"}
    assert back["network"] == "create"
    full.remember("kept over a destroy")
    done = full.checkout.pulumi("destroy", "--yes", "--skip-preview", "--stack", full.stack)
    assert done.returncode == 0, done.stdout
    assert full.ids() == {}
    full.up()
    full.touched = False
    # A database of before, logged in to again, on the deployment's own network.
    assert {"kept over host mode", "kept over a destroy"} <= set(full.titles())
    assert full.complete("Say hello.")


def an_external_vllm(full: Assistant) -> None:
    """A deployment whose vLLM is the one of ``full``, which is on the host's network now.

    Part of the test above: a vLLM that is reached by the host's name costs a start of its own.
    """
    client = Assistant(full.checkout, full.client, "external", "archi-e2e-external")
    vllm = {"base_url": full.vllm_url, "model": MODEL, "served_model_name": NAME}
    chatbot = {"database": "sqlite"}
    source = "packages" if full.base == "offline" else "registry"

    def configure(**changes: object) -> None:
        client.configure(
            source=source,
            host_mode=True,
            services={"vllm": {**vllm, **changes}, "chatbot": chatbot},
        )

    def refusal() -> str:
        failed = client.checkout.up(client.stack)
        assert failed.returncode != 0
        assert "Traceback" not in failed.stdout
        return failed.stdout

    try:
        configure()
        client.keep_secret({"vllm_api_key": "wrong"})
        assert "it does not take the API key" in refusal()
        assert "chatbot" not in client.ids()  # it was asked before the chat application started

        configure()
        client.keep_secret({"vllm_api_key": SECRETS["vllm_api_key"]})
        client.up()
        assert client.ids().keys() == {"chatbot"}
        assert client.complete("Say hello.")
        assert client.steps() == {}
        assert client.steps("--refresh") == {}

        chat = client.ids()["chatbot"]
        with client.edited(services={"vllm": {"served_model_name": "other"}}):
            assert f"it serves {NAME}, not other." in refusal()
        with client.edited(services={"vllm": {"base_url": "http://localhost:9/v1"}}):
            assert "nothing answers there" in refusal()
        with client.edited(services={"vllm": {"base_url": "http://nowhere.invalid/v1"}}):
            assert "its host's name is not known" in refusal()
        assert client.ids()["chatbot"] == chat
        assert client.complete("Say hello.")
    finally:
        remove_all(client.client, client.stack)


def test_a_volume_of_another_major_version_is_refused_before_anything_is_touched(
    full: Assistant,
) -> None:
    before = full.ids()
    version = "/var/lib/postgresql/data/pgdata/PG_VERSION"
    database = full.container("postgres")
    assert database.exec_run(["sh", "-c", f"echo 13 > {version}"]).exit_code == 0
    full.touched = True  # the outputs of a failed update are those that it would have had
    try:
        # Anything that makes the preflight look again.
        with full.edited(services={"chatbot": {"port": full.chat_port + 1}}):
            failed = full.checkout.up(full.stack)
    finally:
        assert database.exec_run(["sh", "-c", f"echo 15 > {version}"]).exit_code == 0
    assert failed.returncode != 0
    assert "holds a database of Postgres 13" in failed.stdout
    assert "pg_dump" in failed.stdout
    assert full.ids() == before
    full.ready()
