"""``archi diagnose`` on files and texts; on deployments see tests/e2e/test_failed_starts.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from archi.cli.diagnose import diagnose
from archi.cli.exit_codes import ExitCode

LOGS = Path(__file__).parent.parent / "diagnosis" / "logs"

app = typer.Typer()
app.command()(diagnose)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, input=text)
    return done.exit_code, done.output


def test_a_log_file_gives_cause_mend_confidence_and_line() -> None:
    code, said = run(str(LOGS / "context-too-long.log"))
    assert code == ExitCode.PROBLEM
    assert "shorter than the 100000 tokens asked for." in said
    assert "Mend: lower archi:services.vllm.max_model_len" in said
    assert "Confidence: certain" in said
    assert "Line 49 says:" in said
    assert max(map(len, said.splitlines())) <= 80


def test_its_json_has_the_same_keys_whatever_is_found() -> None:
    keys = ["service", "container", "state", "cause", "what", "mend"]
    keys += ["confidence", "evidence", "line"]
    code, said = run("--json", str(LOGS / "tool-parser.log"))
    (found,) = json.loads(said)
    assert code == ExitCode.PROBLEM
    assert list(found) == keys
    assert found["cause"] == "unknown-tool-parser"
    assert found["confidence"] == "certain"
    code, said = run("--json", "-", text="All is well.\n")
    (nothing,) = json.loads(said)
    assert code == ExitCode.OK
    assert list(nothing) == keys
    assert nothing["cause"] is None


def test_a_text_from_standard_input_is_diagnosed() -> None:
    code, said = run("-", text="ConnectionError: Name or service not known\n")
    assert code == ExitCode.PROBLEM
    assert "does not know vLLM's name" in said
    assert "Confidence: likely" in said


def test_an_unknown_error_is_said_to_be_unknown() -> None:
    code, said = run("-", text="ValueError: the moon is full\n")
    assert code == ExitCode.PROBLEM
    assert "Confidence: unknown" in said
    assert "ValueError: the moon is full" in said


def test_a_file_that_is_not_there_is_told_apart() -> None:
    code, said = run("./no-such-file.log")
    assert code == ExitCode.NOT_FOUND
    assert "can't be read: No such file or directory." in said


@pytest.mark.usefixtures("no_engine")
def test_a_file_without_a_folder_needs_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "server").write_text("ValueError: No available memory for the cache blocks.\n")
    code, said = run("server")
    assert code == ExitCode.PROBLEM
    assert "KV cache" in said


@pytest.mark.usefixtures("no_engine")
def test_a_deployment_can_not_be_looked_at_without_an_engine() -> None:
    code, said = run("no-such-deployment")
    assert code == ExitCode.NO_ENGINE
    assert "does not answer" in said
