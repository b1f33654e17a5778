"""What each shipped stack would make on a machine that has nothing of it, resource by resource."""

from __future__ import annotations

from typing import Any

import pytest

from archi.images import VLLM_CPU_IMAGE, image
from archi.project import ROOT, stack_file, stacks
from tests.checkout import Checkout
from tests.preview.conftest import Preview

BUILT = "pulumi-python:dynamic/archi:BuiltImage"
PULLED = "docker:index/remoteImage:RemoteImage"
CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
GATE = "pulumi-python:dynamic/archi:Readiness"

# A component and the resource in it that bears its name count as one here, the latter.
COMMON = {
    "base-image": BUILT,
    "chat-image": BUILT,
    "chatbot": CONTAINER,
    "chatbot-ready": GATE,
    "files": VOLUME,
    "files-written": "pulumi-python:dynamic/archi:WrittenFiles",
    "preflight": "pulumi-python:dynamic/archi:Preflight",
}
NETWORK = {"network": "docker:index/network:Network"}
SERVER = {
    "vllm-server": CONTAINER,
    "vllm-server-cache": VOLUME,
    "vllm-server-ready": GATE,
    "vllm-arguments": "pulumi-python:dynamic/archi:VllmArguments",
    "weights": VOLUME,
    "weights-downloaded": "pulumi-python:dynamic/archi:DownloadedWeights",
}
EMBEDDED = {"chatbot-conversations": VOLUME}
POSTGRES = {
    "postgres": CONTAINER,
    "postgres-data": VOLUME,
    "postgres-image": PULLED,
    "postgres-ready": GATE,
}
PUBLIC = {"vllm-image": PULLED}
PACKAGES = {"vllm-cpu-image": BUILT, "weights-smollm2-image": BUILT}
ELSEWHERE = {"external-vllm-ready": "pulumi-python:dynamic/archi:ExternalVllm"}

SHIPPED = {
    "local": {**COMMON, **NETWORK, **SERVER, **EMBEDDED, **PUBLIC},
    "offline": {**COMMON, **NETWORK, **SERVER, **EMBEDDED, **PACKAGES},
    "gpu": {**COMMON, **NETWORK, **SERVER, **POSTGRES, **PUBLIC},
    "gpu-hostmode": {**COMMON, **SERVER, **POSTGRES, **PUBLIC},
    "multi-gpu": {**COMMON, **NETWORK, **SERVER, **POSTGRES, **PUBLIC},
    "external": {**COMMON, **NETWORK, **POSTGRES, **ELSEWHERE},
    "prod": {**COMMON, **NETWORK, **SERVER, **POSTGRES, **PUBLIC},
}


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_stack_makes_these_resources_and_no_other(preview: Preview, stack: str) -> None:
    planned = preview(stack)
    made = {
        name: one.type
        for name, one in planned.items()
        if not one.type.startswith(("archi:components:", "pulumi:pulumi:"))
    }
    assert made == SHIPPED[stack]
    assert {one.operation for one in planned.values()} == {"create"}


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_stack_file_says_for_whom_it_is(stack: str) -> None:
    assert stack_file(ROOT, stack).read_text().startswith("# For ")


@pytest.mark.parametrize(
    ("stack", "gpus"),
    [
        ("gpu", [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}]),
        ("gpu-hostmode", [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}]),
        ("multi-gpu", [{"driver": "nvidia", "deviceIds": ["0", "1"], "capabilities": ["gpu"]}]),
        ("prod", [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}]),
    ],
)
def test_only_the_model_server_of_a_stack_for_gpus_gets_them(
    preview: Preview, stack: str, gpus: list[dict[str, Any]]
) -> None:
    planned = preview(stack)
    asking = {
        name: [
            {key: value for key, value in request.items() if key != "__defaults"}
            for request in one.inputs["deviceRequests"]
        ]
        for name, one in planned.items()
        if one.type == CONTAINER and one.inputs.get("deviceRequests")
    }
    assert asking == {"vllm-server": gpus}


def test_the_stack_for_several_gpus_spreads_the_model_over_them(preview: Preview) -> None:
    command = preview("multi-gpu")["vllm-server"].inputs["command"]
    assert command[command.index("--tensor-parallel-size") + 1] == "2"


def test_the_stack_in_host_mode_publishes_nothing(preview: Preview) -> None:
    for one in preview("gpu-hostmode").values():
        if one.type == CONTAINER:
            assert one.inputs["networkMode"] == "host"
            assert "ports" not in one.inputs


def test_the_stack_for_production_has_a_key_and_limits_for_all(preview: Preview) -> None:
    planned = preview("prod")
    containers = [one for one in planned.values() if one.type == CONTAINER]
    assert len(containers) == 3
    assert all(one.inputs["memory"] > 0 for one in containers)
    assert "--config" in planned["vllm-server"].inputs["command"]


def published(inputs: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Address and port on the host, port in the container."""
    return [(port["ip"], port["external"], port["internal"]) for port in inputs["ports"]]


@pytest.mark.parametrize("stack", ["local", "offline"])
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


def test_a_preview_makes_nothing(checkout: Checkout) -> None:
    before = checkout.pulumi_json("stack", "export", "--stack", "offline")
    checkout.pulumi_json("preview", "--json", "--stack", "offline")
    assert checkout.pulumi_json("stack", "export", "--stack", "offline") == before
    assert before["deployment"].get("resources") in (None, [])


def test_an_unknown_key_is_refused_without_a_traceback(checkout: Checkout) -> None:
    checkout.stack("typo", "offline", services={"vllm": {"modle": "a/b"}})
    done = checkout.pulumi("preview", "--stack", "typo")
    assert done.returncode != 0
    assert "archi:services.vllm.modle: unknown key" in done.stdout
    assert "Did you mean archi:services.vllm.model?" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_secret_in_plain_text_is_refused_and_not_repeated(checkout: Checkout) -> None:
    checkout.stack("plain", "offline", vllm_api_key="planted-in-plain")
    done = checkout.pulumi("preview", "--stack", "plain")
    assert done.returncode != 0
    assert "archi:vllm_api_key: a secret stands here in plain text." in done.stdout
    assert "`pulumi config set --secret archi:vllm_api_key`" in done.stdout
    assert "planted-in-plain" not in done.stdout


def test_what_can_be_meant_but_hardly_is_warned_of(checkout: Checkout) -> None:
    checkout.stack("warned", "external", services={"vllm": {"tool_parser": "hermes"}})
    done = checkout.pulumi("preview", "--stack", "warned")
    assert done.returncode == 0
    said = "archi:services.vllm.tool_parser has no effect: vLLM runs elsewhere"
    assert f"warning: {said}" in done.stdout


def test_a_stack_without_a_file_is_refused_with_those_that_there_are(checkout: Checkout) -> None:
    done = checkout.pulumi("preview", "--stack", "nowhere")
    assert done.returncode != 0
    assert "stacks/Pulumi.nowhere.yaml does not exist" in done.stdout
    assert "local, multi-gpu, offline" in done.stdout


def test_a_secret_under_the_empty_passphrase_is_refused(checkout: Checkout) -> None:
    checkout.stack("open", "offline", hf_token={"secure": "v1:whatever"})
    done = checkout.pulumi("preview", "--stack", "open")
    assert done.returncode != 0
    assert "archi:hf_token: a secret under the empty passphrase is open to everyone" in done.stdout
    assert "change-secrets-provider" in done.stdout
