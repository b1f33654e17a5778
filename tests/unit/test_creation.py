from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archi.creation import Host, Plan, Wish, known_services, plan, settle
from archi.gpus import Gpu
from archi.settings import SettingsError
from archi.stack_file import StackFileError, read

SEED = """\
archi:
  pipeline_map:
    CMSCompOpsAgent:
      models:
        required:
          agent_model: vllm/Qwen/Qwen3-8B

services:
  vllm:
    model: Qwen/Qwen3-8B          # HuggingFace model ID
    tool_parser: hermes            # tool-call parser (optional)
"""
SMALL = "services: {vllm: {model: HuggingFaceTB/SmolLM2-135M-Instruct}}\n"


def gpus(count: int, gib: int = 24, capability: str = "8.9") -> tuple[Gpu, ...]:
    return tuple(
        Gpu(index, f"GPU-{index:08d}", "NVIDIA L4", gib * 1024, gib * 1024, capability, "570.1")
        for index in range(count)
    )


def asked(folder: Path, config: str = SEED, env: str | None = None, **wish: Any) -> Wish:
    (folder / "config.yaml").write_text(config)
    if env is not None:
        (folder / ".env").write_text(env)
        wish["env"] = folder / ".env"
    return Wish("my-deployment", folder / "config.yaml", **wish)


def made(wish: Wish, cards: tuple[Gpu, ...] | None = (), *, online: bool = False) -> Plan:
    return plan(wish, Host(cards, lambda _service: online))


def vllm(found: Plan) -> dict[str, Any]:
    return dict(found.content.config["services"]["vllm"])


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    # Loopback's discard port: nobody answers, at once.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def test_the_seeds_command_writes_explicit_gpus(tmp_path: Path) -> None:
    wish = asked(tmp_path, services=("chatbot", "vllm-server"), gpu_ids="all")
    found = made(wish, gpus(2), online=True)
    config = found.content.config
    assert config["gpu_ids"] == "0,1"
    assert vllm(found)["tensor_parallel_size"] == 2
    assert config["deploy"] == ["chatbot", "vllm-server"]
    assert config["source"] == "registry"
    assert found.settings.deployed == {"chatbot", "vllm-server", "postgres"}
    assert "GPUs for vLLM: 0 (NVIDIA L4), 1 (NVIDIA L4); each layer is shared by 2." in found.notes


def test_gpus_that_are_left_over_are_named(tmp_path: Path) -> None:
    found = made(asked(tmp_path), gpus(3), online=True)
    assert found.content.config["gpu_ids"] == "0,1"
    assert any(note.startswith("Left over: GPU 2.") for note in found.notes)


def test_gpus_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no GPU 3; there is 0"):
        made(asked(tmp_path, gpu_ids="0,3"), gpus(1))


def test_without_a_gpu_the_cpu_has_to_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--gpu-ids none"):
        made(asked(tmp_path), ())
    found = made(asked(tmp_path, SMALL, gpu_ids="none"), (), online=True)
    assert found.content.config["gpu_ids"] == "none"
    assert (vllm(found)["dtype"], vllm(found)["enforce_eager"]) == ("float32", True)


def test_what_is_set_for_the_cpu_is_kept(tmp_path: Path) -> None:
    config = "services: {vllm: {model: Qwen/Qwen3-8B, enforce_eager: false}}\n"
    found = made(asked(tmp_path, config, gpu_ids="none"), (), online=True)
    assert vllm(found)["enforce_eager"] is False
    assert "dtype" not in vllm(found)  # twice the memory is too much for a large model


def test_gpus_of_a_remote_host_are_left_as_they_are_said(tmp_path: Path) -> None:
    found = made(asked(tmp_path, gpu_ids="all"), None, online=True)
    assert found.content.config["gpu_ids"] == "all"
    assert any("on another machine" in note for note in found.notes)


def test_a_model_that_cannot_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = "services: {vllm: {model: Qwen/Qwen3-32B}}\n"
    with pytest.raises(SettingsError, match=r"Qwen/Qwen3-32B does not fit on 1 GPU \(NVIDIA L4\)"):
        made(asked(tmp_path, config), gpus(1), online=True)
    overruled = made(asked(tmp_path, config, check_fit=False), gpus(1), online=True)
    assert vllm(overruled)["check_fit"] is False


def test_the_seeds_default_model_starts_on_one_gpu_of_24_gb(tmp_path: Path) -> None:
    found = made(asked(tmp_path, "services: {}\n"), gpus(1), online=True)
    assert found.settings.model == "Qwen/Qwen2.5-7B-Instruct-1M"


def test_packages_serve_where_neither_registry_nor_hub_answers(tmp_path: Path) -> None:
    found = made(asked(tmp_path, SMALL, gpu_ids="none"), (), online=False)
    assert found.content.config["source"] == "packages"
    assert any("packages serve instead" in note for note in found.notes)


def test_the_env_file_becomes_secrets_and_the_address_of_a_vllm_elsewhere(tmp_path: Path) -> None:
    env = "HF_TOKEN=hf_1\nVLLM_BASE_URL=http://gpu1:8000/v1\nSEARCH_TOKEN=t\n"
    found = made(asked(tmp_path, env=env, services=("chatbot",)), (), online=True)
    assert found.settings.services.vllm.base_url == "http://gpu1:8000/v1"
    assert found.settings.deployed == {"chatbot", "postgres"}
    assert found.content.secrets == {"hf_token": "hf_1", "env_secrets": {"SEARCH_TOKEN": "t"}}
    assert "hf_1" not in yaml.safe_dump(dict(found.content.config))


def test_the_command_line_wins_over_the_config(tmp_path: Path) -> None:
    config = SMALL + "archi: {gpu_ids: 0, deploy: [vllm-server], host_mode: false}\n"
    wish = asked(
        tmp_path, config, gpu_ids="none", services=("chatbot", "vllm-server"), host_mode=True
    )
    settings = made(wish, (), online=True).settings
    assert (str(settings.gpu_ids), settings.host_mode) == ("none", True)
    assert "chatbot" in settings.deployed


def test_host_mode_is_written(tmp_path: Path) -> None:
    found = made(asked(tmp_path, host_mode=True), gpus(1), online=True)
    assert found.content.config["host_mode"] is True


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("archi: 3\n", "archi: 3 is refused"),
        ("services: [vllm]\n", "keys with values are wanted"),
        ("services: {vllm: 8}\n", "services.vllm"),
        ("servics: {}\n", "servics: unknown key"),
        ("services: {vllm: {model: 'Qwen/Qwen3:8B'}}\n", "Qwen/Qwen3-8B"),
        ("archi: {hf_token: hf_x}\n", "put it into .env as HF_TOKEN"),
    ],
)
def test_a_config_that_cannot_be_is_refused_in_its_own_words(
    tmp_path: Path, config: str, says: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        made(asked(tmp_path, config), gpus(1))
    assert says in str(refused.value)
    assert "config.yaml can't be used:" in str(refused.value)


def test_unknown_services_are_refused_by_name_and_the_known_ones_listed() -> None:
    assert known_services("chatbot, vllm-server") == ("chatbot", "vllm-server")
    with pytest.raises(SettingsError) as refused:
        known_services("chatbot,ollama")
    assert "'ollama' is not known. Known: chatbot, vllm-server, postgres." in str(refused.value)
    with pytest.raises(SettingsError, match="an empty list"):
        known_services(" , ")


def test_the_same_again_writes_nothing_and_another_one_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.my-deployment.yaml"
    wish = asked(tmp_path, env="HF_TOKEN=hf_1\n")
    first = made(wish, gpus(1), online=True)
    assert settle(path, first, "phrase", force=False)
    before = path.read_bytes()
    assert not settle(path, made(wish, gpus(1), online=True), "phrase", force=False)
    assert path.read_bytes() == before

    other = made(asked(tmp_path, env="HF_TOKEN=hf_2\n"), gpus(1), online=True)
    with pytest.raises(StackFileError, match="differs in archi:hf_token"):
        settle(path, other, "phrase", force=False)
    assert path.read_bytes() == before
    assert settle(path, other, "phrase", force=True)
    assert read(path, "phrase").secrets == {"hf_token": "hf_2"}
