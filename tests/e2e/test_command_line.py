"""The page's quick start, its commands as they stand there, against the model for CPUs."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archi.cli.exit_codes import ExitCode
from archi.docker_engine import connect
from archi.project import ROOT
from tests.checkout import Checkout
from tests.e2e.conftest import Assistant, remove_all

NAME, OTHER = "archi-e2e-cli", "archi-e2e-cli-2"
"""One's name begins as the other's: nothing may be found by half a name."""
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
PLANTED = "planted-in-the-env-file-3c1d"

ARCHI = [sys.executable, "-m", "archi.cli.app"]


def blocks(language: str, page: str = "vllm.md") -> list[str]:
    """The code of that language on a page, in order."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def quick_start() -> list[str]:
    """The page's create command, for this deployment on the CPU; words as a shell splits them."""
    [command] = [block for block in blocks("bash") if block.startswith("archi create")]
    command = command.replace("\\\n", " ").replace("my-deployment", NAME)
    words = shlex.split(command, comments=True)
    assert words[words.index("--gpu-ids") + 1] == "all"
    words[words.index("--gpu-ids") + 1] = "none"
    return words[1:]


def config() -> dict[str, Any]:
    """The page's config.yaml, with the model that this machine can have."""
    [text] = [block for block in blocks("yaml") if block.startswith("archi:") and "parser" in block]
    loaded: dict[str, Any] = yaml.safe_load(text.replace("Qwen/Qwen3-8B", MODEL))
    return loaded


class CommandLine(Assistant):
    """A deployment that ``archi`` makes, from a checkout of its own."""

    def write(self, **chatbot: Any) -> None:
        """Put config.yaml and .env where the command looks for them."""
        content = config()
        content["services"]["vllm"]["port"] = self.vllm_port
        content["services"]["chatbot"] = {"port": self.chat_port, **chatbot}
        content["services"]["postgres"] = {"port": self.postgres_port}
        (self.checkout.path / "config.yaml").write_text(yaml.safe_dump(content))
        (self.checkout.path / ".env").write_text(f"# secrets\nSEARCH_TOKEN='{PLANTED}'\n")

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*ARCHI, *words],
            cwd=self.checkout.path,
            env={**self.checkout.environment, "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """What the quick start made."""
    client = connect()
    remove_all(client, NAME)
    remove_all(client, OTHER)
    checkout = Checkout.of_tree(tmp_path_factory.mktemp("cli"))
    made = CommandLine(checkout, client, "offline", NAME)
    made.write()
    broken_off(made)
    made.first_up = made.run(*quick_start()).stderr
    yield made
    remove_all(client, NAME)
    remove_all(client, OTHER)


def broken_off(line: CommandLine) -> None:
    """Begin, and press Ctrl-C while vLLM starts: the command ends, and says what to do."""
    with subprocess.Popen(
        [*ARCHI, *quick_start()],
        cwd=line.checkout.path,
        env=line.checkout.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = []
        for text in process.stderr:
            said.append(text)
            if "start of vllm-server: " in text:
                process.send_signal(signal.SIGINT)
                break
        said.append(process.stderr.read())
    assert process.returncode == ExitCode.INTERRUPTED, "".join(said)
    assert "takes up the work again" in said[-1]
    assert "Traceback" not in said[-1]


def test_create_says_what_it_did_and_what_is_next(line: CommandLine) -> None:
    said = line.first_up
    assert f"stacks/Pulumi.{NAME}.yaml (as it was)" in said  # the run that was broken off wrote it
    assert "No GPU: vLLM runs on the CPU." in said
    assert f"{MODEL} said: " in said
    assert f"Chat: {line.url}" in said
    assert f"archi delete -n {NAME}" in said
    assert line.ids().keys() == {"vllm-server", "chatbot", "postgres"}
    assert max(map(len, said.splitlines())) < 200


def test_the_pages_request_lists_the_model(line: CommandLine) -> None:
    [request] = [block for block in blocks("bash") if block.startswith("curl http://localhost")]
    words = shlex.split(request.replace(":8000/", f":{line.vllm_port}/"))
    answer = subprocess.run(words, capture_output=True, text=True, check=True)
    assert [model["id"] for model in json.loads(answer.stdout)["data"]] == [MODEL]


def for_this_machine(line: CommandLine, command: str) -> str:
    """A page's command, for this deployment and its model."""
    for there, here in (
        ("my-deployment", NAME),
        ("<deployment-name>", NAME),
        ("localhost:8000/", f"localhost:{line.vllm_port}/"),
        ("localhost:7861/", f"localhost:{line.chat_port}/"),
        ("Qwen/Qwen3-8B", MODEL),
    ):
        command = command.replace(there, here)
    return command


OTHERS = [
    (page, block)
    for page in ("vllm.md", "troubleshooting.md")
    for block in blocks("bash", page)
    if re.search("<deployment-name>|my-deployment", block)
    # The first of these is the fixture's, the key is that of a deployment with one.
    and not re.search("archi create|pulumi|vllm_api_key", block)
]


@pytest.mark.parametrize(("page", "block"), OTHERS, ids=[block[:50] for _, block in OTHERS])
def test_the_pages_other_commands_work(line: CommandLine, page: str, block: str) -> None:
    path = f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", for_this_machine(line, block)],
        cwd=line.checkout.path,
        env={**line.checkout.environment, "PATH": path, "VENV": sys.prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {done.stdout}"
    if "/v1/models" in block or "$VLLM_BASE_URL" in block:
        assert MODEL in done.stdout


def test_pulumis_own_commands_see_the_same(line: CommandLine) -> None:
    [block] = [block for block in blocks("bash") if "pulumi preview" in block]
    for command in for_this_machine(line, block).strip().splitlines():
        words = shlex.split(command, comments=True)[1:]
        done = line.checkout.pulumi(*words, *(["--yes"] if words[0] == "up" else []))
        assert done.returncode == 0, done.stdout
        assert "unchanged" in done.stdout
        assert not re.search(r"to (create|update|replace|delete)|created|replaced", done.stdout)


def test_the_env_file_is_in_the_stack_file_encrypted(line: CommandLine) -> None:
    text = (line.checkout.path / f"stacks/Pulumi.{NAME}.yaml").read_text()
    assert PLANTED not in text
    read = line.container("chatbot").exec_run(["cat", "/run/archi/secrets/SEARCH_TOKEN"])
    assert read.output.decode() == PLANTED


def test_the_same_again_changes_nothing(line: CommandLine) -> None:
    before = line.ids()
    assert "Nothing changed" in line.run(*quick_start()).stderr
    assert line.ids() == before
    assert line.steps() == {}  # what a plain `pulumi up -s NAME` would do
    assert line.steps("--refresh") == {}


def test_a_dry_run_is_pulumis_preview_and_touches_nothing(line: CommandLine) -> None:
    before = line.ids()
    stack_file = line.checkout.path / f"stacks/Pulumi.{NAME}.yaml"
    content = stack_file.read_bytes()
    assert "unchanged" in line.run(*quick_start(), "--dry").stdout
    line.write(memory="1100m")
    try:
        refused = line.run(*quick_start(), "--dry", code=ExitCode.REFUSED).stderr
        assert "differs in archi:services.chatbot.memory" in refused
        shown = line.run(*quick_start(), "--dry", "-f").stdout
    finally:
        line.write()
    assert re.search(r"memory +: 1024 => 1100", shown), shown
    assert PLANTED not in shown
    assert stack_file.read_bytes() == content
    assert line.ids() == before
    assert line.complete("Say hello.")


def test_a_dry_run_of_what_is_not_there_leaves_nothing(line: CommandLine) -> None:
    words = quick_start()
    words[words.index("-n") + 1] = OTHER
    shown = line.run(*words, "--dry").stdout
    assert "to create" in shown
    assert not (line.checkout.path / f"stacks/Pulumi.{OTHER}.yaml").exists()
    known = {found["name"] for found in line.json("list-deployments")}
    assert NAME in known
    assert OTHER not in known


def test_unknown_services_and_a_shipped_name_are_refused(line: CommandLine) -> None:
    words = quick_start()
    words[words.index("--services") + 1] = "chatbot,ollama"
    said = line.run(*words, code=ExitCode.REFUSED).stderr
    assert "'ollama' is not known. Known: chatbot, vllm-server, postgres." in said
    words = quick_start()
    words[words.index("-n") + 1] = "prod"
    assert "comes with archi" in line.run(*words, code=ExitCode.REFUSED).stderr


def test_every_report_is_there_for_scripts(line: CommandLine) -> None:
    status = line.json("status", NAME)
    assert (status["name"], status["state"], status["model"]) == (NAME, "running", MODEL)
    assert (status["url"], status["drift"]) == (line.url, [])
    assert {one["service"] for one in status["services"]} == line.ids().keys()
    assert line.json("doctor", NAME)["problems"] == 0
    smoke = line.json("smoke", NAME)
    assert (smoke["ok"], smoke["exit_code"]) == (True, 0)
    assert {one["cause"] for one in line.json("diagnose", NAME)} == {None}
    checked = line.json("config", "check", "config.yaml")
    assert (checked["ok"], checked["model"]) == (True, MODEL)
    assert line.json("model", MODEL, "--offline")["tool_parser"] == "hermes"


def test_delete_of_one_leaves_the_other(line: CommandLine) -> None:
    """Beside it a second one: on the host's network, with the first one's vLLM."""
    beside = CommandLine(line.checkout, line.client, "offline", OTHER)
    beside.write(database="sqlite")
    (line.checkout.path / ".env").write_text(f"VLLM_BASE_URL={line.vllm_url}\n")
    # The first one's server is of the page's config; here is none.
    content = yaml.safe_load((line.checkout.path / "config.yaml").read_text())
    content["services"]["vllm"] = {"model": MODEL}
    (line.checkout.path / "config.yaml").write_text(yaml.safe_dump(content))
    beside.run(
        *("create", "-n", OTHER, "-c", "config.yaml", "-e", ".env"),
        *("--services", "chatbot", "--hostmode"),
    )
    assert beside.ids().keys() == {"chatbot"}
    assert beside.complete("Say hello.")
    kept = line.ids()

    beside.run("restart", "-n", OTHER, "-s", "chatbot")
    assert beside.complete("Say hello.")
    beside.run("delete", "-n", OTHER, "--rmv", "--yes")
    assert beside.ids() == {}
    assert not (line.checkout.path / f"stacks/Pulumi.{OTHER}.yaml").exists()
    assert line.ids() == kept
    assert line.complete("Say hello.")

    gone = line.run("delete", "-n", NAME, "--yes").stderr
    assert "stays" in gone
    assert line.ids() == {}
    volumes = line.client.volumes.list(filters={"label": f"archi.deployment={NAME}"})
    assert line.names.postgres_volume in {volume.name for volume in volumes}
