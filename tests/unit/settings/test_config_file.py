"""The seed's config.yaml, and what people do to YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from archi.settings import Settings, SettingsError, from_config_file, from_yaml

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

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


def load(content: str | bytes) -> Settings:
    raw = content if isinstance(content, bytes) else content.encode()
    return from_yaml("bot", "config.yaml", raw)


def refusal(content: str | bytes) -> list[str]:
    with pytest.raises(SettingsError, match=r"^config\.yaml can't be used:") as refused:
        load(content)
    return list(refused.value.problems)


def test_the_seeds_config_loads_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SEED)
    settings = from_config_file("my-deployment", path)
    assert settings.name == "my-deployment"
    assert settings.model == "Qwen/Qwen3-8B"
    assert settings.tool_parser == "hermes"
    assert settings.named_models == {
        "CMSCompOpsAgent.models.required.agent_model": "Qwen/Qwen3-8B",
    }


@pytest.mark.parametrize(
    "content",
    [
        SEED.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + SEED.encode(),
        f"---\n{SEED}...\n",
        f"name: bot\n{SEED}",
        f"{SEED}  chatbot:\n",  # a key with nothing below it: nothing but defaults
    ],
)
def test_what_editors_and_systems_add_is_accepted(content: str | bytes) -> None:
    assert load(content).model == "Qwen/Qwen3-8B"


def test_everything_that_a_stack_file_says_can_be_said_here() -> None:
    settings = load(
        "archi: {gpu_ids: '0,1', host_mode: true, deploy: [chatbot, vllm-server]}\n"
        "services: {vllm: {model: Qwen/Qwen3-8B, port: 8001}, postgres: {port: 5433}}\n"
    )
    assert settings.gpu_ids.ids == ("0", "1")
    assert settings.host_mode
    assert settings.services.postgres.port == 5433


def test_secrets_come_beside_it() -> None:
    settings = from_yaml("bot", "config.yaml", SEED.encode(), {"vllm_api_key": "a-key"})
    assert settings.api_key_required


LEAST = "The least that it holds is a model:\nservices:\n  vllm:\n    model: Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", [f"it is empty. {LEAST}"]),
        ("# nothing but a comment\n", [f"it is empty. {LEAST}"]),
        ("- a\n", [f"it holds a list, and keys with values are wanted. {LEAST}"]),
        ("text\n", [f"it holds a single value, and keys with values are wanted. {LEAST}"]),
        (
            "services:\n\tvllm: {}\n",
            ["line 2: it is indented with a tab. Use spaces."],
        ),
        (
            "services:\n  vllm: {}\n  vllm: {}\n",
            ["line 3, column 3: the key 'vllm' is there twice; take one out."],
        ),
        (
            "services: [\n",
            ["line 2, column 1: expected the node content, but found '<stream end>'."],
        ),
        (
            b"services:\n  vllm:\n    model: \xff\xfe\n",
            ["line 3: byte 29 (0xff) is no UTF-8. Save the file as UTF-8."],
        ),
        (
            BOMB,
            ["its aliases (*name) make it grow without measure. Write the values out instead."],
        ),
        (
            "a: &a [*a]\n",
            ["its aliases (*name) make it grow without measure. Write the values out instead."],
        ),
        (
            b"#" * 10_000_000,
            ["it has 10.0 MB, and settings have at most 1 MB. Is it the right file?"],
        ),
        ("[" * 5000, ["this can't be read as YAML: it is nested too deep."]),
        (
            "archi: !!python/object:os.system {}\n",
            [
                "line 1, column 8: could not determine a constructor for the tag "
                "'tag:yaml.org,2002:python/object:os.system'."
            ],
        ),
        (
            "archi: [a]\nservices: {vllm: []}\n",
            [
                "archi: ['a'] is refused: keys with values are wanted here.",
                "services.vllm: [] is refused: keys with values are wanted here.",
            ],
        ),
        (
            "services: {vllm: {modle: a/b, model: 8}}\n",
            [
                "services.vllm.model: 8 is refused: a Hugging Face model id such as Qwen/Qwen3-8B "
                "is wanted.",
                "services.vllm.modle: unknown key. Did you mean services.vllm.model?",
            ],
        ),
        (
            "archi: {gpu_id: all}\nserviced: {}\nname: other\n",
            [
                "name: 'other' is not 'bot', the name of this deployment. Take it out, or make it "
                "the same.",
                "serviced: unknown key. Known here: archi, name, services.",
                "archi.gpu_id: unknown key. Did you mean archi.gpu_ids?",
            ],
        ),
        (
            "archi: {hf_token: plain}\n",
            [
                "archi.hf_token: a secret stands here in plain text. Take it out, and put it into "
                ".env as HF_TOKEN."
            ],
        ),
        (
            "archi: {services: {}}\nservices: {}\n",
            ["archi.services: services stands beside archi already; take one out."],
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_place_and_mend(
    content: str | bytes, problems: list[str]
) -> None:
    assert refusal(content) == problems


def test_aliases_that_people_write_are_fine() -> None:
    text = "archi: {gpu_ids: &none none}\nservices: {vllm: {served_model_name: *none}}\n"
    assert load(text).served_model == "none"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "does not exist. Name a YAML file with your settings."),
        (lambda path: path.mkdir(), "is a folder. Name a YAML file with your settings."),
        (lambda path: path.write_bytes(b"#" * 2_000_000), "it has 2.0 MB, and settings have"),
    ],
)
def test_what_is_no_file_of_settings_is_refused(tmp_path: Path, make, says: str) -> None:
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(SettingsError) as refused:
        from_config_file("bot", path)
    assert says in str(refused.value)
