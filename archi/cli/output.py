"""How commands of ``archi`` speak: tables for people, JSON for scripts, one form of failure."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from archi.cli.exit_codes import ExitCode


def out() -> Console:
    """What a command reports; plain off a terminal, with NO_COLOR, and in a narrow window."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """Progress and failures: never mixed into what a script reads."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_json(report: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False, default=str) + "\n")


def fail(message: str, code: ExitCode = ExitCode.FAILED) -> NoReturn:
    """End the command with a text for people on stderr."""
    err().print(f"[bold red]✗[/bold red] {escape(message)}")
    raise typer.Exit(int(code))
