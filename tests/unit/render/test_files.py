"""What lies in a deployment's volume of files, and who reads it."""

from __future__ import annotations

from typing import Any

import yaml

from archi import render
from archi.settings import Settings, from_mapping

SECRETS = {
    "session_key": "s" * 40,
    "postgres_password": "a planted password",
    "vllm_api_key": "a-planted-key",
    "env_secrets": {"MATTERMOST_TOKEN": "a token"},
}


def configured(secrets: dict[str, Any] | None = None, **config: Any) -> Settings:
    return from_mapping("bot", config, secrets or {})


def pipelines(settings: Settings) -> Any:
    [text] = [file.content for file in render.files(settings) if file.path == "pipelines.yaml"]
    return yaml.safe_load(text)


def owners(settings: Settings) -> dict[str, tuple[int, int]]:
    return {secret.path: (secret.uid, secret.gid) for secret in render.secret_files(settings)}


def test_pipelines_name_the_served_model() -> None:
    models = {"required": {"agent_model": "vllm/o/m"}}
    assert pipelines(configured(pipeline_map={"Agent": {"models": models}})) == {
        "model": "o/m",
        "pipelines": {"Agent": {"agent_model": "vllm/o/m"}},
    }


def test_pipelines_ask_for_the_model_by_the_name_under_which_it_is_served() -> None:
    models = {"required": {"agent_model": "vllm/o/m"}}
    settings = configured(
        pipeline_map={"Agent": {"models": models}},
        services={"vllm": {"served_model_name": "assistant"}},
    )
    assert pipelines(settings) == {
        "model": "assistant",
        "pipelines": {"Agent": {"agent_model": "vllm/assistant"}},
    }


def test_each_secret_is_for_its_readers_alone() -> None:
    chat, database, server = render.CHAT_UID, render.POSTGRES_UID, 0
    assert owners(configured(SECRETS)) == {
        "secrets/session_key": (chat, chat),
        "secrets/env/MATTERMOST_TOKEN": (chat, chat),
        "secrets/postgres_password": (database, chat),
        "secrets/vllm_api_key": (server, chat),
    }


def test_what_is_not_given_is_made_where_it_is_needed() -> None:
    made = [secret.path for secret in render.secret_files(configured()) if secret.value is None]
    assert made == ["secrets/postgres_password", "secrets/session_key"]
    embedded = configured(services={"chatbot": {"database": "sqlite"}})
    assert list(owners(embedded)) == ["secrets/session_key"]
    guarded = configured(services={"vllm": {"api_key_required": True}})
    assert "secrets/vllm_api_key" in owners(guarded)


def test_a_vllm_elsewhere_has_a_key_only_if_one_is_given() -> None:
    elsewhere = {"vllm": {"base_url": "http://a.b/v1", "api_key_required": True}}
    assert "secrets/vllm_api_key" not in owners(configured(services=elsewhere))
    assert "secrets/vllm_api_key" in owners(configured(SECRETS, services=elsewhere))


def test_vllms_own_file_repeats_the_key_for_it_alone() -> None:
    [filled] = render.filled_files(configured(SECRETS))
    assert (filled.path, filled.uid, filled.secret) == ("vllm.yaml", 0, "secrets/vllm_api_key")
    assert filled.text.count(render.FILL) == 1
    assert render.filled_files(configured()) == []


def test_no_secret_is_among_the_plain_files() -> None:
    settings = configured(SECRETS)
    plain = "".join(file.content for file in render.files(settings))
    plain += "".join(render.vllm_argument_files(settings).values())
    assert not [
        value
        for value in ("s" * 40, "a planted password", "a-planted-key", "a token")
        if value in plain
    ]


def test_a_mark_differs_with_the_secret_and_with_nothing_else() -> None:
    def mark(**secrets: Any) -> str:
        return render.secrets_mark(configured(secrets), render.API_KEY)

    assert mark() == ""
    assert mark(vllm_api_key="one") == mark(vllm_api_key="one", session_key="s" * 40)
    assert mark(vllm_api_key="one") != mark(vllm_api_key="two")
    assert "one" not in mark(vllm_api_key="one")


def test_only_what_is_deployed_has_files() -> None:
    server_only = {file.path for file in render.files(configured(deploy=["vllm-server"]))}
    assert "postgres_start.sh" not in server_only
    elsewhere = configured(services={"vllm": {"base_url": "http://a.b/v1"}})
    assert "vllm_health.py" not in {file.path for file in render.files(elsewhere)}
