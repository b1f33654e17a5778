"""The commands on what is deployed, without an Engine; with one: tests/e2e."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from archi.cli import completion, user
from archi.cli.delete import as_document, delete, describe
from archi.cli.exit_codes import ExitCode
from archi.cli.list_deployments import list_deployments
from archi.cli.list_services import list_services
from archi.cli.logs import logs
from archi.cli.open_chat import open_chat
from archi.cli.restart import restart
from archi.cli.spans import ago
from archi.cli.status import status
from archi.deletion import Plan, Volume
from archi.deployments.pulumi_state import StackState

app = typer.Typer()
COMMANDS = {
    "status": status,
    "list-deployments": list_deployments,
    "list-services": list_services,
    "delete": delete,
    "restart": restart,
    "logs": logs,
    "open": open_chat,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(user.app, name="user")

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PLAN = Plan(
    name="bot",
    containers=("chatbot-bot",),
    networks=("archi-bot",),
    volumes=(Volume("archi-bot-chat", "the conversations (SQLite)"),),
    with_data=False,
    images=(),
    stack=StackState(()),
    by_label="",
    stack_file=Path("/checkout/stacks/Pulumi.bot.yaml"),
    file_stays="",
)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "bot"),
        ("list-deployments",),
        ("list-services", "-n", "bot"),
        ("delete", "-n", "bot"),
        ("restart", "-n", "bot"),
        ("logs", "bot"),
        ("open", "bot"),
        ("user", "add", "ann", "-n", "bot"),
        ("user", "list", "-n", "bot"),
    ],
)
def test_without_an_engine_each_says_so_and_what_to_do(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = run(*arguments)
    assert done.exit_code == ExitCode.NO_ENGINE
    assert "unset DOCKER_HOST" in done.stderr
    assert done.stdout == ""


def test_the_services_are_listed_for_people_and_for_scripts() -> None:
    said = run("list-services").stdout
    for word in ("chatbot", "vllm-server", "postgres", "7861", "8000", "5432"):
        assert word in said
    assert max(map(len, said.splitlines())) <= 80
    listed = json.loads(run("list-services", "--json").stdout)
    assert [one["name"] for one in listed] == ["chatbot", "vllm-server", "postgres"]
    assert set(listed[0]) == {"name", "what", "default_port", "optional", "without"}


def test_logs_since_no_time_is_refused() -> None:
    done = run("logs", "bot", "--since", "soon")
    assert done.exit_code == ExitCode.REFUSED
    assert "Mend: write a span such as 10m" in done.stderr


def test_a_plan_says_what_goes_and_what_stays() -> None:
    said = describe(PLAN)
    assert "  containers: chatbot-bot" in said
    assert "  networks: archi-bot" in said
    assert "  its stack file: stacks/Pulumi.bot.yaml" in said
    stays = said.index("This stays (--rmv removes it):")
    assert said[stays + 1] == "  archi-bot-chat: the conversations (SQLite)"


def with_(**fields: Any) -> Plan:
    return Plan(**{**vars(PLAN), **fields})


def test_a_plan_with_data_names_the_volumes_and_what_is_in_them() -> None:
    said = describe(with_(with_data=True))
    goes = said.index("  data, which nothing brings back:")
    assert said[goes + 1] == "    archi-bot-chat: the conversations (SQLite)"
    assert "This stays (--rmv removes it):" not in said


def test_a_kept_stack_file_is_said_with_the_reason() -> None:
    said = describe(with_(file_stays="it came with archi"))
    assert "The stack file stays (it came with archi): stacks/Pulumi.bot.yaml" in said


@pytest.mark.parametrize("data", [False, True])
def test_a_script_is_told_what_goes_and_what_stays(data: bool) -> None:
    told = as_document(with_(with_data=data, file_stays="--keep-files"), done=True)
    volumes = [{"name": "archi-bot-chat", "content": "the conversations (SQLite)"}]
    assert (told["volumes"], told["kept_volumes"]) == ((volumes, []) if data else ([], volumes))
    assert told["containers"] == ["chatbot-bot"]
    assert told["stack_file"] is None
    assert told["kept_stack_file"] == "/checkout/stacks/Pulumi.bot.yaml"
    assert not told["by_label"]


def test_what_goes_by_label_is_said() -> None:
    assert any("by its label" in line for line in describe(with_(stack=None)))
    assert any("passphrase" in line for line in describe(with_(by_label="its passphrase is lost")))


def test_a_plan_without_anything_is_empty() -> None:
    nothing = with_(containers=(), networks=(), stack=None, file_stays="--keep-files")
    assert nothing.empty
    assert describe(nothing)[0] == "Nothing of bot is left to remove."
    assert not PLAN.empty
    assert not with_(containers=(), networks=(), stack=None, stack_file=None, with_data=True).empty


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 d"), (-5, "0 s")],
)
def test_spans_are_said_in_their_largest_unit(seconds: int, said: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_no_time_is_a_dash() -> None:
    assert ago(None, NOW) == "–"


def test_the_shell_offers_deployments_and_services(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    folder = tmp_path / ".pulumi" / "stacks" / "archi"
    folder.mkdir(parents=True)
    (folder / "loud.json").write_text("{}")
    assert completion.deployments("lo") == ["local", "loud"]
    assert completion.deployments("my-") == []
    assert completion.services("v") == ["vllm-server"]
