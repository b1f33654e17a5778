"""``archi smoke``: what it prints, writes and ends with."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from junitparser import JUnitXml
from typer.testing import CliRunner, Result

from archi.cli.exit_codes import ExitCode
from archi.cli.smoke import _folded, _row, smoke
from archi.smoke import Check, State, Wire
from tests.scripted_vllm import MODEL, ScriptedVllm


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedVllm]:
    """A vLLM that the environment names, and a chat application that is not there."""
    with ScriptedVllm() as server, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen: a connection is refused
        monkeypatch.setenv("SMOKE_PROVIDER", "vllm")
        monkeypatch.setenv("SMOKE_VLLM_BASE_URL", server.base_url)
        monkeypatch.setenv("SMOKE_VLLM_MODEL", MODEL)
        monkeypatch.setenv("SMOKE_CHAT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        yield server


def said(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(smoke)
    return CliRunner().invoke(app, ["bot", *arguments])


def test_a_row_a_check_under_its_wire_and_the_failures_mend(vllm: ScriptedVllm) -> None:
    done = said()
    assert done.exit_code == ExitCode.SMOKE_CHAT_UNREACHABLE
    lines = done.stdout.splitlines()
    assert lines[0] == f"Smoke test of bot: {MODEL}"
    assert lines[2] == "this machine → vLLM"
    assert lines[4].startswith("  ✓ vllm-model")
    assert lines[4].endswith(f" s  vLLM serves {MODEL}")
    assert "  • vllm-tool-call" in done.stdout
    assert "this machine → chat application\n  ✗ chat-reachable" in done.stdout
    assert "\n      Mend: SMOKE_CHAT_URL says that address" in done.stdout
    assert re.search(r"^  – chat-model +chat-reachable failed$", done.stdout, re.MULTILINE)
    assert "The model said: Hello from the script." in done.stdout
    assert lines[-1].startswith("✗ 4 ok, 1 note, 1 failed, 4 skipped, ")
    assert lines[-1].endswith("the chat application does not answer. (Exit code 16.)")


def test_json_is_all_that_is_on_stdout(vllm: ScriptedVllm) -> None:
    done = said("--json")
    report = json.loads(done.stdout)
    assert done.exit_code == report["exit_code"] == 16
    assert (report["deployment"], report["provider"], report["model"]) == ("bot", "vllm", MODEL)
    assert [check["state"] for check in report["checks"]] == [
        *("ok", "ok", "ok", "ok", "note"),
        *("failed", "skipped", "skipped", "skipped", "skipped"),
    ]


def test_junit_is_written_beside_what_is_printed(vllm: ScriptedVllm, tmp_path: Path) -> None:
    done = said("--junit", str(tmp_path / "smoke.xml"))
    assert done.exit_code == ExitCode.SMOKE_CHAT_UNREACHABLE
    assert "Smoke test of bot" in done.stdout
    (suite,) = JUnitXml.fromfile(str(tmp_path / "smoke.xml"))
    assert (suite.tests, suite.failures, suite.skipped) == (10, 1, 4)


def test_a_folder_that_is_not_there_is_refused_before_anything_is_asked(
    vllm: ScriptedVllm, tmp_path: Path
) -> None:
    done = said("--junit", str(tmp_path / "none" / "smoke.xml"))
    assert done.exit_code == ExitCode.REFUSED
    assert "its folder is not there" in done.stderr
    assert vllm.requests == []


def test_the_time_that_an_answer_may_take_is_said(vllm: ScriptedVllm) -> None:
    vllm.script.hang = "headers"
    done = said("--timeout", "1")
    assert done.exit_code == ExitCode.SMOKE_COMPLETION
    assert "did not answer within 1 s" in done.stdout


def test_an_unknown_provider_is_refused_with_the_known_ones(
    vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_PROVIDER", "ollama")
    done = said()
    assert done.exit_code == ExitCode.REFUSED
    assert "SMOKE_PROVIDER=ollama is not known; known: vllm." in done.stderr
    assert done.stdout == ""


def test_another_model_has_its_own_exit_code(
    vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_VLLM_MODEL", "o/other")
    done = said()
    assert done.exit_code == ExitCode.SMOKE_MODEL_MISSING
    assert f"serves {MODEL}, not o/other" in done.stdout


def test_a_key_that_is_wanted_has_its_own_exit_code_and_is_never_shown(
    vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm.api_key = "the-right-key-5512"
    monkeypatch.setenv("SMOKE_VLLM_API_KEY", "a-wrong-key-7731")
    done = said()
    assert done.exit_code == ExitCode.SMOKE_KEY_REFUSED
    assert "a-wrong-key-7731" not in done.output
    monkeypatch.setenv("SMOKE_VLLM_API_KEY", "the-right-key-5512")
    done = said("--json")
    assert json.loads(done.stdout)["checks"][3]["state"] == "ok"
    assert "the-right-key-5512" not in done.output


def test_brackets_of_a_model_are_shown_as_they_are(vllm: ScriptedVllm) -> None:
    vllm.script.tokens = ["[bold]Hello[/bold]"]
    assert "The model said: [bold]Hello[/bold]" in said().stdout


def test_long_details_are_folded_and_never_cut() -> None:
    text = "word " * 60 + "http://a-very-long-address.example.org/" + "x" * 90
    check = Check("vllm-reachable", Wire.VLLM, State.FAILED, 300.0, text, "the mend")
    lines = list(_row(check, 80))
    assert all(
        len(line.replace("[bold red]", "").replace("[/bold red]", "")) <= 80 for line in lines
    )
    assert "".join(_folded(text, 80)).replace(" ", "") == text.replace(" ", "")
    assert lines[-1].strip() == "Mend: the mend"
