"""The checkout's own: Pulumi, stack file, passphrase, what killed runs left."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archi.doctor.project_checks import (
    left_behind,
    locks,
    opens_stack,
    stack_file,
    toolchain,
    unknown_containers,
)
from archi.doctor.subject import Subject
from archi.passphrase import SHIPPED_SALT, new_salt

SECURE = {"config": {"archi:hf_token": {"secure": "v1:abc"}}}
OWN_SALT = new_salt("right")


def test_pulumi_is_there_or_the_command_that_brings_it_is_named(tmp_path: Path) -> None:
    assert toolchain(tmp_path).mend == "`make toolchain`"
    (tmp_path / "toolchain").mkdir()
    (tmp_path / "toolchain" / "pulumi").touch(mode=0o755)
    assert toolchain(tmp_path).state == "ok"


def write(root: Path, text: str) -> None:
    (root / "stacks").mkdir(exist_ok=True)
    (root / "stacks" / "Pulumi.bot.yaml").write_text(text)


def test_a_stack_file_that_can_be_read_says_what_it_serves(tmp_path: Path) -> None:
    write(tmp_path, "config:\n  archi:services:\n    vllm: {model: Qwen/Qwen3-8B}\n")
    settings, [finding] = stack_file(tmp_path, "bot")
    assert settings is not None
    assert finding.state == "ok"
    assert "Qwen/Qwen3-8B" in finding.found


def test_a_stack_files_secrets_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "config:\n  archi:hf_token:\n    secure: v1:abc\n")
    settings, _ = stack_file(tmp_path, "bot")
    assert settings is not None
    assert settings.hf_token is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config:\n  archi:gpus: all\n", "archi:gpus: unknown key"),
        ("config: [\n", "while parsing"),
        ("config: [1]\n", "keys with values"),
    ],
)
def test_each_problem_of_a_stack_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    settings, [finding] = stack_file(tmp_path, "bot")
    assert settings is None
    assert finding.state == "problem"
    assert said in finding.found
    assert "stacks/Pulumi.bot.yaml" in finding.mend


def test_containers_without_a_stack_file_are_no_ones_here(tmp_path: Path) -> None:
    settings, [finding] = stack_file(tmp_path, "bot")
    assert settings is None
    assert finding.state == "warning"


def opened(content: dict[str, Any], own: Path, **environment: str) -> tuple[str, str]:
    finding = opens_stack(content, "bot", environment, own)
    return finding.state, f"{finding.found} {finding.mend}"


def test_a_file_without_secrets_needs_no_passphrase(tmp_path: Path) -> None:
    assert opened({}, tmp_path / "none")[0] == "ok"
    assert opened({"encryptionsalt": SHIPPED_SALT}, tmp_path / "none")[0] == "ok"


def test_a_secret_under_the_empty_passphrase_is_open_to_everyone(tmp_path: Path) -> None:
    state, said = opened({"encryptionsalt": SHIPPED_SALT, **SECURE}, tmp_path / "none")
    assert state == "problem"
    assert "archi:hf_token" in said
    assert "change-secrets-provider" in said


def test_ones_own_passphrase_opens_ones_own_file(tmp_path: Path) -> None:
    own = tmp_path / "passphrase"
    own.touch(mode=0o600)
    own.write_text("right\n")
    content = {"encryptionsalt": OWN_SALT, **SECURE}
    assert opened(content, own)[0] == "ok"
    own.chmod(0o644)
    state, said = opened(content, own)
    assert (state, f"chmod 600 {own}" in said) == ("warning", True)


def test_a_lost_passphrase_is_told_and_none_is_made(tmp_path: Path) -> None:
    own = tmp_path / "passphrase"
    state, said = opened({"encryptionsalt": OWN_SALT}, own)
    assert state == "problem"
    assert "is not there" in said
    assert not own.exists()


@pytest.mark.parametrize(("given", "state"), [("right", "ok"), ("wrong", "problem")])
def test_the_environments_passphrase_wins(tmp_path: Path, given: str, state: str) -> None:
    own = tmp_path / "passphrase"
    own.write_text("neither")
    content = {"encryptionsalt": OWN_SALT}
    assert opened(content, own, PULUMI_CONFIG_PASSPHRASE=given)[0] == state
    named = tmp_path / "named"
    named.write_text(given)
    assert opened(content, own, PULUMI_CONFIG_PASSPHRASE_FILE=str(named))[0] == state


def test_secrets_that_others_keep_are_not_looked_at(tmp_path: Path) -> None:
    state, said = opened({"secretsprovider": "awskms://alias/key?region=x"}, tmp_path / "none")
    assert state == "skipped"
    assert "awskms" in said


def lock(backend: Path, pid: int, host: str) -> Path:
    path = backend / ".pulumi/locks/organization/archi/bot" / f"{pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "hostname": host}))
    return path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_killed_run_is_told_and_left_where_it_is(tmp_path: Path) -> None:
    path = lock(tmp_path, ended_process(), socket.gethostname())
    [finding] = locks(tmp_path, "bot")
    assert finding.state == "warning"
    assert "was killed" in finding.found
    assert path.exists()


def test_the_lock_of_another_machine_may_be_at_work(tmp_path: Path) -> None:
    lock(tmp_path, os.getpid(), "elsewhere")
    [finding] = locks(tmp_path, "bot")
    assert finding.state == "note"
    assert "pulumi cancel -s bot" in finding.mend


def container(id_: str, role: str, *, running: bool = False) -> dict[str, Any]:
    return {
        "Id": id_,
        "Name": f"/{role}-bot",
        "Config": {"Labels": {"archi.deployment": "bot", "archi.role": role}},
        "State": {"Running": running},
    }


@pytest.mark.parametrize(
    ("one", "state", "words"),
    [
        (container("a", "chatbot", running=True), "warning", "does not know container chatbot-bot"),
        (container("a", "weights", running=True), "note", "is at work (weights)"),
        (container("a", "weights"), "warning", "docker rm weights-bot"),
    ],
)
def test_containers_that_the_state_does_not_hold(
    one: dict[str, Any], state: str, words: str
) -> None:
    [finding] = unknown_containers((one,), '{"version": 3}', "bot")
    assert finding.state == state
    assert words in f"{finding.found} {finding.mend}"
    assert list(unknown_containers((one,), '{"id": "a"}', "bot")) == []


def test_without_a_state_it_may_be_elsewhere() -> None:
    [finding] = unknown_containers((container("a", "chatbot", running=True),), "", "bot")
    assert finding.state == "warning"
    assert "ARCHI_DIR" in finding.mend


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_run_was_making_when_it_was_killed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    operations = [{"resource": {"urn": "urn:pulumi:bot::archi::docker:index:X::vllm-server"}}]
    text = json.dumps({"checkpoint": {"latest": {"pending_operations": operations}}}).encode()
    states = tmp_path / ".pulumi" / "stacks" / "archi"
    states.mkdir(parents=True)
    if packed:
        (states / "bot.json.gz").write_bytes(gzip.compress(text))
    else:
        (states / "bot.json").write_bytes(text)
    [finding] = left_behind(Subject("bot", tmp_path, "unix:///x"))
    assert finding.state == "warning"
    assert "vllm-server of bot" in finding.found


def test_where_runs_left_nothing_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    assert [one.state for one in left_behind(Subject("bot", tmp_path, ""))] == ["ok"]
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert [one.state for one in left_behind(Subject("bot", tmp_path, ""))] == ["skipped"]
