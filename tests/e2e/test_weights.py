"""Weights that are not downloaded: a folder of the host, and a model that must be there already."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from archi.docker_engine import connect
from archi.images import image
from archi.weights import Request, WeightsError, complete, fetch


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return connect()


def of_folder(folder: Path) -> Request:
    return Request(
        deployment="archi-e2e-weights",
        image=image("base", "packages").tag,
        model="o/m",
        revision="main",
        target="/weights",
        origin="folder",
        folder=str(folder),
    )


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("{}")
    return folder


def test_a_whole_folder_is_taken_as_it_is(client: docker.DockerClient, tmp_path: Path) -> None:
    request = of_folder(make(tmp_path, "config.json", "tokenizer.json", "model.safetensors"))
    said: list[str] = []
    assert fetch(client, request, said.append) == 2
    assert said == ["weights of o/m: 0 MB, already there"]
    assert complete(client, request)


def test_a_folder_that_is_not_there_is_an_error_and_not_made(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(WeightsError) as refused:
        fetch(client, of_folder(folder), pytest.fail)
    assert str(refused.value) == (
        f"The folder {folder} (archi:services.vllm.weights) is not on the Docker host. Mend: copy "
        "the model there, or correct the path."
    )
    assert not folder.exists()
    assert not complete(client, of_folder(folder))


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        (["config.json", "tokenizer.json"], "the folder lacks weights (*.safetensors)"),
        (["config.json", "model.safetensors"], "the folder lacks a tokenizer"),
        (["tokenizer.json", "model.safetensors"], "the folder lacks config.json"),
    ],
)
def test_a_folder_with_less_than_a_model_is_refused_with_what_it_lacks(
    client: docker.DockerClient, tmp_path: Path, names: list[str], lacks: str
) -> None:
    with pytest.raises(WeightsError) as refused:
        fetch(client, of_folder(make(tmp_path, *names)), pytest.fail)
    assert lacks in str(refused.value)
    assert "archi:services.vllm.weights" in str(refused.value)


def test_a_missing_part_of_the_weights_is_named(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    make(tmp_path, "config.json", "tokenizer.json", "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    with pytest.raises(WeightsError, match=r"lacks model-00002-of-00002\.safetensors"):
        fetch(client, of_folder(tmp_path), pytest.fail)


def test_offline_nothing_is_asked_of_a_hub(client: docker.DockerClient) -> None:
    request = Request(
        deployment="archi-e2e-weights",
        image=image("vllm-cpu", "packages").tag,
        model="archi-test/never-downloaded",
        revision="main",
        target="/models/archi-test/never-downloaded/main",
        origin="hub",
        offline=True,
    )
    with pytest.raises(WeightsError) as refused:
        fetch(client, request, pytest.fail)
    assert "is not on the weights volume" in str(refused.value)
    assert "archi:services.vllm.offline" in str(refused.value)
