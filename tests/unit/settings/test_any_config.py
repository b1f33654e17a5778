"""No configuration, however mad, gives anything but a valid plan or a SettingsError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archi import deployment_images, render
from archi.settings import (
    SECRET_KEYS,
    ChatbotSettings,
    PostgresSettings,
    Settings,
    SettingsError,
    VllmSettings,
    from_mapping,
    from_pulumi,
    from_yaml,
)

TELLING_WORDS = """all none 0,1 8g 512m 10m auto float16 bfloat16 fp8 awq hermes qwen3 o/m main cdi
vllm/Qwen/Qwen3-8B Qwen/Qwen3-8B /data/x 127.0.0.1 postgres sqlite packages --foo ../..
http://gpu1:8000/v1 http://[::1]/v1"""
TELLING = [*TELLING_WORDS.split(), "a" * 5000, "\ud800", "\x00", "🙂", "x\ny"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 70000)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(TELLING)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def section(model: Any) -> st.SearchStrategy[Any]:
    """Known keys with any value, now and then an unknown one, or something else altogether."""
    keys = st.sampled_from(sorted(model.model_fields)) | st.text(max_size=5)
    return st.dictionaries(keys, anything, max_size=4) | anything


services = st.fixed_dictionaries(
    {},
    optional={
        "vllm": section(VllmSettings),
        "chatbot": section(ChatbotSettings),
        "postgres": section(PostgresSettings),
    },
)
plain_keys = sorted(set(Settings.model_fields) - {"name", "services"})
configs = st.builds(
    lambda top, below: {**top, **({"services": below} if below is not None else {})},
    st.dictionaries(st.sampled_from(plain_keys) | st.text(max_size=6), anything, max_size=3),
    st.none() | services | anything,
)
secrets = st.dictionaries(st.sampled_from(SECRET_KEYS), anything, max_size=2)


def assert_a_plan(chosen: Settings) -> None:
    """Everything that is rendered is plain text that a container can be started with."""
    words = render.vllm_command(chosen)
    words += [part for pair in render.vllm_environment(chosen).items() for part in pair]
    words += [part for pair in render.chat_environment(chosen).items() for part in pair]
    words += render.postgres_command(chosen)
    assert all(isinstance(word, str) and "\x00" not in word for word in words)
    for file in render.files(chosen):
        file.content.encode()
    for secret in render.secret_files(chosen):
        assert secret.value is None or secret.value.encode()
    assert all(1 <= port <= 65535 for port in render.host_ports(chosen).values())
    assert len(set(render.host_ports(chosen).values())) == len(render.host_ports(chosen))
    assert deployment_images.of(chosen).in_order()
    assert all(isinstance(warning, str) for warning in chosen.warnings)


quick = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def plan_or_refusal(load: Callable[[], Settings]) -> None:
    """Whatever else is raised fails the test."""
    try:
        chosen = load()
    except SettingsError as refused:
        said = refused.problems
    else:
        said = ("a plan",)
        assert_a_plan(chosen)
    assert said
    assert all(said)


@quick
@given(configs, secrets)
def test_any_mapping(config: dict[str, Any], given_secrets: dict[str, Any]) -> None:
    plan_or_refusal(lambda: from_mapping("bot", config, given_secrets))


@quick
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_as_a_file(content: bytes) -> None:
    plan_or_refusal(lambda: from_yaml("bot", "config.yaml", content))


@quick
@given(st.dictionaries(st.sampled_from([f"archi:{key}" for key in plain_keys]), st.text()))
def test_any_text_from_pulumi(config: dict[str, str]) -> None:
    plan_or_refusal(lambda: from_pulumi("bot", config))
