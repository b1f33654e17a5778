"""``archi doctor``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail, out, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from archi.doctor import Finding

_MARKS = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "warning": ("warn", "yellow"),
    "problem": ("FAIL", "bold red"),
    "skipped": ("-", "dim"),
}


def doctor(
    name: Annotated[
        str | None,
        typer.Argument(help="A deployment to look at too; left out: the machine alone."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a token for gated models; else HF_TOKEN of the environment.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    gpu_container: Annotated[
        bool,
        typer.Option(
            "--gpu-container",
            help="Look at the GPUs from a container that is gone afterwards: for a Docker host "
            "elsewhere.",
        ),
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="One JSON document for scripts.")
    ] = False,
) -> None:
    """Look for what keeps a deployment from working, and say what mends it. Changes nothing."""
    from archi.doctor import NoSuchDeployment, examine

    token = token_file.read_text() if token_file else os.environ.get("HF_TOKEN", "")
    try:
        findings: Iterator[Finding] = examine(
            name, token=token.strip() or None, gpu_container=gpu_container
        )
    except NoSuchDeployment as error:
        fail(str(error), ExitCode.NOT_FOUND)
    found = list(findings) if json_output else _print(findings)
    counts: Counter[str] = Counter(finding.state for finding in found)
    if json_output:
        print_json(
            {
                "deployment": name,
                "findings": [asdict(finding) for finding in found],
                "problems": counts["problem"],
                "warnings": counts["warning"],
            }
        )
    if counts["problem"]:
        raise typer.Exit(int(ExitCode.PROBLEM))


def _print(findings: Iterable[Finding]) -> list[Finding]:
    """Print each as it comes, under its group; gives them all."""
    from archi.doctor import group_of

    console = out()
    found: list[Finding] = []
    group = ""
    for key, same in groupby(findings, lambda one: (group_of(one.check), _merged(one))):
        if key[0] != group:
            group = key[0]
            console.print(f"{chr(10) if found else ''}[bold]{group}[/bold]")
        if key[1]:
            alike = list(same)
            names = ", ".join(dict.fromkeys(one.check for one in alike))
            _line(console, replace(alike[0], found=f"{names}: {alike[0].found}"))
            found += alike
            continue
        for finding in same:
            _line(console, finding)
            found.append(finding)
    counts: Counter[str] = Counter(finding.state for finding in found)
    said = [
        f"{counts[state]} {word}{'s' if counts[state] > 1 else ''}"
        for state, word in (("problem", "problem"), ("warning", "warning"))
        if counts[state]
    ]
    console.print(f"\n{', '.join(said)}." if said else "\nAll is well.")
    return found


def _merged(finding: Finding) -> str:
    """What makes it one line with its neighbours: several checks are skipped for one reason."""
    return finding.found if finding.state == "skipped" else ""


def _line(console: Console, finding: Finding) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    word, style = _MARKS[finding.state]
    mend = f"Mend: {finding.mend}" if finding.mend else ""
    if console.soft_wrap:  # off a terminal: a line is a line, for grep
        console.print(Text(f"  {word:<4}  {finding.found}"))
        if mend:
            console.print(Text(f"          {mend}"))
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4)
    grid.add_column(overflow="fold")
    grid.add_row(Text(word, style), Text(finding.found))
    if mend:
        grid.add_row("", Padding(Text(mend), (0, 0, 0, 2)))
    console.print(Padding(grid, (0, 0, 0, 2)))
