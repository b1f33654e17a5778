"""`archi delete`: take a deployment away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from archi.cli import completion
from archi.cli.exit_codes import ExitCode
from archi.cli.failures import explained
from archi.cli.output import err, fail, print_json

if TYPE_CHECKING:
    from archi.deletion import Plan


def delete(
    name: Annotated[
        str,
        typer.Option(
            "-n", "--name", help="The deployment's name.", autocompletion=completion.deployments
        ),
    ],
    rmi: Annotated[
        bool, typer.Option("--rmi", help="Also its images that nothing else uses.")
    ] = False,
    rmv: Annotated[
        bool, typer.Option("--rmv", help="Also its data: conversations, database, caches.")
    ] = False,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave the stack file.")] = False,
    yes: Annotated[
        bool,
        typer.Option("-y", "--yes", help="Ask nothing. With --rmv the data goes unasked too."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For scripts: what went and what stays.")
    ] = False,
) -> None:
    """Take a deployment away; its data stays unless --rmv says otherwise.

    Says first what it will remove, and asks. No other deployment is touched, and the model's
    weights, which all deployments share, stay in any case.
    """
    from pathlib import Path

    from archi import deletion, project
    from archi.docker_engine import connect

    root, console = project.find_root(Path.cwd()), err()
    with explained():
        client = connect()
        plan = deletion.plan(client, root, name, data=rmv, images=rmi, keep_file=keep_files)
        for line in describe(plan):
            console.print(line, markup=False)
        done = plan.empty
        try:
            if not done:
                if not yes:
                    _ask(plan)
                deletion.carry_out(
                    client, root, plan, lambda line: console.print(f"  {line}", markup=False)
                )
                done = True
        except deletion.DeletionError as error:
            fail(str(error), ExitCode.FAILED)
        finally:
            if as_json:
                print_json(as_document(plan, done=done))
    if plan.empty:
        return
    kept = ", ".join(volume.name for volume in plan.volumes)
    console.print(f"[green]✓[/green] {escape(name)} is gone.")
    if kept and not rmv:
        console.print(
            f"Its data stays in {escape(kept)}; an `archi create` of the name takes it up."
        )


def as_document(plan: Plan, *, done: bool) -> dict[str, Any]:
    """What went and what stays, in a shape that stays; not done, what would have."""
    file = plan.stack_file
    volumes = [{"name": volume.name, "content": volume.content} for volume in plan.volumes]
    return {
        "name": plan.name,
        "done": done,
        "by_label": plan.stack is None or bool(plan.by_label),
        "containers": list(plan.containers),
        "networks": list(plan.networks),
        "images": list(plan.images),
        "volumes": volumes if plan.with_data else [],
        "stack_file": str(file) if file and not plan.file_stays else None,
        "kept_volumes": [] if plan.with_data else volumes,
        "kept_stack_file": str(file) if file and plan.file_stays else None,
    }


def describe(plan: Plan) -> list[str]:
    """What a plan removes and what it leaves, a line each."""
    if plan.empty:
        return [f"Nothing of {plan.name} is left to remove.", *_kept(plan)]
    lines = [f"This removes of the deployment {plan.name}:"]
    if plan.by_label:
        lines.append(f"  by its label, not by Pulumi: {plan.by_label}")
    elif plan.stack is None and plan.containers:
        lines.append("  by its label, not by Pulumi, which has no state of it:")
    for what, names in (("containers", plan.containers), ("networks", plan.networks)):
        if names:
            lines.append(f"  {what}: {', '.join(names)}")
    if plan.stack is not None:
        lines.append("  Pulumi's state of it, readiness gates included")
    if plan.with_data and plan.volumes:
        lines.append("  data, which nothing brings back:")
        lines += [f"    {volume.name}: {volume.content}" for volume in plan.volumes]
    if plan.images:
        lines.append("  images that nothing else uses:")
        lines += [f"    {image}" for image in plan.images]
    if plan.stack_file and not plan.file_stays:
        lines.append(f"  its stack file: stacks/{plan.stack_file.name}")
    return [*lines, *_kept(plan)]


def _kept(plan: Plan) -> list[str]:
    lines = []
    if plan.volumes and not plan.with_data:
        lines.append("This stays (--rmv removes it):")
        lines += [f"  {volume.name}: {volume.content}" for volume in plan.volumes]
    if plan.stack_file and plan.file_stays:
        lines.append(f"The stack file stays ({plan.file_stays}): stacks/{plan.stack_file.name}")
    return lines


def _ask(plan: Plan) -> None:
    data = plan.with_data and plan.volumes
    if not sys.stdin.isatty():
        flags = "--rmv --yes" if data else "--yes"
        fail(
            f"Nobody is there to ask. Mend: {flags} says that all of the above is to go.",
            ExitCode.REFUSED,
        )
    if not typer.confirm(f"Remove {plan.name}?", err=True):
        fail("Nothing was removed.", ExitCode.REFUSED)
    if data:
        names = ", ".join(volume.name for volume in plan.volumes)
        if not typer.confirm(f"Remove its data in {names} for good?", err=True):
            fail("Nothing was removed. Without --rmv the data stays.", ExitCode.REFUSED)
