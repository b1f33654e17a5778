"""Every command line that our stacks and tests render, parsed by the real vLLM's own parser."""

from __future__ import annotations

from typing import Any

import docker
import pytest
import yaml

from archi import render
from archi.docker_engine import connect
from archi.images import VLLM_VERSION, image
from archi.preflight import PreflightError
from archi.project import ROOT, stack_file, stacks
from archi.settings import Settings, from_mapping
from archi.vllm_arguments import Question, ask, check

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"

EACH_SETTING: dict[str, dict[str, Any]] = {
    "reasoning parser": {"reasoning_parser": "qwen3"},
    "chat template": {"chat_template": "images/templates/smollm2_hermes.jinja"},
    "length": {"max_model_len": 4096},
    "utilisation": {"gpu_memory_utilization": 0.85},
    "tensor parallel": {"tensor_parallel_size": 2},
    "pipeline parallel": {"pipeline_parallel_size": 2},
    "dtype": {"dtype": "float16"},
    "quantisation": {"quantization": "fp8"},
    "kv cache": {"kv_cache_dtype": "fp8"},
    "sequences": {"max_num_seqs": 16},
    "eager": {"enforce_eager": True},
    "prefix caching on": {"enable_prefix_caching": True},
    "prefix caching off": {"enable_prefix_caching": False},
    "served name": {"served_model_name": "assistant"},
    "seed": {"seed": 7},
    "key": {"api_key_required": True},
    "weights of the host": {"weights": "/data/model"},
    "others": {"engine_args": ["--max-num-batched-tokens", "8192", "--disable-log-stats"]},
}


def of_stack(name: str) -> Settings:
    config = yaml.safe_load(stack_file(ROOT, name).read_text())["config"]
    return from_mapping(name, {key.removeprefix("archi:"): config[key] for key in config})


def rendered() -> dict[str, Settings]:
    """All of them, by a name for people."""
    found = {f"stack {name}": of_stack(name) for name in stacks(ROOT)}
    for name, vllm in EACH_SETTING.items():
        found[name] = from_mapping("bot", {"gpu_ids": "0,1,2,3", "services": {"vllm": vllm}})
    found["host mode"] = from_mapping("bot", {"host_mode": True})
    return {name: one for name, one in found.items() if "vllm-server" in one.deployed}


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return connect()


@pytest.fixture(scope="module")
def tag() -> str:
    return image("vllm-cpu", "packages").tag


def question(tag: str, settings: Settings) -> Question:
    command = render.vllm_command(settings)
    return Question("archi-e2e-arguments", tag, command, render.vllm_argument_files(settings))


def test_vllm_takes_every_command_line_that_is_rendered(
    client: docker.DockerClient, tag: str
) -> None:
    every = rendered()
    asked = question(tag, next(iter(every.values())))
    files = {
        path: content
        for settings in every.values()
        for path, content in render.vllm_argument_files(settings).items()
    }
    asked = Question(asked.deployment, asked.image, (), files)
    wrong = [str(render.weights_path(of_stack("gpu"))), "--max-num-batched-tokens", "many"]
    lines = [wrong, *(render.vllm_command(one) for one in every.values())]
    (refusal, *said), output = ask(client, asked, lines)
    assert len(said) == len(every), output
    assert "value: 'many'" in str(refusal)
    assert {name: error for name, error in zip(every, said, strict=True) if error} == {}


def test_what_vllm_would_refuse_is_refused_before_anything_is_started(
    client: docker.DockerClient, tag: str
) -> None:
    vllm = {"model": SMOL, "engine_args": ["--max-num-batchd-tokens", "8"]}
    settings = from_mapping("bot", {"gpu_ids": "none", "services": {"vllm": vllm}})
    with pytest.raises(PreflightError) as refused:
        check(client, question(tag, settings), pytest.fail)
    assert "unrecognized arguments: --max-num-batchd-tokens" in str(refused.value)
    assert "Nothing was started or stopped." in str(refused.value)
    assert "archi:services.vllm" in str(refused.value)


def test_an_image_that_cannot_be_asked_is_left_to_its_start(client: docker.DockerClient) -> None:
    other = image("base", "packages").tag  # it has a Python, and no vLLM
    said: list[str] = []
    check(client, question(other, from_mapping("bot", {"gpu_ids": "none"})), said.append)
    assert len(said) == 1
    assert "could not be asked" in said[0]
    assert "No module named 'vllm'" in said[0]


def test_the_parsers_are_those_of_the_pinned_version() -> None:
    """What is tested here is what ships for GPUs."""
    requirements = (ROOT / "images" / "vllm-cpu" / "requirements.in").read_text()
    assert f"vllm-cpu=={VLLM_VERSION}" in requirements
