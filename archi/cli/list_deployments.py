"""`archi list-deployments`: which deployments there are."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from archi.cli.failures import explained
from archi.cli.output import out, print_json
from archi.cli.spans import ago


def list_deployments(
    every: Annotated[
        bool, typer.Option("--all", help="Also stacks that came with archi, never deployed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List the deployments with their state, model, age and address."""
    from datetime import UTC, datetime
    from pathlib import Path

    from archi import project
    from archi.deployments import known
    from archi.docker_engine import connect
    from archi.status import summary

    with explained():
        found = known.survey(connect(), project.find_root(Path.cwd()), every=every)
    now = datetime.now(UTC)
    if as_json:
        print_json([summary(deployment, now) for deployment in found])
        return
    if not found:
        out().print("There is no deployment yet. `archi create` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("NAME", "STATE", "AGE", "MODEL", "URL"):
        table.add_column(column, overflow="fold", no_wrap=column in ("STATE", "AGE", "URL"))
    for one in found:
        table.add_row(
            one.name, str(one.state), ago(one.created, now), one.model or "–", one.url or "–"
        )
    out().print(table)
