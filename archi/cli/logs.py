"""`archi logs NAME [SERVICE]`: what the services say."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from archi.cli import completion
from archi.cli.exit_codes import ExitCode
from archi.cli.failures import explained
from archi.cli.output import fail

if TYPE_CHECKING:
    from archi.deployments.logs import Line


def logs(
    name: Annotated[
        str, typer.Argument(help="The deployment's name.", autocompletion=completion.deployments)
    ],
    service: Annotated[
        str | None,
        typer.Argument(help="Only this service; else all.", autocompletion=completion.services),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Only what is newer: 10m, 1h30m, 2d, or 2026-11-25T03:00:00."),
    ] = None,
    tail: Annotated[
        int | None, typer.Option(min=0, help="At most so many lines of each service.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For scripts: one object a line.")
    ] = False,
) -> None:
    """Print the logs of a deployment, several services in one order of time."""
    from datetime import UTC, datetime
    from pathlib import Path

    from archi import project
    from archi.deployments import containers, known
    from archi.deployments import logs as source
    from archi.deployments.restart import chosen
    from archi.docker_engine import connect

    try:
        begin = source.since(since, datetime.now(UTC)) if since else None
    except source.NoTime as error:
        fail(str(error), ExitCode.REFUSED)
    with explained():
        client = connect()
        deployment = known.find(client, project.find_root(Path.cwd()), name)
        wanted = chosen(deployment, [service] if service else [])
        found = containers.services(containers.of(client, name))
        ours = {one: found[one] for one in wanted if one in found}
        try:
            for line in source.lines(ours, begin=begin, tail=tail, follow=follow):
                _write(line, len(ours) > 1, as_json)
        except KeyboardInterrupt:
            if not follow:
                raise
        except BrokenPipeError:
            # Whoever read has enough; Python would complain of it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(line: Line, several: bool, as_json: bool) -> None:
    if as_json:
        record = {"service": line.service, "time": line.time, "line": line.text}
        text = json.dumps(record, ensure_ascii=False)
    else:
        text = f"{line.service:<11} | {line.text}" if several else line.text
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
