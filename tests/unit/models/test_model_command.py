"""``archi model``: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from archi.cli.exit_codes import ExitCode
from archi.cli.model import model
from tests.hub_server import HubServer

DOCUMENTED = {
    "model_id",
    "family",
    "known",
    "tool_parser",
    "reasoning_parser",
    "chat_template",
    "min_vllm",
    "parameters",
    "context_length",
    "precision",
    "weights_gib",
    "kv_kib_per_token",
    "vram_minimum_gib",
    "notes",
    "source",
}
WITH_GPUS = {"fits", "max_model_len", "tensor_parallel_size", "reasons", "advice"}


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(model)
    return CliRunner().invoke(app, list(arguments))


def report(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_json_has_the_documented_fields() -> None:
    found = report("Qwen/Qwen3-8B", "--offline")
    assert found.keys() == DOCUMENTED
    assert found["family"] == "Qwen3"
    assert found["tool_parser"] == "hermes"
    assert found["reasoning_parser"] == "qwen3"
    assert found["chat_template"] is None
    assert found["min_vllm"] == "0.8.5"
    assert found["parameters"] == 8_190_000_000
    assert found["context_length"] == 40_960
    assert found["precision"] == "bf16"
    assert found["weights_gib"] == 15.26
    assert found["kv_kib_per_token"] == 144
    assert 17 < found["vram_minimum_gib"] < 20


def test_with_gpus_it_says_whether_and_with_which_context() -> None:
    found = report("Qwen/Qwen3-8B", "--gpus", "24", "--offline")
    assert found.keys() == DOCUMENTED | WITH_GPUS
    assert found["fits"] is True
    assert 30_000 < found["max_model_len"] <= 40_960


def test_an_unknown_model_is_all_nulls_that_are_not_guessed() -> None:
    found = report("someone/some-model", "--offline")
    assert (found["known"], found["family"], found["parameters"], found["weights_gib"]) == (
        False,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("Qwen/Qwen3-8B", "--offline"), ExitCode.OK),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", "24"), ExitCode.OK),
        (("Qwen/Qwen3-32B", "--offline", "--gpus", "24"), ExitCode.PROBLEM),
        (("Qwen/Qwen3-32B", "--offline", "--gpus", "24,24,24,24"), ExitCode.OK),
        (("someone/some-model", "--offline", "--gpus", "24"), ExitCode.OK),
        (("Qwen/Qwen3:8B",), ExitCode.REFUSED),
        (("not-an-id",), ExitCode.REFUSED),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", "x"), ExitCode.REFUSED),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", ""), ExitCode.REFUSED),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", "24,-1"), ExitCode.REFUSED),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", "nan"), ExitCode.REFUSED),
        (("Qwen/Qwen3-8B", "--offline", "--gpus", "inf"), ExitCode.REFUSED),
        (("./no-such-folder",), ExitCode.NOT_FOUND),
    ],
)
def test_the_exit_code_says_how_it_went(arguments: tuple[str, ...], code: ExitCode) -> None:
    assert run(*arguments).exit_code == code


def test_an_ollama_name_is_refused_with_the_likely_id() -> None:
    assert "most likely 'Qwen/Qwen3-8B'" in run("Qwen/Qwen3:8B").stderr


def test_people_read_a_table_the_arithmetic_and_what_to_change() -> None:
    text = run("Qwen/Qwen3-32B", "--offline", "--gpus", "24").stdout
    for said in (
        "tool parser       hermes",
        "reasoning parser  qwen3",
        "Weights: 32.8 billion parameters × 2 bytes (bf16) = 61.0 GiB.",
        "KV cache: 2 (keys, values) × 64 layers",
        "The hub was not asked",
        "It does not fit.",
        "- Qwen/Qwen3-32B-AWQ",
    ):
        assert said in text


def test_a_hub_that_does_not_answer_is_said_and_the_name_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    found = report("Qwen/Qwen3-8B")
    assert "http://127.0.0.1:9 does not answer" in found["notes"][0]
    assert found["family"] == "Qwen3"


def test_a_hub_that_answers_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 64}
    (tmp_path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 99}))
    with HubServer(tmp_path, "org/tiny") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        assert report("org/tiny")["context_length"] == 99
        gone = run("org/gone")
    assert gone.exit_code == ExitCode.NOT_FOUND
    assert "has no model org/gone" in gone.stderr


def test_hugging_faces_own_switch_keeps_it_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "The hub was not asked" in report("Qwen/Qwen3-8B")["notes"][0]


def test_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 77}))
    assert report(str(tmp_path))["context_length"] == 77
