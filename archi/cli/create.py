"""``archi create``: from a config.yaml to an assistant that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from archi.cli.exit_codes import ExitCode
from archi.cli.output import err

if TYPE_CHECKING:
    from archi.creation import Host, Plan


def create(
    name: Annotated[str, typer.Option("-n", "--name", help="Name of the deployment.")],
    config: Annotated[Path, typer.Option("-c", "--config", help="Settings: a config.yaml.")],
    env: Annotated[
        Path | None,
        typer.Option("-e", "--env", "--env-file", help="Secrets: a .env, kept encrypted."),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option("-s", "--services", help="Which ones, such as chatbot,vllm-server."),
    ] = None,
    gpu_ids: Annotated[
        str | None, typer.Option("--gpu-ids", help="GPUs for vLLM: all, none, or ids such as 0,1.")
    ] = None,
    hostmode: Annotated[
        bool, typer.Option("--hostmode", help="All services on the host's own network.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry", help="Show what would be made, and touch nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Replace a stack file that says something else.")
    ] = False,
    skip_fit_check: Annotated[
        bool, typer.Option("--skip-fit-check", help="Try a model that will not fit, too.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the stack file, secrets left out.")
    ] = False,
) -> None:
    """Deploy an assistant from CONFIG, and wait until it has answered.

    Writes stacks/Pulumi.NAME.yaml; afterwards `pulumi up -s NAME` is the same deployment.
    Run again, it changes nothing, or what was changed meanwhile back.
    """
    import os

    from archi import creation, passphrase, project

    wish = creation.Wish(
        name=name,
        config=config,
        env=env,
        services=creation.known_services(services) if services is not None else None,
        gpu_ids=gpu_ids,
        host_mode=hostmode,
        check_fit=not skip_fit_check,
    )
    plan = creation.plan(wish, _host())
    root = project.find_root(Path.cwd())
    path = project.stack_file(root, name)
    if name in project.SHIPPED:
        raise typer.BadParameter(
            f"{name} is a stack that comes with archi. Choose another name.", param_hint="--name"
        )
    _tell(plan, verbose=verbose)
    phrase = passphrase.in_use(os.environ, project.home())
    if dry:
        raise typer.Exit(_preview(plan, path, phrase, force=force))
    written = creation.settle(path, plan, phrase, force=force)
    say = err().print
    say(
        f"  {'stack file':<12} {path.relative_to(root)} ({'written' if written else 'as it was'})\n"
    )
    from archi.up import Up

    Up(err()).bring(plan.settings, afterwards(name))


def afterwards(name: str) -> list[str]:
    """What a person may want once it answers."""
    return [
        f"How it does:    archi status {name}",
        f"What it says:   archi logs {name} -f",
        f"After an edit:  archi upgrade {name}",
        f"Away again:     archi delete -n {name} (the data stays)",
    ]


def _host() -> Host:
    from archi.creation import Host
    from archi.docker_engine import is_local
    from archi.gpus import of_this_machine
    from archi.public_services import reachable

    return Host(of_this_machine() if is_local() else None, reachable)


def _tell(plan: Plan, *, verbose: bool) -> None:
    settings, say = plan.settings, err().print
    say(f"Deployment [bold]{settings.name}[/bold]")
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(min_width=len("stack file"))
    table.add_row("", "model", f"{settings.model} (tool calls: {settings.tool_parser})")
    table.add_row("", "services", ", ".join(sorted(settings.deployed)))
    for note in plan.notes:
        table.add_row("", "", escape(note))
    say(table)
    for warning in settings.warnings:
        say(f"[yellow]![/yellow] {escape(warning)}")
    if verbose:
        import yaml

        say()
        text = yaml.safe_dump(dict(plan.content.config), sort_keys=False, allow_unicode=True)
        for line in text.splitlines():
            say(f"    {escape(line)}")
        secrets = ", ".join(sorted(plan.content.secrets)) or "none"
        say(f"    (secrets, encrypted: {secrets})\n")


def _preview(plan: Plan, path: Path, phrase: str, *, force: bool) -> int:
    """Pulumi's own preview of the plan; the stack file is not touched, nor the backend."""
    from archi import creation, dry_run, pulumi_cli, stack_file
    from archi.up import Up

    name = plan.settings.name
    if path.exists() and not force:
        present = stack_file.read(path, phrase)
        if present.differences(plan.content):
            creation.settle(path, plan, phrase, force=False)  # refuses, with the keys
    up = Up(err())
    with up.phases.shown():
        up.toolchain()
    code = dry_run.preview(pulumi_cli.prepare(name), name, plan.content, phrase)
    return int(ExitCode.FAILED if code else ExitCode.OK)
