"""A model's own files, from a folder and from a hub, against what its name says."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archi.models import lookup, memory
from archi.models.hub import HubUnread, NoSuchModel
from archi.models.sources import is_folder, read_folder, read_hub
from tests.hub_server import HubServer

CONFIG: dict[str, Any] = {
    "model_type": "qwen3",
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "hidden_size": 128,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}
HERMES = "{% if tools %}<tool_call>{{ tools }}</tool_call>{% endif %}"


def safetensors(path: Path, *shapes: list[int], dtype: str = "BF16", size: int = 2) -> int:
    """A file of that many tensors; gives its bytes of weights."""
    header: dict[str, Any] = {}
    end = 0
    for number, shape in enumerate(shapes):
        begin, count = end, 1
        for side in shape:
            count *= side
        end += count * size
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return end


def model(folder: Path, config: dict[str, Any] = CONFIG, template: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = {"chat_template": template} if template else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    safetensors(folder / "model.safetensors", [512, 128], [128, 128])
    return folder


def test_a_folder_is_named_by_its_path() -> None:
    assert is_folder("/data/models/x")
    assert is_folder("./x")
    assert is_folder("~/x")
    assert not is_folder("Qwen/Qwen3-8B")


def test_a_folders_files_say_architecture_and_size(tmp_path: Path) -> None:
    facts = read_folder(str(model(tmp_path / "mine")))
    assert facts.shape
    assert (facts.shape.layers, facts.shape.heads) == (4, 8)
    assert facts.context_length == 2048
    assert (facts.parameters, facts.parameters_from) == (512 * 128 + 128 * 128, "headers")
    assert facts.weights_bytes == 2 * (512 * 128 + 128 * 128)
    assert memory.weights(facts) == memory.Weights(
        facts.weights_bytes, facts.weights_bytes, measured=True
    )


def test_files_of_several_parts_are_added_up(tmp_path: Path) -> None:
    folder = model(tmp_path / "mine")
    safetensors(folder / "model-00002-of-00002.safetensors", [10, 10])
    assert read_folder(str(folder)).parameters == 512 * 128 + 128 * 128 + 100


def test_packed_weights_are_measured_and_not_counted(tmp_path: Path) -> None:
    quantised = {**CONFIG, "quantization_config": {"quant_method": "awq", "bits": 4}}
    folder = model(tmp_path / "Qwen3-8B-AWQ", quantised)
    size = safetensors(folder / "model.safetensors", [64, 64], dtype="I32", size=4)
    facts = read_folder(str(folder))
    assert facts.weights_bytes == size
    assert facts.parameters == lookup("Qwen/Qwen3-8B").parameters
    assert facts.precision == "awq"


def test_files_win_over_the_name(tmp_path: Path) -> None:
    quantised = {**CONFIG, "quantization_config": {"quant_method": "fp8"}}
    facts = read_folder(str(model(tmp_path / "Qwen3-8B", quantised)))
    assert facts.family == "Qwen3"
    assert facts.precision == "fp8"
    assert facts.context_length == 2048
    assert facts.shape
    assert facts.shape.layers == 4


def test_a_name_that_tells_nothing_is_made_up_for_by_the_architecture(tmp_path: Path) -> None:
    facts = read_folder(str(model(tmp_path / "mine")))
    assert (facts.family, facts.known) == ("Qwen3", True)
    assert facts.tool_parser == "hermes"
    assert any("its config.json says qwen3" in note for note in facts.notes)


def test_a_download_is_known_by_the_folder_above_its_revision(tmp_path: Path) -> None:
    folder = model(tmp_path / "meta-llama" / "Llama-3.1-8B-Instruct" / "main")
    facts = read_folder(str(folder))
    assert facts.family == "Llama 3.1 and 3.3"
    assert facts.model_id == str(folder)


def test_or_by_the_id_that_it_was_made_from(tmp_path: Path) -> None:
    config = {**CONFIG, "model_type": "llama", "_name_or_path": "meta-llama/Llama-3.1-8B-Instruct"}
    facts = read_folder(str(model(tmp_path / "mine", config)))
    assert facts.tool_parser == "llama3_json"
    assert facts.chat_template == "tool_chat_template_llama3.1_json.jinja"


def test_or_by_its_chat_template(tmp_path: Path) -> None:
    config = {**CONFIG, "model_type": "llama"}
    template = "{% if tools %}[TOOL_CALLS]{% endif %}<think>"
    facts = read_folder(str(model(tmp_path / "mine", config, template)))
    assert (facts.known, facts.tool_parser, facts.reasoning_parser) == (
        True,
        "mistral",
        "deepseek_r1",
    )
    assert any(
        "Its chat template writes tool calls as mistral reads them" in n for n in facts.notes
    )
    hermes = read_folder(str(model(tmp_path / "other", config, HERMES)))
    assert (hermes.known, hermes.tool_parser, hermes.reasoning_parser) == (True, "hermes", None)


def test_a_fine_tunes_own_chat_template_wins_over_its_name(tmp_path: Path) -> None:
    template = "{% if tools %}<function=f>{% endif %}"
    facts = read_folder(str(model(tmp_path / "Qwen3-8B-mine", CONFIG, template)))
    assert facts.tool_parser == "qwen3_coder"
    own = model(tmp_path / "Qwen3-8B-file")
    (own / "chat_template.jinja").write_text(template)
    assert read_folder(str(own)).tool_parser == "qwen3_coder"


def test_a_template_that_archi_brings_is_not_argued_with(tmp_path: Path) -> None:
    facts = read_folder(str(model(tmp_path / "Llama-3.1-8B-Instruct", CONFIG, HERMES)))
    assert facts.tool_parser == "llama3_json"


def test_what_is_no_model_is_refused_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(NoSuchModel, match=r"has no config\.json that can be read\. Mend: "):
        read_folder(str(tmp_path / "none"))
    broken = model(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    with pytest.raises(NoSuchModel):
        read_folder(str(broken))


def test_a_folder_in_mistrals_own_format_is_left_to_its_name(tmp_path: Path) -> None:
    folder = model(tmp_path / "Mistral-7B-Instruct-v0.3")
    (folder / "config.json").rename(folder / "params.json")
    assert read_folder(str(folder)).tool_parser == "mistral"


def test_weights_whose_headers_are_broken_are_measured_by_their_files(tmp_path: Path) -> None:
    folder = model(tmp_path / "mine")
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    facts = read_folder(str(folder))
    assert facts.weights_bytes == 100


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(model(tmp_path / "served", CONFIG, HERMES), "org/tiny") as server:
        yield server


def test_a_hubs_files_are_read(hub: HubServer) -> None:
    facts = read_hub("org/tiny", endpoint=hub.endpoint, timeout=60)
    assert facts.model_id == "org/tiny"
    assert facts.family == "Qwen3"
    assert facts.parameters == 512 * 128 + 128 * 128
    assert hub.endpoint in facts.source


def test_a_hubs_index_says_the_size_of_many_files(hub: HubServer) -> None:
    index = {"metadata": {"total_size": 123456}, "weight_map": {}}
    (hub.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    facts = read_hub("org/tiny", endpoint=hub.endpoint, timeout=60)
    assert facts.weights_bytes == 123456
    assert facts.parameters == 123456 // 2


def test_the_hub_and_the_token_come_from_the_environment(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "planted"
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.endpoint}/")
    monkeypatch.setenv("HF_TOKEN", "planted")
    assert read_hub("org/tiny", timeout=60).family == "Qwen3"
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(NoSuchModel, match="set HF_TOKEN"):
        read_hub("org/tiny", timeout=60)


def test_a_model_that_the_hub_lacks_is_refused(hub: HubServer) -> None:
    with pytest.raises(NoSuchModel, match="has no model org/other, or only for others"):
        read_hub("org/other", endpoint=hub.endpoint, token="x", timeout=60)


def test_a_gated_model_is_left_to_its_name_with_what_to_do(hub: HubServer) -> None:
    hub.gated = True
    with pytest.raises(HubUnread, match=r"is gated .*accept its conditions there"):
        read_hub("org/tiny", endpoint=hub.endpoint, token="x", timeout=60)


def test_a_repository_without_a_config_is_left_to_its_name(hub: HubServer) -> None:
    (hub.folder / "config.json").unlink()
    with pytest.raises(HubUnread, match=r"no config\.json"):
        read_hub("org/tiny", endpoint=hub.endpoint, timeout=60)


def test_a_hub_that_does_not_answer_is_told_apart() -> None:
    with pytest.raises(HubUnread, match="does not answer"):
        read_hub("org/tiny", endpoint="http://127.0.0.1:9", timeout=60)


def test_a_name_server_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: never.wait())
    with pytest.raises(HubUnread, match="no name server does"):
        read_hub("org/tiny", endpoint="http://hub.example.org", timeout=0.05)
    never.set()
