"""vLLM's command line and environment: every typed setting has its place in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archi import render
from archi.settings import Settings, VllmSettings, from_mapping
from archi.settings.types import parse_duration, parse_memory

SMOL = {"model": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def configured(vllm: dict[str, Any] | None = None, **config: Any) -> Settings:
    return from_mapping("bot", {**config, "services": {"vllm": vllm or {}}})


def command(vllm: dict[str, Any] | None = None, **config: Any) -> list[str]:
    return render.vllm_command(configured(vllm, **config))


def argument(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_the_server_gets_the_seeds_flags() -> None:
    words = command({"model": "o/m"})
    assert words[0] == "/models/o/m/main"
    assert argument(words, "--served-model-name") == "o/m"
    assert "--enable-auto-tool-choice" in words
    assert argument(words, "--tool-call-parser") == "hermes"
    assert argument(words, "--max-model-len") == "auto"
    assert "--enforce-eager" not in words


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"tool_parser": "mistral"}, ["--tool-call-parser", "mistral"]),
        ({"reasoning_parser": "qwen3"}, ["--reasoning-parser", "qwen3"]),
        ({"max_model_len": 4096}, ["--max-model-len", "4096"]),
        ({"gpu_memory_utilization": 0.85}, ["--gpu-memory-utilization", "0.85"]),
        ({"dtype": "float16"}, ["--dtype", "float16"]),
        ({"quantization": "fp8"}, ["--quantization", "fp8"]),
        ({"kv_cache_dtype": "fp8"}, ["--kv-cache-dtype", "fp8"]),
        ({"max_num_seqs": 16}, ["--max-num-seqs", "16"]),
        ({"enforce_eager": True}, ["--enforce-eager"]),
        ({"enable_prefix_caching": True}, ["--enable-prefix-caching"]),
        ({"enable_prefix_caching": False}, ["--no-enable-prefix-caching"]),
        ({"served_model_name": "assistant"}, ["--served-model-name", "assistant"]),
        ({"seed": 0}, ["--seed", "0"]),
        ({"api_key_required": True}, ["--config", "/run/archi/vllm.yaml"]),
        ({"engine_args": ["--max-num-batched-tokens", "8192"]}, ["--max-num-batched-tokens"]),
    ],
)
def test_a_setting_is_said_as_vllm_takes_it(setting: dict[str, Any], said: list[str]) -> None:
    words = command(setting)
    place = words.index(said[0])
    assert words[place : place + len(said)] == said


def test_what_is_not_set_is_left_to_vllm() -> None:
    flags = {word for word in command() if word.startswith("--")}
    assert flags == {
        "--served-model-name",
        "--host",
        "--port",
        "--max-model-len",
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        "--shutdown-timeout",
    }


def test_every_setting_of_the_engine_reaches_the_command_line() -> None:
    """A field that nobody renders would be a promise that nobody keeps."""
    elsewhere = {
        "model",  # where the weights lie, and --served-model-name
        "revision",
        "weights",
        "offline",
        "cpu_kv_cache_gib",  # the environment
        "environment",
        "base_url",
        "check_fit",  # the preflight
        "image",
        "port",
        "publish",
        "memory",
        "shm_size",
        "ulimits",
        "start_timeout",
    }
    changed: dict[str, Any] = {
        "served_model_name": "other",
        "tool_parser": "mistral",
        "reasoning_parser": "qwen3",
        "chat_template": "images/templates/smollm2_hermes.jinja",
        "max_model_len": 7,
        "gpu_memory_utilization": 0.5,
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 2,
        "dtype": "float16",
        "quantization": "fp8",
        "kv_cache_dtype": "fp8",
        "max_num_seqs": 3,
        "enforce_eager": True,
        "enable_prefix_caching": False,
        "seed": 1,
        "engine_args": ["--max-num-batched-tokens", "8192"],
        "api_key_required": True,
    }
    assert changed.keys() | elsewhere == set(VllmSettings.model_fields)
    plain = command(gpu_ids="0,1,2,3")
    for name, value in changed.items():
        assert command({name: value}, gpu_ids="0,1,2,3") != plain, name


@pytest.mark.parametrize(
    ("gpu_ids", "vllm", "tensor", "pipeline"),
    [
        ("all", {}, None, None),
        ("0", {}, None, None),
        ("0,1", {}, "2", None),
        ("0,1", {"tensor_parallel_size": 1}, None, None),
        ("0,1,2,3", {"pipeline_parallel_size": 2}, "2", "2"),
        ("all", {"tensor_parallel_size": 4}, "4", None),
        ("none", {}, None, None),
    ],
)
def test_the_gpus_that_are_named_share_the_layers(
    gpu_ids: str, vllm: dict[str, Any], tensor: str | None, pipeline: str | None
) -> None:
    words = command(vllm, gpu_ids=gpu_ids)
    for flag, said in (("--tensor-parallel-size", tensor), ("--pipeline-parallel-size", pipeline)):
        assert (argument(words, flag) if flag in words else None) == said


def test_in_host_mode_it_listens_on_loopback_at_the_port_of_the_settings() -> None:
    words = command({"port": 8123}, host_mode=True)
    assert argument(words, "--host") == "127.0.0.1"
    assert argument(words, "--port") == "8123"
    bridge = command({"port": 8123})
    assert argument(bridge, "--host") == "0.0.0.0"
    assert argument(bridge, "--port") == "8000"


def test_no_key_is_ever_on_the_command_line_or_in_the_environment() -> None:
    settings = from_mapping("bot", {}, {"vllm_api_key": "planted-value"})
    everything = [*render.vllm_command(settings), *render.vllm_environment(settings).values()]
    assert "--config" in everything
    assert not [word for word in everything if "planted-value" in word]


def test_the_packaged_model_lies_apart_from_the_hubs_and_a_folder_of_the_host_elsewhere() -> None:
    paths = {
        render.weights_path(configured(SMOL, source="packages", gpu_ids="none")),
        render.weights_path(configured(SMOL)),
        render.weights_path(configured({**SMOL, "weights": "/data/smol"})),
    }
    assert len(paths) == 3


def test_a_model_without_a_tool_template_of_its_own_gets_ours() -> None:
    settings = configured(SMOL)
    template = argument(render.vllm_command(settings), "--chat-template")
    wanted = {f"{render.FILES_PATH}/{file.path}" for file in render.files(settings)}
    assert template in wanted


def test_the_memory_for_a_cpus_cache_is_said_only_on_a_cpu() -> None:
    assert "VLLM_CPU_KVCACHE_SPACE" in render.vllm_environment(configured(gpu_ids="none"))
    assert "VLLM_CPU_KVCACHE_SPACE" not in render.vllm_environment(configured(gpu_ids="all"))


def test_further_environment_is_handed_on() -> None:
    settings = configured({"environment": {"VLLM_LOGGING_LEVEL": "DEBUG"}})
    assert render.vllm_environment(settings)["VLLM_LOGGING_LEVEL"] == "DEBUG"


def test_the_health_script_asks_where_vllm_listens() -> None:
    host = configured({"port": 8123, "served_model_name": "x"}, host_mode=True)
    assert "8123" in render.vllm_health_command(host)
    assert "8000" in render.vllm_health_command(configured())
    assert render.vllm_warm_up_command(host)[-1] == "x"


@given(st.integers(min_value=1, max_value=168 * 3600))
def test_durations_survive_the_way_through_gos_form(seconds: int) -> None:
    assert parse_duration(render.go_duration(seconds)) == seconds


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["m", "mb", "MiB", "M"]))
def test_memory_in_mebibytes_is_itself(mib: int, unit: str) -> None:
    assert parse_memory(f"{mib}{unit}") == mib


model_ids = st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9_]{0,8}/[A-Za-z0-9][A-Za-z0-9._]{0,12}", fullmatch=True
)


@given(model_ids, st.booleans(), st.integers(min_value=1, max_value=10**6))
def test_every_command_line_is_a_flat_list_with_the_model_first(
    model: str, eager: bool, length: int
) -> None:
    assume(".." not in model)
    words = command({"model": model, "enforce_eager": eager, "max_model_len": length})
    assert words[0].startswith(f"/models/{model}/")
    assert argument(words, "--max-model-len") == str(length)
    assert ("--enforce-eager" in words) == eager
    assert all(isinstance(word, str) and word for word in words)
