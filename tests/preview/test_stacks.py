"""What each shipped stack would make on a machine that has nothing of it, resource by resource."""

from __future__ import annotations

from typing import Any

import pytest

from archi.images import VLLM_CPU_IMAGE, image
from archi.project import ROOT, stacks
from tests.checkout import Checkout
from tests.preview.conftest import Preview

SHIPPED = ("local", "offline")

COMMON = {
    "chatbot": "docker:index/container:Container",
    "chatbot-conversations": "docker:index/volume:Volume",
    "chatbot-ready": "pulumi-python:dynamic/archi:Readiness",
    "base-image": "pulumi-python:dynamic/archi:BuiltImage",
    "chat-image": "pulumi-python:dynamic/archi:BuiltImage",
    "files-written": "pulumi-python:dynamic/archi:WrittenFiles",
    "preflight": "pulumi-python:dynamic/archi:Preflight",
    "vllm-server-cache": "docker:index/volume:Volume",
    "vllm-server-ready": "pulumi-python:dynamic/archi:Readiness",
    "weights-downloaded": "pulumi-python:dynamic/archi:DownloadedWeights",
}
# A component and the resource in it that bears its name count as one here, the latter.
NAMED_AS_THEIR_COMPONENT = {
    "files": "docker:index/volume:Volume",
    "network": "docker:index/network:Network",
    "vllm-server": "docker:index/container:Container",
    "weights": "docker:index/volume:Volume",
}


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_stack_makes_these_resources_and_no_other(preview: Preview, stack: str) -> None:
    images = {
        "local": {"vllm-image": "docker:index/remoteImage:RemoteImage"},
        "offline": {
            "vllm-cpu-image": "pulumi-python:dynamic/archi:BuiltImage",
            "weights-smollm2-image": "pulumi-python:dynamic/archi:BuiltImage",
        },
    }[stack]
    planned = preview(stack)
    made = {
        name: one.type
        for name, one in planned.items()
        if not one.type.startswith(("archi:components:", "pulumi:pulumi:"))
    }
    assert made == {**COMMON, **NAMED_AS_THEIR_COMPONENT, **images}
    assert {one.operation for one in planned.values()} == {"create"}


def published(inputs: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Address and port on the host, port in the container."""
    return [(port["ip"], port["external"], port["internal"]) for port in inputs["ports"]]


@pytest.mark.parametrize("stack", SHIPPED)
def test_the_containers_of_a_stack(preview: Preview, stack: str) -> None:
    planned = preview(stack)
    server, chat = planned["vllm-server"].inputs, planned["chatbot"].inputs
    assert server["name"] == f"vllm-server-{stack}"
    assert server["networksAdvanced"][0]["name"] == f"archi-{stack}"
    assert published(server) == [("127.0.0.1", 8000, 8000)]
    assert "gpus" not in server
    assert "deviceRequests" not in server
    assert "--enforce-eager" in server["command"]
    assert "VLLM_CPU_KVCACHE_SPACE=1" in server["envs"]
    assert chat["name"] == f"chatbot-{stack}"
    assert published(chat) == [("127.0.0.1", 7861, 7861)]
    assert "VLLM_BASE_URL=http://vllm-server:8000/v1" in chat["envs"]


def test_local_takes_public_images_and_offline_our_own(preview: Preview) -> None:
    assert preview("local")["vllm-server"].inputs["image"] == VLLM_CPU_IMAGE
    assert preview("offline")["vllm-server"].inputs["image"] == image("vllm-cpu", "packages").tag


def test_every_shipped_stack_is_previewed_here() -> None:
    listed = (ROOT / ".gitignore").read_text()
    shipped = {stack for stack in stacks(ROOT) if f"!stacks/Pulumi.{stack}.yaml" in listed}
    assert shipped == set(SHIPPED)


def test_a_preview_makes_nothing(checkout: Checkout, preview: Preview) -> None:
    before = checkout.pulumi_json("stack", "export", "--stack", "offline")
    preview("offline")
    assert checkout.pulumi_json("stack", "export", "--stack", "offline") == before
    assert before["deployment"].get("resources") in (None, [])


def test_an_unknown_key_is_refused_without_a_traceback(checkout: Checkout) -> None:
    checkout.stack("typo", "offline", services={"vllm": {"modle": "a/b"}})
    done = checkout.pulumi("preview", "--stack", "typo")
    assert done.returncode != 0
    assert "archi:services.vllm.modle: unknown key" in done.stdout
    assert "Did you mean archi:services.vllm.model?" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_stack_without_a_file_is_refused_with_those_that_there_are(checkout: Checkout) -> None:
    done = checkout.pulumi("preview", "--stack", "nowhere")
    assert done.returncode != 0
    assert "stacks/Pulumi.nowhere.yaml does not exist" in done.stdout
    assert "local, offline" in done.stdout


def test_a_secret_under_the_empty_passphrase_is_refused(checkout: Checkout) -> None:
    checkout.stack("open", "offline", hf_token={"secure": "v1:whatever"})
    done = checkout.pulumi("preview", "--stack", "open")
    assert done.returncode != 0
    assert "archi:hf_token: a secret under the empty passphrase is open to everyone" in done.stdout
    assert "change-secrets-provider" in done.stdout
