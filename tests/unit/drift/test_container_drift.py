"""What is found of a container that is not as it was deployed.

chatbot.json holds a container as Pulumi's state and Docker Engine 20.10 have it, both untouched.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archi.drift.container import foreign, of_container
from archi.drift.difference import Difference

SAMPLE = json.loads((Path(__file__).parent / "chatbot.json").read_text())
INPUTS: dict[str, Any] = SAMPLE["resource"]["inputs"]
ATTRS: dict[str, Any] = SAMPLE["attrs"]
IMAGE_ENVIRONMENT: list[str] = []
SECRET = "planted-8c1f"


def drift(attrs: dict[str, Any], inputs: dict[str, Any] | None = None) -> list[Difference]:
    return of_container(
        "chatbot", inputs or INPUTS, attrs, IMAGE_ENVIRONMENT, recreate="make it anew"
    )


def changed(*path: str, value: object) -> dict[str, Any]:
    attrs = copy.deepcopy(ATTRS)
    place = attrs
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return attrs


def environment(*entries: str) -> dict[str, Any]:
    return changed("Config", "Env", value=list(entries))


def test_a_container_as_it_was_deployed_has_none() -> None:
    assert drift(ATTRS, INPUTS) == []


@pytest.mark.parametrize(
    ("attrs", "what", "expected", "found"),
    [
        (changed("Config", "Image", value="other:1"), "image", "archi-test/busybox:1", "other:1"),
        (changed("HostConfig", "Memory", value=2**27), "memory limit in MiB", "64", "128"),
        (
            changed("HostConfig", "RestartPolicy", value={"Name": "no"}),
            "restart policy",
            "unless-stopped",
            "no",
        ),
        (changed("HostConfig", "CapDrop", value=None), "dropped capabilities", "ALL", None),
        (
            changed("HostConfig", "CapAdd", value=["SYS_ADMIN"]),
            "added capabilities",
            None,
            "SYS_ADMIN",
        ),
        (changed("HostConfig", "Privileged", value=True), "privileged", "no", "yes"),
        (changed("HostConfig", "NetworkMode", value="host"), "on the host's network", "no", "yes"),
        (
            changed("Config", "Healthcheck", value={"Test": ["NONE"]}),
            "health check",
            "one value",
            "another value",
        ),
        (
            changed("HostConfig", "DeviceRequests", value=[{"Count": -1, "DeviceIDs": None}]),
            "GPUs",
            "none",
            "all",
        ),
        (
            changed(
                "HostConfig", "PortBindings", value={"80/tcp": [{"HostIp": "", "HostPort": "80"}]}
            ),
            "port 80/tcp",
            None,
            "0.0.0.0:80",
        ),
        (
            changed("Config", "Labels", value={"archi.deployment": "bot"}),
            "label archi.role",
            "chatbot",
            None,
        ),
        (changed("Mounts", value=[]), "mount /data", "archi-bot-chat", None),
        (
            environment("VLLM_BASE_URL=http://elsewhere/v1"),
            "environment variable VLLM_BASE_URL",
            "http://vllm-server:8000/v1",
            "http://elsewhere/v1",
        ),
        (
            environment(),
            "environment variable VLLM_BASE_URL",
            "http://vllm-server:8000/v1",
            None,
        ),
        (changed("Config", "Cmd", value=["sleep", "2"]), "command", "sleep 1000000", "sleep 2"),
    ],
)
def test_each_change_is_one_difference(
    attrs: dict[str, Any], what: str, expected: str | None, found: str | None
) -> None:
    assert drift(attrs) == [Difference("chatbot", what, expected, found, "make it anew")]


def test_a_mount_made_writable_is_found() -> None:
    inputs = copy.deepcopy(INPUTS)
    inputs["volumes"][0]["readOnly"] = True
    (one,) = drift(ATTRS, inputs)
    assert (one.expected, one.found) == ("archi-bot-chat, read-only", "archi-bot-chat")


def test_a_lost_alias_is_mended_without_a_restart() -> None:
    networks = copy.deepcopy(ATTRS["NetworkSettings"]["Networks"])
    networks["archi-bot"]["Aliases"] = []
    (one,) = drift(changed("NetworkSettings", "Networks", value=networks))
    assert str(one) == "chatbot: alias on network archi-bot: deployed chatbot, now none."
    assert "docker network connect --alias chatbot archi-bot chatbot-bot" in one.mend


def test_a_left_and_a_joined_network_are_two_differences() -> None:
    networks = {"elsewhere": {"Aliases": None}}
    left, joined = drift(changed("NetworkSettings", "Networks", value=networks))
    assert (left.what, left.expected, left.found) == ("network archi-bot", "joined", "left")
    assert (joined.what, joined.expected, joined.found) == ("network elsewhere", None, "joined")


def test_variables_of_the_image_are_no_difference() -> None:
    attrs = environment(*ATTRS["Config"]["Env"], "LANG=C.UTF-8")
    assert of_container("chatbot", INPUTS, attrs, ["LANG=C.UTF-8"], recreate="") == []
    (added,) = of_container("chatbot", INPUTS, attrs, [], recreate="")
    assert added.what == "environment variable LANG"


def test_where_the_image_is_gone_added_variables_are_not_looked_for() -> None:
    attrs = environment(*ATTRS["Config"]["Env"], "LANG=C.UTF-8")
    assert of_container("chatbot", INPUTS, attrs, None, recreate="") == []


def test_an_anonymous_volume_of_the_image_is_no_difference() -> None:
    mount = {"Type": "volume", "Name": "a" * 64, "Destination": "/cache", "RW": True}
    assert drift(changed("Mounts", value=[*ATTRS["Mounts"], mount])) == []


def test_encrypted_values_of_the_state_are_not_compared() -> None:
    inputs = copy.deepcopy(INPUTS)
    inputs["envs"] = [{"4dabf18193072939515e22adb298388d": "1b47", "ciphertext": "x"}]
    assert drift(environment(), inputs) == []


def test_a_flag_that_differs_is_named_with_both_values() -> None:
    inputs = {**INPUTS, "command": ["/models/m", "--max-model-len", "4096", "--enforce-eager"]}
    attrs = changed("Config", "Cmd", value=["/models/m", "--max-model-len=8192"])
    assert [(one.what, one.expected, one.found) for one in drift(attrs, inputs)] == [
        ("command --max-model-len", "4096", "8192"),
        ("command --enforce-eager", "set", None),
    ]


@pytest.mark.parametrize(
    "attrs",
    [
        environment(f"HF_TOKEN={SECRET}"),
        environment(f"LANG={SECRET}"),
        environment(f"VLLM_API_KEY={SECRET}"),
        environment(f"VLLM_BASE_URL=http://me:{SECRET}@host/v1"),
        environment(f"VLLM_BASE_URL=http://host/v1?key={SECRET}"),
        environment(f"DATABASE_URL=postgresql://me:{SECRET}@postgres/archi"),
        changed("Config", "Cmd", value=["sleep", "1000000", "--api-key", SECRET]),
        changed("Config", "Cmd", value=["sleep", "1000000", f"--hf-token={SECRET}"]),
        changed("Config", "Cmd", value=["sleep", "1000000", "--whatever", SECRET]),
        changed("Config", "Cmd", value=["sleep", f"password={SECRET}"]),
        changed("Config", "Healthcheck", value={"Test": ["CMD", "curl", "-H", SECRET]}),
    ],
)
def test_what_may_be_a_secret_is_never_shown(attrs: dict[str, Any]) -> None:
    found = drift(attrs)
    assert found
    assert SECRET not in repr(found) + "".join(map(str, found))


names = st.from_regex(r"[A-Z][A-Z0-9_]{0,12}", fullmatch=True)


@settings(max_examples=30)
@given(st.sets(names, min_size=1, max_size=5))
def test_a_value_of_a_variable_that_was_added_is_never_shown(added: set[str]) -> None:
    entries = [f"{name}={SECRET}" for name in added]
    found = drift(environment(*ATTRS["Config"]["Env"], *entries))
    assert len(found) == len(entries)
    assert SECRET not in repr(found)


def test_a_container_of_somebody_else_is_named_as_such() -> None:
    assert "of the deployment my-bot" in str(foreign("chatbot", "chatbot-bot", "bot", "my-bot"))
    assert "somebody else's" in str(foreign("chatbot", "chatbot-bot", "bot", None))
