"""``archi``: the life of a deployment for people who don't know Pulumi."""

from __future__ import annotations

import typer

from archi.cli import config_check, user
from archi.cli.create import create
from archi.cli.delete import delete
from archi.cli.diagnose import diagnose
from archi.cli.doctor import doctor
from archi.cli.failures import explaining
from archi.cli.list_deployments import list_deployments
from archi.cli.list_services import list_services
from archi.cli.logs import logs
from archi.cli.model import model
from archi.cli.open_chat import open_chat
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
    app.command(_NAMES.get(command.__name__, command.__name__.replace("_", "-")))(
        explaining(command)
    )
app.add_typer(user.app, name="user")
app.add_typer(config_check.app, name="config")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
