"""The smoke test of real deployments: by the page's four lines, by the command, and key-guarded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from archi.cli.exit_codes import ExitCode
from archi.smoke import Endpoints, State, Wire, run
from archi.smoke.endpoints import _in_chat_container
from tests.checkout import ROOT
from tests.e2e.conftest import SECRETS, Assistant
from tests.ports import free_port

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def smoke(
    assistant: Assistant, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """``archi smoke`` in the assistant's checkout."""
    return subprocess.run(
        [sys.executable, "-m", "archi.cli.smoke", assistant.stack, *arguments],
        cwd=assistant.checkout.path,
        env={**assistant.checkout.environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def report(assistant: Assistant, **variables: str) -> dict[str, Any]:
    done = smoke(assistant, "--json", **variables)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == found["exit_code"], done.stdout + done.stderr
    return found


def the_pages_lines(assistant: Assistant) -> str:
    """The commands of docs/vllm.md's section, for this deployment."""
    section = (ROOT / "docs" / "vllm.md").read_text().split("## Smoke Testing")[1]
    lines = re.findall(r"```bash\n(.+?)```", section, re.DOTALL)[0]
    for there, here in (
        ("http://localhost:8000/v1", assistant.vllm_url),
        ("Qwen/Qwen3-8B", MODEL),
        ("my-deployment", assistant.stack),
    ):
        assert there in lines
        lines = lines.replace(there, here)
    return str(lines)


def test_the_four_lines_of_the_page_pass(assistant: Assistant) -> None:
    done = subprocess.run(
        ["bash", "-ec", the_pages_lines(assistant)],
        cwd=assistant.checkout.path,
        env={**assistant.checkout.environment, "VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"vLLM serves {MODEL}" in done.stdout
    assert "✗" not in done.stdout
    assert "The model said: " in done.stdout


def test_a_deployment_is_well_by_what_its_stack_says(assistant: Assistant, tmp_path: Path) -> None:
    found = report(assistant)
    assert (found["ok"], found["exit_code"]) == (True, 0)
    assert (found["deployment"], found["model"]) == (assistant.stack, MODEL)
    states = {check["name"]: check["state"] for check in found["checks"]}
    # What so small a model makes of a tool is its own affair; all else must be well.
    assert {states.pop("vllm-tool-call"), states.pop("chat-tool-call")} <= {"ok", "note"}
    assert set(states.values()) == {"ok"}
    assert len(states) == 8
    assert found["answer"]

    path = tmp_path / "smoke.xml"
    assert smoke(assistant, "--junit", str(path)).returncode == 0
    (suite,) = JUnitXml.fromfile(str(path))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (10, 0, 0, 0)


def test_what_is_wrong_has_its_exit_code_and_its_wire(assistant: Assistant) -> None:
    other = report(assistant, SMOKE_VLLM_MODEL="Qwen/Qwen3-8B")
    assert other["exit_code"] == ExitCode.SMOKE_MODEL_MISSING
    lost = report(assistant, SMOKE_VLLM_BASE_URL=f"http://localhost:{free_port()}/v1")
    assert lost["exit_code"] == ExitCode.SMOKE_VLLM_UNREACHABLE
    failed = [check for check in lost["checks"] if check["state"] == "failed"]
    assert [(check["name"], check["wire"]) for check in failed] == [("vllm-reachable", Wire.VLLM)]
    assert "nothing listens there" in failed[0]["detail"]
    assert lost["checks"][-2]["state"] == "ok"  # the way through the chat application
    lost = report(assistant, SMOKE_CHAT_URL=f"http://localhost:{free_port()}")
    assert lost["exit_code"] == ExitCode.SMOKE_CHAT_UNREACHABLE


def test_a_stack_that_is_not_there_or_never_was_deployed_is_told(assistant: Assistant) -> None:
    names = {"gpu": "The stack gpu was never deployed.", "nosuch": "There is no stack 'nosuch'"}
    for name, said in names.items():
        done = subprocess.run(
            [sys.executable, "-m", "archi.cli.smoke", name],
            cwd=assistant.checkout.path,
            env=assistant.checkout.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ExitCode.NOT_FOUND
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_key_guards_vllm_and_the_deployments_own_opens_it(full: Assistant) -> None:
    done = smoke(full, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRETS["vllm_api_key"] not in done.stdout + done.stderr
    refused = report(full, SMOKE_VLLM_API_KEY="another-key")
    assert refused["exit_code"] == ExitCode.SMOKE_KEY_REFUSED
    assert "does not take the API key that was sent" in refused["checks"][0]["detail"]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["not-published", "engine-elsewhere"])
def test_the_chat_container_asks_where_this_machine_can_not(
    full: Assistant, elsewhere: bool
) -> None:
    nowhere = f"http://localhost:{free_port()}"
    found = run(
        Endpoints(
            chat_url=nowhere if elsewhere else full.url,
            vllm_url=f"{nowhere}/v1" if elsewhere else None,
            model=MODEL,
            execute=lambda command: _in_chat_container(full.stack, command),
            deployment=full.stack,
            elsewhere=elsewhere,
        )
    )
    assert found.ok, found
    assert not list(found.of(State.SKIPPED))
    assert {check.wire for check in found.checks} == {Wire.BEHIND_CHAT, Wire.CHAT}
