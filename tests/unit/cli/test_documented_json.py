"""docs/command_line.md names the fields that commands print."""

from __future__ import annotations

import json
import re

from typer.testing import CliRunner

from archi.cli.app import app
from archi.cli.delete import as_document
from archi.deletion import Plan, Volume
from archi.project import ROOT

PAGE = (ROOT / "docs" / "command_line.md").read_text()
PLAIN = {"NO_COLOR": "1"}


def documented(command: str) -> set[str]:
    """All names in the row of a command."""
    [row] = re.findall(rf"^\| `{command}` \| (.*\`.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", row))))


def printed(*words: str) -> object:
    result = CliRunner().invoke(app, [*words, "--json"], env=PLAIN)
    return json.loads(result.stdout)


def test_model() -> None:
    found = printed("model", "Qwen/Qwen3-8B", "--offline", "--gpus", "24")
    assert isinstance(found, dict)
    assert found.keys() <= documented("model")


def test_config_check() -> None:
    found = printed("config", "check", str(ROOT / "stacks" / "Pulumi.gpu.yaml"))
    assert isinstance(found, dict)
    assert found.keys() == documented("config check")


def test_list_services() -> None:
    found = printed("list-services")
    assert isinstance(found, list)
    assert all(one.keys() <= documented("list-services") for one in found)


def test_doctor() -> None:
    found = printed("doctor")
    assert isinstance(found, dict)
    assert found.keys() | {key for one in found["findings"] for key in one} == documented("doctor")


def test_delete() -> None:
    plan = Plan(
        name="bot",
        containers=(),
        networks=(),
        volumes=(Volume("archi-bot-chat", "the conversations"),),
        with_data=True,
        images=(),
        stack=None,
        by_label="",
        stack_file=None,
        file_stays="",
    )
    told = as_document(plan, done=False)
    named = told.keys() | {key for volume in told["volumes"] for key in volume}
    assert named == documented("delete")


def test_diagnose() -> None:
    log = ROOT / "tests/unit/diagnosis/logs/context-too-long.log"
    found = printed("diagnose", str(log))
    assert isinstance(found, list)
    assert {key for one in found for key in one} == documented("diagnose")
