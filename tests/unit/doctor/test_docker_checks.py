"""The Engine's own words, judged."""

from __future__ import annotations

from typing import Any

import pytest

from archi.docker_engine import Engine, State
from archi.doctor.docker_checks import engine, limits, loopback, pullable, unanswered


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_an_engine_that_does_not_answer_is_a_problem_with_the_command_that_mends_it(
    state: State,
) -> None:
    said = "ssh: connect to host gpu1 port 22: Connection refused"
    finding = unanswered(Engine(state, "unix:///var/run/docker.sock", said=said).explain())
    assert finding.state == "problem"
    assert finding.found.startswith(("Docker", "The Docker Engine"))
    assert "run `" not in finding.found
    assert "`" in finding.mend


def version(number: str, api: str, name: str = "Engine") -> dict[str, Any]:
    return {"Version": number, "ApiVersion": api, "Components": [{"Name": name}]}


@pytest.mark.parametrize(
    ("number", "api", "state"),
    [
        ("19.03.15", "1.40", "problem"),
        ("20.10.24+dfsg1", "1.41", "ok"),
        ("29.0.1", "1.52", "ok"),
        ("dev", "1.100", "ok"),
    ],
)
def test_engines_before_20_10_are_refused(number: str, api: str, state: str) -> None:
    finding = engine(version(number, api), "unix:///var/run/docker.sock")
    assert finding.state == state
    assert number in finding.found


def test_podman_behind_dockers_socket_is_named() -> None:
    finding = engine(version("4.9.3", "1.41", "Podman Engine"), "unix:///run/podman/podman.sock")
    assert finding.state == "warning"
    assert "Podman 4.9.3" in finding.found


@pytest.mark.parametrize(
    ("number", "host_mode", "state"),
    [
        ("27.5.1", False, "warning"),
        ("27.5.1", True, "ok"),
        ("28.0.0", False, "ok"),
        ("29.1.0-rc.1", False, "ok"),
        ("library-import", False, "ok"),
    ],
)
def test_loopback_is_safe_from_28_on_or_where_nothing_is_published(
    number: str, host_mode: bool, state: str
) -> None:
    assert loopback(number, host_mode).state == state


INFO = {"CgroupVersion": "2", "MemoryLimit": True, "PidsLimit": True, "SecurityOptions": []}


def test_an_engine_that_limits_memory_is_fine() -> None:
    [finding] = limits(INFO, wants_gpus=True)
    assert finding.state == "ok"
    assert "v2" in finding.found


@pytest.mark.parametrize(
    ("options", "mend"), [(["name=rootless"], "delegate"), ([], "cgroup_enable=memory")]
)
def test_an_engine_that_can_not_limit_memory_is_warned_of(options: list[str], mend: str) -> None:
    [finding] = limits({**INFO, "MemoryLimit": False, "SecurityOptions": options}, wants_gpus=None)
    assert finding.state == "warning"
    assert mend in finding.mend


def test_a_rootless_engine_and_gpus_need_a_setting_of_nvidias() -> None:
    info = {**INFO, "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}
    assert [finding.state for finding in limits(info, wants_gpus=False)] == ["ok"]
    assert "no-cgroups" in list(limits(info, wants_gpus=True))[1].mend


def test_an_open_api_is_warned_of_and_other_words_of_docker_are_not_repeated() -> None:
    info = {
        **INFO,
        "Warnings": [
            "WARNING: No swap limit support",
            "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.",
        ],
    }
    _, warned = limits(info, wants_gpus=None)
    assert warned.state == "warning"
    assert "http://0.0.0.0:2375" in warned.found
    assert "ssh://" in warned.mend


def test_images_that_the_registry_has_can_be_pulled() -> None:
    states = [finding.state for finding in pullable(["one:1", "two:2"], lambda _reference: "")]
    assert states == ["ok", "ok"]


def test_a_registry_out_of_reach_is_asked_once() -> None:
    asked = []

    def ask(reference: str) -> str:
        asked.append(reference)
        return 'Get "https://registry.example.org/v2/": dial tcp: no such host'

    [finding] = pullable(["one:1", "two:2"], ask)
    assert asked == ["one:1"]
    assert finding.state == "problem"
    assert "one:1" in finding.found
    assert "two:2" in finding.found
    assert "archi:registry_mirror" in finding.mend


@pytest.mark.parametrize("said", ["manifest unknown: not there", "unauthorized: login first"])
def test_an_image_that_the_registry_refuses_does_not_condemn_the_next(said: str) -> None:
    first, second = pullable(["a/b:1", "c:2"], lambda one: said if one == "a/b:1" else "")
    assert (first.state, second.state) == ("problem", "ok")
    assert "docker login" in first.mend
