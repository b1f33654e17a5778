"""How a deployment is, from how its services are; which files are whose."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from archi.deployments import containers
from archi.deployments.containers import ServiceState, moment, state_of
from archi.deployments.known import State, of_the_project, option, overall, unknown
from archi.deployments.services import NAMES, SERVICES, START_ORDER, STOP_GRACE_SECONDS
from archi.project import SHIPPED
from archi.settings import ChatbotSettings, PostgresSettings, VllmSettings
from archi.settings.types import ServiceName
from tests.checkout import ROOT

WELL = ServiceState("chatbot", "c", "running", "healthy")
UNASKED = ServiceState("chatbot", "c", "running", None)
STARTING = ServiceState("vllm-server", "c", "running", "starting")
UNHEALTHY = ServiceState("vllm-server", "c", "running", "unhealthy")
RESTARTING = ServiceState("vllm-server", "c", "restarting")
EXITED = ServiceState("vllm-server", "c", "exited", exit_code=1)
MISSING = ServiceState("postgres")


@pytest.mark.parametrize(
    ("services", "state"),
    [
        ([WELL, UNASKED], State.RUNNING),
        ([WELL, STARTING], State.STARTING),
        ([WELL, UNHEALTHY], State.DEGRADED),
        ([WELL, RESTARTING], State.DEGRADED),
        ([STARTING, RESTARTING], State.DEGRADED),
        ([WELL, EXITED], State.DEGRADED),
        ([WELL, MISSING], State.DEGRADED),
        ([EXITED], State.STOPPED),
        ([EXITED, MISSING], State.STOPPED),
        ([MISSING], State.ABSENT),
        ([], State.ABSENT),
    ],
)
def test_the_state_is_that_of_all_services(services: list[ServiceState], state: State) -> None:
    assert overall(services, has_state=True) is state


def test_without_containers_and_state_it_was_never_deployed() -> None:
    assert overall([], has_state=False) is State.NEVER_DEPLOYED


def attrs(**state: Any) -> dict[str, Any]:
    return {
        "Name": "/chatbot-bot",
        "Created": "2026-11-25T02:59:00.5Z",
        "RestartCount": 2,
        "State": {
            "Status": "running",
            "StartedAt": "2026-11-25T03:00:00.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "ExitCode": 0,
            **state,
        },
        "Config": {"Image": "archi/chat:1"},
        "HostConfig": {"PortBindings": {"7861/tcp": [{"HostIp": "127.0.0.1", "HostPort": "79"}]}},
    }


def test_a_running_container_is_described() -> None:
    found = state_of("chatbot", attrs(Health={"Status": "healthy"}))
    assert (found.container, found.state, found.health) == ("chatbot-bot", "running", "healthy")
    assert found.since == datetime(2026, 11, 25, 3, 0, 0, 123456, UTC)
    assert (found.restarts, found.exit_code, found.url) == (2, None, "http://localhost:79")
    assert found.well


def test_an_ended_container_tells_its_exit_code_and_no_health_of_before() -> None:
    found = state_of(
        "chatbot",
        attrs(
            Status="exited",
            ExitCode=137,
            FinishedAt="2026-11-25T03:05:00Z",
            Health={"Status": "unhealthy"},
        ),
    )
    assert (found.state, found.exit_code, found.health) == ("exited", 137, None)
    assert found.since == datetime(2026, 11, 25, 3, 5, tzinfo=UTC)


def test_in_host_mode_nothing_is_published() -> None:
    inspected = attrs()
    inspected["HostConfig"]["PortBindings"] = None
    assert state_of("chatbot", inspected).url is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("2026-11-25T03:00:00Z", datetime(2026, 11, 25, 3, tzinfo=UTC)),
        ("2026-11-25T03:00:00.5+01:00", datetime(2026, 11, 25, 2, 0, 0, 500000, UTC)),
        ("2026-11-25T03:00:00.123456789Z", datetime(2026, 11, 25, 3, 0, 0, 123456, UTC)),
    ],
)
def test_times_are_read_as_docker_writes_them(text: str, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_a_flag_of_a_command_line_is_found() -> None:
    assert option(["/m", "--port", "8000"], "--port") == "8000"
    assert option(["/m", "--port"], "--port") is None
    assert option([], "--port") is None


def test_the_shipped_stacks_and_those_kept_in_git_are_the_projects(tmp_path: Path) -> None:
    assert of_the_project(tmp_path) == set(SHIPPED)
    (tmp_path / "stacks").mkdir()
    for name in ("ours", "mine"):
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-f", "stacks/Pulumi.ours.yaml"], cwd=tmp_path, check=True)
    assert of_the_project(tmp_path) == {*SHIPPED, "ours"}


def test_git_ignores_all_stack_files_but_the_shipped_ones() -> None:
    listed = re.findall(r"^!stacks/Pulumi\.(.+)\.yaml$", (ROOT / ".gitignore").read_text(), re.M)
    assert sorted(listed) == sorted(SHIPPED)


def test_an_unknown_deployment_is_told_with_the_known_ones() -> None:
    said = unknown("bto", ["bot", "my-bot"])
    assert "Did you mean bot?" in said
    assert "Known here: bot, my-bot." in said
    assert "archi create" in unknown("bot", [])


def test_the_services_are_those_of_the_settings() -> None:
    assert set(NAMES) == set(get_args(ServiceName)) == set(START_ORDER) == set(STOP_GRACE_SECONDS)
    ports = {service.name: service.default_port for service in SERVICES}
    assert ports == {
        "chatbot": ChatbotSettings().port,
        "vllm-server": VllmSettings().port,
        "postgres": PostgresSettings().port,
    }
    assert containers.MISSING not in NAMES
