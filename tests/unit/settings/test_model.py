"""What a stack file may say, and how it is refused."""

import pytest

from archi.settings import SettingsError, from_mapping, from_pulumi

SEED = {
    "pipeline_map": {
        "CMSCompOpsAgent": {"models": {"required": {"agent_model": "vllm/Qwen/Qwen3-8B"}}}
    },
    "services": {"vllm": {"model": "Qwen/Qwen3-8B", "tool_parser": "hermes"}},
}
SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def refusal(**config: object) -> str:
    with pytest.raises(SettingsError) as caught:
        from_mapping("bot", config)
    return str(caught.value)


def test_the_seeds_configuration_loads_as_it_is() -> None:
    settings = from_mapping("bot", SEED)
    assert settings.model == "Qwen/Qwen3-8B"
    assert settings.tool_parser == "hermes"


def test_the_model_is_the_one_that_the_pipelines_name() -> None:
    assert from_mapping("bot", {"pipeline_map": SEED["pipeline_map"]}).model == "Qwen/Qwen3-8B"


def test_without_any_model_the_seeds_default_is_served() -> None:
    assert from_mapping("bot", {}).model == "Qwen/Qwen2.5-7B-Instruct-1M"


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("Qwen/Qwen3-8B", "hermes"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json"),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "hermes"),
        ("someone/unheard-of", "hermes"),
    ],
)
def test_the_tool_parser_follows_the_models_family(model: str, parser: str) -> None:
    assert from_mapping("bot", {"services": {"vllm": {"model": model}}}).tool_parser == parser


def test_a_tool_parser_that_is_set_wins() -> None:
    config = {"services": {"vllm": {"model": "Qwen/Qwen3-8B", "tool_parser": "qwen3_xml"}}}
    assert from_mapping("bot", config).tool_parser == "qwen3_xml"


def test_a_pipeline_that_names_another_model_is_refused_with_both_names() -> None:
    text = refusal(**{**SEED, "services": {"vllm": {"model": "Qwen/Qwen3-4B"}}})
    assert "archi:pipeline_map.CMSCompOpsAgent.models.required.agent_model" in text
    assert "Qwen/Qwen3-8B" in text
    assert "Qwen/Qwen3-4B" in text


def test_two_models_in_pipelines_without_a_served_one_are_refused() -> None:
    models = {"required": {"a": "vllm/o/one"}, "optional": {"b": "vllm/o/two"}}
    text = refusal(pipeline_map={"Agent": {"models": models}})
    assert "o/one" in text
    assert "o/two" in text


def test_an_ollama_name_is_refused_with_the_likely_id() -> None:
    text = refusal(services={"vllm": {"model": "Qwen/Qwen3:8B"}})
    assert "archi:services.vllm.model: 'Qwen/Qwen3:8B'" in text
    assert "'Qwen/Qwen3-8B'" in text


@pytest.mark.parametrize(
    ("config", "wrong", "near"),
    [
        ({"services": {"vllm": {"modle": "a/b"}}}, "services.vllm.modle", "services.vllm.model"),
        ({"services": {"vlm": {}}}, "services.vlm", "services.vllm"),
        ({"gpus": "all"}, "gpus", "gpu_ids"),
        (
            {"pipeline_map": {"A": {"models": {"requird": {}}}}},
            "pipeline_map.A.models.requird",
            "pipeline_map.A.models.required",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    config: dict[str, object], wrong: str, near: str
) -> None:
    text = refusal(**config)
    assert f"archi:{wrong}: unknown key" in text
    assert f"archi:{near}?" in text


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"gpu_ids": "0,x"}, "archi:gpu_ids: '0,x' is refused: 'x' is no GPU id"),
        ({"gpu_ids": "1,1"}, "named twice"),
        ({"services": {"vllm": {"port": 0}}}, "archi:services.vllm.port: 0 is refused"),
        ({"services": {"vllm": {"memory": 8}}}, "such as 512m or 8g"),
        ({"services": {"vllm": {"start_timeout": "5"}}}, "90s, 10m or 1h30m"),
        ({"services": {"vllm": {"port": 7861}}}, "choose two different ports"),
        ({"source": "packges"}, "archi:source: 'packges' is refused"),
        ({"source": "packages"}, "carry HuggingFaceTB/SmolLM2-135M-Instruct only"),
        (
            {"source": "packages", "services": {"vllm": {"model": SMOL}}},
            "archi:gpu_ids: 'all' is refused with archi:source packages",
        ),
        ({"name": "x"}, "the name of its stack"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_mend(
    config: dict[str, object], says: str
) -> None:
    assert says in refusal(**config)


def test_every_problem_is_named_at_once() -> None:
    text = refusal(gpu_ids="x", services={"vllm": {"port": 0, "modle": 1}})
    assert text.count("\n  - ") == 3


@pytest.mark.parametrize("name", ["Bot", "-bot", "my_bot", "x" * 41, ""])
def test_a_name_that_docker_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="choose another stack name"):
        from_mapping(name, {})


@pytest.mark.parametrize(
    ("text", "every", "ids"),
    [
        ("all", True, ()),
        ("none", False, ()),
        ("0,1", False, ("0", "1")),
        (0, False, ("0",)),
        ([0, 1], False, ("0", "1")),
        ("GPU-8f6e-12", False, ("GPU-8f6e-12",)),
    ],
)
def test_gpu_ids(text: object, every: bool, ids: tuple[str, ...]) -> None:
    gpu_ids = from_mapping("bot", {"gpu_ids": text}).gpu_ids
    assert (gpu_ids.every, gpu_ids.ids) == (every, ids)
    assert bool(gpu_ids) == (every or bool(ids))


def test_durations_and_memory_have_units() -> None:
    vllm = from_mapping("bot", {"services": {"vllm": {"memory": "2.5g", "start_timeout": "1h30m"}}})
    assert vllm.services.vllm.memory == 2560
    assert vllm.services.vllm.start_timeout == 5400


def test_weights_come_from_a_hub_that_is_named_even_without_a_registry() -> None:
    config = {
        "source": "packages",
        "gpu_ids": "none",
        "hf_endpoint": "http://localhost:1",
        **SEED,
    }
    assert from_mapping("bot", config).weights_from == "hub"


def test_pulumis_own_view_of_the_configuration_is_understood() -> None:
    settings = from_pulumi(
        "bot",
        {
            "archi:services": '{"vllm": {"model": "Qwen/Qwen3-8B", "enforce_eager": true}}',
            "archi:gpu_ids": "0,1",
            "docker:host": "unix:///elsewhere",
        },
    )
    assert settings.services.vllm.enforce_eager
    assert settings.gpu_ids.ids == ("0", "1")


def test_text_where_an_object_is_wanted_is_refused() -> None:
    with pytest.raises(SettingsError, match="archi:services: 'vllm' is refused"):
        from_pulumi("bot", {"archi:services": "vllm"})
