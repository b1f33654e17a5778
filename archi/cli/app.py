"""``archi``: the life of a deployment for people who don't know Pulumi."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from archi.cli import config_check
from archi.cli.create import create
from archi.cli.delete import delete
from archi.cli.diagnose import diagnose
from archi.cli.doctor import doctor
from archi.cli.exit_codes import ExitCode
from archi.cli.list_deployments import list_deployments
from archi.cli.list_services import list_services
from archi.cli.logs import logs
from archi.cli.model import model
from archi.cli.open_chat import open_chat
from archi.cli.output import err
from archi.cli.restart import restart
from archi.cli.smoke import smoke
from archi.cli.status import status
from archi.cli.upgrade import upgrade

_NAMES = {"open_chat": "open"}

app = typer.Typer(
    name="archi",
    help="A private chat assistant on your own GPUs: vLLM, a chat application, its database.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# In the order of a deployment's life; help lists them so.
for command in (
    create,
    status,
    logs,
    open_chat,
    smoke,
    diagnose,
    doctor,
    restart,
    upgrade,
    delete,
    list_deployments,
    list_services,
    model,
):
    app.command(_NAMES.get(command.__name__, command.__name__.replace("_", "-")))(command)
app.add_typer(config_check.app, name="config")


def main() -> None:
    """Entry point: runs a command, and says in one way what went wrong."""
    try:
        app()
    except Exception as failure:
        code = _code(failure)
        if code is None:
            raise
        err().print(f"\n[bold red]✗[/bold red] {escape(str(failure))}")
        sys.exit(int(code))


def _code(failure: Exception) -> ExitCode | None:
    """The exit code of a failure whose text is meant for people; None for a fault of ours."""
    known: dict[str, ExitCode] = {
        "EngineUnavailable": ExitCode.NO_ENGINE,
        "SettingsError": ExitCode.REFUSED,
        "StackFileError": ExitCode.REFUSED,
        "BrokenOff": ExitCode.INTERRUPTED,
        "Cancelled": ExitCode.INTERRUPTED,
        "ImageError": ExitCode.FAILED,
        "NotReady": ExitCode.FAILED,
        "PreflightError": ExitCode.FAILED,
        "Refused": ExitCode.FAILED,
        "SmokeError": ExitCode.FAILED,
        "UpdateFailed": ExitCode.FAILED,
        "WeightsError": ExitCode.FAILED,
    }
    # By name: the modules that define them are loaded by the commands that need them alone.
    names = [one.__name__ for one in type(failure).__mro__ if one.__module__.startswith("archi.")]
    return next((known[name] for name in names if name in known), None)
