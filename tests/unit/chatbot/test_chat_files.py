from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.deployment_files import DeploymentFiles
from chatbot.environment import SettingsError
from tests.chat_application import write_files, write_pipelines
from tests.scripted_vllm import MODEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files")


def test_the_model_is_read_again_when_the_file_changes(folder: Path) -> None:
    files = DeploymentFiles(folder)
    assert files.model == MODEL
    write_pipelines(folder, "Qwen/Qwen3-8B")
    assert files.model == "Qwen/Qwen3-8B"


@pytest.mark.parametrize("content", ["model: [", "model: ''", "[]", "modell: X/Y"])
def test_a_file_that_turns_bad_leaves_the_last_good_model(folder: Path, content: str) -> None:
    files = DeploymentFiles(folder)
    assert files.model == MODEL
    (folder / "pipelines.yaml").write_text(content)
    assert files.model == MODEL
    with pytest.raises(SettingsError, match="write `model:"):
        DeploymentFiles(folder).pipelines()


def test_a_pipeline_with_another_model_is_refused_naming_both(folder: Path) -> None:
    (folder / "pipelines.yaml").write_text("model: A/B\npipelines: {Agent: {m: vllm/C/D}}\n")
    with pytest.raises(SettingsError, match=r"Agent\.m is 'vllm/C/D'.*'A/B'"):
        DeploymentFiles(folder).pipelines()


def test_a_missing_pipelines_file_is_refused_at_start(folder: Path) -> None:
    (folder / "pipelines.yaml").unlink()
    with pytest.raises(SettingsError, match="pulumi up"):
        DeploymentFiles(folder).pipelines()


@pytest.mark.parametrize("content", [None, "", "short"])
def test_a_missing_or_short_session_key_is_refused_without_showing_it(
    folder: Path, content: str | None
) -> None:
    path = folder / "secrets" / "session_key"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match="session_key") as refusal:
        DeploymentFiles(folder).session_key()
    assert content in (None, "") or f"={content}" not in str(refusal.value)


def test_a_secret_that_is_not_there_is_none(folder: Path) -> None:
    assert DeploymentFiles(folder).secret("vllm_api_key") is None
