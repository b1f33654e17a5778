"""``python -m chatbot user …`` and ``key …``, as the deployer and people run them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatbot import account_commands
from chatbot.__main__ import main
from chatbot.data import api_keys
from tests.chat_accounts import PASSWORD
from tests.chat_application import environment, write_files
from tests.chat_database import drop_database, give_migrated


@dataclass
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    write_files(tmp_path / "files")
    give_migrated(tmp_path)
    for name, value in environment(tmp_path, "http://vllm-server:8000/v1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARCHI_AUTH", "local")

    def command(*arguments: str, typed: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    yield command
    drop_database(tmp_path)


def test_an_account_is_made_with_the_password_of_standard_input(run: Run) -> None:
    done = run("user", "add", "--admin", "--", "Ann", typed=f"{PASSWORD}\n")
    assert (done.code, done.out) == (0, "ann can log in now, as an admin.\n")
    assert run("user", "add", "--", "bob", typed=f"{PASSWORD}\n").code == 0
    assert run("user", "list").out == "ann\tadmin\tactive\t-\nbob\tuser\tactive\t-\n"


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["user", "add", "ann"], "short\n", "shorter than 12 characters"),
        (["user", "add", "a b"], f"{PASSWORD}\n", "The name 'a b' cannot be an account's."),
        (["user", "add", "everyone"], f"{PASSWORD}\n", "There is an account 'everyone' already."),
        (["user", "password", "nobody"], f"{PASSWORD}\n", "There is no account 'nobody'."),
        (["key", "create", "smoke"], "", "Whose key shall it be? Write --user NAME."),
        (["key", "create", "smoke", "--user", "nobody"], "", "There is no account 'nobody'."),
        (["key", "create", "x", "--expires", "soon"], "", "--expires 'soon' is no duration."),
        (["key", "revoke", "archi-unknown"], "", "There is no key in use"),
    ],
)
def test_a_refusal_is_the_last_line_of_standard_error(
    run: Run, arguments: list[str], typed: str, said: str
) -> None:
    done = run(*arguments, typed=typed)
    assert done.code == 1
    assert done.out == ""
    assert said in done.err.splitlines()[-1]


def test_a_key_is_the_last_line_and_is_revoked_by_itself_or_by_its_beginning(run: Run) -> None:
    run("user", "add", "ann", typed=f"{PASSWORD}\n")
    for shown in (slice(None), slice(api_keys.SHOWN_CHARS)):
        made = run("key", "create", "smoke", "--expires", "10m", "--user", "ann")
        key = made.out.splitlines()[-1]
        assert key.startswith("archi-")
        assert made.code == 0
        gone = run("key", "revoke", key[shown])
        assert (gone.code, gone.out) == (
            0,
            f"The key {key[: api_keys.SHOWN_CHARS]}… is out of use.\n",
        )
        assert run("key", "revoke", key).code == 1


def test_where_nobody_logs_in_a_key_is_everyones(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHI_AUTH", "none")
    assert run("key", "create", "smoke", "--expires", "10m").code == 0
    assert run("user", "list").out == ""
    refused = run("user", "add", "ann", typed=f"{PASSWORD}\n")
    assert "services.chatbot.auth.mode" in refused.err


def test_an_account_is_changed_by_commands(run: Run) -> None:
    run("user", "add", "--admin", "root", typed=f"{PASSWORD}\n")
    run("user", "add", "ann", typed=f"{PASSWORD}\n")
    assert run("user", "role", "ann", "admin").code == 0
    assert run("user", "disable", "root").code == 0
    assert run("user", "list").out == "ann\tadmin\tactive\t-\nroot\tadmin\tdisabled\t-\n"
    last = run("user", "role", "ann", "user")
    assert "This is the last admin" in last.err
    assert run("user", "enable", "root").code == 0
    assert run("user", "password", "ann", typed="another long sentence\n").code == 0


def test_a_database_that_does_not_answer_is_said_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    done = run("user", "list")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("The database does not answer, or is not migrated")


def test_commands_are_what_the_help_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        account_commands.main(["--help"])
    assert ended.value.code == 0
    assert "user" in capsys.readouterr().out
