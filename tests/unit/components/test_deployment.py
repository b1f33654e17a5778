"""What the program asks of Docker, for the settings that people change."""

from __future__ import annotations

import pytest
from pulumi.runtime.rpc import is_rpc_secret

from tests.unit.components.conftest import Asked, Deploy

OFFLINE = {
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
    for name in ("vllm-server", "chatbot"):
        computed = {
            key: list(urns.urns)
            for key, urns in asked[name].option("propertyDependencies").items()
            if urns.urns
        }
        assert computed == {}


def test_edits_that_the_provider_ignores_replace_the_container(deploy: Deploy) -> None:
    for name in ("vllm-server", "chatbot"):
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
        "archi-bot-chat",
    }
    assert all(asked.option("retainOnDelete") for asked in volumes)
    assert all("labels" in asked.option("ignoreChanges") for asked in volumes)


@pytest.mark.parametrize(
    ("gpu_ids", "gpus", "requests"),
    [
        ("all", "all", None),
        (
            "0,1",
            None,
            [{"driver": "nvidia", "deviceIds": ["0", "1"], "capabilities": ["gpu"]}],
        ),
        ("none", None, None),
    ],
)
def test_only_the_model_server_gets_gpus(
    deploy: Deploy, gpu_ids: str, gpus: str | None, requests: object
) -> None:
    asked = deploy(gpu_ids=gpu_ids)
    server, chat = asked["vllm-server"].inputs, asked["chatbot"].inputs
    assert server.get("gpus") == gpus
    assert server.get("deviceRequests") == requests
    assert not {"gpus", "deviceRequests"} & chat.keys()


def test_public_images_are_pinned_and_kept(deploy: Deploy) -> None:
    pulled = deploy(gpu_ids="all")["vllm-image"].inputs
    assert pulled["name"] == "vllm/vllm-openai:v0.32.0"
    assert pulled["keepLocally"] is True


def test_our_own_images_are_tagged_by_content(deploy: Deploy) -> None:
    asked = deploy(**OFFLINE)
    assert asked["chatbot"].inputs["image"] == asked["chat-image"].inputs["tag"]
    assert asked["vllm-server"].inputs["image"] == asked["vllm-cpu-image"].inputs["tag"]


def test_a_token_for_the_hub_is_a_secret_and_in_no_container(deploy: Deploy) -> None:
    asked = deploy(hf_token="planted-value")
    assert is_rpc_secret(asked["weights-downloaded"].inputs["token"])
    holding = {name for name, one in asked.items() if "planted-value" in str(one.inputs)}
    assert holding == {"weights-downloaded"}


def test_files_change_only_once_the_weights_are_there(deploy: Deploy) -> None:
    """Else a wrong model name would reach the chat application of a running assistant."""
    assert "weights-downloaded" in depends_on(deploy(**OFFLINE), "files-written")
