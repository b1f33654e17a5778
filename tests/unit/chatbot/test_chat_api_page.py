"""What docs/chat_api.md says about the API is so: its commands run, its metrics are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from markdown_it import MarkdownIt

from chatbot import metrics
from tests.chat_application import ROOT, ChatApplication
from tests.scripted_vllm import ScriptedVllm

PAGE = (ROOT / "docs" / "chat_api.md").read_text()
ANSWER = "Hello from the script."


def snippets(language: str) -> list[str]:
    found = MarkdownIt("commonmark").parse(PAGE)
    return [x.content for x in found if x.type == "fence" and x.info.strip() == language]


def run(command: list[str], application: ChatApplication, folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "ARCHI_CHAT_KEY": "unused"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("begins", "says"),
    [
        ("curl http", '"object":"list"'),
        ("curl -N", "data: [DONE]"),
        ('api=http://localhost:7861/api\nauth="Authorization: Bearer $ARCHI_CHAT_KEY"\nid', ANSWER),
        ('api=http://localhost:7861/api\nauth="Authorization: Bearer $ARCHI_CHAT_KEY"\ncurl', ""),
    ],
)
def test_the_commands_of_the_page_run(
    application: ChatApplication, vllm: ScriptedVllm, tmp_path: Path, begins: str, says: str
) -> None:
    [command] = [text for text in snippets("bash") if text.startswith(begins)]
    here = command.replace("http://localhost:7861", application.url)
    said = run(["bash", "-euo", "pipefail", "-c", here], application, tmp_path)
    assert '"error":{' not in said
    assert says in said
    if "/import" in command:
        assert '"missing_attachments":0' in said


@pytest.mark.parametrize("program", snippets("python"))
def test_the_programs_of_the_page_run(
    application: ChatApplication, vllm: ScriptedVllm, tmp_path: Path, program: str
) -> None:
    here = program.replace("http://localhost:7861", application.url)
    assert run([sys.executable, "-c", here], application, tmp_path) == ANSWER


def test_every_metric_stands_on_the_page() -> None:
    shown = metrics.exposition(metrics.Now(True, 0, 1)).decode()
    there = set(re.findall(r"^# TYPE (archi_chat_\w+)", shown, re.MULTILINE))
    # The moments at which counters began.
    there = {name for name in there if not name.endswith("_created")}
    assert set(re.findall(r"^(archi_chat_\w+)", PAGE, re.MULTILINE)) == there


def test_every_endpoint_that_the_page_names_is_described(application: ChatApplication) -> None:
    description = requests.get(f"{application.url}/api/openapi.json", timeout=60).json()
    described = list(description["paths"])
    named = set(re.findall(r"`(?:GET |POST )?(/api/[\w/{}-]+)", PAGE)) - {"/api/openapi"}
    assert len(named) > 4
    for path in named:
        pattern = re.escape(path).replace("ID", r"\{\w+\}")
        assert any(re.fullmatch(pattern, one) for one in described), path
