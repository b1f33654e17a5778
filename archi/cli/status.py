"""`archi status NAME`: how a deployment is."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from archi.cli import completion
from archi.cli.exit_codes import ExitCode
from archi.cli.failures import explained
from archi.cli.output import out, print_json
from archi.cli.service_table import service_table
from archi.cli.spans import ago

if TYPE_CHECKING:
    from archi.status import Status


def status(
    name: Annotated[
        str, typer.Argument(help="The deployment's name.", autocompletion=completion.deployments)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show health, load, the last error, and what is not as it was deployed.

    Exit code 0: it runs, or is starting, as it was deployed. 5: something is not as it should be.
    """
    from datetime import UTC
    from pathlib import Path

    from archi import project
    from archi import status as look
    from archi.docker_engine import connect

    with explained():
        found = look.of(connect(), project.find_root(Path.cwd()), name)
    now = datetime.now(UTC)
    if as_json:
        print_json(look.report(found, now))
    else:
        _print(found, now)
    if found.problem:
        raise typer.Exit(int(ExitCode.PROBLEM))


def _print(found: Status, now: datetime) -> None:
    deployment, console = found.deployment, out()
    age = f", made {ago(deployment.created, now)} ago" if deployment.created else ""
    console.print(f"[bold]{escape(deployment.name)}[/bold]: {deployment.state}{age}")
    console.print(f"Model: {escape(deployment.model or 'unknown')}")
    if deployment.url:
        console.print(f"URL:   {deployment.url}")
    if deployment.services:
        console.print()
        console.print(service_table(deployment.services, now))
    console.print()
    for line in _load(found):
        console.print(line)
    error = found.last_error
    told = {diagnosis.evidence for diagnosis in found.diagnoses.values()}
    if error and error.line not in told:
        console.print(f"Last error, {error.service}, {ago(error.at, now)} ago:")
        console.print(f"  {error.line}", markup=False)
    elif error is None:
        console.print("Last error: none in the logs")
    for service, diagnosis in found.diagnoses.items():
        said = str(diagnosis).replace("\n", "\n  ")
        console.print(f"[bold red]✗[/bold red] {service}: {escape(said)}")
    for mend, same in groupby(found.drift, key=lambda one: one.mend):
        for one in same:
            console.print(f"[bold red]✗[/bold red] {escape(str(one))}")
        console.print(f"  Mend: {escape(mend)}")
    if not found.drift and deployment.services:
        console.print("Drift: none; Docker has what was deployed")


def _load(found: Status) -> list[str]:
    lines = []
    if found.load is not None:
        load = found.load
        lines.append(
            f"vLLM:  {load.running} running, {load.waiting} waiting, "
            f"{load.tokens_per_second:.1f} tokens/s, KV cache {load.kv_cache_use:.0%} in use"
        )
    for gpu in found.gpus or ():
        used, total = gpu.memory_used_mib / 1024, gpu.memory_total_mib / 1024
        lines.append(f"GPU {gpu.index}: {used:.1f} of {total:.1f} GiB in use ({escape(gpu.name)})")
    return lines
