"""``archi smoke NAME``: does the deployment answer, wire by wire?"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail, out, print_json

if TYPE_CHECKING:
    from archi.smoke import Check, Endpoints, Report, Wire

_MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "failed": ("✗", "bold red")}
_SKIPPED = ("–", "dim")
_INDENT = " " * 29
_LEAST_WIDTH = 60


def smoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The deployment.")],
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long one answer may take.")
    ] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JUnit report there besides.")
    ] = None,
) -> None:
    """Ask vLLM, and vLLM through the chat application: models, an answer, a stream, a tool call.

    Addresses, model and key are the deployment's. Variables override them:
    SMOKE_VLLM_BASE_URL, SMOKE_VLLM_MODEL, SMOKE_VLLM_API_KEY, SMOKE_CHAT_URL,
    SMOKE_CHAT_API_KEY, SMOKE_PROVIDER (vllm).
    """
    from archi import smoke as test

    if junit is not None and not os.access(junit.resolve().parent, os.W_OK):
        fail(
            f"--junit {junit}: its folder is not there, or can't be written. Mend: make it first, "
            "or name another file.",
            ExitCode.REFUSED,
        )
    try:
        endpoints = test.of_deployment(name)
    except test.SmokeError as error:
        fail(str(error), error.code)
    if as_json:
        report = test.run(endpoints, seconds=timeout)
        print_json(report.as_dict())
    else:
        report = _shown(endpoints, timeout)
    if junit is not None:
        from archi.smoke.junit import write

        try:
            write(report, junit)
        except OSError as error:
            fail(f"The report could not be written to {junit}: {error.strerror or error}.")
    raise typer.Exit(int(report.exit_code))


def _shown(endpoints: Endpoints, timeout: float) -> Report:
    """Run it, each check printed as it ends."""
    from archi import smoke as test

    console = out()
    width = max(console.width, _LEAST_WIDTH) if console.is_terminal else None
    heading: Wire | None = None

    def show(check: Check) -> None:
        nonlocal heading
        if check.wire is not heading:
            heading = check.wire
            console.print(f"\n[bold]{heading.value}[/bold]")
        for line in _row(check, width):
            console.print(line)

    console.print(f"Smoke test of {escape(endpoints.deployment)}: {escape(endpoints.model)}")
    with console.status("asking …") if console.is_terminal else nullcontext():
        report = test.run(endpoints, show, seconds=timeout)
    console.print()
    for line in _end(report):
        console.print(line)
    return report


def _row(check: Check, width: int | None) -> Iterator[str]:
    """The lines of one check, in rich's markup; folded to ``width`` columns if there is one."""
    mark, style = _MARKS.get(check.state.value, _SKIPPED)
    seconds = "" if check.state.value == "skipped" else f"{check.seconds:.1f} s"
    head = f"{check.name:<15} {seconds:>7}"
    first, *rest = _folded(check.detail, width)
    yield f"  [{style}]{mark}[/{style}] {head}  {escape(first)}"
    if check.mend:
        rest += _folded(f"Mend: {check.mend}", width)
    for line in rest:
        yield f"{_INDENT}{escape(line)}" if width else f"      {escape(line)}"


def _folded(text: str, width: int | None) -> list[str]:
    lines = text.splitlines() or [""]
    if width is None:
        return lines
    room = width - len(_INDENT)
    return [
        part for line in lines for part in textwrap.wrap(line, room, break_on_hyphens=False) or [""]
    ]


def _end(report: Report) -> Iterator[str]:
    if report.answer:
        yield f"The model said: {escape(report.answer)}"
    took = sum(check.seconds for check in report.checks)
    counts = [
        f"{number} {state}" if state != "note" else f"{number} note{'s' if number > 1 else ''}"
        for state in ("ok", "note", "failed", "skipped")
        if (number := sum(check.state.value == state for check in report.checks))
    ]
    said = f"{', '.join(counts)}, {took:.1f} s"
    if report.ok:
        yield f"[green]✓[/green] {said}"
    else:
        code = report.exit_code
        yield f"[bold red]✗[/bold red] {said}. {code.meaning} (Exit code {int(code)}.)"


if __name__ == "__main__":
    typer.run(smoke)
