"""``archi config check``: what a config.yaml says, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from archi.cli.exit_codes import ExitCode
from archi.cli.output import err, out, print_json

app = typer.Typer(help="Settings before they are used.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Settings before they are used."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A config.yaml, or a stack file.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Read FILE as `archi create` would, and say what it comes to; nothing is touched."""
    from archi.settings import SettingsError

    try:
        report = _report(file)
    except SettingsError as error:
        if json:
            print_json({"file": str(file), "ok": False, "problems": list(error.problems)})
        else:
            err().print(f"[bold red]✗[/bold red] {escape(str(error))}")
        raise typer.Exit(int(ExitCode.REFUSED)) from None
    if json:
        print_json({"file": str(file), "ok": True, "problems": [], **report})
        return
    table = Table.grid(padding=(0, 2))
    for key in ("model", "tool_parser", "reasoning_parser", "services", "gpu_ids", "source"):
        value = report[key]
        shown = ", ".join(value) if isinstance(value, list) else value
        table.add_row(key.replace("_", " "), escape(str(shown or "none")))
    out().print(f"[bold green]✓[/bold green] {escape(file.name)} can be used.")
    out().print(table)
    for warning in report["warnings"]:
        out().print(f"[yellow]![/yellow] {escape(warning)}")


def _report(file: Path) -> dict[str, Any]:
    from archi.settings import yaml_file
    from archi.settings.load import from_document
    from archi.stack_settings import of_config

    document = yaml_file.parse(file.name, yaml_file.read(file))
    name = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if file.name.startswith("Pulumi.") and isinstance(document.get("config"), dict):
        settings = of_config(name, document["config"])
    else:
        settings = from_document("a-deployment", file.name, {**document, "name": "a-deployment"})
    return {
        "model": settings.model,
        "served_model": settings.served_model,
        "tool_parser": settings.tool_parser,
        "reasoning_parser": settings.reasoning_parser,
        "services": sorted(settings.deployed),
        "gpu_ids": str(settings.gpu_ids),
        "host_mode": settings.host_mode,
        "source": settings.source,
        "warnings": settings.warnings,
    }
