"""`archi user`: the accounts of a deployment's chat, made and listed from its machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from archi.cli import completion
from archi.cli.failures import explained
from archi.cli.output import out, print_json

app = typer.Typer(help="Accounts of a chat whose people log in.", no_args_is_help=True)

_Deployment = Annotated[
    str,
    typer.Option(
        "-n", "--name", help="The deployment's name.", autocompletion=completion.deployments
    ),
]

_COLUMNS = ("name", "role", "state", "last_login")


@app.callback()
def user() -> None:
    """Accounts of a chat whose people log in."""


@app.command()
def add(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The account's name.")],
    name: _Deployment,
    admin: Annotated[bool, typer.Option("--admin", help="It may manage accounts.")] = False,
) -> None:
    """Make an account; its password is asked for, or read from standard input.

    The first admin of a deployment is made so.
    """
    password = _password()
    with explained():
        said = _run(name, ["user", "add", *(["--admin"] if admin else []), "--", person], password)
    out().print(said.strip(), markup=False)


@app.command("list")
def listing(
    name: _Deployment,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List the accounts: name, role, state, and when each last logged in."""
    with explained():
        said = _run(name, ["user", "list"])
    rows = [line.split("\t") for line in said.splitlines() if line.count("\t") >= 3]
    if as_json:
        never = {"last_login": None}
        print_json(
            [
                {**dict(zip(_COLUMNS, row, strict=False)), **(never if row[3] == "-" else {})}
                for row in rows
            ]
        )
        return
    if not rows:
        out().print(f"Nobody has an account yet: archi user add PERSON -n {name} --admin")
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for row in (("NAME", "ROLE", "STATE", "LAST LOGIN"), *rows):
        table.add_row(*row[: len(_COLUMNS)])
    out().print(table)


def _password() -> str:
    """From the terminal, twice; else a line of standard input. It goes by no command line."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


def _run(deployment: str, arguments: list[str], password: str | None = None) -> str:
    from pathlib import Path

    from archi import project
    from archi.deployments import chat_program, known
    from archi.docker_engine import connect

    client = connect()
    known.find(client, project.find_root(Path.cwd()), deployment)
    stdin = "" if password is None else f"{password}\n"
    return chat_program.run(client, deployment, arguments, stdin)
