"""`archi open NAME`: the chat in a browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from archi.cli import completion
from archi.cli.exit_codes import ExitCode
from archi.cli.failures import explained
from archi.cli.output import err, fail, out, print_json


def open_chat(
    name: Annotated[
        str, typer.Argument(help="The deployment's name.", autocompletion=completion.deployments)
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="For scripts: the address; no browser is opened.")
    ] = False,
) -> None:
    """Open a deployment's chat in a browser; where there is none, print its address."""
    import webbrowser
    from pathlib import Path

    from archi import project
    from archi.deployments import known
    from archi.docker_engine import connect

    with explained():
        deployment = known.find(connect(), project.find_root(Path.cwd()), name)
    chat = next((one for one in deployment.services if one.service == "chatbot"), None)
    if chat is None or not deployment.url:
        fail(
            f"{name} has no chat to open; it is {deployment.state}. Mend: `archi status {name}` "
            "says what there is.",
            ExitCode.NOT_FOUND,
        )
    if as_json:
        print_json({"name": name, "url": deployment.url, "ready": chat.well})
        return
    out().print(deployment.url)
    if not chat.well:
        err().print(f"The chat is not well yet ({chat.health or chat.state}).")
    if _has_display() and not webbrowser.open(deployment.url):
        err().print("No browser could be opened here; the address is above.")


def _has_display() -> bool:
    """Whether a browser has a window to open: a text browser would take the terminal over."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
