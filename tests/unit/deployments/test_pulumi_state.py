"""What is read from Pulumi's state, as the folder backend keeps it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from archi.deployments import pulumi_state
from archi.deployments.pulumi_state import Gate, StackState, read, stacks
from archi.pulumi_cli import Refused

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
STACK = {"type": "pulumi:pulumi:Stack", "outputs": {"model": "o/m", "hidden": SECRET}}
CONTAINER = {
    "type": "docker:index/container:Container",
    "id": "abc",
    "inputs": {
        "name": "chatbot-bot",
        "image": "archi/chat:1",
        "labels": [{"label": "archi.role", "value": "chatbot"}],
    },
}
GATE = {
    "type": "pulumi-python:dynamic/archi:Readiness",
    "inputs": {"service": "chatbot", "probe": ["true"], "warm_up": [], "timeout": 180.0},
}
BUILT = {"type": "pulumi-python:dynamic/archi:BuiltImage", "inputs": {"tag": "archi/base:2"}}
PULLED = {"type": "docker:index/remoteImage:RemoteImage", "inputs": {"name": "postgres:15"}}
WRITTEN = {
    "type": "pulumi-python:dynamic/archi:WrittenFiles",
    "inputs": {"files": {"pipelines.yaml": "model: o/m\n"}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the backend keeps the stacks of the project."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    folder = tmp_path / ".pulumi" / "stacks" / "archi"
    folder.mkdir(parents=True)
    return folder


def checkpoint(*resources: dict[str, Any]) -> str:
    latest = {
        "resources": list(resources),
        "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:a:v1:b:c"}},
    }
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}})


def test_a_state_tells_outputs_containers_gates_images_and_files(folder: Path) -> None:
    (folder / "bot.json").write_text(checkpoint(STACK, CONTAINER, GATE, BUILT, PULLED, WRITTEN))
    state = read("bot")
    assert state is not None
    assert state.outputs == {"model": "o/m"}
    assert state.containers == {"chatbot": CONTAINER}
    assert state.gates == {"chatbot": Gate("chatbot", ("true",), (), 180.0)}
    assert state.images == {"archi/chat:1", "archi/base:2", "postgres:15"}
    assert state.files == {"pipelines.yaml": "model: o/m\n"}
    assert state.salt == "v1:a:v1:b:c"


def test_a_compressed_state_is_read_alike(folder: Path) -> None:
    (folder / "bot.json.gz").write_bytes(gzip.compress(checkpoint(STACK).encode()))
    state = read("bot")
    assert state is not None
    assert state.outputs == {"model": "o/m"}


def test_what_is_on_its_way_out_does_not_count() -> None:
    assert StackState(({**CONTAINER, "delete": True},)).containers == {}


def test_a_stack_that_was_only_made_has_a_state_without_resources(folder: Path) -> None:
    (folder / "bot.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": None}}))
    assert read("bot") == StackState(())


def test_stacks_are_those_with_a_state_and_not_their_backups(folder: Path) -> None:
    for name in ("bot.json", "my-bot.json.gz", "gone.json.bak", "bot.json.attrs"):
        (folder / name).write_text("{}")
    assert stacks() == {"bot", "my-bot"}


def test_no_backend_yet_has_no_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/none")
    assert stacks() == set()
    assert read("bot") is None


def test_a_broken_state_is_told_with_the_mend(folder: Path) -> None:
    (folder / "bot.json").write_text("{")
    with pytest.raises(Refused, match=r"bot\.json can't be read.*bot\.json\.bak"):
        read("bot")


def test_a_secret_is_known_by_its_mark() -> None:
    assert pulumi_state.is_secret(SECRET)
    assert not pulumi_state.is_secret({"a": 1})
    assert not pulumi_state.is_secret("a")
