"""Doctor at a deployment that works, and at one whose wires are cut."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from archi.doctor import Finding, examine
from archi.doctor.space_checks import disks
from archi.doctor.subject import LiveEngine, Subject
from archi.names import LABEL_DEPLOYMENT
from tests.e2e.conftest import STACK, Assistant

WIRING = ("ports", "containers", "network", "vllm-base-url", "reach-vllm", "database")
MACHINE = ("engine", "limits", "images", "disk", "memory", "toolchain", "stack-file", "passphrase")


@pytest.fixture
def examined(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> Assistant:
    """The assistant, and what its own shell would have set."""
    monkeypatch.setenv("ARCHI_DIR", str(assistant.checkout.home))
    monkeypatch.chdir(assistant.checkout.path)
    return assistant


def look(assistant: Assistant) -> dict[str, list[Finding]]:
    """The findings by check."""
    found: dict[str, list[Finding]] = {}
    for finding in examine(STACK, root=assistant.checkout.path):
        found.setdefault(finding.check, []).append(finding)
    return found


def problems(found: dict[str, list[Finding]]) -> dict[str, str]:
    """What is wrong with the deployment's own: sentence and mend by check."""
    return {
        check: f"{finding.found} {finding.mend}"
        for check in WIRING
        for finding in found[check]
        if finding.state not in ("ok", "note")
    }


@pytest.fixture
def cut_off(examined: Assistant) -> Iterator[Assistant]:
    """The assistant without the chat container on its network, which is joined again."""
    examined.touched = True
    network = examined.client.networks.get(examined.names.network)
    network.disconnect(examined.names.chatbot)
    yield examined
    network.connect(examined.names.chatbot, aliases=["chatbot"])


@pytest.fixture
def without_vllm(examined: Assistant) -> Assistant:
    """The assistant with its model server stopped."""
    examined.touched = True
    examined.container("vllm-server").stop()
    return examined


def test_a_deployment_that_works_has_no_problem(examined: Assistant) -> None:
    found = look(examined)
    assert problems(found) == {}
    states = {check: {finding.state for finding in found[check]} for check in MACHINE}
    assert all("problem" not in state for state in states.values()), states
    assert [finding.found for finding in found["leftovers"]] == ["Earlier runs left nothing."]


def test_nothing_is_started_or_changed_by_looking(examined: Assistant) -> None:
    begin, before = time.time(), examined.ids()
    look(examined)
    filters = {"type": "container", "label": f"{LABEL_DEPLOYMENT}={STACK}"}
    events = examined.client.events(since=begin, until=time.time(), filters=filters, decode=True)
    # Docker runs health checks by exec too, at any time.
    assert {event["Action"].partition("_")[0] for event in events} <= {"exec", "health"}
    assert examined.ids() == before
    assert examined.steps() == {}


def test_the_disk_of_a_docker_host_elsewhere_is_seen_from_inside_a_container(
    examined: Assistant,
) -> None:
    client = examined.client
    chat = client.api.inspect_container(examined.ids()["chatbot"])
    engine = LiveEngine(client, client.version(), client.info(), 0)
    elsewhere = Subject(STACK, examined.checkout.path, "ssh://gpu1", engine, containers=(chat,))
    local = replace(elsewhere, host="unix:///var/run/docker.sock")
    # Before and after: other tests write to the same disk.
    [before], [there], [after] = disks(local), disks(elsewhere), disks(local)
    assert [one.state for one in disks(replace(elsewhere, containers=()))] == ["skipped"]

    def gib(finding: Finding) -> float:
        found = re.search(r"([\d.]+) GiB left", finding.found)
        assert found
        return float(found[1])

    low, high = sorted((gib(before), gib(after)))
    assert low - 1 <= gib(there) <= high + 1


def test_a_chat_container_that_left_the_network_is_named(cut_off: Assistant) -> None:
    found = problems(look(cut_off))
    names = cut_off.names
    connect = f"`docker network connect --alias chatbot {names.network} {names.chatbot}`"
    assert f"{names.chatbot} is not on the network {names.network}" in found["network"]
    assert connect in found["network"]
    assert "does not reach http://vllm-server:8000/v1" in found["reach-vllm"]
    assert connect in found["reach-vllm"]
    assert "vllm-base-url" not in found


def test_a_vllm_that_was_stopped_is_named(without_vllm: Assistant) -> None:
    found = problems(look(without_vllm))
    assert "vllm-server does not run" in found["containers"]
    assert "does not know the name vllm-server" in found["reach-vllm"]
    assert f"`pulumi up --refresh -s {STACK}` starts" in found["reach-vllm"]
    assert "network" not in found
    assert "database" not in found
