"""Settings into command lines and files."""

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from archi import render
from archi.settings import from_mapping
from archi.settings.types import parse_duration, parse_memory

SMOL = {"model": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def argument(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_the_server_gets_the_seeds_flags() -> None:
    command = render.vllm_command(from_mapping("bot", {"services": {"vllm": {"model": "o/m"}}}))
    assert command[0] == "/models/o/m/main"
    assert argument(command, "--served-model-name") == "o/m"
    assert "--enable-auto-tool-choice" in command
    assert argument(command, "--tool-call-parser") == "hermes"
    assert argument(command, "--max-model-len") == "auto"
    assert "--enforce-eager" not in command


def test_the_number_format_is_said_only_where_it_is_chosen() -> None:
    chosen = from_mapping("bot", {"services": {"vllm": {"dtype": "float32"}}})
    assert argument(render.vllm_command(chosen), "--dtype") == "float32"
    assert "--dtype" not in render.vllm_command(from_mapping("bot", {}))


def test_the_packaged_model_lies_apart_from_the_hubs() -> None:
    packaged = from_mapping(
        "bot", {"source": "packages", "gpu_ids": "none", "services": {"vllm": SMOL}}
    )
    hub = from_mapping("bot", {"services": {"vllm": SMOL}})
    assert render.weights_path(packaged) != render.weights_path(hub)


def test_a_model_without_a_tool_template_of_its_own_gets_ours() -> None:
    settings = from_mapping("bot", {"services": {"vllm": SMOL}})
    template = argument(render.vllm_command(settings), "--chat-template")
    wanted = {f"{render.FILES_PATH}/{file.path}" for file in render.files(settings)}
    assert template in wanted


def test_the_memory_for_a_cpus_cache_is_said_only_on_a_cpu() -> None:
    cpu = from_mapping("bot", {"gpu_ids": "none"})
    gpu = from_mapping("bot", {"gpu_ids": "all"})
    assert "VLLM_CPU_KVCACHE_SPACE" in render.vllm_environment(cpu)
    assert "VLLM_CPU_KVCACHE_SPACE" not in render.vllm_environment(gpu)


def test_the_chat_applications_contract() -> None:
    assert render.chat_environment() == {
        "VLLM_BASE_URL": "http://vllm-server:8000/v1",
        "DATABASE_URL": "sqlite:////data/chat.db",
        "ARCHI_FILES": "/run/archi",
        "ARCHI_LISTEN": "0.0.0.0:7861",
        "ARCHI_PUBLISHED_BIND": "127.0.0.1",
    }


def test_pipelines_name_the_served_model() -> None:
    models = {"required": {"agent_model": "vllm/o/m"}}
    settings = from_mapping("bot", {"pipeline_map": {"Agent": {"models": models}}})
    [text] = [file.content for file in render.files(settings) if file.path == "pipelines.yaml"]
    assert yaml.safe_load(text) == {
        "model": "o/m",
        "pipelines": {"Agent": {"agent_model": "vllm/o/m"}},
    }


@given(st.integers(min_value=1, max_value=10**6))
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
    vllm = {"model": model, "enforce_eager": eager, "max_model_len": length}
    command = render.vllm_command(from_mapping("bot", {"services": {"vllm": vllm}}))
    assert command[0].startswith(f"/models/{model}/")
    assert argument(command, "--max-model-len") == str(length)
    assert ("--enforce-eager" in command) == eager
    assert all(isinstance(word, str) and word for word in command)
