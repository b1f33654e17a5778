"""Where people log in the smoke test makes itself a key, in the chat container, and revokes it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from archi.cli.exit_codes import ExitCode
from archi.smoke import State, ask, run
from archi.smoke.chat_key import ChatKey
from archi.smoke.transport import NoKey
from tests.scripted_vllm import MODEL, ScriptedVllm
from tests.unit.smoke.conftest import Desk, Page, of

KEY = "archi-planted-key-of-the-test"

# `python -m chatbot` of the container, as far as it is asked here.
SCRIPT = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + chr(10))
accounts = folder / "accounts"
if sys.argv[1:3] == ["user", "list"]:
    print(accounts.read_text(), end="")
elif sys.argv[1:3] == ["key", "create"]:
    if accounts.exists() and "--user" not in sys.argv:
        sys.exit("Whose key shall it be? Write --user NAME.")
    if (folder / "broken").exists():
        sys.exit("The database does not answer.")
    print('{"event": "a line of the log"}')
    print("KEY")
""".replace("KEY", KEY)


@dataclass
class Container:
    """The chat container: its commands, its environment, and what was asked of its program."""

    folder: Path
    url: str
    vllm_url: str

    def execute(self, command: Sequence[str]) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.folder),
            "ARCHI_FILES": str(self.folder),
            "ARCHI_LISTEN": f"0.0.0.0:{self.url.rsplit(':', 1)[1]}",
            "VLLM_BASE_URL": self.vllm_url,
        }
        done = subprocess.run(
            [sys.executable, *command[1:]],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def accounts(self, *rows: str) -> None:
        path = self.folder / "chatbot" / "accounts"
        path.write_text("".join("\t".join(row.split()) + "\n" for row in rows))

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "chatbot" / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


COMPLETION = {
    "choices": [{"message": {"content": "Hello from behind the login."}, "finish_reason": "stop"}]
}


@pytest.fixture
def container(tmp_path: Path, desk: Desk, vllm: ScriptedVllm) -> Container:
    (tmp_path / "chatbot").mkdir()
    (tmp_path / "chatbot" / "__init__.py").touch()  # or the real one would win
    (tmp_path / "chatbot" / "__main__.py").write_text(SCRIPT)
    (tmp_path / "secrets").mkdir()
    desk.key = KEY
    desk.pages = {
        "/v1/models": Page(content=json.dumps({"data": [{"id": MODEL}]})),
        "/v1/chat/completions": Page(content=json.dumps(COMPLETION)),
    }
    return Container(tmp_path, desk.url, vllm.base_url)


def test_a_key_is_made_when_one_is_wanted_sent_and_revoked(
    container: Container, desk: Desk, vllm: ScriptedVllm
) -> None:
    made = ChatKey(container.execute)
    asked = of(chat_url=desk.url, vllm_url=vllm.base_url, chat_key=made.get, close=made.revoke)
    assert KEY not in repr(made)
    told: list[str] = []
    assert ask(asked, told.append) == "Hello from behind the login."
    assert desk.keys_seen == ["", KEY]
    assert container.calls == [
        ["key", "create", "smoke", "--expires", "10m"],
        ["key", "revoke", KEY[:12]],
    ]
    assert KEY not in str(told)


def test_one_key_serves_the_whole_test(
    container: Container, desk: Desk, vllm: ScriptedVllm
) -> None:
    made = ChatKey(container.execute)
    desk.pages["/healthz"] = Page()
    report = run(
        of(chat_url=desk.url, vllm_url=vllm.base_url, chat_key=made.get, close=made.revoke)
    )
    states = {check.name: check.state for check in report.checks}
    assert (states["chat-reachable"], states["chat-completion"]) == (State.OK, State.OK)
    assert [call[:2] for call in container.calls] == [["key", "create"], ["key", "revoke"]]
    assert KEY not in json.dumps(report.as_dict())


@pytest.mark.parametrize(
    ("rows", "owner"),
    [
        (["ann user active -", "bob admin active -"], "bob"),
        (["ann user active -", "bob admin disabled -"], "ann"),
    ],
)
def test_where_people_log_in_it_is_an_active_accounts_an_admins_if_there_is_one(
    container: Container, rows: list[str], owner: str
) -> None:
    container.accounts(*rows)
    assert ChatKey(container.execute).get() == KEY
    assert container.calls[-1][-2:] == ["--user", owner]


def test_where_nobody_has_an_account_the_test_says_how_to_make_the_first(
    container: Container, desk: Desk, vllm: ScriptedVllm
) -> None:
    container.accounts()
    made = ChatKey(container.execute)
    asked = of(chat_url=desk.url, vllm_url=vllm.base_url, chat_key=made.get)
    [found] = [one for one in run(asked).failed if one.name == "chat-reachable"]
    assert found.code is ExitCode.SMOKE_KEY_REFUSED
    assert found.detail.endswith("asks for an API key, and nobody has an account yet")
    assert found.mend == "`archi user add PERSON -n bot --admin`."


def test_a_new_deployment_without_accounts_is_proved_by_vllm_itself(
    container: Container, desk: Desk, vllm: ScriptedVllm
) -> None:
    container.accounts()
    made = ChatKey(container.execute)
    told: list[str] = []
    asked = of(chat_url=desk.url, vllm_url=vllm.base_url, chat_key=made.get)
    assert ask(asked, told.append) == "Hello from the script."
    assert any("`archi user add PERSON -n bot --admin`" in line for line in told)


def test_a_chat_application_that_can_make_no_key_is_quoted(container: Container) -> None:
    (container.folder / "chatbot" / "broken").touch()
    with pytest.raises(NoKey, match=r"The database does not answer\.") as none:
        ChatKey(container.execute).get()
    assert not none.value.nobody


def test_a_container_that_is_not_there_has_no_key() -> None:
    made = ChatKey(lambda _command: "OCI runtime exec failed")
    assert made.get() is None
    made.revoke()


def test_on_another_machine_the_key_stays_in_the_container(
    container: Container, desk: Desk, vllm: ScriptedVllm, nowhere: str
) -> None:
    asked = of(
        chat_url=nowhere,
        vllm_url=vllm.base_url,
        execute=container.execute,
        elsewhere=True,
        given=frozenset({"SMOKE_VLLM_BASE_URL"}),
    )
    assert ask(asked, lambda _line: None) == "Hello from behind the login."
    assert desk.keys_seen == ["", KEY]
    assert [call[:2] for call in container.calls] == [["key", "create"], ["key", "revoke"]]


def test_an_address_that_this_machine_does_not_reach_is_asked_in_the_container_by_tls(
    container: Container, desk: Desk, vllm: ScriptedVllm
) -> None:
    issued = trustme.CA().issue_cert("chat.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    desk.socket = context.wrap_socket(desk.socket, server_side=True)
    (container.folder / "secrets" / "tls_certificate").touch()
    asked = of(chat_url="https://chat.invalid", vllm_url=vllm.base_url, execute=container.execute)
    assert ask(asked, lambda _line: None) == "Hello from behind the login."
