"""``archi upgrade``: images and weights first, then a preview, then the update."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from archi.cli.create import afterwards
from archi.cli.exit_codes import ExitCode
from archi.cli.output import err, fail


def upgrade(
    name: Annotated[str, typer.Argument(help="Name of the deployment.")],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Don't ask after the preview.")] = False,
) -> None:
    """Bring a deployment to what this version of archi and its stack file say.

    Images and weights are fetched while the assistant goes on; then a preview, and your yes.
    """
    from archi import project, stack_settings
    from archi import upgrade as steps
    from archi.up import Up

    root = project.find_root(Path.cwd())
    settings = stack_settings.plain(root, name)
    up = Up(err())
    steps.fetch(up, root, settings)
    err().print()
    if steps.preview(root, settings):
        fail("The preview failed; nothing was touched.")
    if not yes:
        if not sys.stdin.isatty():
            fail(
                "Nothing was touched: there is nobody to ask. Mend: run it again with -y (--yes).",
                ExitCode.REFUSED,
            )
        if not typer.confirm("Go on?", err=True):
            fail("Nothing was touched.", ExitCode.REFUSED)
    up.bring(settings, afterwards(name))
