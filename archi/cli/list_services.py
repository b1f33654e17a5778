"""`archi list-services`: what a deployment can be made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from archi.cli import completion
from archi.cli.failures import explained
from archi.cli.output import out, print_json


def list_services(
    name: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--name",
            help="Those of this deployment, and how they are.",
            autocompletion=completion.deployments,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List the services that --services knows, or those of one deployment."""
    if name is not None:
        _of_deployment(name, as_json)
        return
    from archi.deployments.services import SERVICES

    if as_json:
        print_json([asdict(service) for service in SERVICES])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("SERVICE", "PORT", "WHAT", "CAN BE LEFT OUT FOR"):
        table.add_column(column, overflow="fold", no_wrap=column in ("SERVICE", "PORT"))
    for service in SERVICES:
        table.add_row(service.name, str(service.default_port), service.what, service.without)
    out().print(table)


def _of_deployment(name: str, as_json: bool) -> None:
    from datetime import UTC, datetime
    from pathlib import Path

    from archi import project
    from archi.cli.service_table import service_table
    from archi.deployments import known
    from archi.docker_engine import connect
    from archi.status import service_report

    with explained():
        deployment = known.find(connect(), project.find_root(Path.cwd()), name)
    if as_json:
        print_json([service_report(service) for service in deployment.services])
    elif deployment.services:
        out().print(service_table(deployment.services, datetime.now(UTC)))
    else:
        out().print(f"{name} has no containers ({deployment.state}).")
