"""What lies in a deployment's volume of files, and who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from archi import render
from archi.settings import Settings, from_mapping
from chatbot.deployment_files import DeploymentFiles

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


def test_models_of_other_providers_are_named_as_they_are_with_what_reaches_them() -> None:
    models = {"required": {"a": "vllm/o/m"}, "optional": {"b": "openai/gpt-5", "c": "other/x/y"}}
    providers = {"other": {"base_url": "https://a.b/v1/", "api_key": "OTHER_KEY"}}
    settings = configured(
        pipeline_map={"Agent": {"models": models}},
        services={"chatbot": {"providers": providers}},
    )
    assert pipelines(settings) == {
        "model": "o/m",
        "pipelines": {"Agent": {"a": "vllm/o/m", "b": "openai/gpt-5", "c": "other/x/y"}},
        "providers": {
            "other": {
                "base_url": "https://a.b/v1",
                "api_key_secret": "OTHER_KEY",
                "max_tokens_field": "max_tokens",
            }
        },
    }


def test_the_application_reads_what_is_written_of_pipelines(tmp_path: Path) -> None:
    models = {"required": {"agent_model": "vllm/o/m"}}
    settings = configured(pipeline_map={"Agent": {"models": models}})
    for file in render.files(settings):
        if file.path == "pipelines.yaml":
            (tmp_path / file.path).write_text(file.content)
    found = DeploymentFiles(tmp_path).pipelines()
    assert (found.model, found.pipelines) == ("o/m", {"Agent": {"agent_model": "vllm/o/m"}})


def test_agents_are_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "writer.md").write_text("---\nname: Writer\n---\nYou write.\n")
    settings = configured(services={"chatbot": {"agents": str(tmp_path)}})
    [agent] = [file for file in render.files(settings) if file.path.startswith("agents/")]
    assert (agent.path, agent.content) == (
        "agents/writer.md",
        "---\nname: Writer\n---\nYou write.\n",
    )
    assert not [file for file in render.files(configured()) if file.path.startswith("agents/")]


def test_servers_of_tools_are_in_one_file_without_what_was_not_said() -> None:
    servers = {
        "search": {
            "url": "https://a.b/mcp/",
            "headers": {"Authorization": "Bearer ${TOOLS_TOKEN}"},
            "tools": ["find"],
        },
        "own": {"transport": "stdio", "command": "python3", "args": ["-m", "tools"]},
    }
    settings = configured(services={"chatbot": {"mcp_servers": servers}})
    [text] = [file.content for file in render.files(settings) if file.path == "mcp.yaml"]
    assert yaml.safe_load(text) == {
        "servers": {
            "search": {
                "transport": "streamable_http",
                "url": "https://a.b/mcp",
                "headers": {"Authorization": "Bearer ${TOOLS_TOKEN}"},
                "tools": ["find"],
            },
            "own": {"transport": "stdio", "command": "python3", "args": ["-m", "tools"]},
        }
    }
    assert "mcp.yaml" not in {file.path for file in render.files(configured())}


def test_secrets_of_access_are_written_where_access_asks_for_them() -> None:
    secrets = {"oidc_client_secret": "a client secret", "metrics_token": "a-token"}
    assert "secrets/oidc_client_secret" not in owners(configured(secrets))
    assert "secrets/metrics_token" not in owners(configured(secrets))
    oidc = {"issuer": "https://login.example.org", "client_id": "archi"}
    chatbot = {
        "auth": {"mode": "oidc", "oidc": oidc},
        "public_url": "https://chat.example.org",
        "trusted_proxies": 1,
        "metrics": "token",
    }
    settings = configured(secrets, services={"chatbot": chatbot})
    values = {secret.path: secret.value for secret in render.secret_files(settings)}
    assert values["secrets/oidc_client_secret"] == "a client secret"
    assert values["secrets/metrics_token"] == "a-token"
    made = {one.path for one in render.secret_files(configured(services={"chatbot": chatbot}))}
    assert "secrets/metrics_token" in made


def test_each_secret_is_for_its_readers_alone() -> None:
    chat, database, server = render.CHAT_UID, render.POSTGRES_UID, 0
    assert owners(configured(SECRETS)) == {
        "secrets/session_key": (chat, chat),
        "secrets/MATTERMOST_TOKEN": (chat, chat),
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
