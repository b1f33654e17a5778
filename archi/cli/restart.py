"""`archi restart`: restart services and wait until they answer."""

from __future__ import annotations

from typing import Annotated

import typer

from archi.cli import completion
from archi.cli.exit_codes import ExitCode
from archi.cli.failures import explained
from archi.cli.output import err, fail, out, print_json


def restart(
    name: Annotated[
        str,
        typer.Option(
            "-n", "--name", help="The deployment's name.", autocompletion=completion.deployments
        ),
    ],
    service: Annotated[
        list[str] | None,
        typer.Option(
            "-s",
            "--service",
            help="Only this one; may be given several times.",
            autocompletion=completion.services,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Restart a deployment's containers, one after the other, until each answers again.

    What they are made of stays as it is: changes in the stack file take `pulumi up`.
    """
    from pathlib import Path

    from archi import project
    from archi.deployments import known
    from archi.deployments.restart import RestartError, chosen
    from archi.deployments.restart import restart as work
    from archi.docker_engine import connect
    from archi.phases import duration
    from archi.readiness import NotReady

    console = err()
    with explained():
        client = connect()
        deployment = known.find(client, project.find_root(Path.cwd()), name)
        services = chosen(deployment, service or ())
        try:
            seconds = work(
                client, deployment, services, lambda line: console.print(line, markup=False)
            )
        except (NotReady, RestartError) as error:
            fail(str(error), ExitCode.FAILED)
    if as_json:
        print_json(
            [{"service": one, "ready_seconds": round(took, 1)} for one, took in seconds.items()]
        )
        return
    for one, took in seconds.items():
        out().print(f"[green]✓[/green] {one} answers again ({duration(took)})")
