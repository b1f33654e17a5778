"""What the program asks of Docker, for the settings that people change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.rpc import is_rpc_secret

from tests.unit.components.conftest import Asked, Deploy

OFFLINE: dict[str, Any] = {
    "source": "packages",
    "gpu_ids": "none",
    "services": {"vllm": {"model": "HuggingFaceTB/SmolLM2-135M-Instruct", "memory": "8g"}},
}


def depends_on(asked: dict[str, Asked], name: str) -> set[str]:
    return {urn.rsplit("::", 1)[-1] for urn in asked[name].option("dependencies")}


def test_the_vllm_container_is_as_the_seed_says(deploy: Deploy) -> None:
    server = deploy(**OFFLINE)["vllm-server"].inputs
    assert server["name"] == "vllm-server-bot"
    assert server["ipcMode"] == "host"
    assert server["restart"] == "unless-stopped"
    assert server["networksAdvanced"] == [{"name": "archi-bot", "aliases": ["vllm-server"]}]
    assert server["ports"] == [{"internal": 8000, "external": 8000, "ip": "127.0.0.1"}]
    assert (server["memory"], server["memorySwap"]) == (8192, 8192)
    assert server["logOpts"] == {"max-size": "10m", "max-file": "3"}
    assert {v["volumeName"]: v["containerPath"] for v in server["volumes"]} == {
        "archi-models": "/models",
        "archi-bot-files": "/run/archi",
        "archi-bot-vllm-cache": "/var/cache/vllm",
    }
    assert "networkMode" not in server


def test_the_chat_container_is_locked_down_and_on_loopback(deploy: Deploy) -> None:
    chat = deploy(**OFFLINE)["chatbot"].inputs
    assert chat["ports"] == [{"internal": 7861, "external": 7861, "ip": "127.0.0.1"}]
    assert chat["readOnly"] is True
    assert chat["user"] == "10001:10001"
    assert chat["capabilities"] == {"drops": ["ALL"]}
    assert "VLLM_BASE_URL=http://vllm-server:8000/v1" in chat["envs"]


def test_the_chat_application_waits_for_the_gate_and_not_for_the_container(deploy: Deploy) -> None:
    waits_for = depends_on(deploy(**OFFLINE), "chatbot")
    assert "vllm-server-ready" in waits_for
    assert "vllm-server" not in waits_for


def test_weights_and_checks_come_before_the_server(deploy: Deploy) -> None:
    waits_for = depends_on(deploy(**OFFLINE), "vllm-server")
    assert {"weights-downloaded", "files-written", "preflight", "network"} <= waits_for


def test_containers_take_literals_only(deploy: Deploy) -> None:
    """An input computed from another resource would have the engine delete the container first."""
    asked = deploy(**OFFLINE)
    for name in ("vllm-server", "chatbot", "postgres"):
        computed = {
            key: list(urns.urns)
            for key, urns in asked[name].option("propertyDependencies").items()
            if urns.urns
        }
        assert computed == {}


def test_edits_that_the_provider_ignores_replace_the_container(deploy: Deploy) -> None:
    for name in ("vllm-server", "chatbot", "postgres"):
        container = deploy(**OFFLINE)[name]
        assert {"healthcheck", "tmpfs", "init", "#initerror"} <= set(
            container.option("replaceOnChanges")
        )
        assert container.option("deleteBeforeReplace")


def test_every_volume_outlives_the_deployment(deploy: Deploy) -> None:
    volumes = [
        asked for asked in deploy(**OFFLINE).values() if asked.type.endswith("volume:Volume")
    ]
    assert {asked.inputs["name"] for asked in volumes} == {
        "archi-models",
        "archi-bot-files",
        "archi-bot-vllm-cache",
        "archi-bot-postgres",
    }
    assert all(asked.option("retainOnDelete") for asked in volumes)
    assert all("labels" in asked.option("ignoreChanges") for asked in volumes)


@pytest.mark.parametrize(
    ("config", "request_"),
    [
        ({"gpu_ids": "all"}, {"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}),
        (
            {"gpu_ids": "0,1"},
            {"driver": "nvidia", "deviceIds": ["0", "1"], "capabilities": ["gpu"]},
        ),
        (
            {"gpu_ids": "GPU-8f6e"},
            {"driver": "nvidia", "deviceIds": ["GPU-8f6e"], "capabilities": ["gpu"]},
        ),
        (
            {"gpu_ids": "0,1", "gpu_driver": "cdi"},
            {"driver": "cdi", "deviceIds": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]},
        ),
        (
            {"gpu_ids": "all", "gpu_driver": "cdi"},
            {"driver": "cdi", "deviceIds": ["nvidia.com/gpu=all"]},
        ),
        ({"gpu_ids": "none"}, None),
    ],
)
def test_only_the_model_server_gets_gpus(
    deploy: Deploy, config: dict[str, Any], request_: dict[str, Any] | None
) -> None:
    asked = deploy(**config, services={"vllm": {"model": "Qwen/Qwen3-8B"}})
    assert asked["vllm-server"].inputs.get("deviceRequests") == (request_ and [request_])
    for name in ("chatbot", "postgres"):
        assert not {"gpus", "deviceRequests"} & asked[name].inputs.keys()


def test_in_host_mode_nothing_has_a_network_or_a_published_port_of_its_own(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE, host_mode=True)
    assert "network" not in asked
    for name in ("vllm-server", "chatbot", "postgres"):
        inputs = asked[name].inputs
        assert inputs["networkMode"] == "host"
        assert not {"ports", "networksAdvanced"} & inputs.keys()
    assert "VLLM_BASE_URL=http://localhost:8000/v1" in asked["chatbot"].inputs["envs"]
    assert "listen_addresses=127.0.0.1" in asked["postgres"].inputs["command"]
    server = asked["vllm-server"].inputs["command"]
    assert server[server.index("--host") + 1] == "127.0.0.1"


def test_the_database_is_locked_down_and_not_published(deploy: Deploy) -> None:
    database = deploy(**OFFLINE)["postgres"].inputs
    assert database["networksAdvanced"] == [{"name": "archi-bot", "aliases": ["postgres"]}]
    assert "ports" not in database
    assert database["readOnly"] is True
    assert database["user"] == "999:999"
    assert database["capabilities"] == {"drops": ["ALL"]}
    assert database["memory"] == database["memorySwap"] == 512
    assert database["stopSignal"] == "SIGINT"


LOCAL = {"auth": {"mode": "local"}}


def with_chatbot(**chatbot: Any) -> dict[str, Any]:
    return {**OFFLINE, "services": {**OFFLINE["services"], "chatbot": chatbot}}


def test_with_a_login_the_chat_is_published_where_the_settings_say(deploy: Deploy) -> None:
    asked = deploy(**with_chatbot(bind="192.0.2.7", **LOCAL))
    assert asked["chatbot"].inputs["ports"] == [
        {"internal": 7861, "external": 7861, "ip": "192.0.2.7"}
    ]
    host = deploy(**with_chatbot(bind="192.0.2.7", **LOCAL), host_mode=True)["chatbot"].inputs
    assert "ARCHI_LISTEN=192.0.2.7:7861" in host["envs"]
    assert "ARCHI_PUBLISHED_BIND=192.0.2.7" in host["envs"]


def test_documents_of_the_host_can_be_read_and_not_written(deploy: Deploy) -> None:
    chat = deploy(**with_chatbot(documents="/data/handbook"))["chatbot"].inputs
    [folder] = [volume for volume in chat["volumes"] if "hostPath" in volume]
    assert folder == {
        "hostPath": "/data/handbook",
        "containerPath": "/documents",
        "readOnly": True,
    }
    assert "ARCHI_DOCUMENTS=/documents" in chat["envs"]


def test_uploads_have_room_in_the_containers_memory(deploy: Deploy) -> None:
    assert deploy(**OFFLINE)["chatbot"].inputs["tmpfs"] == {"/tmp": "size=144m"}


TOOLS = {"tools": {"url": "https://tools.example.org/mcp"}}
OTHER = {"other": {"base_url": "https://a.b/v1"}}


@pytest.mark.parametrize(
    ("chatbot", "restarts"),
    [
        ({"mcp_servers": TOOLS}, False),
        ({"providers": OTHER}, False),
        ({"auth": {"mode": "local"}}, True),
        ({"workers": 3}, True),
        ({"trusted_proxies": 1}, True),
        ({"max_upload": "50m"}, True),
        ({"metrics": "token"}, True),
    ],
)
def test_what_agents_may_use_reaches_them_by_files_and_the_rest_by_a_new_container(
    deploy: Deploy, chatbot: dict[str, Any], restarts: bool
) -> None:
    before, after = deploy(**OFFLINE), deploy(**with_chatbot(**chatbot))
    assert (before["chatbot"].inputs != after["chatbot"].inputs) is restarts
    if not restarts:
        assert before["files-written"].inputs["files"] != after["files-written"].inputs["files"]
    assert before["vllm-server"].inputs == after["vllm-server"].inputs


def test_an_edited_agent_reaches_the_chat_application_without_a_restart(
    deploy: Deploy, tmp_path: Path
) -> None:
    agents = with_chatbot(agents=str(tmp_path))
    before = deploy(**agents)
    (tmp_path / "writer.md").write_text("You write.")
    after = deploy(**agents)
    assert before["chatbot"].inputs == after["chatbot"].inputs
    assert after["files-written"].inputs["files"]["agents/writer.md"] == "You write."


def test_the_chat_application_waits_for_its_database_too(deploy: Deploy) -> None:
    assert {"vllm-server-ready", "postgres-ready"} <= depends_on(deploy(**OFFLINE), "chatbot")


def test_without_a_server_conversations_are_a_file_on_a_volume(deploy: Deploy) -> None:
    services = {**OFFLINE["services"], "chatbot": {"database": "sqlite"}}
    asked = deploy(**{**OFFLINE, "services": services})
    assert not [name for name in asked if name.startswith("postgres")]
    volumes = {v["volumeName"]: v["containerPath"] for v in asked["chatbot"].inputs["volumes"]}
    assert volumes["archi-bot-chat"] == "/data"


def test_a_vllm_elsewhere_is_asked_before_the_chat_application_starts(deploy: Deploy) -> None:
    asked = deploy(services={"vllm": {"base_url": "http://gpu1:8000/v1", "model": "o/m"}})
    assert not {"vllm-server", "weights-downloaded", "vllm-image"} & asked.keys()
    check = asked["external-vllm-ready"].inputs
    assert (check["base_url"], check["model"]) == ("http://gpu1:8000/v1", "o/m")
    assert check["network"] == "archi-bot"
    assert "external-vllm-ready" in depends_on(asked, "chatbot")
    assert {"files-written", "chat-image", "network"} <= depends_on(asked, "external-vllm-ready")
    assert "VLLM_BASE_URL=http://gpu1:8000/v1" in asked["chatbot"].inputs["envs"]


def test_a_vllm_on_this_host_is_reached_by_the_name_that_docker_has_for_it(deploy: Deploy) -> None:
    chat = deploy(services={"vllm": {"base_url": "http://host.docker.internal:8000/v1"}})
    assert chat["chatbot"].inputs["hosts"] == [
        {"host": "host.docker.internal", "ip": "host-gateway"}
    ]


def test_only_the_model_server_where_nothing_else_is_asked_for(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE, deploy=["vllm-server"])
    assert not {"chatbot", "postgres", "chat-image"} & asked.keys()
    assert "vllm-server-ready" in asked


def test_the_command_line_is_checked_before_files_and_server_change(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE)
    assert asked["vllm-arguments"].inputs["command"] == asked["vllm-server"].inputs["command"]
    assert "vllm-arguments" in depends_on(asked, "files-written")


def test_shared_memory_limits_and_weights_of_the_users_own(deploy: Deploy) -> None:
    vllm = {
        "model": "o/m",
        "shm_size": "2g",
        "ulimits": {"memlock": -1, "nofile": {"soft": 1024, "hard": 4096}},
        "weights": "/data/models/m",
        "publish": False,
    }
    asked = deploy(services={"vllm": vllm}, gpu_ids="none")
    server = asked["vllm-server"].inputs
    assert (server["ipcMode"], server["shmSize"]) == ("private", 2048)
    assert server["securityOpts"] == ["no-new-privileges:true"]
    assert server["ulimits"] == [
        {"name": "memlock", "soft": -1, "hard": -1},
        {"name": "nofile", "soft": 1024, "hard": 4096},
    ]
    assert "ports" not in server
    [folder] = [volume for volume in server["volumes"] if "hostPath" in volume]
    assert folder == {
        "hostPath": "/data/models/m",
        "containerPath": "/weights",
        "readOnly": True,
    }
    assert server["command"][0] == "/weights"


SECRETS = {
    "hf_token": "planted-hub-token",
    "vllm_api_key": "planted-key",
    "postgres_password": "planted-password",
    "session_key": "planted-session-key-of-32-characters",
    "oidc_client_secret": "planted-client-secret",
    "metrics_token": "planted-metrics-token",
    "env_secrets": {"SEARCH_TOKEN": "planted-search-token"},
}
OIDC = {
    "auth": {"mode": "oidc", "oidc": {"issuer": "https://a.b", "client_id": "archi"}},
    "public_url": "https://chat.example.org",
    "trusted_proxies": 1,
    "metrics": "token",
}


def test_secrets_are_in_the_inputs_that_write_or_use_them_and_encrypted_there(
    deploy: Deploy,
) -> None:
    asked = deploy(**with_chatbot(**OIDC), **SECRETS)
    holding = {name for name, one in asked.items() if "planted-" in str(one.inputs)}
    assert holding == {"weights-downloaded", "files-written"}
    assert is_rpc_secret(asked["weights-downloaded"].inputs["token"])
    assert is_rpc_secret(asked["files-written"].inputs["secrets"])
    for name in holding:
        plain = {
            key: value for key, value in asked[name].inputs.items() if not is_rpc_secret(value)
        }
        assert "planted-" not in str(plain)


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [
        ("vllm_api_key", {"vllm-server", "chatbot"}),
        ("postgres_password", {"postgres", "chatbot"}),
        ("session_key", {"chatbot"}),
        ("oidc_client_secret", {"chatbot"}),
        ("metrics_token", {"chatbot"}),
        ("hf_token", set()),
    ],
)
def test_a_changed_secret_replaces_those_that_read_it_at_their_start(
    deploy: Deploy, changed: str, replaced: set[str]
) -> None:
    before = deploy(**with_chatbot(**OIDC), **SECRETS)
    after = deploy(**with_chatbot(**OIDC), **{**SECRETS, changed: "another-" + "x" * 32})
    containers = ("vllm-server", "postgres", "chatbot")
    assert {name for name in containers if before[name].inputs != after[name].inputs} == replaced


def test_public_images_are_pinned_and_kept(deploy: Deploy) -> None:
    pulled = deploy(gpu_ids="all")["vllm-image"].inputs
    assert pulled["name"] == "vllm/vllm-openai:v0.32.0"
    assert pulled["keepLocally"] is True


def test_weights_of_a_hub_come_by_the_servers_own_image(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE, hf_endpoint="http://localhost:1")
    assert "weights-smollm2-image" not in asked
    assert asked["weights-downloaded"].inputs["image"] == asked["vllm-server"].inputs["image"]


def test_our_own_images_are_tagged_by_content(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE)
    assert asked["chatbot"].inputs["image"] == asked["chat-image"].inputs["tag"]
    assert asked["vllm-server"].inputs["image"] == asked["vllm-cpu-image"].inputs["tag"]


def test_files_change_only_once_the_weights_are_there(deploy: Deploy) -> None:
    """Else a wrong model name would reach the chat application of a running assistant."""
    assert "weights-downloaded" in depends_on(deploy(**OFFLINE), "files-written")
